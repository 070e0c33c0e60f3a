/* What the library takes: no allocation, no thread, no output, no lost descriptor; and what it does when there are none left. */
#include "every.h"

/* --- Allocations, counted ---------------------------------------------------------------------- */

static long allocations;
static int counting;

#ifndef CHECK_SANITIZED /* which has an allocator of its own */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void count(void)
{
    if (__atomic_load_n(&counting, __ATOMIC_SEQ_CST)) __atomic_fetch_add(&allocations, 1, __ATOMIC_SEQ_CST);
}
void *malloc(size_t n)
{
    count();
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t m)
{
    count();
    return __libc_calloc(n, m);
}
void *realloc(void *p, size_t n)
{
    count();
    return __libc_realloc(p, n);
}
void *memalign(size_t a, size_t n)
{
    count();
    return __libc_memalign(a, n);
}
void *aligned_alloc(size_t a, size_t n)
{
    count();
    return __libc_memalign(a, n);
}
int posix_memalign(void **p, size_t a, size_t n)
{
    count();
    *p = __libc_memalign(a, n);
    return *p == NULL ? ENOMEM : 0;
}
void free(void *p)
{
    if (p != NULL) count();
    __libc_free(p);
}
#endif

static void everything_once(void)
{
    for (int k = 0; k < PAIR_KINDS; k++) {
        sk_handle p[2];
        char b[64];
        sk_addr a;
        int64_t v;
        any_pair(k, p);
        for (int limit = -1; limit < 2; limit++) {
            CHECK_EQ(sk_set_timeout(p[0], limit), SK_OK);
            CHECK_EQ(sk_set_timeout(p[1], limit < 0 ? -1 : 1000), SK_OK);
            CHECK_EQ(sk_send(p[0], "x", 1, 0), 1);
            CHECK_EQ(sk_recv(p[1], b, 8, 0), 1);
            CHECK_EQ(sk_send_to(p[0], "x", 1, 0, NULL), 1);
            CHECK_EQ(sk_recv_from(p[1], b, 8, 0, &a), 1);
        }
        CHECK_EQ(sk_recv(p[0], b, 8, 0), SK_ETIMEDOUT);
        CHECK_EQ(sk_wait(p[0], SK_READABLE, 1), 0);
        if (is_stream_pair(k)) {
            CHECK_EQ(sk_send_all(p[0], "abc", 3, NULL), SK_OK);
            CHECK_EQ(sk_recv_all(p[1], b, 3, NULL), SK_OK);
        }
        CHECK_EQ(sk_local_addr(p[0], &a), SK_OK);
        CHECK_GE(sk_addr_format(&a, b, sizeof b), 0);
        CHECK_EQ(sk_get_option(p[0], SK_OPT_RECV_BUFFER, &v), SK_OK);
        CHECK_EQ(sk_set_option(p[0], SK_OPT_RECV_BUFFER, v), SK_OK);
        sk_handle d = sk_dup(p[0]);
        CHECK_EQ(sk_set_timeout(d, 1), SK_OK);
        CHECK_EQ(sk_recv(d, b, 8, 0), SK_ETIMEDOUT);
        CHECK_EQ(sk_close(d), SK_OK);
        int64_t fd = sk_into_fd(p[0]);
        CHECK_GE(fd, 0);
        p[0] = sk_from_fd(fd);
        CHECK_EQ(is_stream_pair(k) ? sk_finish(p[0], 1) == SK_ETIMEDOUT : sk_abort(p[0]) == SK_OK, 1);
        CHECK_EQ(sk_close(p[1]), SK_OK);
    }
    sk_addr a;
    sk_handle l = unix_bound(SK_STREAM, 1, &a);
    CHECK_EQ(sk_set_timeout(l, 1), SK_OK);
    CHECK_EQ(sk_accept(l, NULL), SK_ETIMEDOUT);
    CHECK_EQ(sk_close(l), SK_OK);
    CHECK_EQ(sk_addr_parse("[fe80::1%lo]:80", &a), SK_OK);
    use_every_function();
}

static void close_then(void *argument)
{
    char b;
    CHECK_EQ(sk_recv(*(sk_handle *)argument, &b, 1, 0), SK_ECLOSED);
}
CASE(nothing_is_allocated)
{
#ifdef CHECK_SANITIZED
    SKIP("the sanitizer has an allocator of its own");
#endif
    need_ipv6();
    void *volatile seen = malloc(1); /* a compiler would leave out what nobody sees */
    free(seen);
    counting = 1;
    seen = malloc(1);
    free(seen);
    counting = 0;
    CHECK_EQ(allocations, 2); /* the counters count */
    everything_once();
    allocations = 0;
    counting = 1;
    everything_once();
    counting = 0;
    CHECK_EQ(allocations, 0);
    sk_handle p[2];
    struct thread t;
    unix_pair(SK_STREAM, p);
    thread_start(&t, close_then, &p[0]);
    CHECK(wait_until_asleep(&t));
    counting = 1;
    CHECK_EQ(sk_close(p[0]), SK_OK);
    counting = 0;
    thread_join(&t);
    CHECK_EQ(allocations, 0);
}

CASE(not_even_for_the_first_use)
{
    counting = 1;
    sk_handle s = sk_socket(SK_INET, SK_STREAM, 0);
    CHECK_EQ(sk_close(s), SK_OK);
    counting = 0;
    CHECK_EQ(allocations, 0);
}

CASE(no_thread_is_started)
{
    need_ipv6();
    CHECK_EQ(count_threads(), 1);
    everything_once();
    CHECK_EQ(count_threads(), 1);
}

CASE(nothing_is_written_to_the_terminal)
{
    need_ipv6();
    int out[2], saved1 = dup(1), saved2 = dup(2);
    CHECK_EQ(pipe2(out, O_NONBLOCK), 0);
    fflush(NULL);
    dup2(out[1], 1);
    dup2(out[1], 2);
    everything_once();
    (void)sk_close(12345);
    (void)sk_init(NULL);
    dup2(saved1, 1);
    dup2(saved2, 2);
    char b;
    CHECK_EQ(read(out[0], &b, 1), -1);
    CHECK_EQ(errno, EAGAIN);
}

CASE(no_descriptor_is_left)
{
    need_ipv6();
    everything_once();
    int fds = open_fds();
    for (int i = 0; i < 5; i++) everything_once();
    CHECK_EQ(open_fds(), fds);
    CHECK_GIVES(sk_open_count(), 0);
}

static long page_kib(void)
{
    long kib = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    long size;
    CHECK_EQ(fscanf(f, "%ld %ld", &size, &kib), 2);
    fclose(f);
    return kib * (sysconf(_SC_PAGESIZE) / 1024);
}
CASE(the_table_is_touched_only_as_used)
{
    long before = page_kib();
    CHECK_OK(sk_init(NULL));
    CHECK_OK(sk_close(MADE(sk_socket(SK_INET, SK_STREAM, 0))));
    CHECK_LT(page_kib() - before, 1024);
}

/* --- No descriptor left -------------------------------------------------------------------------- */

static void limit_descriptors_to(int n)
{
    struct rlimit r;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &r), 0);
    r.rlim_cur = (rlim_t)n;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &r), 0);
}
static int dummies[100], dummy_count;
static void use_up_descriptors(void)
{
    int fd;
    while ((fd = dup(0)) >= 0) {
        CHECK_LT(dummy_count, 100);
        dummies[dummy_count++] = fd;
    }
    CHECK_EQ(errno, EMFILE);
}
static void give_back(int n)
{
    while (n-- > 0) CHECK_EQ(close(dummies[--dummy_count]), 0);
}

CASE(socket_without_a_descriptor)
{
    CHECK_OK(sk_close(MADE(sk_socket(SK_INET, SK_STREAM, 0))));
    limit_descriptors_to(40);
    use_up_descriptors();
    for (int i = 0; i < 100; i++) {
        CHECK_FAILS(sk_socket(SK_INET, SK_STREAM, 0), SK_EMFILE);
        CHECK_FAILS(sk_socket(SK_UNIX, SK_DGRAM, 0), SK_EMFILE);
    }
    give_back(1);
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_FAILS(sk_socket(SK_INET, SK_STREAM, 0), SK_EMFILE);
    CHECK_FAILS(sk_dup(s), SK_EMFILE);
    CHECK_OK(sk_close(s));
    sk_handle p[2] = {7, 8};
    CHECK_FAILS(sk_socketpair(SK_STREAM, p), SK_EMFILE); /* one is not enough, and is not lost */
    CHECK(p[0] == 7 && p[1] == 8);
    s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_close(s));
    give_back(1);
    CHECK_OK(sk_socketpair(SK_STREAM, p));
    close_pair(p);
    CHECK_GIVES(sk_open_count(), 0);
}

static void accept_without_a_descriptor(int64_t limit)
{
    sk_handle l = tcp_listener(SK_INET, 4);
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    CHECK_GIVES(sk_send(c, "queued", 6, 0), 6);
    CHECK_OK(sk_set_timeout(l, limit));
    limit_descriptors_to(40);
    use_up_descriptors();
    sk_addr a;
    memset(&a, 0x77, sizeof a);
    for (int i = 0; i < 20; i++) CHECK_FAILS(sk_accept(l, &a), SK_EMFILE);
    CHECK_EQ(a.family, 0x7777);
    give_back(1);
    sk_handle s = MADE(sk_accept(l, &a));
    CHECK_EQ(a.port, port_of(c));
    char b[8];
    CHECK_GIVES(sk_recv(s, b, 8, 0), 6);
    CHECK_OK(sk_close(s));
    CHECK_OK(sk_close(c));
    CHECK_OK(sk_close(l));
}
CASE(accept_without_a_descriptor_leaves_the_connection_queued) { accept_without_a_descriptor(SK_FOREVER); }
CASE(limited_accept_without_a_descriptor_leaves_the_connection_queued) { accept_without_a_descriptor(1000); }
CASE(accept_at_once_without_a_descriptor_leaves_the_connection_queued) { accept_without_a_descriptor(0); }

CASE(an_open_connection_needs_no_further_descriptor)
{
    sk_handle p[2];
    char b;
    tcp_pair(SK_INET, p);
    limit_descriptors_to(40);
    use_up_descriptors();
    CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
    CHECK_GIVES(sk_recv(p[1], &b, 1, 0), 1);
    CHECK_OK(sk_set_timeout(p[1], 20));
    CHECK_FAILS(sk_recv(p[1], &b, 1, 0), SK_ETIMEDOUT);
    CHECK_GIVES(sk_wait(p[1], SK_READABLE, 20), 0);
    close_pair(p);
}

struct blocked {
    sk_handle s;
    sk_addr to;
    int64_t result;
};
static void blocked_recv(void *argument)
{
    struct blocked *x = argument;
    char b;
    x->result = sk_recv(x->s, &b, 1, 0);
}
static void blocked_send_to(void *argument)
{
    struct blocked *x = argument;
    x->result = sk_send_to(x->s, "x", 1, 0, &x->to);
}

/* Waiting the shared way takes a descriptor to be woken by; without one, close must wake all the same. */
CASE(close_wakes_a_shared_handle_without_a_descriptor)
{
    for (int limited = 0; limited < 2; limited++) {
        sk_handle p[2];
        struct blocked x;
        struct thread t;
        tcp_pair(SK_INET, p);
        sk_handle copy = MADE(sk_dup(p[0]));
        CHECK_OK(sk_set_timeout(p[0], limited ? 60000 : SK_FOREVER));
        struct rlimit before;
        CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
        limit_descriptors_to(60);
        use_up_descriptors();
        x.s = p[0];
        x.result = 99;
        thread_start(&t, blocked_recv, &x);
        while (__atomic_load_n(&t.tid, __ATOMIC_SEQ_CST) == 0) sched_yield();
        struct timespec nap = {0, 100000000}; /* /proc can't be read without a descriptor */
        nanosleep(&nap, NULL);
        int64_t start = now_us();
        CHECK_OK(sk_close(p[0]));
        thread_join(&t);
        CHECK_EQ(x.result, SK_ECLOSED);
        CHECK_LT(t.ended_us - start, 400000);
        give_back(dummy_count);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
        CHECK_GIVES(sk_send(p[1], "y", 1, 0), 1); /* the copy was not harmed */
        char b;
        CHECK_GIVES(sk_recv(copy, &b, 1, 0), 1);
        CHECK_OK(sk_close(copy));
        CHECK_OK(sk_close(p[1]));
    }
}

/* poll(2) takes no more entries than the process may have descriptors: a limit lowered below what is
 * open leaves the calls that wait as they are. */
static void recv_a_byte(void *s)
{
    char b;
    int64_t r = sk_recv(*(sk_handle *)s, &b, 1, 0);
    *(sk_handle *)s = r;
}
CASE(waits_go_on_below_the_descriptor_limit)
{
    for (rlim_t most = 0; most < 3; most++) {
        for (int shared = 0; shared < 2; shared++) {
            sk_handle p[2], l = tcp_listener(SK_INET, 1), c = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
            sk_handle d = MADE(sk_socket(SK_INET, SK_STREAM, 0)), e[2];
            struct rlimit before, low;
            struct thread t;
            sk_addr full, queue;
            sk_handle u = unix_bound(SK_STREAM, 1, &full), filler[2];
            char b;
            unix_pair(SK_STREAM, p);
            CHECK_OK(sk_local_addr(l, &queue));
            for (int i = 0; i < 2; i++) {
                filler[i] = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
                CHECK_OK(sk_connect_addr(filler[i], &full));
                e[i] = MADE(sk_socket(SK_INET, SK_STREAM, 0));
                CHECK_OK(sk_connect_addr(e[i], &queue));
            }
            if (shared) {
                CHECK_GT(sk_fd(p[0]), 0);
                CHECK_GT(sk_fd(d), 0);
                CHECK_GIVES(sk_wait(p[0], SK_READABLE, 0), 0); /* what wakes it is there by now */
            }
            CHECK_OK(sk_set_timeout(p[0], 30));
            CHECK_OK(sk_set_timeout(d, 30));
            CHECK_OK(sk_set_timeout(c, 30));
            CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
            low = before;
            low.rlim_cur = most;
            CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
            CHECK_FAILS(sk_recv(p[0], &b, 1, 0), SK_ETIMEDOUT);
            CHECK_FAILS(sk_connect_addr(c, &full), SK_ETIMEDOUT);
            CHECK_FAILS(sk_connect_addr(d, &queue), SK_ETIMEDOUT);
            if (most > 0) CHECK_GIVES(sk_wait(p[0], SK_READABLE, 10), 0);
            CHECK_OK(sk_set_timeout(p[0], 10000));
            for (int closed = 0; closed < 2; closed++) {
                sk_handle s = p[0];
                thread_start(&t, recv_a_byte, &s);
                while (__atomic_load_n(&t.tid, __ATOMIC_SEQ_CST) == 0) sched_yield();
                if (closed) CHECK_OK(sk_close(p[0]));
                else CHECK_GIVES(sk_send(p[1], "x", 1, 0), 1);
                thread_join(&t);
                if (closed) CHECK(s == SK_ECLOSED || s == SK_EBADHANDLE);
                else CHECK_EQ(s, 1);
            }
            CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
            for (int i = 0; i < 2; i++) {
                CHECK_OK(sk_close(filler[i]));
                CHECK_OK(sk_close(e[i]));
            }
            CHECK_OK(sk_close(p[1]));
            CHECK_OK(sk_close(l));
            CHECK_OK(sk_close(d));
            CHECK_OK(sk_close(c));
            CHECK_OK(sk_close(u));
        }
    }
}

CASE(close_wakes_a_sender_to_a_full_queue_without_a_descriptor)
{
    struct blocked x;
    struct thread t;
    sk_handle receiver = unix_bound(SK_DGRAM, 0, &x.to);
    x.s = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    while (sk_send_to(x.s, "x", 1, SK_DONTWAIT, &x.to) == 1) continue;
    limit_descriptors_to(60);
    use_up_descriptors();
    CHECK_OK(sk_set_timeout(x.s, 50));
    CHECK_FAILS(sk_send_to(x.s, "x", 1, 0, &x.to), SK_ETIMEDOUT);
    CHECK_OK(sk_set_timeout(x.s, SK_FOREVER));
    thread_start(&t, blocked_send_to, &x);
    while (__atomic_load_n(&t.tid, __ATOMIC_SEQ_CST) == 0) sched_yield();
    struct timespec nap = {0, 100000000}; /* /proc can't be read without a descriptor */
    nanosleep(&nap, NULL);
    int64_t start = now_us();
    CHECK_OK(sk_close(x.s));
    thread_join(&t);
    CHECK_EQ(x.result, SK_ECLOSED);
    CHECK_LT(t.ended_us - start, 400000);
    give_back(dummy_count);
    CHECK_OK(sk_close(receiver));
}

CASE(a_bind_to_a_free_name_recovers)
{
    limit_descriptors_to(40);
    for (int i = 0; i < 200; i++) {
        sk_addr a;
        CHECK_OK(sk_close(unix_bound(SK_DGRAM, 0, &a)));
    }
}
