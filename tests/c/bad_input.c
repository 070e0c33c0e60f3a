/* NULL, garbage and the wrong kind, over every function: answered, in the order handle, kind, rest. */
#include "check.h"

enum { FRESH = 1, CONNECTED = 2, LISTENER = 4, UDP = 8, UNIX_DGRAM = 16, SEQPACKET = 32, EVERY = 63 };
enum { KINDS = 6 };

static char byte[4];
static size_t some;
static int64_t value;
static sk_addr addr, garbage;

/* Each call has a good handle's place and, otherwise, at least one wrong argument. */
#define CALLS(X)                                                                                   \
    X(bind_addr_null, sk_bind_addr(h, NULL), 0)                                                    \
    X(connect_null, sk_connect(h, NULL, 1), LISTENER)                                              \
    X(connect_addr_null, sk_connect_addr(h, NULL), LISTENER)                                       \
    X(send_null, sk_send(h, NULL, 1, 0), 0)                                                        \
    X(send_too_long, sk_send(h, byte, (size_t)PTRDIFF_MAX + 1, 0), 0)                                \
    X(send_longest, sk_send(h, byte, SIZE_MAX, 0), 0)                                              \
    X(send_null_longest, sk_send(h, NULL, SIZE_MAX, SK_DONTWAIT), 0)                               \
    X(send_flags, sk_send(h, byte, 1, 1 << 10), 0)                                                 \
    X(send_null_zero_flags, sk_send(h, NULL, 0, -1), 0)                                            \
    X(recv_null, sk_recv(h, NULL, 1, SK_DONTWAIT), 0)                                              \
    X(recv_too_long, sk_recv(h, byte, (size_t)PTRDIFF_MAX + 1, SK_DONTWAIT), 0)                      \
    X(recv_longest, sk_recv(h, byte, SIZE_MAX, SK_DONTWAIT), 0)                                    \
    X(recv_flags, sk_recv(h, byte, 1, SK_DONTWAIT | 1 << 30), 0)                                   \
    X(send_to_null, sk_send_to(h, NULL, 1, 0, NULL), 0)                                            \
    X(send_to_null_with_address, sk_send_to(h, NULL, 1, 0, &addr), 0)                              \
    X(send_to_too_long, sk_send_to(h, byte, SIZE_MAX, 0, &addr), 0)                                \
    X(send_to_flags, sk_send_to(h, byte, 1, 1 << 7, NULL), 0)                                      \
    X(recv_from_null, sk_recv_from(h, NULL, 1, SK_DONTWAIT, &addr), 0)                             \
    X(recv_from_too_long, sk_recv_from(h, byte, SIZE_MAX, SK_DONTWAIT, NULL), 0)                   \
    X(recv_from_flags, sk_recv_from(h, byte, 1, SK_DONTWAIT | SK_MORE, NULL), 0)                   \
    X(send_all_null, sk_send_all(h, NULL, 1, &some), UDP | UNIX_DGRAM | SEQPACKET)                 \
    X(send_all_too_long, sk_send_all(h, byte, SIZE_MAX, &some), UDP | UNIX_DGRAM | SEQPACKET)      \
    X(recv_all_null, sk_recv_all(h, NULL, 1, &some), UDP | UNIX_DGRAM | SEQPACKET)                 \
    X(recv_all_too_long, sk_recv_all(h, byte, SIZE_MAX, NULL), UDP | UNIX_DGRAM | SEQPACKET)       \
    X(shutdown_zero, sk_shutdown(h, 0), 0)                                                         \
    X(shutdown_four, sk_shutdown(h, 4), 0)                                                         \
    X(shutdown_negative, sk_shutdown(h, -1), 0)                                                    \
    X(finish_limit, sk_finish(h, -2), FRESH | LISTENER | UDP | UNIX_DGRAM)                         \
    X(local_addr_null, sk_local_addr(h, NULL), 0)                                                  \
    X(peer_addr_null, sk_peer_addr(h, NULL), 0)                                                    \
    X(set_option_unknown, sk_set_option(h, 0, 0), 0)                                               \
    X(set_option_far, sk_set_option(h, 12345, 0), 0)                                               \
    X(get_option_unknown, sk_get_option(h, -5, &value), 0)                                         \
    X(get_option_null, sk_get_option(h, SK_OPT_TYPE, NULL), 0)                                     \
    X(set_option_text_unknown, sk_set_option_text(h, 0, "x"), 0)                                   \
    X(get_option_text_unknown, sk_get_option_text(h, 99, byte, 4), 0)                              \
    X(set_timeout_low, sk_set_timeout(h, -2), 0)                                                   \
    X(set_timeout_lowest, sk_set_timeout(h, INT64_MIN), 0)                                         \
    X(wait_events, sk_wait(h, 1u << 20, 0), 0)                                                     \
    X(wait_edge, sk_wait(h, SK_READABLE | SK_EDGE, 0), 0)                                          \
    X(wait_limit, sk_wait(h, SK_READABLE, -7), 0)

typedef int64_t (*caller)(sk_handle);
#define DEFINE(name, call, wrong)                                                                  \
    static int64_t call_##name(sk_handle h) { return call; }
CALLS(DEFINE)
#define ROW(name, call, wrong) {#name, call_##name, wrong},
static const struct {
    const char *name;
    caller call;
    int wrong_kinds;
} calls[] = {CALLS(ROW)};
enum { COUNT = sizeof calls / sizeof calls[0] };

struct zoo {
    sk_handle h[KINDS], others[3];
};
static struct zoo zoo_make(void)
{
    struct zoo z;
    sk_handle p[2];
    z.h[0] = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    tcp_pair(SK_INET, p);
    z.h[1] = p[0];
    z.others[0] = p[1];
    z.h[2] = tcp_listener(SK_INET, 4);
    udp_pair(SK_INET, p);
    z.h[3] = p[0];
    z.others[1] = p[1];
    unix_pair(SK_DGRAM, p);
    z.h[4] = p[0];
    CHECK_OK(sk_close(p[1]));
    unix_pair(SK_SEQPACKET, p);
    z.h[5] = p[0];
    z.others[2] = p[1];
    return z;
}

/* Nothing was sent, ended, limited or closed by a call that was refused. */
static void zoo_is_unharmed(const struct zoo *z)
{
    char b[4];
    CHECK_FAILS(sk_recv(z->others[0], b, 4, SK_DONTWAIT), SK_EAGAIN);
    CHECK_FAILS(sk_recv(z->others[1], b, 4, SK_DONTWAIT), SK_EAGAIN);
    CHECK_FAILS(sk_recv(z->others[2], b, 4, SK_DONTWAIT), SK_EAGAIN);
    CHECK_GIVES(sk_send(z->h[1], "x", 1, 0), 1);
    CHECK_GIVES(sk_recv(z->others[0], b, 4, 0), 1);
    CHECK_GIVES(sk_send(z->h[3], "x", 1, 0), 1);
    CHECK_GIVES(sk_recv(z->others[1], b, 4, 0), 1);
    CHECK_GIVES(sk_send(z->h[5], "x", 1, 0), 1);
    CHECK_GIVES(sk_recv(z->others[2], b, 4, 0), 1);
    CHECK_OK(sk_connect(z->h[0], "127.0.0.1", port_of(z->h[2])));
    for (int i = 0; i < KINDS; i++) {
        int64_t v = 4711;
        CHECK_OK(sk_get_option(z->h[i], SK_OPT_RECV_TIMEOUT, &v));
        CHECK_EQ(v, SK_FOREVER);
    }
    CHECK_GIVES(sk_open_count(), KINDS + 3);
}

CASE(a_bad_handle_comes_before_the_rest)
{
    static const sk_handle bad[] = {0, -1, 1, 77, INT64_MAX, INT64_MIN, (int64_t)1 << 40, INT32_MAX};
    struct zoo z = zoo_make();
    sk_handle closed = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_close(closed));
    for (int i = 0; i < COUNT; i++) {
        for (size_t j = 0; j <= sizeof bad / sizeof bad[0]; j++) {
            errno = 0;
            int64_t r = calls[i].call(j == sizeof bad / sizeof bad[0] ? closed : bad[j]);
            if (r != SK_EBADHANDLE || errno != EBADF)
                FAIL("%s, bad handle %d: %lld %s, errno %d", calls[i].name, (int)j, (long long)r, check_name_of(r), errno);
        }
    }
    zoo_is_unharmed(&z);
}

CASE(the_kind_comes_before_the_rest_and_the_rest_is_invalid)
{
    static const char *const names[KINDS] = {"fresh TCP", "connected TCP", "listener", "UDP", "Unix datagram", "seqpacket"};
    struct zoo z = zoo_make();
    memset(&addr, 0, sizeof addr);
    for (int k = 0; k < KINDS; k++) {
        for (int i = 0; i < COUNT; i++) {
            int wrong = (calls[i].wrong_kinds & 1 << k) != 0;
            if (wrong && k == 2 && strncmp(calls[i].name, "connect", 7) == 0) continue; /* a listener's connect is left open */
            int want = wrong ? SK_EOPNOTSUPP : SK_EINVAL;
            if (k == 5 && calls[i].call == call_finish_limit) continue; /* seqpacket is a stream or not: left open */
            value = 4711;
            errno = 0;
            int64_t r = calls[i].call(z.h[k]);
            if (r != want || errno != check_errno_of(want))
                FAIL("%s on %s: %lld %s, wanted %s, errno %d", calls[i].name, names[k], (long long)r, check_name_of(r),
                     check_name_of(want), errno);
            CHECK_EQ(value, 4711);
        }
    }
    zoo_is_unharmed(&z);
}

CASE(calls_without_a_wrong_argument_still_check_the_handle)
{
    static const sk_handle bad[] = {0, -1, 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sk_handle h = bad[i];
        CHECK_FAILS(sk_bind(h, NULL, 0), SK_EBADHANDLE);
        CHECK_FAILS(sk_bind(h, "nonsense", 0), SK_EBADHANDLE);
        CHECK_FAILS(sk_bind_addr(h, &garbage), SK_EBADHANDLE);
        CHECK_FAILS(sk_listen(h, 1), SK_EBADHANDLE);
        CHECK_FAILS(sk_accept(h, NULL), SK_EBADHANDLE);
        CHECK_FAILS(sk_accept(h, &addr), SK_EBADHANDLE);
        CHECK_FAILS(sk_connect(h, "127.0.0.1", 1), SK_EBADHANDLE);
        CHECK_FAILS(sk_connect_addr(h, &garbage), SK_EBADHANDLE);
        CHECK_FAILS(sk_send(h, byte, 1, 0), SK_EBADHANDLE);
        CHECK_FAILS(sk_recv(h, byte, 1, 0), SK_EBADHANDLE);
        CHECK_FAILS(sk_send_to(h, byte, 1, 0, &garbage), SK_EBADHANDLE);
        CHECK_FAILS(sk_recv_from(h, byte, 1, 0, &addr), SK_EBADHANDLE);
        CHECK_FAILS(sk_send_all(h, byte, 1, NULL), SK_EBADHANDLE);
        CHECK_FAILS(sk_recv_all(h, byte, 1, NULL), SK_EBADHANDLE);
        CHECK_FAILS(sk_shutdown(h, SK_SHUT_BOTH), SK_EBADHANDLE);
        CHECK_FAILS(sk_close(h), SK_EBADHANDLE);
        CHECK_FAILS(sk_abort(h), SK_EBADHANDLE);
        CHECK_FAILS(sk_finish(h, 0), SK_EBADHANDLE);
        CHECK_FAILS(sk_local_addr(h, &addr), SK_EBADHANDLE);
        CHECK_FAILS(sk_peer_addr(h, &addr), SK_EBADHANDLE);
        CHECK_FAILS(sk_set_option(h, SK_OPT_NODELAY, 1), SK_EBADHANDLE);
        CHECK_FAILS(sk_get_option(h, SK_OPT_NODELAY, &value), SK_EBADHANDLE);
        CHECK_FAILS(sk_set_option_text(h, SK_OPT_CONGESTION, "reno"), SK_EBADHANDLE);
        CHECK_FAILS(sk_get_option_text(h, SK_OPT_CONGESTION, byte, 4), SK_EBADHANDLE);
        CHECK_FAILS(sk_set_timeout(h, 1), SK_EBADHANDLE);
        CHECK_FAILS(sk_wait(h, SK_READABLE, 0), SK_EBADHANDLE);
        CHECK_FAILS(sk_fd(h), SK_EBADHANDLE);
        CHECK_FAILS(sk_into_fd(h), SK_EBADHANDLE);
        CHECK_FAILS(sk_dup(h), SK_EBADHANDLE);
    }
}

CASE(addresses_that_are_garbage)
{
    struct zoo z = zoo_make();
    sk_handle u = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    sk_addr a;
    memset(&a, 0, sizeof a);
    a.family = SK_UNIX;
    a.path_len = SK_UNIX_PATH_MAX + 1;
    CHECK_FAILS(sk_bind_addr(u, &a), SK_EINVAL);
    CHECK_FAILS(sk_connect_addr(u, &a), SK_EINVAL);
    CHECK_FAILS(sk_send_to(u, "x", 1, 0, &a), SK_EINVAL);
    a.path_len = UINT32_MAX;
    CHECK_FAILS(sk_bind_addr(u, &a), SK_EINVAL);
    CHECK_FAILS(sk_connect_addr(u, &a), SK_EINVAL);
    CHECK_FAILS(sk_send_to(u, "x", 1, 0, &a), SK_EINVAL);
    a.path_len = 0;
    static const uint16_t families[] = {4, 10, 77, 255, 65535};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        a.family = families[i]; /* an unknown constant, or a family that does not fit: left open */
        int64_t r = sk_bind_addr(z.h[3], &a);
        CHECK(r == SK_EINVAL || r == SK_EAFNOSUPPORT);
        r = sk_connect_addr(z.h[3], &a);
        CHECK(r == SK_EINVAL || r == SK_EAFNOSUPPORT);
        r = sk_send_to(z.h[3], "x", 1, 0, &a);
        CHECK(r == SK_EINVAL || r == SK_EAFNOSUPPORT);
        r = sk_connect_addr(z.h[0], &a);
        CHECK(r == SK_EINVAL || r == SK_EAFNOSUPPORT);
    }
    CHECK_OK(sk_close(u));
    zoo_is_unharmed(&z);
}

CASE(an_empty_text_names_no_congestion_control)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_FAILS(sk_set_option_text(s, SK_OPT_CONGESTION, ""), SK_ENOENT);
    CHECK_FAILS(sk_set_option_text(s, SK_OPT_CONGESTION, "sk-none"), SK_ENOENT);
    CHECK_OK(sk_set_option_text(s, SK_OPT_BIND_DEVICE, ""));
}

CASE(texts_that_are_too_long)
{
    static char text[100000];
    memset(text, 'a', sizeof text - 1);
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0)), u = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_FAILS(sk_bind(u, text, 0), SK_ENAMETOOLONG);
    CHECK_FAILS(sk_connect(u, text, 0), SK_ENAMETOOLONG);
    CHECK_LT(sk_bind(s, text, 0), 0);
    CHECK_LT(sk_connect(s, text, 1), 0);
    CHECK_FAILS(sk_set_option_text(s, SK_OPT_CONGESTION, text), SK_ENAMETOOLONG);
    CHECK_FAILS(sk_set_option_text(s, SK_OPT_BIND_DEVICE, text), SK_ENAMETOOLONG);
    memset(text, '1', sizeof text - 1);
    CHECK_LT(sk_addr_parse(text, &addr), 0);
}

CASE(out_parameters_are_written_only_on_success)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    memset(&addr, 0x5A, sizeof addr);
    sk_addr before = addr;
    CHECK_FAILS(sk_peer_addr(s, &addr), SK_ENOTCONN);
    CHECK_FAILS(sk_accept(s, &addr), SK_EINVAL);
    CHECK_FAILS(sk_local_addr(0, &addr), SK_EBADHANDLE);
    CHECK_FAILS(sk_recv_from(s, byte, 1, SK_DONTWAIT, &addr), SK_ENOTCONN);
    CHECK_FAILS(sk_addr_parse("nonsense", &addr), SK_EADDRFORMAT);
    CHECK(memcmp(&addr, &before, sizeof addr) == 0);
    value = 4711;
    CHECK_FAILS(sk_get_option(s, SK_OPT_UDP_GRO, &value), SK_ENOPROTOOPT);
    CHECK_FAILS(sk_get_option(0, SK_OPT_TYPE, &value), SK_EBADHANDLE);
    CHECK_EQ(value, 4711);
    memcpy(byte, "abc", 4);
    CHECK_LT(sk_get_option_text(0, SK_OPT_CONGESTION, byte, 4), 0);
    CHECK_TEXT(byte, "abc");
}

/* Random numbers in every place that takes one: an answer from the table, no crash, no lost handle. */
static uint64_t seed = UINT64_C(0x2545F4914F6CDD1D);
static int64_t dice(void)
{
    static const int64_t edges[] = {0, 1, -1, 2, 3, 4, 8, 64, 255, 256, 65535, 65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % 3 == 0 ? (int64_t)(seed >> 8) : seed % 3 == 1 ? edges[(seed >> 20) % 16] : (int64_t)((seed >> 20) % 50);
}
CASE_WITHIN(random_arguments_are_answered, 60)
{
    struct zoo z = zoo_make();
    char b[64] = {0};
    for (int i = 0; i < 200000; i++) {
        sk_handle h = z.h[(uint64_t)dice() % KINDS];
        int64_t r = 0;
        size_t len = (size_t)(dice() & 31);
        if (i % 64 == 0) for (int k = 0; k < KINDS; k++) CHECK_EQ(sk_set_timeout(z.h[k], 0), SK_OK);
        int option = (int)dice();
        int is_limit = option >= SK_OPT_RECV_TIMEOUT && option <= SK_OPT_CONNECT_TIMEOUT;
        switch (dice() & 15) {
        case 0: r = sk_send(h, b, len, (int)dice() | SK_DONTWAIT); break;
        case 1: r = sk_recv(h, b, len, (int)dice() | SK_DONTWAIT); break;
        case 2: r = sk_recv_from(h, b, len, (int)dice() | SK_DONTWAIT, NULL); break;
        case 3: r = is_limit ? 0 : sk_set_option(h, option, dice()); break;
        case 4: r = sk_get_option(h, option, &value); break;
        case 5: r = sk_get_option_text(h, (int)dice(), b, len); break;
        case 6: r = sk_set_option_text(h, (int)dice(), "x"); break;
        case 7: r = sk_wait(h, (uint32_t)dice(), 0); break;
        case 8: r = sk_accept(h, NULL); break; /* nobody connects */
        case 9: r = sk_peer_addr(h, &addr); break;
        case 10:
            r = sk_socket((int)dice(), (int)dice(), (int)dice());
            if (r > 0) CHECK_EQ(sk_close(r), SK_OK);
            break;
        case 11: {
            sk_handle p[2] = {0, 0};
            r = sk_socketpair((int)dice(), p);
            if (r == SK_OK) close_pair(p);
            break;
        }
        case 12: {
            unsigned char *raw = (unsigned char *)&garbage;
            for (size_t j = 0; j < sizeof garbage; j++) raw[j] = (unsigned char)dice();
            garbage.family = (uint16_t)(dice() & 3);
            if (dice() & 1) garbage.path_len = (uint32_t)dice() & 127;
            char text[SK_ADDR_STRLEN];
            (void)sk_addr_format(&garbage, text, sizeof text);
            (void)sk_addr_equal(&garbage, &addr);
            uint32_t room = (uint32_t)len;
            r = sk_addr_to_sockaddr(&garbage, b, &room);
            break;
        }
        case 13: r = sk_addr_from_sockaddr(&garbage, (uint32_t)(len < sizeof garbage ? len : 0), &addr); break;
        case 14: r = sk_error_name(dice()) != NULL && sk_strerror(dice()) != NULL ? 0 : SK_EINTERNAL; break;
        default: r = sk_fd((sk_handle)dice()); break;
        }
        if (r < 0) CHECK(strcmp(sk_error_name(r), "SK_E?") != 0 && r != SK_EINTERNAL);
    }
    CHECK_GIVES(sk_open_count(), KINDS + 3);
}
