/* What is too rare to be met by chance: system calls that never fail, failing, and threads that meet
 * between two of them. This program stands between the library and the system. */
#include "check.h"
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/time.h>

static int fail_send_timeout, fail_mode, fail_socket;
static int meeting, arrived, over;

/* Goes on when another thread has come here too, or came to its end without. */
static void meet(void)
{
    if (!__atomic_load_n(&meeting, __ATOMIC_SEQ_CST)) return;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < 2 && !__atomic_load_n(&over, __ATOMIC_SEQ_CST)) sched_yield();
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (level == SOL_SOCKET && name == SO_SNDTIMEO) meet();
    if (fail_send_timeout && level == SOL_SOCKET && name == SO_SNDTIMEO) {
        if (fail_send_timeout == 1) {
            errno = ENOMEM;
            return -1;
        }
        fail_send_timeout -= 1;
    }
    return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}
int socket(int family, int type, int protocol)
{
    if (fail_socket != 0) {
        errno = fail_socket;
        return -1;
    }
    return (int)syscall(SYS_socket, family, type, protocol);
}
int socketpair(int family, int type, int protocol, int out[2])
{
    if (fail_socket != 0) {
        errno = fail_socket;
        return -1;
    }
    return (int)syscall(SYS_socketpair, family, type, protocol, out);
}
#ifdef __GLIBC__
int ioctl(int fd, unsigned long request, ...)
#else
int ioctl(int fd, int request, ...)
#endif
{
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (fail_mode && request == FIONBIO && *(int *)argument == 0) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

static void made_fails(int error, int64_t code)
{
    static const int kinds[][3] = {
        {SK_INET, SK_STREAM, 0},   {SK_INET6, SK_STREAM, 0},     {SK_INET6, SK_DGRAM, 0},
        {SK_UNIX, SK_DGRAM, 0},    {SK_UNIX, SK_SEQPACKET, 0},   {SK_INET, SK_DGRAM, SK_PROTO_UDPLITE},
        {SK_INET, SK_STREAM, SK_PROTO_MPTCP},
    };
    static const char *const endpoints[] = {"tcp://127.0.0.1:9", "udp://127.0.0.1:9", "unix:///nowhere", "unix-dgram://@nobody"};
    sk_handle out[2] = {7, 8};
    int64_t results[16];
    int errors[16], count = 0;
    fail_socket = error;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        results[count] = sk_socket(kinds[i][0], kinds[i][1], kinds[i][2]);
        errors[count++] = errno;
    }
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        results[count] = sk_dial(endpoints[i], 1000);
        errors[count++] = errno;
    }
    results[count] = sk_serve("tcp://127.0.0.1:0", 1);
    errors[count++] = errno;
    results[count] = sk_socketpair(SK_STREAM, out);
    errors[count++] = errno;
    fail_socket = 0;
    for (int i = 0; i < count; i++) {
        if (results[i] != code || errors[i] != error)
            FAIL("%s, call %d: %lld %s, errno %d", strerror(error), i, (long long)results[i], check_name_of(results[i]), errors[i]);
    }
    CHECK(out[0] == 7 && out[1] == 8);
    CHECK_GIVES(sk_open_count(), 0);
}
CASE(what_the_system_lacks)
{
    made_fails(EAFNOSUPPORT, SK_EAFNOSUPPORT);
    made_fails(EPROTONOSUPPORT, SK_EPROTONOSUPPORT);
    made_fails(ESOCKTNOSUPPORT, SK_EPROTONOSUPPORT);
    made_fails(EMFILE, SK_EMFILE);
    made_fails(ENFILE, SK_ENFILE);
    made_fails(ENOBUFS, SK_ENOBUFS);
    made_fails(ENOMEM, SK_ENOMEM);
    made_fails(EACCES, SK_EACCES);
    made_fails(ENOTTY, SK_EOTHER);
}

/* A Unix connect that waits does so in slices of blocking mode, under a time limit of the system's. */
CASE(a_unix_connect_that_fails_to_wait_leaves_nothing_behind)
{
    sk_addr to;
    (void)unix_bound(SK_STREAM, 1, &to);
    for (int i = 0; i < 2; i++) CHECK_OK(sk_connect_addr(MADE(sk_socket(SK_UNIX, SK_STREAM, 0)), &to));
    for (int which = 0; which < 3; which++) {
        sk_handle s = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
        int fd = (int)sk_into_fd(s);
        s = MADE(sk_from_fd(fd));
        fail_send_timeout = which == 0 ? 1 : which == 1 ? 2 : 0;
        fail_mode = which == 2;
        CHECK_FAILS(sk_connect_addr(s, &to), SK_ENOMEM);
        fail_send_timeout = fail_mode = 0;
        struct timeval limit = {9, 9};
        socklen_t len = sizeof limit;
        CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
        CHECK_OK(sk_set_timeout(s, 0));
        CHECK_FAILS(sk_connect_addr(s, &to), SK_EAGAIN);
        CHECK_EQ(sk_into_fd(s), fd); /* sends of ours do not mind one */
        CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, &len), 0);
        CHECK_EQ(limit.tv_sec * 1000000 + limit.tv_usec, 0);
        CHECK_EQ(close(fd), 0);
    }
}

static int offered;
static void take_over(void *argument)
{
    int64_t *result = argument;
    *result = sk_from_fd(offered);
    __atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
}
CASE(of_two_that_take_over_one_descriptor_one_gets_it)
{
    int64_t results[2];
    struct thread t[2];
    CHECK_OK(sk_close(MADE(sk_socket(SK_UNIX, SK_DGRAM, 0)))); /* the library is in use */
    for (int round = 0; round < 20; round++) {
        offered = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        arrived = over = 0;
        meeting = 1;
        for (int i = 0; i < 2; i++) thread_start(&t[i], take_over, &results[i]);
        for (int i = 0; i < 2; i++) thread_join(&t[i]);
        meeting = 0;
        int winner = results[1] > 0;
        CHECK_GT(results[winner], 0);
        CHECK_EQ(results[!winner], SK_EEXIST);
        CHECK_GIVES(sk_open_count(), 1);
        CHECK_OK(sk_close(results[winner]));
        CHECK(!is_open_fd(offered));
    }
}

/* The first wait on a shared socket makes what wakes it. A close just before that must not be missed. */
static sk_handle close_before_waker;
int eventfd(unsigned count, int flags)
{
    sk_handle s = close_before_waker;
    close_before_waker = 0;
    if (s != 0) CHECK_EQ(sk_close(s), SK_OK);
    return (int)syscall(SYS_eventfd2, count, flags);
}
CASE(a_close_before_the_first_waker_ends_poll)
{
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    sk_handle copy = MADE(sk_dup(p[0]));
    sk_poll_item item = {p[0], SK_READABLE, 0};
    close_before_waker = p[0];
    CHECK_GIVES(sk_poll(&item, 1, SK_FOREVER), 1);
    CHECK_EQ(item.revents, SK_ERROR);
    CHECK_EQ(close_before_waker, 0);
    CHECK_OK(sk_close(copy));
    CHECK_OK(sk_close(p[1]));
}
CASE(a_close_before_the_first_waker_ends_wait)
{
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    sk_handle copy = MADE(sk_dup(p[0]));
    close_before_waker = p[0];
    CHECK_FAILS(sk_wait(p[0], SK_READABLE, SK_FOREVER), SK_ECLOSED);
    CHECK_OK(sk_close(copy));
    CHECK_OK(sk_close(p[1]));
}
