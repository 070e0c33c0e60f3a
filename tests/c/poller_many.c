/* 10,000 connections in one process on one poller. */
#include "poller.h"

#include <arpa/inet.h>
#include <sys/prctl.h>

enum { CONNECTIONS = 10000, SPARE = 100, ROUNDS = 3 };

static void must(int good, const char *what)
{
    if (!good) FAIL("%s: %s", what, strerror(errno));
}
static void tell(int to, int32_t n) { must(write(to, &n, sizeof n) == sizeof n, "write"); }
static int32_t hear(int from)
{
    int32_t n = 0;
    must(read(from, &n, sizeof n) == sizeof n, "read");
    return n;
}

/* The other ends, on raw calls in a process of their own: told a port it connects and sends a byte on each
 * connection; told 0 it ends them without a trace (no TIME_WAIT, so that ports do not run out); -1: over. */
static void far_ends(int from, int to)
{
    static int fd[CONNECTIONS];
    for (int32_t port; (port = hear(from)) > 0;) {
        struct sockaddr_in a;
        struct linger reset = {1, 0};
        memset(&a, 0, sizeof a);
        a.sin_family = AF_INET;
        a.sin_port = htons((uint16_t)port);
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        for (int i = 0; i < CONNECTIONS; i++) {
            fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            must(fd[i] >= 0, "socket");
            must(connect(fd[i], (struct sockaddr *)&a, sizeof a) == 0, "connect");
            must(setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0, "SO_LINGER");
            must(send(fd[i], "x", 1, MSG_NOSIGNAL) == 1, "send");
        }
        must(hear(from) == 0, "the end of a round");
        for (int i = 0; i < CONNECTIONS; i++) close(fd[i]);
        tell(to, 0);
    }
    _exit(0);
}

/* Memory of our own: pages of programs and libraries come and go as the kernel likes. Exact, unlike
 * VmRSS, which the system counts for each processor apart. */
static long resident_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen("/proc/self/smaps_rollup", "re");
    if (f == NULL) f = fopen("/proc/self/status", "re");
    CHECK(f != NULL);
    while (kib < 0 && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "Anonymous: %ld kB", &kib) != 1 && sscanf(line, "RssAnon: %ld kB", &kib) != 1) kib = -1;
    }
    fclose(f);
    CHECK_GT(kib, 0);
    return kib;
}

static sk_handle accepted[CONNECTIONS];
static unsigned char heard[CONNECTIONS];

static void serve_all(sk_handle p, sk_handle l)
{
    sk_event e[64];
    int connections = 0, bytes = 0;
    memset(heard, 0, sizeof heard);
    while (bytes < CONNECTIONS) {
        int64_t n = sk_poller_wait(p, e, 64, 30000);
        CHECK_GT(n, 0);
        for (int64_t i = 0; i < n; i++) {
            char b[4];
            if (e[i].handle == l) {
                sk_handle s = MADE(sk_accept(l, NULL));
                CHECK_OK(sk_poller_add(p, s, SK_READABLE, (uint64_t)connections));
                accepted[connections++] = s;
                continue;
            }
            CHECK_LT(e[i].data, CONNECTIONS);
            CHECK_EQ(e[i].handle, accepted[e[i].data]);
            CHECK_GIVES(sk_recv(e[i].handle, b, sizeof b, 0), 1);
            CHECK_EQ(heard[e[i].data]++, 0);
            bytes += 1;
        }
    }
    CHECK_EQ(connections, CONNECTIONS);
    CHECK_GIVES(sk_poller_wait(p, e, 64, 0), 0);
}

CASE_WITHIN(ten_thousand_connections_three_times_over, 100)
{
    struct rlimit limit;
    int there[2], back[2];
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < CONNECTIONS + SPARE) SKIP("at most %llu descriptors here", (unsigned long long)limit.rlim_max);
    limit.rlim_cur = limit.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK(pipe2(there, O_CLOEXEC) == 0 && pipe2(back, O_CLOEXEC) == 0);
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(100);
        far_ends(there[0], back[1]);
    }
    sk_handle p = MADE(sk_poller());
    memset(accepted, 1, sizeof accepted);
    memset(heard, 1, sizeof heard);
    int fds = open_fds();
    long before = resident_kib(), after[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        sk_handle l = tcp_listener(SK_INET, 0);
        CHECK_OK(sk_poller_add(p, l, SK_READABLE, 0));
        tell(there[1], port_of(l));
        serve_all(p, l);
        CHECK_GIVES(sk_open_count(), CONNECTIONS + 2);
        for (int i = 0; i < CONNECTIONS; i++) CHECK_OK(sk_close(accepted[i]));
        CHECK_OK(sk_close(l));
        tell(there[1], 0);
        CHECK_EQ(hear(back[0]), 0);
        quiet(p);
        CHECK_EQ(open_fds(), fds);
        after[round] = resident_kib();
    }
    tell(there[1], -1);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    /* The table's 64 bytes a handle stay once they were used, and stdio and the stack have touched some. */
    if (CHECK_SLOWER == 1) CHECK_LE(after[0] - before, CONNECTIONS * 64 / 1024 + 256); /* a tool has more for each byte */
    for (int round = 1; round < ROUNDS; round++) CHECK_LE(after[round] - after[0], 64);
    printf("resident KiB: %ld before, then %ld, %ld, %ld\n", before, after[0], after[1], after[2]);
}
