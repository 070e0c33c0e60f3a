/* Signals: limits hold and EINTR never shows under a storm of them, SIGPIPE never comes, and the calls
 * that are async-signal-safe work inside a handler. */
#include "check.h"

/* --- A storm of 1000 a second, without SA_RESTART ---------------------------------------------- */

static volatile int hits;
static void hit(int number)
{
    (void)number;
    hits += 1;
}

struct storm {
    pthread_t victim;
    struct thread thread;
    int on;
};
static void storm_run(void *argument)
{
    struct storm *s = argument;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    while (__atomic_load_n(&s->on, __ATOMIC_SEQ_CST)) {
        t.tv_nsec += 1000000;
        if (t.tv_nsec >= 1000000000) {
            t.tv_nsec -= 1000000000;
            t.tv_sec += 1;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        pthread_kill(s->victim, SIGUSR1);
    }
}
static void storm_begin(struct storm *s)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = hit;
    CHECK_EQ(sigaction(SIGUSR1, &a, NULL), 0);
    s->victim = pthread_self();
    s->on = 1;
    thread_start(&s->thread, storm_run, s);
}
static void storm_end(struct storm *s)
{
    __atomic_store_n(&s->on, 0, __ATOMIC_SEQ_CST);
    thread_join(&s->thread);
}

enum { LIMIT = 100, TRIES = 5 };

/* The statement must time out at LIMIT, not before, and by the median at most 20 ms later. */
#define HOLDS(statement)                                                                           \
    do {                                                                                           \
        int64_t holds[TRIES];                                                                      \
        int holds_before = hits;                                                                   \
        for (int holds_i = 0; holds_i < TRIES; holds_i++) {                                        \
            int64_t holds_start = now_us();                                                        \
            statement;                                                                             \
            holds[holds_i] = now_us() - holds_start;                                               \
            CHECK_GE(holds[holds_i], LIMIT * 1000);                                                \
        }                                                                                          \
        CHECK_GT(hits - holds_before, TRIES * LIMIT / 4); /* there was a storm */                  \
        CHECK_LE(median(holds), (LIMIT + 20) * 1000);                                              \
    } while (0)

static int64_t median(int64_t *v)
{
    for (int i = 0; i < TRIES; i++) {
        for (int j = i; j > 0 && v[j] < v[j - 1]; j--) {
            int64_t swap = v[j];
            v[j] = v[j - 1];
            v[j - 1] = swap;
        }
    }
    return v[TRIES / 2];
}

static void recv_holds(int kind)
{
    struct storm s;
    sk_handle p[2];
    char b[8];
    any_pair(kind, p);
    CHECK_OK(sk_set_timeout(p[0], LIMIT));
    storm_begin(&s);
    HOLDS(CHECK_FAILS(sk_recv(p[0], b, 1, 0), SK_ETIMEDOUT));
    HOLDS(CHECK_FAILS(sk_recv_from(p[0], b, 1, SK_WAITALL, NULL), SK_ETIMEDOUT));
    HOLDS(CHECK_GIVES(sk_wait(p[0], SK_READABLE, LIMIT), 0));
    storm_end(&s);
}
CASE(limits_of_tcp_recv) { recv_holds(PAIR_TCP4); }
CASE(limits_of_udp_recv) { recv_holds(PAIR_UDP4); }
CASE(limits_of_unix_stream_recv) { recv_holds(PAIR_UNIX_STREAM); }
CASE(limits_of_unix_dgram_recv) { recv_holds(PAIR_UNIX_DGRAM); }
CASE(limits_of_seqpacket_recv) { recv_holds(PAIR_UNIX_SEQPACKET); }

CASE(limits_of_recv_all_that_has_some)
{
    struct storm s;
    sk_handle p[2];
    char b[8];
    size_t n = 0;
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_set_timeout(p[0], LIMIT));
    storm_begin(&s);
    for (int i = 0; i < TRIES; i++) CHECK_GIVES(sk_send(p[1], "a", 1, 0), 1);
    HOLDS(CHECK_FAILS(sk_recv_all(p[0], b, 8, &n), SK_ETIMEDOUT));
    HOLDS((void)sk_send(p[1], "abc", 3, 0); CHECK_GIVES(sk_recv(p[0], b, 8, SK_WAITALL), 3));
    storm_end(&s);
}

static void send_holds(int kind)
{
    struct storm s;
    sk_handle p[2];
    any_pair(kind, p);
    CHECK_OK(sk_set_timeout(p[0], LIMIT));
    fill(p[0]);
    storm_begin(&s);
    HOLDS(CHECK_FAILS(sk_send(p[0], "x", 1, 0), SK_ETIMEDOUT));
    storm_end(&s);
}
CASE(limits_of_tcp_send) { send_holds(PAIR_TCP4); }
CASE(limits_of_unix_stream_send) { send_holds(PAIR_UNIX_STREAM); }
CASE(limits_of_unix_dgram_send) { send_holds(PAIR_UNIX_DGRAM); }
CASE(limits_of_seqpacket_send) { send_holds(PAIR_UNIX_SEQPACKET); }

CASE(limits_of_unix_dgram_send_to)
{
    struct storm s;
    sk_addr to;
    sk_handle a = unix_bound(SK_DGRAM, 0, &to), b = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    while (sk_send_to(b, "x", 1, SK_DONTWAIT, &to) == 1) continue;
    CHECK_OK(sk_set_timeout(b, LIMIT));
    storm_begin(&s);
    HOLDS(CHECK_FAILS(sk_send_to(b, "x", 1, 0, &to), SK_ETIMEDOUT));
    storm_end(&s);
    (void)a;
}

CASE(limits_of_accept)
{
    struct storm s;
    sk_addr a;
    sk_handle l[2] = {tcp_listener(SK_INET, 1), unix_bound(SK_STREAM, 1, &a)};
    storm_begin(&s);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(sk_set_timeout(l[i], LIMIT));
        HOLDS(CHECK_FAILS(sk_accept(l[i], NULL), SK_ETIMEDOUT));
    }
    storm_end(&s);
}

static sk_handle refused_by_a_full_backlog(int family, sk_addr *to)
{
    sk_handle l;
    if (family == SK_INET) {
        l = tcp_listener(SK_INET, 1);
        CHECK_OK(sk_local_addr(l, to));
    } else {
        l = unix_bound(SK_STREAM, 1, to);
    }
    for (;;) {
        sk_handle c = MADE(sk_socket(family, SK_STREAM, 0));
        CHECK_OK(sk_set_timeout(c, LIMIT));
        int r = sk_connect_addr(c, to);
        if (r == SK_ETIMEDOUT) return c;
        CHECK_EQ(r, SK_OK);
    }
}
CASE(limits_of_tcp_connect)
{
    struct storm s;
    sk_addr to;
    sk_handle c = refused_by_a_full_backlog(SK_INET, &to);
    storm_begin(&s);
    HOLDS(CHECK_FAILS(sk_connect_addr(c, &to), SK_ETIMEDOUT));
    storm_end(&s);
}
CASE(limits_of_unix_connect)
{
    struct storm s;
    sk_addr to;
    sk_handle c = refused_by_a_full_backlog(SK_UNIX, &to);
    storm_begin(&s);
    HOLDS(CHECK_FAILS(sk_connect_addr(c, &to), SK_ETIMEDOUT));
    storm_end(&s);
}

CASE(limits_of_shared_handles)
{
    struct storm s;
    sk_handle p[2], l = tcp_listener(SK_INET, 1);
    char b;
    tcp_pair(SK_INET, p);
    (void)MADE(sk_dup(p[0]));
    (void)MADE(sk_dup(l));
    CHECK_OK(sk_set_timeout(p[0], LIMIT));
    CHECK_OK(sk_set_timeout(l, LIMIT));
    storm_begin(&s);
    HOLDS(CHECK_FAILS(sk_recv(p[0], &b, 1, 0), SK_ETIMEDOUT));
    HOLDS(CHECK_FAILS(sk_accept(l, NULL), SK_ETIMEDOUT));
    HOLDS(CHECK_GIVES(sk_wait(p[0], SK_READABLE, LIMIT), 0));
    storm_end(&s);
}

CASE(limits_of_finish)
{
    struct storm s;
    storm_begin(&s);
    sk_handle p[TRIES][2];
    int i = 0;
    for (int j = 0; j < TRIES; j++) unix_pair(SK_STREAM, p[j]);
    HOLDS(CHECK_FAILS(sk_finish(p[i++][0], LIMIT), SK_ETIMEDOUT));
    storm_end(&s);
}

/* --- Without a limit: nothing but the result ----------------------------------------------------- */

struct helper {
    sk_handle s;
    sk_addr to;
    size_t len;
};
static void wait_then_send(void *argument)
{
    struct helper *h = argument;
    CHECK_EQ(sk_wait(h->s, SK_READABLE, 60), 0);
    CHECK_EQ(sk_send(h->s, "abcd", 4, 0), 4);
    CHECK_EQ(sk_wait(h->s, SK_READABLE, 60), 0);
    CHECK_EQ(sk_send(h->s, "efgh", 4, 0), 4);
}
static void recv_goes_on(int kind, int64_t limit, int shared)
{
    struct storm s;
    struct thread t;
    struct helper h;
    sk_handle p[2];
    char b[8];
    any_pair(kind, p);
    sk_handle copy = shared ? MADE(sk_dup(p[0])) : 0;
    CHECK_OK(sk_set_timeout(p[0], limit));
    h.s = p[1];
    storm_begin(&s);
    thread_start(&t, wait_then_send, &h);
    if (is_stream_pair(kind)) {
        CHECK_GIVES(sk_recv(p[0], b, 8, SK_WAITALL), 8);
    } else {
        CHECK_GIVES(sk_recv(p[0], b, 8, 0), 4);
        CHECK_GIVES(sk_recv(p[0], b, 8, 0), 4);
    }
    thread_join(&t);
    thread_start(&t, wait_then_send, &h);
    CHECK_GIVES(sk_wait(p[0], SK_READABLE, SK_FOREVER), 1);
    thread_join(&t);
    storm_end(&s);
    if (copy != 0) CHECK_OK(sk_close(copy));
    close_pair(p);
}
CASE(interrupted_recv_goes_on)
{
    for (int k = 0; k < PAIR_KINDS; k++) {
        if (k == PAIR_TCP6 || k == PAIR_UDP6) continue;
        recv_goes_on(k, SK_FOREVER, 0);
        recv_goes_on(k, 60000, 0);
        recv_goes_on(k, SK_FOREVER, 1);
    }
}

static void drain_slowly(void *argument)
{
    struct helper *h = argument;
    static char b[20000];
    size_t left = h->len;
    while (left > 0) {
        int64_t n = sk_recv(h->s, b, sizeof b < left ? sizeof b : left, 0);
        CHECK_GT(n, 0);
        left -= (size_t)n;
        if (left % 7 == 0) CHECK_EQ(sk_wait(h->s, SK_PRIORITY, 2), 0);
    }
}
CASE(interrupted_send_goes_on)
{
    static char block[4000000];
    static const int some[] = {PAIR_TCP4, PAIR_UNIX_STREAM};
    for (int i = 0; i < 4; i++) {
        struct storm s;
        struct thread t;
        struct helper h;
        sk_handle p[2];
        size_t n = 0;
        any_pair(some[i % 2], p);
        CHECK_OK(sk_set_timeout(p[0], i < 2 ? SK_FOREVER : 60000));
        h.s = p[1];
        h.len = sizeof block;
        thread_start(&t, drain_slowly, &h);
        storm_begin(&s);
        CHECK_OK(sk_send_all(p[0], block, sizeof block, &n));
        CHECK_EQ(n, sizeof block);
        storm_end(&s);
        thread_join(&t);
        close_pair(p);
    }
}

static void connect_a_little_later(void *argument)
{
    struct helper *h = argument;
    CHECK_EQ(sk_wait(h->s, SK_PRIORITY, 60) >= 0, 1);
    sk_handle c = sk_socket(h->to.family, SK_STREAM, 0);
    CHECK_EQ(sk_connect_addr(c, &h->to), SK_OK);
}
CASE(interrupted_accept_goes_on)
{
    for (int i = 0; i < 4; i++) {
        struct storm s;
        struct thread t;
        struct helper h;
        sk_handle l;
        if (i % 2 == 0) {
            l = tcp_listener(SK_INET, 1);
            CHECK_OK(sk_local_addr(l, &h.to));
        } else {
            l = unix_bound(SK_STREAM, 1, &h.to);
        }
        sk_handle p[2];
        unix_pair(SK_STREAM, p);
        h.s = p[0];
        if (i >= 2) CHECK_OK(sk_set_timeout(l, 60000));
        thread_start(&t, connect_a_little_later, &h);
        storm_begin(&s);
        (void)MADE(sk_accept(l, NULL));
        storm_end(&s);
        thread_join(&t);
    }
}

static void accept_a_little_later(void *argument)
{
    struct helper *h = argument;
    sk_handle p[2];
    CHECK_EQ(sk_socketpair(SK_STREAM, p), SK_OK);
    CHECK_EQ(sk_wait(p[0], SK_READABLE, 80), 0);
    CHECK_EQ(sk_set_timeout(h->s, 0), SK_OK);
    while (sk_accept(h->s, NULL) > 0) continue;
}
CASE(interrupted_connect_goes_on)
{
    for (int i = 0; i < 2; i++) {
        struct storm s;
        struct thread t;
        struct helper h;
        sk_handle c;
        if (i == 0) {
            h.s = tcp_listener(SK_INET, 1);
            CHECK_OK(sk_local_addr(h.s, &h.to));
        } else {
            h.s = unix_bound(SK_STREAM, 1, &h.to);
        }
        for (;;) {
            c = MADE(sk_socket(h.to.family, SK_STREAM, 0));
            CHECK_OK(sk_set_timeout(c, 60));
            int r = sk_connect_addr(c, &h.to);
            if (r == SK_ETIMEDOUT) break;
            CHECK_EQ(r, SK_OK);
        }
        CHECK_OK(sk_set_timeout(c, SK_FOREVER));
        thread_start(&t, accept_a_little_later, &h);
        storm_begin(&s);
        CHECK_OK(sk_connect_addr(c, &h.to));
        storm_end(&s);
        thread_join(&t);
    }
}

/* A signal between the pieces does not cut what has come; nor is anything lost by one. */
CASE(a_signal_does_not_cut_a_whole)
{
    recv_goes_on(PAIR_TCP4, SK_FOREVER, 0);
    recv_goes_on(PAIR_UNIX_STREAM, 60000, 1);
}

/* --- SIGPIPE -------------------------------------------------------------------------------------- */

static void no_pipe(int number)
{
    static const char text[] = "SIGPIPE came\n";
    (void)number;
    if (write(2, text, sizeof text - 1) < 0) _exit(1);
    _exit(1);
}
static void send_into_nothing(void)
{
    static const int some[] = {PAIR_TCP4, PAIR_UNIX_STREAM, PAIR_UNIX_SEQPACKET, PAIR_UNIX_DGRAM};
    for (int i = 0; i < 4; i++) {
        for (int limit = -1; limit < 2; limit++) {
            sk_handle p[2];
            any_pair(some[i], p);
            CHECK_OK(sk_set_timeout(p[0], limit));
            CHECK_OK(some[i] == PAIR_TCP4 ? sk_abort(p[1]) : sk_close(p[1]));
            for (int j = 0; j < 4; j++) {
                int64_t r = sk_send(p[0], "x", 1, 0);
                CHECK(r == SK_EPIPE || r == SK_ECONNRESET || r == SK_ECONNREFUSED || r == SK_ENOTCONN);
                r = sk_send_to(p[0], "x", 1, 0, NULL);
                CHECK(r == SK_EPIPE || r == SK_ECONNREFUSED || r == SK_ENOTCONN);
                if (is_stream_pair(some[i])) {
                    CHECK_FAILS(sk_send_all(p[0], "x", 1, NULL), SK_EPIPE);
                    CHECK_LT(sk_send(p[0], "x", 1, SK_OOB), 0);
                    CHECK_LT(sk_send(p[0], "x", 1, SK_MORE), 0);
                }
            }
            CHECK_OK(sk_close(p[0]));
        }
    }
    sk_handle p[2];
    udp_pair(SK_INET, p);
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
    CHECK_FAILS(sk_send(p[0], "x", 1, 0), SK_EPIPE);
}
CASE(sigpipe_never_comes)
{
    signal(SIGPIPE, no_pipe);
    send_into_nothing();
}
CASE(sigpipe_never_kills)
{
    signal(SIGPIPE, SIG_DFL);
    send_into_nothing();
    sigset_t pending;
    CHECK_EQ(sigpending(&pending), 0);
    CHECK_EQ(sigismember(&pending, SIGPIPE), 0);
}
CASE(sigpipe_disposition_is_left_alone)
{
    struct sigaction before, after;
    sigset_t mask_before, mask_after;
    signal(SIGPIPE, no_pipe);
    CHECK_EQ(sigaction(SIGPIPE, NULL, &before), 0);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask_before), 0);
    send_into_nothing();
    CHECK_EQ(sigaction(SIGPIPE, NULL, &after), 0);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask_after), 0);
    CHECK(before.sa_handler == after.sa_handler);
    CHECK_EQ(sigismember(&mask_before, SIGPIPE), sigismember(&mask_after, SIGPIPE));
}

/* A close that wakes a blocked sender shuts the connection down under it: EPIPE inside, no signal. */
static void blocked_send(void *argument)
{
    struct helper *h = argument;
    CHECK_EQ(sk_send(h->s, "x", 1, 0), SK_ECLOSED);
}
CASE(no_sigpipe_in_a_woken_sender)
{
    signal(SIGPIPE, no_pipe);
    for (int i = 0; i < 2; i++) {
        sk_handle p[2];
        struct thread t;
        struct helper h;
        any_pair(i == 0 ? PAIR_UNIX_STREAM : PAIR_UNIX_SEQPACKET, p);
        fill(p[0]);
        h.s = p[0];
        thread_start(&t, blocked_send, &h);
        CHECK(wait_until_asleep(&t));
        CHECK_OK(sk_close(p[0]));
        thread_join(&t);
    }
}

/* --- Inside a handler ------------------------------------------------------------------------------- */

static sk_handle inner[2], udp_inner, poller_inner;
static sk_addr udp_inner_at;
static volatile int handled, wrong;
static void use_the_library(int number)
{
    int saved = errno;
    char b[8];
    (void)number;
    if (sk_send(inner[0], "abc", 3, SK_DONTWAIT) != 3) wrong += 1;
    if (sk_recv(inner[1], b, 8, SK_DONTWAIT) != 3) wrong += 1;
    if (sk_send_to(udp_inner, "de", 2, SK_DONTWAIT, &udp_inner_at) != 2) wrong += 1;
    if (sk_recv_from(udp_inner, b, 8, SK_DONTWAIT, NULL) != 2) wrong += 1;
    if (sk_recv(12345, b, 8, 0) != SK_EBADHANDLE) wrong += 1;
    if (sk_shutdown(inner[0], 0) != SK_EINVAL) wrong += 1;
    if (sk_poller_wake(poller_inner) != SK_OK) wrong += 1;
    if (sk_close(12345) != SK_EBADHANDLE || sk_abort(12345) != SK_EBADHANDLE) wrong += 1;
    if (sk_strerror(SK_EAGAIN) == NULL || sk_error_name(SK_EAGAIN) == NULL) wrong += 1;
    handled += 1;
    errno = saved;
}
CASE(calls_inside_a_handler_that_interrupts_calls)
{
    struct storm s;
    sk_handle p[2];
    char b[8];
    sk_event e[2];
    unix_pair(SK_STREAM, inner);
    poller_inner = MADE(sk_poller());
    udp_inner = udp_bound(SK_INET);
    CHECK_OK(sk_local_addr(udp_inner, &udp_inner_at));
    unix_pair(SK_STREAM, p);
    storm_begin(&s);
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = use_the_library;
    CHECK_EQ(sigaction(SIGUSR1, &a, NULL), 0);
    CHECK_OK(sk_set_timeout(p[1], 50));
    for (int i = 0; handled < 1000; i++) {
        CHECK_GIVES(sk_send(p[0], "wxyz", 4, 0), 4);
        CHECK_GIVES(sk_recv(p[1], b, 8, 0), 4);
        if (i % 500 == 0) CHECK_FAILS(sk_recv(p[1], b, 8, 0), SK_ETIMEDOUT);
        sk_handle made = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
        CHECK_OK(sk_poller_add(poller_inner, made, SK_READABLE, 0));
        CHECK_GE(sk_poller_wait(poller_inner, e, 2, 0), 0);
        CHECK_OK(sk_close(made));
    }
    storm_end(&s);
    CHECK_EQ(wrong, 0);
}

static sk_handle to_close;
static volatile int closed_with;
enum { CLOSE, ABORT, SHUTDOWN, WAYS_TO_END };
static volatile int way_to_end;
static void end_it(int number)
{
    int saved = errno;
    (void)number;
    closed_with = way_to_end == CLOSE ? sk_close(to_close)
                  : way_to_end == ABORT ? sk_abort(to_close)
                                        : sk_shutdown(to_close, SK_SHUT_BOTH);
    errno = saved;
}
struct interrupted {
    int kind;
    int64_t limit;
    sk_handle s;
    int64_t result;
};
static void interrupted_recv(void *argument)
{
    struct interrupted *x = argument;
    char b;
    x->result = sk_recv(x->s, &b, 1, 0);
}
/* The handler closes, or ends, the very handle that its own thread is waiting on. */
CASE_WITHIN(a_handler_may_end_what_its_thread_waits_on, 60)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = end_it;
    for (int round = 0; round < WAYS_TO_END * 2; round++) {
        way_to_end = round % WAYS_TO_END;
        a.sa_flags = round < WAYS_TO_END ? SA_RESTART : 0;
        CHECK_EQ(sigaction(SIGUSR1, &a, NULL), 0);
        for (int k = 0; k < PAIR_KINDS; k++) {
            if (k == PAIR_TCP6 || k == PAIR_UDP6) continue;
            for (int limited = 0; limited < 2; limited++) {
                struct interrupted x;
                struct thread t;
                sk_handle p[2];
                any_pair(k, p);
                CHECK_OK(sk_set_timeout(p[0], limited ? 60000 : SK_FOREVER));
                x.s = to_close = p[0];
                closed_with = 99;
                thread_start(&t, interrupted_recv, &x);
                CHECK(wait_until_asleep(&t));
                CHECK_EQ(pthread_kill(t.id, SIGUSR1), 0);
                thread_join(&t);
                CHECK_EQ(closed_with, SK_OK);
                CHECK_EQ(x.result, way_to_end == SHUTDOWN ? 0 : SK_ECLOSED);
                if (way_to_end == SHUTDOWN) CHECK_OK(sk_close(p[0]));
                CHECK_OK(sk_close(p[1]));
            }
        }
    }
}
