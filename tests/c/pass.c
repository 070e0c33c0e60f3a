/* Handles that travel between processes, and who is at the other end: sk_send_handle, sk_recv_handle, sk_peer_cred. */
#define CHECK_OWN_MAIN
#include "check.h"
#include <sys/mman.h>

static const int unix_types[] = {SK_STREAM, SK_DGRAM, SK_SEQPACKET};
enum { UNIX_TYPES = 3 };

static int flags_of(int fd) { return fcntl(fd, F_GETFL); }

static void talks(sk_handle one, sk_handle other)
{
    char b[8];
    CHECK_GIVES(sk_send(one, "there", 5, 0), 5);
    CHECK_GIVES(sk_recv(other, b, 8, 0), 5);
    CHECK_GIVES(sk_send(other, "back", 4, 0), 4);
    CHECK_GIVES(sk_recv(one, b, 8, 0), 4);
}

/* Sends descriptors as any program may. */
static void send_raw(sk_handle via, const int *fds, size_t count, const char *data, size_t len)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(253 * sizeof(int))];
    } control;
    char copy[16];
    memcpy(copy, data, len);
    struct iovec from = {copy, len};
    struct msghdr m;
    memset(&m, 0, sizeof m);
    memset(&control, 0, sizeof control);
    m.msg_iov = &from;
    m.msg_iovlen = 1;
    m.msg_control = &control;
    m.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int)); /* musl has a socklen_t here */
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    CHECK_EQ(sendmsg((int)sk_fd(via), &m, 0), (ssize_t)len);
}

/* --- What arrives -------------------------------------------------------------------------------- */

CASE(every_kind_travels_over_every_unix_type)
{
    need_ipv6();
    for (int t = 0; t < UNIX_TYPES; t++) {
        sk_handle via[2];
        unix_pair(unix_types[t], via);
        for (int k = 0; k < PAIR_KINDS; k++) {
            sk_handle p[2];
            int64_t v = 0, w = 0;
            any_pair(k, p);
            int fds = open_fds();
            CHECK_OK(sk_set_timeout(p[0], 5000));
            CHECK_OK(sk_send_handle(via[0], p[0]));
            CHECK_EQ(open_fds(), fds);
            sk_handle r = MADE(sk_recv_handle(via[1]));
            CHECK_EQ(open_fds(), fds + 1);
            CHECK_NE(r, p[0]);
            for (int o = SK_OPT_FAMILY; o <= SK_OPT_PROTOCOL; o++) {
                CHECK_OK(sk_get_option(p[0], o, &v));
                CHECK_OK(sk_get_option(r, o, &w));
                CHECK_EQ(v, w);
            }
            CHECK_OK(sk_get_option(r, SK_OPT_RECV_TIMEOUT, &v));
            CHECK_EQ(v, SK_FOREVER); /* default limits of its own */
            talks(r, p[1]);
            talks(p[0], p[1]);
            CHECK_OK(sk_set_timeout(r, 20));
            char b;
            CHECK_FAILS(sk_recv(r, &b, 1, 0), SK_ETIMEDOUT);
            CHECK_OK(sk_set_timeout(r, SK_FOREVER));
            if (k % 2 == 0) {
                CHECK_OK(sk_close(p[0])); /* neither harms the other */
                talks(r, p[1]);
                CHECK((fcntl((int)sk_fd(r), F_GETFD) & FD_CLOEXEC) != 0);
                CHECK_OK(sk_abort(r));
            } else {
                CHECK_OK(sk_abort(r));
                talks(p[0], p[1]);
                CHECK_OK(sk_abort(p[0]));
            }
            CHECK_OK(sk_close(p[1]));
        }
        close_pair(via);
    }
}

/* The copy that travels must not be reset by the sender's sk_abort. */
CASE(a_passed_socket_is_not_aborted)
{
    sk_handle via[2], p[2];
    unix_pair(SK_STREAM, via);
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_send_handle(via[0], p[0]));
    CHECK_OK(sk_abort(p[0]));
    sk_handle r = MADE(sk_recv_handle(via[1]));
    talks(r, p[1]);
}

struct blocked {
    sk_handle s;
    int64_t result;
};
static void do_recv(void *x)
{
    char b;
    ((struct blocked *)x)->result = sk_recv(((struct blocked *)x)->s, &b, 1, 0);
}
static void do_accept(void *x) { ((struct blocked *)x)->result = sk_accept(((struct blocked *)x)->s, NULL); }

/* Closing one copy wakes its own calls, and only those. */
CASE(closing_a_copy_wakes_its_calls_and_leaves_the_others_alone)
{
    for (int k = 0; k < PAIR_KINDS; k++) {
        if (k == PAIR_TCP6 || k == PAIR_UDP6) continue;
        for (int which = 0; which < 2; which++) {
            sk_handle via[2], p[2], copy[2];
            struct blocked x;
            struct thread t;
            unix_pair(SK_SEQPACKET, via);
            any_pair(k, p);
            CHECK_OK(sk_send_handle(via[0], p[0]));
            copy[0] = p[0];
            copy[1] = MADE(sk_recv_handle(via[1]));
            x.s = copy[which];
            thread_start(&t, do_recv, &x);
            CHECK(wait_until_asleep(&t));
            CHECK_OK(sk_close(copy[which]));
            thread_join(&t);
            CHECK_EQ(x.result, SK_ECLOSED);
            talks(copy[!which], p[1]);
            CHECK_OK(sk_close(copy[!which]));
            CHECK_OK(sk_close(p[1]));
            close_pair(via);
        }
    }
}

CASE(a_listener_travels)
{
    sk_handle via[2], l = tcp_listener(SK_INET, 4), c;
    struct blocked x;
    struct thread t;
    unix_pair(SK_STREAM, via);
    CHECK_OK(sk_set_timeout(l, 0));
    CHECK_FAILS(sk_accept(l, NULL), SK_EAGAIN);
    CHECK_OK(sk_send_handle(via[0], l));
    sk_handle r = MADE(sk_recv_handle(via[1]));
    int64_t v = 0;
    CHECK_OK(sk_get_option(r, SK_OPT_LISTENING, &v));
    CHECK_EQ(v, 1);
    /* the blocking mode is common to both, the limits are not */
    CHECK_FAILS(sk_accept(l, NULL), SK_EAGAIN);
    CHECK_OK(sk_set_timeout(r, 30));
    CHECK_FAILS(sk_accept(r, NULL), SK_ETIMEDOUT);
    CHECK_OK(sk_set_timeout(r, SK_FOREVER));
    x.s = r;
    thread_start(&t, do_accept, &x);
    CHECK(wait_until_asleep(&t));
    CHECK_FAILS(sk_accept(l, NULL), SK_EAGAIN);
    c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    thread_join(&t);
    CHECK_GT(x.result, 0);
    talks(c, x.result);
    x.s = r;
    thread_start(&t, do_accept, &x);
    CHECK(wait_until_asleep(&t));
    CHECK_OK(sk_close(r));
    thread_join(&t);
    CHECK_EQ(x.result, SK_ECLOSED);
    CHECK_OK(sk_set_timeout(l, SK_FOREVER));
    sk_handle d = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(d, "127.0.0.1", port_of(l)));
    (void)MADE(sk_accept(l, NULL));
}

/* One that is not connected yet connects there; one that is connecting goes on. */
CASE(a_socket_travels_before_it_is_connected)
{
    sk_handle via[2], l = tcp_listener(SK_INET, 4), s, r;
    sk_addr to, full;
    unix_pair(SK_STREAM, via);
    sk_handle u = unix_bound(SK_STREAM, 4, &to), n = unix_bound(SK_STREAM, 1, &full);
    s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_send_handle(via[0], s));
    r = MADE(sk_recv_handle(via[1]));
    CHECK_OK(sk_connect(r, "127.0.0.1", port_of(l)));
    talks(MADE(sk_accept(l, NULL)), s);
    CHECK_FAILS(sk_connect(s, "127.0.0.1", port_of(l)), SK_EISCONN);
    s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_timeout(s, 0));
    int begun = sk_connect(s, "127.0.0.1", port_of(l));
    CHECK(begun == SK_OK || begun == SK_EINPROGRESS);
    CHECK_OK(sk_send_handle(via[0], s));
    r = MADE(sk_recv_handle(via[1]));
    begun = sk_connect(r, "127.0.0.1", port_of(l));
    CHECK(begun == SK_OK || begun == SK_EISCONN);
    talks(MADE(sk_accept(l, NULL)), r);
    s = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_OK(sk_send_handle(via[0], s));
    r = MADE(sk_recv_handle(via[1]));
    CHECK_OK(sk_connect_addr(r, &to));
    talks(MADE(sk_accept(u, NULL)), s);
    CHECK_FAILS(sk_connect_addr(s, &to), SK_EISCONN);
    /* a blocking one of a foreign program: its limit holds all the same */
    for (int i = 0; i < 2; i++) {
        sk_handle f = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
        CHECK_OK(sk_connect_addr(f, &full));
    }
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    send_raw(via[0], &fd, 1, "x", 1);
    r = MADE(sk_recv_handle(via[1]));
    CHECK_OK(sk_set_timeout(r, 0));
    CHECK_FAILS(sk_connect_addr(r, &full), SK_EAGAIN);
    (void)MADE(sk_accept(n, NULL));
    CHECK_OK(sk_connect_addr(r, &full));
}

/* What a foreign sender goes on using stays as it had it. */
CASE(a_connected_socket_keeps_its_mode)
{
    for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
        int fd[2];
        sk_handle via[2];
        char b;
        unix_pair(SK_STREAM, via);
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | (nonblocking ? SOCK_NONBLOCK : 0), 0, fd), 0);
        struct timeval set = {3, 0}, got;
        socklen_t len = sizeof got;
        CHECK_EQ(setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &set, sizeof set), 0);
        int before = flags_of(fd[0]);
        send_raw(via[0], &fd[0], 1, "x", 1);
        sk_handle r = MADE(sk_recv_handle(via[1]));
        CHECK_OK(sk_set_timeout(r, 20));
        CHECK_FAILS(sk_recv(r, &b, 1, 0), SK_ETIMEDOUT);
        CHECK_OK(sk_set_timeout(r, SK_FOREVER));
        CHECK_GIVES(sk_send(r, "x", 1, 0), 1);
        CHECK_EQ(read(fd[1], &b, 1), 1);
        CHECK_EQ(write(fd[1], "y", 1), 1);
        CHECK_GIVES(sk_recv(r, &b, 1, 0), 1);
        CHECK_EQ(flags_of(fd[0]), before);
        CHECK_EQ(getsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &got, &len), 0);
        CHECK_EQ(got.tv_sec, 3);
        CHECK_OK(sk_close(r));
        CHECK_EQ(write(fd[1], "z", 1), 1);
        CHECK_EQ(read(fd[0], &b, 1), 1);
    }
}

CASE(a_socket_can_travel_over_itself)
{
    for (int t = 0; t < UNIX_TYPES; t++) {
        sk_handle p[2];
        struct blocked x;
        struct thread thread;
        unix_pair(unix_types[t], p);
        CHECK_OK(sk_send_handle(p[0], p[0]));
        sk_handle r = MADE(sk_recv_handle(p[1]));
        talks(r, p[1]);
        x.s = p[0]; /* closing it while a call is blocked must not harm the copy */
        thread_start(&thread, do_recv, &x);
        CHECK(wait_until_asleep(&thread));
        CHECK_OK(sk_close(p[0]));
        thread_join(&thread);
        CHECK_EQ(x.result, SK_ECLOSED);
        talks(r, p[1]);
        CHECK_OK(sk_close(r));
        CHECK_OK(sk_close(p[1]));
    }
}

CASE(taken_over_given_up_and_copied)
{
    sk_handle p[2], via[2];
    int raw[2];
    char b[8];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, raw), 0);
    via[0] = MADE(sk_from_fd(raw[0]));
    via[1] = MADE(sk_from_fd(raw[1]));
    tcp_pair(SK_INET, p);
    sk_handle d = MADE(sk_dup(via[1]));
    CHECK_OK(sk_send_handle(via[0], p[0]));
    sk_handle r = MADE(sk_recv_handle(d));
    int fd = (int)sk_into_fd(r);
    CHECK_GE(fd, 0);
    CHECK_EQ(flags_of(fd) & O_NONBLOCK, 0);
    CHECK_EQ(write(fd, "raw", 3), 3);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 3);
    r = MADE(sk_from_fd(fd));
    sk_handle e = MADE(sk_dup(r));
    CHECK_OK(sk_close(r));
    CHECK_OK(sk_send_handle(d, e));
    r = MADE(sk_recv_handle(via[0]));
    talks(r, p[1]);
    CHECK_OK(sk_close(e));
    CHECK_OK(sk_close(p[0]));
    talks(r, p[1]);
}

/* --- One byte -------------------------------------------------------------------------------------- */

CASE(on_a_stream_exactly_one_byte_is_consumed)
{
    sk_handle via[2], p[2];
    char b[8];
    unix_pair(SK_STREAM, via);
    unix_pair(SK_DGRAM, p);
    CHECK_GIVES(sk_send(via[0], "abc", 3, 0), 3);
    CHECK_OK(sk_send_handle(via[0], p[0]));
    CHECK_GIVES(sk_send(via[0], "de", 2, 0), 2);
    CHECK_FAILS(sk_recv_handle(via[1]), SK_ENOENT);
    CHECK_GIVES(sk_recv(via[1], b, 1, 0), 1);
    CHECK_EQ(b[0], 'b');
    CHECK_FAILS(sk_recv_handle(via[1]), SK_ENOENT);
    sk_handle r = MADE(sk_recv_handle(via[1]));
    talks(r, p[1]);
    CHECK_GIVES(sk_recv(via[1], b, 8, 0), 2);
    CHECK_EQ(memcmp(b, "de", 2), 0);
    int fd = (int)sk_fd(p[0]); /* a foreign message of several bytes: the handle comes with the first */
    send_raw(via[0], &fd, 1, "fgh", 3);
    r = MADE(sk_recv_handle(via[1]));
    talks(r, p[1]);
    CHECK_GIVES(sk_recv(via[1], b, 8, 0), 2);
    CHECK_EQ(memcmp(b, "gh", 2), 0);
    CHECK_OK(sk_send_handle(via[0], p[0])); /* and it is one byte that goes */
    CHECK_OK(sk_close(via[0]));
    CHECK_GIVES(sk_recv(via[1], b, 8, 0), 1);
    CHECK_FAILS(sk_recv_handle(via[1]), SK_EEOF);
}

CASE(of_messages_the_whole_is_consumed)
{
    for (int t = 1; t < UNIX_TYPES; t++) {
        sk_handle via[2], p[2];
        unix_pair(unix_types[t], via);
        unix_pair(SK_DGRAM, p);
        CHECK_GIVES(sk_send(via[0], "abc", 3, 0), 3);
        CHECK_GIVES(sk_send(via[0], "", 0, 0), 0);
        CHECK_OK(sk_send_handle(via[0], p[0]));
        CHECK_FAILS(sk_recv_handle(via[1]), SK_ENOENT);
        CHECK_FAILS(sk_recv_handle(via[1]), SK_ENOENT); /* the empty one: not the end */
        talks(MADE(sk_recv_handle(via[1])), p[1]);
        int fd = (int)sk_fd(p[0]);
        send_raw(via[0], &fd, 1, "abc", 3);
        send_raw(via[0], &fd, 1, "", 0);
        talks(MADE(sk_recv_handle(via[1])), p[1]);
        talks(MADE(sk_recv_handle(via[1])), p[1]);
        CHECK_OK(sk_set_timeout(via[1], 0));
        CHECK_FAILS(sk_recv_handle(via[1]), SK_EAGAIN);
    }
}

CASE(the_end)
{
    for (int t = 0; t < UNIX_TYPES; t++) {
        sk_handle via[2], p[2];
        unix_pair(unix_types[t], via);
        unix_pair(SK_DGRAM, p);
        CHECK_OK(sk_send_handle(via[0], p[0]));
        if (unix_types[t] == SK_DGRAM) {
            CHECK_OK(sk_shutdown(via[1], SK_SHUT_READ)); /* a datagram peer's end shows in no other way */
        } else {
            CHECK_OK(sk_close(via[0]));
        }
        talks(MADE(sk_recv_handle(via[1])), p[1]); /* what came before */
        CHECK_FAILS(sk_recv_handle(via[1]), SK_EEOF);
        CHECK_OK(sk_set_timeout(via[1], 0));
        CHECK_FAILS(sk_recv_handle(via[1]), SK_EEOF);
    }
}

CASE(sending_to_nobody)
{
    sk_handle via[2], p[2], s;
    unix_pair(SK_DGRAM, p);
    for (int t = 0; t < UNIX_TYPES; t++) {
        unix_pair(unix_types[t], via);
        CHECK_OK(sk_close(via[1]));
        CHECK_FAILS(sk_send_handle(via[0], p[0]), unix_types[t] == SK_DGRAM ? SK_ECONNREFUSED : SK_EPIPE);
        s = MADE(sk_socket(SK_UNIX, unix_types[t], 0));
        CHECK_FAILS(sk_send_handle(s, p[0]), SK_ENOTCONN);
        if (unix_types[t] != SK_DGRAM) CHECK_LT(sk_recv_handle(s), 0);
    }
    talks(p[0], p[1]);
}

/* --- What is no handle ------------------------------------------------------------------------------- */

CASE(what_is_no_supported_socket_is_closed)
{
    signal(SIGPIPE, SIG_IGN);
    for (int t = 0; t < UNIX_TYPES; t++) {
        int p[2];
        sk_handle via[2];
        CHECK_EQ(pipe(p), 0);
        unix_pair(unix_types[t], via);
        const int other[] = {p[0], open("/proc/self/exe", O_RDONLY), socket(AF_NETLINK, SOCK_RAW, 0)};
        int fds = open_fds();
        for (int i = 0; i < 3; i++) {
            send_raw(via[0], &other[i], 1, "x", 1);
            CHECK_FAILS(sk_recv_handle(via[1]), SK_ENOTSOCK);
            CHECK_EQ(open_fds(), fds);
        }
        CHECK_OK(sk_set_timeout(via[1], 0));
        CHECK_FAILS(sk_recv_handle(via[1]), SK_EAGAIN); /* they are consumed */
        close(p[0]);
        CHECK_OK(sk_set_timeout(via[1], 50));
        CHECK_EQ(write(p[1], "x", 1), -1); /* nobody has the pipe's other end */
        CHECK_EQ(errno, EPIPE);
        CHECK_GIVES(sk_open_count(), 2);
        close_pair(via);
    }
}

CASE(of_several_the_first_is_kept_and_none_leaks)
{
    static const size_t counts[] = {2, 3, 9, 10, 253};
    for (int t = 0; t < UNIX_TYPES; t++) {
        sk_handle via[2], p[2];
        int many[253], pipes[2];
        unix_pair(unix_types[t], via);
        unix_pair(SK_DGRAM, p);
        CHECK_EQ(pipe(pipes), 0);
        for (int i = 0; i < 253; i++) many[i] = pipes[0];
        many[0] = (int)sk_fd(p[0]);
        int fds = open_fds();
        for (int i = 0; i < 5; i++) {
            send_raw(via[0], many, counts[i], "x", 1);
            sk_handle r = MADE(sk_recv_handle(via[1]));
            CHECK_EQ(open_fds(), fds + 1);
            talks(r, p[1]);
            CHECK_OK(sk_close(r));
        }
        many[1] = many[0];
        many[0] = pipes[0];
        send_raw(via[0], many, 2, "x", 1);
        CHECK_FAILS(sk_recv_handle(via[1]), SK_ENOTSOCK);
        CHECK_EQ(open_fds(), fds);
        close_pair(via);
    }
}

/* A socket from outside can have more to say with each message. */
CASE(credentials_that_come_along_do_no_harm)
{
    int raw[2], on = 1;
    sk_handle p[2], via[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, raw), 0);
    CHECK_EQ(setsockopt(raw[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
    via[0] = MADE(sk_from_fd(raw[0]));
    via[1] = MADE(sk_from_fd(raw[1]));
    unix_pair(SK_DGRAM, p);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(sk_send_handle(via[0], p[0]));
        talks(MADE(sk_recv_handle(via[1])), p[1]);
    }
}

/* One of the sender's process comes too, and nobody asked the library for that. */
CASE(a_socket_that_was_made_to_tell_the_senders_process_keeps_no_descriptor_of_it)
{
    enum { PASS_PIDFD = 76 }; /* SO_PASSPIDFD, which older headers lack */
    int raw[2], on = 1;
    sk_handle p[2], via[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, raw), 0);
    if (setsockopt(raw[1], SOL_SOCKET, PASS_PIDFD, &on, sizeof on) != 0)
        SKIP("no SO_PASSPIDFD here: it came with Linux 6.5");
    via[0] = MADE(sk_from_fd(raw[0]));
    via[1] = MADE(sk_from_fd(raw[1]));
    unix_pair(SK_DGRAM, p);
    int fds = open_fds();
    for (int i = 0; i < 3; i++) {
        CHECK_OK(sk_send_handle(via[0], p[0]));
        sk_handle r = MADE(sk_recv_handle(via[1]));
        talks(r, p[1]);
        CHECK_OK(sk_close(r));
        CHECK_EQ(open_fds(), fds);
    }
    CHECK_GIVES(sk_send(via[0], "x", 1, 0), 1);
    CHECK_FAILS(sk_recv_handle(via[1]), SK_ENOENT);
    CHECK_EQ(open_fds(), fds);
}

/* An accepted socket inherits it, and its close might have to wait. */
CASE(what_a_received_listener_accepts_does_not_linger)
{
    struct linger linger = {1, 30};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    CHECK_EQ(listen(fd, 8), 0);
    sk_handle via[2];
    sk_addr at;
    unix_pair(SK_STREAM, via);
    send_raw(via[0], &fd, 1, "x", 1);
    sk_handle l = MADE(sk_recv_handle(via[1])), c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_local_addr(l, &at));
    CHECK_OK(sk_connect(c, "127.0.0.1", at.port));
    sk_handle s = MADE(sk_accept(l, NULL));
    socklen_t len = sizeof linger;
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len), 0);
    CHECK(linger.l_onoff && linger.l_linger == 30); /* the listener is still its sender's */
    CHECK_EQ(getsockopt((int)sk_fd(s), SOL_SOCKET, SO_LINGER, &linger, &len), 0);
    CHECK_EQ(linger.l_onoff, 0);
}

/* --- No room ----------------------------------------------------------------------------------------- */

/* Leaves room for this many descriptors more. */
static void leave_room(int room)
{
    struct rlimit limit;
    int highest = 0, lowest = 0;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int fd = 0; fd < 500; fd++) {
        if (is_open_fd(fd)) highest = fd;
    }
    limit.rlim_cur = (rlim_t)(highest + 1 + room);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int fd = 0; fd < highest; fd++) { /* fill the gaps */
        if (!is_open_fd(fd)) lowest += fcntl(highest, F_DUPFD, fd) == fd;
    }
    (void)lowest;
}

CASE(without_a_descriptor_left_nothing_is_lost)
{
    for (int t = 0; t < UNIX_TYPES; t++) {
        sk_handle via[2], one[2], two[2];
        unix_pair(unix_types[t], via);
        unix_pair(SK_DGRAM, one);
        tcp_pair(SK_INET, two);
        int spare = dup(0);
        CHECK_OK(sk_send_handle(via[0], one[0]));
        CHECK_OK(sk_send_handle(via[0], two[0]));
        CHECK_GIVES(sk_send(via[0], "x", 1, 0), 1);
        leave_room(0);
        for (int i = 0; i < 3; i++) CHECK_FAILS(sk_recv_handle(via[1]), SK_EMFILE);
        CHECK_OK(sk_set_timeout(via[1], 0));
        CHECK_FAILS(sk_recv_handle(via[1]), SK_EMFILE);
        CHECK_OK(sk_set_timeout(via[1], SK_FOREVER));
        close(spare);
        sk_handle r = MADE(sk_recv_handle(via[1])); /* room for exactly one */
        talks(r, one[1]);
        CHECK_FAILS(sk_recv_handle(via[1]), SK_EMFILE);
        CHECK_OK(sk_close(r));
        r = MADE(sk_recv_handle(via[1]));
        talks(r, two[1]);
        CHECK_FAILS(sk_recv_handle(via[1]), SK_ENOENT); /* for a byte without one no room is needed */
        CHECK_OK(sk_close(r));
        /* several at once, with room for one of them */
        int many[3] = {(int)sk_fd(one[0]), 0, 0};
        send_raw(via[0], many, 3, "x", 1);
        r = MADE(sk_recv_handle(via[1]));
        talks(r, one[1]);
        CHECK_OK(sk_close(r));
        close_pair(via);
        close_pair(one);
        close_pair(two);
    }
}

CASE(without_a_handle_left_nothing_is_lost)
{
    sk_config config;
    sk_handle via[2], p[2], r;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.max_handles = 5;
    CHECK_OK(sk_init(&config));
    unix_pair(SK_STREAM, via);
    unix_pair(SK_DGRAM, p);
    int fds = open_fds();
    sk_handle last = MADE(sk_dup(p[0]));
    CHECK_OK(sk_send_handle(via[0], p[0]));
    for (int i = 0; i < 3; i++) CHECK_FAILS(sk_recv_handle(via[1]), SK_EMFILE);
    CHECK_OK(sk_close(last));
    r = MADE(sk_recv_handle(via[1]));
    talks(r, p[1]);
    CHECK_EQ(open_fds(), fds + 1);
    CHECK_FAILS(sk_dup(r), SK_EMFILE);
    CHECK_OK(sk_close(r));
    CHECK_EQ(open_fds(), fds);
    CHECK_OK(sk_send_handle(via[0], p[0]));
    r = MADE(sk_recv_handle(via[1]));
    talks(r, p[1]);
}

enum { TOKENS = 400 };
static int seen_in[TOKENS], *seen = seen_in;

/* Each handle says who it is. */
static void receive_tokens(void *argument)
{
    sk_handle via = *(sk_handle *)argument;
    for (;;) {
        sk_handle r = sk_recv_handle(via);
        if (r == SK_EMFILE) {
            sched_yield();
            continue;
        }
        if (r == SK_EEOF) return;
        if (r <= 0) FAIL("sk_recv_handle is %lld %s", (long long)r, sk_error_name(r));
        int token = -1;
        CHECK_OK(sk_set_timeout(r, 5000)); /* received twice, it has nothing to say the second time */
        CHECK_EQ(sk_recv(r, &token, sizeof token, 0), (int64_t)sizeof token);
        CHECK(token >= 0 && token < TOKENS);
        __atomic_fetch_add(&seen[token], 1, __ATOMIC_SEQ_CST);
        CHECK_EQ(sk_close(r), SK_OK);
    }
}
static void send_tokens(sk_handle via, int from, int to)
{
    for (int i = from; i < to; i++) {
        int fd[2];
        while (socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) != 0) sched_yield();
        CHECK_EQ(write(fd[1], &i, sizeof i), (ssize_t)sizeof i);
        send_raw(via, &fd[0], 1, "x", 1);
        close(fd[0]);
        close(fd[1]);
    }
}
static void check_tokens(void)
{
    for (int i = 0; i < TOKENS; i++) {
        if (seen[i] != 1) FAIL("handle %d was received %d times", i, seen[i]);
    }
}

static void send_tokens_in_child(void *argument)
{
    sk_handle *via = argument;
    CHECK_OK(sk_close(via[1]));
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 1000;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    send_tokens(via[0], TOKENS / 2, TOKENS);
}

/* Threads that are short of descriptors take each other's last one: every handle arrives once all the same. */
CASE_WITHIN(threads_at_the_limit_receive_each_handle_once, 60)
{
    for (int round = 0; round < 12; round++) {
        sk_handle via[2];
        struct thread t[4];
        unix_pair(SK_SEQPACKET, via);
        memset(seen_in, 0, sizeof seen_in);
        send_tokens(via[0], 0, TOKENS / 2); /* a queue, so that all of them are at it at once */
        fflush(NULL);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            send_tokens_in_child(via);
            _exit(0);
        }
        CHECK_OK(sk_close(via[0]));
        struct rlimit before;
        CHECK_GIVES(sk_wait(via[1], SK_PRIORITY, 1), 0); /* what wakes waits on a shared socket is a descriptor too */
        CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
        leave_room(1 + round % 3);
        for (int i = 0; i < 4; i++) thread_start(&t[i], receive_tokens, &via[1]);
        for (int i = 0; i < 4; i++) thread_join(&t[i]);
        int status = 0;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
        check_tokens();
        CHECK_OK(sk_close(via[1]));
    }
}

CASE_WITHIN(processes_that_share_a_socket_receive_each_handle_once, 60)
{
    sk_handle via[2];
    pid_t pid[3];
    unix_pair(SK_SEQPACKET, via);
    send_tokens(via[0], 0, TOKENS / 2);
    seen = mmap(NULL, sizeof seen_in, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(seen != MAP_FAILED);
    fflush(NULL);
    for (int i = 0; i < 3; i++) {
        pid[i] = fork();
        CHECK(pid[i] >= 0);
        if (pid[i] == 0) {
            alarm(50);
            CHECK_OK(sk_close(via[0]));
            receive_tokens(&via[1]);
            _exit(0);
        }
    }
    CHECK_OK(sk_close(via[1]));
    send_tokens(via[0], TOKENS / 2, TOKENS);
    CHECK_OK(sk_close(via[0]));
    for (int i = 0; i < 3; i++) {
        int status = 0;
        CHECK_EQ(waitpid(pid[i], &status, 0), pid[i]);
        CHECK_EQ(status, 0);
    }
    check_tokens();
}

/* --- Waiting --------------------------------------------------------------------------------------------- */

CASE(limits_of_receiving)
{
    for (int t = 0; t < UNIX_TYPES; t++) {
        sk_handle via[2];
        unix_pair(unix_types[t], via);
        CHECK_OK(sk_set_timeout(via[1], 0));
        CHECK_FAILS(sk_recv_handle(via[1]), SK_EAGAIN);
        CHECK_OK(sk_set_timeout(via[1], 40));
        int64_t start = now_us();
        CHECK_FAILS(sk_recv_handle(via[1]), SK_ETIMEDOUT);
        CHECK_GE(now_us() - start, 40000);
        CHECK_OK(sk_send_handle(via[0], via[0])); /* usable as before */
        (void)MADE(sk_recv_handle(via[1]));
    }
}

CASE(limits_of_sending)
{
    sk_handle p[2];
    unix_pair(SK_DGRAM, p);
    for (int t = 0; t < UNIX_TYPES; t++) {
        sk_handle via[2];
        unix_pair(unix_types[t], via);
        fill(via[0]);
        CHECK_OK(sk_set_timeout(via[0], 0));
        CHECK_FAILS(sk_send_handle(via[0], p[0]), SK_EAGAIN);
        CHECK_OK(sk_set_timeout(via[0], 40));
        int64_t start = now_us();
        CHECK_FAILS(sk_send_handle(via[0], p[0]), SK_ETIMEDOUT);
        CHECK_GE(now_us() - start, 40000);
        close_pair(via);
    }
    talks(p[0], p[1]);
}

static sk_handle to_send;
static void do_recv_handle(void *x) { ((struct blocked *)x)->result = sk_recv_handle(((struct blocked *)x)->s); }
static void do_send_handle(void *x) { ((struct blocked *)x)->result = sk_send_handle(((struct blocked *)x)->s, to_send); }

CASE(close_wakes_both)
{
    sk_handle p[2];
    unix_pair(SK_DGRAM, p);
    to_send = p[0];
    for (int t = 0; t < UNIX_TYPES; t++) {
        for (int how = 0; how < 6; how++) { /* plain, with a limit, shared; receiving and sending */
            sk_handle via[2];
            struct blocked x;
            struct thread thread;
            unix_pair(unix_types[t], via);
            int sending = how >= 3;
            if (sending) fill(via[0]);
            x.s = via[!sending];
            if (how % 3 == 1) CHECK_OK(sk_set_timeout(x.s, 15000));
            if (how % 3 == 2) (void)MADE(sk_dup(x.s));
            thread_start(&thread, sending ? do_send_handle : do_recv_handle, &x);
            CHECK(wait_until_asleep(&thread));
            CHECK_OK(sk_close(x.s));
            thread_join(&thread);
            CHECK_EQ(x.result, SK_ECLOSED);
            CHECK_OK(sk_close(via[sending]));
        }
    }
    talks(p[0], p[1]);
}

CASE(a_receiver_waits_for_what_comes)
{
    for (int t = 0; t < UNIX_TYPES; t++) {
        for (int shared = 0; shared < 2; shared++) {
            sk_handle via[2], p[2];
            struct blocked x;
            struct thread thread;
            unix_pair(unix_types[t], via);
            unix_pair(SK_DGRAM, p);
            if (shared) (void)MADE(sk_dup(via[1]));
            x.s = via[1];
            thread_start(&thread, do_recv_handle, &x);
            CHECK(wait_until_asleep(&thread));
            CHECK_OK(sk_send_handle(via[0], p[0]));
            thread_join(&thread);
            CHECK_GT(x.result, 0);
            talks(x.result, p[1]);
        }
    }
}

static void nothing(int signal_number) { (void)signal_number; }
CASE(a_signal_does_not_end_a_wait)
{
    sk_handle via[2], p[2];
    struct blocked x;
    struct thread t;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = nothing; /* without SA_RESTART */
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    unix_pair(SK_STREAM, via);
    unix_pair(SK_DGRAM, p);
    x.s = via[1];
    thread_start(&t, do_recv_handle, &x);
    for (int i = 0; i < 20; i++) {
        CHECK(wait_until_asleep(&t));
        pthread_kill(t.id, SIGUSR1);
    }
    CHECK_OK(sk_send_handle(via[0], p[0]));
    thread_join(&t);
    CHECK_GT(x.result, 0);
}

/* --- Bad input --------------------------------------------------------------------------------------------- */

CASE(handles_that_can_not)
{
    sk_handle via[2], p[2], poller = MADE(sk_poller()), stale;
    unix_pair(SK_STREAM, via);
    tcp_pair(SK_INET, p);
    stale = MADE(sk_dup(p[0]));
    CHECK_OK(sk_close(stale));
    CHECK_FAILS(sk_send_handle(p[0], via[0]), SK_EOPNOTSUPP); /* no Unix socket */
    CHECK_FAILS(sk_send_handle(poller, via[0]), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_send_handle(via[0], poller), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_send_handle(via[0], stale), SK_EBADHANDLE);
    CHECK_FAILS(sk_send_handle(stale, via[0]), SK_EBADHANDLE);
    CHECK_FAILS(sk_send_handle(p[0], stale), SK_EBADHANDLE); /* the handles come first */
    CHECK_FAILS(sk_send_handle(poller, 0), SK_EBADHANDLE);
    CHECK_FAILS(sk_send_handle(-1, via[0]), SK_EBADHANDLE);
    CHECK_FAILS(sk_recv_handle(p[0]), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_recv_handle(poller), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_recv_handle(stale), SK_EBADHANDLE);
    CHECK_FAILS(sk_recv_handle(0), SK_EBADHANDLE);
    CHECK_OK(sk_set_timeout(via[1], 0));
    CHECK_FAILS(sk_recv_handle(via[1]), SK_EAGAIN); /* nothing was sent */
}

/* --- Other processes ------------------------------------------------------------------------------------------ */

static void use_in_child(void *argument)
{
    sk_handle *via = argument;
    char b[8];
    CHECK_OK(sk_close(via[0]));
    sk_handle r = MADE(sk_recv_handle(via[1])); /* made after the fork: no copy of it is here */
    CHECK_GIVES(sk_recv(r, b, 8, 0), 5);
    CHECK_GIVES(sk_send(r, "child", 5, 0), 5);
    CHECK_OK(sk_close(r));
}
static int looking;
static void look_all_the_time(void *argument)
{
    sk_handle via = *(sk_handle *)argument;
    while (__atomic_load_n(&looking, __ATOMIC_SEQ_CST)) {
        if (sk_recv_handle(via) != SK_EAGAIN) FAIL("nothing was sent");
    }
}
static void look_once(void *argument) { CHECK_FAILS(sk_recv_handle(*(sk_handle *)argument), SK_EAGAIN); }
/* Whatever the thread was at that does not exist in the child. */
CASE(a_child_forked_while_others_receive_receives_too)
{
    sk_handle via[2];
    struct thread t;
    unix_pair(SK_STREAM, via);
    CHECK_OK(sk_set_timeout(via[1], 0));
    looking = 1;
    thread_start(&t, look_all_the_time, &via[1]);
    for (int i = 0; i < 100; i++) in_child(look_once, &via[1]);
    __atomic_store_n(&looking, 0, __ATOMIC_SEQ_CST);
    thread_join(&t);
}

CASE(a_handle_travels_to_a_child)
{
    sk_handle via[2], p[2];
    char b[8];
    unix_pair(SK_STREAM, via);
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(15);
        use_in_child(via);
        check_end(0);
    }
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_send_handle(via[0], p[0]));
    CHECK_GIVES(sk_send(p[1], "hello", 5, 0), 5);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 5);
    int status = 0;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    talks(p[0], p[1]); /* the child closed its copy only */
}

/* This program again, with a Unix socket by its number: it serves one client of the listener that it is sent. */
static void serve_one(int fd)
{
    char b[8];
    sk_handle via = MADE(sk_from_fd(fd)), l = MADE(sk_recv_handle(via)), c = MADE(sk_accept(l, NULL));
    CHECK_GIVES(sk_recv(c, b, 8, 0), 5);
    CHECK_OK(sk_send_handle(via, c)); /* and hands the client back */
    CHECK_OK(sk_finish(via, 10000));
}
CASE(a_listener_travels_to_another_program)
{
    sk_handle via[2], l, c;
    char number[16];
    unix_pair(SK_STREAM, via);
    int fd = (int)sk_into_fd(via[1]);
    CHECK_GE(fd, 0);
    snprintf(number, sizeof number, "%d", fd);
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        fcntl(fd, F_SETFD, 0);
        execl(check_program, check_program, "--serve-one", number, (char *)NULL);
        _exit(99);
    }
    close(fd);
    l = tcp_listener(SK_INET, 4);
    CHECK_OK(sk_send_handle(via[0], l));
    c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    CHECK_GIVES(sk_send(c, "hello", 5, 0), 5);
    sk_handle r = MADE(sk_recv_handle(via[0]));
    CHECK_FAILS(sk_recv_handle(via[0]), SK_EEOF);
    CHECK_OK(sk_close(via[0]));
    int status = 0;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    talks(c, r); /* the connection outlives the program that accepted it */
    sk_handle d = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(d, "127.0.0.1", port_of(l)));
    (void)MADE(sk_accept(l, NULL));
}

/* --- Who is there ------------------------------------------------------------------------------------------------ */

static void is_me(sk_handle s)
{
    sk_cred c;
    memset(&c, 0xff, sizeof c);
    CHECK_OK(sk_peer_cred(s, &c));
    CHECK_EQ(c.pid, getpid());
    CHECK_EQ(c.uid, geteuid());
    CHECK_EQ(c.gid, getegid());
}

CASE(the_peer_of_a_pair_is_who_made_it)
{
    for (int t = 0; t < UNIX_TYPES; t++) {
        sk_handle p[2];
        unix_pair(unix_types[t], p);
        is_me(p[0]);
        is_me(p[1]);
        CHECK_OK(sk_close(p[1])); /* nor does it end with the peer */
        is_me(p[0]);
    }
}

static sk_addr served;
static pid_t server_pid;
static void connect_in_child(void *argument)
{
    sk_cred c;
    char b;
    int type = *(int *)argument;
    if (geteuid() == 0) { /* be somebody else */
        CHECK_EQ(setegid(4321), 0);
        CHECK_EQ(seteuid(1234), 0);
    }
    sk_handle s = MADE(sk_socket(SK_UNIX, type, 0));
    CHECK_OK(sk_connect_addr(s, &served));
    CHECK_OK(sk_peer_cred(s, &c));
    CHECK_EQ(c.pid, server_pid);
    pid_t me = getpid();
    CHECK_GIVES(sk_send(s, &me, sizeof me, 0), sizeof me);
    CHECK_GIVES(sk_recv(s, &b, 1, 0), 0); /* until the server has looked */
}
CASE(a_connection_tells_who_connected_and_who_listens)
{
    int types[] = {SK_STREAM, SK_SEQPACKET};
    server_pid = getpid();
    for (int i = 0; i < 2; i++) {
        sk_handle l = unix_bound(types[i], 4, &served), via[2];
        uid_t uid = geteuid() == 0 ? 1234 : geteuid();
        gid_t gid = geteuid() == 0 ? 4321 : getegid();
        fflush(NULL);
        pid_t pid = fork(), told = 0;
        CHECK(pid >= 0);
        if (pid == 0) {
            alarm(15);
            connect_in_child(&types[i]);
            check_end(0);
        }
        sk_handle s = MADE(sk_accept(l, NULL));
        sk_cred c;
        CHECK_OK(sk_peer_cred(s, &c));
        CHECK_EQ(c.pid, pid);
        CHECK_EQ(c.uid, uid);
        CHECK_EQ(c.gid, gid);
        CHECK_GIVES(sk_recv(s, &told, sizeof told, 0), sizeof told);
        CHECK_EQ(told, pid);
        CHECK_OK(sk_shutdown(s, SK_SHUT_WRITE));
        int status = 0;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
        unix_pair(SK_STREAM, via);
        CHECK_OK(sk_send_handle(via[0], s));
        sk_handle r = MADE(sk_recv_handle(via[1]));
        CHECK_OK(sk_peer_cred(r, &c)); /* still, after it has ended and the socket was passed on */
        CHECK_EQ(c.pid, pid);
    }
}

CASE(who_has_no_peer)
{
    sk_cred c;
    sk_addr name;
    memset(&c, 0x55, sizeof c);
    for (int t = 0; t < UNIX_TYPES; t++) {
        sk_handle s = MADE(sk_socket(SK_UNIX, unix_types[t], 0));
        CHECK_FAILS(sk_peer_cred(s, &c), SK_ENOTCONN);
        sk_handle bound = unix_bound(unix_types[t], 4, &name);
        CHECK_FAILS(sk_peer_cred(bound, &c), SK_ENOTCONN); /* the kernel would say: ourselves */
        if (unix_types[t] == SK_DGRAM) {
            CHECK_OK(sk_connect_addr(s, &name));
            CHECK_FAILS(sk_peer_cred(s, &c), SK_ENOTCONN); /* nothing is noted of it */
        }
    }
    sk_handle p[2], poller = MADE(sk_poller());
    CHECK_FAILS(sk_peer_cred(poller, &c), SK_EOPNOTSUPP);
    tcp_pair(SK_INET, p);
    CHECK_FAILS(sk_peer_cred(p[0], &c), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_peer_cred(p[0], NULL), SK_EOPNOTSUPP);
    CHECK_OK(sk_close(p[0]));
    CHECK_FAILS(sk_peer_cred(p[0], &c), SK_EBADHANDLE);
    CHECK_FAILS(sk_peer_cred(0, NULL), SK_EBADHANDLE);
    CHECK_EQ(c.uid, 0x55555555); /* nothing was written */
    unix_pair(SK_STREAM, p);
    CHECK_FAILS(sk_peer_cred(p[0], NULL), SK_EINVAL);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--serve-one") == 0) {
        alarm(15);
        serve_one(atoi(argv[2]));
        return 0;
    }
    return check_main(argc, argv);
}
