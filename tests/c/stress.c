/* 64 threads on all kinds of sockets for ten seconds, three of them closing and replacing.
 *
 * Each group of sockets has its own name (an abstract Unix name, or an address in 127/8 that is never
 * used again) and its own byte, and the SO_COOKIE of each of its descriptors is noted when it is made.
 * A call that reached another group's socket would show another byte, another name or another cookie. */
#include "check.h"

enum { GROUPS = 24, CLOSERS = 3, THREADS = 64, RECORDS = 1000000, SECONDS = 10 };
enum kind { G_TCP, G_UDP, G_UDP_LONE, G_STREAM, G_DGRAM, G_DGRAM_NAMED, G_SEQPACKET, G_LISTENER, G_UNIX_LISTENER, G_KINDS };

struct group {
    int kind;
    int ready;
    int shared;      /* its descriptors are looked at with sk_fd before and after each call */
    unsigned char byte;
    sk_handle h[2];  /* h[1] is 0 where there is one only */
    uint64_t cookie[2];
    sk_addr local[2];
};

static struct group *records;
static size_t records_used;
static struct group *groups[GROUPS]; /* the living; a record is never changed or used again */
static int stop;
static long long calls, woken, stale, closes, compared, accepted;

#define ADD(counter) __atomic_fetch_add(&(counter), 1, __ATOMIC_RELAXED)

static uint64_t cookie_of(int fd)
{
    uint64_t c = 0;
    socklen_t len = sizeof c;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c, &len) == 0 ? c : 0;
}

/* --- Making ---------------------------------------------------------------------------------------- */

static sk_handle adopt(struct group *g, int end, int fd)
{
    CHECK_GE(fd, 0);
    g->cookie[end] = cookie_of(fd);
    CHECK_NE(g->cookie[end], 0);
    g->h[end] = sk_from_fd(fd);
    CHECK_GT(g->h[end], 0);
    CHECK_EQ(sk_local_addr(g->h[end], &g->local[end]), SK_OK);
    return g->h[end];
}

/* An address of this group alone: 127.x.y.z from its number. */
static struct sockaddr_in own_address(uint32_t number)
{
    struct sockaddr_in a;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(0x7F000000u | (0x10000u + number));
    return a;
}
static int bound_internet(int type, struct sockaddr_in *a)
{
    socklen_t len = sizeof *a;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    CHECK_GE(fd, 0);
    a->sin_port = 0;
    CHECK_EQ(bind(fd, (struct sockaddr *)a, sizeof *a), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)a, &len), 0);
    return fd;
}
static int bound_unix(int type)
{
    sa_family_t family = AF_UNIX;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&family, sizeof family), 0); /* a free abstract name */
    return fd;
}

static struct group *make(uint32_t dice)
{
    size_t number = __atomic_fetch_add(&records_used, 1, __ATOMIC_SEQ_CST);
    if (number >= RECORDS) return NULL;
    struct group *g = &records[number];
    struct sockaddr_in a = own_address((uint32_t)number), b;
    int fd[2] = {-1, -1};
    g->kind = (int)(dice % G_KINDS);
    g->shared = dice / G_KINDS % 4 == 0;
    g->byte = (unsigned char)(number % 251 + 1);
    switch (g->kind) {
    case G_TCP: {
        socklen_t len = sizeof b;
        int l = bound_internet(SOCK_STREAM, &a);
        CHECK_EQ(listen(l, 1), 0);
        fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK_EQ(connect(fd[0], (struct sockaddr *)&a, sizeof a), 0);
        fd[1] = accept4(l, (struct sockaddr *)&b, &len, SOCK_CLOEXEC);
        CHECK_EQ(close(l), 0);
        break;
    }
    case G_UDP:
        b = a;
        fd[0] = bound_internet(SOCK_DGRAM, &a);
        fd[1] = bound_internet(SOCK_DGRAM, &b);
        CHECK_EQ(connect(fd[0], (struct sockaddr *)&b, sizeof b), 0);
        CHECK_EQ(connect(fd[1], (struct sockaddr *)&a, sizeof a), 0);
        break;
    case G_UDP_LONE: fd[0] = bound_internet(SOCK_DGRAM, &a); break;
    case G_STREAM: CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0); break;
    case G_DGRAM: CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd), 0); break;
    case G_SEQPACKET: CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0); break;
    case G_DGRAM_NAMED: fd[0] = bound_unix(SOCK_DGRAM); break;
    case G_LISTENER:
        fd[0] = bound_internet(SOCK_STREAM, &a);
        CHECK_EQ(listen(fd[0], 64), 0);
        break;
    default:
        fd[0] = bound_unix(SOCK_STREAM);
        CHECK_EQ(listen(fd[0], 64), 0);
        break;
    }
    adopt(g, 0, fd[0]);
    if (fd[1] >= 0) adopt(g, 1, fd[1]);
    if (g->shared) {
        CHECK_GE(sk_fd(g->h[0]), 0);
        if (g->h[1] != 0) CHECK_GE(sk_fd(g->h[1]), 0);
    }
    if (dice / 64 % 3 == 0) {
        CHECK_EQ(sk_set_timeout(g->h[0], dice / 256 % 20), SK_OK);
        if (g->h[1] != 0) CHECK_EQ(sk_set_timeout(g->h[1], dice / 256 % 3), SK_OK);
    }
    __atomic_store_n(&g->ready, 1, __ATOMIC_SEQ_CST);
    return g;
}

/* --- Working ----------------------------------------------------------------------------------------- */

static void check_code(int64_t r, const char *call)
{
    switch (r) {
    case SK_ECLOSED: ADD(woken); return;
    case SK_EBADHANDLE: ADD(stale); return;
    case SK_EAGAIN:
    case SK_ETIMEDOUT:
    case SK_EPIPE:
    case SK_ECONNRESET:
    case SK_ECONNREFUSED:
    case SK_ENOTCONN:
    case SK_EINPROGRESS:
    case SK_EALREADY: return;
    default:
        if (r < 0) FAIL("%s gave %s, errno %d", call, sk_error_name(r), errno);
    }
}

static void check_address(const struct group *g, unsigned end, const sk_addr *at)
{
    if (sk_addr_equal(at, &g->local[end]) == 1) return;
    /* A call that a close or an abort overtakes may see the end of the right socket: Linux takes the
     * port of a listener back, and the address of a client. But then the handle is dead. */
    static const uint8_t zero[16];
    sk_addr again;
    int ends = g->kind == G_TCP || g->kind == G_LISTENER;
    int same_port = at->port == 0 || at->port == g->local[end].port;
    int same_ip = memcmp(at->ip, zero, 4) == 0 || memcmp(at->ip, g->local[end].ip, 4) == 0;
    if (ends && same_port && same_ip && sk_local_addr(g->h[end], &again) == SK_EBADHANDLE) return;
    char is[SK_ADDR_STRLEN], was[SK_ADDR_STRLEN];
    (void)sk_addr_format(at, is, sizeof is);
    (void)sk_addr_format(&g->local[end], was, sizeof was);
    FAIL("kind %d: the address was %s and is %s", g->kind, was, is);
}

static void one_call(struct group *g, uint32_t dice)
{
    unsigned end = g->h[1] != 0 ? dice & 1 : 0;
    sk_handle h = g->h[end];
    unsigned char b[64];
    int64_t before = -1;
    uint64_t cookie = 0;
    ADD(calls);
    if (g->shared) {
        before = sk_fd(h);
        if (before >= 0) cookie = cookie_of((int)before);
    }
    int listens = g->kind == G_LISTENER || g->kind == G_UNIX_LISTENER;
    int64_t n;
    switch (dice >> 1 & 7) {
    case 0:
    case 1:
    case 2:
        if (listens) {
            sk_handle s = sk_accept(h, NULL);
            check_code(s, "sk_accept");
            if (s > 0) {
                sk_addr at;
                ADD(accepted);
                n = sk_local_addr(s, &at); /* it came to this group's address */
                CHECK(n == SK_OK && sk_addr_equal(&at, &g->local[0]) == 1);
                CHECK_EQ(sk_close(s), SK_OK);
            }
            break;
        }
        n = dice & 16 ? sk_recv(h, b, sizeof b, 0) : sk_recv_from(h, b, sizeof b, dice & 32 ? SK_DONTWAIT : 0, NULL);
        check_code(n, "sk_recv");
        for (int64_t i = 0; i < n; i++) CHECK_EQ(b[i], g->byte);
        break;
    case 3:
    case 4:
        if (listens) {
            sk_handle c = sk_socket(g->local[0].family, SK_STREAM, 0);
            CHECK_GT(c, 0);
            CHECK_EQ(sk_set_timeout(c, 20), SK_OK);
            check_code(sk_connect_addr(c, &g->local[0]), "sk_connect_addr");
            CHECK_EQ(sk_close(c), SK_OK);
            break;
        }
        memset(b, g->byte, sizeof b);
        if (g->kind == G_UDP_LONE || g->kind == G_DGRAM_NAMED) n = sk_send_to(h, b, sizeof b, dice & 16 ? SK_DONTWAIT : 0, &g->local[0]);
        else n = sk_send(h, b, sizeof b, dice & 16 ? SK_DONTWAIT : 0);
        check_code(n, "sk_send");
        break;
    case 5: {
        sk_addr at;
        n = sk_local_addr(h, &at);
        check_code(n, "sk_local_addr");
        if (n == SK_OK) {
            ADD(compared);
            check_address(g, end, &at);
        }
        break;
    }
    case 6: check_code(sk_wait(h, SK_READABLE, dice & 16 ? SK_FOREVER : 2), "sk_wait"); break;
    default: {
        int64_t type = 0;
        n = sk_get_option(h, SK_OPT_TYPE, &type);
        check_code(n, "sk_get_option");
        break;
    }
    }
    if (g->shared) { /* the descriptor of a handle that was live before and is after was its own in between */
        int64_t after = sk_fd(h);
        if (before < 0 || after < 0) return;
        CHECK_EQ(before, after);
        CHECK(cookie == g->cookie[end]);
        cookie = cookie_of((int)after);
        if (sk_fd(h) == after) CHECK(cookie == g->cookie[end]);
        ADD(compared);
    }
}

static void worker(void *argument)
{
    uint32_t dice = *(uint32_t *)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        dice = dice * 1664525u + 1013904223u;
        struct group *g = __atomic_load_n(&groups[(dice >> 16) % GROUPS], __ATOMIC_SEQ_CST);
        if (dice % 61 == 0) { /* one that is dead, most likely, its descriptors used by others */
            size_t used = __atomic_load_n(&records_used, __ATOMIC_SEQ_CST);
            struct group *old = &records[(used < RECORDS ? used : RECORDS) - 1 - (dice >> 8) % (used < 1000 ? used : 1000)];
            if (__atomic_load_n(&old->ready, __ATOMIC_SEQ_CST)) g = old;
        }
        one_call(g, dice >> 8);
    }
}

static void close_group(struct group *g, uint32_t dice)
{
    for (int end = 0; end < 2; end++) {
        sk_handle h = g->h[end];
        if (h == 0) continue;
        ADD(closes);
        switch (dice >> end & 7) {
        case 0: CHECK_EQ(sk_abort(h), SK_OK); break;
        case 1: {
            int64_t r = sk_finish(h, 0);
            if (r == SK_EOPNOTSUPP) CHECK_EQ(sk_close(h), SK_OK); /* left open, being no stream */
            else CHECK_NE(r, SK_EBADHANDLE);
            break;
        }
        case 2: { /* the descriptor that comes out is the one that went in */
            int64_t fd = sk_into_fd(h);
            if (fd == SK_EBUSY) {
                CHECK_EQ(sk_close(h), SK_OK);
            } else {
                CHECK_GE(fd, 0);
                CHECK(cookie_of((int)fd) == g->cookie[end]);
                ADD(compared);
                CHECK_EQ(close((int)fd), 0);
            }
            break;
        }
        default: CHECK_EQ(sk_close(h), SK_OK); break;
        }
        CHECK_EQ(sk_close(h), SK_EBADHANDLE);
    }
}

static void closer(void *argument)
{
    uint32_t dice = *(uint32_t *)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        dice = dice * 1664525u + 1013904223u;
        struct group *fresh = make(dice >> 8);
        if (fresh == NULL) return;
        struct group *old = __atomic_exchange_n(&groups[(dice >> 16) % GROUPS], fresh, __ATOMIC_SEQ_CST);
        close_group(old, dice >> 20);
        sched_yield();
    }
}

static void stress(int seconds)
{
    static struct thread t[THREADS];
    static uint32_t seeds[THREADS];
    records = calloc(RECORDS, sizeof *records);
    CHECK(records != NULL);
    int fds = open_fds();
    for (int i = 0; i < GROUPS; i++) groups[i] = make((uint32_t)i * 2654435761u >> 3);
    for (uint32_t i = 0; i < THREADS; i++) {
        seeds[i] = i * 2654435761u + 1;
        thread_start(&t[i], i < CLOSERS ? closer : worker, &seeds[i]);
    }
    int64_t until = now_us() + (int64_t)seconds * 1000000;
    while (now_us() < until) {
        struct timespec nap = {0, 50000000}; /* the length of the run, not a synchronisation */
        nanosleep(&nap, NULL);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < CLOSERS; i++) thread_join(&t[i]);
    for (int i = 0; i < GROUPS; i++) close_group(groups[i], 63); /* wakes whoever still waits */
    for (int i = CLOSERS; i < THREADS; i++) thread_join(&t[i]);
    printf("%lld calls, %lld woken by a close, %lld on a stale handle, %lld accepted, %lld closes, %lld compared\n", calls,
           woken, stale, accepted, closes, compared);
    CHECK_EQ(open_fds(), fds);
    CHECK_GIVES(sk_open_count(), 0);
    CHECK_GT(calls, 1000);
    CHECK_GT(closes, 100);
    CHECK_GT(woken, 0);
    CHECK_GT(compared, 0);
}
CASE_WITHIN(sixty_four_threads_for_ten_seconds, 60) { stress(SECONDS); }
