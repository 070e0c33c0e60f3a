/* Pollers: waking, closing, forking, time and descriptors. One thing at a time; races are in poller_stress.c. */
#include "poller.h"

#include <sys/time.h>

struct waiter {
    sk_handle p;
    int64_t timeout;
    int64_t result;
    sk_event e;
};
static void wait_once(void *argument)
{
    struct waiter *w = argument;
    w->result = sk_poller_wait(w->p, &w->e, 1, w->timeout);
}
static void start(struct thread *t, struct waiter *w, sk_handle p, int64_t timeout)
{
    memset(w, 0, sizeof *w);
    w->p = p;
    w->timeout = timeout;
    thread_start(t, wait_once, w);
}

/* --- Waking ------------------------------------------------------------------------------------ */

CASE(a_wake_is_an_event_of_nobody)
{
    sk_handle p = MADE(sk_poller());
    struct waiter w;
    struct thread t;
    start(&t, &w, p, SK_FOREVER);
    CHECK(wait_until_asleep(&t));
    CHECK_OK(sk_poller_wake(p));
    thread_join(&t);
    CHECK_EQ(w.result, 1);
    CHECK(w.e.handle == 0 && w.e.data == 0 && w.e.events == 0 && w.e.reserved == 0);
    quiet(p);
}

CASE(a_wake_is_not_lost_and_several_may_fold)
{
    sk_handle p = MADE(sk_poller());
    for (int wakes = 1; wakes < 5; wakes++) {
        sk_event e[4];
        for (int i = 0; i < wakes; i++) CHECK_OK(sk_poller_wake(p)); /* nobody waits yet */
        int64_t n = sk_poller_wait(p, e, 4, SK_FOREVER);
        CHECK(n >= 1 && n <= wakes);
        for (int64_t i = 0; i < n; i++) CHECK(e[i].handle == 0 && e[i].events == 0);
        while (n < wakes && sk_poller_wait(p, e, 1, 0) == 1) n += 1;
        CHECK_LE(n, wakes); /* none is made up */
    }
}

CASE(a_wake_ends_one_wait_of_several)
{
    enum { WAITERS = 4 };
    sk_handle p = MADE(sk_poller());
    struct waiter w[WAITERS];
    struct thread t[WAITERS];
    for (int i = 0; i < WAITERS; i++) start(&t[i], &w[i], p, SK_FOREVER);
    for (int i = 0; i < WAITERS; i++) CHECK(wait_until_asleep(&t[i]));
    for (int left = WAITERS; left > 0; left--) {
        CHECK_OK(sk_poller_wake(p));
        int ended = 0;
        for (int asleep = -1; asleep != left - 1 || ended < WAITERS - left + 1;) { /* until all are at rest */
            asleep = ended = 0;
            for (int i = 0; i < WAITERS; i++) {
                ended += __atomic_load_n(&t[i].ended_us, __ATOMIC_SEQ_CST) != 0;
                asleep += is_asleep(t[i].tid);
            }
        }
        CHECK_EQ(ended, WAITERS - left + 1);
    }
    for (int i = 0; i < WAITERS; i++) {
        thread_join(&t[i]);
        CHECK_EQ(w[i].result, 1);
        CHECK_EQ(w[i].e.handle, 0);
    }
}

static sk_handle alarmed;
static void wake_it(int number)
{
    int error = errno;
    (void)number;
    if (sk_poller_wake(alarmed) != SK_OK) _exit(3);
    errno = error;
}
static void signal_by(void (*handler)(int))
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = handler;
    CHECK_EQ(sigaction(SIGUSR1, &a, NULL), 0);
}

CASE(a_handler_may_wake_its_own_thread)
{
    alarmed = MADE(sk_poller());
    struct waiter w;
    struct thread t;
    signal_by(wake_it);
    for (int i = 0; i < 100; i++) {
        start(&t, &w, alarmed, SK_FOREVER);
        if (i % 2) CHECK(wait_until_asleep(&t));
        pthread_kill(t.id, SIGUSR1);
        thread_join(&t);
        CHECK_EQ(w.result, 1);
        CHECK_EQ(w.e.handle, 0);
    }
}

/* --- Time -------------------------------------------------------------------------------------- */

static void nothing(int number) { (void)number; }

CASE(limits)
{
    sk_handle p = MADE(sk_poller());
    sk_event e;
    struct itimerval every = {{0, 3000}, {0, 3000}}, never = {{0, 0}, {0, 0}};
    signal(SIGALRM, nothing);
    for (int storm = 0; storm < 2; storm++) {
        if (storm) CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
        for (int64_t ms = 1; ms <= 100; ms *= 10) {
            int64_t begin = now_us();
            CHECK_GIVES(sk_poller_wait(p, &e, 1, ms), 0);
            CHECK_GE(now_us() - begin, ms * 1000);
            CHECK_LT(now_us() - begin, ms * 1000 + 300000);
        }
    }
    CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
    CHECK_OK(sk_poller_wake(p));
    CHECK_GIVES(sk_poller_wait(p, &e, 1, INT64_MAX), 1);
}

CASE(another_thread_adds_while_one_waits)
{
    sk_handle s[2], p = MADE(sk_poller());
    static const int64_t limits[] = {SK_FOREVER, 1000000, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        struct waiter w;
        struct thread t;
        unix_pair(SK_STREAM, s);
        send_x(s[0]);
        start(&t, &w, p, limits[i]);
        CHECK(wait_until_asleep(&t));
        if (i == 1) { /* one that is in already becomes interesting */
            CHECK_OK(sk_poller_add(p, s[1], SK_PRIORITY, 1));
            CHECK_OK(sk_poller_modify(p, s[1], SK_READABLE, 5));
        } else {
            CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, 5));
        }
        thread_join(&t);
        CHECK_EQ(w.result, 1);
        CHECK_EQ(w.e.handle, s[1]);
        CHECK_EQ(w.e.data, 5);
        close_pair(s);
    }
}

/* --- Closing a handle --------------------------------------------------------------------------- */

/* The connection lives on in a copy and stays ready; the poller has nothing to tell of it. */
CASE(a_closed_handle_leaves_at_once)
{
    for (int k = 0; k < PAIR_KINDS; k++) {
        for (int copies = 0; copies < 4; copies++) {
            sk_handle s[2], p, copy = 0;
            int pipe_ends[2], fd = -1;
            if (k == PAIR_TCP6 || k == PAIR_UDP6) continue;
            any_pair(k, s);
            p = MADE(sk_poller());
            CHECK_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
            CHECK_OK(sk_poller_add(p, s[1], SK_READABLE | SK_WRITABLE, 1));
            send_x(s[0]);
            pid_t child = -1;
            if (copies == 1) copy = MADE(sk_dup(s[1]));
            if (copies == 2) fd = dup((int)sk_fd(s[1]));
            if (copies == 3 && (child = fork()) == 0) {
                char b;
                close(pipe_ends[1]);
                while (read(pipe_ends[0], &b, 1) < 0) continue; /* until the parent has closed */
                _exit(0);
            }
            sk_event e;
            CHECK_GIVES(sk_poller_wait(p, &e, 1, 5000), 1);
            CHECK_OK(sk_close(s[1]));
            quiet(p);
            if (copies != 0) send_x(s[0]); /* something new */
            quiet(p);
            sk_handle again[2]; /* who gets the number next is another */
            unix_pair(SK_STREAM, again);
            quiet(p);
            CHECK_OK(sk_poller_add(p, again[0], SK_WRITABLE, 2));
            only(p, again[0], 2, SK_WRITABLE);
            close_pair(again);
            if (copy) CHECK_OK(sk_close(copy));
            if (fd >= 0) close(fd);
            close(pipe_ends[0]);
            close(pipe_ends[1]);
            if (child > 0) CHECK_EQ(waitpid(child, NULL, 0), child);
            CHECK_OK(sk_close(s[0]));
            CHECK_OK(sk_close(p));
        }
    }
}

/* A call on the handle is still on its way out, which keeps the descriptor. */
static void blocked_recv(void *argument)
{
    char b;
    CHECK_EQ(sk_recv(*(sk_handle *)argument, &b, 1, 0), SK_ECLOSED);
}
CASE(a_handle_closed_while_in_use_leaves)
{
    for (int shared = 0; shared < 2; shared++) {
        sk_handle s[2], p = MADE(sk_poller());
        struct thread t;
        unix_pair(SK_STREAM, s);
        if (shared) MADE(sk_dup(s[1]));
        CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, 1));
        thread_start(&t, blocked_recv, &s[1]);
        CHECK(wait_until_asleep(&t));
        CHECK_OK(sk_close(s[1]));
        none(p);
        thread_join(&t);
        quiet(p);
    }
}

/* --- Closing a poller --------------------------------------------------------------------------- */

CASE(closing_a_poller_wakes_everybody)
{
    enum { WAITERS = 6 };
    for (int pending = 0; pending < 2; pending++) {
        sk_handle p = MADE(sk_poller());
        struct waiter w[WAITERS];
        struct thread t[WAITERS];
        int fds = open_fds();
        for (int i = 0; i < WAITERS; i++) start(&t[i], &w[i], p, i % 2 ? 1000000 : SK_FOREVER);
        for (int i = 0; i < WAITERS; i++) CHECK(wait_until_asleep(&t[i]));
        if (pending) CHECK_OK(sk_poller_wake(p));
        CHECK_OK(sk_close(p));
        CHECK_FAILS(sk_poller_wake(p), SK_EBADHANDLE);
        int woken = 0;
        for (int i = 0; i < WAITERS; i++) {
            thread_join(&t[i]);
            if (w[i].result == 1) woken += 1;
            else CHECK_EQ(w[i].result, SK_ECLOSED);
        }
        CHECK_LE(woken, pending);
        CHECK_EQ(open_fds(), fds - 2);
    }
}

CASE(closing_a_poller_frees_its_handles)
{
    sk_handle s[2], p = MADE(sk_poller()), q = MADE(sk_poller());
    struct waiter w;
    struct thread t;
    unix_pair(SK_STREAM, s);
    CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, 1));
    start(&t, &w, p, SK_FOREVER);
    CHECK(wait_until_asleep(&t));
    CHECK_OK(sk_close(p));
    CHECK_FAILS(sk_poller_remove(q, s[1]), SK_ENOENT);
    CHECK_OK(sk_poller_add(q, s[1], SK_READABLE, 2));
    thread_join(&t);
    CHECK_EQ(w.result, SK_ECLOSED);
    send_x(s[0]);
    only(q, s[1], 2, SK_READABLE);
    CHECK_OK(sk_close(q));
    recv_x(s[1]); /* and harms none of them */
    q = MADE(sk_poller());
    CHECK_OK(sk_poller_add(q, s[1], SK_WRITABLE, 3));
    only(q, s[1], 3, SK_WRITABLE);
    CHECK_OK(sk_close(s[1]));
    quiet(q);
}

static void close_it(int number)
{
    int error = errno;
    (void)number;
    if (sk_close(alarmed) != SK_OK) _exit(3);
    errno = error;
}
CASE(a_handler_may_close_what_its_thread_waits_with)
{
    signal_by(close_it);
    for (int socket = 0; socket < 2; socket++) {
        sk_handle s[2], p = MADE(sk_poller());
        struct waiter w;
        struct thread t;
        unix_pair(SK_STREAM, s);
        CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, 1));
        send_x(s[0]);
        recv_x(s[1]);
        alarmed = socket ? s[1] : p;
        start(&t, &w, p, socket ? 50 : SK_FOREVER);
        CHECK(wait_until_asleep(&t));
        pthread_kill(t.id, SIGUSR1);
        thread_join(&t);
        CHECK_EQ(w.result, socket ? 0 : SK_ECLOSED);
        CHECK_FAILS(sk_close(alarmed), SK_EBADHANDLE);
    }
}

/* --- Fork -------------------------------------------------------------------------------------- */

struct family {
    sk_handle p, s[2];
};
static void in_the_child(void *argument)
{
    struct family *f = argument;
    sk_event e;
    char b;
    CHECK_FAILS(sk_poller_wait(f->p, &e, 1, 0), SK_EBADHANDLE);
    CHECK_FAILS(sk_poller_wait(f->p, NULL, 0, -2), SK_EBADHANDLE);
    CHECK_FAILS(sk_poller_add(f->p, f->s[1], SK_READABLE, 0), SK_EBADHANDLE);
    CHECK_FAILS(sk_poller_modify(f->p, f->s[1], SK_READABLE, 0), SK_EBADHANDLE);
    CHECK_FAILS(sk_poller_remove(f->p, f->s[1]), SK_EBADHANDLE);
    CHECK_FAILS(sk_poller_wake(f->p), SK_EBADHANDLE);
    CHECK_FAILS(sk_wait(f->p, SK_READABLE, 0), SK_EBADHANDLE);
    CHECK_FAILS(sk_send(f->p, "x", 1, 0), SK_EBADHANDLE);
    CHECK_FAILS(sk_recv(f->p, &b, 1, 0), SK_EBADHANDLE);
    CHECK_FAILS(sk_abort(f->p), SK_EBADHANDLE);
    CHECK_FAILS(sk_finish(f->p, 0), SK_EBADHANDLE);
    CHECK_FAILS(sk_dup(f->p), SK_EBADHANDLE);
    CHECK_FAILS(sk_fd(f->p), SK_EBADHANDLE);
    CHECK_FAILS(sk_into_fd(f->p), SK_EBADHANDLE);
    CHECK_FAILS(sk_set_timeout(f->p, 5), SK_EBADHANDLE);
    /* One of its own takes the same sockets. */
    sk_handle own = MADE(sk_poller());
    CHECK_OK(sk_poller_add(own, f->s[1], SK_READABLE, 9));
    only(own, f->s[1], 9, SK_READABLE);
    CHECK_FAILS(sk_poller_remove(f->p, f->s[1]), SK_EBADHANDLE);
    CHECK_OK(sk_close(f->s[1]));
    quiet(own);
    CHECK_OK(sk_close(f->p));
    CHECK_FAILS(sk_close(f->p), SK_EBADHANDLE);
    CHECK_FAILS(sk_poller_wake(f->p), SK_EBADHANDLE);
}
CASE(a_poller_does_not_cross_fork)
{
    struct family f;
    struct waiter w;
    struct thread t;
    f.p = MADE(sk_poller());
    unix_pair(SK_STREAM, f.s);
    CHECK_OK(sk_poller_add(f.p, f.s[1], SK_READABLE, 1));
    start(&t, &w, f.p, SK_FOREVER);
    CHECK(wait_until_asleep(&t));
    int64_t count = sk_open_count();
    for (int i = 0; i < 3; i++) {
        sk_handle d = MADE(sk_dup(f.s[1]));
        CHECK_OK(sk_close(d));
        if (i == 0) {
            send_x(f.s[0]);
            thread_join(&t);
        }
        in_child(in_the_child, &f);
        CHECK_EQ(sk_open_count(), count);
        only(f.p, f.s[1], 1, SK_READABLE); /* the parent's is as it was */
    }
    CHECK_EQ(w.result, 1);
    recv_x(f.s[1]);
    start(&t, &w, f.p, SK_FOREVER);
    CHECK(wait_until_asleep(&t));
    CHECK_OK(sk_poller_wake(f.p));
    thread_join(&t);
    CHECK_EQ(w.result, 1);
    CHECK_OK(sk_poller_remove(f.p, f.s[1]));
}

/* --- Descriptors ------------------------------------------------------------------------------- */

CASE(two_descriptors_close_on_exec)
{
    sk_handle s[2];
    unix_pair(SK_STREAM, s);
    char was_open[200];
    for (int fd = 0; fd < 200; fd++) was_open[fd] = (char)is_open_fd(fd);
    int fds = open_fds(), found = 0;
    sk_handle p = MADE(sk_poller());
    CHECK_EQ(open_fds(), fds + 2);
    for (int fd = 0; fd < 200; fd++) {
        if (was_open[fd] || !is_open_fd(fd)) continue;
        CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        found += 1;
    }
    CHECK_EQ(found, 2);
    CHECK_OK(sk_poller_add(p, s[0], SK_READABLE, 0));
    quiet(p);
    CHECK_EQ(open_fds(), fds + 2);
    CHECK_OK(sk_close(p));
    CHECK_EQ(open_fds(), fds);
    CHECK_EQ(sk_open_count(), 2);
}

CASE(no_descriptor_for_a_poller)
{
    struct rlimit limit;
    sk_handle s = MADE(sk_socket(SK_INET, SK_DGRAM, 0));
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int64_t most = (int64_t)limit.rlim_cur, open = open_fds();
    for (int room = 0; room < 3; room++) {
        int next = dup(0);
        close(next);
        limit.rlim_cur = (rlim_t)(next + room);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
        errno = ERRNO_UNTOUCHED;
        sk_handle p = sk_poller();
        int error = errno;
        limit.rlim_cur = (rlim_t)most;
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (room < 2) {
            CHECK_EQ(p, SK_EMFILE);
            CHECK_EQ(error, EMFILE);
        } else {
            CHECK_GT(p, 0);
            CHECK_OK(sk_close(p));
        }
        CHECK_EQ(open_fds(), open);
    }
    CHECK_OK(sk_close(s));
}

/* A table of the caller's size: a poller takes one place in it. */
CASE(a_small_table)
{
    sk_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.max_handles = 3;
    CHECK_OK(sk_init(&config));
    int fds = open_fds();
    for (int round = 0; round < 50; round++) {
        sk_handle s[2], p = MADE(sk_poller());
        unix_pair(SK_STREAM, s);
        CHECK_FAILS(sk_poller(), SK_EMFILE);
        CHECK_EQ(open_fds(), fds + 4);
        CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, 1));
        send_x(s[0]);
        only(p, s[1], 1, SK_READABLE);
        CHECK_OK(sk_poller_wake(p));
        recv_x(s[1]);
        only(p, 0, 0, 0);
        CHECK_OK(sk_close(s[1]));
        sk_handle q = MADE(sk_poller());
        CHECK_OK(sk_poller_add(q, s[0], SK_HANGUP, 2));
        only(q, s[0], 2, SK_HANGUP);
        CHECK_OK(sk_close(q));
        CHECK_OK(sk_close(s[0]));
        CHECK_OK(sk_close(p));
        CHECK_EQ(open_fds(), fds);
    }
}
