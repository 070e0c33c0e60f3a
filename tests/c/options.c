/* Every option: what it reads, what it takes, what the kernel then has, and which handles lack it. */
#include "check.h"
#include <net/if.h>

enum { TCP4 = 1, TCP6 = 2, UDP4 = 4, UDP6 = 8, UNIX = 16, INTERNET = TCP4 | TCP6 | UDP4 | UDP6, ALL = INTERNET | UNIX };
static const struct kind {
    int bit, family, type, raw_family, raw_type;
} kinds[] = {
    {TCP4, SK_INET, SK_STREAM, AF_INET, SOCK_STREAM},  {TCP6, SK_INET6, SK_STREAM, AF_INET6, SOCK_STREAM},
    {UDP4, SK_INET, SK_DGRAM, AF_INET, SOCK_DGRAM},    {UDP6, SK_INET6, SK_DGRAM, AF_INET6, SOCK_DGRAM},
    {UNIX, SK_UNIX, SK_STREAM, AF_UNIX, SOCK_STREAM},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], TEXT = 1, READ_ONLY = 2 };

/* One row an option: the kinds that have it, a few values that must read back as they were set. */
static const struct row {
    int option;
    const char *name;
    int kinds;
    int mark;
    int64_t good[4];
    int goods;
    int64_t bad[4];
    int bads;
} rows[] = {
    {SK_OPT_RECV_TIMEOUT, "RECV_TIMEOUT", ALL, 0, {0, 1, -1, INT64_MAX}, 4, {-2, INT64_MIN}, 2},
    {SK_OPT_SEND_TIMEOUT, "SEND_TIMEOUT", ALL, 0, {0, 1, -1, INT64_MAX}, 4, {-2, INT64_MIN}, 2},
    {SK_OPT_CONNECT_TIMEOUT, "CONNECT_TIMEOUT", ALL, 0, {0, 1, -1, INT64_MAX}, 4, {-2, INT64_MIN}, 2},
    {SK_OPT_REUSE_ADDR, "REUSE_ADDR", INTERNET, 0, {0, 1}, 2, {-1, 2, INT64_MAX}, 3},
    {SK_OPT_REUSE_PORT, "REUSE_PORT", INTERNET, 0, {0, 1}, 2, {-1, 2, INT64_MIN}, 3},
    {SK_OPT_BROADCAST, "BROADCAST", UDP4, 0, {0, 1}, 2, {-1, 2, 256}, 3},
    {SK_OPT_KEEPALIVE, "KEEPALIVE", TCP4 | TCP6, 0, {0, 1}, 2, {-1, 2, (int64_t)1 << 32}, 3},
    {SK_OPT_KEEPALIVE_IDLE, "KEEPALIVE_IDLE", TCP4 | TCP6, 0, {1, 600, 32767}, 3, {0, -1, (int64_t)1 << 32, 32768}, 4},
    {SK_OPT_KEEPALIVE_INTERVAL, "KEEPALIVE_INTERVAL", TCP4 | TCP6, 0, {1, 75}, 2, {0, -1, ((int64_t)1 << 32) + 1}, 3},
    {SK_OPT_KEEPALIVE_COUNT, "KEEPALIVE_COUNT", TCP4 | TCP6, 0, {1, 9, 127}, 3, {0, -1, 128}, 3},
    {SK_OPT_NODELAY, "NODELAY", TCP4 | TCP6, 0, {0, 1}, 2, {-1, 2}, 2},
    {SK_OPT_LINGER, "LINGER", TCP4 | TCP6, 0, {0, -1}, 2, {-2, INT64_MIN, INT64_MAX}, 3},
    {SK_OPT_RECV_BUFFER, "RECV_BUFFER", ALL, 0, {8192, 65536}, 2, {-1, INT64_MIN, INT64_MAX, (int64_t)1 << 32}, 4},
    {SK_OPT_SEND_BUFFER, "SEND_BUFFER", ALL, 0, {8192, 65536}, 2, {-1, INT64_MIN, INT64_MAX, (int64_t)1 << 32}, 4},
    {SK_OPT_V6ONLY, "V6ONLY", TCP6 | UDP6, 0, {1, 0}, 2, {-1, 2}, 2},
    {SK_OPT_TTL, "TTL", INTERNET, 0, {1, 64, 255}, 3, {0, -1, 256, (int64_t)1 << 32}, 4},
    {SK_OPT_TOS, "TOS", INTERNET, 0, {0, 0x10, 0xB8}, 3, {-1, 256, (int64_t)1 << 32}, 3},
    {SK_OPT_MULTICAST_TTL, "MULTICAST_TTL", UDP4 | UDP6, 0, {0, 1, 255}, 3, {-1, 256, (int64_t)1 << 32}, 3},
    {SK_OPT_MULTICAST_LOOP, "MULTICAST_LOOP", UDP4 | UDP6, 0, {0, 1}, 2, {-1, 2}, 2},
    {SK_OPT_MULTICAST_INTERFACE, "MULTICAST_INTERFACE", UDP4 | UDP6, 0, {1}, 1, {-1, (int64_t)1 << 32}, 2},
    {SK_OPT_USER_TIMEOUT, "USER_TIMEOUT", TCP4 | TCP6, 0, {0, 5000}, 2, {-1, (int64_t)1 << 32}, 2},
    {SK_OPT_FASTOPEN, "FASTOPEN", TCP4 | TCP6, 0, {0}, 0, {-1, (int64_t)1 << 40}, 2},
    {SK_OPT_QUICKACK, "QUICKACK", TCP4 | TCP6, 0, {0, 1}, 0, {-1, 2}, 2},
    {SK_OPT_CORK, "CORK", TCP4 | TCP6, 0, {1, 0}, 2, {-1, 2}, 2},
    {SK_OPT_MARK, "MARK", ALL, 0, {0, 7}, 0, {-1, (int64_t)1 << 32}, 2},
    {SK_OPT_PRIORITY, "PRIORITY", ALL, 0, {0, 1, 6}, 3, {-1, (int64_t)1 << 32}, 2},
    {SK_OPT_BUSY_POLL, "BUSY_POLL", INTERNET, 0, {0}, 0, {-1, (int64_t)1 << 32}, 2},
    {SK_OPT_UDP_SEGMENT, "UDP_SEGMENT", UDP4 | UDP6, 0, {0, 1000}, 2, {-1, 65536, (int64_t)1 << 32}, 3},
    {SK_OPT_UDP_GRO, "UDP_GRO", UDP4 | UDP6, 0, {1, 0}, 2, {-1, 2}, 2},
    {SK_OPT_PKTINFO, "PKTINFO", UDP4 | UDP6, 0, {1, 0}, 2, {-1, 2}, 2},
    {SK_OPT_ERROR, "ERROR", ALL, READ_ONLY, {0}, 0, {0}, 0},
    {SK_OPT_FAMILY, "FAMILY", ALL, READ_ONLY, {0}, 0, {0}, 0},
    {SK_OPT_TYPE, "TYPE", ALL, READ_ONLY, {0}, 0, {0}, 0},
    {SK_OPT_PROTOCOL, "PROTOCOL", ALL, READ_ONLY, {0}, 0, {0}, 0},
    {SK_OPT_LISTENING, "LISTENING", ALL, READ_ONLY, {0}, 0, {0}, 0},
    {SK_OPT_UNREAD, "UNREAD", ALL, READ_ONLY, {0}, 0, {0}, 0},
    {SK_OPT_UNACKED, "UNACKED", TCP4 | TCP6, READ_ONLY, {0}, 0, {0}, 0},
    {SK_OPT_BIND_DEVICE, "BIND_DEVICE", INTERNET, TEXT, {0}, 0, {0}, 0},
    {SK_OPT_CONGESTION, "CONGESTION", TCP4 | TCP6, TEXT, {0}, 0, {0}, 0},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static sk_handle socket_of(const struct kind *k)
{
    if (k->family == SK_INET6) need_ipv6();
    return MADE(sk_socket(k->family, k->type, 0));
}

#define SAY(row, kind) FAIL("%s on family %d type %d: %s (%lld), errno %d", (row)->name, (kind)->family, (kind)->type, check_name_of(r), (long long)value, errno)

CASE(values_read_back_as_they_were_set)
{
    for (int k = 0; k < KINDS; k++) {
        for (int i = 0; i < ROWS; i++) {
            const struct row *row = &rows[i];
            if (!(row->kinds & kinds[k].bit) || row->mark != 0) continue;
            sk_handle s = socket_of(&kinds[k]);
            for (int j = 0; j < row->goods; j++) {
                int64_t value = row->good[j], got = 4711;
                errno = ERRNO_UNTOUCHED;
                int r = sk_set_option(s, row->option, value);
                if (r != SK_OK || errno != ERRNO_UNTOUCHED) SAY(row, &kinds[k]);
                r = sk_get_option(s, row->option, &got);
                if (r != SK_OK || errno != ERRNO_UNTOUCHED) SAY(row, &kinds[k]);
                if (got != value)
                    FAIL("%s on family %d type %d: set %lld, reads %lld", row->name, kinds[k].family, kinds[k].type,
                         (long long)value, (long long)got);
            }
            CHECK_OK(sk_close(s));
        }
    }
}

CASE(values_out_of_range_are_refused_and_change_nothing)
{
    for (int k = 0; k < KINDS; k++) {
        for (int i = 0; i < ROWS; i++) {
            const struct row *row = &rows[i];
            if (!(row->kinds & kinds[k].bit) || row->mark != 0) continue;
            sk_handle s = socket_of(&kinds[k]);
            int64_t before = 4711, after = 4712;
            CHECK_OK(sk_get_option(s, row->option, &before));
            for (int j = 0; j < row->bads; j++) {
                int64_t value = row->bad[j];
                errno = 0;
                int r = sk_set_option(s, row->option, value);
                if (r != SK_EINVAL || errno != EINVAL) SAY(row, &kinds[k]);
            }
            CHECK_OK(sk_get_option(s, row->option, &after));
            CHECK_EQ(before, after);
            CHECK_OK(sk_close(s));
        }
    }
}

CASE(handles_that_lack_an_option)
{
    for (int k = 0; k < KINDS; k++) {
        for (int i = 0; i < ROWS; i++) {
            const struct row *row = &rows[i];
            if (row->kinds & kinds[k].bit || row->option == SK_OPT_BROADCAST) continue;
            /* Text options of other kinds: Linux itself takes some on any socket. */
            if (row->mark == TEXT || row->option == SK_OPT_REUSE_ADDR || row->option == SK_OPT_REUSE_PORT) continue;
            if (row->option == SK_OPT_KEEPALIVE || row->option == SK_OPT_LINGER || row->option == SK_OPT_BUSY_POLL) continue;
            if (row->option == SK_OPT_MULTICAST_TTL || row->option == SK_OPT_MULTICAST_LOOP ||
                row->option == SK_OPT_MULTICAST_INTERFACE || row->option == SK_OPT_PKTINFO) {
                if (kinds[k].bit != UNIX) continue;
            }
            sk_handle s = socket_of(&kinds[k]);
            int64_t value = 4711;
            errno = 0;
            int r = sk_get_option(s, row->option, &value);
            if (r != SK_ENOPROTOOPT || errno != ENOPROTOOPT || value != 4711) SAY(row, &kinds[k]);
            r = sk_set_option(s, row->option, 1);
            if (r != SK_ENOPROTOOPT) SAY(row, &kinds[k]);
            CHECK_OK(sk_close(s));
        }
    }
}

CASE(read_only_options_cannot_be_set)
{
    for (int k = 0; k < KINDS; k++) {
        sk_handle s = socket_of(&kinds[k]);
        for (int o = SK_OPT_ERROR; o <= SK_OPT_UNACKED; o++) {
            CHECK_FAILS(sk_set_option(s, o, 0), SK_ENOPROTOOPT);
            CHECK_FAILS(sk_set_option(s, o, 1), SK_ENOPROTOOPT);
        }
        CHECK_OK(sk_close(s));
    }
}

CASE(unknown_options_are_invalid)
{
    static const int unknown[] = {0, -1, SK_OPT_CONGESTION + 1, 1000, INT32_MAX, INT32_MIN};
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    char text[8];
    int64_t v = 4711;
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        CHECK_FAILS(sk_get_option(s, unknown[i], &v), SK_EINVAL);
        CHECK_FAILS(sk_set_option(s, unknown[i], 1), SK_EINVAL);
        CHECK_FAILS(sk_get_option_text(s, unknown[i], text, sizeof text), SK_EINVAL);
        CHECK_FAILS(sk_set_option_text(s, unknown[i], "x"), SK_EINVAL);
    }
    CHECK_EQ(v, 4711);
    CHECK_FAILS(sk_get_option(s, SK_OPT_NODELAY, NULL), SK_EINVAL);
    CHECK_FAILS(sk_set_option_text(s, SK_OPT_CONGESTION, NULL), SK_EINVAL);
    CHECK_FAILS(sk_get_option_text(s, SK_OPT_CONGESTION, NULL, 5), SK_EINVAL);
}

CASE(numbers_and_texts_are_not_mixed)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    int64_t v = 4711;
    char text[16];
    CHECK_LT(sk_get_option(s, SK_OPT_CONGESTION, &v), 0);
    CHECK_LT(sk_set_option(s, SK_OPT_CONGESTION, 1), 0);
    CHECK_LT(sk_get_option_text(s, SK_OPT_NODELAY, text, sizeof text), 0);
    CHECK_LT(sk_set_option_text(s, SK_OPT_NODELAY, "1"), 0);
    CHECK_EQ(v, 4711);
}

/* --- Against the kernel --------------------------------------------------------------------- */

static int raw_int(int fd, int level, int name)
{
    int v = 4711;
    socklen_t len = sizeof v;
    CHECK_EQ(getsockopt(fd, level, name, &v, &len), 0);
    if (len == 1) return (unsigned char)*(char *)&v;
    return v;
}

CASE(options_reach_the_kernel)
{
    static const struct {
        int kind, option, level, name;
        int64_t value;
        int raw;
    } map[] = {
        {0, SK_OPT_REUSE_ADDR, SOL_SOCKET, SO_REUSEADDR, 1, 1},
        {0, SK_OPT_REUSE_PORT, SOL_SOCKET, SO_REUSEPORT, 1, 1},
        {2, SK_OPT_BROADCAST, SOL_SOCKET, SO_BROADCAST, 1, 1},
        {0, SK_OPT_KEEPALIVE, SOL_SOCKET, SO_KEEPALIVE, 1, 1},
        {0, SK_OPT_KEEPALIVE_IDLE, IPPROTO_TCP, TCP_KEEPIDLE, 33, 33},
        {0, SK_OPT_KEEPALIVE_INTERVAL, IPPROTO_TCP, TCP_KEEPINTVL, 11, 11},
        {0, SK_OPT_KEEPALIVE_COUNT, IPPROTO_TCP, TCP_KEEPCNT, 5, 5},
        {0, SK_OPT_NODELAY, IPPROTO_TCP, TCP_NODELAY, 1, 1},
        {0, SK_OPT_RECV_BUFFER, SOL_SOCKET, SO_RCVBUF, 20000, 40000},
        {0, SK_OPT_SEND_BUFFER, SOL_SOCKET, SO_SNDBUF, 20000, 40000},
        {1, SK_OPT_V6ONLY, IPPROTO_IPV6, IPV6_V6ONLY, 1, 1},
        {0, SK_OPT_TTL, IPPROTO_IP, IP_TTL, 33, 33},
        {1, SK_OPT_TTL, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 33, 33},
        {1, SK_OPT_TTL, IPPROTO_IP, IP_TTL, 34, 34}, /* both families of a dual-stack socket */
        {0, SK_OPT_TOS, IPPROTO_IP, IP_TOS, 0x10, 0x10},
        {3, SK_OPT_TOS, IPPROTO_IPV6, IPV6_TCLASS, 0x10, 0x10},
        {3, SK_OPT_TOS, IPPROTO_IP, IP_TOS, 0x10, 0x10},
        {2, SK_OPT_MULTICAST_TTL, IPPROTO_IP, IP_MULTICAST_TTL, 9, 9},
        {3, SK_OPT_MULTICAST_TTL, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 9, 9},
        {3, SK_OPT_MULTICAST_TTL, IPPROTO_IP, IP_MULTICAST_TTL, 9, 9},
        {2, SK_OPT_MULTICAST_LOOP, IPPROTO_IP, IP_MULTICAST_LOOP, 0, 0},
        {3, SK_OPT_MULTICAST_LOOP, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, 0},
        {3, SK_OPT_MULTICAST_LOOP, IPPROTO_IP, IP_MULTICAST_LOOP, 0, 0},
        {3, SK_OPT_MULTICAST_INTERFACE, IPPROTO_IPV6, IPV6_MULTICAST_IF, 1, 1},
        {0, SK_OPT_USER_TIMEOUT, IPPROTO_TCP, TCP_USER_TIMEOUT, 1234, 1234},
        {0, SK_OPT_CORK, IPPROTO_TCP, TCP_CORK, 1, 1},
        {0, SK_OPT_PRIORITY, SOL_SOCKET, SO_PRIORITY, 5, 5},
        {2, SK_OPT_UDP_SEGMENT, IPPROTO_UDP, 103 /* UDP_SEGMENT */, 1200, 1200},
        {2, SK_OPT_UDP_GRO, IPPROTO_UDP, 104 /* UDP_GRO */, 1, 1},
        {2, SK_OPT_PKTINFO, IPPROTO_IP, IP_PKTINFO, 1, 1},
        {3, SK_OPT_PKTINFO, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, 1},
        {3, SK_OPT_PKTINFO, IPPROTO_IP, IP_PKTINFO, 1, 1},
    };
    need_ipv6();
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        const struct kind *k = &kinds[map[i].kind];
        int fd = socket(k->raw_family, k->raw_type | SOCK_CLOEXEC, 0);
        CHECK_GE(fd, 0);
        if (k->raw_family == AF_INET6) {
            int off = 0;
            CHECK_EQ(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), 0);
        }
        sk_handle s = MADE(sk_from_fd(fd));
        CHECK_OK(sk_set_option(s, map[i].option, map[i].value));
        int raw = raw_int(fd, map[i].level, map[i].name);
        if (raw != map[i].raw) FAIL("row %d: the kernel has %d, wanted %d", (int)i, raw, map[i].raw);
        CHECK_OK(sk_close(s));
    }
}

CASE(buffers_read_back_what_the_kernel_granted)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    int64_t v = 0;
    CHECK_OK(sk_set_option(s, SK_OPT_RECV_BUFFER, 1)); /* less than the kernel's least */
    CHECK_OK(sk_get_option(s, SK_OPT_RECV_BUFFER, &v));
    CHECK_GT(v, 1);
    CHECK_OK(sk_set_option(s, SK_OPT_SEND_BUFFER, INT32_MAX / 2));
    CHECK_OK(sk_get_option(s, SK_OPT_SEND_BUFFER, &v));
    CHECK_LE(v, INT32_MAX / 2);
    CHECK_GT(v, 4096);
}

CASE(switches_read_as_0_or_1)
{
    static const int switches[] = {SK_OPT_REUSE_ADDR, SK_OPT_REUSE_PORT, SK_OPT_KEEPALIVE, SK_OPT_NODELAY, SK_OPT_CORK, SK_OPT_QUICKACK};
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        for (int on = 0; on < 2; on++) {
            int64_t v = 4711;
            CHECK_OK(sk_set_option(s, switches[i], on));
            CHECK_OK(sk_get_option(s, switches[i], &v));
            CHECK(v == 0 || v == 1);
        }
    }
}

CASE(linger_zero_resets_on_close)
{
    sk_handle p[2];
    char b;
    int64_t v = 4711;
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_get_option(p[0], SK_OPT_LINGER, &v));
    CHECK_EQ(v, -1);
    CHECK_OK(sk_set_option(p[0], SK_OPT_LINGER, 0));
    CHECK_OK(sk_close(p[0]));
    CHECK_FAILS(sk_recv(p[1], &b, 1, 0), SK_ECONNRESET);
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_FAILS(sk_set_option(s, SK_OPT_LINGER, 1), SK_EINVAL); /* -1 or 0, nothing else */
    CHECK_FAILS(sk_set_option(s, SK_OPT_LINGER, 30), SK_EINVAL);
}

static void recv_until_closed(void *argument)
{
    char b;
    CHECK_EQ(sk_recv(*(sk_handle *)argument, &b, 1, 0), SK_ECLOSED);
}

static void poll_until_closed(void *argument)
{
    sk_poll_item item = {*(sk_handle *)argument, SK_READABLE, 0};
    CHECK_EQ(sk_poll(&item, 1, SK_FOREVER), 1);
}

CASE(linger_zero_resets_on_close_where_a_call_is_blocked_too)
{
    void (*const blocked[])(void *) = {recv_until_closed, poll_until_closed};
    for (int i = 0; i < 2; i++) {
        sk_handle p[2];
        struct thread t;
        char b;
        tcp_pair(SK_INET, p);
        CHECK_OK(sk_set_option(p[0], SK_OPT_LINGER, 0));
        thread_start(&t, blocked[i], &p[0]);
        CHECK(wait_until_asleep(&t));
        CHECK_OK(sk_close(p[0]));
        CHECK_FAILS(sk_recv(p[1], &b, 1, 0), SK_ECONNRESET);
        thread_join(&t);
        CHECK_OK(sk_close(p[1]));
    }
}

static void accept_until_closed(void *argument)
{
    CHECK_EQ(sk_accept(*(sk_handle *)argument, NULL), SK_ECLOSED);
}

CASE(linger_zero_lets_a_close_wake_an_accept)
{
    struct thread t;
    sk_handle l = tcp_listener(SK_INET, 1);
    CHECK_OK(sk_set_option(l, SK_OPT_LINGER, 0));
    thread_start(&t, accept_until_closed, &l);
    CHECK(wait_until_asleep(&t));
    CHECK_OK(sk_close(l));
    thread_join(&t);
}

/* Who shares the socket keeps the connection. */
CASE(linger_zero_does_not_reset_what_has_a_copy)
{
    sk_handle p[2];
    struct thread t;
    char b;
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_set_option(p[0], SK_OPT_LINGER, 0));
    sk_handle copy = MADE(sk_dup(p[0]));
    thread_start(&t, recv_until_closed, &p[0]);
    CHECK(wait_until_asleep(&t));
    CHECK_OK(sk_close(p[0]));
    thread_join(&t);
    CHECK_GIVES(sk_send(copy, "x", 1, 0), 1);
    CHECK_GIVES(sk_recv(p[1], &b, 1, 0), 1);
    CHECK_OK(sk_close(copy));
    CHECK_FAILS(sk_recv(p[1], &b, 1, 0), SK_ECONNRESET);
}

CASE(multicast_interface)
{
    need_ipv6();
    for (int k = 2; k < 4; k++) {
        sk_handle s = socket_of(&kinds[k]);
        int64_t v = 4711;
        CHECK_OK(sk_get_option(s, SK_OPT_MULTICAST_INTERFACE, &v));
        CHECK_EQ(v, 0);
        CHECK_LT(sk_set_option(s, SK_OPT_MULTICAST_INTERFACE, 999999), 0);
        CHECK_OK(sk_get_option(s, SK_OPT_MULTICAST_INTERFACE, &v));
        CHECK_EQ(v, 0);
        CHECK_OK(sk_set_option(s, SK_OPT_MULTICAST_INTERFACE, (int64_t)if_nametoindex("lo")));
        CHECK_OK(sk_get_option(s, SK_OPT_MULTICAST_INTERFACE, &v));
        CHECK_EQ(v, if_nametoindex("lo"));
        CHECK_OK(sk_set_option(s, SK_OPT_MULTICAST_INTERFACE, 0));
        CHECK_OK(sk_get_option(s, SK_OPT_MULTICAST_INTERFACE, &v));
        CHECK_EQ(v, 0);
    }
}

CASE(mark_needs_privilege_or_works)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    int r = sk_set_option(s, SK_OPT_MARK, 7);
    int64_t v = 4711;
    CHECK(r == SK_OK || r == SK_EACCES);
    CHECK_OK(sk_get_option(s, SK_OPT_MARK, &v));
    CHECK_EQ(v, r == SK_OK ? 7 : 0);
}

CASE(busy_poll_needs_privilege_or_works)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_DGRAM, 0));
    int r = sk_set_option(s, SK_OPT_BUSY_POLL, 50);
    int64_t v = 4711;
    if (r == SK_ENOPROTOOPT) SKIP("this kernel has no busy polling");
    CHECK(r == SK_OK || r == SK_EACCES);
    CHECK_OK(sk_get_option(s, SK_OPT_BUSY_POLL, &v));
    if (r == SK_OK) CHECK_EQ(v, 50);
}

CASE(fastopen_on_a_listener)
{
    sk_handle l = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_bind(l, "127.0.0.1", 0));
    CHECK_OK(sk_set_option(l, SK_OPT_FASTOPEN, 5));
    CHECK_OK(sk_listen(l, 1));
    int64_t v = 4711;
    CHECK_OK(sk_get_option(l, SK_OPT_FASTOPEN, &v));
    CHECK_EQ(v, 5);
    CHECK_OK(sk_set_option(l, SK_OPT_FASTOPEN, 6)); /* listening, it can't be a client's any more */
    CHECK_OK(sk_get_option(l, SK_OPT_FASTOPEN, &v));
    CHECK_EQ(v, 6);
}

CASE(cork_holds_small_writes_back)
{
    sk_handle p[2];
    char b[8];
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_set_option(p[0], SK_OPT_CORK, 1));
    CHECK_GIVES(sk_send(p[0], "a", 1, 0), 1);
    CHECK_GIVES(sk_send(p[0], "b", 1, 0), 1);
    CHECK_GIVES(sk_wait(p[1], SK_READABLE, 50), 0);
    CHECK_OK(sk_set_option(p[0], SK_OPT_CORK, 0));
    CHECK_OK(sk_set_timeout(p[1], 5000));
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 2);
}

CASE(more_holds_small_writes_back)
{
    sk_handle p[2];
    char b[8];
    tcp_pair(SK_INET, p);
    CHECK_GIVES(sk_send(p[0], "a", 1, SK_MORE), 1);
    CHECK_GIVES(sk_wait(p[1], SK_READABLE, 50), 0);
    CHECK_GIVES(sk_send(p[0], "b", 1, 0), 1);
    CHECK_OK(sk_set_timeout(p[1], 5000));
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 2);
}

/* --- Read-only ------------------------------------------------------------------------------- */

CASE(what_a_handle_is)
{
    need_ipv6();
    for (int k = 0; k < KINDS; k++) {
        sk_handle s = socket_of(&kinds[k]);
        int64_t v = 4711;
        CHECK_OK(sk_get_option(s, SK_OPT_FAMILY, &v));
        CHECK_EQ(v, kinds[k].family);
        CHECK_OK(sk_get_option(s, SK_OPT_TYPE, &v));
        CHECK_EQ(v, kinds[k].type);
        CHECK_OK(sk_get_option(s, SK_OPT_PROTOCOL, &v));
        CHECK_EQ(v, kinds[k].family == SK_UNIX ? 0 : kinds[k].type == SK_STREAM ? SK_PROTO_TCP : SK_PROTO_UDP);
        CHECK_OK(sk_get_option(s, SK_OPT_LISTENING, &v));
        CHECK_EQ(v, 0);
        CHECK_OK(sk_get_option(s, SK_OPT_ERROR, &v));
        CHECK_EQ(v, 0);
        CHECK_OK(sk_close(s));
    }
    sk_handle q[2];
    int64_t v = 0;
    unix_pair(SK_SEQPACKET, q);
    CHECK_OK(sk_get_option(q[0], SK_OPT_TYPE, &v));
    CHECK_EQ(v, SK_SEQPACKET);
}

CASE(listening)
{
    int64_t v = 4711;
    sk_handle l = tcp_listener(SK_INET, 1);
    CHECK_OK(sk_get_option(l, SK_OPT_LISTENING, &v));
    CHECK_EQ(v, 1);
    sk_addr a;
    sk_handle u = unix_bound(SK_SEQPACKET, 1, &a);
    CHECK_OK(sk_get_option(u, SK_OPT_LISTENING, &v));
    CHECK_EQ(v, 1);
}

CASE(the_pending_error_is_told_and_cleared)
{
    sk_handle p[2];
    int64_t v = 4711;
    char b;
    udp_pair(SK_INET, p);
    CHECK_OK(sk_close(p[1]));
    CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
    CHECK_GIVES(sk_wait(p[0], SK_READABLE, 5000), 1);
    CHECK_OK(sk_get_option(p[0], SK_OPT_ERROR, &v));
    CHECK_EQ(v, SK_ECONNREFUSED);
    CHECK_OK(sk_get_option(p[0], SK_OPT_ERROR, &v));
    CHECK_EQ(v, 0);
    CHECK_FAILS(sk_recv(p[0], &b, 1, SK_DONTWAIT), SK_EAGAIN);
}

CASE(unread_bytes)
{
    static const int some[] = {PAIR_TCP4, PAIR_UDP4, PAIR_UNIX_STREAM, PAIR_UNIX_DGRAM, PAIR_UNIX_SEQPACKET};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        sk_handle p[2];
        int64_t v = 4711;
        char b[8];
        any_pair(some[i], p);
        CHECK_OK(sk_get_option(p[1], SK_OPT_UNREAD, &v));
        CHECK_EQ(v, 0);
        CHECK_GIVES(sk_send(p[0], "abcde", 5, 0), 5);
        CHECK_GIVES(sk_wait(p[1], SK_READABLE, 5000), 1);
        CHECK_OK(sk_get_option(p[1], SK_OPT_UNREAD, &v));
        CHECK_EQ(v, 5);
        CHECK_GIVES(sk_recv(p[1], b, 8, 0), 5);
        CHECK_OK(sk_get_option(p[1], SK_OPT_UNREAD, &v));
        CHECK_EQ(v, 0);
        close_pair(p);
    }
}

CASE(unacknowledged_bytes)
{
    sk_handle p[2];
    int64_t v = 4711;
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_get_option(p[0], SK_OPT_UNACKED, &v));
    CHECK_EQ(v, 0);
    fill(p[0]);
    CHECK_OK(sk_get_option(p[0], SK_OPT_UNACKED, &v));
    CHECK_GT(v, 0);
}

/* --- Text ------------------------------------------------------------------------------------ */

CASE(congestion_control_by_name)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    char text[32], cut[3];
    int n = sk_get_option_text(s, SK_OPT_CONGESTION, text, sizeof text);
    CHECK_GT(n, 0);
    CHECK_EQ(strlen(text), n);
    CHECK_GIVES(sk_get_option_text(s, SK_OPT_CONGESTION, NULL, 0), n);
    CHECK_GIVES(sk_get_option_text(s, SK_OPT_CONGESTION, cut, sizeof cut), n);
    CHECK_EQ(strlen(cut), 2);
    CHECK(memcmp(cut, text, 2) == 0);
    CHECK_OK(sk_set_option_text(s, SK_OPT_CONGESTION, "reno"));
    CHECK_GIVES(sk_get_option_text(s, SK_OPT_CONGESTION, text, sizeof text), 4);
    CHECK_TEXT(text, "reno");
    CHECK_LT(sk_set_option_text(s, SK_OPT_CONGESTION, "nosuchthing"), 0);
    CHECK_FAILS(sk_set_option_text(s, SK_OPT_CONGESTION, "a-name-that-is-much-too-long-for-a-congestion-control"), SK_ENAMETOOLONG);
    CHECK_GIVES(sk_get_option_text(s, SK_OPT_CONGESTION, text, sizeof text), 4);
}

CASE(bind_to_a_device)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_DGRAM, 0));
    char text[32];
    memset(text, 'x', sizeof text);
    CHECK_GIVES(sk_get_option_text(s, SK_OPT_BIND_DEVICE, text, sizeof text), 0);
    CHECK_TEXT(text, "");
    CHECK_EQ(sk_set_option_text(s, SK_OPT_BIND_DEVICE, "nosuchif0"), SK_ENOENT);
    CHECK(errno == ENODEV || errno == ENOENT); /* the system was asked, and says it in its way */
    CHECK_FAILS(sk_set_option_text(s, SK_OPT_BIND_DEVICE, "an-interface-name-that-is-too-long"), SK_ENAMETOOLONG);
    int r = sk_set_option_text(s, SK_OPT_BIND_DEVICE, "lo");
    if (r == SK_EACCES) SKIP("not permitted to bind to a device here");
    CHECK_EQ(r, SK_OK);
    CHECK_GIVES(sk_get_option_text(s, SK_OPT_BIND_DEVICE, text, sizeof text), 2);
    CHECK_TEXT(text, "lo");
    CHECK_OK(sk_set_option_text(s, SK_OPT_BIND_DEVICE, ""));
    CHECK_GIVES(sk_get_option_text(s, SK_OPT_BIND_DEVICE, text, sizeof text), 0);
}

CASE(multicast_leaves_by_the_device_only)
{
    need_ipv6();
    for (int k = 2; k < 4; k++) {
        sk_handle s = socket_of(&kinds[k]);
        int64_t lo = (int64_t)if_nametoindex("lo"), other = 0, v = 4711;
        char name[IF_NAMESIZE];
        for (unsigned i = 1; i < 100 && other == 0; i++)
            if (i != (unsigned)lo && if_indextoname(i, name) != NULL) other = i;
        if (other == 0) SKIP("no interface besides lo");
        int r = sk_set_option_text(s, SK_OPT_BIND_DEVICE, "lo");
        if (r == SK_EACCES) SKIP("not permitted to bind to a device here");
        CHECK_EQ(r, SK_OK);
        CHECK_FAILS(sk_set_option(s, SK_OPT_MULTICAST_INTERFACE, other), SK_EINVAL);
        CHECK_OK(sk_get_option(s, SK_OPT_MULTICAST_INTERFACE, &v));
        CHECK_EQ(v, 0);
        CHECK_OK(sk_set_option(s, SK_OPT_MULTICAST_INTERFACE, lo));
    }
}

/* --- sk_set_timeout -------------------------------------------------------------------------- */

CASE(set_timeout_sets_all_three)
{
    static const int64_t values[] = {0, 1, 250, SK_FOREVER, INT64_MAX};
    static const int limits[] = {SK_OPT_RECV_TIMEOUT, SK_OPT_SEND_TIMEOUT, SK_OPT_CONNECT_TIMEOUT};
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    int64_t v;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        CHECK_OK(sk_set_timeout(s, values[i]));
        for (int j = 0; j < 3; j++) {
            CHECK_OK(sk_get_option(s, limits[j], &v));
            CHECK_EQ(v, values[i]);
        }
    }
    CHECK_OK(sk_set_option(s, SK_OPT_SEND_TIMEOUT, 7));
    CHECK_OK(sk_get_option(s, SK_OPT_RECV_TIMEOUT, &v));
    CHECK_EQ(v, INT64_MAX);
    CHECK_FAILS(sk_set_timeout(s, -2), SK_EINVAL);
    CHECK_FAILS(sk_set_timeout(s, INT64_MIN), SK_EINVAL);
    CHECK_OK(sk_get_option(s, SK_OPT_SEND_TIMEOUT, &v));
    CHECK_EQ(v, 7);
}

/* --- From the listener ----------------------------------------------------------------------- */

CASE(what_an_accepted_socket_has_of_its_listener)
{
    static const struct {
        int option;
        int64_t value, accepted;
    } rows[] = {
        {SK_OPT_NODELAY, 0, 1},
        {SK_OPT_CORK, 1, 0},
        {SK_OPT_RECV_TIMEOUT, 5000, SK_FOREVER},
        {SK_OPT_SEND_TIMEOUT, 5000, SK_FOREVER},
        {SK_OPT_REUSE_PORT, 1, 1},
        {SK_OPT_KEEPALIVE, 1, 1},
        {SK_OPT_KEEPALIVE_IDLE, 77, 77},
        {SK_OPT_KEEPALIVE_INTERVAL, 33, 33},
        {SK_OPT_KEEPALIVE_COUNT, 4, 4},
        {SK_OPT_LINGER, 0, 0},
        {SK_OPT_RECV_BUFFER, 12345, 12345},
        {SK_OPT_SEND_BUFFER, 12346, 12346},
        {SK_OPT_TTL, 33, 33},
        {SK_OPT_TOS, 8, 8},
        {SK_OPT_USER_TIMEOUT, 4321, 4321},
    };
    sk_handle l = MADE(sk_socket(SK_INET, SK_STREAM, 0)), c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) CHECK_OK(sk_set_option(l, rows[i].option, rows[i].value));
    CHECK_OK(sk_bind(l, "127.0.0.1", 0));
    CHECK_OK(sk_listen(l, 1));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    sk_handle s = MADE(sk_accept(l, NULL));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = -9;
        CHECK_OK(sk_get_option(s, rows[i].option, &value));
        if (value != rows[i].accepted) FAIL("option %d is %lld", rows[i].option, (long long)value);
    }
}

/* By whatever way the listener came to be one, and whichever of its handles accepts or was set. */
CASE(an_accepted_socket_starts_with_the_defaults_whatever_its_listener_is)
{
    struct linger linger = {1, 30};
    sk_handle own = tcp_listener(SK_INET, 4), set_here = MADE(sk_dup(own));
    CHECK_OK(sk_set_option(set_here, SK_OPT_NODELAY, 0));
    CHECK_OK(sk_set_option(set_here, SK_OPT_CORK, 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    sk_handle adopted = MADE(sk_from_fd(fd)), shown = tcp_listener(SK_INET, 4);
    CHECK_OK(sk_bind(adopted, "127.0.0.1", 0));
    CHECK_OK(sk_listen(adopted, 4));
    CHECK_EQ(setsockopt((int)sk_fd(shown), SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    sk_handle listeners[] = {own, set_here, adopted, shown};
    for (int i = 0; i < 4; i++) {
        sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
        CHECK_OK(sk_connect(c, "127.0.0.1", port_of(listeners[i])));
        sk_handle s = MADE(sk_accept(listeners[i], NULL));
        int64_t nodelay = -9, cork = -9, lingers = -9;
        CHECK_OK(sk_get_option(s, SK_OPT_NODELAY, &nodelay));
        CHECK_OK(sk_get_option(s, SK_OPT_CORK, &cork));
        CHECK_OK(sk_get_option(s, SK_OPT_LINGER, &lingers));
        if (nodelay != 1 || cork != 0 || lingers != -1)
            FAIL("listener %d: %lld %lld %lld", i, (long long)nodelay, (long long)cork, (long long)lingers);
    }
}
