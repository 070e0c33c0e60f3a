/* Many datagrams at once: which address of ours, and segments that the system cuts. */
#include "batch.h"

/* --- Addresses of ours ---------------------------------------------------------------------- */

static sk_handle server(int family)
{
    sk_handle s = MADE(sk_socket(family, SK_DGRAM, 0));
    CHECK_OK(sk_bind(s, NULL, 0));
    CHECK_OK(sk_set_option(s, SK_OPT_PKTINFO, 1));
    return s;
}

/* One that is asked at several addresses answers from each. */
static void answers_from_where_it_was_asked(sk_handle s, const char *const *texts, size_t count)
{
    sk_addr local[8];
    sk_handle client[8];
    numbered(count);
    empty_room();
    for (size_t i = 0; i < count; i++) {
        sk_addr to = parsed(texts[i], port_of(s));
        client[i] = MADE(sk_socket(to.family, SK_DGRAM, 0));
        CHECK_OK(sk_connect_addr(client[i], &to));
        CHECK_GIVES(sk_send(client[i], numbers[i], out[i].len, 0), out[i].len);
        in[i].local = &local[i];
    }
    CHECK_GIVES(sk_recv_batch(s, in, count, 0), count);
    check_numbered(0, 0, count);
    for (size_t i = 0; i < count; i++) {
        check_same(local[i], parsed(texts[i], port_of(s)));
        out[i].addr = in[i].addr;
        out[i].local = &local[i];
    }
    CHECK_GIVES(sk_send_batch(s, out, count, 0), count);
    for (size_t i = 0; i < count; i++) {
        /* A connected client hears only the address that it asked. */
        CHECK_GIVES(sk_recv(client[i], rooms[0], 16, 0), out[i].len);
        CHECK_OK(sk_close(client[i]));
    }
}

static const char *const both[] = {"127.0.0.1", "127.0.0.2", "::1", "127.9.8.7", "127.0.0.2", "::1"};

CASE(local_addresses_ipv4)
{
    static const char *const four[] = {"127.0.0.1", "127.0.0.2", "127.9.8.7", "127.0.0.2"};
    answers_from_where_it_was_asked(server(SK_INET), four, 4);
}
CASE(local_addresses_ipv6)
{
    static const char *const six[] = {"::1", "::1"};
    need_ipv6();
    answers_from_where_it_was_asked(server(SK_INET6), six, 2);
}
CASE(local_addresses_dual_stack)
{
    need_ipv6();
    answers_from_where_it_was_asked(server(SK_INET6), both, 6);
}

CASE(local_is_none_where_it_is_not_known)
{
    for (int k = 0; k < MESSAGE_PAIRS; k++) {
        if (message_pairs[k] == PAIR_UDP6) need_ipv6();
        sk_handle p[2];
        sk_addr local[2];
        any_pair(message_pairs[k], p); /* without SK_OPT_PKTINFO */
        numbered(2);
        empty_room();
        memset(local, 0x77, sizeof local);
        in[1].local = &local[0];
        in[2].local = &local[1];
        CHECK_GIVES(sk_send_batch(p[0], out, 2, 0), 2);
        CHECK_GIVES(sk_recv_batch(p[1], in, 3, 0), 2);
        CHECK_EQ(local[0].family, SK_UNSPEC);
        CHECK_EQ(local[1].family, 0x7777); /* nothing came there */
        /* And none is no reason not to send. */
        out[0].local = &local[0];
        CHECK_GIVES(sk_send_batch(p[0], out, 2, 0), 2);
        CHECK_GIVES(sk_recv_batch(p[1], in, 2, 0), 2);
        close_pair(p);
    }
}

CASE(a_local_address_that_is_not_ours)
{
    sk_handle s = server(SK_INET), r = udp_bound(SK_INET);
    sk_addr foreign = parsed("192.0.2.1", 0);
    numbered(2);
    out[0].addr = out[1].addr = local_of(r);
    out[1].local = &foreign;
    int64_t n = sk_send_batch(s, out + 1, 1, 0);
    if (n != SK_EINVAL && n != SK_EADDRNOTAVAIL && n != SK_ENETUNREACH)
        FAIL("%lld %s", (long long)n, sk_error_name(n));
    CHECK_GIVES(sk_send_batch(s, out, 2, 0), 1);
    CHECK_EQ(sk_send_batch(s, out, 1, 0), n); /* it comes with the next call */
}

/* --- Segments ------------------------------------------------------------------------------- */

static char pattern[ROOM * 3], got[4][ROOM];

static void make_pattern(void)
{
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (char)(i * 7 + i / 256);
}
static void big_room(void)
{
    memset(in, 0x77, sizeof in);
    for (size_t i = 0; i < 4; i++) {
        in[i].data = got[i];
        in[i].room = ROOM;
        in[i].local = NULL;
    }
}
/* Sends `len` bytes in segments, and checks what comes singly. */
static void segments_arrive(sk_handle s, sk_handle r, size_t len, uint32_t segment)
{
    memset(out, 0, sizeof out);
    out[0].data = pattern;
    out[0].len = len;
    out[0].segment = segment;
    CHECK_GIVES(sk_send_batch(s, out, 1, 0), 1);
    for (size_t at = 0; at < len; at += segment) {
        size_t want = len - at < segment ? len - at : segment;
        CHECK_GIVES(sk_recv(r, got[0], ROOM, SK_DONTWAIT), want);
        CHECK(memcmp(got[0], pattern + at, want) == 0);
    }
    CHECK_FAILS(sk_recv(r, got[0], ROOM, SK_DONTWAIT), SK_EAGAIN);
}
static const struct {
    size_t len;
    uint32_t segment;
} sizes[] = {
    {10, 3},       {9, 3},          {3, 3},        {2, 3},         {1, 1},      {63, 1},
    {64, 1},       {65, 1},         {300, 1},      {1200 * 10, 1200}, {65507, 1200}, {65508, 1200},
    {65535, 1400}, {200000, 8000},  {65507, 32753}, {100000, 32754}, {131000, 65500}, {5, 4000000000u},
};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void udp_pair_with_room(int family, sk_handle p[2])
{
    udp_pair(family, p);
    CHECK_OK(sk_set_option(p[1], SK_OPT_RECV_BUFFER, 4 << 20));
}

CASE(segments_of_many_sizes)
{
    need_ipv6();
    make_pattern();
    for (int family = SK_INET; family <= SK_INET6; family++) {
        for (size_t i = 0; i < SIZES; i++) {
            sk_handle p[2];
            udp_pair_with_room(family, p);
            segments_arrive(p[0], p[1], sizes[i].len, sizes[i].segment);
            close_pair(p);
        }
    }
}

CASE(segments_go_with_few_system_calls)
{
    sk_handle p[2];
    make_pattern();
    udp_pair_with_room(SK_INET, p);
    calls = 0;
    segments_arrive(p[0], p[1], 64 * 100, 100);
    CHECK_EQ(calls, 1);
    segments_arrive(p[0], p[1], 300, 1); /* five runs in one call */
    CHECK_EQ(calls, 2);
    close_pair(p);
}

CASE(a_segment_too_long_for_a_datagram)
{
    sk_handle p[2];
    make_pattern();
    udp_pair_with_room(SK_INET, p);
    memset(out, 0, sizeof out);
    out[0].data = pattern;
    out[0].len = 200000;
    out[0].segment = 65508;
    CHECK_FAILS(sk_send_batch(p[0], out, 1, 0), SK_EMSGSIZE);
    refuse_with = EIO; /* that was not a refusal: others are cut as before */
    segments_arrive(p[0], p[1], 1000, 100);
    CHECK_EQ(refused, 1);
    close_pair(p);
}

CASE(gro_hands_over_in_one_piece)
{
    need_ipv6();
    make_pattern();
    for (int family = SK_INET; family <= SK_INET6; family++) {
        sk_handle p[2];
        udp_pair_with_room(family, p);
        CHECK_OK(sk_set_option(p[1], SK_OPT_UDP_GRO, 1));
        memset(out, 0, sizeof out);
        for (int i = 0; i < 4; i++) out[i].data = pattern;
        out[0].len = 1200 * 10 + 1;
        out[0].segment = 1200;
        out[1].len = 77; /* one datagram */
        out[2].len = 50;
        out[2].segment = 50;
        out[3].len = 40;
        out[3].segment = 8;
        big_room();
        in[3].room = 12;
        CHECK_GIVES(sk_send_batch(p[0], out, 4, 0), 4);
        CHECK_GIVES(sk_recv_batch(p[1], in, 4, 0), 4);
        CHECK_EQ(in[0].len, 12001);
        CHECK_EQ(in[0].segment, 1200);
        CHECK_EQ(in[0].flags, 0);
        CHECK(memcmp(got[0], pattern, 12001) == 0);
        CHECK_EQ(in[1].len, 77);
        CHECK_EQ(in[1].segment, 0);
        CHECK_EQ(in[2].len, 50);
        CHECK_EQ(in[2].segment, 0);
        CHECK_EQ(in[3].len, 12);
        CHECK_EQ(in[3].segment, 8);
        CHECK_EQ(in[3].flags, SK_TRUNC);
        for (int i = 0; i < 4; i++) check_same(in[i].addr, local_of(p[0]));
        close_pair(p);
    }
}

CASE(segments_and_local_addresses_together)
{
    need_ipv6();
    make_pattern();
    for (int family = SK_INET; family <= SK_INET6; family++) {
        sk_handle s = server(family), r = server(family);
        sk_addr from = parsed("127.0.0.3", 0), local[4];
        CHECK_OK(sk_set_option(r, SK_OPT_UDP_GRO, 1));
        memset(out, 0, sizeof out);
        big_room();
        for (int i = 0; i < 4; i++) {
            out[i].data = pattern;
            out[i].len = 5000;
            out[i].segment = 1000;
            out[i].addr = parsed("127.0.0.2", port_of(r));
            out[i].local = &from;
            in[i].local = &local[i];
        }
        CHECK_GIVES(sk_send_batch(s, out, 4, 0), 4);
        CHECK_GIVES(sk_recv_batch(r, in, 4, 0), 4);
        for (int i = 0; i < 4; i++) {
            CHECK_EQ(in[i].len, 5000);
            CHECK_EQ(in[i].segment, 1000);
            check_same(local[i], out[i].addr);
            check_same(in[i].addr, parsed("127.0.0.3", port_of(s)));
        }
        CHECK_OK(sk_close(s));
        CHECK_OK(sk_close(r));
    }
}

/* Sends segments on a socket that refuses to have them cut: they go singly, and the socket is not asked again. */
static void refused_once(sk_handle s, sk_handle r, size_t len, uint32_t segment)
{
    segments_arrive(s, r, len, segment);
    calls = 0;
    segments_arrive(s, r, len, segment);
    CHECK_EQ(calls, (len / segment + 63) / 64);
    numbered(MOST);
    calls = 0;
    CHECK_GIVES(sk_send_batch(s, out, 64, 0), 64); /* others as before */
    CHECK_EQ(calls, 1);
    empty_room();
    CHECK_GIVES(sk_recv_batch(r, in, MOST, 0), 64);
}

CASE(a_refusal_is_found_out_once_and_remembered)
{
    static const int reasons[] = {EIO, EINVAL, EMSGSIZE, EOPNOTSUPP};
    make_pattern();
    for (int i = 0; i < 4; i++) {
        sk_handle p[2];
        udp_pair_with_room(SK_INET, p);
        refuse_with = reasons[i];
        refused = 0;
        refused_once(p[0], p[1], 12000, 1000);
        CHECK_EQ(refused, 1);
        close_pair(p);
    }
}

CASE(a_refusal_in_the_middle_of_a_batch)
{
    sk_handle p[2];
    udp_pair_with_room(SK_INET, p);
    refuse_with = EIO;
    numbered(10);
    out[4].data = "abcdefgh";
    out[4].len = 8;
    out[4].segment = 3;
    empty_room();
    CHECK_GIVES(sk_send_batch(p[0], out, 10, 0), 10);
    CHECK_EQ(refused, 1);
    CHECK_GIVES(sk_recv_batch(p[1], in, MOST, 0), 12);
    check_numbered(0, 0, 4);
    CHECK(in[4].len == 3 && in[5].len == 3 && in[6].len == 2 && memcmp(in[6].data, "gh", 2) == 0);
    check_numbered(7, 5, 5);
    close_pair(p);
}

CASE(the_kernel_refuses_without_checksums)
{
    sk_handle p[2];
    int on = 1;
    make_pattern();
    udp_pair_with_room(SK_INET, p);
    CHECK_EQ(setsockopt((int)sk_fd(p[0]), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
    refused_once(p[0], p[1], 12000, 1000);
    close_pair(p);
}

CASE(a_route_whose_packets_are_shorter)
{
    sk_handle p[2];
    struct ifreq lo;
    if (unshare(CLONE_NEWNET) != 0) SKIP("no network namespace of one's own: %s", strerror(errno));
    memset(&lo, 0, sizeof lo);
    strcpy(lo.ifr_name, "lo");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    lo.ifr_mtu = 1500;
    CHECK_EQ(ioctl(fd, SIOCSIFMTU, &lo), 0);
    lo.ifr_flags = IFF_UP;
    CHECK_EQ(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
    CHECK_EQ(close(fd), 0);
    make_pattern();
    udp_pair_with_room(SK_INET, p);
    segments_arrive(p[0], p[1], 14000, 1400); /* they fit */
    calls = 0;
    refused_once(p[0], p[1], 20000, 2000); /* these travel in fragments */
    segments_arrive(p[0], p[1], 14000, 1400);
    close_pair(p);
}

/* One that knows nothing of segments would send the whole as one datagram: it is asked before, once. */
CASE(a_kernel_that_does_not_cut)
{
    sk_handle p[2];
    make_pattern();
    old_kernel = 1;
    refuse_with = EIO;
    for (int i = 0; i < 2; i++) {
        udp_pair_with_room(SK_INET, p);
        refused_once(p[0], p[1], 12000, 1000);
        old_kernel = 0; /* it is not asked again */
        close_pair(p);
    }
    CHECK_EQ(refused, 0);
}

CASE(udplite_goes_singly)
{
    sk_handle s = sk_socket(SK_INET, SK_DGRAM, SK_PROTO_UDPLITE), r;
    if (s == SK_EPROTONOSUPPORT) SKIP("this kernel has no UDP-Lite");
    r = MADE(sk_socket(SK_INET, SK_DGRAM, SK_PROTO_UDPLITE));
    CHECK_OK(sk_bind(r, "127.0.0.1", 0));
    CHECK_OK(sk_connect(s, "127.0.0.1", port_of(r)));
    make_pattern();
    segments_arrive(s, r, 5000, 1000);
}

CASE(the_option_cuts_what_has_no_segment)
{
    sk_handle p[2];
    make_pattern();
    udp_pair_with_room(SK_INET, p);
    CHECK_OK(sk_set_option(p[0], SK_OPT_UDP_SEGMENT, 1000));
    memset(out, 0, sizeof out);
    out[0].data = pattern;
    out[0].len = 2500;
    CHECK_GIVES(sk_send_batch(p[0], out, 1, 0), 1);
    big_room();
    CHECK_GIVES(sk_recv_batch(p[1], in, 4, 0), 3);
    CHECK(in[0].len == 1000 && in[2].len == 500);
    segments_arrive(p[0], p[1], 2500, 700); /* segment is stronger */
    close_pair(p);
}
