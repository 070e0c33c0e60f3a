/* Moving bytes: flags, send_to and recv_from, send_all and recv_all, and that nothing moved is lost. */
#include "check.h"

static const int streams[] = {PAIR_TCP4, PAIR_UNIX_STREAM};
enum { STREAMS = sizeof streams / sizeof streams[0] };

CASE(zero_length_does_not_read_the_pointer)
{
    for (int k = 0; k < PAIR_KINDS; k++) {
        if (k == PAIR_TCP6 || k == PAIR_UDP6) need_ipv6();
        sk_handle p[2];
        char b;
        any_pair(k, p);
        if (is_stream_pair(k)) {
            size_t n = 9;
            CHECK_GIVES(sk_send(p[0], NULL, 0, 0), 0);
            CHECK_GIVES(sk_send_to(p[0], NULL, 0, 0, NULL), 0);
            CHECK_OK(sk_send_all(p[0], NULL, 0, &n));
            CHECK_EQ(n, 0);
            n = 9;
            CHECK_OK(sk_recv_all(p[0], NULL, 0, &n));
            CHECK_EQ(n, 0);
            CHECK_FAILS(sk_recv(p[1], &b, 1, SK_DONTWAIT), SK_EAGAIN);
        } else if (k != PAIR_UNIX_SEQPACKET) {
            CHECK_GIVES(sk_send(p[0], NULL, 0, 0), 0);
            CHECK_GIVES(sk_recv(p[1], &b, 1, 0), 0);
        }
        close_pair(p);
    }
}

CASE(peek_leaves_the_bytes)
{
    for (int i = 0; i < STREAMS; i++) {
        sk_handle p[2];
        char b[8];
        any_pair(streams[i], p);
        CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
        CHECK_GIVES(sk_recv(p[1], b, 8, SK_PEEK), 3);
        CHECK_GIVES(sk_recv(p[1], b, 2, SK_PEEK | SK_DONTWAIT), 2);
        CHECK_GIVES(sk_recv(p[1], b, 8, 0), 3);
        CHECK(memcmp(b, "abc", 3) == 0);
        CHECK_FAILS(sk_recv(p[1], b, 8, SK_PEEK | SK_DONTWAIT), SK_EAGAIN);
        close_pair(p);
    }
}

static void send_in_two_parts(void *argument)
{
    sk_handle s = *(sk_handle *)argument;
    CHECK_EQ(sk_send(s, "abc", 3, 0), 3);
    CHECK_EQ(sk_wait(s, SK_READABLE, 40), 0);
    CHECK_EQ(sk_send(s, "de", 2, 0), 2);
}

CASE(waitall_waits_for_the_whole)
{
    for (int i = 0; i < STREAMS; i++) {
        sk_handle p[2];
        struct thread t;
        char b[8];
        any_pair(streams[i], p);
        thread_start(&t, send_in_two_parts, &p[0]);
        CHECK_GIVES(sk_recv(p[1], b, 5, SK_WAITALL), 5);
        CHECK(memcmp(b, "abcde", 5) == 0);
        thread_join(&t);
        CHECK_OK(sk_set_timeout(p[1], 5000));
        thread_start(&t, send_in_two_parts, &p[0]);
        CHECK_GIVES(sk_recv_from(p[1], b, 5, SK_WAITALL, NULL), 5);
        thread_join(&t);
        close_pair(p);
    }
}

CASE(waitall_reports_what_came_before_a_limit)
{
    for (int i = 0; i < STREAMS; i++) {
        sk_handle p[2];
        char b[8];
        any_pair(streams[i], p);
        CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
        CHECK_OK(sk_set_timeout(p[1], 40));
        int64_t start = now_us();
        CHECK_GIVES(sk_recv(p[1], b, 8, SK_WAITALL), 3);
        CHECK_GE(now_us() - start, 40000);
        CHECK_FAILS(sk_recv(p[1], b, 8, SK_WAITALL), SK_ETIMEDOUT);
        CHECK_GIVES(sk_send(p[0], "de", 2, 0), 2);
        CHECK_GIVES(sk_recv(p[1], b, 8, SK_WAITALL | SK_DONTWAIT), 2);
        CHECK_FAILS(sk_recv(p[1], b, 8, SK_WAITALL | SK_DONTWAIT), SK_EAGAIN);
        CHECK_OK(sk_set_timeout(p[1], 0));
        CHECK_GIVES(sk_send(p[0], "f", 1, 0), 1);
        CHECK_GIVES(sk_recv(p[1], b, 8, SK_WAITALL), 1);
        close_pair(p);
    }
}

CASE(waitall_reports_what_came_before_the_end)
{
    for (int i = 0; i < STREAMS; i++) {
        sk_handle p[2];
        char b[8];
        any_pair(streams[i], p);
        CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
        CHECK_OK(sk_close(p[0]));
        CHECK_GIVES(sk_recv(p[1], b, 8, SK_WAITALL), 3);
        CHECK_GIVES(sk_recv(p[1], b, 8, SK_WAITALL), 0);
        CHECK_OK(sk_close(p[1]));
    }
}

struct whole {
    sk_handle s;
    char b[64];
    size_t want, count;
    int64_t result;
    int error;
};
static void recv_waitall(void *argument)
{
    struct whole *w = argument;
    errno = ERRNO_UNTOUCHED;
    w->result = sk_recv(w->s, w->b, w->want, SK_WAITALL);
    w->error = errno;
}

/* The kernel tells a reset once; it must not get lost behind the bytes that came before it. */
static void bytes_then_reset(int64_t limit)
{
    sk_handle p[2];
    struct whole w;
    struct thread t;
    memset(&w, 0, sizeof w);
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_set_timeout(p[1], limit));
    w.s = p[1];
    w.want = 8;
    CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
    thread_start(&t, recv_waitall, &w);
    int64_t unread = 1;
    while (unread != 0) CHECK_OK(sk_get_option(p[1], SK_OPT_UNREAD, &unread));
    CHECK(wait_until_asleep(&t));
    CHECK_OK(sk_abort(p[0]));
    thread_join(&t);
    CHECK_EQ(w.result, 3);
    CHECK_EQ(w.error, ERRNO_UNTOUCHED);
    CHECK_FAILS(sk_recv(p[1], w.b, 8, 0), SK_ECONNRESET);
    CHECK_OK(sk_close(p[1]));
}
CASE(bytes_come_first_then_the_reset) { bytes_then_reset(SK_FOREVER); }
CASE(bytes_come_first_then_the_reset_with_a_limit) { bytes_then_reset(10000); }

/* A close that meets a call that has some bytes already: the bytes are reported. */
CASE(bytes_come_first_then_the_close)
{
    for (int limited = 0; limited < 2; limited++) {
        for (int i = 0; i < STREAMS; i++) {
            sk_handle p[2];
            struct whole w;
            struct thread t;
            memset(&w, 0, sizeof w);
            any_pair(streams[i], p);
            if (limited) CHECK_OK(sk_set_timeout(p[1], 10000));
            w.s = p[1];
            w.want = 8;
            CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
            thread_start(&t, recv_waitall, &w);
            int64_t unread = 1;
            while (unread != 0) CHECK_OK(sk_get_option(p[1], SK_OPT_UNREAD, &unread));
            CHECK(wait_until_asleep(&t));
            CHECK_OK(sk_close(p[1]));
            thread_join(&t);
            CHECK_EQ(w.result, 3);
            CHECK_EQ(w.error, ERRNO_UNTOUCHED);
            CHECK_FAILS(sk_recv(p[1], w.b, 8, 0), SK_EBADHANDLE);
            CHECK_OK(sk_close(p[0]));
        }
    }
}

CASE(flags_that_make_no_sense)
{
    static const int all = SK_PEEK | SK_WAITALL | SK_DONTWAIT | SK_MORE | SK_TRUNC | SK_OOB;
    for (int k = 0; k < PAIR_KINDS; k++) {
        if (k == PAIR_TCP6 || k == PAIR_UDP6) continue;
        sk_handle p[2];
        char b[8];
        any_pair(k, p);
        static const int send_bad[] = {SK_PEEK, SK_WAITALL, SK_TRUNC, 64, -1, SK_PEEK | SK_DONTWAIT, INT32_MIN, ~all};
        for (size_t i = 0; i < sizeof send_bad / sizeof send_bad[0]; i++) {
            CHECK_FAILS(sk_send(p[0], "x", 1, send_bad[i]), SK_EINVAL);
            CHECK_FAILS(sk_send_to(p[0], "x", 1, send_bad[i], NULL), SK_EINVAL);
        }
        static const int recv_bad[] = {SK_MORE, 64, -1, SK_MORE | SK_DONTWAIT, INT32_MIN, ~all};
        for (size_t i = 0; i < sizeof recv_bad / sizeof recv_bad[0]; i++) {
            CHECK_FAILS(sk_recv(p[1], b, 1, recv_bad[i]), SK_EINVAL);
            CHECK_FAILS(sk_recv_from(p[1], b, 1, recv_bad[i], NULL), SK_EINVAL);
        }
        if (is_stream_pair(k)) {
            CHECK_FAILS(sk_recv(p[1], b, 1, SK_TRUNC), SK_EINVAL);
            CHECK_FAILS(sk_recv_from(p[1], b, 1, SK_TRUNC, NULL), SK_EINVAL);
            CHECK_FAILS(sk_recv(p[1], b, 1, SK_TRUNC | SK_DONTWAIT), SK_EINVAL);
        }
        CHECK_FAILS(sk_recv(p[1], b, 1, SK_DONTWAIT), SK_EAGAIN); /* nothing was sent */
        close_pair(p);
    }
}

/* Where there is none, an ordinary byte does not pass for it. */
CASE(out_of_band_data_of_some_streams_only)
{
    need_ipv6();
    for (int k = 0; k <= PAIR_KINDS; k++) {
        sk_handle p[2], l = SK_INVALID_HANDLE;
        char b[4] = "";
        sk_buf piece = {b, 1};
        sk_dgram d;
        sk_addr from;
        memset(&d, 0, sizeof d);
        d.data = b;
        d.room = d.len = 1;
        if (k == PAIR_KINDS) {
            l = sk_socket(SK_INET, SK_STREAM, SK_PROTO_MPTCP);
            if (l == SK_EPROTONOSUPPORT) break;
            CHECK_OK(sk_listen(l, 1));
            p[0] = MADE(sk_socket(SK_INET, SK_STREAM, SK_PROTO_MPTCP));
            CHECK_OK(sk_connect(p[0], "127.0.0.1", port_of(l)));
            p[1] = MADE(sk_accept(l, NULL));
            CHECK_OK(sk_close(l));
        } else if (is_stream_pair(k)) {
            continue; /* see urgent_data_comes_beside_the_stream */
        } else {
            any_pair(k, p);
        }
        CHECK_GIVES(sk_send(p[0], "a", 1, 0), 1);
        for (int limit = SK_FOREVER; limit <= 1; limit++) {
            CHECK_OK(sk_set_timeout(p[0], limit));
            CHECK_OK(sk_set_timeout(p[1], limit));
            for (int flags = SK_OOB; flags < SK_OOB + 8; flags += 4) { /* and with SK_DONTWAIT */
                CHECK_FAILS(sk_send(p[0], "!", 1, flags), SK_EOPNOTSUPP);
                CHECK_FAILS(sk_send_to(p[0], "!", 1, flags, NULL), SK_EOPNOTSUPP);
                CHECK_FAILS(sk_sendv(p[0], &piece, 1, flags), SK_EOPNOTSUPP);
                CHECK_FAILS(sk_recv(p[1], b, 1, flags), SK_EOPNOTSUPP);
                CHECK_FAILS(sk_recv_from(p[1], b, 1, flags, &from), SK_EOPNOTSUPP);
                CHECK_FAILS(sk_recvv(p[1], &piece, 1, flags), SK_EOPNOTSUPP);
                CHECK_FAILS(sk_send_batch(p[0], &d, 1, flags), SK_EOPNOTSUPP);
                CHECK_FAILS(sk_recv_batch(p[1], &d, 1, flags), SK_EOPNOTSUPP);
            }
        }
        CHECK_GIVES(sk_recv(p[1], b, 4, 0), 1); /* nothing was sent or received */
        CHECK_EQ(b[0], 'a');
        CHECK_FAILS(sk_recv(p[1], b, 4, SK_DONTWAIT), SK_EAGAIN);
        close_pair(p);
    }
}
/* See unix(7): the last byte of such a send. */
CASE(out_of_band_data_of_a_unix_stream)
{
    sk_handle p[2];
    char b[4];
    unix_pair(SK_STREAM, p);
    int64_t n = sk_send(p[0], "!", 1, SK_OOB);
    if (n == SK_EOPNOTSUPP) SKIP("this kernel has none (Linux 5.15)");
    CHECK_EQ(n, 1);
    CHECK_GIVES(sk_recv(p[1], b, 1, SK_OOB), 1);
    CHECK_EQ(b[0], '!');
    close_pair(p);
}

/* What the system says, which is not one code for all kinds. */
CASE(what_is_not_connected)
{
    static const struct {
        int family, type, send, receive, shutdown;
    } kinds[] = {
        {SK_INET, SK_STREAM, SK_EPIPE, SK_ENOTCONN, SK_ENOTCONN},
        {SK_INET, SK_DGRAM, SK_EDESTADDRREQ, SK_EAGAIN, SK_ENOTCONN},
        {SK_UNIX, SK_STREAM, SK_ENOTCONN, SK_EINVAL, SK_OK},
        {SK_UNIX, SK_SEQPACKET, SK_ENOTCONN, SK_ENOTCONN, SK_OK},
        {SK_UNIX, SK_DGRAM, SK_ENOTCONN, SK_EAGAIN, SK_OK},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        sk_handle s = MADE(sk_socket(kinds[i].family, kinds[i].type, 0));
        char b[4] = "";
        sk_buf piece = {b, 1};
        CHECK_OK(sk_set_timeout(s, 0));
        CHECK_FAILS(sk_send(s, b, 1, 0), kinds[i].send);
        CHECK_FAILS(sk_sendv(s, &piece, 1, 0), kinds[i].send);
        CHECK_FAILS(sk_send_to(s, b, 1, 0, NULL), kinds[i].send);
        CHECK_FAILS(sk_recv(s, b, 1, 0), kinds[i].receive);
        CHECK_FAILS(sk_recvv(s, &piece, 1, 0), kinds[i].receive);
        if (kinds[i].shutdown == SK_OK) CHECK_OK(sk_shutdown(s, SK_SHUT_WRITE));
        else CHECK_FAILS(sk_shutdown(s, SK_SHUT_WRITE), kinds[i].shutdown);
        CHECK_OK(sk_close(s));
    }
}

CASE(send_to_on_a_connected_stream)
{
    for (int i = 0; i < STREAMS; i++) {
        sk_handle p[2];
        char b[4];
        any_pair(streams[i], p);
        sk_addr to;
        if (streams[i] == PAIR_TCP4) CHECK_OK(sk_peer_addr(p[0], &to));
        else CHECK_OK(sk_addr_parse("unix:@sk-test-x", &to));
        CHECK_FAILS(sk_send_to(p[0], "x", 1, 0, &to), SK_EISCONN);
        CHECK_FAILS(sk_recv(p[1], b, 4, SK_DONTWAIT), SK_EAGAIN);
        CHECK_GIVES(sk_send_to(p[0], "ok", 2, 0, NULL), 2);
        CHECK_GIVES(sk_recv(p[1], b, 4, 0), 2);
        close_pair(p);
    }
}

CASE(recv_from_on_a_stream_has_no_source)
{
    for (int i = 0; i < STREAMS; i++) {
        static const sk_addr none;
        sk_handle p[2];
        char b[4];
        sk_addr from;
        any_pair(streams[i], p);
        CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
        memset(&from, 0x77, sizeof from);
        CHECK_GIVES(sk_recv_from(p[1], b, 4, 0, &from), 1);
        CHECK_EQ(from.family, SK_UNSPEC);
        CHECK(memcmp(&from, &none, sizeof none) == 0);
        memset(&from, 0x77, sizeof from);
        CHECK_FAILS(sk_recv_from(p[1], b, 4, SK_DONTWAIT, &from), SK_EAGAIN);
        CHECK_EQ(from.family, 0x7777);
        close_pair(p);
    }
}

/* --- send_all, recv_all ------------------------------------------------------------------- */

enum { LONG = 3000000 };
static char out_block[LONG], in_block[LONG];

static void send_the_whole(void *argument)
{
    struct whole *w = argument;
    w->count = 4711;
    errno = ERRNO_UNTOUCHED;
    w->result = sk_send_all(w->s, out_block, LONG, &w->count);
    w->error = errno;
}

static void recv_the_whole(void *argument)
{
    struct whole *w = argument;
    w->count = 4711;
    errno = ERRNO_UNTOUCHED;
    w->result = sk_recv_all(w->s, in_block, LONG, &w->count);
    w->error = errno;
}

CASE(all_is_the_whole)
{
    for (int limited = 0; limited < 2; limited++) {
        for (int i = 0; i < STREAMS; i++) {
            sk_handle p[2];
            struct whole w;
            struct thread t;
            memset(&w, 0, sizeof w);
            for (size_t j = 0; j < LONG; j++) out_block[j] = (char)(j * 7 + j / 997);
            memset(in_block, 0, LONG);
            any_pair(streams[i], p);
            if (limited) {
                CHECK_OK(sk_set_timeout(p[0], 10000));
                CHECK_OK(sk_set_timeout(p[1], 10000));
            }
            w.s = p[0];
            thread_start(&t, send_the_whole, &w);
            size_t n = 4711;
            CHECK_OK(sk_recv_all(p[1], in_block, LONG, &n));
            CHECK_EQ(n, LONG);
            thread_join(&t);
            CHECK_EQ(w.result, SK_OK);
            CHECK_EQ(w.count, LONG);
            CHECK_EQ(w.error, ERRNO_UNTOUCHED);
            CHECK(memcmp(in_block, out_block, LONG) == 0);
            CHECK_OK(sk_send_all(p[0], "xyz", 3, NULL));
            CHECK_OK(sk_recv_all(p[1], in_block, 3, NULL));
            close_pair(p);
        }
    }
}

CASE(recv_all_meets_the_end)
{
    for (int i = 0; i < STREAMS; i++) {
        sk_handle p[2];
        size_t n = 4711;
        any_pair(streams[i], p);
        CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
        CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
        CHECK_FAILS(sk_recv_all(p[1], in_block, 8, &n), SK_EEOF);
        CHECK_EQ(n, 3);
        n = 4711;
        CHECK_FAILS(sk_recv_all(p[1], in_block, 8, &n), SK_EEOF);
        CHECK_EQ(n, 0);
        CHECK_FAILS(sk_recv_all(p[1], in_block, 8, NULL), SK_EEOF);
        close_pair(p);
    }
}

/* A peer that ends with something unread resets the connection, behind what it has sent. */
CASE(recv_all_tells_a_reset_behind_some_bytes)
{
    for (int way = 0; way < 3; way++) {
        sk_handle p[2];
        char b[20];
        size_t n = 4711;
        unix_pair(SK_STREAM, p);
        if (way == 1) CHECK_OK(sk_set_timeout(p[0], 5000));
        if (way == 2) (void)MADE(sk_dup(p[0]));
        CHECK_GIVES(sk_send(p[0], "unread", 6, 0), 6);
        CHECK_GIVES(sk_send(p[1], "0123456789", 10, 0), 10);
        CHECK_OK(sk_close(p[1]));
        CHECK_FAILS(sk_recv_all(p[0], b, sizeof b, &n), SK_ECONNRESET);
        CHECK_EQ(n, 10);
        CHECK_FAILS(sk_recv_all(p[0], b, sizeof b, &n), SK_EEOF);
        CHECK_OK(sk_close(p[0]));
    }
}

CASE(all_says_how_far_it_came_within_a_limit)
{
    for (int i = 0; i < STREAMS; i++) {
        sk_handle p[2];
        size_t n = 4711;
        any_pair(streams[i], p);
        CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
        CHECK_OK(sk_set_timeout(p[1], 40));
        int64_t start = now_us();
        CHECK_FAILS(sk_recv_all(p[1], in_block, 8, &n), SK_ETIMEDOUT);
        CHECK_GE(now_us() - start, 40000);
        CHECK_EQ(n, 3);
        CHECK_OK(sk_set_timeout(p[1], 0));
        n = 4711;
        CHECK_FAILS(sk_recv_all(p[1], in_block, 8, &n), SK_EAGAIN);
        CHECK_EQ(n, 0);
        CHECK_OK(sk_set_option(p[0], SK_OPT_SEND_BUFFER, 16384));
        CHECK_OK(sk_set_timeout(p[0], 40));
        static char huge[16 * 1024 * 1024];
        start = now_us();
        n = 4711;
        CHECK_FAILS(sk_send_all(p[0], huge, sizeof huge, &n), SK_ETIMEDOUT);
        CHECK_GE(now_us() - start, 40000);
        CHECK(n > 0 && n < sizeof huge);
        size_t got = 0;
        CHECK_OK(sk_set_timeout(p[1], 300));
        for (;;) { /* exactly these bytes are on their way */
            int64_t r = sk_recv(p[1], huge, sizeof huge, 0);
            if (r == SK_ETIMEDOUT) break;
            CHECK_GT(r, 0);
            got += (size_t)r;
        }
        CHECK_EQ(got, n);
        fill(p[0]);
        CHECK_OK(sk_set_timeout(p[0], 0));
        n = 4711;
        CHECK_FAILS(sk_send_all(p[0], huge, sizeof huge, &n), SK_EAGAIN);
        CHECK_EQ(n, 0);
        close_pair(p);
    }
}

/* "Always set" and "always says how far": on every way out. */
CASE(the_count_is_set_on_every_way_out)
{
    sk_handle p[2];
    size_t n = 4711;
    tcp_pair(SK_INET, p);
    CHECK_FAILS(sk_send_all(p[0], NULL, 5, &n), SK_EINVAL);
    CHECK_EQ(n, 0);
    n = 4711;
    CHECK_FAILS(sk_recv_all(p[0], NULL, 5, &n), SK_EINVAL);
    CHECK_EQ(n, 0);
    n = 4711;
    CHECK_FAILS(sk_send_all(0, "x", 1, &n), SK_EBADHANDLE);
    CHECK_EQ(n, 0);
    n = 4711;
    CHECK_FAILS(sk_recv_all(0, in_block, 1, &n), SK_EBADHANDLE);
    CHECK_EQ(n, 0);
    CHECK_OK(sk_abort(p[1]));
    CHECK_GIVES(sk_wait(p[0], SK_READABLE, 5000), 1);
    n = 4711;
    CHECK_LT(sk_recv_all(p[0], in_block, 8, &n), 0);
    CHECK_EQ(n, 0);
    n = 4711;
    CHECK_FAILS(sk_send_all(p[0], "x", 1, &n), SK_EPIPE);
    CHECK_EQ(n, 0);
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    n = 4711;
    CHECK_FAILS(sk_recv_all(s, in_block, 8, &n), SK_ENOTCONN);
    CHECK_EQ(n, 0);
    sk_handle d = udp_bound(SK_INET);
    n = 4711;
    CHECK_FAILS(sk_recv_all(d, in_block, 8, &n), SK_EOPNOTSUPP);
    CHECK_EQ(n, 0);
}

CASE(all_says_how_far_it_came_before_a_reset)
{
    sk_handle p[2];
    struct whole w;
    struct thread t;
    memset(&w, 0, sizeof w);
    tcp_pair(SK_INET, p);
    w.s = p[1];
    CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
    thread_start(&t, recv_the_whole, &w);
    int64_t unread = 1;
    while (unread != 0) CHECK_OK(sk_get_option(p[1], SK_OPT_UNREAD, &unread));
    CHECK(wait_until_asleep(&t));
    CHECK_OK(sk_abort(p[0]));
    thread_join(&t);
    CHECK_EQ(w.result, SK_ECONNRESET);
    CHECK_EQ(w.error, ECONNRESET);
    CHECK_EQ(w.count, 3);
    CHECK_OK(sk_close(p[1]));
}

CASE(all_says_how_far_it_came_before_a_close)
{
    for (int i = 0; i < STREAMS; i++) {
        sk_handle p[2];
        struct whole w;
        struct thread t;
        memset(&w, 0, sizeof w);
        any_pair(streams[i], p);
        w.s = p[1];
        CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
        thread_start(&t, recv_the_whole, &w);
        int64_t unread = 1;
        while (unread != 0) CHECK_OK(sk_get_option(p[1], SK_OPT_UNREAD, &unread));
        CHECK(wait_until_asleep(&t));
        CHECK_OK(sk_close(p[1]));
        thread_join(&t);
        CHECK_EQ(w.result, SK_ECLOSED);
        CHECK_EQ(w.error, ECANCELED);
        CHECK_EQ(w.count, 3);
        CHECK_OK(sk_close(p[0]));
    }
}

CASE(a_send_that_took_some_reports_them)
{
    for (int i = 0; i < STREAMS; i++) {
        static char huge[16 * 1024 * 1024];
        sk_handle p[2];
        any_pair(streams[i], p);
        CHECK_OK(sk_set_timeout(p[0], 40));
        errno = ERRNO_UNTOUCHED;
        int64_t total = 0;
        for (;;) {
            int64_t n = sk_send(p[0], huge, sizeof huge, 0);
            if (n == SK_ETIMEDOUT) break;
            CHECK_GT(n, 0);
            CHECK_EQ(errno, ERRNO_UNTOUCHED);
            total += n;
        }
        CHECK_OK(sk_set_timeout(p[1], 300));
        for (;;) {
            int64_t n = sk_recv(p[1], huge, sizeof huge, 0);
            if (n == SK_ETIMEDOUT) break;
            CHECK_GT(n, 0);
            total -= n;
        }
        CHECK_EQ(total, 0);
        close_pair(p);
    }
}
