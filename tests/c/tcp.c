/* TCP over IPv4, IPv6 and dual-stack: the road of a server and its client. */
#include "check.h"

#define BOTH(name)                                                                                 \
    static void name(int family);                                                                  \
    CASE(name##_ipv4) { name(SK_INET); }                                                           \
    CASE(name##_ipv6)                                                                              \
    {                                                                                              \
        need_ipv6();                                                                               \
        name(SK_INET6);                                                                            \
    }                                                                                              \
    static void name(int family)

static void check_loopback(const sk_addr *a, int family, uint16_t port)
{
    static const uint8_t four[4] = {127, 0, 0, 1};
    static const uint8_t six[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    CHECK_EQ(a->family, family);
    CHECK_EQ(a->port, port);
    CHECK_EQ(a->scope_id, 0);
    CHECK_EQ(a->flow_info, 0);
    CHECK_EQ(a->path_len, 0);
    if (family == SK_INET) CHECK(memcmp(a->ip, four, 4) == 0);
    else CHECK(memcmp(a->ip, six, 16) == 0);
}

BOTH(client_and_server_talk)
{
    sk_handle l = tcp_listener(family, 8);
    sk_handle c = MADE(sk_socket(family, SK_STREAM, SK_PROTO_TCP));
    CHECK_OK(sk_connect(c, loopback(family), port_of(l)));
    sk_addr peer;
    sk_handle s = MADE(sk_accept(l, &peer));
    check_loopback(&peer, family, port_of(c));
    char b[16];
    CHECK_GIVES(sk_send(c, "question", 8, 0), 8);
    CHECK_GIVES(sk_recv(s, b, sizeof b, 0), 8);
    CHECK(memcmp(b, "question", 8) == 0);
    CHECK_GIVES(sk_send(s, "answer", 6, 0), 6);
    CHECK_GIVES(sk_recv(c, b, sizeof b, 0), 6);
    CHECK(memcmp(b, "answer", 6) == 0);
    CHECK_OK(sk_close(s));
    CHECK_GIVES(sk_recv(c, b, sizeof b, 0), 0);
    CHECK_GIVES(sk_recv(c, b, sizeof b, 0), 0);
    CHECK_OK(sk_close(c));
    CHECK_OK(sk_close(l));
}

BOTH(addresses_of_both_ends)
{
    sk_handle l = tcp_listener(family, 8);
    sk_handle c = MADE(sk_socket(family, SK_STREAM, 0));
    sk_addr a;
    CHECK_OK(sk_local_addr(c, &a));
    CHECK_EQ(a.family, family);
    CHECK_EQ(a.port, 0);
    memset(&a, 0x77, sizeof a);
    CHECK_FAILS(sk_peer_addr(c, &a), SK_ENOTCONN);
    CHECK_EQ(a.family, 0x7777);
    CHECK_FAILS(sk_peer_addr(l, &a), SK_ENOTCONN);
    CHECK_OK(sk_connect(c, loopback(family), port_of(l)));
    sk_handle s = MADE(sk_accept(l, NULL));
    CHECK_OK(sk_local_addr(l, &a));
    check_loopback(&a, family, port_of(l));
    CHECK_OK(sk_peer_addr(c, &a));
    check_loopback(&a, family, port_of(l));
    CHECK_OK(sk_local_addr(s, &a));
    check_loopback(&a, family, port_of(l));
    CHECK_OK(sk_peer_addr(s, &a));
    check_loopback(&a, family, port_of(c));
}

BOTH(refused_connections_say_so_and_the_socket_can_try_again)
{
    sk_handle l = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_bind(l, loopback(family), 0));
    sk_handle c = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_FAILS(sk_connect(c, loopback(family), port_of(l)), SK_ECONNREFUSED);
    CHECK_FAILS(sk_connect(c, loopback(family), port_of(l)), SK_ECONNREFUSED);
    CHECK_OK(sk_listen(l, 1));
    CHECK_OK(sk_connect(c, loopback(family), port_of(l)));
    CHECK_FAILS(sk_connect(c, loopback(family), port_of(l)), SK_EISCONN);
}

BOTH(connect_to_an_address)
{
    sk_handle l = tcp_listener(family, 8);
    sk_addr to;
    CHECK_OK(sk_local_addr(l, &to));
    sk_handle c = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_connect_addr(c, &to));
    sk_addr got;
    CHECK_OK(sk_peer_addr(c, &got));
    CHECK_GIVES(sk_addr_equal(&to, &got), 1);
    CHECK_FAILS(sk_connect_addr(c, &to), SK_EISCONN);
}

BOTH(two_listeners_on_one_port_are_refused)
{
    sk_handle a = tcp_listener(family, 8);
    sk_handle b = MADE(sk_socket(family, SK_STREAM, 0));
    int r = sk_bind(b, loopback(family), port_of(a));
    if (r == SK_OK) r = sk_listen(b, 8);
    CHECK_EQ(r, SK_EADDRINUSE);
    CHECK_EQ(errno, EADDRINUSE);
}

/* The server ends first, so that its side stays in TIME_WAIT. */
BOTH(a_restarted_server_binds_at_once)
{
    sk_handle l = tcp_listener(family, 8);
    uint16_t port = port_of(l);
    sk_handle c = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, loopback(family), port));
    sk_handle s = MADE(sk_accept(l, NULL));
    CHECK_OK(sk_close(s));
    char b;
    CHECK_GIVES(sk_recv(c, &b, 1, 0), 0);
    CHECK_OK(sk_close(c));
    CHECK_OK(sk_close(l));
    l = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_bind(l, loopback(family), port));
    CHECK_OK(sk_listen(l, 8));
}

BOTH(without_reuse_addr_the_restart_waits)
{
    sk_handle l = tcp_listener(family, 8);
    uint16_t port = port_of(l);
    sk_handle c = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, loopback(family), port));
    sk_handle s = MADE(sk_accept(l, NULL));
    CHECK_OK(sk_close(l));
    l = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_set_option(l, SK_OPT_REUSE_ADDR, 0));
    CHECK_FAILS(sk_bind(l, loopback(family), port), SK_EADDRINUSE);
    CHECK_OK(sk_close(s));
}

BOTH(bind_wants_a_numeric_address_of_its_family)
{
    sk_handle s = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_FAILS(sk_bind(s, "localhost", 0), SK_EADDRFORMAT);
    CHECK_FAILS(sk_bind(s, "127.1", 0), SK_EADDRFORMAT);
    CHECK_FAILS(sk_bind(s, " 127.0.0.1", 0), SK_EADDRFORMAT);
    CHECK_FAILS(sk_bind(s, "127.0.0.1:80", 0), SK_EADDRFORMAT);
    if (family == SK_INET) CHECK_FAILS(sk_bind(s, "::1", 0), SK_EAFNOSUPPORT);
    sk_addr u;
    CHECK_OK(sk_addr_parse("unix:@x", &u));
    CHECK_FAILS(sk_bind_addr(s, &u), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_bind(s, family == SK_INET ? "192.0.2.77" : "2001:db8::77", 0), SK_EADDRNOTAVAIL);
    CHECK_EQ(port_of(s), 0);
    CHECK_OK(sk_bind(s, loopback(family), 0));
    CHECK_NE(port_of(s), 0);
    CHECK_FAILS(sk_bind(s, loopback(family), 0), SK_EINVAL);
}

BOTH(bind_to_any)
{
    static const uint8_t zero[16];
    for (int i = 0; i < 2; i++) {
        sk_handle s = MADE(sk_socket(family, SK_STREAM, 0));
        CHECK_OK(sk_bind(s, i == 0 ? NULL : "", 0));
        sk_addr a;
        CHECK_OK(sk_local_addr(s, &a));
        CHECK_EQ(a.family, family);
        CHECK(memcmp(a.ip, zero, family == SK_INET ? 4 : 16) == 0);
        CHECK_NE(a.port, 0);
        CHECK_OK(sk_close(s));
    }
}

BOTH(bind_to_an_address)
{
    sk_handle probe = tcp_listener(family, 1);
    sk_addr a;
    CHECK_OK(sk_local_addr(probe, &a));
    CHECK_OK(sk_close(probe));
    sk_handle s = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_bind_addr(s, &a));
    check_loopback(&a, family, port_of(s));
}

CASE(the_port_is_in_host_order)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_bind(s, "127.0.0.1", 0));
    struct sockaddr_in raw;
    socklen_t len = sizeof raw;
    CHECK_EQ(getsockname((int)sk_fd(s), (struct sockaddr *)&raw, &len), 0);
    CHECK_EQ(ntohs(raw.sin_port), port_of(s));
}

CASE(two_addresses_of_the_loopback_net_share_a_port)
{
    sk_handle a = tcp_listener(SK_INET, 1);
    sk_handle b = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_bind(b, "127.0.0.2", port_of(a)));
    CHECK_OK(sk_listen(b, 1));
}

CASE(a_dual_stack_listener_serves_both_families)
{
    need_ipv6();
    sk_handle l = MADE(sk_socket(SK_INET6, SK_STREAM, 0));
    CHECK_OK(sk_bind(l, NULL, 0));
    CHECK_OK(sk_listen(l, 8));
    sk_handle four = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(four, "127.0.0.1", port_of(l)));
    sk_addr a;
    sk_handle s = MADE(sk_accept(l, &a));
    check_loopback(&a, SK_INET, port_of(four));
    CHECK_OK(sk_peer_addr(s, &a));
    check_loopback(&a, SK_INET, port_of(four));
    CHECK_OK(sk_local_addr(s, &a));
    check_loopback(&a, SK_INET, port_of(l));
    CHECK_OK(sk_close(s));
    sk_handle six = MADE(sk_socket(SK_INET6, SK_STREAM, 0));
    CHECK_OK(sk_connect(six, "::1", port_of(l)));
    s = MADE(sk_accept(l, &a));
    check_loopback(&a, SK_INET6, port_of(six));
}

CASE(a_dual_stack_socket_takes_ipv4_addresses)
{
    need_ipv6();
    sk_handle l = tcp_listener(SK_INET, 8);
    sk_handle c = MADE(sk_socket(SK_INET6, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    sk_addr a;
    CHECK_OK(sk_peer_addr(c, &a));
    check_loopback(&a, SK_INET, port_of(l));
    sk_handle s = MADE(sk_accept(l, &a));
    check_loopback(&a, SK_INET, port_of(c));
    char b;
    CHECK_GIVES(sk_send(c, "6", 1, 0), 1);
    CHECK_GIVES(sk_recv(s, &b, 1, 0), 1);
    c = MADE(sk_socket(SK_INET6, SK_STREAM, 0));
    CHECK_OK(sk_local_addr(l, &a));
    CHECK_OK(sk_connect_addr(c, &a));
    sk_handle d = MADE(sk_socket(SK_INET6, SK_STREAM, 0));
    CHECK_OK(sk_bind(d, "127.0.0.1", 0));
    CHECK_OK(sk_local_addr(d, &a));
    check_loopback(&a, SK_INET, port_of(d));
    CHECK_OK(sk_listen(d, 1));
    c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(d)));
}

CASE(v6only_shuts_ipv4_out)
{
    need_ipv6();
    sk_handle l = MADE(sk_socket(SK_INET6, SK_STREAM, 0));
    CHECK_OK(sk_set_option(l, SK_OPT_V6ONLY, 1));
    CHECK_OK(sk_bind(l, NULL, 0));
    CHECK_OK(sk_listen(l, 1));
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_FAILS(sk_connect(c, "127.0.0.1", port_of(l)), SK_ECONNREFUSED);
}

CASE(an_ipv4_socket_takes_no_ipv6_address)
{
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_FAILS(sk_connect(c, "::1", 9), SK_EAFNOSUPPORT);
    sk_addr a;
    CHECK_OK(sk_addr_parse("[::1]:9", &a));
    CHECK_FAILS(sk_connect_addr(c, &a), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_bind_addr(c, &a), SK_EAFNOSUPPORT);
}

BOTH(defaults_of_new_and_accepted_sockets)
{
    sk_handle l = tcp_listener(family, 8);
    sk_handle c = MADE(sk_socket(family, SK_STREAM, 0));
    int64_t v = 9;
    if (family == SK_INET6) { /* Linux shows 1 once the socket has an IPv6 address */
        CHECK_OK(sk_get_option(c, SK_OPT_V6ONLY, &v));
        CHECK_EQ(v, 0);
    }
    CHECK_OK(sk_connect(c, loopback(family), port_of(l)));
    sk_handle s = MADE(sk_accept(l, NULL));
    sk_handle all[3] = {l, c, s};
    for (int i = 0; i < 3; i++) {
        v = 9;
        CHECK_OK(sk_get_option(all[i], SK_OPT_NODELAY, &v));
        CHECK_EQ(v, 1);
        v = 9;
        CHECK_OK(sk_get_option(all[i], SK_OPT_REUSE_ADDR, &v));
        CHECK_EQ(v, 1);
        static const int limits[] = {SK_OPT_RECV_TIMEOUT, SK_OPT_SEND_TIMEOUT, SK_OPT_CONNECT_TIMEOUT};
        for (int j = 0; j < 3; j++) {
            CHECK_OK(sk_get_option(all[i], limits[j], &v));
            CHECK_EQ(v, SK_FOREVER);
        }
    }
}

CASE(defaults_can_be_set_otherwise_before_bind)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    int64_t v = 9;
    CHECK_OK(sk_set_option(s, SK_OPT_NODELAY, 0));
    CHECK_OK(sk_set_option(s, SK_OPT_REUSE_ADDR, 0));
    CHECK_OK(sk_bind(s, "127.0.0.1", 0));
    CHECK_OK(sk_listen(s, 1));
    CHECK_OK(sk_get_option(s, SK_OPT_NODELAY, &v));
    CHECK_EQ(v, 0);
    CHECK_OK(sk_get_option(s, SK_OPT_REUSE_ADDR, &v));
    CHECK_EQ(v, 0);
}

static void wait_50_ms_then_send(void *argument)
{
    sk_handle s = *(sk_handle *)argument;
    CHECK_EQ(sk_wait(s, SK_READABLE, 80), 0);
    CHECK_EQ(sk_send(s, "z", 1, 0), 1);
}

/* The listener's limits and its NODELAY are the listener's own. */
BOTH(accepted_sockets_inherit_no_limits)
{
    sk_handle l = tcp_listener(family, 8);
    CHECK_OK(sk_set_timeout(l, 10));
    CHECK_OK(sk_set_option(l, SK_OPT_NODELAY, 0));
    sk_handle c = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, loopback(family), port_of(l)));
    sk_handle s = MADE(sk_accept(l, NULL));
    int64_t v = 9;
    CHECK_OK(sk_get_option(s, SK_OPT_RECV_TIMEOUT, &v));
    CHECK_EQ(v, SK_FOREVER);
    CHECK_OK(sk_get_option(s, SK_OPT_SEND_TIMEOUT, &v));
    CHECK_EQ(v, SK_FOREVER);
    CHECK_OK(sk_get_option(s, SK_OPT_NODELAY, &v));
    CHECK_EQ(v, 1);
    struct thread t;
    thread_start(&t, wait_50_ms_then_send, &c);
    char b;
    CHECK_GIVES(sk_recv(s, &b, 1, 0), 1); /* waits longer than the listener would */
    thread_join(&t);
    CHECK_OK(sk_set_timeout(l, 0));
    CHECK_FAILS(sk_accept(l, NULL), SK_EAGAIN);
    sk_handle c2 = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_connect(c2, loopback(family), port_of(l)));
    CHECK_GIVES(sk_wait(l, SK_READABLE, 5000), 1);
    s = MADE(sk_accept(l, NULL));
    thread_start(&t, wait_50_ms_then_send, &c2);
    CHECK_GIVES(sk_recv(s, &b, 1, 0), 1);
    thread_join(&t);
}

CASE(accept_needs_a_listener)
{
    sk_handle p[2];
    tcp_pair(SK_INET, p);
    CHECK_FAILS(sk_accept(p[0], NULL), SK_EINVAL);
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    sk_addr a;
    memset(&a, 0x77, sizeof a);
    CHECK_FAILS(sk_accept(s, &a), SK_EINVAL);
    CHECK_OK(sk_set_timeout(s, 0));
    CHECK_FAILS(sk_accept(s, &a), SK_EINVAL);
    CHECK_OK(sk_set_timeout(s, 10));
    CHECK_FAILS(sk_accept(s, &a), SK_EINVAL);
    CHECK_EQ(a.port, 0x7777);
}

BOTH(accept_rides_over_connections_that_died_in_the_queue)
{
    sk_handle l = tcp_listener(family, 64);
    for (int i = 0; i < 20; i++) {
        sk_handle c = MADE(sk_socket(family, SK_STREAM, 0));
        CHECK_OK(sk_connect(c, loopback(family), port_of(l)));
        CHECK_OK(sk_abort(c));
    }
    sk_handle c = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, loopback(family), port_of(l)));
    CHECK_OK(sk_set_timeout(l, 5000));
    for (;;) { /* the system may hand out the dead ones as connections that are reset already */
        sk_addr a;
        sk_handle s = MADE(sk_accept(l, &a));
        if (a.port == port_of(c)) break;
        CHECK_OK(sk_close(s));
    }
}

CASE(backlog_of_zero_or_less_is_the_systems_maximum)
{
    for (int backlog = -1; backlog <= 0; backlog++) {
        sk_handle l = tcp_listener(SK_INET, backlog);
        sk_handle c[150];
        for (int i = 0; i < 150; i++) {
            c[i] = MADE(sk_socket(SK_INET, SK_STREAM, 0));
            CHECK_OK(sk_set_timeout(c[i], 5000));
            CHECK_OK(sk_connect(c[i], "127.0.0.1", port_of(l)));
        }
        for (int i = 0; i < 150; i++) CHECK_OK(sk_close(c[i]));
        CHECK_OK(sk_close(l));
    }
    sk_handle l = tcp_listener(SK_INET, INT32_MIN);
    CHECK_OK(sk_listen(l, INT32_MAX)); /* again: only the backlog changes */
}

CASE(listen_without_bind_takes_a_free_port)
{
    sk_handle l = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_listen(l, 1));
    CHECK_NE(port_of(l), 0);
    sk_handle p[2];
    tcp_pair(SK_INET, p);
    CHECK_FAILS(sk_listen(p[0], 1), SK_EINVAL);
}

BOTH(shutdown_ends_one_direction)
{
    sk_handle p[2];
    tcp_pair(family, p);
    char b[8];
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
    CHECK_FAILS(sk_send(p[0], "x", 1, 0), SK_EPIPE);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0);
    CHECK_GIVES(sk_send(p[1], "back", 4, 0), 4);
    CHECK_GIVES(sk_recv(p[0], b, 8, 0), 4);
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_READ));
    CHECK_GIVES(sk_recv(p[0], b, 8, 0), 0);
    close_pair(p);
    tcp_pair(family, p);
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_BOTH));
    CHECK_GIVES(sk_recv(p[0], b, 8, 0), 0);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0);
    CHECK_FAILS(sk_send(p[0], "x", 1, 0), SK_EPIPE);
    close_pair(p);
}

CASE(shutdown_of_an_unconnected_socket)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    for (int how = SK_SHUT_READ; how <= SK_SHUT_BOTH; how++) CHECK_FAILS(sk_shutdown(s, how), SK_ENOTCONN);
    CHECK_FAILS(sk_shutdown(s, 0), SK_EINVAL);
    CHECK_FAILS(sk_shutdown(s, 4), SK_EINVAL);
    CHECK_FAILS(sk_shutdown(s, -1), SK_EINVAL);
}

CASE(send_and_recv_need_a_connection)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    char b;
    CHECK_FAILS(sk_recv(s, &b, 1, 0), SK_ENOTCONN);
    int64_t r = sk_send(s, "x", 1, 0);
    CHECK(r == SK_EPIPE || r == SK_ENOTCONN);
    sk_handle l = tcp_listener(SK_INET, 1);
    CHECK_FAILS(sk_recv(l, &b, 1, 0), SK_ENOTCONN);
}

CASE(a_reset_is_told_once_and_then_the_end)
{
    sk_handle p[2];
    char b;
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_abort(p[0]));
    CHECK_FAILS(sk_recv(p[1], &b, 1, 0), SK_ECONNRESET);
    CHECK_FAILS(sk_send(p[1], "x", 1, 0), SK_EPIPE);
    CHECK_OK(sk_close(p[1]));
}

CASE(stream_needs_an_address_to_connect_to)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    sk_addr none;
    memset(&none, 0, sizeof none);
    CHECK_FAILS(sk_connect_addr(s, &none), SK_EAFNOSUPPORT);
    sk_handle p[2];
    tcp_pair(SK_INET, p);
    CHECK_FAILS(sk_connect_addr(p[0], &none), SK_EAFNOSUPPORT);
    CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1); /* still connected */
}

CASE(connect_resolves_a_name)
{
    sk_handle l = tcp_listener(SK_INET, 4);
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_EQ(sk_connect(c, "localhost", port_of(l)), SK_OK);
    sk_addr a;
    CHECK_OK(sk_peer_addr(c, &a));
    check_loopback(&a, SK_INET, port_of(l));
}

CASE(a_name_with_limit_zero_would_wait)
{
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_timeout(c, 0));
    CHECK_FAILS(sk_connect(c, "localhost", 9), SK_EAGAIN);
}

CASE(unknown_names_are_not_found)
{
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    int r = sk_connect(c, "no-such-host.invalid", 9);
    CHECK(r == SK_EHOSTNOTFOUND || r == SK_ERESOLVE);
    CHECK_EQ(errno, check_errno_of(r));
}

/* Every byte arrives, once and in order, whatever the pieces. */
enum { STREAM_LEN = 8 * 1024 * 1024 };
static uint8_t pattern(size_t i) { return (uint8_t)(i * 131 + (i >> 11)); }
static void send_pattern(void *argument)
{
    sk_handle s = *(sk_handle *)argument;
    uint8_t *block = malloc(STREAM_LEN);
    CHECK(block != NULL);
    for (size_t i = 0; i < STREAM_LEN; i++) block[i] = pattern(i);
    size_t at = 0;
    for (unsigned turn = 1; at < STREAM_LEN; turn++) {
        size_t piece = turn * 7919 % 100000 + 1;
        if (piece > STREAM_LEN - at) piece = STREAM_LEN - at;
        int64_t n = sk_send(s, block + at, piece, turn % 3 == 0 ? SK_MORE : 0);
        CHECK(n > 0 && n <= (int64_t)piece);
        at += (size_t)n;
    }
    CHECK_EQ(sk_shutdown(s, SK_SHUT_WRITE), SK_OK);
    free(block);
}
BOTH(a_long_stream_arrives_whole)
{
    sk_handle p[2];
    tcp_pair(family, p);
    struct thread t;
    thread_start(&t, send_pattern, &p[0]);
    uint8_t block[10007];
    size_t at = 0;
    for (;;) {
        int64_t n = sk_recv(p[1], block, sizeof block, 0);
        CHECK_GE(n, 0);
        if (n == 0) break;
        for (int64_t i = 0; i < n; i++) CHECK_EQ(block[i], pattern(at + (size_t)i));
        at += (size_t)n;
    }
    CHECK_EQ(at, STREAM_LEN);
    thread_join(&t);
    close_pair(p);
}

CASE(close_delivers_what_was_accepted)
{
    for (int round = 0; round < 20; round++) {
        sk_handle p[2];
        static char block[100000];
        tcp_pair(SK_INET, p);
        int64_t n = sk_send(p[0], block, sizeof block, 0);
        CHECK_GT(n, 0);
        CHECK_OK(sk_close(p[0]));
        int64_t got = 0;
        for (;;) {
            int64_t r = sk_recv(p[1], block, sizeof block, 0);
            CHECK_GE(r, 0);
            if (r == 0) break;
            got += r;
        }
        CHECK_EQ(got, n);
        CHECK_OK(sk_close(p[1]));
    }
}

CASE(close_never_blocks)
{
    sk_handle p[2];
    tcp_pair(SK_INET, p);
    fill(p[0]);
    int64_t start = now_us();
    CHECK_OK(sk_close(p[0]));
    CHECK_LT(now_us() - start, 200000);
}

CASE(protocols)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP));
    int64_t v = 0;
    CHECK_OK(sk_get_option(s, SK_OPT_PROTOCOL, &v));
    CHECK_EQ(v, SK_PROTO_TCP);
    CHECK_OK(sk_close(s));
    CHECK_FAILS(sk_socket(SK_INET, SK_STREAM, SK_PROTO_UDP), SK_EPROTONOSUPPORT);
    CHECK_FAILS(sk_socket(SK_INET, SK_DGRAM, SK_PROTO_TCP), SK_EPROTONOSUPPORT);
    CHECK_FAILS(sk_socket(SK_UNIX, SK_STREAM, SK_PROTO_TCP), SK_EPROTONOSUPPORT);
    CHECK_EQ(sk_socket(SK_INET, SK_SEQPACKET, 0), SK_EPROTONOSUPPORT);
    CHECK_FAILS(sk_socket(77, SK_STREAM, 0), SK_EINVAL);
    CHECK_FAILS(sk_socket(-1, SK_STREAM, 0), SK_EINVAL);
    CHECK_FAILS(sk_socket(SK_INET, 0, 0), SK_EINVAL);
    CHECK_FAILS(sk_socket(SK_INET, 4, 0), SK_EINVAL);
    CHECK_FAILS(sk_socket(SK_INET, SK_STREAM, 1), SK_EINVAL);
    CHECK_FAILS(sk_socket(SK_INET, SK_STREAM, -1), SK_EINVAL);
    s = sk_socket(SK_INET, SK_STREAM, SK_PROTO_MPTCP);
    if (s < 0) CHECK_EQ(s, SK_EPROTONOSUPPORT);
    CHECK_GIVES(sk_open_count(), s > 0 ? 1 : 0);
}

CASE(mptcp_is_a_stream_like_tcp)
{
    sk_handle l = sk_socket(SK_INET, SK_STREAM, SK_PROTO_MPTCP);
    if (l == SK_EPROTONOSUPPORT) SKIP("this kernel has no MPTCP");
    CHECK_OK(sk_bind(l, "127.0.0.1", 0));
    CHECK_OK(sk_listen(l, 1));
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, SK_PROTO_MPTCP));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    sk_handle s = MADE(sk_accept(l, NULL));
    char b;
    CHECK_GIVES(sk_send(c, "m", 1, 0), 1);
    CHECK_GIVES(sk_recv(s, &b, 1, 0), 1);
    CHECK_FAILS(sk_finish(c, 0), SK_EAGAIN);
    CHECK_OK(sk_close(s));
}

CASE(urgent_data_comes_beside_the_stream)
{
    sk_handle p[2];
    char b[4];
    tcp_pair(SK_INET, p);
    CHECK_GIVES(sk_send(p[0], "ab", 2, 0), 2);
    CHECK_GIVES(sk_send(p[0], "!", 1, SK_OOB), 1);
    CHECK_GIVES(sk_wait(p[1], SK_PRIORITY, 5000), 1);
    CHECK_GIVES(sk_recv(p[1], b, 1, SK_OOB), 1);
    CHECK_EQ(b[0], '!');
    CHECK_GIVES(sk_recv(p[1], b, 4, 0), 2);
    CHECK(memcmp(b, "ab", 2) == 0);
}
