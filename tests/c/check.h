/* A tiny harness: each file is one program of many small cases, each run in a process of its own.
 *
 *   CASE(name) { ... }         registers a case; it passes by returning
 *   program --list             prints the names
 *   program NAME               runs one case: exit 0 passed, 1 failed, 77 skipped (the reason is printed)
 *
 * A failed check ends the whole process, from any thread, so nothing runs on in a wrong state.
 */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sk.h"

/* --- Cases --------------------------------------------------------------------------------- */

typedef void (*check_body)(void);
struct check_case {
    const char *name;
    check_body body;
    unsigned limit; /* seconds */
};
static struct check_case check_cases[400];
static size_t check_count;
static const char *check_running = "?";
static const char *check_program; /* argv[0], for cases that run this program again */

static inline void check_add(const char *name, check_body body, unsigned limit)
{
    if (check_count == sizeof check_cases / sizeof check_cases[0]) {
        fprintf(stderr, "too many cases\n");
        _exit(1);
    }
    check_cases[check_count].name = name;
    check_cases[check_count].body = body;
    check_cases[check_count].limit = limit;
    check_count += 1;
}

#define CASE_WITHIN(name, seconds)                                                                 \
    static void case_##name(void);                                                                 \
    __attribute__((constructor)) static void add_##name(void)                                      \
    {                                                                                              \
        check_add(#name, case_##name, seconds);                                                    \
    }                                                                                              \
    static void case_##name(void)
#define CASE(name) CASE_WITHIN(name, 20)

/* With CHECK_SANITIZED a sanitizer's runtime is in the program.
 * How many times slower than usual the programs run, under a tool that looks at each step. */
#ifndef CHECK_SLOWER
#define CHECK_SLOWER 1
#endif

/* --- Checks -------------------------------------------------------------------------------- */

__attribute__((noreturn)) static inline void check_end(int status)
{
    fflush(stdout);
    fflush(stderr);
    _exit(status);
}

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                            \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        check_end(1);                                                                              \
    } while (0)

#define SKIP(...)                                                                                  \
    do {                                                                                           \
        printf(__VA_ARGS__);                                                                       \
        putchar('\n');                                                                             \
        check_end(77);                                                                             \
    } while (0)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) FAIL("not true: %s", #condition);                                        \
    } while (0)

static inline const char *check_name_of(long long value)
{
    return value < 0 ? sk_error_name((int64_t)value) : "";
}

#define CHECK_COMPARE(a, op, b)                                                                    \
    do {                                                                                           \
        long long check_a = (long long)(a);                                                        \
        long long check_b = (long long)(b);                                                        \
        if (!(check_a op check_b))                                                                 \
            FAIL("%s is %lld %s, wanted %s %s (%lld %s), errno %d", #a, check_a,                   \
                 check_name_of(check_a), #op, #b, check_b, check_name_of(check_b), errno);         \
    } while (0)
#define CHECK_EQ(a, b) CHECK_COMPARE(a, ==, b)
#define CHECK_NE(a, b) CHECK_COMPARE(a, !=, b)
#define CHECK_GE(a, b) CHECK_COMPARE(a, >=, b)
#define CHECK_LE(a, b) CHECK_COMPARE(a, <=, b)
#define CHECK_GT(a, b) CHECK_COMPARE(a, >, b)
#define CHECK_LT(a, b) CHECK_COMPARE(a, <, b)

#define CHECK_TEXT(a, b)                                                                           \
    do {                                                                                           \
        const char *check_s = (a);                                                                 \
        const char *check_t = (b);                                                                 \
        if (strcmp(check_s, check_t) != 0)                                                         \
            FAIL("%s is \"%s\", wanted \"%s\"", #a, check_s, check_t);                             \
    } while (0)

/* The errno that goes with a code where the system was not asked, or answers by the same name. */
static inline int check_errno_of(long long code)
{
    switch (code) {
    case SK_EBADHANDLE: return EBADF;
    case SK_ECLOSED: return ECANCELED;
    case SK_EEOF: return ENODATA;
    case SK_EINVAL:
    case SK_EADDRFORMAT: return EINVAL;
    case SK_EAGAIN:
    case SK_ERESOLVE: return EAGAIN;
    case SK_ETIMEDOUT: return ETIMEDOUT;
    case SK_EINPROGRESS: return EINPROGRESS;
    case SK_ECONNREFUSED: return ECONNREFUSED;
    case SK_ECONNRESET: return ECONNRESET;
    case SK_ECONNABORTED: return ECONNABORTED;
    case SK_EPIPE: return EPIPE;
    case SK_ENOTCONN: return ENOTCONN;
    case SK_EISCONN: return EISCONN;
    case SK_EALREADY: return EALREADY;
    case SK_EADDRINUSE: return EADDRINUSE;
    case SK_EADDRNOTAVAIL: return EADDRNOTAVAIL;
    case SK_ENETUNREACH: return ENETUNREACH;
    case SK_EHOSTUNREACH: return EHOSTUNREACH;
    case SK_ENETDOWN: return ENETDOWN;
    case SK_EMSGSIZE: return EMSGSIZE;
    case SK_EDESTADDRREQ: return EDESTADDRREQ;
    case SK_EAFNOSUPPORT: return EAFNOSUPPORT;
    case SK_EPROTONOSUPPORT: return EPROTONOSUPPORT;
    case SK_EOPNOTSUPP: return EOPNOTSUPP;
    case SK_ENOPROTOOPT: return ENOPROTOOPT;
    case SK_EACCES: return EACCES;
    case SK_EMFILE: return EMFILE;
    case SK_ENFILE: return ENFILE;
    case SK_ENOBUFS: return ENOBUFS;
    case SK_ENOMEM: return ENOMEM;
    case SK_EHOSTNOTFOUND:
    case SK_ENOENT: return ENOENT;
    case SK_EEXIST: return EEXIST;
    case SK_ENOTSOCK: return ENOTSOCK;
    case SK_ENAMETOOLONG: return ENAMETOOLONG;
    case SK_EBUSY: return EBUSY;
    case SK_ENOSYS: return ENOSYS;
    case SK_EINTERNAL: return EIO;
    default: return -1;
    }
}

enum { ERRNO_UNTOUCHED = 7777 };

/* The call fails with this code and sets errno accordingly. */
#define CHECK_FAILS(call, code)                                                                    \
    do {                                                                                           \
        errno = ERRNO_UNTOUCHED;                                                                   \
        long long check_r = (long long)(call);                                                     \
        int check_e = errno;                                                                       \
        if (check_r != (long long)(code))                                                          \
            FAIL("%s is %lld %s, wanted %s (errno %d)", #call, check_r, check_name_of(check_r),    \
                 #code, check_e);                                                                  \
        if (check_e != check_errno_of((long long)(code)))                                          \
            FAIL("%s fails with %s, but errno is %d instead of %d", #call, #code, check_e,         \
                 check_errno_of((long long)(code)));                                               \
    } while (0)

/* The call gives exactly this (>= 0) and leaves errno alone. */
#define CHECK_GIVES(call, value)                                                                   \
    do {                                                                                           \
        errno = ERRNO_UNTOUCHED;                                                                   \
        long long check_r = (long long)(call);                                                     \
        int check_e = errno;                                                                       \
        long long check_v = (long long)(value);                                                    \
        if (check_r != check_v)                                                                    \
            FAIL("%s is %lld %s, wanted %s (%lld), errno %d", #call, check_r,                      \
                 check_name_of(check_r), #value, check_v, check_e);                                \
        if (check_e != ERRNO_UNTOUCHED)                                                            \
            FAIL("%s succeeded, but errno became %d", #call, check_e);                             \
    } while (0)
#define CHECK_OK(call) CHECK_GIVES(call, SK_OK)

static inline sk_handle check_made(sk_handle h, const char *text, const char *file, int line)
{
    int error = errno; /* not an argument: that might be taken before the call */
    if (h <= 0) {
        fprintf(stderr, "%s:%d: %s is %lld %s, wanted a handle, errno %d\n", file, line, text,
                (long long)h, check_name_of(h), error);
        check_end(1);
    }
    if (error != ERRNO_UNTOUCHED) {
        fprintf(stderr, "%s:%d: %s succeeded, but errno became %d\n", file, line, text, error);
        check_end(1);
    }
    return h;
}

/* The handle that the call makes; anything else ends the case. */
#define MADE(call) (errno = ERRNO_UNTOUCHED, check_made((call), #call, __FILE__, __LINE__))

/* --- Time and threads ---------------------------------------------------------------------- */

static inline int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline int my_tid(void)
{
    return (int)syscall(SYS_gettid);
}

/* A thread that runs one function. `tid` is set as the last thing before it runs. */
struct thread {
    pthread_t id;
    void (*run)(void *);
    void *argument;
    int tid;
    int64_t ended_us;
};

static inline void *thread_main(void *t)
{
    struct thread *self = t;
    __atomic_store_n(&self->tid, my_tid(), __ATOMIC_SEQ_CST);
    self->run(self->argument);
    __atomic_store_n(&self->ended_us, now_us(), __ATOMIC_SEQ_CST);
    return NULL;
}

static inline void thread_start(struct thread *t, void (*run)(void *), void *argument)
{
    memset(t, 0, sizeof *t);
    t->run = run;
    t->argument = argument;
    CHECK_EQ(pthread_create(&t->id, NULL, thread_main, t), 0);
}

static inline void thread_join(struct thread *t)
{
    CHECK_EQ(pthread_join(t->id, NULL), 0);
}

/* Under an emulator tests/cross/run.py says so, and the machine's own number of futex(2). */
#ifndef CHECK_EMULATED
#define CHECK_EMULATED 0
#define CHECK_FUTEX SYS_futex
#endif

/* Is this thread of ours asleep in a system call (other than a lock's)? */
static inline int is_asleep(int tid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *f = fopen(path, "re");
    if (f == NULL) return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *p = strrchr(text, ')');
    if (p == NULL || p[1] == '\0' || p[2] != 'S') return 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    f = fopen(path, "re");
    if (f == NULL) return 1;
    long number = -1;
    int fields = fscanf(f, "%ld", &number);
    fclose(f);
    return fields == 1 && number >= 0 && number != CHECK_FUTEX;
}

/* Returns once the thread is asleep in the kernel, or has ended (then false). */
static inline int wait_until_asleep(struct thread *t)
{
    for (;;) {
        int tid = __atomic_load_n(&t->tid, __ATOMIC_SEQ_CST);
        if (tid != 0) {
            char path[64];
            snprintf(path, sizeof path, "/proc/self/task/%d", tid);
            if (access(path, F_OK) != 0) return 0;
            if (is_asleep(tid)) return 1;
        }
        sched_yield();
    }
}

/* --- Counting ------------------------------------------------------------------------------ */

/* Open descriptors of this process. */
static inline int open_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    CHECK(d != NULL);
    while (readdir(d) != NULL) n += 1;
    closedir(d);
    return n - 3; /* ".", ".." and the folder itself */
}

static int check_tools_threads;

/* Threads of this process, without those of a tool that it runs under; an emulator has one. */
static inline int count_threads(void)
{
    int n = -CHECK_EMULATED;
    DIR *d = opendir("/proc/self/task");
    CHECK(d != NULL);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) n += e->d_name[0] != '.';
    closedir(d);
    return n - check_tools_threads;
}

static inline void check_nothing(void *unused)
{
    (void)unused;
}

/* A sanitizer may start a thread of its own with the program's first one. */
static inline void check_count_tools_threads(void)
{
    struct thread t;
    thread_start(&t, check_nothing, NULL);
    thread_join(&t);
    while (wait_until_asleep(&t)) sched_yield();
    check_tools_threads = count_threads() - 1;
}

/* Is this a descriptor of ours, whatever it is? */
static inline int is_open_fd(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

/* --- Sockets ------------------------------------------------------------------------------- */

static inline const char *loopback(int family)
{
    return family == SK_INET6 ? "::1" : "127.0.0.1";
}

static inline uint16_t port_of(sk_handle s)
{
    sk_addr a;
    CHECK_EQ(sk_local_addr(s, &a), SK_OK);
    return a.port;
}

/* A listener on a free loopback port. */
static inline sk_handle tcp_listener(int family, int backlog)
{
    sk_handle s = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_bind(s, loopback(family), 0));
    CHECK_OK(sk_listen(s, backlog));
    return s;
}

static inline void tcp_pair(int family, sk_handle out[2])
{
    sk_handle l = tcp_listener(family, 1);
    out[0] = MADE(sk_socket(family, SK_STREAM, 0));
    CHECK_OK(sk_connect(out[0], loopback(family), port_of(l)));
    out[1] = MADE(sk_accept(l, NULL));
    CHECK_OK(sk_close(l));
}

/* A bound datagram socket on loopback. */
static inline sk_handle udp_bound(int family)
{
    sk_handle s = MADE(sk_socket(family, SK_DGRAM, 0));
    CHECK_OK(sk_bind(s, loopback(family), 0));
    return s;
}

/* Two datagram sockets connected to each other. */
static inline void udp_pair(int family, sk_handle out[2])
{
    out[0] = udp_bound(family);
    out[1] = udp_bound(family);
    CHECK_OK(sk_connect(out[0], loopback(family), port_of(out[1])));
    CHECK_OK(sk_connect(out[1], loopback(family), port_of(out[0])));
}

/* A Unix socket bound to a free abstract name; a listener unless a datagram socket. */
static inline sk_handle unix_bound(int type, int backlog, sk_addr *name)
{
    sk_handle s = MADE(sk_socket(SK_UNIX, type, 0));
    CHECK_OK(sk_bind(s, NULL, 0));
    if (type != SK_DGRAM) CHECK_OK(sk_listen(s, backlog));
    CHECK_OK(sk_local_addr(s, name));
    return s;
}

static inline void unix_pair(int type, sk_handle out[2])
{
    CHECK_OK(sk_socketpair(type, out));
}

/* A connected pair of each kind, for cases that hold for all. */
enum pair_kind {
    PAIR_TCP4,
    PAIR_TCP6,
    PAIR_UDP4,
    PAIR_UDP6,
    PAIR_UNIX_STREAM,
    PAIR_UNIX_DGRAM,
    PAIR_UNIX_SEQPACKET,
    PAIR_KINDS
};
static inline void any_pair(int kind, sk_handle out[2])
{
    switch (kind) {
    case PAIR_TCP4: tcp_pair(SK_INET, out); break;
    case PAIR_TCP6: tcp_pair(SK_INET6, out); break;
    case PAIR_UDP4: udp_pair(SK_INET, out); break;
    case PAIR_UDP6: udp_pair(SK_INET6, out); break;
    case PAIR_UNIX_STREAM: unix_pair(SK_STREAM, out); break;
    case PAIR_UNIX_DGRAM: unix_pair(SK_DGRAM, out); break;
    default: unix_pair(SK_SEQPACKET, out); break;
    }
}
static inline int is_stream_pair(int kind)
{
    return kind == PAIR_TCP4 || kind == PAIR_TCP6 || kind == PAIR_UNIX_STREAM;
}

static inline void close_pair(sk_handle p[2])
{
    CHECK_OK(sk_close(p[0]));
    CHECK_OK(sk_close(p[1]));
}

/* Fills what the system will queue in this direction, so that the next send, even of one byte, has to
 * wait. On TCP the receiver's side takes some more when it is probed, after 40 and 200 ms. */
static inline void fill(sk_handle s)
{
    static char block[65536];
    int64_t type = 0, family = 0;
    CHECK_OK(sk_get_option(s, SK_OPT_TYPE, &type));
    CHECK_OK(sk_get_option(s, SK_OPT_FAMILY, &family));
    size_t most = type == SK_STREAM ? sizeof block : 1, len = most;
    for (int settled = 0;;) {
        int64_t n = sk_send(s, block, len, SK_DONTWAIT);
        if (n >= 0) {
            if (settled) len = most;
            settled = 0;
        } else {
            CHECK_EQ(n, SK_EAGAIN);
            if (len == 1 && (family == SK_UNIX || settled)) return;
            settled = len == 1 && sk_wait(s, SK_PRIORITY, 300) == 0;
            len = 1;
        }
    }
}

/* The host's family may be missing in a container. */
static inline void need_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 a;
    memset(&a, 0, sizeof a);
    a.sin6_family = AF_INET6;
    a.sin6_addr = in6addr_loopback;
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0) SKIP("this machine has no IPv6 loopback");
    close(fd);
}

/* A new folder for socket files; remove it with `remove_folder`. */
static inline char *make_folder(void)
{
    char *path = strdup("/tmp/sk-test-XXXXXX");
    CHECK(path != NULL && mkdtemp(path) != NULL);
    return path;
}
static inline void remove_folder(char *path)
{
    DIR *d = opendir(path);
    CHECK(d != NULL);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (e->d_name[0] != '.') CHECK_EQ(unlinkat(dirfd(d), e->d_name, 0), 0);
    }
    closedir(d);
    CHECK_EQ(rmdir(path), 0);
    free(path);
}

/* Runs the function in a forked child; the child passes by returning. */
static inline void in_child(void (*run)(void *), void *argument)
{
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(15 * CHECK_SLOWER);
        check_tools_threads = 0;
        run(argument);
        check_end(0);
    }
    int status = 0;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (status != 0) FAIL("the child ended with status 0x%x", (unsigned)status);
}

/* --- Running ------------------------------------------------------------------------------- */

/* Says where each thread is stuck, then ends. Only async-signal-safe calls. */
static inline void check_too_late(int signal_number)
{
    static const char text[] = "time limit reached; the threads are in (syscall number first):\n";
    (void)signal_number;
    if (write(2, text, sizeof text - 1) < 0) _exit(1);
    union { /* opendir would allocate */
        struct dirent64 align;
        char bytes[8192];
    } list;
    int dir = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long len = dir < 0 ? 0 : syscall(SYS_getdents64, dir, &list, sizeof list);
    for (long at = 0; at < len;) {
        const struct dirent64 *e = (const struct dirent64 *)(const void *)(list.bytes + at);
        char path[300], line[300];
        at += e->d_reclen;
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/syscall", e->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line);
        if (fd >= 0) close(fd);
        if (n > 0 && write(2, line, (size_t)n) < 0) break;
    }
    _exit(1);
}

static inline int check_main(int argc, char **argv)
{
    check_program = argv[0];
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < check_count; i++) puts(check_cases[i].name);
        return 0;
    }
    for (size_t i = 0; argc >= 2 && i < check_count; i++) {
        if (strcmp(argv[1], check_cases[i].name) != 0) continue;
        check_running = check_cases[i].name;
        signal(SIGALRM, check_too_late);
        alarm(check_cases[i].limit * CHECK_SLOWER);
#ifdef CHECK_SANITIZED
        check_count_tools_threads();
#endif
        check_cases[i].body();
        fflush(NULL);
        return 0;
    }
    fprintf(stderr, "usage: %s --list | CASE\n", argv[0]);
    return 2;
}

#ifndef CHECK_OWN_MAIN
int main(int argc, char **argv)
{
    return check_main(argc, argv);
}
#endif
#endif
