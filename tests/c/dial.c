/* sk_dial: every kind of endpoint, and Happy Eyeballs where a name has several addresses. */
#include "resolver.h"
#include <net/if.h>
#include <sys/ioctl.h>

/* --- Between the library and the system: who was tried when ----------------------------------- */

static struct attempt {
    int64_t at_us;
    char host[64];
} attempts[300];
static int attempted, without_room;
/* 250 ms, but for what passes between the library's look at the clock and its call. */
enum { STAGGER_US = 200000 };

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
    const struct sockaddr *a = to.__sockaddr__;
    const void *host = a->sa_family == AF_INET ? (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr
                                               : (const void *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    if (resolver.active && (a->sa_family == AF_INET || a->sa_family == AF_INET6)) {
        struct attempt new = {now_us(), ""};
        int n = resolver_seen(&attempted), known = 0; /* the second call only asks how it went */
        CHECK(inet_ntop(a->sa_family, host, new.host, sizeof new.host) != NULL);
        for (int i = 0; i < n && !known; i++) known = strcmp(attempts[i].host, new.host) == 0;
        if (!known) {
            CHECK_LT(n, 300);
            attempts[n] = new;
            __atomic_store_n(&attempted, n + 1, __ATOMIC_SEQ_CST);
        }
    }
    return (int)syscall(SYS_connect, fd, a, len);
}

int socket(int domain, int type, int protocol)
{
    int fd = (int)syscall(SYS_socket, domain, type, protocol);
    if (fd < 0 && errno == EMFILE) __atomic_add_fetch(&without_room, 1, __ATOMIC_SEQ_CST);
    return fd;
}

/* --- Addresses with one port -------------------------------------------------------------------- */

/* Listens on a host at a port; 0 where it is taken. Port 0: any. */
static sk_handle listener_at(const char *host, uint16_t port, int backlog)
{
    sk_handle s = MADE(sk_socket(strchr(host, ':') ? SK_INET6 : SK_INET, SK_STREAM, 0));
    int r = sk_bind(s, host, port);
    if (r == SK_OK) r = sk_listen(s, backlog);
    if (r == SK_OK) return s;
    CHECK_EQ(r, SK_EADDRINUSE);
    CHECK_OK(sk_close(s));
    return 0;
}

/* Fills a listener's queue, so that whoever comes next gets no answer. */
static void silence(sk_handle l)
{
    sk_addr at;
    CHECK_OK(sk_local_addr(l, &at));
    for (;;) {
        sk_handle c = MADE(sk_socket(at.family, SK_STREAM, 0));
        CHECK_OK(sk_set_timeout(c, 60));
        int r = sk_connect_addr(c, &at);
        if (r == SK_ETIMEDOUT) {
            CHECK_OK(sk_close(c));
            return;
        }
        CHECK_EQ(r, SK_OK);
    }
}
static void make_answer(sk_handle l)
{
    CHECK_OK(sk_set_timeout(l, 0));
    for (;;) {
        sk_handle s = sk_accept(l, NULL);
        if (s == SK_EAGAIN) return;
        CHECK_GT(s, 0);
    }
}

/* Listeners on up to three hosts, all at one port. */
static sk_handle listeners[3];
static uint16_t listen_on(const char *one, const char *two, const char *three)
{
    for (;;) {
        listeners[0] = listener_at(one, 0, 1);
        uint16_t port = port_of(listeners[0]);
        listeners[1] = two == NULL ? 0 : listener_at(two, port, 1);
        listeners[2] = three == NULL ? 0 : listener_at(three, port, 1);
        if ((two == NULL || listeners[1]) && (three == NULL || listeners[2])) return port;
        for (int i = 0; i < 3; i++) {
            if (listeners[i]) CHECK_OK(sk_close(listeners[i]));
        }
    }
}
static const char *endpoint(const char *scheme, const char *host, uint16_t port)
{
    static char text[300];
    snprintf(text, sizeof text, "%s://%s:%u", scheme, host, port);
    return text;
}
/* The host's name, whatever it is: the resolver gives what it was told. */
static const char *at(uint16_t port)
{
    return endpoint("tcp", "example.test", port);
}

static struct {
    int fds;
    int64_t handles;
} before;
static void count_before(void)
{
    before.fds = open_fds();
    before.handles = sk_open_count();
    attempted = 0;
}
static void check_none_left(int more)
{
    CHECK_EQ(open_fds(), before.fds + more);
    CHECK_EQ(sk_open_count(), before.handles + more);
    CHECK_EQ(resolver.lists, 0);
}
static void check_peer(sk_handle s, const char *host)
{
    sk_addr peer, wanted;
    CHECK_OK(sk_peer_addr(s, &peer));
    CHECK_OK(sk_addr_parse(host, &wanted));
    wanted.port = peer.port;
    CHECK(sk_addr_equal(&peer, &wanted));
}
/* What holds for every dialled socket. */
static void check_defaults(sk_handle s)
{
    static const int limits[] = {SK_OPT_RECV_TIMEOUT, SK_OPT_SEND_TIMEOUT, SK_OPT_CONNECT_TIMEOUT};
    int64_t v = 0, family = 0, type = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(sk_get_option(s, limits[i], &v));
        CHECK_EQ(v, SK_FOREVER);
    }
    CHECK_OK(sk_get_option(s, SK_OPT_FAMILY, &family));
    CHECK_OK(sk_get_option(s, SK_OPT_TYPE, &type));
    if (family != SK_UNIX && type == SK_STREAM) {
        CHECK_OK(sk_get_option(s, SK_OPT_NODELAY, &v));
        CHECK_EQ(v, 1);
    }
    if (family == SK_INET6) {
        CHECK_OK(sk_get_option(s, SK_OPT_V6ONLY, &v));
        CHECK_EQ(v, 0);
    }
    int fd = (int)sk_fd(s);
    CHECK_GE(fd, 0);
    CHECK_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}
/* Bytes go both ways. */
static void check_alive(sk_handle client, sk_handle server)
{
    char b[4];
    CHECK_GIVES(sk_send(client, "ping", 4, 0), 4);
    CHECK_GIVES(sk_recv(server, b, 4, 0), 4);
    CHECK_GIVES(sk_send(server, "pong", 4, 0), 4);
    CHECK_GIVES(sk_recv(client, b, 4, 0), 4);
    CHECK_EQ(memcmp(b, "pong", 4), 0);
}

/* --- Numeric endpoints ---------------------------------------------------------------------------- */

static const int64_t limits[] = {SK_FOREVER, 10000};

CASE(tcp)
{
    for (int v6 = 0; v6 < 2; v6++) {
        for (int i = 0; i < 2; i++) {
            if (v6) need_ipv6();
            sk_handle l = listener_at(v6 ? "::1" : "127.0.0.1", 0, 4);
            sk_handle c = MADE(sk_dial(endpoint("tcp", v6 ? "[::1]" : "127.0.0.1", port_of(l)), limits[i]));
            sk_handle s = MADE(sk_accept(l, NULL));
            check_alive(c, s);
            check_defaults(c);
            CHECK_FAILS(sk_connect(c, "127.0.0.1", 9), SK_EISCONN);
        }
    }
}

CASE(udp)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]", "localhost"};
    need_ipv6();
    for (int h = 0; h < 3; h++) {
        sk_handle server = MADE(sk_socket(SK_INET6, SK_DGRAM, 0));
        CHECK_OK(sk_bind(server, NULL, 0));
        for (int i = 0; i < 2; i++) {
            sk_addr from;
            char b;
            sk_handle c = MADE(sk_dial(endpoint("udp", hosts[h], port_of(server)), limits[i]));
            check_defaults(c);
            CHECK_GIVES(sk_send(c, "x", 1, 0), 1);
            CHECK_GIVES(sk_recv_from(server, &b, 1, 0, &from), 1);
            CHECK_GIVES(sk_send_to(server, "y", 1, 0, &from), 1);
            CHECK_GIVES(sk_recv(c, &b, 1, 0), 1);
            CHECK_EQ(b, 'y');
        }
        CHECK_OK(sk_close(server));
    }
    CHECK_OK(sk_close(MADE(sk_dial("udp://127.0.0.1:9", 0)))); /* nothing to wait for */
}

CASE(unix_endpoints)
{
    static const struct {
        const char *scheme;
        int type;
    } kinds[] = {{"unix", SK_STREAM}, {"unix-dgram", SK_DGRAM}, {"unix-seqpacket", SK_SEQPACKET}};
    static const int64_t all_limits[] = {SK_FOREVER, 10000, 0};
    char *folder = make_folder();
    for (int k = 0; k < 3; k++) {
        for (int abstract = 0; abstract < 2; abstract++) {
            char name[100], text[140];
            if (abstract) snprintf(name, sizeof name, "@sk-dial-%d-%d", getpid(), k);
            else snprintf(name, sizeof name, "%s/s%d", folder, k);
            snprintf(text, sizeof text, "%s://%s", kinds[k].scheme, name);
            sk_handle server = MADE(sk_socket(SK_UNIX, kinds[k].type, 0));
            CHECK_OK(sk_bind(server, name, 0));
            if (kinds[k].type != SK_DGRAM) CHECK_OK(sk_listen(server, 4));
            for (int i = 0; i < 3; i++) {
                sk_handle c = MADE(sk_dial(text, all_limits[i]));
                check_defaults(c);
                if (kinds[k].type == SK_DGRAM) {
                    sk_addr from, own;
                    char b;
                    CHECK_GIVES(sk_send(c, "x", 1, 0), 1);
                    CHECK_GIVES(sk_recv_from(server, &b, 1, 0, &from), 1);
                    CHECK_OK(sk_local_addr(c, &own));
                    CHECK(sk_addr_equal(&own, &from));
                    CHECK(from.path_len > 1 && from.path[0] == '\0');
                    CHECK_GIVES(sk_send_to(server, "y", 1, 0, &from), 1);
                    CHECK_GIVES(sk_recv(c, &b, 1, 0), 1);
                } else {
                    check_alive(c, MADE(sk_accept(server, NULL)));
                }
            }
        }
    }
    remove_folder(folder);
}

CASE(what_is_no_endpoint)
{
    static const char *const texts[] = {
        "", "127.0.0.1:80", "tcp://127.0.0.1", "tcp://127.1:80", "tcp://::1:80", "tcp://[::1]", "tcp://a b:80", "tcp://a:http",
        "http://a:80", "TCP://a:80", "tcp://a:80/", "tcp:a:80", "unix:/a", "unix://a/b", "unix://@", "unix:", "tcp://:80", "udp://:80",
        "tcp://127.0.0.1:0", "udp://[::1]:0", "tcp://example.test:0", "unix:///a\\x00",
    };
    char path[200], host[300];
    RESOLVER_GIVES("127.0.0.1");
    count_before();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK_FAILS(sk_dial(texts[i], 1000), SK_EADDRFORMAT);
        CHECK_FAILS(sk_dial(texts[i], 0), SK_EADDRFORMAT);
    }
    CHECK_FAILS(sk_dial(NULL, 0), SK_EINVAL);
    CHECK_FAILS(sk_dial("tcp://127.0.0.1:80", -2), SK_EINVAL);
    CHECK_FAILS(sk_dial("tcp://127.0.0.1:80", INT64_MIN), SK_EINVAL);
    memset(path, 'p', sizeof path);
    memcpy(path, "unix:///", 8);
    path[120] = '\0';
    CHECK_FAILS(sk_dial(path, 1000), SK_ENAMETOOLONG);
    memset(host, 'h', sizeof host);
    memcpy(host, "tcp://", 6);
    strcpy(host + 290, ":80");
    CHECK_FAILS(sk_dial(host, 1000), SK_ENAMETOOLONG);
    CHECK_FAILS(sk_dial("tcp://[fe80::1%nosuchzone]:80", 1000), SK_ENOENT);
    CHECK_EQ(resolver.calls, 0);
    check_none_left(0);
}

CASE(limit_zero)
{
    sk_handle l = listener_at("127.0.0.1", 0, 1), s;
    int64_t v = 4711;
    char b;
    /* A peer that is there. */
    sk_handle c = MADE(sk_dial(endpoint("tcp", "127.0.0.1", port_of(l)), 0));
    CHECK_EQ(sk_wait(c, SK_WRITABLE, 5000), 1);
    CHECK_OK(sk_get_option(c, SK_OPT_ERROR, &v));
    CHECK_EQ(v, SK_OK);
    s = MADE(sk_accept(l, NULL));
    check_alive(c, s);
    CHECK_OK(sk_set_option(c, SK_OPT_RECV_TIMEOUT, 20)); /* it waits as others do */
    CHECK_FAILS(sk_recv(c, &b, 1, 0), SK_ETIMEDOUT);
    /* One that gives no answer. */
    silence(l);
    c = MADE(sk_dial(endpoint("tcp", "127.0.0.1", port_of(l)), 0));
    CHECK_GIVES(sk_wait(c, SK_WRITABLE, 50), 0);
    CHECK_OK(sk_set_timeout(c, 30));
    CHECK_FAILS(sk_connect(c, "127.0.0.1", port_of(l)), SK_ETIMEDOUT); /* the attempt can be waited for */
    CHECK_OK(sk_close(c));
    c = MADE(sk_dial(endpoint("tcp", "127.0.0.1", port_of(l)), 0));
    make_answer(l);
    CHECK_OK(sk_set_timeout(c, 15000));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    CHECK_OK(sk_close(c));
    /* One that refuses, now or later. */
    uint16_t port = port_of(l);
    CHECK_OK(sk_close(l));
    c = sk_dial(endpoint("tcp", "127.0.0.1", port), 0);
    if (c > 0) {
        CHECK_EQ(sk_wait(c, SK_WRITABLE, 5000), 1);
        CHECK_OK(sk_get_option(c, SK_OPT_ERROR, &v));
        CHECK_EQ(v, SK_ECONNREFUSED);
    } else {
        CHECK_EQ(c, SK_ECONNREFUSED);
    }
    /* A name. */
    RESOLVER_GIVES("127.0.0.1");
    count_before();
    CHECK_FAILS(sk_dial(at(port), 0), SK_EAGAIN);
    CHECK_FAILS(sk_dial(endpoint("udp", "example.test", port), 0), SK_EAGAIN);
    CHECK_EQ(resolver.calls, 0);
    check_none_left(0);
}

CASE(unix_failures)
{
    char *folder = make_folder(), text[200], path[100];
    snprintf(path, sizeof path, "%s/s", folder);
    snprintf(text, sizeof text, "unix://%s", path);
    CHECK_FAILS(sk_dial(text, 1000), SK_ENOENT);
    sk_handle l = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_OK(sk_bind(l, path, 0));
    CHECK_FAILS(sk_dial(text, 1000), SK_ECONNREFUSED);
    CHECK_OK(sk_listen(l, 1));
    sk_handle in_queue[8];
    int n = 0;
    while ((in_queue[n] = sk_dial(text, 0)) > 0) CHECK_LT(++n, 8);
    CHECK_EQ(in_queue[n], SK_EAGAIN);
    count_before();
    CHECK_FAILS(sk_dial(text, 0), SK_EAGAIN);
    int64_t start = now_us();
    CHECK_FAILS(sk_dial(text, 50), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 50000);
    CHECK_LT(now_us() - start, 1000000);
    snprintf(text, sizeof text, "unix-dgram://%s", path);
    errno = 0;
    CHECK_EQ(sk_dial(text, 1000), SK_EPROTONOSUPPORT);
    CHECK_EQ(errno, EPROTOTYPE);
    check_none_left(0);
    remove_folder(folder);
}

CASE(refused_and_out_of_time)
{
    uint16_t port = listen_on("127.0.0.1", NULL, NULL);
    count_before();
    CHECK_FAILS(sk_dial(endpoint("tcp", "127.0.0.9", port), SK_FOREVER), SK_ECONNREFUSED);
    CHECK_FAILS(sk_dial(endpoint("tcp", "127.0.0.9", port), 5000), SK_ECONNREFUSED);
    silence(listeners[0]);
    count_before();
    int64_t start = now_us();
    CHECK_FAILS(sk_dial(endpoint("tcp", "127.0.0.1", port), 60), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 60000);
    CHECK_LT(now_us() - start, 1000000);
    check_none_left(0);
}

/* --- Names: Happy Eyeballs --------------------------------------------------------------------------- */

CASE(a_name_with_one_address)
{
    uint16_t port = listen_on("127.0.0.1", NULL, NULL);
    RESOLVER_GIVES("127.0.0.1", "127.0.0.1");
    for (int i = 0; i < 2; i++) {
        count_before();
        sk_handle c = MADE(sk_dial(at(port), limits[i]));
        CHECK_TEXT(resolver.host, "example.test");
        CHECK_EQ(resolver.family, AF_UNSPEC);
        CHECK_EQ(resolver.tid == my_tid(), i == 0);
        resolver_await_end();
        check_none_left(1);
        check_defaults(c);
        check_alive(c, MADE(sk_accept(listeners[0], NULL)));
        CHECK_OK(sk_close(c));
    }
}

CASE(a_silent_address_is_passed_after_250_ms)
{
    uint16_t port = listen_on("127.0.0.2", "127.0.0.1", NULL);
    silence(listeners[0]);
    RESOLVER_GIVES("127.0.0.2", "127.0.0.1", "127.0.0.3");
    for (int i = 0; i < 2; i++) {
        count_before();
        sk_handle c = MADE(sk_dial(at(port), limits[i]));
        check_peer(c, "127.0.0.1");
        CHECK_EQ(attempted, 2);
        CHECK_GE(attempts[1].at_us - attempts[0].at_us, STAGGER_US);
        CHECK_LT(attempts[1].at_us - attempts[0].at_us, 1000000);
        resolver_await_end();
        check_none_left(1); /* the silent one is closed */
        check_defaults(c);
        check_alive(c, MADE(sk_accept(listeners[1], NULL)));
        CHECK_OK(sk_close(c));
    }
}

CASE(a_silent_first_family)
{
    need_ipv6();
    uint16_t port = listen_on("::1", "127.0.0.1", NULL);
    CHECK_OK(sk_close(listeners[1]));
    silence(listeners[0]);
    listeners[1] = listener_at("127.0.0.1", port, 4);
    CHECK_GT(listeners[1], 0);
    RESOLVER_GIVES("::1", "127.0.0.1");
    count_before();
    sk_handle c = MADE(sk_dial(at(port), 10000));
    check_peer(c, "127.0.0.1");
    check_none_left(1);
}

CASE(a_refused_address_is_passed_at_once)
{
    uint16_t port = listen_on("127.0.0.1", NULL, NULL);
    RESOLVER_GIVES("127.0.0.9", "127.0.0.8", "127.0.0.7", "127.0.0.1");
    count_before();
    int64_t start = now_us();
    sk_handle c = MADE(sk_dial(at(port), 10000));
    CHECK_LT(now_us() - start, 700000); /* not three times 250 ms */
    check_peer(c, "127.0.0.1");
    CHECK_EQ(attempted, 4);
    check_none_left(1);
    check_defaults(c);
}

static struct {
    const char *to;
    int64_t limit;
    sk_handle made;
    int error;
} dialling;
static void dial(void *argument)
{
    (void)argument;
    errno = ERRNO_UNTOUCHED;
    dialling.made = sk_dial(dialling.to, dialling.limit);
    dialling.error = errno;
}
static void await_attempts(int n)
{
    while (resolver_seen(&attempted) < n) sched_yield();
}

CASE(the_earlier_attempt_stays_alive)
{
    struct thread t;
    uint16_t port = listen_on("127.0.0.1", "127.0.0.2", NULL);
    silence(listeners[0]);
    silence(listeners[1]);
    RESOLVER_GIVES("127.0.0.1", "127.0.0.2");
    count_before();
    dialling.to = at(port);
    dialling.limit = SK_FOREVER;
    thread_start(&t, dial, NULL);
    await_attempts(2);
    make_answer(listeners[0]); /* the system repeats its SYN a second after the first */
    thread_join(&t);
    CHECK_GT(dialling.made, 0);
    CHECK_EQ(dialling.error, ERRNO_UNTOUCHED);
    check_peer(dialling.made, "127.0.0.1");
    CHECK_OK(sk_set_timeout(listeners[0], 5000));
    check_alive(dialling.made, MADE(sk_accept(listeners[0], NULL)));
    check_defaults(dialling.made);
}

CASE(families_take_turns)
{
    /* Nobody there; and the answer of the host that was reached is told, not the lack of a route. */
    uint16_t port = listen_on("127.0.0.1", NULL, NULL);
    RESOLVER_GIVES("2001:db8::1", "2001:db8::2", "2001:db8::3", "127.0.0.3", "127.0.0.4");
    static const char *const order[] = {"2001:db8::1", "127.0.0.3", "2001:db8::2", "127.0.0.4", "2001:db8::3"};
    count_before();
    int64_t r = sk_dial(at(port), 3000);
    CHECK(r == SK_ECONNREFUSED || r == SK_ETIMEDOUT); /* where there is a route to nowhere */
    CHECK_EQ(attempted, 5);
    for (int i = 0; i < 5; i++) CHECK_TEXT(attempts[i].host, order[i]);
    resolver_await_end();
    check_none_left(0);
}

CASE(all_refuse)
{
    uint16_t port = listen_on("127.0.0.1", NULL, NULL);
    RESOLVER_GIVES("127.0.0.2", "127.0.0.3", "127.0.0.4");
    for (int i = 0; i < 2; i++) {
        count_before();
        CHECK_FAILS(sk_dial(at(port), limits[i]), SK_ECONNREFUSED);
        CHECK_EQ(attempted, 3);
        resolver_await_end();
        check_none_left(0);
    }
}

CASE(the_limit_covers_the_whole)
{
    uint16_t port = listen_on("127.0.0.1", "127.0.0.2", "127.0.0.3");
    for (int i = 0; i < 3; i++) silence(listeners[i]);
    RESOLVER_GIVES("127.0.0.1", "127.0.0.2", "127.0.0.3");
    resolver.slow_us = 400000;
    count_before();
    int64_t start = now_us();
    CHECK_FAILS(sk_dial(at(port), 700), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 700000);
    CHECK_LT(now_us() - start, 1080000); /* the look-up included */
    CHECK_LE(attempted, 2);
    resolver_await_end();
    check_none_left(0);
    /* A limit that ends during the look-up. */
    count_before();
    resolver_block();
    start = now_us();
    CHECK_FAILS(sk_dial(at(port), 50), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 50000);
    CHECK_LT(now_us() - start, 1000000);
    resolver_open();
    resolver_await_end();
    CHECK_EQ(attempted, 0);
    check_none_left(0);
}

CASE(failures_of_the_look_up)
{
    RESOLVER_GIVES("127.0.0.1");
    static const int fails[] = {EAI_NONAME, EAI_AGAIN}, codes[] = {SK_EHOSTNOTFOUND, SK_ERESOLVE};
    for (int i = 0; i < 2; i++) {
        resolver.fails = fails[i];
        CHECK_FAILS(sk_dial("tcp://h:80", SK_FOREVER), codes[i]);
        CHECK_FAILS(sk_dial("udp://h:80", 5000), codes[i]);
    }
}

CASE(udp_takes_the_first_address_that_there_is_a_way_to)
{
    RESOLVER_GIVES("255.255.255.255", "127.0.0.1", "127.0.0.2"); /* broadcast needs an option */
    count_before();
    sk_handle c = MADE(sk_dial("udp://h:9", 5000));
    check_peer(c, "127.0.0.1");
    CHECK_EQ(attempted, 2);
    check_none_left(1);
}

CASE(many_addresses)
{
    static char texts[300][24];
    static const char *list[301];
    for (int i = 0; i < 300; i++) {
        snprintf(texts[i], sizeof texts[i], i < 150 ? "2001:db8::%d" : "127.0.1.%d", i < 150 ? i + 1 : i - 149);
        list[i] = texts[i];
    }
    uint16_t port = listen_on("127.0.0.1", NULL, NULL);
    resolver_gives(list + 150);
    count_before();
    CHECK_FAILS(sk_dial(at(port), 10000), SK_ECONNREFUSED);
    CHECK_EQ(attempted, 16); /* as many of each family */
    resolver_gives(list);
    count_before();
    CHECK_EQ(sk_dial(at(port), 3000) < 0, 1);
    CHECK_LE(attempted, 32);
    CHECK_TEXT(attempts[1].host, "127.0.1.1");
    resolver_await_end();
    check_none_left(0);
}

static void ignore(int signal_number) { (void)signal_number; }
CASE(signals)
{
    struct sigaction action;
    struct thread t;
    memset(&action, 0, sizeof action);
    action.sa_handler = ignore; /* no SA_RESTART */
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    uint16_t port = listen_on("127.0.0.1", "127.0.0.2", NULL);
    silence(listeners[0]);
    silence(listeners[1]);
    RESOLVER_GIVES("127.0.0.1", "127.0.0.2");
    count_before();
    dialling.to = at(port);
    dialling.limit = 1000;
    int64_t start = now_us();
    thread_start(&t, dial, NULL);
    while (pthread_tryjoin_np(t.id, NULL) != 0) {
        CHECK_EQ(pthread_kill(t.id, SIGUSR1), 0);
        CHECK_LT(now_us() - start, 5000000);
        sched_yield();
    }
    CHECK_EQ(dialling.made, SK_ETIMEDOUT);
    CHECK_EQ(dialling.error, ETIMEDOUT);
    CHECK_GE(t.ended_us - start, 1000000);
    CHECK_EQ(attempted, 2);
    CHECK_GE(attempts[1].at_us - attempts[0].at_us, STAGGER_US);
    check_none_left(0);
}

/* --- Descriptors run out -------------------------------------------------------------------------------- */

static void limit_descriptors(rlim_t limit)
{
    struct rlimit l;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &l), 0);
    l.rlim_cur = limit;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &l), 0);
}
/* So many more, or any number. */
enum { ANY_NUMBER = -1 };
static void allow_descriptors(int more)
{
    struct rlimit l;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &l), 0);
    limit_descriptors(l.rlim_max);
    if (more == ANY_NUMBER) return;
    int next = dup(0);
    CHECK_GE(next, 0);
    for (int fd = next + 1; fd < next + more; fd++) CHECK(!is_open_fd(fd));
    close(next);
    limit_descriptors((rlim_t)(next + more));
}

CASE(no_descriptor_for_a_second_attempt)
{
    RESOLVER_GIVES("127.0.0.1", "127.0.0.2");
    for (int refused = 0; refused < 2; refused++) {
        struct thread t;
        uint16_t port = listen_on("127.0.0.1", "127.0.0.2", NULL);
        silence(listeners[0]);
        count_before();
        without_room = 0;
        dialling.to = at(port);
        dialling.limit = SK_FOREVER;
        allow_descriptors(1);
        thread_start(&t, dial, NULL);
        while (resolver_seen(&without_room) == 0) sched_yield();
        CHECK_EQ(attempted, 1);
        /* The first goes on. If it gets through, well; if not, there is a descriptor for the second. */
        allow_descriptors(ANY_NUMBER);
        if (refused) CHECK_OK(sk_close(listeners[0]));
        else make_answer(listeners[0]);
        thread_join(&t);
        CHECK_GT(dialling.made, 0);
        CHECK_EQ(dialling.error, ERRNO_UNTOUCHED);
        CHECK_EQ(without_room, 1); /* it was not tried again and again */
        check_peer(dialling.made, refused ? "127.0.0.2" : "127.0.0.1");
        CHECK_OK(sk_close(dialling.made));
    }
}

CASE(no_descriptor_at_all)
{
    uint16_t port = listen_on("127.0.0.1", "127.0.0.2", NULL);
    RESOLVER_GIVES("127.0.0.1", "127.0.0.2");
    count_before();
    allow_descriptors(0);
    CHECK_FAILS(sk_dial(at(port), 10000), SK_EMFILE);
    CHECK_FAILS(sk_dial(endpoint("tcp", "127.0.0.1", port), 10000), SK_EMFILE);
    allow_descriptors(1);
    CHECK_FAILS(sk_dial(endpoint("tcp", "127.0.0.9", port), 10000), SK_ECONNREFUSED);
    CHECK_OK(sk_close(MADE(sk_dial(at(port), 10000))));
    resolver_await_end();
    allow_descriptors(ANY_NUMBER);
    check_none_left(0);
}

/* --- In a network of its own ---------------------------------------------------------------------------- */

/* It ends with this process. */
static void new_network(void)
{
    struct ifreq lo;
    if (unshare(CLONE_NEWNET) != 0) SKIP("no network namespace may be made here (unshare: errno %d)", errno);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memset(&lo, 0, sizeof lo);
    strcpy(lo.ifr_name, "lo");
    CHECK_EQ(ioctl(fd, SIOCGIFFLAGS, &lo), 0);
    lo.ifr_flags |= IFF_UP;
    CHECK_EQ(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
    close(fd);
}
static void ip(const char *arguments)
{
    char command[200];
    snprintf(command, sizeof command, "ip %s 2>&1", arguments);
    if (system(command) != 0) SKIP("not possible here: %s", command);
}

CASE(no_route_to_the_first_family)
{
    new_network();
    uint16_t port = listen_on("127.0.0.1", NULL, NULL);
    RESOLVER_GIVES("2001:db8::1", "2001:db8::2", "127.0.0.1");
    count_before();
    int64_t start = now_us();
    sk_handle c = MADE(sk_dial(at(port), 10000));
    CHECK_LT(now_us() - start, 480000); /* not twice 250 ms */
    check_peer(c, "127.0.0.1");
    CHECK_OK(sk_close(c));
    /* Of all failures the one that came farthest is told, in whatever order they come. */
    RESOLVER_GIVES("2001:db8::1", "127.0.0.2");
    CHECK_FAILS(sk_dial(at(port), 10000), SK_ECONNREFUSED);
    RESOLVER_GIVES("127.0.0.2", "2001:db8::1");
    CHECK_FAILS(sk_dial(at(port), 10000), SK_ECONNREFUSED);
    RESOLVER_GIVES("2001:db8::1", "10.1.2.3");
    CHECK_FAILS(sk_dial(at(port), 10000), SK_ENETUNREACH);
    resolver_await_end();
    check_none_left(0);
}

CASE(routes_that_lead_nowhere)
{
    new_network();
    ip("route add unreachable 10.1.0.0/16");
    ip("route add prohibit 10.2.0.0/16");
    uint16_t port = listen_on("127.0.0.1", NULL, NULL);
    count_before();
    RESOLVER_GIVES("10.9.0.1", "10.1.0.1");
    CHECK_FAILS(sk_dial(at(port), 10000), SK_EHOSTUNREACH);
    RESOLVER_GIVES("10.9.0.1", "10.1.0.1", "10.2.0.1");
    CHECK_FAILS(sk_dial(at(port), 10000), SK_EACCES);
    RESOLVER_GIVES("10.1.0.1", "10.2.0.1", "127.0.0.2", "10.9.0.1");
    CHECK_FAILS(sk_dial(at(port), 10000), SK_ECONNREFUSED);
    resolver_await_end();
    check_none_left(0);
}

CASE(a_network_that_swallows_everything)
{
    new_network();
    ip("link add hole0 type veth peer name hole1");
    ip("addr add 10.3.0.1/24 dev hole0");
    ip("addr add 2001:db8::1/64 dev hole0 nodad");
    ip("link set hole1 arp off up");
    ip("link set hole0 arp off up"); /* nobody has to say that he is there, and nobody is */
    uint16_t port = listen_on("127.0.0.1", NULL, NULL);
    RESOLVER_GIVES("2001:db8::9", "10.3.0.9", "2001:db8::8", "127.0.0.1");
    count_before();
    sk_handle c = MADE(sk_dial(at(port), 15000));
    check_peer(c, "127.0.0.1");
    CHECK_EQ(attempted, 4);
    for (int i = 1; i < 4; i++) {
        CHECK_GE(attempts[i].at_us - attempts[i - 1].at_us, STAGGER_US);
    }
    CHECK_OK(sk_close(c));
    RESOLVER_GIVES("2001:db8::9", "10.3.0.9");
    CHECK_FAILS(sk_dial(at(port), 400), SK_ETIMEDOUT);
    resolver_await_end();
    check_none_left(0);
}
