/* Every function that can wait: with limit 0, with one that runs out, with none and with the longest,
 * without SK_DONTWAIT and with it, through signals, and woken by sk_close. */
#include "check.h"

struct scene {
    sk_handle s; /* what is waited on, and closed */
    sk_handle others[8];
    int count;
    sk_addr to;
    int64_t limit; /* of the functions that take one */
    int flags;
    int64_t result;
    int error;
    uint32_t revents;
};

/* --- Scenes ---------------------------------------------------------------------------------- */

static void keep(struct scene *x, sk_handle h)
{
    CHECK_LT(x->count, 8);
    x->others[x->count++] = h;
}
static void pair(struct scene *x, int kind)
{
    sk_handle p[2];
    any_pair(kind, p);
    x->s = p[0];
    keep(x, p[1]);
}
static void stream(struct scene *x) { pair(x, PAIR_UNIX_STREAM); }
static void tcp(struct scene *x) { pair(x, PAIR_TCP4); }
static void udp(struct scene *x) { pair(x, PAIR_UDP4); }
static void full_stream(struct scene *x)
{
    stream(x);
    fill(x->s);
}
static void full_tcp(struct scene *x)
{
    tcp(x);
    fill(x->s);
}
static void full_dgram(struct scene *x)
{
    pair(x, PAIR_UNIX_DGRAM);
    fill(x->s);
}
static void full_peer(struct scene *x)
{
    keep(x, unix_bound(SK_DGRAM, 0, &x->to));
    x->s = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    while (sk_send_to(x->s, "x", 1, SK_DONTWAIT, &x->to) == 1) continue;
}
static void listener(struct scene *x) { x->s = tcp_listener(SK_INET, 1); }
static void unix_listener(struct scene *x) { x->s = unix_bound(SK_STREAM, 1, &x->to); }
/* Connects until the queue is full; the next one has to wait. */
static void full_queue(struct scene *x, int family)
{
    int r;
    if (family == SK_UNIX) {
        keep(x, unix_bound(SK_STREAM, 1, &x->to));
    } else {
        keep(x, tcp_listener(SK_INET, 1));
        CHECK_OK(sk_local_addr(x->others[0], &x->to));
    }
    do {
        sk_handle c = MADE(sk_socket(family, SK_STREAM, 0));
        keep(x, c);
        CHECK_OK(sk_set_timeout(c, 50));
        r = sk_connect_addr(c, &x->to);
    } while (r == SK_OK);
    CHECK_EQ(r, SK_ETIMEDOUT);
    x->s = MADE(sk_socket(family, SK_STREAM, 0));
}
static void full_unix_queue(struct scene *x) { full_queue(x, SK_UNIX); }
static void full_tcp_queue(struct scene *x) { full_queue(x, SK_INET); }
static void poller(struct scene *x)
{
    x->s = MADE(sk_poller());
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    for (int i = 0; i < 2; i++) keep(x, p[i]);
    CHECK_OK(sk_poller_add(x->s, p[0], SK_READABLE, 0));
}

/* --- Calls ------------------------------------------------------------------------------------- */

static char b[16];
static int64_t do_recv(struct scene *x) { return sk_recv(x->s, b, 1, x->flags); }
static int64_t do_peek(struct scene *x) { return sk_recv(x->s, b, 1, x->flags | SK_PEEK); }
static int64_t do_recv_whole(struct scene *x) { return sk_recv(x->s, b, 9, x->flags | SK_WAITALL); }
static int64_t do_recv_from(struct scene *x) { return sk_recv_from(x->s, b, 1, x->flags, NULL); }
static int64_t do_recv_all(struct scene *x) { return sk_recv_all(x->s, b, 9, NULL); }
static int64_t do_recvv(struct scene *x)
{
    sk_buf piece = {b, 1};
    return sk_recvv(x->s, &piece, 1, x->flags);
}
static int64_t do_recv_batch(struct scene *x)
{
    sk_dgram d;
    memset(&d, 0, sizeof d);
    d.data = b;
    d.room = 1;
    return sk_recv_batch(x->s, &d, 1, x->flags);
}
static int64_t do_recv_handle(struct scene *x) { return sk_recv_handle(x->s); }
static int64_t do_accept(struct scene *x) { return sk_accept(x->s, NULL); }
static int64_t do_send(struct scene *x) { return sk_send(x->s, b, 1, x->flags); }
static int64_t do_send_to(struct scene *x) { return sk_send_to(x->s, b, 1, x->flags, &x->to); }
static int64_t do_send_all(struct scene *x) { return sk_send_all(x->s, b, 1, NULL); }
static int64_t do_sendv(struct scene *x)
{
    sk_buf piece = {b, 1};
    return sk_sendv(x->s, &piece, 1, x->flags);
}
static int64_t do_send_batch(struct scene *x)
{
    sk_dgram d;
    memset(&d, 0, sizeof d);
    d.data = b;
    d.len = 1;
    return sk_send_batch(x->s, &d, 1, x->flags);
}
static int64_t do_send_file(struct scene *x)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int64_t r = sk_send_file(x->s, file, 0, 1);
    int e = errno;
    close(file);
    errno = e;
    return r;
}
static int64_t do_send_handle(struct scene *x) { return sk_send_handle(x->s, x->s); }
static int64_t do_connect(struct scene *x) { return sk_connect_addr(x->s, &x->to); }
static int64_t do_connect_text(struct scene *x) { return sk_connect(x->s, "127.0.0.1", x->to.port); }
static int64_t do_finish(struct scene *x) { return sk_finish(x->s, x->limit); }
static int64_t do_wait(struct scene *x) { return sk_wait(x->s, SK_READABLE, x->limit); }
static int64_t do_wait_writable(struct scene *x) { return sk_wait(x->s, SK_WRITABLE, x->limit); }
static int64_t do_poll(struct scene *x)
{
    sk_poll_item i = {x->s, SK_READABLE, 0};
    int64_t r = sk_poll(&i, 1, x->limit);
    x->revents = i.revents;
    return r;
}
static int64_t do_poller_wait(struct scene *x)
{
    sk_event e;
    return sk_poller_wait(x->s, &e, 1, x->limit);
}
static int64_t do_dial(struct scene *x)
{
    char text[SK_ADDR_STRLEN + 8] = "tcp://";
    sk_addr_format(&x->to, text + 6, SK_ADDR_STRLEN);
    return sk_dial(text, x->limit);
}
static int64_t do_dial_unix(struct scene *x)
{
    char text[SK_ADDR_STRLEN];
    sk_addr_format(&x->to, text, sizeof text); /* "unix:@name" */
    memmove(text + 7, text + 5, strlen(text + 5) + 1);
    memcpy(text + 5, "//", 2);
    return sk_dial(text, x->limit);
}

enum { FLAGS = 1, NO_HANDLE = 2 };
static const struct row {
    const char *name;
    void (*prepare)(struct scene *);
    int64_t (*call)(struct scene *);
    int at_once, out_of_time, closed; /* what it gives */
    int how;
} rows[] = {
    {"recv", stream, do_recv, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"recv, TCP", tcp, do_recv, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"recv, UDP", udp, do_recv, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"peek", stream, do_peek, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"recv, whole", stream, do_recv_whole, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"recv_from", udp, do_recv_from, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"recv_all", stream, do_recv_all, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"recvv", stream, do_recvv, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"recv_batch", udp, do_recv_batch, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"recv_handle", stream, do_recv_handle, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"accept", listener, do_accept, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"accept, Unix", unix_listener, do_accept, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"send", full_stream, do_send, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"send, TCP", full_tcp, do_send, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"send, datagram", full_dgram, do_send, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"send_to", full_peer, do_send_to, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"send_all", full_stream, do_send_all, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"sendv", full_stream, do_sendv, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"send_batch", full_dgram, do_send_batch, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, FLAGS},
    {"send_file", full_stream, do_send_file, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"send_handle", full_stream, do_send_handle, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"connect_addr, Unix", full_unix_queue, do_connect, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"connect_addr", full_tcp_queue, do_connect, SK_EINPROGRESS, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"connect", full_tcp_queue, do_connect_text, SK_EINPROGRESS, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"finish", stream, do_finish, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"finish, TCP", tcp, do_finish, SK_EAGAIN, SK_ETIMEDOUT, SK_ECLOSED, 0},
    {"wait", stream, do_wait, 0, 0, SK_ECLOSED, 0},
    {"wait, writable", full_stream, do_wait_writable, 0, 0, SK_ECLOSED, 0},
    {"poll", stream, do_poll, 0, 0, 1, 0},
    {"poller_wait", poller, do_poller_wait, 0, 0, SK_ECLOSED, 0},
    {"dial, Unix", full_unix_queue, do_dial_unix, SK_EAGAIN, SK_ETIMEDOUT, 0, NO_HANDLE},
    {"dial", full_tcp_queue, do_dial, 1 /* a handle */, SK_ETIMEDOUT, 0, NO_HANDLE},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void set_limit(struct scene *x, int64_t limit)
{
    x->limit = limit;
    int r = sk_set_timeout(x->s, limit);
    CHECK(r == SK_OK || r == SK_EOPNOTSUPP); /* a poller has none */
}
static struct scene prepared(const struct row *row, int64_t limit)
{
    struct scene x;
    memset(&x, 0, sizeof x);
    row->prepare(&x);
    set_limit(&x, limit);
    return x;
}
static void done(struct scene *x)
{
    (void)sk_close(x->s);
    for (int i = 0; i < x->count; i++) CHECK_OK(sk_close(x->others[i]));
    CHECK_EQ(sk_open_count(), 0);
}
static void run(const struct row *row, struct scene *x)
{
    errno = ERRNO_UNTOUCHED;
    x->result = row->call(x);
    x->error = errno;
}
static void check_result(const struct row *row, const struct scene *x, int wanted)
{
    int error = wanted < 0 ? check_errno_of(wanted) : ERRNO_UNTOUCHED;
    if (x->result != wanted || x->error != error)
        FAIL("%s: %lld %s, errno %d; wanted %s", row->name, (long long)x->result, check_name_of(x->result), x->error,
             wanted < 0 ? sk_error_name(wanted) : "success");
}

/* --- Limits ---------------------------------------------------------------------------------- */

CASE(limit_0_does_not_wait)
{
    for (int i = 0; i < ROWS; i++) {
        struct scene x = prepared(&rows[i], 0);
        run(&rows[i], &x);
        if (rows[i].at_once == 1 && x.result > 0) {
            CHECK_EQ(x.error, ERRNO_UNTOUCHED);
            CHECK_OK(sk_close(x.result));
        } else {
            check_result(&rows[i], &x, rows[i].at_once);
        }
        done(&x);
    }
}

CASE(dontwait_does_not_wait)
{
    static const int64_t limits[] = {SK_FOREVER, 15000, 0};
    for (int i = 0; i < ROWS; i++) {
        for (int l = 0; l < 3 && rows[i].how & FLAGS; l++) {
            struct scene x = prepared(&rows[i], limits[l]);
            x.flags = SK_DONTWAIT;
            run(&rows[i], &x);
            check_result(&rows[i], &x, SK_EAGAIN);
            done(&x);
        }
    }
}

CASE(a_limit_runs_out)
{
    for (int i = 0; i < ROWS; i++) {
        struct scene x = prepared(&rows[i], 20);
        int64_t start = now_us();
        run(&rows[i], &x);
        check_result(&rows[i], &x, rows[i].out_of_time);
        if (now_us() - start < 20000) FAIL("%s was done in %lld us", rows[i].name, (long long)(now_us() - start));
        CHECK_LT(now_us() - start, 5020000);
        done(&x);
    }
}

/* --- Threads --------------------------------------------------------------------------------- */

struct caller {
    const struct row *row;
    struct scene *x;
};
static void call_it(void *argument)
{
    struct caller *c = argument;
    run(c->row, c->x);
}
static void start(struct thread *t, struct caller *c)
{
    thread_start(t, call_it, c);
    if (!wait_until_asleep(t)) FAIL("%s did not wait: %lld", c->row->name, (long long)c->x->result);
}

enum { PLAINLY, DUPLICATED, WAYS };
static void closes(int64_t limit)
{
    for (int i = 0; i < ROWS; i++) {
        for (int way = 0; way < WAYS && !(rows[i].how & NO_HANDLE); way++) {
            struct scene x = prepared(&rows[i], limit);
            struct thread t;
            struct caller c = {&rows[i], &x};
            sk_handle copy = SK_INVALID_HANDLE;
            if (way == DUPLICATED && rows[i].prepare == poller) continue;
            if (way == DUPLICATED) copy = MADE(sk_dup(x.s));
            start(&t, &c);
            int64_t begin = now_us();
            CHECK_OK(sk_close(x.s));
            thread_join(&t);
            check_result(&rows[i], &x, rows[i].closed);
            if (rows[i].call == do_poll) CHECK_EQ(x.revents, SK_ERROR);
            CHECK_LT(t.ended_us - begin, 2000000);
            run(&rows[i], &x); /* from now on it is a bad one */
            if (rows[i].call != do_poll) check_result(&rows[i], &x, SK_EBADHANDLE);
            if (copy != SK_INVALID_HANDLE) CHECK_OK(sk_close(copy));
            done(&x);
        }
    }
}
CASE_WITHIN(close_wakes_what_has_no_limit, 60) { closes(SK_FOREVER); }
CASE_WITHIN(close_wakes_what_has_a_limit, 60) { closes(15000); }
CASE_WITHIN(close_wakes_what_has_the_longest_limit, 60) { closes(INT64_MAX); }

/* --- A direction ends ------------------------------------------------------------------------ */

CASE_WITHIN(a_shutdown_ends_the_calls_of_its_direction, 60)
{
    for (int i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        int sends = row->prepare == full_stream || row->prepare == full_tcp || row->prepare == full_dgram ||
                    row->prepare == full_peer;
        int receives = row->prepare == stream || row->prepare == tcp || row->prepare == udp;
        if ((!sends && !receives) || row->call == do_finish || row->call == do_wait || row->call == do_poll ||
            row->call == do_wait_writable)
            continue; /* they wait for more than that */
        for (int round = 0; round < 4; round++) {
            struct scene x = prepared(row, round % 2 == 0 ? SK_FOREVER : 15000);
            struct thread t;
            struct caller c = {row, &x};
            sk_handle copy = round < 2 ? SK_INVALID_HANDLE : MADE(sk_dup(x.s));
            start(&t, &c);
            int64_t begin = now_us();
            CHECK_OK(sk_shutdown(x.s, sends ? SK_SHUT_WRITE : SK_SHUT_READ));
            thread_join(&t);
            int ends = row->call == do_recv_all || row->call == do_recv_handle ? SK_EEOF : 0;
            check_result(row, &x, sends ? SK_EPIPE : ends);
            CHECK_LT(t.ended_us - begin, 2000000);
            if (copy != SK_INVALID_HANDLE) CHECK_OK(sk_close(copy));
            done(&x);
        }
    }
}

/* --- Where the system would wait all the same ------------------------------------------------- */

static void accept_once(void *argument)
{
    struct scene *x = argument;
    x->result = sk_accept(x->s, NULL);
}
CASE(a_shut_unix_listener_keeps_no_accept)
{
    for (int type = 0; type < 2; type++) {
        for (int way = 0; way < 3; way++) {
            struct scene x;
            struct thread t;
            memset(&x, 0, sizeof x);
            x.s = unix_bound(type == 0 ? SK_STREAM : SK_SEQPACKET, 1, &x.to);
            if (way == 1) keep(&x, MADE(sk_dup(x.s)));
            CHECK_OK(sk_set_timeout(x.s, way == 2 ? 15000 : SK_FOREVER));
            thread_start(&t, accept_once, &x);
            CHECK(wait_until_asleep(&t));
            int64_t begin = now_us();
            CHECK_OK(sk_shutdown(x.s, SK_SHUT_READ));
            thread_join(&t);
            CHECK_EQ(x.result, SK_EINVAL);
            CHECK_LT(t.ended_us - begin, 2000000);
            CHECK_OK(sk_set_timeout(x.s, 0));
            CHECK_FAILS(sk_accept(x.s, NULL), SK_EINVAL);
            done(&x);
        }
    }
}

CASE(what_does_not_listen_says_so)
{
    for (int way = 0; way < 4; way++) {
        struct scene x;
        memset(&x, 0, sizeof x);
        if (way < 2) stream(&x);
        else tcp(&x);
        if (way % 2 == 1) keep(&x, MADE(sk_dup(x.s)));
        CHECK_FAILS(sk_accept(x.s, NULL), SK_EINVAL);
        CHECK_OK(sk_set_timeout(x.s, 0));
        CHECK_FAILS(sk_accept(x.s, NULL), SK_EINVAL);
        done(&x);
    }
}

/* Such a socket can connect again. */
CASE(a_shut_listener_connects_within_its_limit)
{
    struct scene x;
    memset(&x, 0, sizeof x);
    full_tcp_queue(&x);
    keep(&x, x.s);
    x.s = tcp_listener(SK_INET, 1);
    CHECK_OK(sk_shutdown(x.s, SK_SHUT_READ));
    CHECK_OK(sk_set_timeout(x.s, 300));
    int64_t begin = now_us();
    CHECK_FAILS(sk_connect_addr(x.s, &x.to), SK_ETIMEDOUT);
    CHECK_GE(now_us() - begin, 300000);
    CHECK_LT(now_us() - begin, 5300000);
    done(&x);
}

static void connect_often(void *argument)
{
    struct scene *x = argument;
    for (int i = 0; i < 300; i++) CHECK_EQ(sk_connect_addr(x->s, &x->to), SK_ETIMEDOUT);
}
CASE(threads_that_connect_one_unix_socket_keep_their_limits)
{
    struct scene x;
    struct thread t[4];
    memset(&x, 0, sizeof x);
    full_unix_queue(&x);
    CHECK_OK(sk_set_timeout(x.s, 1));
    for (int i = 0; i < 4; i++) thread_start(&t[i], connect_often, &x);
    for (int i = 0; i < 4; i++) thread_join(&t[i]);
    done(&x);
}

/* It is never writable; and a wake is nothing to write. */
CASE(a_woken_poller_is_readable_only)
{
    sk_handle p = MADE(sk_poller());
    CHECK_OK(sk_poller_wake(p));
    static const uint32_t events[] = {SK_WRITABLE, 0};
    for (int i = 0; i < 2; i++) {
        sk_poll_item item = {p, events[i], 0};
        int64_t begin = now_us();
        CHECK_GIVES(sk_wait(p, events[i], 30), 0);
        CHECK_GE(now_us() - begin, 30000);
        begin = now_us();
        CHECK_GIVES(sk_poll(&item, 1, 30), 0);
        CHECK_GE(now_us() - begin, 30000);
    }
    CHECK_GIVES(sk_wait(p, SK_READABLE, 0), 1);
    CHECK_OK(sk_close(p));
}

static void wait_writable(void *argument)
{
    struct scene *x = argument;
    x->result = sk_wait(x->s, SK_WRITABLE, SK_FOREVER);
}
CASE(a_close_ends_a_wait_on_a_poller_for_anything)
{
    struct scene x;
    struct thread t;
    memset(&x, 0, sizeof x);
    x.s = MADE(sk_poller());
    thread_start(&t, wait_writable, &x);
    CHECK(wait_until_asleep(&t));
    CHECK_OK(sk_close(x.s));
    thread_join(&t);
    CHECK_EQ(x.result, SK_ECLOSED);
}

/* --- A copy beside a close --------------------------------------------------------------------- */

static int begun;
static void meet_both(void)
{
    __atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&begun, __ATOMIC_SEQ_CST) % 2 != 0) sched_yield();
}
static void copy_it(void *argument)
{
    struct scene *x = argument;
    meet_both();
    x->result = sk_dup(x->s);
}
CASE(a_copy_made_beside_a_close_lives)
{
    for (int i = 0; i < 3000; i++) {
        struct scene x;
        struct thread t;
        memset(&x, 0, sizeof x);
        stream(&x);
        thread_start(&t, copy_it, &x);
        meet_both();
        CHECK_OK(sk_close(x.s));
        thread_join(&t);
        if (x.result > 0) {
            CHECK_GIVES(sk_send(x.result, "x", 1, 0), 1);
            CHECK_OK(sk_close(x.result));
        } else {
            CHECK(x.result == SK_ECLOSED || x.result == SK_EBADHANDLE);
        }
        CHECK_OK(sk_close(x.others[0]));
    }
}

/* --- What is waited for comes ---------------------------------------------------------------- */

static void make_ready(const struct row *row, struct scene *x)
{
    static char drop[1 << 18];
    sk_handle other = x->others[0];
    if (row->call == do_recv_handle) {
        CHECK_OK(sk_send_handle(other, other));
    } else if (row->call == do_finish) {
        CHECK_OK(sk_shutdown(other, SK_SHUT_WRITE));
    } else if (row->prepare == listener || row->prepare == unix_listener) {
        sk_addr at;
        CHECK_OK(sk_local_addr(x->s, &at));
        keep(x, MADE(sk_socket(at.family, SK_STREAM, 0)));
        CHECK_OK(sk_connect_addr(x->others[x->count - 1], &at));
    } else if (row->prepare == full_unix_queue || row->prepare == full_tcp_queue) {
        CHECK_OK(sk_close(MADE(sk_accept(other, NULL))));
    } else if (row->prepare == full_stream || row->prepare == full_tcp || row->prepare == full_dgram ||
               row->prepare == full_peer) {
        while (sk_recv(other, drop, sizeof drop, SK_DONTWAIT) > 0) continue;
    } else {
        CHECK_GIVES(sk_send(row->prepare == poller ? x->others[1] : other, "123456789", 9, 0), 9);
    }
}
/* And errno is left alone, whatever the waiting took. */
CASE_WITHIN(what_was_waited_for_ends_the_wait, 60)
{
    static const int64_t limits[] = {15000, SK_FOREVER, INT64_MAX};
    for (int i = 0; i < ROWS; i++) {
        for (int round = 0; round < 4; round++) {
            struct scene x = prepared(&rows[i], limits[round % 3]);
            struct thread t;
            struct caller c = {&rows[i], &x};
            int shared = round >= 2;
            sk_handle copy = SK_INVALID_HANDLE;
            if (round > 0 && rows[i].prepare == full_tcp_queue) { /* a SYN is repeated after a second only */
                done(&x);
                break;
            }
            if (shared && rows[i].prepare != poller) copy = MADE(sk_dup(x.s));
            start(&t, &c);
            make_ready(&rows[i], &x);
            thread_join(&t);
            if (x.result < 0 || x.error != ERRNO_UNTOUCHED)
                FAIL("%s: %lld %s, errno %d", rows[i].name, (long long)x.result, check_name_of(x.result), x.error);
            int made = rows[i].call == do_accept || rows[i].call == do_recv_handle || rows[i].how & NO_HANDLE;
            if (made) CHECK_OK(sk_close(x.result));
            if (copy != SK_INVALID_HANDLE) CHECK_OK(sk_close(copy));
            done(&x);
        }
    }
}

/* --- Signals --------------------------------------------------------------------------------- */

static void on_signal(int number) { (void)number; }
CASE_WITHIN(signals_neither_end_nor_stretch_a_wait, 60)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = on_signal; /* without SA_RESTART */
    CHECK_EQ(sigaction(SIGUSR1, &a, NULL), 0);
    for (int i = 0; i < ROWS; i++) {
        struct scene x = prepared(&rows[i], 100);
        struct thread t;
        struct caller c = {&rows[i], &x};
        int64_t begin = now_us();
        thread_start(&t, call_it, &c);
        for (int n = 0; n < 5 && wait_until_asleep(&t); n++) CHECK_EQ(pthread_kill(t.id, SIGUSR1), 0);
        thread_join(&t);
        check_result(&rows[i], &x, rows[i].out_of_time);
        CHECK_GE(t.ended_us - begin, 100000);
        CHECK_LT(t.ended_us - begin, 5100000);
        done(&x);
    }
}
