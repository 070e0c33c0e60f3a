/* sk_serve: every kind of endpoint, and the Unix paths of servers that are no more. */
#include "resolver.h"

/* --- Between the library and the system ---------------------------------------------------------- */

static int lacks_inet6, unbindable_inet6, listen_fails, unlink_fails;

/* A thread that stops at a place, until others have done their work. */
enum place { NOWHERE, BEFORE_PROBE, BEFORE_REMOVAL };
static __thread enum place stops_at;
static int has_stopped, may_go_on;

static void set(int *flag) { __atomic_store_n(flag, 1, __ATOMIC_SEQ_CST); }
static void await(int *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_SEQ_CST)) sched_yield();
}
static void stop(enum place here)
{
    if (stops_at != here) return;
    stops_at = NOWHERE;
    set(&has_stopped);
    await(&may_go_on);
}

int socket(int domain, int type, int protocol)
{
    if (domain == AF_INET6 && lacks_inet6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    /* The library's question whether a file is dead starts with a datagram socket. */
    if (domain == AF_UNIX && (type & 0xf) == SOCK_DGRAM) stop(BEFORE_PROBE);
    return (int)syscall(SYS_socket, domain, type, protocol);
}
int bind(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
    if (to.__sockaddr__->sa_family == AF_INET6 && unbindable_inet6) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    return (int)syscall(SYS_bind, fd, to.__sockaddr__, len);
}
int listen(int fd, int backlog)
{
    if (listen_fails) {
        errno = EADDRINUSE;
        return -1;
    }
    return (int)syscall(SYS_listen, fd, backlog);
}
int unlink(const char *path)
{
    stop(BEFORE_REMOVAL);
    if (unlink_fails) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* --- Every kind --------------------------------------------------------------------------------------- */

static const struct {
    const char *scheme;
    int type;
} kinds[] = {{"unix", SK_STREAM}, {"unix-dgram", SK_DGRAM}, {"unix-seqpacket", SK_SEQPACKET}};

static char *folder, path[120], text[200];
static const char *at(int kind)
{
    snprintf(text, sizeof text, "%s://%s", kinds[kind].scheme, path);
    return text;
}
static void use_folder(void)
{
    folder = make_folder();
    snprintf(path, sizeof path, "%s/s", folder);
}
static ino_t inode(void)
{
    struct stat s;
    CHECK_EQ(lstat(path, &s), 0);
    return s.st_ino;
}
/* Whoever serves there answers. */
static void check_served(sk_handle server, const char *endpoint)
{
    int64_t type = 0;
    char b[4];
    sk_handle c = MADE(sk_dial(endpoint, 5000));
    CHECK_OK(sk_get_option(server, SK_OPT_TYPE, &type));
    CHECK_OK(sk_set_option(server, SK_OPT_RECV_TIMEOUT, 5000));
    CHECK_GIVES(sk_send(c, "ping", 4, 0), 4);
    if (type == SK_DGRAM) {
        sk_addr from;
        CHECK_GIVES(sk_recv_from(server, b, 4, 0, &from), 4);
        CHECK_GIVES(sk_send_to(server, "pong", 4, 0, &from), 4);
    } else {
        sk_handle s = MADE(sk_accept(server, NULL));
        CHECK_GIVES(sk_recv(s, b, 4, 0), 4);
        CHECK_GIVES(sk_send(s, "pong", 4, 0), 4);
        CHECK_OK(sk_close(s));
    }
    CHECK_GIVES(sk_recv(c, b, 4, 0), 4);
    CHECK_EQ(memcmp(b, "pong", 4), 0);
    CHECK_OK(sk_close(c));
}
static void check_listening(sk_handle s, int64_t wanted)
{
    int64_t v = 4711;
    CHECK_OK(sk_get_option(s, SK_OPT_LISTENING, &v));
    CHECK_EQ(v, wanted);
    CHECK_OK(sk_get_option(s, SK_OPT_RECV_TIMEOUT, &v));
    CHECK_EQ(v, SK_FOREVER);
    CHECK_EQ(fcntl((int)sk_fd(s), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}
static const char *dialled(const char *scheme, const char *host, sk_handle server)
{
    static char endpoint[200];
    snprintf(endpoint, sizeof endpoint, "%s://%s:%u", scheme, host, port_of(server));
    return endpoint;
}

CASE(every_address_both_families)
{
    static const char *const schemes[] = {"tcp", "udp"};
    need_ipv6();
    for (int i = 0; i < 2; i++) {
        char any[20];
        snprintf(any, sizeof any, "%s://:0", schemes[i]);
        sk_handle s = MADE(sk_serve(any, 0));
        CHECK_NE(port_of(s), 0);
        check_listening(s, i == 0);
        check_served(s, dialled(schemes[i], "127.0.0.1", s));
        /* UDP answers from the one address that the system chooses, see SK_OPT_PKTINFO. */
        if (i == 0) check_served(s, dialled(schemes[i], "127.0.0.5", s));
        check_served(s, dialled(schemes[i], "[::1]", s));
        CHECK_FAILS(sk_serve(dialled(schemes[i], "", s), 0), SK_EADDRINUSE);
        CHECK_FAILS(sk_serve(dialled(schemes[i], "127.0.0.1", s), 0), SK_EADDRINUSE);
        CHECK_OK(sk_close(s));
    }
}

CASE(ipv4_alone_where_there_is_no_ipv6)
{
    int fds = open_fds();
    for (int i = 0; i < 2; i++) {
        sk_addr own;
        lacks_inet6 = i == 0;
        unbindable_inet6 = i == 1;
        sk_handle s = MADE(sk_serve("tcp://:0", 0));
        CHECK_OK(sk_local_addr(s, &own));
        CHECK_EQ(own.family, SK_INET);
        CHECK_EQ(open_fds(), fds + 1);
        check_served(s, dialled("tcp", "127.0.0.1", s));
        CHECK_OK(sk_close(s));
        CHECK_FAILS(sk_serve("tcp://[::1]:0", 0), i == 0 ? SK_EAFNOSUPPORT : SK_EADDRNOTAVAIL);
        CHECK_EQ(open_fds(), fds);
    }
}

CASE(one_address)
{
    sk_handle s = MADE(sk_serve("tcp://127.0.0.2:0", 0));
    check_listening(s, 1);
    check_served(s, dialled("tcp", "127.0.0.2", s));
    CHECK_FAILS(sk_dial(dialled("tcp", "127.0.0.1", s), 5000), SK_ECONNREFUSED);
    sk_handle u = MADE(sk_serve("udp://127.0.0.2:0", 0));
    check_listening(u, 0);
    check_served(u, dialled("udp", "127.0.0.2", u));
    need_ipv6();
    s = MADE(sk_serve("tcp://[::1]:0", 0));
    check_served(s, dialled("tcp", "[::1]", s));
    CHECK_FAILS(sk_dial(dialled("tcp", "127.0.0.1", s), 5000), SK_ECONNREFUSED);
    CHECK_FAILS(sk_serve("tcp://203.0.113.77:0", 0), SK_EADDRNOTAVAIL);
}

CASE(unix_endpoints)
{
    use_folder();
    for (int k = 0; k < 3; k++) {
        sk_handle s = MADE(sk_serve(at(k), 0));
        check_listening(s, kinds[k].type != SK_DGRAM);
        check_served(s, at(k));
        CHECK_OK(sk_close(s));
        CHECK_EQ(unlink(path), 0);
    }
    snprintf(path, sizeof path, "@sk-serve-%d", getpid());
    for (int k = 0; k < 3; k++) {
        sk_handle s = MADE(sk_serve(at(k), 0));
        check_served(s, at(k));
        CHECK_FAILS(sk_serve(at(k), 0), SK_EADDRINUSE);
        check_served(s, at(k));
        CHECK_OK(sk_close(s));
    }
    remove_folder(folder);
}

CASE(the_backlog)
{
    sk_handle in_queue[8];
    int n = 0;
    use_folder();
    sk_handle s = MADE(sk_serve(at(0), 1));
    while ((in_queue[n] = sk_dial(at(0), 0)) > 0) CHECK_LT(++n, 8);
    CHECK_EQ(in_queue[n], SK_EAGAIN);
    CHECK_EQ(n, 2); /* Linux: one more */
    CHECK_OK(sk_close(s));
    s = MADE(sk_serve(at(0), -5));
    for (int i = 0; i < 200; i++) MADE(sk_dial(at(0), 0));
    remove_folder(folder);
}

CASE(names)
{
    RESOLVER_GIVES("203.0.113.77", "127.0.0.3", "127.0.0.1"); /* the first is not this machine's */
    int fds = open_fds();
    sk_handle s = MADE(sk_serve("tcp://example.test:0", 0));
    CHECK_EQ(resolver.tid, my_tid());
    CHECK_EQ(open_fds(), fds + 1);
    check_served(s, dialled("tcp", "127.0.0.3", s));
    /* In use: not the next address, where it would not be found. */
    CHECK_FAILS(sk_serve(dialled("tcp", "example.test", s), 0), SK_EADDRINUSE);
    RESOLVER_GIVES("203.0.113.77", "203.0.113.78");
    CHECK_FAILS(sk_serve("udp://example.test:0", 0), SK_EADDRNOTAVAIL);
    resolver.fails = EAI_NONAME;
    CHECK_FAILS(sk_serve("udp://example.test:0", 0), SK_EHOSTNOTFOUND);
    CHECK_EQ(open_fds(), fds + 1);
    CHECK_EQ(resolver.lists, 0);
    resolver.active = 0;
    s = MADE(sk_serve("tcp://localhost:0", 0));
    check_served(s, dialled("tcp", "localhost", s));
}

CASE(what_is_no_endpoint)
{
    static const char *const texts[] = {"", ":8080", "tcp://", "tcp://:", "tcp://127.0.0.1", "tcp://*:80", "tcp://::1:80", "http://:80", "unix:/a", "unix://", "unix://@", "unix://a/b"};
    int fds = open_fds();
    char long_path[200];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) CHECK_FAILS(sk_serve(texts[i], 0), SK_EADDRFORMAT);
    CHECK_FAILS(sk_serve(NULL, 0), SK_EINVAL);
    memset(long_path, 'p', sizeof long_path);
    memcpy(long_path, "unix:///", 8);
    long_path[7 + 109] = '\0';
    CHECK_FAILS(sk_serve(long_path, 0), SK_ENAMETOOLONG);
    CHECK_FAILS(sk_serve("unix:///nonexistent/s", 0), SK_ENOENT);
    CHECK_EQ(open_fds(), fds);
    CHECK_EQ(sk_open_count(), 0);
}

CASE(a_restarted_server_gets_its_port_at_once)
{
    sk_handle s = MADE(sk_serve("tcp://127.0.0.1:0", 0));
    const char *here = dialled("tcp", "127.0.0.1", s);
    sk_handle c = MADE(sk_dial(here, 5000)), accepted = MADE(sk_accept(s, NULL));
    CHECK_OK(sk_close(accepted)); /* our side ends first, and keeps the port in TIME_WAIT */
    CHECK_OK(sk_close(c));
    CHECK_OK(sk_close(s));
    s = MADE(sk_serve(here, 0));
    check_served(s, here);
}

/* --- Unix paths that are taken ---------------------------------------------------------------------------- */

/* Leaves the file of a dead server. */
static void leave_dead(int kind)
{
    sk_handle s = MADE(sk_socket(SK_UNIX, kinds[kind].type, 0));
    CHECK_OK(sk_bind(s, path, 0));
    if (kinds[kind].type != SK_DGRAM) CHECK_OK(sk_listen(s, 1));
    CHECK_OK(sk_close(s));
    CHECK_EQ(access(path, F_OK), 0);
}

CASE(the_place_of_a_dead_server)
{
    use_folder();
    for (int dead = 0; dead < 3; dead++) {
        for (int k = 0; k < 3; k++) {
            leave_dead(dead);
            int fds = open_fds();
            sk_handle s = MADE(sk_serve(at(k), 0));
            CHECK_EQ(open_fds(), fds + 1);
            check_served(s, at(k));
            CHECK_OK(sk_close(s));
            CHECK_EQ(unlink(path), 0);
        }
    }
    for (int i = 0; i < 3; i++) CHECK_OK(sk_close(MADE(sk_serve(at(i), 0)))); /* its own leftovers too */
    remove_folder(folder);
}

CASE(a_path_without_room_for_a_nul)
{
    use_folder();
    size_t len = strlen(folder);
    memset(path, 'p', 108);
    memcpy(path, folder, len);
    path[len] = '/';
    path[108] = '\0';
    leave_dead(0);
    sk_handle s = MADE(sk_serve(at(0), 0));
    check_served(s, at(0));
    CHECK_FAILS(sk_serve(at(0), 0), SK_EADDRINUSE);
    remove_folder(folder);
}

/* Nothing has come to a live server. */
static void check_undisturbed(sk_handle live, int type)
{
    char b;
    CHECK_OK(sk_set_option(live, SK_OPT_RECV_TIMEOUT, 0));
    if (type == SK_DGRAM) CHECK_FAILS(sk_recv(live, &b, 1, 0), SK_EAGAIN);
    else CHECK_FAILS(sk_accept(live, NULL), SK_EAGAIN);
    CHECK_GIVES(sk_wait(live, SK_READABLE, 0), 0);
}

CASE(never_the_place_of_a_live_server)
{
    use_folder();
    for (int alive = 0; alive < 3; alive++) {
        sk_handle live = MADE(sk_serve(at(alive), 0));
        ino_t before = inode();
        int fds = open_fds();
        for (int k = 0; k < 3; k++) {
            for (int round = 0; round < 3; round++) CHECK_FAILS(sk_serve(at(k), 0), SK_EADDRINUSE);
            check_undisturbed(live, kinds[alive].type);
        }
        CHECK_EQ(inode(), before);
        CHECK_EQ(open_fds(), fds);
        check_served(live, at(alive));
        CHECK_OK(sk_close(live));
        CHECK_EQ(unlink(path), 0);
    }
    remove_folder(folder);
}

CASE(bound_is_alive_whether_it_listens_or_not)
{
    use_folder();
    for (int alive = 0; alive < 3; alive++) {
        sk_handle live = MADE(sk_socket(SK_UNIX, kinds[alive].type, 0));
        CHECK_OK(sk_bind(live, path, 0));
        /* A datagram server that hears one peer only refuses others. */
        if (kinds[alive].type == SK_DGRAM) CHECK_OK(sk_connect(live, path, 0));
        for (int k = 0; k < 3; k++) CHECK_FAILS(sk_serve(at(k), 0), SK_EADDRINUSE);
        if (kinds[alive].type != SK_DGRAM) {
            CHECK_OK(sk_listen(live, 4));
            check_served(live, at(alive));
        }
        CHECK_OK(sk_close(live));
        CHECK_EQ(unlink(path), 0);
    }
    remove_folder(folder);
}

CASE(never_the_place_of_another_file)
{
    struct stat s;
    char dead[140];
    use_folder();
    leave_dead(0);
    snprintf(dead, sizeof dead, "%s/dead", folder);
    CHECK_EQ(rename(path, dead), 0);
    for (int file = 0; file < 5; file++) {
        switch (file) {
        case 0: CHECK_EQ(close(creat(path, 0600)), 0); break;
        case 1: CHECK_EQ(mkfifo(path, 0600), 0); break;
        case 2: CHECK_EQ(symlink(dead, path), 0); break;
        case 3: CHECK_EQ(symlink("nowhere", path), 0); break;
        default: CHECK_EQ(mkdir(path, 0700), 0); break;
        }
        ino_t before = inode();
        for (int k = 0; k < 3; k++) CHECK_FAILS(sk_serve(at(k), 0), SK_EADDRINUSE);
        CHECK_EQ(inode(), before);
        CHECK_EQ(lstat(dead, &s), 0);
        CHECK_EQ(file == 4 ? rmdir(path) : unlink(path), 0);
    }
    remove_folder(folder);
}

CASE(a_dead_file_that_may_not_be_removed)
{
    use_folder();
    leave_dead(0);
    int fds = open_fds();
    unlink_fails = 1;
    errno = 0;
    CHECK_EQ(sk_serve(at(0), 0), SK_EACCES);
    CHECK_EQ(errno, EPERM);
    unlink_fails = 0;
    CHECK_EQ(open_fds(), fds);
    CHECK_OK(sk_close(MADE(sk_serve(at(0), 0))));
    remove_folder(folder);
}

CASE(no_file_is_left_where_listening_fails)
{
    use_folder();
    listen_fails = 1;
    CHECK_FAILS(sk_serve(at(0), 0), SK_EADDRINUSE);
    CHECK_EQ(access(path, F_OK), -1);
    leave_dead(1);
    CHECK_FAILS(sk_serve(at(2), 0), SK_EADDRINUSE);
    CHECK_EQ(sk_open_count(), 0);
    remove_folder(folder);
}

/* --- Several at once ------------------------------------------------------------------------------------------ */

static sk_handle slower;
static enum place slower_stops_at;
static void serve_slowly(void *argument)
{
    (void)argument;
    stops_at = slower_stops_at;
    slower = sk_serve(at(0), 0);
}

CASE(one_that_found_a_dead_file_before_another_took_its_place)
{
    struct thread t;
    use_folder();
    leave_dead(0);
    slower_stops_at = BEFORE_PROBE;
    thread_start(&t, serve_slowly, NULL);
    await(&has_stopped); /* it knows which file it found */
    sk_handle s = MADE(sk_serve(at(0), 0));
    ino_t mine = inode();
    set(&may_go_on);
    thread_join(&t);
    CHECK_EQ(slower, SK_EADDRINUSE);
    CHECK_EQ(inode(), mine);
    check_undisturbed(s, SK_STREAM);
    check_served(s, at(0));
    remove_folder(folder);
}

CASE(one_that_is_about_to_remove_a_dead_file)
{
    struct thread t;
    use_folder();
    leave_dead(0);
    slower_stops_at = BEFORE_REMOVAL;
    thread_start(&t, serve_slowly, NULL);
    await(&has_stopped); /* it knows that the file is dead */
    CHECK_FAILS(sk_serve(at(0), 0), SK_EADDRINUSE);
    CHECK_FAILS(sk_serve(at(1), 0), SK_EADDRINUSE);
    set(&may_go_on);
    thread_join(&t);
    CHECK_GT(slower, 0);
    check_served(slower, at(0));
    remove_folder(folder);
}

struct rival {
    pthread_barrier_t *begin;
    sk_handle got;
};
static void contend(void *argument)
{
    struct rival *r = argument;
    char mine[200];
    snprintf(mine, sizeof mine, "unix://%s", path);
    pthread_barrier_wait(r->begin);
    r->got = sk_serve(mine, 0);
    CHECK(r->got > 0 || r->got == SK_EADDRINUSE);
}
CASE_WITHIN(of_many_that_start_at_once_one_gets_it, 60)
{
    enum { RIVALS = 6 };
    use_folder();
    for (int round = 0; round < 200; round++) {
        struct thread t[RIVALS];
        struct rival rivals[RIVALS];
        pthread_barrier_t begin;
        sk_handle winner = 0;
        CHECK_EQ(pthread_barrier_init(&begin, NULL, RIVALS), 0);
        leave_dead(round % 3);
        for (int i = 0; i < RIVALS; i++) {
            rivals[i].begin = &begin;
            thread_start(&t[i], contend, &rivals[i]);
        }
        for (int i = 0; i < RIVALS; i++) {
            thread_join(&t[i]);
            if (rivals[i].got > 0) {
                CHECK_EQ(winner, 0);
                winner = rivals[i].got;
            }
        }
        CHECK_GT(winner, 0);
        check_served(winner, at(0));
        CHECK_OK(sk_close(winner));
        CHECK_EQ(unlink(path), 0);
        CHECK_EQ(pthread_barrier_destroy(&begin), 0);
    }
    CHECK_EQ(sk_open_count(), 0);
    remove_folder(folder);
}
