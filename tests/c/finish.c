/* sk_finish and sk_abort: the graceful end and the abrupt one. */
#include "check.h"

/* For what only the kernel's tcp_info tells. */
static void need_tcp_info(void)
{
    if (CHECK_EMULATED) SKIP("qemu passes a part of TCP_INFO on");
}

static const int streams[] = {PAIR_TCP4, PAIR_UNIX_STREAM};
enum { STREAMS = 2 };

CASE(finish_is_ok_where_the_peer_ended_too)
{
    for (int i = 0; i < STREAMS; i++) {
        for (int64_t limit = -1; limit <= 1000; limit = limit < 0 ? 0 : limit + 1000) {
            sk_handle p[2];
            char b[8];
            any_pair(streams[i], p);
            CHECK_GIVES(sk_send(p[0], "last", 4, 0), 4);
            CHECK_OK(sk_shutdown(p[1], SK_SHUT_WRITE));
            CHECK_GIVES(sk_wait(p[0], SK_READABLE, 5000), 1);
            CHECK_OK(sk_finish(p[0], limit));
            CHECK_FAILS(sk_finish(p[0], limit), SK_EBADHANDLE);
            CHECK_GIVES(sk_recv(p[1], b, 8, 0), 4);
            CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0);
            CHECK_OK(sk_close(p[1]));
        }
    }
}

static void read_to_the_end_then_close(void *argument)
{
    sk_handle s = *(sk_handle *)argument;
    char b[64];
    int64_t n, total = 0;
    while ((n = sk_recv(s, b, sizeof b, 0)) > 0) total += n;
    CHECK_EQ(n, 0);
    CHECK_EQ(total, 4);
    CHECK_EQ(sk_close(s), SK_OK);
}

CASE(finish_waits_for_the_peer)
{
    for (int i = 0; i < STREAMS; i++) {
        sk_handle p[2];
        struct thread t;
        any_pair(streams[i], p);
        CHECK_GIVES(sk_send(p[0], "last", 4, 0), 4);
        thread_start(&t, read_to_the_end_then_close, &p[1]);
        CHECK_OK(sk_finish(p[0], i == 0 ? 10000 : SK_FOREVER));
        thread_join(&t);
    }
    CHECK_GIVES(sk_open_count(), 0);
}

/* Unread input must not turn into a reset that eats our last bytes. */
CASE(finish_drops_unread_input_and_delivers_the_last_bytes)
{
    for (int i = 0; i < STREAMS; i++) {
        static char junk[50000];
        sk_handle p[2];
        struct thread t;
        any_pair(streams[i], p);
        CHECK_GT(sk_send(p[1], junk, sizeof junk, SK_DONTWAIT), 0);
        CHECK_GIVES(sk_send(p[0], "last", 4, 0), 4);
        thread_start(&t, read_to_the_end_then_close, &p[1]);
        CHECK_OK(sk_finish(p[0], 10000));
        thread_join(&t);
    }
}

CASE(finish_closes_when_time_is_up)
{
    for (int i = 0; i < STREAMS; i++) {
        sk_handle p[2];
        char b[8];
        any_pair(streams[i], p);
        int64_t start = now_us();
        CHECK_FAILS(sk_finish(p[0], 50), SK_ETIMEDOUT);
        CHECK_GE(now_us() - start, 50000);
        CHECK_LT(now_us() - start, 1000000);
        CHECK_FAILS(sk_recv(p[0], b, 8, 0), SK_EBADHANDLE);
        CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0);
        CHECK_OK(sk_close(p[1]));
        any_pair(streams[i], p);
        CHECK_FAILS(sk_finish(p[0], 0), SK_EAGAIN);
        CHECK_FAILS(sk_close(p[0]), SK_EBADHANDLE);
        CHECK_OK(sk_close(p[1]));
    }
    CHECK_GIVES(sk_open_count(), 0);
}

static int chatting;
static void chat(void *argument)
{
    sk_handle s = *(sk_handle *)argument;
    while (__atomic_load_n(&chatting, __ATOMIC_SEQ_CST)) {
        if (sk_send(s, "chat", 4, 0) < 0) return;
    }
}
CASE(a_peer_that_never_stops_does_not_stretch_the_limit)
{
    sk_handle p[2];
    struct thread t;
    tcp_pair(SK_INET, p);
    chatting = 1;
    thread_start(&t, chat, &p[1]);
    int64_t start = now_us();
    CHECK_FAILS(sk_finish(p[0], 100), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 100000);
    CHECK_LT(now_us() - start, 1500000);
    __atomic_store_n(&chatting, 0, __ATOMIC_SEQ_CST);
    thread_join(&t);
    CHECK_OK(sk_close(p[1]));
}

CASE(finish_reports_a_reset_and_closes)
{
    sk_handle p[2];
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_abort(p[1]));
    CHECK_GIVES(sk_wait(p[0], SK_READABLE, 5000), 1);
    CHECK_LT(sk_finish(p[0], 1000), 0);
    CHECK_FAILS(sk_close(p[0]), SK_EBADHANDLE);
    CHECK_GIVES(sk_open_count(), 0);
}

CASE(finish_leaves_open_what_is_no_connected_stream)
{
    sk_handle l = tcp_listener(SK_INET, 1);
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    sk_handle d = udp_bound(SK_INET);
    sk_handle p[2];
    tcp_pair(SK_INET, p);
    CHECK_FAILS(sk_finish(l, 0), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_finish(c, 0), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_finish(d, 0), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_finish(p[0], -2), SK_EINVAL);
    CHECK_FAILS(sk_finish(p[0], INT64_MIN), SK_EINVAL);
    CHECK_FAILS(sk_finish(d, -2), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_finish(0, -2), SK_EBADHANDLE);
    char b;
    CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1); /* still whole */
    CHECK_GIVES(sk_recv(p[1], &b, 1, 0), 1);
    CHECK_OK(sk_close(l));
    CHECK_OK(sk_close(c));
    CHECK_OK(sk_close(d));
    close_pair(p);
}

/* Connects without waiting, to a port where nobody listens. */
static sk_handle refused(uint16_t port)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_option(s, SK_OPT_CONNECT_TIMEOUT, 0));
    int r = sk_connect(s, "127.0.0.1", port);
    CHECK(r == SK_EINPROGRESS || r == SK_ECONNREFUSED);
    CHECK_GIVES(sk_wait(s, SK_WRITABLE, 5000), 1);
    return s;
}

CASE(finish_leaves_open_what_was_never_connected)
{
    sk_handle l, s, nobody = MADE(sk_socket(SK_INET, SK_STREAM, 0)); /* it does not listen */
    int64_t v = 0;
    CHECK_OK(sk_bind(nobody, "127.0.0.1", 0));
    uint16_t port = port_of(nobody);

    s = refused(port); /* not told */
    CHECK_FAILS(sk_finish(s, 300), SK_EOPNOTSUPP);
    CHECK_OK(sk_get_option(s, SK_OPT_ERROR, &v)); /* still there */
    CHECK_EQ(v, SK_ECONNREFUSED);
    CHECK_FAILS(sk_finish(s, 300), SK_EOPNOTSUPP);
    CHECK_OK(sk_close(s));

    s = refused(port);
    CHECK_FAILS(sk_connect(s, "127.0.0.1", port), SK_ECONNREFUSED);
    CHECK_FAILS(sk_finish(s, 300), SK_EOPNOTSUPP);
    CHECK_OK(sk_close(s));

    /* The queue of the listener is full, so that the next one hangs. */
    sk_handle q[8];
    int n = 0;
    l = tcp_listener(SK_INET, 1);
    for (; n < 8; n++) {
        q[n] = MADE(sk_socket(SK_INET, SK_STREAM, 0));
        CHECK_OK(sk_set_option(q[n], SK_OPT_CONNECT_TIMEOUT, 0));
        CHECK_FAILS(sk_connect(q[n], "127.0.0.1", port_of(l)), SK_EINPROGRESS);
        if (sk_wait(q[n], SK_WRITABLE, 200) == 0) break;
    }
    CHECK_LT(n, 8);
    CHECK_FAILS(sk_finish(q[n], 300), SK_EOPNOTSUPP);
    CHECK_OK(sk_close(sk_accept(l, NULL)));
    CHECK_GIVES(sk_wait(q[n], SK_WRITABLE, 5000), 1); /* it went on */
    for (; n >= 0; n--) CHECK_OK(sk_close(q[n]));
    CHECK_OK(sk_close(l));
    CHECK_OK(sk_close(nobody));
}

/* However it was begun, and whatever became of it. */
CASE(finish_closes_what_was_connected_once)
{
    need_tcp_info();
    for (int end = 0; end < 4; end++) {
        sk_handle l = tcp_listener(SK_INET, 1), s = MADE(sk_socket(SK_INET, SK_STREAM, 0)), r;
        int64_t v = 0;
        char b;
        CHECK_OK(sk_set_option(s, SK_OPT_CONNECT_TIMEOUT, 0));
        CHECK_FAILS(sk_connect(s, "127.0.0.1", port_of(l)), SK_EINPROGRESS);
        CHECK_GIVES(sk_wait(s, SK_WRITABLE, 5000), 1);
        r = MADE(sk_accept(l, NULL));
        if (end == 0) { /* graceful, the peer first */
            CHECK_OK(sk_close(r));
            CHECK_GIVES(sk_recv(s, &b, 1, 0), 0);
            CHECK_OK(sk_shutdown(s, SK_SHUT_WRITE));
            usleep(50000);
            CHECK_OK(sk_finish(s, 300));
        } else {
            CHECK_OK(sk_abort(r));
            CHECK_GIVES(sk_wait(s, SK_READABLE, 5000), 1);
            if (end == 1) CHECK_FAILS(sk_recv(s, &b, 1, 0), SK_ECONNRESET);
            if (end == 2) CHECK_OK(sk_get_option(s, SK_OPT_ERROR, &v));
            if (end == 3) CHECK_FAILS(sk_finish(s, 300), SK_ECONNRESET);
            else CHECK_OK(sk_finish(s, 300));
        }
        CHECK_FAILS(sk_close(s), SK_EBADHANDLE);
        CHECK_OK(sk_close(l));
    }
}

/* A read shutdown of our own is no end of the peer's. */
CASE(a_read_shutdown_of_our_own_is_not_the_peers_end)
{
    need_tcp_info();
    static const int hows[] = {SK_SHUT_READ, SK_SHUT_BOTH};
    for (int i = 0; i < 2; i++) {
        for (int64_t limit = -1; limit <= 300; limit = limit < 0 ? 0 : limit + 300) {
            sk_handle p[2];
            char b[8];
            tcp_pair(SK_INET, p);
            CHECK_GIVES(sk_send(p[0], "last", 4, 0), 4);
            CHECK_OK(sk_shutdown(p[0], hows[i]));
            CHECK_FAILS(sk_finish(p[0], limit), SK_EAGAIN);
            CHECK_FAILS(sk_close(p[0]), SK_EBADHANDLE);
            CHECK_GIVES(sk_recv(p[1], b, 8, 0), 4);
            CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0);
            CHECK_OK(sk_close(p[1]));
            tcp_pair(SK_INET, p);
            CHECK_OK(sk_shutdown(p[0], hows[i]));
            CHECK_OK(sk_close(p[1]));
            usleep(50000);
            CHECK_OK(sk_finish(p[0], limit));
        }
    }
}

static void finish_that_is_cut(void *argument)
{
    CHECK_EQ(sk_finish(*(sk_handle *)argument, 10000), SK_EAGAIN);
}
CASE(a_read_shutdown_during_finish_is_not_the_peers_end)
{
    need_tcp_info();
    sk_handle p[2];
    struct thread t;
    tcp_pair(SK_INET, p);
    thread_start(&t, finish_that_is_cut, &p[0]);
    CHECK(wait_until_asleep(&t));
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_READ));
    thread_join(&t);
    CHECK_OK(sk_close(p[1]));
}

/* There it ends the peer's side too. */
CASE(finish_is_ok_after_a_read_shutdown_of_a_unix_socket)
{
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_READ));
    CHECK_FAILS(sk_send(p[1], "x", 1, 0), SK_EPIPE);
    CHECK_OK(sk_finish(p[0], 300));
    CHECK_OK(sk_close(p[1]));
}

static void abort_soon(void *argument)
{
    usleep(50000);
    CHECK_OK(sk_abort(*(sk_handle *)argument));
}
/* A receive that moved something before the reset owes us the error. */
CASE(finish_tells_an_error_that_was_kept)
{
    sk_handle p[2];
    char b[10];
    tcp_pair(SK_INET, p);
    CHECK_GIVES(sk_send(p[1], "abc", 3, 0), 3);
    CHECK_GIVES(sk_wait(p[0], SK_READABLE, 5000), 1);
    struct thread t;
    thread_start(&t, abort_soon, &p[1]);
    CHECK_GIVES(sk_recv(p[0], b, sizeof b, SK_WAITALL), 3);
    thread_join(&t);
    CHECK_FAILS(sk_finish(p[0], 300), SK_ECONNRESET);
    CHECK_FAILS(sk_close(p[0]), SK_EBADHANDLE);
}

CASE(abort_resets_and_drops)
{
    sk_handle p[2];
    char b[8];
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_abort(p[0]));
    CHECK_FAILS(sk_abort(p[0]), SK_EBADHANDLE);
    CHECK_FAILS(sk_recv(p[1], b, 8, 0), SK_ECONNRESET);
    CHECK_OK(sk_close(p[1]));
    tcp_pair(SK_INET, p);
    fill(p[0]);
    CHECK_OK(sk_abort(p[0]));
    CHECK_GIVES(sk_wait(p[1], SK_READABLE, 5000), 1);
    int64_t v = 0;
    CHECK_OK(sk_get_option(p[1], SK_OPT_ERROR, &v));
    CHECK_EQ(v, SK_ECONNRESET);
    CHECK_OK(sk_close(p[1]));
}

CASE(abort_closes_every_kind)
{
    need_ipv6();
    for (int k = 0; k < PAIR_KINDS; k++) {
        sk_handle p[2];
        any_pair(k, p);
        CHECK_OK(sk_abort(p[0]));
        CHECK_OK(sk_abort(p[1]));
    }
    CHECK_OK(sk_abort(tcp_listener(SK_INET, 1)));
    CHECK_OK(sk_abort(MADE(sk_socket(SK_INET, SK_STREAM, 0))));
    CHECK_GIVES(sk_open_count(), 0);
}

/* With copies around nobody can say which is the last, so abort is only a close. */
CASE(abort_of_a_shared_socket_is_a_close)
{
    sk_handle p[2];
    char b[8];
    tcp_pair(SK_INET, p);
    sk_handle copy = MADE(sk_dup(p[0]));
    CHECK_OK(sk_abort(p[0]));
    CHECK_GIVES(sk_send(copy, "still", 5, 0), 5);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 5);
    CHECK_OK(sk_abort(copy));
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0); /* the end, no reset */
    CHECK_OK(sk_close(p[1]));
    tcp_pair(SK_INET, p);
    CHECK_GE(sk_fd(p[0]), 0);
    CHECK_OK(sk_abort(p[0]));
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0);
}

CASE(abort_of_what_a_child_has_too_is_a_close)
{
    for (int child_is_alive = 0; child_is_alive < 2; child_is_alive++) {
        sk_handle p[2];
        char b[8];
        tcp_pair(SK_INET, p);
        pid_t child = fork();
        CHECK_GE(child, 0);
        while (child == 0) pause();
        if (child_is_alive) {
            CHECK_OK(sk_abort(p[0]));
            CHECK_FAILS(sk_recv(p[1], b, 8, SK_DONTWAIT), SK_EAGAIN); /* the child's is open */
        }
        CHECK_EQ(kill(child, SIGKILL), 0);
        CHECK_EQ(waitpid(child, NULL, 0), child);
        if (!child_is_alive) CHECK_OK(sk_abort(p[0])); /* nobody can know that it was the last */
        CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0);
        CHECK_OK(sk_close(p[1]));
    }
}
