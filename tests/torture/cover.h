/* For programs of scenarios that call the whole library, and go on in good order whatever fails:
 *
 *   program --list      prints the names of the scenarios
 *   program NAME        runs one. A failure that the scenario did not ask for ends it, and is told
 *                       in a line "fault: CODE errno N from CALL". Then everything is closed.
 *
 * Exit 0: no handle, descriptor or thread is left, and every result was as it must be, or told.
 */
#ifndef COVER_H
#define COVER_H

#define CHECK_OWN_MAIN
#include "../c/check.h"

/* --- Calls ------------------------------------------------------------------------------------ */

static __thread int stopped; /* this thread's part of the scenario is over */
static __thread int64_t got; /* the result of the last call */

static inline void tell(const char *call, int64_t result, int error)
{
    printf("fault: %s errno %d from %s\n", sk_error_name(result), error, call);
    stopped = 1;
}

/* A result, and whether it is a failure. */
static inline void judge(const char *call, int64_t result, int error)
{
    got = result;
    if (result < 0) tell(call, result, error);
    else if (error != ERRNO_UNTOUCHED) FAIL("%s succeeded, but errno became %d", call, error);
}

/* Runs a statement, and leaves the function if the scenario is over. */
#define DO(statement)                                                                              \
    do {                                                                                           \
        statement;                                                                                 \
        if (stopped) return;                                                                       \
    } while (0)

/* A call that must succeed; its result is in `got`. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        errno = ERRNO_UNTOUCHED;                                                                   \
        int64_t cover_r = (int64_t)(call);                                                         \
        DO(judge(#call, cover_r, errno));                                                          \
    } while (0)

/* A call that must give exactly this. */
#define GIVES(call, value)                                                                         \
    do {                                                                                           \
        TRY(call);                                                                                 \
        if (got != (int64_t)(value)) FAIL("%s is %lld, wanted %s", #call, (long long)got, #value); \
    } while (0)

/* A call that may fail with one of two codes; got < 0 where it did. */
#define MAY2(call, code1, code2)                                                                   \
    do {                                                                                           \
        errno = ERRNO_UNTOUCHED;                                                                   \
        got = (int64_t)(call);                                                                     \
        if (got != (code1) && got != (code2)) DO(judge(#call, got, errno));                        \
    } while (0)
#define MAY(call, code) MAY2(call, code, code)

/* A call that must fail with this code. */
#define FAILS(call, code)                                                                          \
    do {                                                                                           \
        MAY(call, code);                                                                           \
        if (got >= 0) FAIL("%s is %lld, wanted %s", #call, (long long)got, #code);                 \
    } while (0)

/* --- What is left at the end ------------------------------------------------------------------- */

static sk_handle cover_kept[200];
static size_t cover_kept_count;
static struct thread *cover_threads[8];
static size_t cover_thread_count;

/* Has the handle closed at the end of the scenario, if it is not before. */
static inline sk_handle keep(sk_handle s)
{
    if (s > 0) {
        CHECK_LT(cover_kept_count, sizeof cover_kept / sizeof cover_kept[0]);
        cover_kept[cover_kept_count++] = s;
    }
    return s;
}

/* Starts a thread that is waited for at the end of the scenario, after the handles are closed. */
static inline void start(struct thread *t, void (*run)(void *), void *argument)
{
    memset(t, 0, sizeof *t);
    t->run = run;
    t->argument = argument;
    int error = pthread_create(&t->id, NULL, thread_main, t);
    if (error == EAGAIN) error = ENOMEM; /* no memory, or too many threads */
    if (error != 0) DO(tell("pthread_create", error == ENOMEM ? SK_ENOMEM : SK_EOTHER, error));
    cover_threads[cover_thread_count++] = t;
    wait_until_asleep(t);
}

static inline int threads_now(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    CHECK(d != NULL);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static inline void close_kept(void)
{
    while (cover_kept_count > 0) {
        int r = sk_close(cover_kept[--cover_kept_count]);
        if (r != SK_OK && r != SK_EBADHANDLE) FAIL("sk_close is %s", sk_error_name(r));
    }
    while (cover_thread_count > 0) thread_join(cover_threads[--cover_thread_count]);
}

/* --- Scenarios ----------------------------------------------------------------------------------- */

static const char *const kind_names[PAIR_KINDS] = {
    "tcp4", "tcp6", "udp4", "udp6", "unix-stream", "unix-dgram", "unix-seqpacket",
};
enum {
    TCP = 1 << PAIR_TCP4 | 1 << PAIR_TCP6,
    UDP = 1 << PAIR_UDP4 | 1 << PAIR_UDP6,
    UNIX = 1 << PAIR_UNIX_STREAM | 1 << PAIR_UNIX_DGRAM | 1 << PAIR_UNIX_SEQPACKET,
    STREAMS = TCP | 1 << PAIR_UNIX_STREAM,
    DATAGRAMS = UDP | 1 << PAIR_UNIX_DGRAM,
    CONNECTED = STREAMS | 1 << PAIR_UNIX_SEQPACKET, /* with a listener */
    EACH = TCP | UDP | UNIX,
    IPV6 = 1 << PAIR_TCP6 | 1 << PAIR_UDP6,
    ONCE = 0 /* not for kinds of sockets */
};

struct scenario {
    const char *name;
    void (*run)(int kind);
    int kinds;
};

static inline int family_of(int kind)
{
    return 1 << kind & IPV6 ? SK_INET6 : 1 << kind & UNIX ? SK_UNIX : SK_INET;
}
static inline int type_of(int kind)
{
    return 1 << kind & STREAMS ? SK_STREAM : 1 << kind & DATAGRAMS ? SK_DGRAM : SK_SEQPACKET;
}

/* A socket with an address of its own; a listener where the kind has those. */
static inline void make_bound(int kind, sk_handle *out, sk_addr *address)
{
    TRY(keep(*out = sk_socket(family_of(kind), type_of(kind), 0)));
    TRY(sk_bind(*out, 1 << kind & UNIX ? NULL : loopback(family_of(kind)), 0));
    if (1 << kind & CONNECTED) TRY(sk_listen(*out, 4));
    TRY(sk_local_addr(*out, address));
}

/* Two sockets that are connected to each other. */
static inline void make_pair(int kind, sk_handle out[2])
{
    sk_addr address;
    if (1 << kind & UNIX) {
        TRY(sk_socketpair(type_of(kind), out));
        keep(out[0]);
        keep(out[1]);
    } else if (1 << kind & TCP) {
        sk_handle listener;
        DO(make_bound(kind, &listener, &address));
        TRY(keep(out[0] = sk_socket(family_of(kind), SK_STREAM, 0)));
        TRY(sk_connect_addr(out[0], &address));
        TRY(keep(out[1] = sk_accept(listener, NULL)));
        TRY(sk_close(listener));
    } else {
        DO(make_bound(kind, &out[0], &address));
        DO(make_bound(kind, &out[1], &address));
        TRY(sk_connect_addr(out[0], &address));
        TRY(sk_local_addr(out[0], &address));
        TRY(sk_connect_addr(out[1], &address));
    }
}

/* Sends a few bytes by one call and receives them by others. A stream may take less. */
static inline void pass(int kind, sk_handle from, sk_handle to, int flags)
{
    char heard[8];
    int64_t sent, received = 0;
    TRY(sk_send(from, "hello", 5, flags));
    sent = got;
    while (received < sent) {
        TRY(sk_recv(to, heard + received, sizeof heard - (size_t)received, 0));
        CHECK_GT(got, 0);
        received += got;
    }
    CHECK(received == sent && sent <= 5 && memcmp(heard, "hello", (size_t)sent) == 0);
    if (!(1 << kind & STREAMS)) CHECK_EQ(sent, 5);
}

static inline int has_ipv6(void)
{
    struct sockaddr_in6 a;
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), has;
    memset(&a, 0, sizeof a);
    a.sin6_family = AF_INET6;
    a.sin6_addr = in6addr_loopback;
    has = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return has;
}

/* --- Running ----------------------------------------------------------------------------------------- */

static inline int cover_run(const struct scenario *scenario, int kind)
{
    int fds = open_fds();
    scenario->run(kind);
    close_kept();
    CHECK_EQ(sk_open_count(), 0);
    CHECK_EQ(open_fds(), fds);
    while (threads_now() > 1) sched_yield(); /* one that still looks a name up */
    return 0;
}

static inline int cover_main(int argc, char **argv, const struct scenario *scenarios, size_t count)
{
    const char *wanted = argc == 2 ? argv[1] : "";
    int list = strcmp(wanted, "--list") == 0;
    int kinds = list && !has_ipv6() ? EACH & ~IPV6 : EACH;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    for (size_t i = 0; i < count; i++) {
        for (int kind = 0; kind < PAIR_KINDS; kind++) {
            char name[64];
            if (scenarios[i].kinds != ONCE && !(scenarios[i].kinds & kinds & 1 << kind)) continue;
            snprintf(name, sizeof name, "%s%s%s", scenarios[i].name, scenarios[i].kinds == ONCE ? "" : "/",
                     scenarios[i].kinds == ONCE ? "" : kind_names[kind]);
            if (list) puts(name);
            else if (strcmp(wanted, name) == 0) return cover_run(&scenarios[i], kind);
            if (scenarios[i].kinds == ONCE) break;
        }
    }
    if (list) return 0;
    fprintf(stderr, "usage: %s --list | SCENARIO\n", argv[0]);
    return 2;
}

#define SCENARIOS(...)                                                                             \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const struct scenario scenarios[] = {__VA_ARGS__};                                  \
        return cover_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);          \
    }

#endif
