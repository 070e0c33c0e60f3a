/* sk_close against calls that begin at the same moment: nobody hangs, whoever comes first.
 * The time limit of the case is what a hang would meet. */
#include "check.h"

enum { MAX_THREADS = 4 };

struct race {
    sk_handle s;
    sk_addr to;
    int64_t results[MAX_THREADS];
};
typedef int64_t (*racer)(struct race *);

static pthread_barrier_t go, done;
static struct race *now_racing;
static racer racers[MAX_THREADS];
static int ended;

static void race_thread(void *argument)
{
    int me = *(int *)argument;
    for (;;) {
        pthread_barrier_wait(&go);
        if (__atomic_load_n(&ended, __ATOMIC_SEQ_CST)) return;
        now_racing->results[me] = racers[me](now_racing);
        pthread_barrier_wait(&done);
    }
}

/* Lets the close come a little earlier or later each round. */
static void pause_a_little(int round)
{
    int64_t until = now_us() + round % 40 * 5;
    while (now_us() < until) continue;
}

static void check_result(int64_t r)
{
    if (r >= 0) return; /* it was through before the close */
    if (r != SK_ECLOSED && r != SK_EBADHANDLE) FAIL("a racing call gave %lld %s", (long long)r, check_name_of(r));
}

static void run_races(int rounds, int threads, void (*prepare)(struct race *), void (*after)(struct race *))
{
    struct thread t[MAX_THREADS];
    int number[MAX_THREADS];
    CHECK_EQ(pthread_barrier_init(&go, NULL, (unsigned)threads + 1), 0);
    CHECK_EQ(pthread_barrier_init(&done, NULL, (unsigned)threads + 1), 0);
    for (int i = 0; i < threads; i++) {
        number[i] = i;
        thread_start(&t[i], race_thread, &number[i]);
    }
    int fds = open_fds();
    int64_t open = sk_open_count();
    for (int round = 0; round < rounds; round++) {
        struct race r;
        memset(&r, 0, sizeof r);
        prepare(&r);
        now_racing = &r;
        pthread_barrier_wait(&go);
        pause_a_little(round);
        int closed = sk_close(r.s);
        pthread_barrier_wait(&done);
        CHECK_EQ(closed, SK_OK);
        for (int i = 0; i < threads; i++) check_result(r.results[i]);
        if (after != NULL) after(&r);
    }
    CHECK_EQ(sk_open_count(), open);
    CHECK_EQ(open_fds(), fds);
    __atomic_store_n(&ended, 1, __ATOMIC_SEQ_CST);
    pthread_barrier_wait(&go);
    for (int i = 0; i < threads; i++) thread_join(&t[i]);
}

/* --- connect, listen and disconnect undo a shutdown: the trap ------------------------------------ */

static sk_handle hole;
static sk_addr hole_at;
static void make_hole(void)
{
    hole = tcp_listener(SK_INET, 1);
    CHECK_OK(sk_local_addr(hole, &hole_at));
    for (;;) {
        sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
        CHECK_OK(sk_set_timeout(c, 100));
        int r = sk_connect_addr(c, &hole_at);
        if (r == SK_ETIMEDOUT) return;
        CHECK_EQ(r, SK_OK);
    }
}
static void fresh_tcp(struct race *r)
{
    r->s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    r->to = hole_at;
}
static int64_t race_connect(struct race *r) { return sk_connect_addr(r->s, &r->to); }

CASE_WITHIN(two_connects_and_a_close, 90)
{
    make_hole();
    racers[0] = racers[1] = race_connect;
    run_races(3000, 2, fresh_tcp, NULL);
}
CASE_WITHIN(three_connects_and_a_close, 90)
{
    make_hole();
    racers[0] = racers[1] = racers[2] = race_connect;
    run_races(2000, 3, fresh_tcp, NULL);
}
static void fresh_tcp_limited(struct race *r)
{
    fresh_tcp(r);
    CHECK_OK(sk_set_timeout(r->s, 60000));
}
CASE_WITHIN(two_limited_connects_and_a_close, 90)
{
    make_hole();
    racers[0] = racers[1] = race_connect;
    run_races(3000, 2, fresh_tcp_limited, NULL);
}

/* Connects to a live listener, then waits for a byte that never comes. */
static sk_handle live;
static sk_addr live_at;
static void fresh_to_live(struct race *r)
{
    r->s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    r->to = live_at;
}
static int64_t connect_then_recv(struct race *r)
{
    char b;
    int64_t n = sk_connect_addr(r->s, &r->to);
    if (n != SK_OK && n != SK_EISCONN) return n;
    n = sk_recv(r->s, &b, 1, 0);
    return n == 0 ? SK_EINTERNAL : n; /* nobody ended this stream */
}
static void accept_what_came(struct race *r)
{
    (void)r;
    for (;;) {
        sk_handle s = sk_accept(live, NULL);
        if (s == SK_EAGAIN) return;
        CHECK_GT(s, 0);
        CHECK_OK(sk_close(s));
    }
}
CASE_WITHIN(connect_then_recv_against_close, 90)
{
    live = tcp_listener(SK_INET, 64);
    CHECK_OK(sk_local_addr(live, &live_at));
    CHECK_OK(sk_set_timeout(live, 0));
    racers[0] = racers[1] = connect_then_recv;
    run_races(3000, 2, fresh_to_live, accept_what_came);
}

static void bound_tcp(struct race *r)
{
    r->s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_bind(r->s, "127.0.0.1", 0));
}
static int64_t listen_then_accept(struct race *r)
{
    int64_t n = sk_listen(r->s, 1);
    return n == SK_OK ? sk_accept(r->s, NULL) : n;
}
CASE_WITHIN(listen_then_accept_against_close, 90)
{
    racers[0] = racers[1] = listen_then_accept;
    run_races(5000, 2, bound_tcp, NULL);
}
static void bound_unix(struct race *r)
{
    r->s = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_OK(sk_bind(r->s, NULL, 0));
}
CASE_WITHIN(unix_listen_then_accept_against_close, 90)
{
    racers[0] = racers[1] = listen_then_accept;
    run_races(5000, 2, bound_unix, NULL);
}

/* AF_UNSPEC takes the shutdown of a datagram socket back as well. */
static sk_handle udp_other;
static void fresh_udp(struct race *r)
{
    r->s = udp_bound(SK_INET);
    CHECK_OK(sk_local_addr(udp_other, &r->to));
}
static int64_t connect_and_dissolve(struct race *r)
{
    sk_addr none;
    memset(&none, 0, sizeof none);
    for (;;) {
        int64_t n = sk_connect_addr(r->s, &r->to);
        if (n == SK_OK) n = sk_connect_addr(r->s, &none);
        if (n != SK_OK) return n;
    }
}
static int64_t race_recv(struct race *r)
{
    char b;
    int64_t n = sk_recv(r->s, &b, 1, 0);
    return n == 0 ? SK_EINTERNAL : n; /* nobody sent, nobody ended */
}
CASE_WITHIN(udp_recv_against_connect_dissolve_and_close, 90)
{
    udp_other = udp_bound(SK_INET);
    racers[0] = race_recv;
    racers[1] = connect_and_dissolve;
    run_races(5000, 2, fresh_udp, NULL);
}

/* --- every blocking call against close ------------------------------------------------------------ */

static sk_handle peer;
static int pair_kind;
static void fresh_pair(struct race *r)
{
    sk_handle p[2];
    any_pair(pair_kind, p);
    r->s = p[0];
    peer = p[1];
}
static void drop_peer(struct race *r)
{
    (void)r;
    CHECK_OK(sk_close(peer));
}
static int64_t race_wait(struct race *r) { return sk_wait(r->s, SK_READABLE, SK_FOREVER); }
static int64_t race_recv_waitall(struct race *r)
{
    char b[8];
    return sk_recv(r->s, b, 8, SK_WAITALL);
}
static void recv_against_close(int kind, int rounds)
{
    pair_kind = kind;
    racers[0] = race_recv;
    racers[1] = race_wait;
    racers[2] = race_recv_waitall;
    run_races(rounds, 3, fresh_pair, drop_peer);
}
CASE_WITHIN(tcp_recv_and_close, 60) { recv_against_close(PAIR_TCP4, 2000); }
CASE_WITHIN(udp_recv_and_close, 60) { recv_against_close(PAIR_UDP4, 3000); }
CASE_WITHIN(unix_stream_recv_and_close, 60) { recv_against_close(PAIR_UNIX_STREAM, 3000); }
CASE_WITHIN(unix_dgram_recv_and_close, 60) { recv_against_close(PAIR_UNIX_DGRAM, 3000); }
CASE_WITHIN(seqpacket_recv_and_close, 60) { recv_against_close(PAIR_UNIX_SEQPACKET, 3000); }

static void fresh_limited_pair(struct race *r)
{
    fresh_pair(r);
    CHECK_OK(sk_set_timeout(r->s, 60000));
}
CASE_WITHIN(limited_recv_and_close, 60)
{
    pair_kind = PAIR_UNIX_STREAM;
    racers[0] = racers[1] = race_recv;
    run_races(3000, 2, fresh_limited_pair, drop_peer);
}

/* The duplicate and the handle race too: the one becomes SHARED while the other is being closed. */
static int64_t dup_then_close(struct race *r)
{
    sk_handle d = sk_dup(r->s);
    return d < 0 ? d : sk_close(d);
}
CASE_WITHIN(recv_dup_and_close, 60)
{
    pair_kind = PAIR_UNIX_STREAM;
    racers[0] = racers[1] = race_recv;
    racers[2] = dup_then_close;
    run_races(3000, 3, fresh_pair, drop_peer);
}
CASE_WITHIN(tcp_recv_dup_and_close, 60)
{
    pair_kind = PAIR_TCP4;
    racers[0] = racers[1] = race_recv;
    racers[2] = dup_then_close;
    run_races(1500, 3, fresh_pair, drop_peer);
}

/* sk_into_fd against sk_close: one of them has it. */
static int64_t race_into_fd(struct race *r)
{
    int64_t fd = sk_into_fd(r->s);
    if (fd >= 0) close((int)fd);
    return fd;
}
CASE_WITHIN(into_fd_and_close, 60)
{
    struct race r;
    struct thread t;
    int number = 0, ok = 0, given = 0;
    CHECK_EQ(pthread_barrier_init(&go, NULL, 2), 0);
    CHECK_EQ(pthread_barrier_init(&done, NULL, 2), 0);
    racers[0] = race_into_fd;
    now_racing = &r;
    thread_start(&t, race_thread, &number);
    int fds = open_fds();
    for (int round = 0; round < 5000; round++) {
        memset(&r, 0, sizeof r);
        r.s = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
        pthread_barrier_wait(&go);
        int closed = sk_close(r.s);
        pthread_barrier_wait(&done);
        if (closed == SK_OK) {
            CHECK(r.results[0] == SK_EBADHANDLE || r.results[0] == SK_EBUSY || r.results[0] == SK_ECLOSED);
            ok += 1;
        } else {
            CHECK_EQ(closed, SK_EBADHANDLE);
            CHECK_GE(r.results[0], 0);
            given += 1;
        }
    }
    CHECK_EQ(ok + given, 5000);
    CHECK_EQ(open_fds(), fds);
    CHECK_GIVES(sk_open_count(), 0);
    __atomic_store_n(&ended, 1, __ATOMIC_SEQ_CST);
    pthread_barrier_wait(&go);
    thread_join(&t);
}

/* Also where it has just stopped waiting: who says that it closed the handle has closed it. */
CASE_WITHIN(finish_and_into_fd, 60)
{
    struct race r;
    struct thread t;
    int number = 0;
    CHECK_EQ(pthread_barrier_init(&go, NULL, 2), 0);
    CHECK_EQ(pthread_barrier_init(&done, NULL, 2), 0);
    racers[0] = race_into_fd;
    now_racing = &r;
    thread_start(&t, race_thread, &number);
    int fds = open_fds();
    for (int round = 0; round < 20000; round++) {
        sk_handle p[2];
        unix_pair(SK_STREAM, p);
        memset(&r, 0, sizeof r);
        r.s = p[0];
        pthread_barrier_wait(&go);
        pause_a_little(round);
        int finished = sk_finish(p[0], 0);
        pthread_barrier_wait(&done);
        if (r.results[0] >= 0 ? finished != SK_EBADHANDLE && finished != SK_ECLOSED : finished != SK_EAGAIN)
            FAIL("given up: %lld, and finished: %s", (long long)r.results[0], check_name_of(finished));
        CHECK_OK(sk_close(p[1]));
    }
    CHECK_EQ(open_fds(), fds);
    CHECK_GIVES(sk_open_count(), 0);
    __atomic_store_n(&ended, 1, __ATOMIC_SEQ_CST);
    pthread_barrier_wait(&go);
    thread_join(&t);
}

/* sk_poll against sk_close: the count is that of the items it tells of. One handle many times, so
 * that the close comes in the midst of them. */
static int64_t close_a_little_later(struct race *r)
{
    static int round;
    pause_a_little(round++);
    return sk_close(r->s);
}
CASE_WITHIN(poll_and_close, 60)
{
    enum { ITEMS = 500 };
    static sk_poll_item items[ITEMS];
    struct race r;
    struct thread t;
    int number = 0;
    CHECK_EQ(pthread_barrier_init(&go, NULL, 2), 0);
    CHECK_EQ(pthread_barrier_init(&done, NULL, 2), 0);
    racers[0] = close_a_little_later;
    now_racing = &r;
    thread_start(&t, race_thread, &number);
    for (int round = 0; round < 3000; round++) {
        memset(&r, 0, sizeof r);
        r.s = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
        pthread_barrier_wait(&go);
        for (int count = 0; count < ITEMS;) {
            int told = 0;
            for (int i = 0; i < ITEMS; i++) {
                items[i].handle = r.s;
                items[i].events = SK_READABLE;
            }
            count = sk_poll(items, ITEMS, 0);
            for (int i = 0; i < ITEMS; i++) told += items[i].revents != 0;
            CHECK_EQ(count, told);
        }
        pthread_barrier_wait(&done);
        CHECK_EQ(r.results[0], SK_OK);
    }
    __atomic_store_n(&ended, 1, __ATOMIC_SEQ_CST);
    pthread_barrier_wait(&go);
    thread_join(&t);
}

/* A handle that is dead for long has the number of a live one: calls on it go by, and must not be
 * taken for calls that have to be woken. That would end the connection for a copy. */
static sk_handle long_dead;
static void call_a_dead_one(void *argument)
{
    (void)argument;
    while (!__atomic_load_n(&ended, __ATOMIC_SEQ_CST)) CHECK_EQ(sk_send(long_dead, "x", 1, 0), SK_EBADHANDLE);
}
CASE_WITHIN(a_stale_handle_harms_no_copy, 60)
{
    enum { ROUNDS = 20000 };
    struct thread t;
    sk_handle p[2];
    int harmed = 0;
    unix_pair(SK_STREAM, p);
    long_dead = p[0];
    close_pair(p);
    thread_start(&t, call_a_dead_one, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        unix_pair(SK_STREAM, p);
        sk_handle copy = MADE(sk_dup(p[0]));
        CHECK_OK(sk_close(p[0]));
        harmed += sk_send(copy, "x", 1, 0) != 1;
        CHECK_OK(sk_close(copy));
        CHECK_OK(sk_close(p[1]));
    }
    __atomic_store_n(&ended, 1, __ATOMIC_SEQ_CST);
    thread_join(&t);
    /* A thread that loses the processor for long in the middle of its call can't be told from one that is
     * blocked in it. */
    printf("%d of %d harmed\n", harmed, ROUNDS);
    CHECK_LE(harmed, ROUNDS / 1000);
}
