/* UDP over IPv4, IPv6 and dual-stack: datagrams, connected and not. */
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

static sk_addr local_of(sk_handle s)
{
    sk_addr a;
    CHECK_OK(sk_local_addr(s, &a));
    return a;
}

BOTH(question_and_answer)
{
    sk_handle server = udp_bound(family);
    sk_handle client = MADE(sk_socket(family, SK_DGRAM, SK_PROTO_UDP));
    sk_addr to = local_of(server), from;
    char b[16];
    CHECK_GIVES(sk_send_to(client, "question", 8, 0, &to), 8);
    CHECK_GIVES(sk_recv_from(server, b, sizeof b, 0, &from), 8);
    CHECK_EQ(from.family, family);
    CHECK_EQ(from.port, port_of(client));
    CHECK_GIVES(sk_send_to(server, "answer", 6, 0, &from), 6);
    CHECK_GIVES(sk_recv_from(client, b, sizeof b, 0, &from), 6);
    CHECK_GIVES(sk_addr_equal(&from, &to), 1);
    CHECK_GIVES(sk_send_to(client, "x", 1, 0, &to), 1);
    CHECK_GIVES(sk_recv_from(server, b, sizeof b, 0, NULL), 1);
    CHECK_GIVES(sk_send_to(client, "yy", 2, 0, &to), 2);
    CHECK_GIVES(sk_recv(server, b, sizeof b, 0), 2);
}

BOTH(connected_sockets_send_and_receive)
{
    sk_handle p[2];
    char b[8];
    udp_pair(family, p);
    CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 3);
    CHECK_GIVES(sk_send_to(p[1], "de", 2, 0, NULL), 2);
    sk_addr from, peer;
    CHECK_GIVES(sk_recv_from(p[0], b, 8, 0, &from), 2);
    CHECK_OK(sk_peer_addr(p[0], &peer));
    CHECK_GIVES(sk_addr_equal(&from, &peer), 1);
    close_pair(p);
}

BOTH(a_connected_socket_hears_only_its_peer)
{
    sk_handle p[2];
    char b[8];
    udp_pair(family, p);
    sk_handle stranger = udp_bound(family);
    sk_addr to = local_of(p[0]);
    CHECK_GIVES(sk_send_to(stranger, "s", 1, 0, &to), 1);
    CHECK_GIVES(sk_send(p[1], "peer", 4, 0), 4);
    CHECK_GIVES(sk_recv(p[0], b, 8, 0), 4);
    CHECK_FAILS(sk_recv(p[0], b, 8, SK_DONTWAIT), SK_EAGAIN);
}

BOTH(an_empty_datagram_is_zero_bytes)
{
    sk_handle p[2];
    char b[8];
    udp_pair(family, p);
    CHECK_GIVES(sk_send(p[0], NULL, 0, 0), 0);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0);
    CHECK_GIVES(sk_send(p[0], "x", 0, 0), 0);
    sk_addr from;
    CHECK_GIVES(sk_recv_from(p[1], b, 8, 0, &from), 0);
    CHECK_EQ(from.port, port_of(p[0]));
    CHECK_FAILS(sk_recv(p[1], b, 8, SK_DONTWAIT), SK_EAGAIN);
    CHECK_GIVES(sk_send(p[0], "xyz", 3, 0), 3);
    CHECK_GIVES(sk_recv(p[1], NULL, 0, 0), 0); /* takes the datagram, drops the bytes */
    CHECK_FAILS(sk_recv(p[1], b, 8, SK_DONTWAIT), SK_EAGAIN);
    close_pair(p);
}

BOTH(a_short_buffer_cuts_the_datagram)
{
    sk_handle p[2];
    char b[8];
    udp_pair(family, p);
    CHECK_GIVES(sk_send(p[0], "0123456789", 10, 0), 10);
    CHECK_GIVES(sk_recv(p[1], b, 4, 0), 4);
    CHECK_GIVES(sk_send(p[0], "0123456789", 10, 0), 10);
    CHECK_GIVES(sk_recv(p[1], b, 4, SK_TRUNC), 10);
    CHECK(memcmp(b, "0123", 4) == 0);
    CHECK_GIVES(sk_send(p[0], "0123456789", 10, 0), 10);
    CHECK_GIVES(sk_recv(p[1], NULL, 0, SK_TRUNC | SK_PEEK), 10);
    CHECK_GIVES(sk_recv_from(p[1], b, 4, SK_TRUNC, NULL), 10);
    CHECK_GIVES(sk_send(p[0], "01", 2, 0), 2);
    CHECK_GIVES(sk_recv(p[1], b, 4, SK_TRUNC), 2);
    close_pair(p);
}

BOTH(peek_leaves_the_datagram)
{
    sk_handle p[2];
    char b[8];
    udp_pair(family, p);
    CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
    CHECK_GIVES(sk_send(p[0], "d", 1, 0), 1);
    CHECK_GIVES(sk_recv(p[1], b, 8, SK_PEEK), 3);
    CHECK_GIVES(sk_recv(p[1], b, 8, SK_PEEK | SK_DONTWAIT), 3);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 3);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 1);
    close_pair(p);
}

BOTH(waitall_is_ignored)
{
    sk_handle p[2];
    char b[8];
    udp_pair(family, p);
    CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
    CHECK_GIVES(sk_send(p[0], "def", 3, 0), 3);
    CHECK_GIVES(sk_recv(p[1], b, 8, SK_WAITALL), 3);
    CHECK_OK(sk_set_timeout(p[1], 1000));
    CHECK_GIVES(sk_recv(p[1], b, 8, SK_WAITALL), 3);
    CHECK_FAILS(sk_recv(p[1], b, 8, SK_WAITALL | SK_DONTWAIT), SK_EAGAIN);
    close_pair(p);
}

CASE(more_gathers_one_datagram)
{
    sk_handle p[2];
    char b[8];
    udp_pair(SK_INET, p);
    CHECK_GIVES(sk_send(p[0], "ab", 2, SK_MORE), 2);
    CHECK_FAILS(sk_recv(p[1], b, 8, SK_DONTWAIT), SK_EAGAIN);
    CHECK_GIVES(sk_send(p[0], "cd", 2, 0), 2);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 4);
    CHECK(memcmp(b, "abcd", 4) == 0);
    close_pair(p);
}

BOTH(nobody_there_is_told_with_the_next_call)
{
    sk_handle p[2];
    char b;
    udp_pair(family, p);
    CHECK_OK(sk_close(p[1]));
    CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
    CHECK_FAILS(sk_recv(p[0], &b, 1, 0), SK_ECONNREFUSED);
    CHECK_OK(sk_set_timeout(p[0], 2000));
    CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
    CHECK_FAILS(sk_recv(p[0], &b, 1, 0), SK_ECONNREFUSED);
    CHECK_FAILS(sk_recv(p[0], &b, 1, SK_DONTWAIT), SK_EAGAIN);
}

BOTH(no_destination)
{
    sk_handle s = MADE(sk_socket(family, SK_DGRAM, 0));
    CHECK_FAILS(sk_send(s, "x", 1, 0), SK_EDESTADDRREQ);
    CHECK_FAILS(sk_send_to(s, "x", 1, 0, NULL), SK_EDESTADDRREQ);
}

BOTH(too_long_a_datagram)
{
    static char big[70000];
    sk_handle p[2];
    udp_pair(family, p);
    sk_addr to = local_of(p[1]);
    CHECK_FAILS(sk_send(p[0], big, sizeof big, 0), SK_EMSGSIZE);
    CHECK_FAILS(sk_send_to(p[0], big, sizeof big, 0, &to), SK_EMSGSIZE);
    CHECK_GIVES(sk_send(p[0], big, 60000, 0), 60000);
    CHECK_GIVES(sk_recv(p[1], big, sizeof big, 0), 60000);
    close_pair(p);
}

BOTH(connecting_elsewhere_and_dissolving)
{
    sk_handle a = udp_bound(family), b = udp_bound(family), c = udp_bound(family);
    sk_addr none, to_b = local_of(b), to_c = local_of(c), got;
    char x[4];
    memset(&none, 0, sizeof none);
    CHECK_FAILS(sk_peer_addr(a, &got), SK_ENOTCONN);
    CHECK_OK(sk_connect_addr(a, &to_b));
    CHECK_OK(sk_peer_addr(a, &got));
    CHECK_GIVES(sk_addr_equal(&got, &to_b), 1);
    CHECK_OK(sk_connect_addr(a, &to_c));
    CHECK_GIVES(sk_send(a, "c", 1, 0), 1);
    CHECK_GIVES(sk_recv(c, x, 4, 0), 1);
    CHECK_OK(sk_connect_addr(a, &none));
    CHECK_FAILS(sk_peer_addr(a, &got), SK_ENOTCONN);
    CHECK_FAILS(sk_send(a, "x", 1, 0), SK_EDESTADDRREQ);
    CHECK_OK(sk_connect_addr(a, &none)); /* nothing to dissolve is fine */
    CHECK_GIVES(sk_send_to(a, "bb", 2, 0, &to_b), 2);
    CHECK_GIVES(sk_recv(b, x, 4, 0), 2);
}

BOTH(a_connected_socket_may_still_send_elsewhere)
{
    sk_handle p[2];
    char b[4];
    udp_pair(family, p);
    sk_handle other = udp_bound(family);
    sk_addr to = local_of(other);
    CHECK_GIVES(sk_send_to(p[0], "o", 1, 0, &to), 1);
    CHECK_GIVES(sk_recv(other, b, 4, 0), 1);
}

CASE(dual_stack_shows_ipv4_as_ipv4)
{
    need_ipv6();
    sk_handle six = MADE(sk_socket(SK_INET6, SK_DGRAM, 0));
    CHECK_OK(sk_bind(six, NULL, 0));
    sk_handle four = udp_bound(SK_INET);
    sk_addr to, from;
    char b[4];
    CHECK_OK(sk_addr_parse("127.0.0.1", &to));
    to.port = port_of(six);
    CHECK_GIVES(sk_send_to(four, "4", 1, 0, &to), 1);
    CHECK_GIVES(sk_recv_from(six, b, 4, 0, &from), 1);
    sk_addr four_is = local_of(four);
    CHECK_GIVES(sk_addr_equal(&from, &four_is), 1);
    CHECK_GIVES(sk_send_to(six, "66", 2, 0, &from), 2);
    CHECK_GIVES(sk_recv_from(four, b, 4, 0, &from), 2);
    CHECK_GIVES(sk_addr_equal(&from, &to), 1);
    CHECK_OK(sk_connect_addr(six, &four_is));
    CHECK_OK(sk_peer_addr(six, &from));
    CHECK_GIVES(sk_addr_equal(&from, &four_is), 1);
    CHECK_GIVES(sk_send(six, "666", 3, 0), 3);
    CHECK_GIVES(sk_recv(four, b, 4, 0), 3);
}

CASE(an_ipv4_socket_takes_no_ipv6_destination)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_DGRAM, 0));
    sk_addr to;
    CHECK_OK(sk_addr_parse("[::1]:9", &to));
    CHECK_FAILS(sk_send_to(s, "x", 1, 0, &to), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_connect_addr(s, &to), SK_EAFNOSUPPORT);
    CHECK_OK(sk_addr_parse("unix:@x", &to));
    CHECK_FAILS(sk_send_to(s, "x", 1, 0, &to), SK_EAFNOSUPPORT);
}

BOTH(limits_hold)
{
    sk_handle s = udp_bound(family);
    char b;
    sk_addr from;
    memset(&from, 0x77, sizeof from);
    CHECK_OK(sk_set_timeout(s, 0));
    CHECK_FAILS(sk_recv(s, &b, 1, 0), SK_EAGAIN);
    CHECK_FAILS(sk_recv_from(s, &b, 1, 0, &from), SK_EAGAIN);
    CHECK_OK(sk_set_timeout(s, 60));
    int64_t start = now_us();
    CHECK_FAILS(sk_recv_from(s, &b, 1, 0, &from), SK_ETIMEDOUT);
    int64_t took = now_us() - start;
    CHECK_GE(took, 60000);
    CHECK_LT(took, 1000000);
    CHECK_EQ(from.family, 0x7777);
    sk_addr me = local_of(s);
    CHECK_GIVES(sk_send_to(s, "m", 1, 0, &me), 1);
    CHECK_GIVES(sk_recv(s, &b, 1, 0), 1);
}

CASE(calls_for_streams_are_not_for_datagrams)
{
    sk_handle s = udp_bound(SK_INET);
    char b;
    size_t n = 5;
    CHECK_FAILS(sk_listen(s, 1), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_accept(s, NULL), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_send_all(s, "x", 1, &n), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_recv_all(s, &b, 1, &n), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_finish(s, 0), SK_EOPNOTSUPP);
    CHECK_OK(sk_close(s)); /* sk_finish left it open */
}

CASE(abort_closes_a_datagram_socket)
{
    CHECK_OK(sk_abort(udp_bound(SK_INET)));
    CHECK_GIVES(sk_open_count(), 0);
}

BOTH(two_sockets_on_one_port_are_refused)
{
    sk_handle a = udp_bound(family);
    sk_handle b = MADE(sk_socket(family, SK_DGRAM, 0));
    CHECK_FAILS(sk_bind(b, loopback(family), port_of(a)), SK_EADDRINUSE);
}

CASE(udplite)
{
    sk_handle s = sk_socket(SK_INET, SK_DGRAM, SK_PROTO_UDPLITE);
    if (s == SK_EPROTONOSUPPORT) SKIP("this kernel has no UDP-Lite");
    CHECK_GT(s, 0);
    CHECK_OK(sk_bind(s, "127.0.0.1", 0));
    sk_addr me = local_of(s);
    char b;
    CHECK_GIVES(sk_send_to(s, "l", 1, 0, &me), 1);
    CHECK_GIVES(sk_recv(s, &b, 1, 0), 1);
    int64_t v = 0;
    CHECK_OK(sk_get_option(s, SK_OPT_PROTOCOL, &v));
    CHECK_EQ(v, SK_PROTO_UDPLITE);
}

CASE(shutdown_of_a_connected_socket_ends_it)
{
    sk_handle p[2];
    char b;
    udp_pair(SK_INET, p);
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
    CHECK_FAILS(sk_send(p[0], "x", 1, 0), SK_EPIPE);
    CHECK_GIVES(sk_send(p[1], "x", 1, 0), 1);
    CHECK_GIVES(sk_recv(p[0], &b, 1, 0), 1);
    close_pair(p);
}

/* Who does not wait is told the end too, and an event loop is not sent round and round. */
CASE(the_end_of_receiving_is_told_without_a_wait)
{
    static const int kinds[] = {PAIR_UDP4, PAIR_UDP6, PAIR_UNIX_DGRAM};
    need_ipv6();
    for (int i = 0; i < 6; i++) {
        sk_handle p[2], copy = SK_INVALID_HANDLE;
        char b[4];
        sk_buf piece = {b, sizeof b};
        sk_addr from;
        sk_dgram d;
        memset(&d, 0, sizeof d);
        any_pair(kinds[i / 2], p);
        if (i % 2 == 1) copy = MADE(sk_dup(p[0]));
        CHECK_FAILS(sk_recv(p[0], b, 4, SK_DONTWAIT), SK_EAGAIN);
        CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
        CHECK_FAILS(sk_recv(p[0], b, 4, SK_DONTWAIT), SK_EAGAIN);
        CHECK_GIVES(sk_send(p[1], "xyz", 3, 0), 3);
        CHECK_OK(sk_shutdown(p[0], SK_SHUT_READ));
        CHECK_GIVES(sk_recv(p[0], b, 4, SK_DONTWAIT | SK_PEEK), 3);
        CHECK_GIVES(sk_recv(p[0], b, 4, SK_DONTWAIT), 3);
        for (int limit = SK_FOREVER; limit <= 0; limit++) {
            CHECK_OK(sk_set_timeout(p[0], limit));
            CHECK_GIVES(sk_wait(p[0], SK_READABLE, 0), 1);
            CHECK_GIVES(sk_recv(p[0], b, 4, SK_DONTWAIT), 0);
            CHECK_GIVES(sk_recv(p[0], b, 4, SK_DONTWAIT | SK_PEEK), 0);
            CHECK_GIVES(sk_recv(p[0], b, 4, 0), 0);
            CHECK_GIVES(sk_recv_from(p[0], b, 4, SK_DONTWAIT, &from), 0);
            CHECK_GIVES(sk_recv_from(p[0], b, 4, 0, &from), 0);
            CHECK_GIVES(sk_recvv(p[0], &piece, 1, SK_DONTWAIT), 0);
            CHECK_GIVES(sk_recvv(p[0], &piece, 1, 0), 0);
            CHECK_GIVES(sk_recv_batch(p[0], &d, 1, SK_DONTWAIT), 0);
            CHECK_GIVES(sk_recv_batch(p[0], &d, 1, 0), 0);
        }
        if (i % 2 == 1) CHECK_OK(sk_close(copy));
        close_pair(p);
    }
}

/* Nor does it matter by which handle it was ended. */
CASE(the_end_of_receiving_is_told_to_every_copy)
{
    static const int kinds[] = {PAIR_UDP4, PAIR_UDP6, PAIR_UNIX_DGRAM};
    need_ipv6();
    for (int i = 0; i < 3; i++) {
        sk_handle p[2];
        char b[4];
        sk_dgram d = {.data = b, .room = sizeof b};
        any_pair(kinds[i], p);
        sk_handle copy = MADE(sk_dup(p[0]));
        CHECK_FAILS(sk_recv(copy, b, 4, SK_DONTWAIT), SK_EAGAIN);
        CHECK_OK(sk_shutdown(p[0], SK_SHUT_READ));
        CHECK_GIVES(sk_wait(copy, SK_READABLE, 0), 1);
        CHECK_GIVES(sk_recv(copy, b, 4, SK_DONTWAIT), 0);
        CHECK_GIVES(sk_recv_batch(copy, &d, 1, SK_DONTWAIT), 0);
        CHECK_OK(sk_close(copy));
        int64_t fd = sk_into_fd(p[0]);
        CHECK_GE(fd, 0);
        sk_handle adopted = MADE(sk_from_fd(fd));
        CHECK_GIVES(sk_recv(adopted, b, 4, SK_DONTWAIT), 0);
        CHECK_OK(sk_set_timeout(adopted, 0));
        CHECK_GIVES(sk_recv(adopted, b, 4, 0), 0);
        CHECK_OK(sk_close(adopted));
        CHECK_OK(sk_close(p[1]));
    }
}

/* Nothing of what was in the address before is left, whatever the family and the datagram. */
CASE(a_senders_address_is_whole)
{
    need_ipv6();
    static const int from_family[] = {SK_INET, SK_INET6, SK_INET};
    for (int k = 0; k < 3; k++) {
        sk_handle r = MADE(sk_socket(k == 0 ? SK_INET : SK_INET6, SK_DGRAM, 0)), s = udp_bound(from_family[k]);
        sk_addr to, own, from;
        char b[8];
        CHECK_OK(sk_bind(r, NULL, 0));
        CHECK_OK(sk_addr_parse(loopback(from_family[k]), &to));
        to.port = port_of(r);
        CHECK_OK(sk_local_addr(s, &own));
        for (size_t len = 0; len < 2; len++) {
            CHECK_GIVES(sk_send_to(s, "x", len, 0, &to), len);
            memset(&from, 0xaa, sizeof from);
            CHECK_GIVES(sk_recv_from(r, b, sizeof b, 0, &from), len);
            CHECK_EQ(sk_addr_equal(&from, &own), 1);
            CHECK_EQ(from.scope_id, 0);
            CHECK_EQ(from.flow_info, 0);
            CHECK_EQ(from.path_len, 0);
            CHECK_GIVES(sk_send_to(r, "back", 4, 0, &from), 4); /* also from IPv6 to IPv4 */
            CHECK_GIVES(sk_recv(s, b, sizeof b, 0), 4);
        }
    }
}

CASE(ipv4_on_a_socket_for_ipv6_only)
{
    need_ipv6();
    sk_handle s = MADE(sk_socket(SK_INET6, SK_DGRAM, 0));
    sk_addr to;
    CHECK_OK(sk_set_option(s, SK_OPT_V6ONLY, 1));
    CHECK_OK(sk_addr_parse("127.0.0.1:9", &to));
    CHECK_FAILS(sk_send_to(s, "x", 1, 0, &to), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_send_to(s, "x", 1, SK_DONTWAIT, &to), SK_EAFNOSUPPORT);
}
