/* connect, listen and dissolving take back the shutdown by which sk_close wakes a call. The race is
 * too narrow to be met by chance, so this program stands between the library and the system calls
 * and puts them in the one order that matters:
 *
 *   sleeper   is about to sleep                                    ... sleeps, for ever if nobody cares
 *   undoer                        is about to connect   ... connects, which takes the shutdown back
 *   closer                                     sk_close: shutdown
 */
#include "check.h"
#include <poll.h>

enum role { NONE, SLEEPER, UNDOER, CLOSER };
static __thread enum role role;
static int armed, at_sleep, at_undo, was_shut, was_undone;

static void set(int *flag) { __atomic_store_n(flag, 1, __ATOMIC_SEQ_CST); }
static void await(int *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_SEQ_CST)) sched_yield();
}
static void before_sleep(void)
{
    if (role != SLEEPER || at_sleep) return;
    set(&at_sleep);
    await(&was_undone);
}
static void before_undo(void)
{
    if (role != UNDOER || at_undo || !armed) return;
    set(&at_undo);
    await(&was_shut);
}

/* --- Between the library and the system ------------------------------------------------------------ */

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
    before_undo();
    return (int)syscall(SYS_connect, fd, to.__sockaddr__, len);
}
int listen(int fd, int backlog)
{
    before_undo();
    return (int)syscall(SYS_listen, fd, backlog);
}
int shutdown(int fd, int how)
{
    int r = (int)syscall(SYS_shutdown, fd, how);
    if (role == CLOSER) set(&was_shut);
    return r;
}
int accept4(int fd, __SOCKADDR_ARG peer, socklen_t *restrict len, int flags)
{
    before_sleep();
    return (int)syscall(SYS_accept4, fd, peer.__sockaddr__, len, flags);
}
int ppoll(struct pollfd *p, nfds_t n, const struct timespec *t, const sigset_t *mask)
{
    struct timespec left = {0, 0};
    if (t != NULL) left = *t;
    before_sleep();
    return (int)syscall(SYS_ppoll, p, n, t == NULL ? NULL : &left, mask, (size_t)8);
}
int poll(struct pollfd *p, nfds_t n, int t)
{
    before_sleep();
    struct timespec left = {t / 1000, t % 1000 * 1000000L};
    return (int)syscall(SYS_ppoll, p, n, t < 0 ? NULL : &left, NULL, (size_t)8);
}

/* --- The three ---------------------------------------------------------------------------------------- */

static sk_handle target;
static sk_addr to;
static int64_t slept, undid;

static void sleep_in_connect(void *argument)
{
    (void)argument;
    role = SLEEPER;
    slept = sk_connect_addr(target, &to);
}
static void sleep_in_accept(void *argument)
{
    (void)argument;
    role = SLEEPER;
    slept = sk_accept(target, NULL);
}
static void sleep_in_recv(void *argument)
{
    char b;
    (void)argument;
    role = SLEEPER;
    slept = sk_recv(target, &b, 1, 0);
}
static void sleep_in_wait(void *argument)
{
    (void)argument;
    role = SLEEPER;
    slept = sk_wait(target, SK_READABLE, SK_FOREVER);
}
static void undo_by_connect(void *argument)
{
    (void)argument;
    role = UNDOER;
    undid = sk_connect_addr(target, &to);
    set(&was_undone);
}
static void undo_by_dissolving(void *argument)
{
    sk_addr none;
    (void)argument;
    memset(&none, 0, sizeof none);
    role = UNDOER;
    undid = sk_connect_addr(target, &none);
    set(&was_undone);
}
static void undo_by_listen(void *argument)
{
    (void)argument;
    role = UNDOER;
    undid = sk_listen(target, 1);
    set(&was_undone);
}

static void stage(void (*sleeper)(void *), void (*undoer)(void *), int64_t limit)
{
    struct thread s, u;
    CHECK_OK(sk_set_timeout(target, limit));
    armed = 1;
    thread_start(&s, sleeper, NULL);
    while (!__atomic_load_n(&at_sleep, __ATOMIC_SEQ_CST)) {
        if (s.tid != 0 && is_asleep(s.tid)) FAIL("it sleeps in a system call that this program does not stand before");
    }
    thread_start(&u, undoer, NULL);
    await(&at_undo);
    role = CLOSER;
    CHECK_OK(sk_close(target));
    CHECK(was_shut);
    thread_join(&u);
    thread_join(&s); /* for ever, without the rule */
    CHECK_EQ(undid, SK_ECLOSED);
    CHECK_EQ(slept, SK_ECLOSED);
}

/* An address that answers no more: a listener with a full queue. */
static void make_hole(void)
{
    sk_handle l = tcp_listener(SK_INET, 1);
    CHECK_OK(sk_local_addr(l, &to));
    for (;;) {
        sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
        CHECK_OK(sk_set_timeout(c, 100));
        int r = sk_connect_addr(c, &to);
        if (r == SK_ETIMEDOUT) return;
        CHECK_EQ(r, SK_OK);
    }
}

CASE(connect_after_the_closers_shutdown)
{
    make_hole();
    target = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    stage(sleep_in_connect, undo_by_connect, SK_FOREVER);
}
CASE(limited_connect_after_the_closers_shutdown)
{
    make_hole();
    target = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    stage(sleep_in_connect, undo_by_connect, 60000);
}
CASE(connect_against_a_wait)
{
    make_hole();
    target = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_timeout(target, 0));
    CHECK_FAILS(sk_connect_addr(target, &to), SK_EINPROGRESS);
    stage(sleep_in_wait, undo_by_connect, SK_FOREVER);
}
CASE(listen_after_the_closers_shutdown)
{
    target = tcp_listener(SK_INET, 1);
    stage(sleep_in_accept, undo_by_listen, SK_FOREVER);
}
CASE(limited_listen_after_the_closers_shutdown)
{
    target = tcp_listener(SK_INET, 1);
    stage(sleep_in_accept, undo_by_listen, 60000);
}
CASE(dissolving_against_a_recv)
{
    target = udp_bound(SK_INET);
    stage(sleep_in_recv, undo_by_dissolving, 60000);
}
CASE(dissolving_against_a_wait)
{
    target = udp_bound(SK_INET);
    stage(sleep_in_wait, undo_by_dissolving, SK_FOREVER);
}
CASE(udp_connect_against_a_recv)
{
    sk_handle other = udp_bound(SK_INET);
    CHECK_OK(sk_local_addr(other, &to));
    target = udp_bound(SK_INET);
    stage(sleep_in_recv, undo_by_connect, 60000);
}
CASE(udp_connect_against_a_wait)
{
    sk_handle other = udp_bound(SK_INET);
    CHECK_OK(sk_local_addr(other, &to));
    target = udp_bound(SK_INET);
    stage(sleep_in_wait, undo_by_connect, SK_FOREVER);
}
