/* sk_poll, and sk_wait on a poller: several handles, each ready or not, within a limit. */
#include "check.h"

#include <sys/time.h>

static sk_poll_item item(sk_handle h, uint32_t events)
{
    sk_poll_item i = {h, events, 0xdeadu};
    return i;
}

static void send_x(sk_handle s) { CHECK_GIVES(sk_send(s, "x", 1, 0), 1); }

CASE(ready_items_are_counted_and_told)
{
    need_ipv6();
    for (int k = 0; k < PAIR_KINDS; k++) {
        sk_handle p[2];
        any_pair(k, p);
        sk_poll_item i[3] = {item(p[0], SK_READABLE), item(p[1], SK_READABLE), item(p[1], SK_READABLE | SK_WRITABLE)};
        CHECK_GIVES(sk_poll(i, 2, 0), 0);
        CHECK_EQ(i[0].revents, 0);
        CHECK_EQ(i[1].revents, 0);
        send_x(p[0]);
        CHECK_GIVES(sk_wait(p[1], SK_READABLE, 5000), 1);
        CHECK_GIVES(sk_poll(i, 3, 5000), 2);
        CHECK_EQ(i[0].revents, 0);
        CHECK_EQ(i[1].revents, SK_READABLE);
        CHECK_EQ(i[2].revents, SK_READABLE | SK_WRITABLE);
        for (int n = 0; n < 3; n++) CHECK(i[n].handle == p[n > 0] && i[n].events == (n < 2 ? SK_READABLE : SK_READABLE | SK_WRITABLE));
        CHECK_GIVES(sk_poll(i, 2, SK_FOREVER), 1);
        CHECK_GIVES(sk_poll(i, 2, INT64_MAX), 1);
        close_pair(p);
    }
}

CASE(the_end_of_the_peer)
{
    sk_handle p[2], u[2];
    tcp_pair(SK_INET, p);
    unix_pair(SK_STREAM, u);
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE)); /* half: readable, no hangup */
    sk_poll_item i[2] = {item(p[1], SK_READABLE), item(u[1], 0)};
    CHECK_GIVES(sk_poll(i, 1, 5000), 1);
    CHECK_EQ(i[0].revents, SK_READABLE);
    CHECK_GIVES(sk_poll(i + 1, 1, 0), 0);
    CHECK_OK(sk_close(u[0])); /* both: told without being asked */
    CHECK_GIVES(sk_poll(i + 1, 1, 5000), 1);
    CHECK_EQ(i[1].revents, SK_HANGUP);
    CHECK_GIVES(sk_send(p[1], "!", 1, SK_OOB), 1);
    i[0] = item(p[0], SK_PRIORITY | SK_READABLE);
    CHECK_GIVES(sk_poll(i, 1, 5000), 1);
    CHECK(i[0].revents & SK_PRIORITY);
    udp_pair(SK_INET, u);
    CHECK_OK(sk_close(u[1]));
    send_x(u[0]);
    i[0] = item(u[0], 0);
    CHECK_GIVES(sk_poll(i, 1, 5000), 1);
    CHECK_EQ(i[0].revents, SK_ERROR); /* refused */
}

CASE(handle_0_is_skipped)
{
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    send_x(p[0]);
    sk_poll_item i[4] = {item(0, SK_READABLE), item(p[1], SK_READABLE), item(0, SK_WRITABLE), item(p[1], SK_READABLE)};
    CHECK_GIVES(sk_poll(i, 4, 5000), 2);
    CHECK_EQ(i[0].revents, 0);
    CHECK_EQ(i[1].revents, SK_READABLE);
    CHECK_EQ(i[2].revents, 0);
    CHECK_EQ(i[3].revents, SK_READABLE);
    int64_t start = now_us();
    i[1].handle = i[3].handle = SK_INVALID_HANDLE;
    CHECK_GIVES(sk_poll(i, 4, 30), 0); /* nobody is left: the time runs all the same */
    CHECK_GE(now_us() - start, 30000);
    CHECK_EQ(i[1].revents, 0);
}

CASE(no_items)
{
    CHECK_GIVES(sk_poll(NULL, 0, 0), 0);
    int64_t start = now_us();
    CHECK_GIVES(sk_poll(NULL, 0, 30), 0);
    CHECK_GE(now_us() - start, 30000);
}

CASE(a_bad_handle_is_an_error_that_counts)
{
    sk_handle p[2], bad[4] = {-1, INT64_MAX, 3, 0};
    unix_pair(SK_STREAM, p);
    bad[3] = MADE(sk_dup(p[0]));
    CHECK_OK(sk_close(bad[3]));
    for (int k = 0; k < 4; k++) {
        sk_poll_item i[3] = {item(p[0], SK_READABLE), item(bad[k], SK_READABLE), item(p[0], SK_WRITABLE)};
        CHECK_GIVES(sk_poll(i, 2, SK_FOREVER), 1); /* at once */
        CHECK_EQ(i[0].revents, 0);
        CHECK_EQ(i[1].revents, SK_ERROR);
        CHECK_GIVES(sk_poll(i, 3, SK_FOREVER), 2);
        CHECK_EQ(i[1].revents, SK_ERROR);
        CHECK_EQ(i[2].revents, SK_WRITABLE);
    }
    /* The number of a closed handle is somebody else's now, whose events are not the old one's. */
    sk_handle again = MADE(sk_dup(p[0]));
    sk_poll_item i[2] = {item(bad[3], SK_WRITABLE), item(again, SK_WRITABLE)};
    CHECK_GIVES(sk_poll(i, 2, 0), 2);
    CHECK_EQ(i[0].revents, SK_ERROR);
    CHECK_EQ(i[1].revents, SK_WRITABLE);
}

/* A handle that appears often, among skipped and bad ones, for counts around what is kept on the stack. */
CASE(each_item_gets_its_own_answer)
{
    static sk_poll_item i[5000];
    static const size_t counts[] = {1, 23, 24, 25, 26, 48, 49, 64, 65, 255, 256, 257, 5000};
    sk_handle p[2], q[2];
    unix_pair(SK_STREAM, p);
    tcp_pair(SK_INET, q);
    send_x(p[0]);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        int ready = 0;
        for (size_t n = 0; n < counts[c]; n++) {
            switch (n * 7 % 5) {
            case 0: i[n] = item(p[1], SK_READABLE); break;
            case 1: i[n] = item(p[0], SK_READABLE); break;
            case 2: i[n] = item(0, SK_READABLE); break;
            case 3: i[n] = item(-5, 0); break;
            default: i[n] = item(q[0], SK_WRITABLE | SK_READABLE); break;
            }
            ready += n * 7 % 5 == 0 || n * 7 % 5 > 2;
        }
        CHECK_GIVES(sk_poll(i, counts[c], 0), ready);
        for (size_t n = 0; n < counts[c]; n++) {
            static const uint32_t wanted[] = {SK_READABLE, 0, 0, SK_ERROR, SK_WRITABLE};
            CHECK_EQ(i[n].revents, wanted[n * 7 % 5]);
            CHECK(i[n].events <= (SK_READABLE | SK_WRITABLE));
        }
    }
}

/* poll(2) refuses more entries than RLIMIT_NOFILE; sk_poll takes 65,536. */
CASE(more_items_than_descriptors)
{
    static sk_poll_item i[65536];
    sk_handle p[2];
    struct rlimit limit;
    unix_pair(SK_STREAM, p);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 40;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (size_t n = 0; n < 65536; n++) i[n] = item(0, 0);
    i[65535] = item(p[1], SK_READABLE);
    int64_t start = now_us();
    CHECK_GIVES(sk_poll(i, 65536, 20), 0); /* most are skipped */
    for (size_t n = 0; n < 65535; n++) i[n] = item(n % 3 == 0 ? 0 : p[n & 1], SK_READABLE);
    CHECK_GIVES(sk_poll(i, 65536, 20), 0); /* some are there many times */
    CHECK_GE(now_us() - start, 40000);
    CHECK_EQ(i[65535].revents, 0);
    send_x(p[0]);
    int wanted = 0;
    for (size_t n = 0; n < 65536; n++) wanted += i[n].handle == p[1];
    CHECK_GIVES(sk_poll(i, 65536, SK_FOREVER), wanted);
    for (size_t n = 0; n < 65536; n++) CHECK_EQ(i[n].revents, i[n].handle == p[1] ? SK_READABLE : 0);
}

CASE(bad_input_changes_nothing)
{
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    sk_poll_item i[2] = {item(p[0], SK_WRITABLE), item(p[1], SK_WRITABLE)}, before[2];
    memcpy(before, i, sizeof i);
    CHECK_FAILS(sk_poll(i, 2, -2), SK_EINVAL);
    CHECK_FAILS(sk_poll(i, 2, INT64_MIN), SK_EINVAL);
    CHECK_FAILS(sk_poll(i, 65537, 0), SK_EINVAL);
    CHECK_FAILS(sk_poll(i, SIZE_MAX, 0), SK_EINVAL);
    CHECK_FAILS(sk_poll(NULL, 1, 0), SK_EINVAL);
    CHECK_FAILS(sk_poll(NULL, 0, -2), SK_EINVAL);
    static const uint32_t wrong[] = {SK_EDGE, SK_ONESHOT, SK_EXCLUSIVE, 32, 1u << 31, 0xFFFFFFFFu};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        i[1].events = before[1].events = SK_READABLE | wrong[k];
        CHECK_FAILS(sk_poll(i, 2, 0), SK_EINVAL);
        CHECK_EQ(memcmp(i, before, sizeof i), 0);
    }
}

/* --- Time ------------------------------------------------------------------------------------- */

static void nothing(int number) { (void)number; }

/* SIGALRM every 3 ms for the whole process. */
static void storm(int on)
{
    struct sigaction a;
    struct itimerval every = {{0, on ? 3000 : 0}, {0, on ? 3000 : 0}};
    memset(&a, 0, sizeof a);
    a.sa_handler = on ? nothing : check_too_late;
    CHECK_EQ(sigaction(SIGALRM, &a, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
    if (!on) alarm(20);
}

CASE(signals_neither_end_nor_lengthen_a_wait)
{
    sk_handle p[2], d[2];
    unix_pair(SK_STREAM, p);
    unix_pair(SK_STREAM, d);
    sk_poll_item i[2] = {item(p[0], SK_READABLE), item(MADE(sk_dup(d[0])), SK_READABLE)};
    sk_handle poller = MADE(sk_poller());
    for (int shared = 0; shared < 2; shared++) {
        storm(1);
        int64_t start = now_us();
        CHECK_GIVES(sk_poll(i, shared ? 2 : 1, 100), 0);
        CHECK_GIVES(sk_wait(poller, SK_READABLE, 100), 0);
        int64_t took = now_us() - start;
        storm(0);
        CHECK_GE(took, 200000);
        CHECK_LT(took, 700000);
    }
}

struct waiter {
    sk_poll_item items[3];
    size_t count;
    int64_t timeout;
    int64_t result;
};
static void wait_for(void *argument)
{
    struct waiter *w = argument;
    w->result = sk_poll(w->items, w->count, w->timeout);
}

CASE(another_thread_makes_it_ready)
{
    for (int k = 0; k < PAIR_KINDS; k++) {
        sk_handle p[2];
        struct thread t;
        if (k == PAIR_TCP6 || k == PAIR_UDP6) continue;
        any_pair(k, p);
        struct waiter w = {{item(p[0], SK_READABLE), item(p[1], SK_READABLE)}, 2, SK_FOREVER, 0};
        thread_start(&t, wait_for, &w);
        CHECK(wait_until_asleep(&t));
        send_x(p[0]);
        thread_join(&t);
        CHECK_EQ(w.result, 1);
        CHECK_EQ(w.items[0].revents, 0);
        CHECK_EQ(w.items[1].revents, SK_READABLE);
        close_pair(p);
    }
}

/* Closing one of the handles ends the wait, for plain and for shared ones, whatever copies live on. */
static void closed_while_waited_for(int copies)
{
    for (int k = 0; k < PAIR_KINDS; k++) {
        sk_handle p[2], other[2];
        struct thread t;
        int copy = -1;
        if (k == PAIR_TCP6 || k == PAIR_UDP6) continue;
        any_pair(k, p);
        unix_pair(SK_STREAM, other);
        if (copies) copy = dup((int)sk_fd(p[0]));
        int fds = open_fds();
        struct waiter w = {{item(other[0], SK_READABLE), item(p[0], SK_READABLE), item(p[0], SK_PRIORITY)}, 3, SK_FOREVER, 0};
        thread_start(&t, wait_for, &w);
        CHECK(wait_until_asleep(&t));
        CHECK_OK(sk_close(p[0]));
        thread_join(&t);
        CHECK_EQ(w.result, 2);
        CHECK_EQ(w.items[0].revents, 0);
        CHECK_EQ(w.items[1].revents, SK_ERROR);
        CHECK_EQ(w.items[2].revents, SK_ERROR);
        CHECK_EQ(open_fds(), fds - 1); /* what woke it went too */
        if (copies) {
            send_x(p[1]); /* the connection lives */
            CHECK_EQ(recv(copy, &copies, 1, 0), 1);
            close(copy);
        }
        CHECK_OK(sk_close(p[1]));
        close_pair(other);
    }
}
CASE(a_close_ends_the_wait) { closed_while_waited_for(0); }
CASE(a_close_ends_the_wait_for_a_shared_socket) { closed_while_waited_for(1); }

/* What wakes the wait on a shared socket takes a descriptor; without one a close must end it all the same,
 * and also where signals interrupt every wait of it. */
static void closed_without_a_descriptor(int with_signals)
{
    sk_handle p[2];
    struct thread t;
    struct rlimit limit;
    unix_pair(SK_STREAM, p);
    CHECK_GT(sk_fd(p[0]), 0);
    int next = dup(0);
    close(next);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)next;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct waiter w = {{item(p[0], SK_READABLE)}, 1, SK_FOREVER, 0};
    thread_start(&t, wait_for, &w);
    while (__atomic_load_n(&t.tid, __ATOMIC_SEQ_CST) == 0) sched_yield();
    usleep(50000); /* /proc can't be read without a descriptor; whichever comes first, it must end */
    CHECK_OK(sk_close(p[0]));
    while (with_signals && __atomic_load_n(&t.ended_us, __ATOMIC_SEQ_CST) == 0) {
        CHECK_EQ(pthread_kill(t.id, SIGUSR1), 0);
        usleep(1000);
    }
    thread_join(&t);
    CHECK_EQ(w.result, 1);
    CHECK_EQ(w.items[0].revents, SK_ERROR);
}
CASE(a_close_ends_the_wait_without_a_descriptor) { closed_without_a_descriptor(0); }
CASE(a_close_ends_the_wait_without_a_descriptor_through_signals)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = nothing; /* without SA_RESTART */
    CHECK_EQ(sigaction(SIGUSR1, &a, NULL), 0);
    closed_without_a_descriptor(1);
}

/* --- An error that the system tells only once --------------------------------------------------- */

CASE(a_kept_error_is_ready)
{
    sk_handle p[2];
    char b[8];
    tcp_pair(SK_INET, p);
    CHECK_GIVES(sk_send(p[0], "some", 4, 0), 4);
    CHECK_GIVES(sk_wait(p[1], SK_READABLE, 5000), 1);
    CHECK_GIVES(sk_recv(p[1], b, 1, 0), 1);
    /* The peer's reset comes while the rest of the eight is waited for. */
    CHECK_OK(sk_set_timeout(p[1], 5000));
    CHECK_GIVES(sk_send(p[1], "unread", 6, 0), 6);
    CHECK_GIVES(sk_recv(p[1], b, 1, SK_PEEK), 1);
    CHECK_GIVES(sk_wait(p[0], SK_READABLE, 5000), 1);
    CHECK_OK(sk_abort(p[0]));
    CHECK_GIVES(sk_wait(p[1], SK_PRIORITY, 5000), 1);
    int64_t n = sk_recv(p[1], b, 8, SK_WAITALL);
    if (n < 0) SKIP("the system drops what was received before a reset");
    CHECK_EQ(n, 3);
    sk_poll_item i = item(p[1], 0);
    CHECK_GIVES(sk_poll(&i, 1, SK_FOREVER), 1);
    CHECK(i.revents & SK_ERROR);
    CHECK_GIVES(sk_wait(p[1], 0, SK_FOREVER), 1);
    CHECK_FAILS(sk_recv(p[1], b, 8, 0), SK_ECONNRESET);
    CHECK_GIVES(sk_poll(&i, 1, 0), 1);
    CHECK(!(i.revents & SK_ERROR));
}

/* --- Pollers ---------------------------------------------------------------------------------- */

CASE(a_poller_is_readable_when_it_has_something_to_tell)
{
    sk_handle p[2], poller = MADE(sk_poller());
    sk_event e;
    unix_pair(SK_STREAM, p);
    CHECK_OK(sk_poller_add(poller, p[1], SK_READABLE, 0));
    sk_poll_item i = item(poller, SK_READABLE | SK_WRITABLE);
    for (int wake = 0; wake < 2; wake++) {
        char b;
        CHECK_GIVES(sk_poll(&i, 1, 0), 0);
        CHECK_GIVES(sk_wait(poller, SK_READABLE, 20), 0);
        if (wake) CHECK_OK(sk_poller_wake(poller));
        else send_x(p[0]);
        CHECK_GIVES(sk_poll(&i, 1, 5000), 1);
        CHECK_EQ(i.revents, SK_READABLE);
        CHECK_GIVES(sk_wait(poller, SK_READABLE, 0), 1);
        CHECK_GIVES(sk_poller_wait(poller, &e, 1, 0), 1);
        if (!wake) CHECK_GIVES(sk_recv(p[1], &b, 1, 0), 1);
    }
    CHECK_FAILS(sk_wait(poller, SK_EDGE, 0), SK_EINVAL);
}

static void wait_on(void *argument)
{
    struct waiter *w = argument;
    w->result = sk_wait(w->items[0].handle, SK_READABLE, SK_FOREVER);
}
CASE(closing_a_poller_ends_the_waits_for_it)
{
    sk_handle poller = MADE(sk_poller());
    struct thread t[2];
    struct waiter w[2] = {{{item(poller, SK_READABLE)}, 1, SK_FOREVER, 0}, {{item(poller, 0)}, 1, SK_FOREVER, 0}};
    thread_start(&t[0], wait_for, &w[0]);
    thread_start(&t[1], wait_on, &w[1]);
    for (int k = 0; k < 2; k++) CHECK(wait_until_asleep(&t[k]));
    CHECK_OK(sk_close(poller));
    for (int k = 0; k < 2; k++) thread_join(&t[k]);
    CHECK_EQ(w[0].result, 1);
    CHECK_EQ(w[0].items[0].revents, SK_ERROR);
    CHECK_EQ(w[1].result, SK_ECLOSED);
}

static void polls_in_the_child(void *argument)
{
    struct waiter *w = argument;
    CHECK_GIVES(sk_poll(w->items, 2, 5000), 2);
    CHECK_EQ(w->items[0].revents, SK_ERROR); /* the parent's poller */
    CHECK_EQ(w->items[1].revents, SK_READABLE);
    CHECK_FAILS(sk_wait(w->items[0].handle, SK_READABLE, 0), SK_EBADHANDLE);
}
CASE(in_a_forked_child)
{
    sk_handle p[2], poller = MADE(sk_poller());
    unix_pair(SK_STREAM, p);
    send_x(p[0]);
    struct waiter w = {{item(poller, SK_READABLE), item(p[1], SK_READABLE)}, 2, 0, 0};
    CHECK_GIVES(sk_poll(w.items, 2, 0), 1);
    in_child(polls_in_the_child, &w);
    CHECK_GIVES(sk_poll(w.items, 2, 0), 1);
    CHECK_EQ(w.items[0].revents, 0);
}

/* --- Resources -------------------------------------------------------------------------------- */

CASE(no_descriptor_and_no_memory_is_left)
{
    static sk_poll_item i[1000];
    sk_handle p[2], d[2];
    unix_pair(SK_STREAM, p);
    unix_pair(SK_STREAM, d);
    sk_handle copy = MADE(sk_dup(d[0]));
    for (int n = 0; n < 1000; n++) i[n] = item(n % 2 ? p[0] : copy, SK_READABLE);
    CHECK_GIVES(sk_poll(i, 1000, 1), 0);
    int fds = open_fds();
    char line[256];
    long maps[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        FILE *f = fopen("/proc/self/maps", "re");
        CHECK(f != NULL);
        while (fgets(line, sizeof line, f) != NULL) maps[k] += 1;
        fclose(f);
        for (int n = 0; k == 0 && n < 100; n++) CHECK_GIVES(sk_poll(i, 1000, 0), 0);
    }
    CHECK_EQ(open_fds(), fds);
    CHECK_EQ(maps[1], maps[0]);
}
