/* sk_wait: one handle, ready or not, within a limit. */
#include "check.h"

CASE(readable)
{
    need_ipv6();
    for (int k = 0; k < PAIR_KINDS; k++) {
        sk_handle p[2];
        any_pair(k, p);
        CHECK_GIVES(sk_wait(p[1], SK_READABLE, 0), 0);
        int64_t start = now_us();
        CHECK_GIVES(sk_wait(p[1], SK_READABLE, 30), 0);
        CHECK_GE(now_us() - start, 30000);
        CHECK_LT(now_us() - start, 1000000);
        CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
        CHECK_GIVES(sk_wait(p[1], SK_READABLE, 5000), 1);
        CHECK_GIVES(sk_wait(p[1], SK_READABLE, 0), 1);
        CHECK_GIVES(sk_wait(p[1], SK_READABLE, SK_FOREVER), 1);
        CHECK_GIVES(sk_wait(p[1], SK_READABLE, INT64_MAX), 1);
        close_pair(p);
    }
}

CASE(writable)
{
    static const int some[] = {PAIR_TCP4, PAIR_UNIX_STREAM, PAIR_UNIX_DGRAM, PAIR_UNIX_SEQPACKET};
    for (int i = 0; i < 4; i++) {
        sk_handle p[2];
        any_pair(some[i], p);
        CHECK_GIVES(sk_wait(p[0], SK_WRITABLE, 0), 1);
        fill(p[0]);
        CHECK_GIVES(sk_wait(p[0], SK_WRITABLE, 0), 0);
        CHECK_GIVES(sk_wait(p[0], SK_WRITABLE, 20), 0);
        static char b[1 << 20];
        while (sk_recv(p[1], b, sizeof b, SK_DONTWAIT) > 0) continue;
        CHECK_GIVES(sk_wait(p[0], SK_WRITABLE, 5000), 1);
        close_pair(p);
    }
}

CASE(either_of_two)
{
    sk_handle p[2];
    tcp_pair(SK_INET, p);
    CHECK_GIVES(sk_wait(p[0], SK_READABLE | SK_WRITABLE, 0), 1);
    fill(p[0]);
    CHECK_GIVES(sk_wait(p[0], SK_READABLE | SK_WRITABLE, 0), 0);
    CHECK_GIVES(sk_send(p[1], "x", 1, 0), 1);
    CHECK_GIVES(sk_wait(p[0], SK_READABLE | SK_WRITABLE, 5000), 1);
}

CASE(a_half_close_is_readable)
{
    static const int some[] = {PAIR_TCP4, PAIR_UNIX_STREAM, PAIR_UNIX_SEQPACKET};
    for (int i = 0; i < 3; i++) {
        sk_handle p[2];
        char b;
        any_pair(some[i], p);
        CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
        CHECK_GIVES(sk_wait(p[1], SK_READABLE, 5000), 1);
        CHECK_GIVES(sk_recv(p[1], &b, 1, 0), 0);
        CHECK_GIVES(sk_wait(p[1], SK_PRIORITY, 0), 0); /* no hangup: one direction lives */
        close_pair(p);
    }
}

CASE(hangup_and_error_are_always_reported)
{
    sk_handle p[2];
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_abort(p[0]));
    CHECK_GIVES(sk_wait(p[1], SK_PRIORITY, 5000), 1);
    CHECK_OK(sk_close(p[1]));
    unix_pair(SK_STREAM, p);
    CHECK_OK(sk_close(p[0]));
    CHECK_GIVES(sk_wait(p[1], SK_PRIORITY, 5000), 1);
    CHECK_GIVES(sk_wait(p[1], SK_HANGUP, 5000), 1);
    CHECK_GIVES(sk_wait(p[1], SK_ERROR, 5000), 1);
    CHECK_OK(sk_close(p[1]));
    udp_pair(SK_INET, p);
    CHECK_OK(sk_close(p[1]));
    CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
    CHECK_GIVES(sk_wait(p[0], SK_PRIORITY, 5000), 1);
    CHECK_OK(sk_close(p[0]));
}

CASE(a_connection_makes_a_listener_readable)
{
    sk_addr a;
    sk_handle l[2] = {tcp_listener(SK_INET, 1), unix_bound(SK_STREAM, 1, &a)};
    for (int i = 0; i < 2; i++) {
        CHECK_GIVES(sk_wait(l[i], SK_READABLE, 0), 0);
        sk_handle c = MADE(sk_socket(i == 0 ? SK_INET : SK_UNIX, SK_STREAM, 0));
        CHECK_OK(sk_local_addr(l[i], &a));
        CHECK_OK(sk_connect_addr(c, &a));
        CHECK_GIVES(sk_wait(l[i], SK_READABLE, 5000), 1);
    }
}

CASE(the_handles_own_limits_do_not_count)
{
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    CHECK_OK(sk_set_timeout(p[0], 0));
    int64_t start = now_us();
    CHECK_GIVES(sk_wait(p[0], SK_READABLE, 40), 0);
    CHECK_GE(now_us() - start, 40000);
}

CASE(bad_events_and_limits)
{
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    CHECK_FAILS(sk_wait(p[0], 32, 0), SK_EINVAL);
    CHECK_FAILS(sk_wait(p[0], 0xFFFFFFFFu, 0), SK_EINVAL);
    CHECK_FAILS(sk_wait(p[0], SK_EDGE | SK_READABLE, 0), SK_EINVAL);
    CHECK_FAILS(sk_wait(p[0], SK_ONESHOT | SK_READABLE, 0), SK_EINVAL);
    CHECK_FAILS(sk_wait(p[0], SK_EXCLUSIVE | SK_READABLE, 0), SK_EINVAL);
    CHECK_FAILS(sk_wait(p[0], SK_READABLE, -2), SK_EINVAL);
    CHECK_FAILS(sk_wait(p[0], SK_READABLE, INT64_MIN), SK_EINVAL);
    CHECK_FAILS(sk_wait(0, 32, -2), SK_EBADHANDLE);
    close_pair(p);
}

CASE(urgent_data_is_priority)
{
    sk_handle p[2];
    tcp_pair(SK_INET, p);
    CHECK_GIVES(sk_send(p[0], "n", 1, 0), 1);
    CHECK_GIVES(sk_wait(p[1], SK_READABLE, 5000), 1);
    CHECK_GIVES(sk_wait(p[1], SK_PRIORITY, 0), 0);
    CHECK_GIVES(sk_send(p[0], "!", 1, SK_OOB), 1);
    CHECK_GIVES(sk_wait(p[1], SK_PRIORITY, 5000), 1);
}

struct waiter {
    sk_handle s;
    int result;
};
static void wait_readable(void *argument)
{
    struct waiter *w = argument;
    w->result = sk_wait(w->s, SK_READABLE, SK_FOREVER);
}
CASE(several_threads_wait_for_one_handle)
{
    sk_handle p[2];
    struct thread t[4];
    struct waiter w[4];
    unix_pair(SK_STREAM, p);
    for (int i = 0; i < 4; i++) {
        w[i].s = p[0];
        thread_start(&t[i], wait_readable, &w[i]);
    }
    for (int i = 0; i < 4; i++) CHECK(wait_until_asleep(&t[i]));
    CHECK_GIVES(sk_send(p[1], "x", 1, 0), 1);
    for (int i = 0; i < 4; i++) {
        thread_join(&t[i]);
        CHECK_EQ(w[i].result, 1);
    }
}
