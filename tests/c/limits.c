/* Time: no limit, limit 0, limit n over the whole call, for each kind of call that can wait. */
#include "check.h"

/* Runs the statement and checks that it took at least `ms`, and not absurdly longer. */
#define TAKES(ms, statement)                                                                       \
    do {                                                                                           \
        int64_t takes_start = now_us();                                                            \
        statement;                                                                                 \
        int64_t takes = now_us() - takes_start;                                                    \
        CHECK_GE(takes, (ms) * 1000);                                                              \
        CHECK_LT(takes, ((ms) + 1500) * 1000);                                                     \
    } while (0)
#define AT_ONCE(statement)                                                                         \
    do {                                                                                           \
        int64_t at_once = now_us();                                                                \
        statement;                                                                                 \
        CHECK_LT(now_us() - at_once, 1000000);                                                     \
    } while (0)

CASE(recv_of_every_kind)
{
    need_ipv6();
    for (int k = 0; k < PAIR_KINDS; k++) {
        sk_handle p[2];
        char b;
        any_pair(k, p);
        AT_ONCE(CHECK_FAILS(sk_recv(p[1], &b, 1, SK_DONTWAIT), SK_EAGAIN));
        CHECK_OK(sk_set_timeout(p[1], 0));
        AT_ONCE(CHECK_FAILS(sk_recv(p[1], &b, 1, 0), SK_EAGAIN));
        AT_ONCE(CHECK_FAILS(sk_recv_from(p[1], &b, 1, 0, NULL), SK_EAGAIN));
        CHECK_OK(sk_set_option(p[1], SK_OPT_RECV_TIMEOUT, 30));
        TAKES(30, CHECK_FAILS(sk_recv(p[1], &b, 1, 0), SK_ETIMEDOUT));
        TAKES(30, CHECK_FAILS(sk_recv_from(p[1], &b, 1, 0, NULL), SK_ETIMEDOUT));
        AT_ONCE(CHECK_FAILS(sk_recv(p[1], &b, 1, SK_DONTWAIT), SK_EAGAIN)); /* stronger than the limit */
        CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
        CHECK_GIVES(sk_recv(p[1], &b, 1, 0), 1); /* the handle stays usable */
        close_pair(p);
    }
}

CASE(send_of_every_kind)
{
    static const int some[] = {PAIR_TCP4, PAIR_UNIX_STREAM, PAIR_UNIX_DGRAM, PAIR_UNIX_SEQPACKET};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        sk_handle p[2];
        static char b[100000];
        size_t len = is_stream_pair(some[i]) ? sizeof b : 1;
        any_pair(some[i], p);
        fill(p[0]);
        AT_ONCE(CHECK_FAILS(sk_send(p[0], b, len, SK_DONTWAIT), SK_EAGAIN));
        CHECK_OK(sk_set_timeout(p[0], 0));
        AT_ONCE(CHECK_FAILS(sk_send(p[0], b, len, 0), SK_EAGAIN));
        CHECK_OK(sk_set_option(p[0], SK_OPT_SEND_TIMEOUT, 30));
        TAKES(30, CHECK_FAILS(sk_send(p[0], b, len, 0), SK_ETIMEDOUT));
        TAKES(30, CHECK_FAILS(sk_send_to(p[0], b, len, 0, NULL), SK_ETIMEDOUT));
        for (;;) {
            int64_t n = sk_recv(p[1], b, sizeof b, SK_DONTWAIT);
            if (n == SK_EAGAIN) break;
            CHECK_GT(n, 0);
        }
        CHECK_OK(sk_set_option(p[0], SK_OPT_SEND_TIMEOUT, 5000));
        CHECK_GE(sk_send(p[0], b, 1, 0), 1);
        close_pair(p);
    }
}

CASE(send_to_a_full_unix_queue)
{
    sk_addr to;
    sk_handle a = unix_bound(SK_DGRAM, 0, &to), b = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    int64_t r;
    while ((r = sk_send_to(b, "x", 1, SK_DONTWAIT, &to)) == 1) continue;
    CHECK_EQ(r, SK_EAGAIN);
    CHECK_OK(sk_set_timeout(b, 0));
    AT_ONCE(CHECK_FAILS(sk_send_to(b, "x", 1, 0, &to), SK_EAGAIN));
    CHECK_OK(sk_set_timeout(b, 30));
    TAKES(30, CHECK_FAILS(sk_send_to(b, "x", 1, 0, &to), SK_ETIMEDOUT));
    char c;
    CHECK_GIVES(sk_recv(a, &c, 1, 0), 1);
    CHECK_GIVES(sk_send_to(b, "x", 1, 0, &to), 1);
}

static void take_one_soon(void *argument)
{
    sk_handle s = *(sk_handle *)argument;
    char c;
    CHECK_EQ(sk_wait(s, SK_PRIORITY, 50), 0);
    CHECK_EQ(sk_recv(s, &c, 1, 0), 1);
}
CASE(send_to_a_full_unix_queue_goes_on_when_there_is_room)
{
    static const int64_t limits[] = {SK_FOREVER, 10000};
    for (int i = 0; i < 2; i++) {
        sk_addr to;
        struct thread t;
        sk_handle a = unix_bound(SK_DGRAM, 0, &to), b = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
        while (sk_send_to(b, "x", 1, SK_DONTWAIT, &to) == 1) continue;
        CHECK_OK(sk_set_timeout(b, limits[i]));
        thread_start(&t, take_one_soon, &a);
        AT_ONCE(CHECK_GIVES(sk_send_to(b, "x", 1, 0, &to), 1));
        thread_join(&t);
        CHECK_OK(sk_connect_addr(b, &to));
        thread_start(&t, take_one_soon, &a);
        AT_ONCE(CHECK_GIVES(sk_send(b, "x", 1, 0), 1));
        thread_join(&t);
        CHECK_OK(sk_close(a));
        CHECK_OK(sk_close(b));
    }
}

CASE(accept_of_every_kind)
{
    sk_addr a;
    sk_handle l[3] = {tcp_listener(SK_INET, 1), unix_bound(SK_STREAM, 1, &a), unix_bound(SK_SEQPACKET, 1, &a)};
    for (int i = 0; i < 3; i++) {
        memset(&a, 0x77, sizeof a);
        CHECK_OK(sk_set_timeout(l[i], 0));
        AT_ONCE(CHECK_FAILS(sk_accept(l[i], &a), SK_EAGAIN));
        CHECK_OK(sk_set_option(l[i], SK_OPT_RECV_TIMEOUT, 30));
        TAKES(30, CHECK_FAILS(sk_accept(l[i], &a), SK_ETIMEDOUT));
        CHECK_EQ(a.family, 0x7777);
    }
}

static void connect_soon(void *argument)
{
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_EQ(sk_wait(c, SK_PRIORITY, 0) >= 0, 1);
    CHECK_EQ(sk_connect(c, "127.0.0.1", *(uint16_t *)argument), SK_OK);
}
/* A limit once set has made the descriptor non-blocking; taking it away makes calls wait again. */
CASE(accept_waits_again_once_the_limit_is_gone)
{
    sk_handle l = tcp_listener(SK_INET, 1);
    uint16_t port = port_of(l);
    struct thread t;
    CHECK_OK(sk_set_timeout(l, 0));
    CHECK_FAILS(sk_accept(l, NULL), SK_EAGAIN);
    CHECK_OK(sk_set_timeout(l, 1));
    CHECK_FAILS(sk_accept(l, NULL), SK_ETIMEDOUT);
    CHECK_OK(sk_set_timeout(l, SK_FOREVER));
    thread_start(&t, connect_soon, &port);
    (void)MADE(sk_accept(l, NULL));
    thread_join(&t);
}

CASE(a_very_long_limit_does_not_overflow)
{
    static const int64_t limits[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX / 1000, INT64_MAX / 1000000 + 1,
                                     (int64_t)1 << 53, (int64_t)1 << 32, (int64_t)INT32_MAX + 1};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        sk_handle p[2];
        struct thread t;
        unix_pair(SK_STREAM, p);
        CHECK_OK(sk_set_timeout(p[1], limits[i]));
        thread_start(&t, take_one_soon, &p[1]);
        CHECK(wait_until_asleep(&t));
        CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
        thread_join(&t);
        CHECK_GIVES(sk_send(p[0], "y", 1, 0), 1);
        CHECK_GIVES(sk_wait(p[1], SK_READABLE, limits[i]), 1);
        close_pair(p);
    }
}

static void recv_without_limit(void *argument)
{
    char c;
    *(int64_t *)argument = sk_recv(*(sk_handle *)argument, &c, 1, 0);
}
CASE(a_very_long_limit_waits)
{
    sk_handle p[2];
    struct thread t;
    unix_pair(SK_STREAM, p);
    CHECK_OK(sk_set_timeout(p[1], INT64_MAX));
    int64_t in_out = p[1];
    thread_start(&t, recv_without_limit, &in_out);
    CHECK(wait_until_asleep(&t));
    CHECK_GIVES(sk_wait(p[0], SK_READABLE, 50), 0); /* time enough to come back too early */
    CHECK_EQ(__atomic_load_n(&t.ended_us, __ATOMIC_SEQ_CST), 0);
    CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
    thread_join(&t);
    CHECK_EQ(in_out, 1);
}

/* The limit is for the whole call: bytes that trickle in do not start it anew. */
static int trickling;
static void trickle(void *argument)
{
    sk_handle s = *(sk_handle *)argument;
    while (__atomic_load_n(&trickling, __ATOMIC_SEQ_CST)) {
        CHECK_EQ(sk_send(s, "t", 1, 0), 1);
        CHECK_EQ(sk_wait(s, SK_PRIORITY, 10), 0);
    }
}
CASE(trickling_bytes_do_not_stretch_the_limit)
{
    static const int some[] = {PAIR_TCP4, PAIR_UNIX_STREAM};
    for (int i = 0; i < 2; i++) {
        sk_handle p[2];
        struct thread t;
        static char b[100000];
        any_pair(some[i], p);
        CHECK_OK(sk_set_timeout(p[1], 150));
        trickling = 1;
        thread_start(&t, trickle, &p[0]);
        size_t n = 0;
        TAKES(150, CHECK_FAILS(sk_recv_all(p[1], b, sizeof b, &n), SK_ETIMEDOUT));
        CHECK_GT(n, 2);
        int64_t start = now_us();
        int64_t r = sk_recv(p[1], b, sizeof b, SK_WAITALL);
        CHECK_GT(r, 2);
        CHECK_GE(now_us() - start, 150000);
        CHECK_LT(now_us() - start, 1500000);
        __atomic_store_n(&trickling, 0, __ATOMIC_SEQ_CST);
        thread_join(&t);
        close_pair(p);
    }
}

CASE(each_direction_has_its_own_limit)
{
    sk_handle p[2];
    char b;
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_set_option(p[0], SK_OPT_RECV_TIMEOUT, 20));
    CHECK_OK(sk_set_option(p[0], SK_OPT_SEND_TIMEOUT, 0));
    TAKES(20, CHECK_FAILS(sk_recv(p[0], &b, 1, 0), SK_ETIMEDOUT));
    fill(p[0]);
    AT_ONCE(CHECK_FAILS(sk_send(p[0], "x", 1, 0), SK_EAGAIN));
}

CASE(data_that_is_there_comes_at_any_limit)
{
    static const int64_t limits[] = {SK_FOREVER, 0, 1, INT64_MAX};
    need_ipv6();
    for (int k = 0; k < PAIR_KINDS; k++) {
        sk_handle p[2];
        char b;
        any_pair(k, p);
        for (int i = 0; i < 4; i++) {
            CHECK_OK(sk_set_timeout(p[1], limits[i]));
            CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
            CHECK_GIVES(sk_wait(p[1], SK_READABLE, 5000), 1);
            CHECK_GIVES(sk_recv(p[1], &b, 1, 0), 1);
        }
        close_pair(p);
    }
}

CASE(the_overshoot_is_small)
{
    sk_handle p[2];
    int64_t over[15];
    char b;
    unix_pair(SK_STREAM, p);
    CHECK_OK(sk_set_timeout(p[0], 10));
    for (int i = 0; i < 15; i++) {
        int64_t start = now_us();
        CHECK_FAILS(sk_recv(p[0], &b, 1, 0), SK_ETIMEDOUT);
        over[i] = now_us() - start - 10000;
        CHECK_GE(over[i], 0);
        for (int j = i; j > 0 && over[j] < over[j - 1]; j--) {
            int64_t swap = over[j];
            over[j] = over[j - 1];
            over[j - 1] = swap;
        }
    }
    CHECK_LT(over[7], 5000); /* the median: SO_RCVTIMEO would be a jiffy off */
    close_pair(p);
}

/* Of an error in the queue that nobody reads (IP_RECVERR) poll(2) tells for ever. */
CASE(a_limit_ends_a_wait_that_is_told_of_an_error_for_ever)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
    char b[4];
    sk_handle gone = MADE(sk_socket(SK_INET, SK_DGRAM, 0));
    sk_addr to;
    CHECK_OK(sk_bind(gone, "127.0.0.1", 0));
    CHECK_OK(sk_local_addr(gone, &to));
    CHECK_OK(sk_close(gone));
    CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
    sk_handle s = MADE(sk_from_fd(fd));
    CHECK_OK(sk_connect_addr(s, &to));
    CHECK_GIVES(sk_send(s, "x", 1, 0), 1);
    CHECK_GIVES(sk_wait(s, SK_READABLE, 5000), 1);
    CHECK_FAILS(sk_recv(s, b, sizeof b, 0), SK_ECONNREFUSED);
    CHECK_OK(sk_set_timeout(s, 100));
    int64_t start = now_us();
    CHECK_FAILS(sk_recv(s, b, sizeof b, 0), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 100000);
    CHECK_LT(now_us() - start, 5100000);
    CHECK_OK(sk_close(s));
}
