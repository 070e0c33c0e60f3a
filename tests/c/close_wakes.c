/* sk_close wakes every kind of blocked call within 200 ms: with and without a limit, on a handle of
 * its own and on one that shares its socket with a duplicate. */
#include "check.h"

enum { WITHOUT_LIMIT = 0, WITH_LIMIT = 1, SHARED = 2, VARIANTS = 4, ROUNDS = 3, LONG_LIMIT = 60000, WITHIN_US = 200000 };

struct scene {
    sk_handle s;         /* the one to block on, and to close */
    sk_handle peer;      /* its peer, or 0 */
    sk_handle extra[40]; /* others that must stay open meanwhile */
    int extras;
    sk_addr to;
    int64_t limit;
    int64_t result;
    int error;
    size_t count;
};

struct kind {
    void (*prepare)(struct scene *);
    int64_t (*block)(struct scene *);
};

/* --- Scenes --------------------------------------------------------------------------------- */

static void pair_of(struct scene *x, int kind)
{
    sk_handle p[2];
    any_pair(kind, p);
    x->s = p[0];
    x->peer = p[1];
}
static void tcp(struct scene *x) { pair_of(x, PAIR_TCP4); }
static void tcp6(struct scene *x)
{
    need_ipv6();
    pair_of(x, PAIR_TCP6);
}
static void udp(struct scene *x) { pair_of(x, PAIR_UDP4); }
static void unix_stream(struct scene *x) { pair_of(x, PAIR_UNIX_STREAM); }
static void unix_dgram(struct scene *x) { pair_of(x, PAIR_UNIX_DGRAM); }
static void seqpacket(struct scene *x) { pair_of(x, PAIR_UNIX_SEQPACKET); }
static void tcp_full(struct scene *x)
{
    tcp(x);
    fill(x->s);
}
static void unix_stream_full(struct scene *x)
{
    unix_stream(x);
    fill(x->s);
}
static void unix_dgram_full(struct scene *x)
{
    unix_dgram(x);
    fill(x->s);
}
static void seqpacket_full(struct scene *x)
{
    seqpacket(x);
    fill(x->s);
}
static void udp_unconnected(struct scene *x) { x->s = udp_bound(SK_INET); }
static void udp_dual_stack(struct scene *x)
{
    need_ipv6();
    x->s = MADE(sk_socket(SK_INET6, SK_DGRAM, 0));
    CHECK_OK(sk_bind(x->s, NULL, 0));
}
static void udp_unbound(struct scene *x) { x->s = MADE(sk_socket(SK_INET, SK_DGRAM, 0)); }
static void unix_dgram_named(struct scene *x) { x->s = unix_bound(SK_DGRAM, 0, &x->to); }
static void tcp_listening(struct scene *x) { x->s = tcp_listener(SK_INET, 4); }
static void unix_listening(struct scene *x) { x->s = unix_bound(SK_STREAM, 4, &x->to); }
static void seqpacket_listening(struct scene *x) { x->s = unix_bound(SK_SEQPACKET, 4, &x->to); }

/* Connects until the listener's queue is full; the next one has to wait. */
static void full_backlog(struct scene *x, int family, int type)
{
    sk_handle l;
    if (family == SK_INET) {
        l = tcp_listener(SK_INET, 1);
        CHECK_OK(sk_local_addr(l, &x->to));
    } else {
        l = unix_bound(type, 1, &x->to);
    }
    x->extra[x->extras++] = l;
    for (;;) {
        CHECK_LT(x->extras, 40);
        sk_handle c = MADE(sk_socket(family, type, 0));
        x->extra[x->extras++] = c;
        CHECK_OK(sk_set_timeout(c, 50));
        int r = sk_connect_addr(c, &x->to);
        if (r == SK_ETIMEDOUT) break;
        CHECK_EQ(r, SK_OK);
    }
    x->s = MADE(sk_socket(family, type, 0));
}
static void tcp_blackhole(struct scene *x) { full_backlog(x, SK_INET, SK_STREAM); }
static void unix_backlog(struct scene *x) { full_backlog(x, SK_UNIX, SK_STREAM); }
static void seqpacket_backlog(struct scene *x) { full_backlog(x, SK_UNIX, SK_SEQPACKET); }

/* A receiver with a full queue, and a sender that is not connected to it. */
static void unix_dgram_full_peer(struct scene *x)
{
    sk_handle receiver = unix_bound(SK_DGRAM, 0, &x->to);
    x->extra[x->extras++] = receiver;
    x->s = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    while (sk_send_to(x->s, "x", 1, SK_DONTWAIT, &x->to) == 1) continue;
}
static void unix_dgram_full_connected(struct scene *x)
{
    unix_dgram_full_peer(x);
    CHECK_OK(sk_connect_addr(x->s, &x->to));
}
static void tcp_connecting(struct scene *x)
{
    tcp_blackhole(x);
    CHECK_OK(sk_set_timeout(x->s, 0));
    CHECK_FAILS(sk_connect_addr(x->s, &x->to), SK_EINPROGRESS);
    CHECK_OK(sk_set_timeout(x->s, SK_FOREVER));
}

/* --- Calls ---------------------------------------------------------------------------------- */

static char big[8 * 1024 * 1024]; /* read by senders only */
static int64_t do_recv(struct scene *x)
{
    char b[16];
    return sk_recv(x->s, b, sizeof b, 0);
}
static int64_t do_recv_from(struct scene *x)
{
    char b[16];
    sk_addr from;
    return sk_recv_from(x->s, b, sizeof b, 0, &from);
}
static int64_t do_recv_waitall(struct scene *x)
{
    char b[16];
    return sk_recv(x->s, b, sizeof b, SK_WAITALL);
}
static int64_t do_recv_peek(struct scene *x)
{
    char b[16];
    return sk_recv(x->s, b, sizeof b, SK_PEEK);
}
static int64_t do_recv_all(struct scene *x)
{
    char b[16];
    return sk_recv_all(x->s, b, sizeof b, &x->count);
}
static int64_t do_send(struct scene *x) { return sk_send(x->s, "x", 1, 0); }
static int64_t do_send_all(struct scene *x) { return sk_send_all(x->s, big, sizeof big, &x->count); }
static int64_t do_send_to(struct scene *x) { return sk_send_to(x->s, "x", 1, 0, &x->to); }
static int64_t do_accept(struct scene *x) { return sk_accept(x->s, NULL); }
static int64_t do_connect(struct scene *x) { return sk_connect_addr(x->s, &x->to); }
static int64_t do_connect_text(struct scene *x) { return sk_connect(x->s, "127.0.0.1", x->to.port); }
static int64_t do_wait(struct scene *x) { return sk_wait(x->s, SK_READABLE, x->limit); }
static int64_t do_wait_priority(struct scene *x) { return sk_wait(x->s, SK_PRIORITY, x->limit); }
static int64_t do_wait_writable(struct scene *x) { return sk_wait(x->s, SK_WRITABLE, x->limit); }
static int64_t do_finish(struct scene *x) { return sk_finish(x->s, x->limit); }

static void run(void *argument)
{
    struct kind *k = ((void **)argument)[0];
    struct scene *x = ((void **)argument)[1];
    errno = ERRNO_UNTOUCHED;
    x->result = k->block(x);
    x->error = errno;
}

/* Starts the call and comes back once it is asleep. A sender may find a little room at first. */
static void start_blocked(struct thread *t, struct kind *k, struct scene *x, void *argument[2])
{
    argument[0] = k;
    argument[1] = x;
    for (int attempt = 0; attempt < 100; attempt++) {
        thread_start(t, run, argument);
        if (wait_until_asleep(t)) return;
        thread_join(t);
        if (x->result <= 0) FAIL("the call did not block: %lld %s, errno %d", (long long)x->result, check_name_of(x->result), x->error);
    }
    FAIL("the call never blocked");
}

static void drop(struct scene *x)
{
    if (x->peer != 0) CHECK_OK(sk_close(x->peer));
    for (int i = 0; i < x->extras; i++) CHECK_OK(sk_close(x->extra[i]));
}

static void check_woken(struct scene *x)
{
    if (x->result != SK_ECLOSED || x->error != ECANCELED)
        FAIL("the woken call gave %lld %s, errno %d", (long long)x->result, check_name_of(x->result), x->error);
}

/* After a duplicate's handle was closed the socket itself goes on: what one side sends, the other gets. */
static void check_alive(sk_handle copy, const struct scene *x)
{
    int64_t type = 0, listening = 0;
    char b[4];
    CHECK_OK(sk_get_option(copy, SK_OPT_TYPE, &type));
    CHECK_OK(sk_get_option(copy, SK_OPT_LISTENING, &listening));
    if (x->peer == 0 || x->count == 4711) return;
    CHECK_GIVES(sk_send(x->peer, "y", 1, 0), 1);
    CHECK_OK(sk_set_timeout(copy, 5000));
    CHECK_GIVES(sk_recv(copy, b, 4, 0), 1);
    (void)listening;
}

static int64_t median3(int64_t a, int64_t b, int64_t c)
{
    return a > b ? (b > c ? b : (a > c ? c : a)) : (a > c ? a : (b > c ? c : b));
}

static void wakes(void (*prepare)(struct scene *), int64_t (*block)(struct scene *), int variant)
{
    struct kind k = {prepare, block};
    int64_t took[ROUNDS];
    int fds = -1;
    for (int round = 0; round < ROUNDS; round++) {
        struct scene x;
        struct thread t;
        void *argument[2];
        sk_handle copy = 0;
        memset(&x, 0, sizeof x);
        x.limit = variant & WITH_LIMIT ? LONG_LIMIT : SK_FOREVER;
        prepare(&x);
        if (variant & SHARED) copy = MADE(sk_dup(x.s));
        CHECK_OK(sk_set_timeout(x.s, x.limit));
        start_blocked(&t, &k, &x, argument);
        int64_t start = now_us();
        CHECK_OK(sk_close(x.s));
        thread_join(&t);
        took[round] = t.ended_us - start;
        check_woken(&x);
        CHECK_FAILS(block(&x), SK_EBADHANDLE);
        CHECK_FAILS(sk_close(x.s), SK_EBADHANDLE);
        if (copy != 0) {
            if (block == do_finish) x.count = 4711; /* it ended our direction for all copies, as asked */
            check_alive(copy, &x);
            CHECK_OK(sk_close(copy));
        }
        drop(&x);
        CHECK_GIVES(sk_open_count(), 0);
        if (round == 0) fds = open_fds();
        else CHECK_EQ(open_fds(), fds);
    }
    int64_t middle = median3(took[0], took[1], took[2]);
    if (middle >= WITHIN_US) FAIL("woken after %lld us", (long long)middle);
}

#define WAKES(name, prepare, block)                                                                \
    CASE(name) { wakes(prepare, block, WITHOUT_LIMIT); }                                           \
    CASE(name##_limited) { wakes(prepare, block, WITH_LIMIT); }                                    \
    CASE(name##_shared) { wakes(prepare, block, SHARED); }                                         \
    CASE(name##_shared_limited) { wakes(prepare, block, SHARED | WITH_LIMIT); }

WAKES(tcp_recv, tcp, do_recv)
WAKES(tcp6_recv, tcp6, do_recv)
WAKES(tcp_recv_from, tcp, do_recv_from)
WAKES(tcp_recv_waitall, tcp, do_recv_waitall)
WAKES(tcp_recv_peek, tcp, do_recv_peek)
WAKES(tcp_recv_all, tcp, do_recv_all)
WAKES(tcp_send, tcp_full, do_send)
WAKES(tcp_send_all, tcp_full, do_send_all)
WAKES(tcp_accept, tcp_listening, do_accept)
WAKES(tcp_connect, tcp_blackhole, do_connect)
WAKES(tcp_connect_text, tcp_blackhole, do_connect_text)
WAKES(tcp_connect_again, tcp_connecting, do_connect)
WAKES(tcp_finish, tcp, do_finish)
WAKES(udp_recv, udp, do_recv)
WAKES(udp_recv_from, udp, do_recv_from)
WAKES(udp_unconnected_recv, udp_unconnected, do_recv)
WAKES(udp_unconnected_recv_from, udp_unconnected, do_recv_from)
WAKES(udp_unconnected_recv_waitall, udp_unconnected, do_recv_waitall)
WAKES(udp_dual_stack_recv_from, udp_dual_stack, do_recv_from)
WAKES(udp_unbound_recv, udp_unbound, do_recv)
WAKES(unix_stream_recv, unix_stream, do_recv)
WAKES(unix_stream_recv_all, unix_stream, do_recv_all)
WAKES(unix_stream_send, unix_stream_full, do_send)
WAKES(unix_stream_send_all, unix_stream_full, do_send_all)
WAKES(unix_stream_accept, unix_listening, do_accept)
WAKES(unix_stream_connect, unix_backlog, do_connect)
WAKES(unix_stream_finish, unix_stream, do_finish)
WAKES(unix_dgram_recv, unix_dgram, do_recv)
WAKES(unix_dgram_named_recv_from, unix_dgram_named, do_recv_from)
WAKES(unix_dgram_pair_send, unix_dgram_full, do_send)
WAKES(unix_dgram_connected_send, unix_dgram_full_connected, do_send)
WAKES(unix_dgram_send_to, unix_dgram_full_peer, do_send_to)
WAKES(seqpacket_recv, seqpacket, do_recv)
WAKES(seqpacket_send, seqpacket_full, do_send)
WAKES(seqpacket_accept, seqpacket_listening, do_accept)
WAKES(seqpacket_connect, seqpacket_backlog, do_connect)
WAKES(wait_tcp, tcp, do_wait)
WAKES(wait_tcp_priority, tcp, do_wait_priority)
WAKES(wait_tcp_writable, tcp_full, do_wait_writable)
WAKES(wait_listener, tcp_listening, do_wait)
WAKES(wait_connecting, tcp_connecting, do_wait_writable)
WAKES(wait_udp, udp, do_wait)
WAKES(wait_udp_unconnected, udp_unconnected, do_wait)
WAKES(wait_unix_stream, unix_stream, do_wait)
WAKES(wait_unix_dgram, unix_dgram_named, do_wait)
WAKES(wait_unix_dgram_writable, unix_dgram_full, do_wait_writable)
WAKES(wait_seqpacket, seqpacket, do_wait)

/* --- Many at once, and a copy made too late ---------------------------------------------------- */

CASE(all_the_threads_on_one_handle)
{
    static int64_t (*const block[])(struct scene *) = {do_recv, do_recv_from, do_recv_waitall, do_wait, do_recv_all, do_send, do_send_all, do_wait_writable};
    enum { N = 16 };
    for (int variant = 0; variant < VARIANTS; variant++) {
        struct scene first, x[N];
        struct kind k[N];
        struct thread t[N];
        void *argument[N][2];
        sk_handle copy = 0;
        memset(&first, 0, sizeof first);
        tcp_full(&first);
        if (variant & SHARED) copy = MADE(sk_dup(first.s));
        CHECK_OK(sk_set_timeout(first.s, variant & WITH_LIMIT ? LONG_LIMIT : SK_FOREVER));
        for (int i = 0; i < N; i++) {
            x[i] = first;
            x[i].limit = variant & WITH_LIMIT ? LONG_LIMIT : SK_FOREVER;
            k[i].prepare = NULL;
            k[i].block = block[i % 8];
            start_blocked(&t[i], &k[i], &x[i], argument[i]);
        }
        int64_t start = now_us();
        CHECK_OK(sk_close(first.s));
        for (int i = 0; i < N; i++) {
            thread_join(&t[i]);
            check_woken(&x[i]);
            CHECK_LT(t[i].ended_us - start, WITHIN_US * 2); /* sixteen threads, perhaps one processor */
        }
        if (copy != 0) CHECK_OK(sk_close(copy));
        CHECK_OK(sk_close(first.peer));
        CHECK_GIVES(sk_open_count(), 0);
    }
}

CASE(a_copy_made_while_a_call_was_blocked)
{
    static const struct {
        void (*prepare)(struct scene *);
        int64_t (*block)(struct scene *);
    } some[] = {{tcp, do_recv}, {tcp_full, do_send}, {tcp_listening, do_accept}, {udp, do_recv}, {udp_unconnected, do_recv_from},
                {unix_stream, do_recv}, {unix_dgram_named, do_recv}, {seqpacket, do_recv}, {unix_dgram_full_peer, do_send_to},
                {unix_dgram_full, do_send}, {tcp_blackhole, do_connect}, {unix_backlog, do_connect}, {tcp, do_recv_all}, {tcp, do_wait}};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        for (int limited = 0; limited < 2; limited++) {
            struct scene x;
            struct kind k;
            struct thread t;
            void *argument[2];
            memset(&x, 0, sizeof x);
            k.prepare = some[i].prepare;
            k.block = some[i].block;
            x.limit = limited ? LONG_LIMIT : SK_FOREVER;
            k.prepare(&x);
            CHECK_OK(sk_set_timeout(x.s, x.limit));
            start_blocked(&t, &k, &x, argument);
            sk_handle copy = MADE(sk_dup(x.s));
            int64_t start = now_us();
            CHECK_OK(sk_close(x.s));
            thread_join(&t);
            if (x.result != SK_ECLOSED) FAIL("scene %d: %lld %s", (int)i, (long long)x.result, check_name_of(x.result));
            CHECK_LT(t.ended_us - start, WITHIN_US * 2);
            CHECK_OK(sk_close(copy));
            drop(&x);
        }
    }
    CHECK_GIVES(sk_open_count(), 0);
}

/* Once the calls from before the copy have returned, a close wakes the later ones and leaves the copy alone. */
CASE(a_copy_outlives_the_close_once_earlier_calls_have_returned)
{
    static void (*const prepare[])(struct scene *) = {tcp, udp, unix_stream, seqpacket};
    for (size_t i = 0; i < sizeof prepare / sizeof *prepare; i++) {
        struct scene x;
        struct kind k = {prepare[i], do_recv};
        struct thread t;
        void *argument[2];
        memset(&x, 0, sizeof x);
        k.prepare(&x);
        start_blocked(&t, &k, &x, argument);
        sk_handle copy = MADE(sk_dup(x.s));
        CHECK_GIVES(sk_send(x.peer, "x", 1, 0), 1);
        thread_join(&t);
        CHECK_EQ(x.result, 1);
        start_blocked(&t, &k, &x, argument);
        CHECK_OK(sk_close(x.s));
        thread_join(&t);
        check_woken(&x);
        check_alive(copy, &x);
        CHECK_OK(sk_close(copy));
        drop(&x);
    }
}

/* What the peer sees of a close that had to wake somebody is what it sees of any close. */
CASE(the_peer_sees_a_plain_end)
{
    for (int variant = 0; variant < 2; variant++) {
        struct scene x;
        struct kind k = {tcp, do_recv};
        struct thread t;
        void *argument[2];
        char b;
        memset(&x, 0, sizeof x);
        tcp(&x);
        CHECK_GIVES(sk_send(x.s, "z", 1, 0), 1);
        CHECK_OK(sk_set_timeout(x.s, variant & WITH_LIMIT ? LONG_LIMIT : SK_FOREVER));
        start_blocked(&t, &k, &x, argument);
        CHECK_OK(sk_close(x.s));
        thread_join(&t);
        CHECK_GIVES(sk_recv(x.peer, &b, 1, 0), 1);
        CHECK_GIVES(sk_recv(x.peer, &b, 1, 0), 0);
        CHECK_OK(sk_close(x.peer));
    }
}

CASE(abort_and_finish_wake_too)
{
    for (int how = 0; how < 2; how++) {
        for (int variant = 0; variant < VARIANTS; variant++) {
            struct scene x;
            struct kind k = {tcp, do_recv};
            struct thread t;
            void *argument[2];
            memset(&x, 0, sizeof x);
            tcp(&x);
            sk_handle copy = variant & SHARED ? MADE(sk_dup(x.s)) : 0;
            CHECK_OK(sk_set_timeout(x.s, variant & WITH_LIMIT ? LONG_LIMIT : SK_FOREVER));
            start_blocked(&t, &k, &x, argument);
            int64_t start = now_us();
            if (how == 0) CHECK_OK(sk_abort(x.s));
            else CHECK_FAILS(sk_finish(x.s, 0), SK_EAGAIN);
            thread_join(&t);
            check_woken(&x);
            CHECK_LT(t.ended_us - start, WITHIN_US * 2);
            if (copy != 0) CHECK_OK(sk_close(copy));
            CHECK_OK(sk_close(x.peer));
        }
    }
}

/* The descriptor goes when the last of the woken calls has left, and then it is gone. */
CASE(the_descriptor_goes_with_the_last_call)
{
    struct scene x[8];
    struct kind k = {tcp, do_recv};
    struct thread t[8];
    void *argument[8][2];
    memset(x, 0, sizeof x);
    int fds = open_fds();
    tcp(&x[0]);
    for (int i = 0; i < 8; i++) {
        x[i].s = x[0].s;
        start_blocked(&t[i], &k, &x[i], argument[i]);
    }
    CHECK_OK(sk_close(x[0].s));
    for (int i = 0; i < 8; i++) thread_join(&t[i]);
    CHECK_OK(sk_close(x[0].peer));
    CHECK_EQ(open_fds(), fds);
}

CASE(a_lingering_close_does_not_block_the_last_one_out)
{
    sk_handle p[2];
    struct scene x;
    struct kind k = {tcp_full, do_send};
    struct thread t;
    void *argument[2];
    memset(&x, 0, sizeof x);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_EQ(bind(l, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(listen(l, 1), 0);
    CHECK_EQ(getsockname(l, (struct sockaddr *)&a, &len), 0);
    CHECK_EQ(connect(c, (struct sockaddr *)&a, sizeof a), 0);
    struct linger on = {1, 10};
    CHECK_EQ(setsockopt(c, SOL_SOCKET, SO_LINGER, &on, sizeof on), 0);
    p[0] = MADE(sk_from_fd(c));
    p[1] = MADE(sk_from_fd(accept4(l, NULL, NULL, SOCK_CLOEXEC)));
    fill(p[0]);
    x.s = p[0];
    start_blocked(&t, &k, &x, argument);
    int64_t start = now_us();
    CHECK_OK(sk_close(p[0]));
    thread_join(&t);
    check_woken(&x);
    CHECK_LT(t.ended_us - start, WITHIN_US * 2);
    CHECK_LT(now_us() - start, WITHIN_US * 2);
}
