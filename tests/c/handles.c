/* Handles: a value is issued once, and nothing but a live handle reaches a socket. */
#include "check.h"

static uint64_t seed = UINT64_C(0x9E3779B97F4A7C15);
static uint64_t random64(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* One of the calls that would do harm if it reached a socket. */
static int64_t harmful(unsigned which, sk_handle h)
{
    char b[4] = "xxx";
    switch (which % 10) {
    case 0: return sk_close(h);
    case 1: return sk_send(h, b, 3, SK_DONTWAIT);
    case 2: return sk_shutdown(h, SK_SHUT_BOTH);
    case 3: return sk_abort(h);
    case 4: return sk_into_fd(h);
    case 5: return sk_finish(h, 0);
    case 6: return sk_set_option(h, SK_OPT_NODELAY, 0);
    case 7: return sk_recv(h, b, 3, SK_DONTWAIT);
    case 8: return sk_dup(h);
    default: return sk_set_timeout(h, 0);
    }
}

CASE(live_handles_are_positive_and_different)
{
    sk_handle h[200];
    for (int i = 0; i < 200; i++) {
        h[i] = MADE(sk_socket(SK_INET, i % 2 == 0 ? SK_STREAM : SK_DGRAM, 0));
        for (int j = 0; j < i; j++) CHECK_NE(h[i], h[j]);
    }
    for (int i = 0; i < 200; i++) CHECK_OK(sk_close(h[i]));
}

CASE(zero_and_negative_handles_are_bad)
{
    for (unsigned f = 0; f < 10; f++) {
        CHECK_FAILS(harmful(f, SK_INVALID_HANDLE), SK_EBADHANDLE);
        CHECK_FAILS(harmful(f, -1), SK_EBADHANDLE);
        CHECK_FAILS(harmful(f, SK_EBADHANDLE), SK_EBADHANDLE);
        CHECK_FAILS(harmful(f, INT64_MIN), SK_EBADHANDLE);
        CHECK_FAILS(harmful(f, INT64_MAX), SK_EBADHANDLE);
    }
}

CASE(bad_handles_are_answered_before_first_use)
{
    for (unsigned f = 0; f < 10; f++) {
        for (sk_handle h = -3; h < 10; h++) CHECK_FAILS(harmful(f, h), SK_EBADHANDLE);
    }
    for (unsigned i = 0; i < 1000; i++) CHECK_FAILS(harmful(i, (sk_handle)random64()), SK_EBADHANDLE);
    CHECK_GIVES(sk_open_count(), 0);
}

CASE(a_closed_handle_is_bad_for_every_call)
{
    for (int kind = 0; kind < PAIR_KINDS; kind++) {
        if (kind == PAIR_TCP6 || kind == PAIR_UDP6) continue;
        sk_handle p[2];
        any_pair(kind, p);
        close_pair(p);
        for (unsigned f = 0; f < 10; f++) CHECK_FAILS(harmful(f, p[0]), SK_EBADHANDLE);
    }
}

static int by_value(const void *a, const void *b)
{
    sk_handle x = *(const sk_handle *)a, y = *(const sk_handle *)b;
    return (x > y) - (x < y);
}

enum { REUSES = 100000 };

CASE(a_stale_handle_stays_bad_after_100000_reuses_of_its_descriptor)
{
    static sk_handle seen[REUSES];
    int first = -1;
    for (int i = 0; i < REUSES; i++) {
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        CHECK_GE(fd, 0);
        if (first < 0) first = fd;
        CHECK_EQ(fd, first); /* the kernel hands out the lowest free number */
        seen[i] = MADE(sk_from_fd(fd));
        if (i > 0) {
            CHECK_FAILS(harmful((unsigned)i, seen[0]), SK_EBADHANDLE);
            CHECK_FAILS(harmful((unsigned)i / 10, seen[random64() % (unsigned)i]), SK_EBADHANDLE);
        }
        CHECK_OK(sk_close(seen[i]));
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(fd, first);
    sk_handle live = MADE(sk_from_fd(fd));
    for (int i = 0; i < REUSES; i++) CHECK_EQ(sk_shutdown(seen[i], SK_SHUT_BOTH), SK_EBADHANDLE);
    qsort(seen, REUSES, sizeof seen[0], by_value);
    for (int i = 1; i < REUSES; i++) CHECK_LT(seen[i - 1], seen[i]);
    CHECK_OK(sk_close(live));
    CHECK_GIVES(sk_open_count(), 0);
}

CASE(a_million_random_handles_reach_nobody)
{
    enum { LIVE = 8 };
    sk_handle live[LIVE];
    for (int i = 0; i < LIVE; i += 2) unix_pair(SK_STREAM, live + i);
    sk_handle stale[2];
    unix_pair(SK_STREAM, stale);
    close_pair(stale);
    int fds = open_fds();
    for (unsigned i = 0; i < 1000000; i++) {
        sk_handle h = (sk_handle)random64();
        switch (i % 6) {
        case 0: h &= INT64_MAX; break;
        case 1: h &= 0xFFFF; break;
        case 2: h = live[i % LIVE] ^ (sk_handle)(UINT64_C(1) << (random64() % 64)); break;
        case 3: h = live[i % LIVE] + (sk_handle)(random64() % 4097) - 2048; break;
        case 4: h = stale[i & 1] ^ (sk_handle)(UINT64_C(3) << (random64() % 60)); break;
        default: break;
        }
        int is_live = 0;
        for (int j = 0; j < LIVE; j++) is_live |= h == live[j];
        if (is_live) continue;
        errno = 0;
        int64_t r = harmful(i / 6, h);
        if (r != SK_EBADHANDLE || errno != EBADF)
            FAIL("handle 0x%llx, call %u: %lld %s, errno %d", (unsigned long long)h, i / 6 % 10, (long long)r,
                 check_name_of(r), errno);
    }
    CHECK_EQ(open_fds(), fds);
    CHECK_GIVES(sk_open_count(), LIVE);
    for (int i = 0; i < LIVE; i += 2) {
        char b[8];
        CHECK_FAILS(sk_recv(live[i], b, 1, SK_DONTWAIT), SK_EAGAIN);
        CHECK_FAILS(sk_recv(live[i + 1], b, 1, SK_DONTWAIT), SK_EAGAIN);
        CHECK_GIVES(sk_send(live[i], "live", 4, 0), 4);
        CHECK_GIVES(sk_recv(live[i + 1], b, sizeof b, 0), 4);
        close_pair(live + i);
    }
}

/* A descriptor that the program closed behind the library's back, and that the kernel gives out again. */
static void closed_behind_our_back(int how)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sk_handle old = MADE(sk_from_fd(fd));
    sk_handle fresh[2] = {0, 0};
    sk_handle listener = 0, client = 0;
    if (how == 2) {
        listener = tcp_listener(SK_INET, 4);
        client = MADE(sk_socket(SK_INET, SK_STREAM, 0));
        CHECK_OK(sk_connect(client, "127.0.0.1", port_of(listener)));
    }
    sk_handle other = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    CHECK_EQ(close(fd), 0);
    switch (how) {
    case 0: fresh[0] = MADE(sk_socket(SK_INET, SK_DGRAM, 0)); break;
    case 1: CHECK_OK(sk_socketpair(SK_DGRAM, fresh)); break;
    case 2: fresh[0] = MADE(sk_accept(listener, NULL)); break;
    default: fresh[0] = MADE(sk_dup(other)); break;
    }
    CHECK_NE(fresh[0], old);
    for (unsigned f = 0; f < 10; f++) CHECK_FAILS(harmful(f, old), SK_EBADHANDLE);
    int64_t type = 0;
    CHECK_OK(sk_get_option(fresh[0], SK_OPT_TYPE, &type));
    CHECK_EQ(type, how == 2 ? SK_STREAM : SK_DGRAM);
    CHECK_OK(sk_close(fresh[0]));
    if (how == 1) CHECK_OK(sk_close(fresh[1]));
    if (how == 2) {
        CHECK_OK(sk_close(listener));
        CHECK_OK(sk_close(client));
    }
    CHECK_OK(sk_close(other));
    CHECK_GIVES(sk_open_count(), 0);
}
CASE(closed_behind_our_back_then_socket) { closed_behind_our_back(0); }
CASE(closed_behind_our_back_then_socketpair) { closed_behind_our_back(1); }
CASE(closed_behind_our_back_then_accept) { closed_behind_our_back(2); }
CASE(closed_behind_our_back_then_dup) { closed_behind_our_back(3); }

/* --- Eight concurrent closers --------------------------------------------------------------- */

enum { CLOSERS = 8 };
static pthread_barrier_t start_line, finish_line;
static sk_handle target;
static int results[CLOSERS];
static int close_style; /* 0: all close, 1: half of them abort */
static int stop;

static void closer(void *argument)
{
    int me = *(int *)argument;
    for (;;) {
        pthread_barrier_wait(&start_line);
        if (__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) return;
        results[me] = close_style == 1 && me % 2 == 0 ? sk_abort(target) : sk_close(target);
        pthread_barrier_wait(&finish_line);
    }
}

static void receive_one(void *argument)
{
    char b;
    *(int64_t *)argument = sk_recv(target, &b, 1, 0);
}

static void concurrent_closers(int style, int with_reader, int rounds)
{
    struct thread t[CLOSERS];
    int number[CLOSERS];
    close_style = style;
    CHECK_EQ(pthread_barrier_init(&start_line, NULL, CLOSERS + 1), 0);
    CHECK_EQ(pthread_barrier_init(&finish_line, NULL, CLOSERS + 1), 0);
    for (int i = 0; i < CLOSERS; i++) {
        number[i] = i;
        thread_start(&t[i], closer, &number[i]);
    }
    int fds = open_fds();
    for (int round = 0; round < rounds; round++) {
        sk_handle p[2];
        struct thread reader;
        int64_t got = 99;
        if (style == 1) tcp_pair(SK_INET, p);
        else unix_pair(SK_STREAM, p);
        target = p[0];
        if (with_reader) {
            thread_start(&reader, receive_one, &got);
            CHECK(wait_until_asleep(&reader));
        }
        pthread_barrier_wait(&start_line);
        pthread_barrier_wait(&finish_line);
        int ok = 0;
        for (int i = 0; i < CLOSERS; i++) {
            if (results[i] == SK_OK) ok += 1;
            else CHECK_EQ(results[i], SK_EBADHANDLE);
        }
        CHECK_EQ(ok, 1);
        if (with_reader) {
            thread_join(&reader);
            CHECK_EQ(got, SK_ECLOSED);
        }
        CHECK_OK(sk_close(p[1]));
    }
    CHECK_EQ(open_fds(), fds);
    CHECK_GIVES(sk_open_count(), 0);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    pthread_barrier_wait(&start_line);
    for (int i = 0; i < CLOSERS; i++) thread_join(&t[i]);
}
CASE_WITHIN(of_eight_closers_one_succeeds, 60) { concurrent_closers(0, 0, 3000); }
CASE_WITHIN(of_eight_closers_one_succeeds_with_a_reader_inside, 60) { concurrent_closers(0, 1, 300); }
CASE_WITHIN(of_eight_closers_and_aborters_one_succeeds, 60) { concurrent_closers(1, 0, 500); }

/* A value is not issued twice by threads that open and close at the same time either. */
enum { MAKERS = 4, EACH = 20000 };
static sk_handle made[MAKERS * EACH];
static void maker(void *argument)
{
    sk_handle *mine = argument;
    for (int i = 0; i < EACH; i++) {
        mine[i] = sk_socket(SK_UNIX, SK_DGRAM, 0);
        CHECK_GT(mine[i], 0);
        CHECK_EQ(sk_close(mine[i]), SK_OK);
    }
}
CASE(threads_never_get_the_same_value)
{
    struct thread t[MAKERS];
    for (int i = 0; i < MAKERS; i++) thread_start(&t[i], maker, made + i * EACH);
    for (int i = 0; i < MAKERS; i++) thread_join(&t[i]);
    qsort(made, MAKERS * EACH, sizeof made[0], by_value);
    for (int i = 1; i < MAKERS * EACH; i++) CHECK_LT(made[i - 1], made[i]);
}

/* Closing one leaves every other as it was. */
CASE(closing_one_handle_leaves_the_others)
{
    sk_handle p[6][2];
    for (int i = 0; i < 6; i++) unix_pair(SK_STREAM, p[i]);
    for (int i = 0; i < 6; i += 2) close_pair(p[i]);
    for (int i = 1; i < 6; i += 2) {
        char b;
        CHECK_GIVES(sk_send(p[i][0], "y", 1, 0), 1);
        CHECK_GIVES(sk_recv(p[i][1], &b, 1, 0), 1);
    }
    CHECK_GIVES(sk_open_count(), 6);
}
