/* Between handles and descriptors: sk_from_fd, sk_fd, sk_into_fd, sk_dup. */
#include "check.h"

static int flags_of(int fd) { return fcntl(fd, F_GETFL); }
static int is_cloexec(int fd) { return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

CASE(from_fd_takes_every_supported_kind)
{
    static const int raw[][2] = {{AF_INET, SOCK_STREAM}, {AF_INET, SOCK_DGRAM},  {AF_UNIX, SOCK_STREAM},
                                 {AF_UNIX, SOCK_DGRAM},  {AF_UNIX, SOCK_SEQPACKET}};
    for (int i = 0; i < 5; i++) {
        int fd = socket(raw[i][0], raw[i][1], 0);
        sk_handle s = MADE(sk_from_fd(fd));
        int64_t v = 0;
        CHECK_OK(sk_get_option(s, SK_OPT_FAMILY, &v));
        CHECK_EQ(v, raw[i][0] == AF_INET ? SK_INET : SK_UNIX);
        CHECK_OK(sk_get_option(s, SK_OPT_TYPE, &v));
        CHECK_EQ(v, raw[i][1] == SOCK_STREAM ? SK_STREAM : raw[i][1] == SOCK_DGRAM ? SK_DGRAM : SK_SEQPACKET);
        CHECK_OK(sk_get_option(s, SK_OPT_RECV_TIMEOUT, &v));
        CHECK_EQ(v, SK_FOREVER);
        CHECK_GIVES(sk_open_count(), 1);
        CHECK_OK(sk_close(s));
        CHECK(!is_open_fd(fd));
    }
}

CASE(from_fd_sets_blocking_mode_and_close_on_exec)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    CHECK(!is_cloexec(fd));
    sk_handle s = MADE(sk_from_fd(fd));
    CHECK(is_cloexec(fd));
    CHECK_EQ(flags_of(fd) & O_NONBLOCK, 0);
    CHECK_OK(sk_set_option(s, SK_OPT_RECV_TIMEOUT, 30));
    char b;
    int64_t start = now_us();
    CHECK_FAILS(sk_recv(s, &b, 1, 0), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 30000);
}

CASE(from_fd_of_what_is_no_supported_socket)
{
    int p[2];
    CHECK_EQ(pipe(p), 0);
    int file = open("/proc/self/exe", O_RDONLY);
    int netlink = socket(AF_NETLINK, SOCK_RAW, 0);
    int other[] = {p[0], p[1], file, netlink};
    for (int i = 0; i < 4; i++) {
        CHECK_GE(other[i], 0);
        int before = flags_of(other[i]);
        CHECK_FAILS(sk_from_fd(other[i]), SK_ENOTSOCK);
        CHECK(is_open_fd(other[i])); /* it stays the caller's, as it was */
        CHECK(!is_cloexec(other[i]));
        CHECK_EQ(flags_of(other[i]), before);
    }
    CHECK_GIVES(sk_open_count(), 0);
}

CASE(from_fd_of_what_is_not_open)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    close(fd);
    CHECK_FAILS(sk_from_fd(fd), SK_EBADHANDLE);
    CHECK_FAILS(sk_from_fd(-1), SK_EBADHANDLE);
    CHECK_FAILS(sk_from_fd(INT64_MIN), SK_EBADHANDLE);
    CHECK_FAILS(sk_from_fd(INT32_MAX), SK_EBADHANDLE);
    CHECK_FAILS(sk_from_fd(INT64_MAX), SK_EBADHANDLE);
    CHECK_FAILS(sk_from_fd((int64_t)1 << 32), SK_EBADHANDLE); /* would be descriptor 0 if cut to an int */
}

CASE(from_fd_of_what_is_owned_already)
{
    sk_handle s = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    int64_t fd = sk_fd(s);
    CHECK_FAILS(sk_from_fd(fd), SK_EEXIST);
    CHECK_FAILS(sk_from_fd(fd), SK_EEXIST);
    CHECK_OK(sk_close(s));
    CHECK_FAILS(sk_from_fd(fd), SK_EBADHANDLE);
}

/* What fails takes nothing. */
CASE(from_fd_may_be_tried_again)
{
    int p[2];
    CHECK_EQ(pipe(p), 0);
    CHECK_FAILS(sk_from_fd(p[0]), SK_ENOTSOCK);
    CHECK_FAILS(sk_from_fd(p[0]), SK_ENOTSOCK);
    CHECK_EQ(dup2(socket(AF_UNIX, SOCK_DGRAM, 0), p[0]), p[0]);
    sk_handle s = MADE(sk_from_fd(p[0]));
    CHECK_EQ(sk_fd(s), p[0]);
}

CASE(fd_is_a_look)
{
    sk_handle p[2];
    char b[8];
    tcp_pair(SK_INET, p);
    int fd = (int)sk_fd(p[0]);
    CHECK_GE(fd, 0);
    CHECK_GIVES(sk_fd(p[0]), fd);
    CHECK(is_cloexec(fd));
    CHECK_EQ(write(fd, "raw", 3), 3);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 3);
    CHECK_GIVES(sk_send(p[0], "lib", 3, 0), 3);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 3);
    CHECK_OK(sk_close(p[0]));
    CHECK(!is_open_fd(fd));
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0);
}

CASE(into_fd_gives_it_up)
{
    sk_handle p[2];
    char b[8];
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_set_timeout(p[0], 0));
    CHECK_FAILS(sk_recv(p[0], b, 8, 0), SK_EAGAIN);
    errno = ERRNO_UNTOUCHED;
    int fd = (int)sk_into_fd(p[0]);
    CHECK_EQ(errno, ERRNO_UNTOUCHED);
    CHECK_GE(fd, 0);
    CHECK(is_cloexec(fd));
    CHECK_EQ(flags_of(fd) & O_NONBLOCK, 0);
    CHECK_FAILS(sk_send(p[0], "x", 1, 0), SK_EBADHANDLE);
    CHECK_FAILS(sk_close(p[0]), SK_EBADHANDLE);
    CHECK_FAILS(sk_into_fd(p[0]), SK_EBADHANDLE);
    CHECK_EQ(write(fd, "raw", 3), 3);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 3);
    sk_handle again = MADE(sk_from_fd(fd));
    CHECK_NE(again, p[0]);
    CHECK_GIVES(sk_send(again, "lib", 3, 0), 3);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 3);
    CHECK_OK(sk_close(again));
}

CASE(into_fd_of_a_listener_that_was_limited)
{
    sk_handle l = tcp_listener(SK_INET, 1);
    CHECK_OK(sk_set_timeout(l, 0));
    CHECK_FAILS(sk_accept(l, NULL), SK_EAGAIN);
    int fd = (int)sk_into_fd(l);
    CHECK_GE(fd, 0);
    CHECK_EQ(flags_of(fd) & O_NONBLOCK, 0);
    close(fd);
}

static void recv_one(void *argument)
{
    char b;
    int64_t *x = argument;
    *x = sk_recv((sk_handle)*x, &b, 1, 0);
}
CASE(into_fd_is_busy_while_a_call_is_in_flight)
{
    for (int limited = 0; limited < 2; limited++) {
        sk_handle p[2];
        struct thread t;
        unix_pair(SK_STREAM, p);
        if (limited) CHECK_OK(sk_set_timeout(p[0], 10000));
        int64_t x = p[0];
        thread_start(&t, recv_one, &x);
        CHECK(wait_until_asleep(&t));
        CHECK_FAILS(sk_into_fd(p[0]), SK_EBUSY);
        CHECK_GIVES(sk_send(p[1], "x", 1, 0), 1);
        thread_join(&t);
        CHECK_EQ(x, 1);
        int fd = (int)sk_into_fd(p[0]);
        CHECK_GE(fd, 0);
        close(fd);
        CHECK_OK(sk_close(p[1]));
    }
}

/* A stale handle of the same number, used by others all the time, is no call in flight. */
static int hammering;
static void hammer(void *argument)
{
    sk_handle stale = *(sk_handle *)argument;
    char b;
    while (__atomic_load_n(&hammering, __ATOMIC_SEQ_CST)) {
        if (sk_recv(stale, &b, 1, 0) != SK_EBADHANDLE) FAIL("a stale handle was used");
    }
}
CASE(into_fd_is_not_busy_with_stale_handles)
{
    struct thread t[2];
    sk_handle stale = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    int number = (int)sk_fd(stale);
    CHECK_OK(sk_close(stale));
    hammering = 1;
    for (int i = 0; i < 2; i++) thread_start(&t[i], hammer, &stale);
    for (int i = 0; i < 3000; i++) {
        sk_handle s = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
        int64_t fd = sk_into_fd(s);
        CHECK_EQ(fd, number);
        close(number);
    }
    __atomic_store_n(&hammering, 0, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 2; i++) thread_join(&t[i]);
}

CASE(dup_is_the_same_socket)
{
    sk_handle p[2];
    char b[8];
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_set_timeout(p[0], 0));
    sk_handle d = MADE(sk_dup(p[0]));
    CHECK_NE(d, p[0]);
    int64_t v = 4711;
    CHECK_OK(sk_get_option(d, SK_OPT_RECV_TIMEOUT, &v));
    CHECK_EQ(v, SK_FOREVER); /* default limits of its own */
    CHECK_OK(sk_get_option(p[0], SK_OPT_RECV_TIMEOUT, &v));
    CHECK_EQ(v, 0);
    CHECK_GIVES(sk_send(d, "dup", 3, 0), 3);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 3);
    CHECK_GIVES(sk_send(p[1], "abc", 3, 0), 3);
    CHECK_GIVES(sk_recv(d, b, 1, 0), 1);
    CHECK_GIVES(sk_recv(p[0], b, 8, 0), 2);
    CHECK_FAILS(sk_recv(p[0], b, 8, 0), SK_EAGAIN);
    CHECK_OK(sk_close(p[0]));
    CHECK_GIVES(sk_send(d, "still", 5, 0), 5); /* closing one never harms the other */
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 5);
    CHECK_GIVES(sk_send(p[1], "back", 4, 0), 4);
    CHECK_GIVES(sk_recv(d, b, 8, 0), 4);
    CHECK_OK(sk_close(d));
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0);
}

CASE(dup_works_for_every_kind)
{
    need_ipv6();
    for (int k = 0; k < PAIR_KINDS; k++) {
        sk_handle p[2];
        char b;
        any_pair(k, p);
        sk_handle d = MADE(sk_dup(p[0]));
        CHECK(is_cloexec((int)sk_fd(d)));
        CHECK_OK(sk_close(p[0]));
        CHECK_GIVES(sk_send(d, "x", 1, 0), 1);
        CHECK_GIVES(sk_recv(p[1], &b, 1, 0), 1);
        CHECK_OK(sk_set_timeout(d, 30));
        CHECK_FAILS(sk_recv(d, &b, 1, 0), SK_ETIMEDOUT);
        CHECK_OK(sk_close(d));
        CHECK_OK(sk_close(p[1]));
    }
}

CASE(a_dup_of_a_listener_goes_on_listening)
{
    sk_handle l = tcp_listener(SK_INET, 4);
    uint16_t port = port_of(l);
    sk_handle d = MADE(sk_dup(l));
    CHECK_OK(sk_close(l));
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, "127.0.0.1", port));
    (void)MADE(sk_accept(d, NULL));
}

/* One copy's limit must not leak into the other through the shared descriptor flags. */
CASE(limits_of_copies_are_their_own)
{
    sk_handle l = tcp_listener(SK_INET, 4);
    sk_handle d = MADE(sk_dup(l));
    CHECK_OK(sk_set_timeout(l, 0));
    CHECK_FAILS(sk_accept(l, NULL), SK_EAGAIN);
    CHECK_OK(sk_set_timeout(d, 40));
    int64_t start = now_us();
    CHECK_FAILS(sk_accept(d, NULL), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 40000);
    CHECK_FAILS(sk_accept(l, NULL), SK_EAGAIN);
}

/* The blocking mode belongs to the socket, so one copy can change it under another. */
CASE(a_limit_holds_on_a_copy_from_before_listen)
{
    sk_handle l = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_bind(l, "127.0.0.1", 0));
    sk_handle d = MADE(sk_dup(l));
    CHECK_OK(sk_listen(l, 4));
    CHECK_OK(sk_set_timeout(d, 30));
    CHECK_FAILS(sk_accept(d, NULL), SK_ETIMEDOUT);
    CHECK_OK(sk_set_timeout(d, 0));
    CHECK_FAILS(sk_accept(d, NULL), SK_EAGAIN);
}
CASE(a_limit_holds_after_a_copy_was_given_up)
{
    sk_handle l = tcp_listener(SK_INET, 4), d = MADE(sk_dup(l));
    CHECK_OK(sk_set_timeout(l, 0));
    CHECK_FAILS(sk_accept(l, NULL), SK_EAGAIN);
    int fd = (int)sk_into_fd(d);
    CHECK_EQ(flags_of(fd) & O_NONBLOCK, 0);
    CHECK_FAILS(sk_accept(l, NULL), SK_EAGAIN);
}
CASE(a_connect_limit_holds_after_a_copy_was_given_up)
{
    sk_addr to;
    (void)unix_bound(SK_STREAM, 1, &to);
    for (;;) { /* until the queue is full */
        sk_handle s = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
        CHECK_OK(sk_set_timeout(s, 0));
        int r = sk_connect_addr(s, &to);
        if (r == SK_EAGAIN) break;
        CHECK_EQ(r, SK_OK);
    }
    sk_handle s = MADE(sk_socket(SK_UNIX, SK_STREAM, 0)), d = MADE(sk_dup(s));
    CHECK_GE(sk_into_fd(d), 0);
    CHECK_OK(sk_set_timeout(s, 0));
    CHECK_FAILS(sk_connect_addr(s, &to), SK_EAGAIN);
    CHECK_OK(sk_set_timeout(s, 30));
    CHECK_FAILS(sk_connect_addr(s, &to), SK_ETIMEDOUT);
}

CASE(into_fd_of_a_dup)
{
    sk_handle p[2];
    char b[8];
    unix_pair(SK_STREAM, p);
    sk_handle d = MADE(sk_dup(p[0]));
    int fd = (int)sk_into_fd(d);
    CHECK_GE(fd, 0);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 1);
    CHECK_EQ(close(fd), 0);
    CHECK_GIVES(sk_send(p[0], "yy", 2, 0), 2);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 2);
    close_pair(p);
}

CASE(every_descriptor_is_close_on_exec)
{
    need_ipv6();
    int before = open_fds(), inherited[200];
    for (int fd = 0; fd < 200; fd++) inherited[fd] = is_open_fd(fd);
    sk_handle p[PAIR_KINDS][2];
    for (int k = 0; k < PAIR_KINDS; k++) any_pair(k, p[k]);
    sk_handle l = tcp_listener(SK_INET, 1), d = MADE(sk_dup(l));
    CHECK_EQ(open_fds() - before, PAIR_KINDS * 2 + 2);
    for (int fd = 0; fd < 200; fd++) {
        if (is_open_fd(fd) && !inherited[fd]) CHECK(is_cloexec(fd));
    }
    (void)d;
}

/* As a service manager passes it: what an accepted TCP socket is given is nothing for this one. */
CASE(an_accept_on_an_adopted_unix_listener_leaves_errno_alone)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    sk_addr at;
    CHECK_EQ(bind(fd, (struct sockaddr *)&own, sizeof own.sun_family), 0);
    CHECK_EQ(listen(fd, 1), 0);
    sk_handle listener = MADE(sk_from_fd(fd)), client = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_OK(sk_local_addr(listener, &at));
    CHECK_OK(sk_connect_addr(client, &at));
    errno = ERRNO_UNTOUCHED;
    sk_handle server = sk_accept(listener, NULL);
    CHECK_EQ(errno, ERRNO_UNTOUCHED);
    CHECK_OK(sk_close(MADE(server)));
    CHECK_OK(sk_close(client));
    CHECK_OK(sk_close(listener));
}

/* A program may be started without them, and what it prints would go to a peer. */
CASE(no_socket_has_the_number_of_a_standard_stream)
{
    sk_handle p[2];
    char b;
    close(0);
    int fds = open_fds();
    sk_handle l = tcp_listener(SK_INET, 4), c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    sk_handle s = MADE(sk_accept(l, NULL)), copy = MADE(sk_dup(s));
    unix_pair(SK_STREAM, p);
    CHECK_OK(sk_send_handle(p[0], s));
    sk_handle received = MADE(sk_recv_handle(p[1]));
    sk_handle poller = MADE(sk_poller());
    CHECK_OK(sk_poller_add(poller, p[0], SK_READABLE, 0));
    CHECK_FAILS(sk_recv(copy, &b, 1, SK_DONTWAIT), SK_EAGAIN);
    CHECK_OK(sk_set_timeout(copy, 1));
    CHECK_FAILS(sk_recv(copy, &b, 1, 0), SK_ETIMEDOUT); /* with what wakes it */
    CHECK(!is_open_fd(0));
    const sk_handle all[] = {l, c, s, copy, p[0], p[1], received, poller};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) CHECK_OK(sk_close(all[i]));
    CHECK_EQ(open_fds(), fds);
    /* What was the program's keeps its number. */
    CHECK_EQ(socket(AF_INET, SOCK_DGRAM, 0), 0);
    CHECK_EQ(sk_fd(MADE(sk_from_fd(0))), 0);
}
