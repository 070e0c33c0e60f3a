/* sk_finish and sk_abort: the graceful end and the abrupt one. */
#include "check.h"

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
