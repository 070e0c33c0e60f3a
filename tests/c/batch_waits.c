/* Many datagrams at once: waiting, closing, and across a fork. */
#include "batch.h"

/* --- Waiting -------------------------------------------------------------------------------- */

struct blocked {
    sk_handle s;
    int send;
    int64_t result;
    int error;
};
static void batch_one(void *argument)
{
    struct blocked *x = argument;
    errno = ERRNO_UNTOUCHED;
    x->result = x->send ? sk_send_batch(x->s, out, MOST, 0) : sk_recv_batch(x->s, in, MOST, 0);
    x->error = errno;
}

/* Ways to block: no limit, a limit, a socket that others share. */
enum { PLAINLY, LIMITED, SHARED, WAYS };
static sk_handle copy;
static void block_so(sk_handle s, int way)
{
    copy = SK_INVALID_HANDLE;
    if (way == LIMITED) CHECK_OK(sk_set_timeout(s, 15000));
    if (way == SHARED) copy = MADE(sk_dup(s));
}
static void close_wakes(sk_handle s, int send)
{
    struct thread t;
    struct blocked x = {s, send, 0, 0};
    thread_start(&t, batch_one, &x);
    CHECK(wait_until_asleep(&t));
    int64_t start = now_us();
    CHECK_OK(sk_close(s));
    thread_join(&t);
    CHECK_LT(t.ended_us - start, 200000);
    CHECK_EQ(x.result, SK_ECLOSED);
    CHECK_EQ(x.error, ECANCELED);
    if (copy != SK_INVALID_HANDLE) CHECK_OK(sk_close(copy));
}

CASE_WITHIN(close_wakes_a_receive, 60)
{
    need_ipv6();
    for (int way = 0; way < WAYS; way++) {
        empty_room();
        for (int k = 0; k < MESSAGE_PAIRS; k++) {
            sk_handle p[2];
            any_pair(message_pairs[k], p);
            block_so(p[1], way);
            close_wakes(p[1], 0);
            CHECK_OK(sk_close(p[0]));
        }
        sk_handle alone = udp_bound(SK_INET);
        block_so(alone, way);
        close_wakes(alone, 0);
        sk_addr name;
        alone = unix_bound(SK_DGRAM, 0, &name);
        block_so(alone, way);
        close_wakes(alone, 0);
        CHECK_EQ(in[0].flags, 0x77777777); /* an error writes nothing */
    }
}

CASE_WITHIN(close_wakes_a_send, 60)
{
    static const int full[] = {PAIR_UNIX_DGRAM, PAIR_UNIX_SEQPACKET};
    for (int way = 0; way < WAYS; way++) {
        numbered(MOST);
        for (int k = 0; k < 2; k++) {
            sk_handle p[2];
            any_pair(full[k], p);
            fill(p[0]);
            block_so(p[0], way);
            close_wakes(p[0], 1);
            CHECK_OK(sk_close(p[1]));
        }
        sk_addr name;
        sk_handle to = unix_bound(SK_DGRAM, 0, &name), s = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
        while (sk_send_to(s, "x", 1, SK_DONTWAIT, &name) == 1) continue;
        for (size_t i = 0; i < MOST; i++) out[i].addr = name;
        block_so(s, way);
        close_wakes(s, 1);
        CHECK_OK(sk_close(to));
    }
}

CASE(a_close_after_some_went_reports_them)
{
    sk_handle p[2];
    struct thread t;
    unix_pair(SK_SEQPACKET, p);
    CHECK_OK(sk_set_option(p[0], SK_OPT_SEND_BUFFER, 4096));
    numbered(MOST);
    struct blocked x = {p[0], 1, 0, 0};
    thread_start(&t, batch_one, &x);
    CHECK(wait_until_asleep(&t));
    CHECK_OK(sk_close(p[0]));
    thread_join(&t);
    CHECK_GT(x.result, 0);
    CHECK_LT(x.result, MOST);
    CHECK_EQ(x.error, ERRNO_UNTOUCHED);
    empty_room();
    CHECK_GIVES(sk_recv_batch(p[1], in, MOST, 0), x.result);
    CHECK_OK(sk_close(p[1]));
}

CASE(a_receive_waits_for_the_first_under_the_limit)
{
    need_ipv6();
    for (int k = 0; k < MESSAGE_PAIRS; k++) {
        sk_handle p[2];
        any_pair(message_pairs[k], p);
        empty_room();
        CHECK_FAILS(sk_recv_batch(p[1], in, MOST, SK_DONTWAIT), SK_EAGAIN);
        CHECK_OK(sk_set_timeout(p[1], 0));
        CHECK_FAILS(sk_recv_batch(p[1], in, MOST, 0), SK_EAGAIN);
        CHECK_OK(sk_set_timeout(p[1], 30));
        int64_t start = now_us();
        CHECK_FAILS(sk_recv_batch(p[1], in, MOST, 0), SK_ETIMEDOUT);
        CHECK_GE(now_us() - start, 30000);
        for (int limited = 0; limited < 2; limited++) {
            struct thread t;
            struct blocked x = {p[1], 0, 0, 0};
            CHECK_OK(sk_set_timeout(p[1], limited ? 15000 : SK_FOREVER));
            thread_start(&t, batch_one, &x);
            CHECK(wait_until_asleep(&t));
            CHECK_GIVES(sk_send(p[0], "0", 1, 0), 1);
            thread_join(&t); /* does not wait for a second one */
            CHECK_EQ(x.result, 1);
            CHECK_EQ(x.error, ERRNO_UNTOUCHED);
            check_numbered(0, 0, 1);
        }
        close_pair(p);
    }
}

static void on_signal(int number) { (void)number; }
CASE(signals_do_not_end_a_receive)
{
    sk_handle p[2];
    struct thread t;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    udp_pair(SK_INET, p);
    empty_room();
    struct blocked x = {p[1], 0, 0, 0};
    thread_start(&t, batch_one, &x);
    for (int i = 0; i < 20; i++) {
        CHECK(wait_until_asleep(&t));
        CHECK_EQ(pthread_kill(t.id, SIGUSR1), 0);
    }
    CHECK_GIVES(sk_send(p[0], "0", 1, 0), 1);
    thread_join(&t);
    CHECK_EQ(x.result, 1);
    CHECK_EQ(x.error, ERRNO_UNTOUCHED);
    close_pair(p);
}

/* --- Sharing -------------------------------------------------------------------------------- */

static void child_answers(void *argument)
{
    sk_handle *p = argument;
    empty_room();
    CHECK_GIVES(sk_recv_batch(p[1], in, MOST, 0), 3);
    check_numbered(0, 0, 3);
    numbered(3);
    CHECK_GIVES(sk_send_batch(p[1], out, 2, 0), 2);
    CHECK_OK(sk_close(p[1]));
}
CASE(across_a_fork)
{
    for (int k = 0; k < MESSAGE_PAIRS; k++) {
        if (message_pairs[k] == PAIR_UDP6) need_ipv6();
        sk_handle p[2];
        any_pair(message_pairs[k], p);
        numbered(3);
        CHECK_GIVES(sk_send_batch(p[0], out, 3, 0), 3);
        in_child(child_answers, p);
        empty_room();
        CHECK_GIVES(sk_recv_batch(p[0], in, MOST, 0), 2);
        CHECK_FAILS(sk_recv_batch(p[0], in, MOST, SK_DONTWAIT), SK_EAGAIN);
        close_pair(p);
    }
}
