/* From names to addresses: sk_resolve, and sk_connect with a name. */
#include "resolver.h"

enum { ROOM = 16 };
static sk_addr out[ROOM];
static const sk_addr untouched = {.family = 77};

static void wipe(void)
{
    for (int i = 0; i < ROOM; i++) out[i] = untouched;
}
static const char *text_of(const sk_addr *a)
{
    static char text[SK_ADDR_STRLEN];
    CHECK_GT(sk_addr_format(a, text, sizeof text), 0);
    return text;
}
static void await_threads(int n)
{
    while (count_threads() != n) sched_yield();
}
/* Bytes of address space in use; not under a tool, which takes more as it goes. Without a FILE: its
 * buffer may move the end of the heap. */
static int64_t mapped(void)
{
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    CHECK_GT(read(fd, text, sizeof text - 1), 0);
    close(fd);
    return CHECK_SLOWER > 1 ? 0 : strtoll(text, NULL, 10) * sysconf(_SC_PAGESIZE);
}
static int same_signals(const sigset_t *a, const sigset_t *b)
{
    for (int number = 1; number < NSIG; number++)
        if (sigismember(a, number) != sigismember(b, number)) return 0;
    return 1;
}

/* --- Numeric hosts and bad input ------------------------------------------------------------- */

CASE(a_numeric_host_asks_nobody)
{
    static const struct {
        const char *host, *text;
    } hosts[] = {
        {"127.0.0.1", "127.0.0.1:80"},
        {"255.255.255.255", "255.255.255.255:80"},
        {"::1", "[::1]:80"},
        {"2001:DB8::1", "[2001:db8::1]:80"},
        {"fe80::1%lo", "[fe80::1%lo]:80"},
        {"::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80"},
    };
    static const int64_t limits[] = {0, 1, SK_FOREVER, INT64_MAX};
    RESOLVER_GIVES("9.9.9.9");
    resolver_block();
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        for (int l = 0; l < 4; l++) {
            wipe();
            CHECK_GIVES(sk_resolve(hosts[i].host, 80, SK_UNSPEC, limits[l], out, ROOM), 1);
            CHECK_TEXT(text_of(&out[0]), hosts[i].text);
            CHECK_EQ(out[1].family, untouched.family);
        }
    }
    CHECK_GIVES(sk_resolve("127.0.0.1", 0, SK_INET, 0, out, 1), 1);
    CHECK_GIVES(sk_resolve("::1", 65535, SK_INET6, 0, out, 1), 1);
    CHECK_EQ(out[0].port, 65535);
    CHECK_EQ(resolver_seen(&resolver.calls), 0);
}

CASE(bad_input_changes_nothing)
{
    char label[70], name[300];
    memset(label, 'a', sizeof label);
    label[64] = '\0';
    for (int i = 0; i < 128; i++) memcpy(name + 2 * i, "a.", 3);
    RESOLVER_GIVES("127.0.0.1");
    wipe();
    CHECK_FAILS(sk_resolve(NULL, 0, SK_UNSPEC, -1, out, ROOM), SK_EINVAL);
    CHECK_FAILS(sk_resolve("a", 0, SK_UNSPEC, -1, NULL, ROOM), SK_EINVAL);
    CHECK_FAILS(sk_resolve("a", 0, SK_UNSPEC, -1, out, 0), SK_EINVAL);
    CHECK_FAILS(sk_resolve("127.0.0.1", 0, SK_UNSPEC, -1, NULL, 0), SK_EINVAL);
    CHECK_FAILS(sk_resolve("a", 0, SK_UNSPEC, -1, out, SIZE_MAX), SK_EINVAL);
    CHECK_FAILS(sk_resolve("a", 0, SK_UNSPEC, -2, out, ROOM), SK_EINVAL);
    CHECK_FAILS(sk_resolve("a", 0, SK_UNSPEC, INT64_MIN, out, ROOM), SK_EINVAL);
    CHECK_FAILS(sk_resolve("a", 0, 4, -1, out, ROOM), SK_EINVAL);
    CHECK_FAILS(sk_resolve("a", 0, -1, -1, out, ROOM), SK_EINVAL);
    CHECK_FAILS(sk_resolve("a", 0, SK_UNIX, -1, out, ROOM), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_resolve("127.0.0.1", 0, SK_UNIX, -1, out, ROOM), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_resolve("127.0.0.1", 0, SK_INET6, -1, out, ROOM), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_resolve("::1", 0, SK_INET, -1, out, ROOM), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_resolve("fe80::1%nosuchzone", 0, SK_UNSPEC, -1, out, ROOM), SK_ENOENT);
    CHECK_FAILS(sk_resolve(name, 0, SK_UNSPEC, -1, out, ROOM), SK_ENAMETOOLONG);
    CHECK_FAILS(sk_resolve(label, 0, SK_UNSPEC, 1000, out, ROOM), SK_ENAMETOOLONG);
    static const char *const not_hosts[] = {"", " ", "a b", "a:80", "127.1", "0x7f.1", "2130706433", "[::1]", "127.0.0.1:80", "a..b", ".", "::1%"};
    for (size_t i = 0; i < sizeof not_hosts / sizeof not_hosts[0]; i++) {
        CHECK_FAILS(sk_resolve(not_hosts[i], 0, SK_UNSPEC, -1, out, ROOM), SK_EADDRFORMAT);
        CHECK_FAILS(sk_resolve(not_hosts[i], 0, SK_UNSPEC, 0, out, ROOM), SK_EADDRFORMAT);
        sk_handle s = MADE(sk_socket(SK_INET6, SK_STREAM, 0));
        CHECK_FAILS(sk_connect(s, not_hosts[i], 80), SK_EADDRFORMAT);
        CHECK_OK(sk_close(s));
    }
    CHECK_FAILS(sk_resolve("localhost", 0, SK_UNSPEC, 0, out, ROOM), SK_EAGAIN);
    CHECK_EQ(resolver_seen(&resolver.calls), 0);
    for (int i = 0; i < ROOM; i++) CHECK_EQ(memcmp(&out[i], &untouched, sizeof untouched), 0);
}

/* --- What is found ---------------------------------------------------------------------------- */

static const int64_t both_limits[] = {SK_FOREVER, 10000};

CASE(the_systems_own_resolver_knows_localhost)
{
    for (int l = 0; l < 2; l++) {
        int64_t n = sk_resolve("localhost", 80, SK_UNSPEC, both_limits[l], out, ROOM), loopbacks = 0;
        CHECK_GE(n, 1);
        for (int64_t i = 0; i < n; i++) loopbacks += strcmp(text_of(&out[i]), "127.0.0.1:80") == 0;
        CHECK_EQ(loopbacks, 1);
        CHECK_GIVES(sk_resolve("localhost", 9, SK_INET, both_limits[l], out, ROOM), 1);
        CHECK_TEXT(text_of(&out[0]), "127.0.0.1:9");
    }
}

CASE(in_the_systems_order_without_duplicates)
{
    RESOLVER_GIVES("10.0.0.2", "::1", "10.0.0.1", "10.0.0.2", "::1", "fe80::1%1", "fe80::1%2", "::ffff:10.0.0.1", "10.0.0.3", "10.0.0.2");
    for (int l = 0; l < 2; l++) {
        wipe();
        CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, both_limits[l], out, ROOM), 6);
        static const char *const wanted[] = {"10.0.0.2:1", "[::1]:1", "10.0.0.1:1", "fe80::1", "fe80::1", "10.0.0.3:1"};
        for (int i = 0; i < 6; i++) {
            if (i == 3 || i == 4) {
                CHECK_EQ(out[i].family, SK_INET6);
                CHECK_EQ(out[i].scope_id, (uint32_t)i - 2);
            } else {
                CHECK_TEXT(text_of(&out[i]), wanted[i]);
            }
        }
        CHECK_EQ(memcmp(&out[6], &untouched, sizeof untouched), 0);
        /* At most so many. */
        wipe();
        CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, both_limits[l], out, 3), 3);
        CHECK_TEXT(text_of(&out[2]), "10.0.0.1:1");
        CHECK_EQ(memcmp(&out[3], &untouched, sizeof untouched), 0);
        CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, both_limits[l], out, 1), 1);
    }
    resolver_await_end();
}

CASE(of_one_family)
{
    RESOLVER_GIVES("::1", "127.0.0.1", "::2");
    for (int l = 0; l < 2; l++) {
        CHECK_GIVES(sk_resolve("h", 1, SK_INET, both_limits[l], out, ROOM), 1);
        CHECK_EQ(resolver.family, AF_INET);
        CHECK_TEXT(text_of(&out[0]), "127.0.0.1:1");
        CHECK_GIVES(sk_resolve("h", 1, SK_INET6, both_limits[l], out, ROOM), 2);
        CHECK_TEXT(text_of(&out[1]), "[::2]:1");
        CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, both_limits[l], out, ROOM), 3);
        CHECK_EQ(resolver.family, AF_UNSPEC);
    }
    RESOLVER_GIVES("::1");
    CHECK_FAILS(sk_resolve("h", 1, SK_INET, SK_FOREVER, out, ROOM), SK_EHOSTNOTFOUND);
    resolver_await_end();
}

CASE(the_host_comes_to_the_resolver_whole)
{
    char name[256];
    for (int i = 0; i < 127; i++) memcpy(name + 2 * i, "a.", 3);
    CHECK_EQ(strlen(name), 254); /* the longest, with its closing dot */
    RESOLVER_GIVES("127.0.0.1");
    for (int l = 0; l < 2; l++) {
        CHECK_GIVES(sk_resolve(name, 1, SK_UNSPEC, both_limits[l], out, ROOM), 1);
        CHECK_TEXT(resolver.host, name);
        CHECK_GIVES(sk_resolve("my_host.example-1.\xc3\xbc", 1, SK_UNSPEC, both_limits[l], out, ROOM), 1);
        CHECK_TEXT(resolver.host, "my_host.example-1.\xc3\xbc");
    }
}

CASE(each_failure_of_the_resolver_has_a_code)
{
    static const struct {
        int fails, error, code, becomes;
    } failures[] = {
        {EAI_NONAME, 0, SK_EHOSTNOTFOUND, ENOENT},
        {EAI_NODATA, 0, SK_EHOSTNOTFOUND, ENOENT},
        {EAI_ADDRFAMILY, 0, SK_EHOSTNOTFOUND, ENOENT},
        {EAI_AGAIN, 0, SK_ERESOLVE, EAGAIN},
        {EAI_FAIL, 0, SK_ERESOLVE, EAGAIN},
        {EAI_MEMORY, 0, SK_ENOMEM, ENOMEM},
        {EAI_SYSTEM, EMFILE, SK_EMFILE, EMFILE},
        {EAI_SYSTEM, EACCES, SK_EACCES, EACCES},
        {EAI_SYSTEM, EXDEV, SK_EOTHER, EXDEV},
        {EAI_OVERFLOW, 0, SK_EHOSTNOTFOUND, ENOENT},
    };
    RESOLVER_GIVES("127.0.0.1");
    wipe();
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        resolver.fails = failures[i].fails;
        resolver.error = failures[i].error;
        for (int l = 0; l < 2; l++) {
            errno = 0;
            CHECK_EQ(sk_resolve("h", 1, SK_UNSPEC, both_limits[l], out, ROOM), failures[i].code);
            CHECK_EQ(errno, failures[i].becomes);
            sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
            CHECK_OK(sk_set_timeout(s, both_limits[l]));
            errno = 0;
            CHECK_EQ(sk_connect(s, "h", 1), failures[i].code);
            CHECK_EQ(errno, failures[i].becomes);
            CHECK_OK(sk_close(s));
        }
    }
    CHECK_EQ(memcmp(&out[0], &untouched, sizeof untouched), 0);
}

/* --- The thread, and the limit ------------------------------------------------------------------ */

CASE(without_a_limit_there_is_no_thread)
{
    RESOLVER_GIVES("127.0.0.1");
    resolver.error = ENOENT; /* resolvers leave this behind */
    CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, SK_FOREVER, out, ROOM), 1);
    CHECK_EQ(resolver.tid, my_tid());
    sk_handle l = tcp_listener(SK_INET, 1), s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(s, "h", port_of(l)));
    CHECK_EQ(resolver.tid, my_tid());
    CHECK_EQ(count_threads(), 1);
    CHECK_EQ(resolver_seen(&resolver.lists), 0);
}

CASE(with_a_limit_a_thread_that_no_signal_reaches)
{
    sigset_t before, after;
    memset(&before, 0, sizeof before); /* the system sets a part of it */
    memset(&after, 0, sizeof after);
    RESOLVER_GIVES("127.0.0.1");
    resolver.error = ENOENT;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &before), 0);
    CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, 10000, out, ROOM), 1);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
    CHECK(same_signals(&before, &after));
    CHECK_NE(resolver.tid, my_tid());
    CHECK(resolver.blocks_signals);
    CHECK_TEXT(resolver.thread_name, "sk_resolve");
    await_threads(1); /* short-lived */
    CHECK_EQ(resolver_seen(&resolver.lists), 0);
}

CASE(the_limit_ends_the_wait_and_the_thread_goes_on_alone)
{
    RESOLVER_GIVES("127.0.0.1");
    CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, 10000, out, ROOM), 1);
    await_threads(1);
    int fds = open_fds();
    int64_t before = mapped();
    for (int round = 0; round < 40; round++) {
        resolver_block();
        wipe();
        int64_t start = now_us();
        CHECK_FAILS(sk_resolve("h", 1, SK_UNSPEC, 20, out, ROOM), SK_ETIMEDOUT);
        CHECK_GE(now_us() - start, 20000);
        CHECK_LT(now_us() - start, 1000000);
        CHECK_EQ(memcmp(&out[0], &untouched, sizeof untouched), 0);
        CHECK_EQ(count_threads(), 2);
        CHECK_EQ(open_fds(), fds);
        resolver_open();
        await_threads(1);
        CHECK_EQ(resolver_seen(&resolver.lists), 0);
    }
    CHECK_LT(mapped(), before + 20 * 4096); /* a page for each would be more */
}

CASE(an_end_just_before_the_limit_is_no_time_out)
{
    RESOLVER_GIVES("127.0.0.1");
    resolver.slow_us = 30000;
    CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, 20000, out, ROOM), 1);
    CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, INT64_MAX, out, ROOM), 1);
}

static void ignore(int signal_number) { (void)signal_number; }
static int64_t resolved;
static void resolve_for_200_ms(void *argument)
{
    (void)argument;
    errno = 0;
    resolved = sk_resolve("h", 1, SK_UNSPEC, 200, out, ROOM);
    CHECK_EQ(errno, ETIMEDOUT);
}
CASE(signals_do_not_shorten_or_lengthen_the_wait)
{
    struct sigaction action;
    struct thread t;
    memset(&action, 0, sizeof action);
    action.sa_handler = ignore; /* no SA_RESTART */
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    RESOLVER_GIVES("127.0.0.1");
    resolver_block();
    int64_t start = now_us();
    thread_start(&t, resolve_for_200_ms, NULL);
    resolver_await_caller();
    while (pthread_tryjoin_np(t.id, NULL) != 0) {
        CHECK_EQ(pthread_kill(t.id, SIGUSR1), 0);
        CHECK_LT(now_us() - start, 5000000);
        sched_yield();
    }
    CHECK_EQ(resolved, SK_ETIMEDOUT);
    CHECK_GE(t.ended_us - start, 200000);
    CHECK_LT(t.ended_us - start, 2000000);
    resolver_open();
    await_threads(1);
}

/* The sanitizers' own, where there is one: they must know each thread. */
extern int __interceptor_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) __attribute__((weak));

static int no_more_threads;
int pthread_create(pthread_t *restrict id, const pthread_attr_t *restrict attributes, void *(*run)(void *), void *restrict argument)
{
    int (*own)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = __interceptor_pthread_create;
    if (no_more_threads) return EAGAIN;
    if (own == NULL) *(void **)&own = dlsym(RTLD_NEXT, "pthread_create");
    return own(id, attributes, run, argument);
}
CASE(where_there_can_be_no_thread)
{
    sigset_t mask;
    RESOLVER_GIVES("127.0.0.1");
    CHECK_FAILS(sk_resolve("h", 1, SK_UNIX, 10000, out, ROOM), SK_EAFNOSUPPORT);
    int64_t before = mapped();
    no_more_threads = 1;
    for (int i = 0; i < 20; i++) CHECK_FAILS(sk_resolve("h", 1, SK_UNSPEC, 10000, out, ROOM), SK_ENOMEM);
    CHECK_EQ(mapped(), before);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    CHECK(!sigismember(&mask, SIGTERM));
    CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, SK_FOREVER, out, ROOM), 1);
}

static void resolve_a_lot(void *argument)
{
    unsigned seed = *(unsigned *)argument;
    sk_addr own[4];
    for (int i = 0; i < 150; i++) {
        int64_t r = sk_resolve("h", 1, SK_UNSPEC, 1 + (int64_t)(rand_r(&seed) % 3), own, 4);
        if (r == SK_ETIMEDOUT) continue;
        CHECK_EQ(r, 2);
        CHECK_EQ(own[1].ip[3], 2);
    }
}
CASE(limits_and_ends_at_the_same_time)
{
    struct thread t[6];
    unsigned seeds[6];
    RESOLVER_GIVES("127.0.0.1", "127.0.0.2");
    resolver.slow_us = 1000;
    for (unsigned i = 0; i < 6; i++) {
        seeds[i] = i + 1;
        thread_start(&t[i], resolve_a_lot, &seeds[i]);
    }
    for (int i = 0; i < 6; i++) thread_join(&t[i]);
    await_threads(1);
    CHECK_EQ(resolver_seen(&resolver.lists), 0);
    CHECK_EQ(resolver_seen(&resolver.calls), 900);
}

/* --- Fork and exit ------------------------------------------------------------------------------- */

static void child_resolves(void *argument)
{
    int fds = *(int *)argument;
    /* The parent's look-up is not here, nor what belongs to it. */
    CHECK_EQ(count_threads(), 1);
    CHECK_EQ(open_fds(), fds);
    resolver.blocked = 0;
    CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, 10000, out, ROOM), 1);
    CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, SK_FOREVER, out, ROOM), 1);
}
static void resolve_for_long(void *argument)
{
    sk_addr own[1];
    (void)argument;
    CHECK_GIVES(sk_resolve("h", 1, SK_UNSPEC, 20000, own, 1), 1);
}
CASE(fork_while_a_look_up_runs)
{
    struct thread t;
    RESOLVER_GIVES("127.0.0.1");
    resolver_block();
    int fds = open_fds();
    thread_start(&t, resolve_for_long, NULL);
    resolver_await_caller();
    for (int i = 0; i < 5; i++) in_child(child_resolves, &fds);
    resolver_open();
    thread_join(&t);
    await_threads(1);
}

static void child_exits(void *argument)
{
    (void)argument;
    resolver_block();
    CHECK_FAILS(sk_resolve("h", 1, SK_UNSPEC, 1, out, ROOM), SK_ETIMEDOUT);
    exit(0); /* with the thread still in the resolver */
}
CASE(exit_while_a_look_up_runs)
{
    RESOLVER_GIVES("127.0.0.1");
    in_child(child_exits, NULL);
}

/* --- sk_connect ------------------------------------------------------------------------------------ */

static struct {
    sk_handle s;
    int result, error;
} connecting;
static void connect_by_name(void *argument)
{
    (void)argument;
    errno = 0;
    connecting.result = sk_connect(connecting.s, "h", 9);
    connecting.error = errno;
}

CASE(the_connect_limit_covers_the_look_up)
{
    RESOLVER_GIVES("127.0.0.1");
    resolver_block();
    sk_handle l = tcp_listener(SK_INET, 4), s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_option(s, SK_OPT_CONNECT_TIMEOUT, 50));
    int64_t start = now_us();
    CHECK_FAILS(sk_connect(s, "h", port_of(l)), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 50000);
    CHECK_LT(now_us() - start, 1000000);
    resolver_open();
    await_threads(1);
    CHECK_OK(sk_set_option(s, SK_OPT_CONNECT_TIMEOUT, 10000));
    CHECK_OK(sk_connect(s, "h", port_of(l))); /* it stays usable */
    CHECK_EQ(resolver_seen(&resolver.lists), 0);
}

CASE(what_the_look_up_took_is_gone_for_the_connect)
{
    /* A full queue: connecting takes for ever. */
    sk_addr at;
    sk_handle l = tcp_listener(SK_INET, 1);
    CHECK_OK(sk_local_addr(l, &at));
    for (int r = SK_OK; r != SK_ETIMEDOUT;) {
        sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
        CHECK_OK(sk_set_timeout(c, 100));
        r = sk_connect_addr(c, &at);
        CHECK(r == SK_OK || r == SK_ETIMEDOUT);
    }
    RESOLVER_GIVES("127.0.0.1");
    resolver.slow_us = 400000;
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_timeout(s, 700));
    int64_t start = now_us();
    CHECK_FAILS(sk_connect(s, "h", at.port), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 700000);
    CHECK_LT(now_us() - start, 1080000);
}

CASE(close_wakes_a_connect_that_looks_up_a_name)
{
    RESOLVER_GIVES("127.0.0.1");
    for (int kind = 0; kind < 4; kind++) {
        struct thread t;
        sk_handle copy = 0;
        int fds = open_fds();
        resolver_block();
        connecting.s = MADE(sk_socket(kind & 1 ? SK_INET6 : SK_INET, kind == 2 ? SK_DGRAM : SK_STREAM, 0));
        if (kind == 3) copy = MADE(sk_dup(connecting.s)); /* shared with another handle */
        CHECK_OK(sk_set_option(connecting.s, SK_OPT_CONNECT_TIMEOUT, 15000));
        thread_start(&t, connect_by_name, NULL);
        resolver_await_caller();
        int64_t start = now_us();
        CHECK_OK(sk_close(connecting.s));
        thread_join(&t);
        CHECK_LT(t.ended_us - start, 2000000);
        CHECK_EQ(connecting.result, SK_ECLOSED);
        CHECK_EQ(connecting.error, ECANCELED);
        if (copy != 0) CHECK_OK(sk_close(copy));
        CHECK_EQ(open_fds(), fds);
        resolver_open();
        await_threads(1);
        CHECK_EQ(resolver_seen(&resolver.lists), 0);
    }
}

CASE(closed_during_a_look_up_without_a_limit)
{
    struct thread t;
    RESOLVER_GIVES("127.0.0.1");
    for (int fails = 0; fails < 2; fails++) {
        resolver_block();
        resolver.fails = fails ? EAI_NONAME : 0;
        connecting.s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
        thread_start(&t, connect_by_name, NULL);
        resolver_await_caller();
        CHECK_OK(sk_close(connecting.s));
        resolver_open();
        thread_join(&t);
        CHECK_EQ(connecting.result, SK_ECLOSED);
    }
    CHECK_EQ(resolver_seen(&resolver.lists), 0);
}

CASE(addresses_are_tried_in_turn_each_once)
{
    /* Only the last one listens. */
    sk_handle l = tcp_listener(SK_INET, 4);
    RESOLVER_GIVES("127.0.0.7", "127.0.0.8", "127.0.0.7", "127.0.0.1");
    for (int i = 0; i < 2; i++) {
        sk_addr peer;
        sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
        CHECK_OK(sk_set_timeout(s, both_limits[i]));
        CHECK_OK(sk_connect(s, "h", port_of(l)));
        CHECK_OK(sk_peer_addr(s, &peer));
        CHECK_EQ(peer.ip[3], 1);
        CHECK_OK(sk_close(s));
    }
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    RESOLVER_GIVES("127.0.0.7", "127.0.0.8");
    CHECK_FAILS(sk_connect(s, "h", port_of(l)), SK_ECONNREFUSED);
    CHECK_OK(sk_connect(s, "127.0.0.1", port_of(l)));
    CHECK_FAILS(sk_connect(s, "h", port_of(l)), SK_EISCONN);
}

CASE(a_dual_stack_socket_takes_both_families)
{
    need_ipv6();
    sk_handle l = tcp_listener(SK_INET, 4), s = MADE(sk_socket(SK_INET6, SK_STREAM, 0));
    RESOLVER_GIVES("::1", "127.0.0.1");
    CHECK_OK(sk_connect(s, "h", port_of(l)));
    CHECK_EQ(resolver.family, AF_UNSPEC);
    sk_handle four = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(four, "h", port_of(l)));
    CHECK_EQ(resolver.family, AF_INET);
}

CASE(limit_zero_connects_to_no_name)
{
    RESOLVER_GIVES("127.0.0.1");
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_set_timeout(s, 0));
    CHECK_FAILS(sk_connect(s, "h", 9), SK_EAGAIN);
    CHECK_EQ(resolver_seen(&resolver.calls), 0);
}
