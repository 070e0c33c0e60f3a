/* Connecting under limits: attempts in progress, given up, tried again. */
#include "check.h"

/* A TCP address that answers no more: a listener whose queue is full. */
struct blackhole {
    sk_handle listener;
    sk_handle inside[16];
    int n;
    sk_addr at;
};
static void blackhole_make(struct blackhole *b)
{
    memset(b, 0, sizeof *b);
    b->listener = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_bind(b->listener, "127.0.0.1", 0));
    CHECK_OK(sk_listen(b->listener, 1));
    CHECK_OK(sk_local_addr(b->listener, &b->at));
    for (;;) {
        CHECK_LT(b->n, 16);
        sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
        b->inside[b->n++] = c;
        CHECK_OK(sk_set_timeout(c, 100));
        int r = sk_connect_addr(c, &b->at);
        if (r == SK_ETIMEDOUT) return;
        CHECK_EQ(r, SK_OK);
    }
}
static void blackhole_open(struct blackhole *b)
{
    CHECK_OK(sk_set_timeout(b->listener, 0));
    for (;;) {
        sk_handle s = sk_accept(b->listener, NULL);
        if (s == SK_EAGAIN) return;
        CHECK_GT(s, 0);
        CHECK_OK(sk_close(s));
    }
}

CASE(a_connect_that_ran_out_of_time_can_be_tried_again)
{
    struct blackhole b;
    blackhole_make(&b);
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(sk_set_option(c, SK_OPT_CONNECT_TIMEOUT, 60));
        int64_t start = now_us();
        CHECK_FAILS(sk_connect_addr(c, &b.at), SK_ETIMEDOUT);
        CHECK_GE(now_us() - start, 60000);
        CHECK_LT(now_us() - start, 1000000);
    }
    sk_addr peer;
    CHECK_FAILS(sk_peer_addr(c, &peer), SK_ENOTCONN);
    sk_handle l = tcp_listener(SK_INET, 1);
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l))); /* another place, at once */
    CHECK_GIVES(sk_send(c, "x", 1, 0), 1);
}

CASE(limit_zero_starts_and_the_attempt_goes_on)
{
    struct blackhole b;
    blackhole_make(&b);
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_timeout(c, 0));
    CHECK_FAILS(sk_connect_addr(c, &b.at), SK_EINPROGRESS);
    CHECK_FAILS(sk_connect_addr(c, &b.at), SK_EALREADY);
    CHECK_FAILS(sk_connect(c, "127.0.0.1", b.at.port), SK_EALREADY);
    CHECK_GIVES(sk_wait(c, SK_WRITABLE, 30), 0);
    blackhole_open(&b);
    CHECK_OK(sk_set_timeout(c, 10000)); /* the system repeats its SYN after a second */
    CHECK_OK(sk_connect_addr(c, &b.at));
    CHECK_FAILS(sk_connect_addr(c, &b.at), SK_EISCONN);
    CHECK_OK(sk_set_timeout(c, 0));
    CHECK_FAILS(sk_connect_addr(c, &b.at), SK_EISCONN);
    CHECK_GIVES(sk_send(c, "x", 1, 0), 1);
}

CASE(limit_zero_to_a_live_listener)
{
    sk_handle l = tcp_listener(SK_INET, 4);
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_timeout(c, 0));
    int r = sk_connect(c, "127.0.0.1", port_of(l));
    CHECK(r == SK_OK || r == SK_EINPROGRESS);
    CHECK_GIVES(sk_wait(c, SK_WRITABLE, 5000), 1);
    if (r == SK_EINPROGRESS) CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    CHECK_FAILS(sk_connect(c, "127.0.0.1", port_of(l)), SK_EISCONN);
    CHECK_OK(sk_close(MADE(sk_accept(l, NULL))));
}

CASE(limit_zero_to_nobody_tells_the_result_once)
{
    sk_handle closed = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_bind(closed, "127.0.0.1", 0));
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_timeout(c, 0));
    int r = sk_connect(c, "127.0.0.1", port_of(closed));
    if (r == SK_EINPROGRESS) {
        CHECK_GE(sk_wait(c, SK_WRITABLE, 5000), 0);
        CHECK_FAILS(sk_connect(c, "127.0.0.1", port_of(closed)), SK_ECONNREFUSED);
    } else {
        CHECK_EQ(r, SK_ECONNREFUSED);
    }
    CHECK_OK(sk_listen(closed, 1));
    CHECK_OK(sk_set_timeout(c, 5000));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(closed))); /* told once; this is a new attempt */
}

CASE(the_result_may_be_read_as_an_option)
{
    sk_handle closed = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    int64_t v = 4711;
    CHECK_OK(sk_bind(closed, "127.0.0.1", 0));
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_timeout(c, 0));
    if (sk_connect(c, "127.0.0.1", port_of(closed)) == SK_EINPROGRESS) {
        CHECK_EQ(sk_wait(c, SK_WRITABLE, 5000), 1);
        CHECK_OK(sk_get_option(c, SK_OPT_ERROR, &v));
        CHECK_EQ(v, SK_ECONNREFUSED);
    }
}

CASE(a_second_connect_waits_under_its_own_limit)
{
    struct blackhole b;
    blackhole_make(&b);
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_timeout(c, 0));
    CHECK_FAILS(sk_connect_addr(c, &b.at), SK_EINPROGRESS);
    CHECK_OK(sk_set_timeout(c, 60));
    int64_t start = now_us();
    CHECK_FAILS(sk_connect_addr(c, &b.at), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 60000);
    sk_handle l = tcp_listener(SK_INET, 1);
    CHECK_OK(sk_set_timeout(c, 5000));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l))); /* given up, so free for another place */
}

CASE(a_connected_socket_waits_for_data_again)
{
    sk_handle l = tcp_listener(SK_INET, 4);
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_option(c, SK_OPT_CONNECT_TIMEOUT, 5000));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    sk_handle s = MADE(sk_accept(l, NULL));
    CHECK_OK(sk_set_option(c, SK_OPT_RECV_TIMEOUT, 40));
    char b;
    int64_t start = now_us();
    CHECK_FAILS(sk_recv(c, &b, 1, 0), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 40000);
    CHECK_GIVES(sk_send(s, "x", 1, 0), 1);
    CHECK_GIVES(sk_recv(c, &b, 1, 0), 1);
}

CASE(datagram_connects_are_immediate_at_any_limit)
{
    static const int64_t limits[] = {0, 1, SK_FOREVER};
    for (int i = 0; i < 3; i++) {
        sk_handle a = udp_bound(SK_INET), b = udp_bound(SK_INET);
        CHECK_OK(sk_set_timeout(a, limits[i]));
        CHECK_OK(sk_connect(a, "127.0.0.1", port_of(b)));
        sk_addr to;
        sk_handle u = unix_bound(SK_DGRAM, 0, &to), v = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
        CHECK_OK(sk_set_timeout(v, limits[i]));
        CHECK_OK(sk_connect_addr(v, &to));
        CHECK_OK(sk_close(a));
        CHECK_OK(sk_close(b));
        CHECK_OK(sk_close(u));
        CHECK_OK(sk_close(v));
    }
}

struct connecting {
    sk_handle c;
    sk_addr at;
    int result;
};
static void connect_now(void *argument)
{
    struct connecting *x = argument;
    x->result = sk_connect_addr(x->c, &x->at);
}
CASE(an_unlimited_connect_waits_until_there_is_room)
{
    struct connecting x;
    struct thread t;
    struct blackhole b;
    blackhole_make(&b);
    x.c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    x.at = b.at;
    thread_start(&t, connect_now, &x);
    CHECK(wait_until_asleep(&t));
    blackhole_open(&b);
    thread_join(&t);
    CHECK_EQ(x.result, SK_OK);
}

CASE(unix_connect_waits_until_there_is_room)
{
    for (int limited = 0; limited < 2; limited++) {
        for (int type = SK_STREAM; type <= SK_SEQPACKET; type += 2) {
            struct connecting x;
            struct thread t;
            sk_handle l = unix_bound(type, 1, &x.at), c;
            for (;;) {
                c = MADE(sk_socket(SK_UNIX, type, 0));
                CHECK_OK(sk_set_timeout(c, 0));
                int r = sk_connect_addr(c, &x.at);
                if (r == SK_EAGAIN) break;
                CHECK_EQ(r, SK_OK);
            }
            x.c = c;
            CHECK_OK(sk_set_timeout(c, limited ? 10000 : SK_FOREVER));
            thread_start(&t, connect_now, &x);
            CHECK(wait_until_asleep(&t));
            CHECK_OK(sk_close(MADE(sk_accept(l, NULL))));
            thread_join(&t);
            CHECK_EQ(x.result, SK_OK);
            CHECK_OK(sk_close(c));
            CHECK_OK(sk_close(l));
        }
    }
}

CASE(errno_is_left_alone_by_a_connect_that_had_to_wait)
{
    struct blackhole b;
    struct connecting x;
    struct thread t;
    blackhole_make(&b);
    x.c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    x.at = b.at;
    CHECK_OK(sk_set_timeout(x.c, 15000));
    sk_handle other = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_timeout(other, 15000));
    thread_start(&t, connect_now, &x);
    CHECK(wait_until_asleep(&t));
    blackhole_open(&b);
    CHECK_OK(sk_connect_addr(other, &b.at));
    thread_join(&t);
    CHECK_EQ(x.result, SK_OK);
}
