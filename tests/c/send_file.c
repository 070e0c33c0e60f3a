/* sk_send_file. */
#include "check.h"

#include <sys/mman.h>

static const int streams[] = {PAIR_TCP4, PAIR_TCP6, PAIR_UNIX_STREAM};
enum { STREAMS = 3, LEN = 300000 };
static char content[LEN], got[LEN + 1];

/* A file without a name, for reading and writing. */
static int file_of(size_t len)
{
    int fd = memfd_create("sk-test", MFD_CLOEXEC);
    CHECK(fd >= 0);
    for (size_t i = 0; i < LEN; i++) content[i] = (char)(i * 7 + i / 256);
    CHECK_EQ(pwrite(fd, content, len, 0), len);
    return fd;
}
static void pair_of(int kind, sk_handle p[2])
{
    if (kind == PAIR_TCP6) need_ipv6();
    any_pair(kind, p);
}

struct reader {
    sk_handle s;
    size_t want, got;
};
static void read_on(void *argument)
{
    struct reader *r = argument;
    CHECK_EQ(sk_recv_all(r->s, got, r->want, &r->got), SK_OK);
}
static void sends(sk_handle p[2], int file, int64_t offset, int64_t count, size_t len)
{
    struct thread t;
    struct reader r = {p[1], len, 0};
    memset(got, 0, sizeof got);
    thread_start(&t, read_on, &r);
    CHECK_GIVES(sk_send_file(p[0], file, offset, count), len);
    thread_join(&t);
    CHECK_EQ(r.got, len);
    CHECK_FAILS(sk_recv(p[1], got + len, 1, SK_DONTWAIT), SK_EAGAIN);
}

CASE(any_part_of_a_file)
{
    int file = file_of(LEN);
    CHECK_EQ(lseek(file, 5, SEEK_SET), 5);
    for (int k = 0; k < STREAMS; k++) {
        static const struct {
            int64_t offset, count;
            size_t len;
        } parts[] = {
            {0, LEN, LEN}, {0, -1, LEN}, {0, 1, 1}, {7, 100000, 100000}, {LEN - 1, 1, 1}, {LEN - 3, -1, 3},
            {LEN - 3, 10, 3}, {100, INT64_MAX, LEN - 100}, {1, 0, 0}, {LEN, 5, 0}, {LEN + 5, -1, 0},
            {INT64_MAX, -1, 0}, {INT64_MAX, INT64_MAX, 0}, {INT64_MAX - 1, 1, 0}, {(int64_t)1 << 40, 1, 0},
        };
        sk_handle p[2];
        pair_of(streams[k], p);
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            sends(p, file, parts[i].offset, parts[i].count, parts[i].len);
            if (parts[i].len > 0) CHECK(memcmp(got, content + parts[i].offset, parts[i].len) == 0);
        }
        close_pair(p);
    }
    CHECK_EQ(lseek(file, 0, SEEK_CUR), 5); /* neither used nor moved */
}

/* Offsets that do not fit in 32 bits: a file of 6 GB, mostly holes. */
CASE(beyond_4_gib)
{
    int file = file_of(0);
    sk_handle p[2];
    int64_t far = 6000000000;
    if (pwrite(file, "far away", 8, far) != 8) SKIP("no such large file: %s", strerror(errno));
    tcp_pair(SK_INET, p);
    sends(p, file, far + 4, -1, 4);
    CHECK(memcmp(got, "away", 4) == 0);
    sends(p, file, far - 10, 14, 14);
    CHECK(memcmp(got + 10, "far ", 4) == 0);
    close_pair(p);
}

/* More than one sendfile(2) moves. */
static void drop_all(void *argument)
{
    static char room[1 << 20];
    struct reader *r = argument;
    int64_t n;
    while ((n = sk_recv(r->s, room, sizeof room, 0)) > 0) r->got += (size_t)n;
    CHECK_EQ(n, 0);
}
CASE_WITHIN(more_than_2_gib, 120)
{
    sk_handle p[2];
    struct thread t;
    int64_t len = 2200000000;
    char name[] = "/tmp/sk-test-XXXXXX";
    int sparse = mkstemp(name);
    CHECK(sparse >= 0 && unlink(name) == 0);
    if (ftruncate(sparse, len) != 0) SKIP("no such large file: %s", strerror(errno));
    unix_pair(SK_STREAM, p);
    struct reader r = {p[1], 0, 0};
    thread_start(&t, drop_all, &r);
    CHECK_GIVES(sk_send_file(p[0], sparse, 0, -1), len);
    CHECK_OK(sk_close(p[0]));
    thread_join(&t);
    CHECK_EQ((int64_t)r.got, len);
    CHECK_OK(sk_close(p[1]));
}

/* What can't be sent uncopied is copied. */
static int sendfile_fails; /* with this */
ssize_t sendfile64(int socket, int file, off_t *offset, size_t count)
{
    if (sendfile_fails != 0) {
        errno = sendfile_fails;
        return -1;
    }
    return (ssize_t)syscall(SYS_sendfile, socket, file, offset, count);
}
CASE(copies_where_the_file_can_not)
{
    static const int reasons[] = {EINVAL, ENOSYS};
    int file = file_of(LEN);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < STREAMS; k++) {
            sk_handle p[2];
            pair_of(streams[k], p);
            sendfile_fails = reasons[i];
            sends(p, file, 3, LEN - 5, LEN - 5);
            CHECK(memcmp(got, content + 3, LEN - 5) == 0);
            sends(p, file, LEN - 2, -1, 2);
            CHECK_OK(sk_set_timeout(p[0], 15000));
            sends(p, file, 0, -1, LEN);
            CHECK(memcmp(got, content, LEN) == 0);
            CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
            CHECK_FAILS(sk_send_file(p[0], file, 0, -1), SK_EPIPE);
            close_pair(p);
        }
    }
}

CASE(files_without_a_size)
{
    static const char *const names[] = {"/proc/self/limits", "/proc/version"};
    for (int i = 0; i < 2; i++) {
        sk_handle p[2];
        int file = open(names[i], O_RDONLY | O_CLOEXEC);
        CHECK(file >= 0);
        ssize_t len = pread(file, content, LEN, 0);
        CHECK_GT(len, 0);
        unix_pair(SK_STREAM, p);
        CHECK_GIVES(sk_send_file(p[0], file, 0, -1), len);
        CHECK_GIVES(sk_recv(p[1], got, LEN, 0), len);
        CHECK(memcmp(got, content, (size_t)len) == 0);
        close_pair(p);
    }
}

/* --- Bad input ------------------------------------------------------------------------------ */

/* The code, and an errno that tells which fault the file has. */
#define CHECK_FILE_FAULT(call, wanted)                                                             \
    do {                                                                                           \
        CHECK_EQ(call, SK_EINVAL);                                                                 \
        CHECK_EQ(errno, wanted);                                                                   \
    } while (0)

CASE(bad_input_is_answered)
{
    int file = file_of(10), ends[2], folder = open("/tmp", O_RDONLY | O_CLOEXEC);
    sk_handle p[2], closed = MADE(sk_socket(SK_INET, SK_STREAM, 0)), poller = MADE(sk_poller());
    CHECK_OK(sk_close(closed));
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK_EQ(write(ends[1], "in a pipe", 9), 9);
    CHECK_FAILS(sk_send_file(closed, -1, -1, -2), SK_EBADHANDLE);
    CHECK_FAILS(sk_send_file(poller, -1, -1, -2), SK_EOPNOTSUPP);
    for (int k = 0; k < PAIR_KINDS; k++) {
        if (is_stream_pair(k)) continue;
        if (k == PAIR_UDP6) need_ipv6();
        any_pair(k, p);
        CHECK_FAILS(sk_send_file(p[0], -1, -1, -2), SK_EOPNOTSUPP);
        close_pair(p);
    }
    for (int k = 0; k < STREAMS; k++) {
        pair_of(streams[k], p);
        CHECK_FAILS(sk_send_file(p[0], file, -1, 1), SK_EINVAL);
        CHECK_FAILS(sk_send_file(p[0], file, INT64_MIN, -1), SK_EINVAL);
        CHECK_FAILS(sk_send_file(p[0], file, 0, -2), SK_EINVAL);
        CHECK_FAILS(sk_send_file(p[0], file, 0, INT64_MIN), SK_EINVAL);
        /* A bad file does not look like a bad handle. */
        CHECK_FILE_FAULT(sk_send_file(p[0], -1, 0, 1), EBADF);
        CHECK_FILE_FAULT(sk_send_file(p[0], 9999, 0, -1), EBADF);
        CHECK_FILE_FAULT(sk_send_file(p[0], 9999, 0, 0), EBADF);
        CHECK_FILE_FAULT(sk_send_file(p[0], ends[1], 0, 1), EBADF); /* not for reading */
        CHECK_FILE_FAULT(sk_send_file(p[0], ends[0], 0, 1), ESPIPE);
        CHECK_FILE_FAULT(sk_send_file(p[0], folder, 0, 1), EISDIR);
        CHECK_FAILS(sk_recv(p[1], got, 1, SK_DONTWAIT), SK_EAGAIN); /* nothing was sent */
        CHECK_GIVES(sk_send_file(p[0], file, 0, -1), 10);           /* and no error stays behind */
        close_pair(p);
    }
    char in_pipe[9];
    CHECK_EQ(read(ends[0], in_pipe, 9), 9); /* nothing was taken */
    sk_handle alone = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    int64_t n = sk_send_file(alone, file, 0, -1);
    if (n != SK_EPIPE && n != SK_ENOTCONN) FAIL("%lld %s", (long long)n, sk_error_name(n));
}

/* --- Waiting -------------------------------------------------------------------------------- */

struct blocked {
    sk_handle s;
    int file;
    int64_t result;
    int error;
};
static void send_much(void *argument)
{
    struct blocked *x = argument;
    errno = ERRNO_UNTOUCHED;
    x->result = sk_send_file(x->s, x->file, 0, -1);
    x->error = errno;
}
/* More than any buffer holds. */
static int long_file(void)
{
    int fd = memfd_create("sk-test", MFD_CLOEXEC);
    CHECK(fd >= 0 && ftruncate(fd, 64 << 20) == 0);
    return fd;
}

CASE(limits_hold_over_the_whole)
{
    int file = long_file();
    for (int k = 0; k < STREAMS; k++) {
        sk_handle p[2];
        pair_of(streams[k], p);
        CHECK_OK(sk_set_timeout(p[0], 0));
        int64_t first = sk_send_file(p[0], file, 0, -1);
        CHECK_GT(first, 0);
        CHECK_LT(first, 64 << 20);
        CHECK_OK(sk_close(p[0]));
        int64_t total = 0, n;
        while ((n = sk_recv(p[1], got, LEN, 0)) > 0) total += n;
        CHECK_EQ(n, 0);
        CHECK_EQ(total, first); /* what is reported went, and no more */
        CHECK_OK(sk_close(p[1]));
        pair_of(streams[k], p);
        fill(p[0]);
        CHECK_OK(sk_set_timeout(p[0], 0));
        CHECK_FAILS(sk_send_file(p[0], file, 0, -1), SK_EAGAIN);
        CHECK_OK(sk_set_timeout(p[0], 40));
        int64_t start = now_us();
        CHECK_FAILS(sk_send_file(p[0], file, 0, -1), SK_ETIMEDOUT);
        CHECK_GE(now_us() - start, 40000);
        CHECK_LT(now_us() - start, 1500000);
        close_pair(p);
    }
}

CASE(goes_on_whatever_the_limit_was)
{
    int file = file_of(LEN);
    for (int k = 0; k < STREAMS; k++) {
        sk_handle p[2];
        pair_of(streams[k], p);
        CHECK_OK(sk_set_timeout(p[0], 0));
        CHECK_GT(sk_send_file(p[0], file, 0, 1), 0); /* the descriptor is non-blocking now */
        CHECK_GIVES(sk_recv(p[1], got, 1, 0), 1);
        CHECK_OK(sk_set_timeout(p[0], SK_FOREVER));
        sends(p, file, 0, -1, LEN);
        struct thread t;
        struct reader r = {p[1], LEN, 0};
        thread_start(&t, read_on, &r);
        CHECK_OK(sk_send_all(p[0], content, LEN, NULL)); /* nor do others mind */
        thread_join(&t);
        close_pair(p);
    }
}

enum { PLAINLY, LIMITED, SHARED, WAYS };
CASE_WITHIN(close_wakes_it, 60)
{
    int file = long_file();
    for (int k = 0; k < STREAMS; k++) {
        for (int way = 0; way < WAYS; way++) {
            for (int full = 0; full < 2; full++) {
                sk_handle p[2], copy = SK_INVALID_HANDLE;
                struct thread t;
                pair_of(streams[k], p);
                if (full) fill(p[0]);
                if (way == LIMITED) CHECK_OK(sk_set_timeout(p[0], 15000));
                if (way == SHARED) copy = MADE(sk_dup(p[0]));
                struct blocked x = {p[0], file, 0, 0};
                thread_start(&t, send_much, &x);
                CHECK(wait_until_asleep(&t));
                int64_t start = now_us();
                CHECK_OK(sk_close(p[0]));
                thread_join(&t);
                CHECK_LT(t.ended_us - start, 200000);
                /* On TCP a probe may have made a little room. */
                if (full && (x.result < 0 || streams[k] == PAIR_UNIX_STREAM)) {
                    CHECK_EQ(x.result, SK_ECLOSED);
                    CHECK_EQ(x.error, ECANCELED);
                } else {
                    CHECK_GT(x.result, 0);
                    CHECK_LT(x.result, 64 << 20);
                    CHECK_EQ(x.error, ERRNO_UNTOUCHED);
                }
                if (copy != SK_INVALID_HANDLE) CHECK_OK(sk_close(copy));
                CHECK_OK(sk_close(p[1]));
            }
        }
    }
}

static void child_sends(void *argument)
{
    struct blocked *x = argument;
    CHECK_GIVES(sk_send_file(x->s, x->file, 10, 20), 20);
    CHECK_OK(sk_close(x->s));
}
CASE(across_a_fork)
{
    for (int k = 0; k < STREAMS; k++) {
        sk_handle p[2];
        pair_of(streams[k], p);
        struct blocked x = {p[0], file_of(LEN), 0, 0};
        in_child(child_sends, &x);
        CHECK_GIVES(sk_recv(p[1], got, LEN, 0), 20);
        sends(p, x.file, 0, -1, LEN);
        close_pair(p);
    }
}

static volatile sig_atomic_t signals;
static void on_signal(int number)
{
    (void)number;
    signals += 1;
}
static void catch_it(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    CHECK_EQ(sigaction(number, &action, NULL), 0);
}

CASE(signals_do_not_end_it)
{
    catch_it(SIGUSR1);
    for (int k = 0; k < STREAMS; k++) {
        sk_handle p[2];
        struct thread t, reader;
        pair_of(streams[k], p);
        struct blocked x = {p[0], long_file(), 0, 0};
        struct reader r = {p[1], 0, 0};
        thread_start(&t, send_much, &x);
        for (int i = 0; i < 10; i++) {
            CHECK(wait_until_asleep(&t));
            CHECK_EQ(pthread_kill(t.id, SIGUSR1), 0);
        }
        thread_start(&reader, drop_all, &r);
        thread_join(&t);
        CHECK_EQ(x.result, 64 << 20);
        CHECK_EQ(x.error, ERRNO_UNTOUCHED);
        CHECK_OK(sk_close(p[0]));
        thread_join(&reader);
        CHECK_EQ(r.got, 64 << 20);
        CHECK_OK(sk_close(p[1]));
        CHECK_EQ(close(x.file), 0);
    }
}

/* --- SIGPIPE -------------------------------------------------------------------------------- */

static void ended(int kind, sk_handle p[2])
{
    pair_of(kind, p);
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
}
static int is_blocked(void)
{
    sigset_t set;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    return sigismember(&set, SIGPIPE);
}
static int is_pending(void)
{
    sigset_t set;
    CHECK_EQ(sigpending(&set), 0);
    return sigismember(&set, SIGPIPE);
}
static void block_sigpipe(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    CHECK_EQ(pthread_sigmask(how, &set, NULL), 0);
}

CASE(no_sigpipe)
{
    int file = file_of(LEN);
    for (int handled = 0; handled < 2; handled++) {
        if (handled) catch_it(SIGPIPE); /* before that it would end the process */
        for (int k = 0; k < STREAMS; k++) {
            sk_handle p[2];
            ended(streams[k], p);
            CHECK_FAILS(sk_send_file(p[0], file, 0, -1), SK_EPIPE);
            CHECK_EQ(is_blocked(), 0);
            CHECK_EQ(is_pending(), 0);
            CHECK_EQ(signals, 0);
            close_pair(p);
        }
    }
    /* A caller who has it blocked keeps it so, and finds none of ours. */
    block_sigpipe(SIG_BLOCK);
    sk_handle p[2];
    ended(PAIR_TCP4, p);
    CHECK_FAILS(sk_send_file(p[0], file, 0, -1), SK_EPIPE);
    CHECK_EQ(is_blocked(), 1);
    CHECK_EQ(is_pending(), 0);
    close_pair(p);
}

CASE(a_sigpipe_that_was_pending_stays)
{
    int file = file_of(LEN);
    catch_it(SIGPIPE);
    for (int of_process = 0; of_process < 2; of_process++) {
        sk_handle p[2];
        ended(PAIR_TCP4, p);
        block_sigpipe(SIG_BLOCK);
        CHECK_EQ(of_process ? kill(getpid(), SIGPIPE) : pthread_kill(pthread_self(), SIGPIPE), 0);
        CHECK_FAILS(sk_send_file(p[0], file, 0, -1), SK_EPIPE);
        CHECK_EQ(is_pending(), 1);
        CHECK_EQ(signals, 0);
        block_sigpipe(SIG_UNBLOCK);
        CHECK_GE(signals, 1);
        signals = 0;
        close_pair(p);
    }
}

static void peer_goes(void *argument)
{
    sk_handle s = *(sk_handle *)argument;
    CHECK_EQ(sk_recv(s, got, 1000, 0) > 0, 1);
    CHECK_EQ(sk_abort(s), SK_OK);
}
CASE(a_peer_that_goes_in_the_middle)
{
    for (int k = 0; k < STREAMS; k++) {
        for (int limited = 0; limited < 2; limited++) {
            sk_handle p[2];
            struct thread t, peer;
            pair_of(streams[k], p);
            if (limited) CHECK_OK(sk_set_timeout(p[0], 15000));
            struct blocked x = {p[0], long_file(), 0, 0};
            thread_start(&t, send_much, &x);
            CHECK(wait_until_asleep(&t));
            thread_start(&peer, peer_goes, &p[1]);
            thread_join(&peer);
            thread_join(&t);
            CHECK_GT(x.result, 0); /* what went is reported; the error comes with the next call */
            CHECK_LT(x.result, 64 << 20);
            CHECK_EQ(x.error, ERRNO_UNTOUCHED);
            int64_t n = sk_send(p[0], "x", 1, 0);
            if (n != SK_ECONNRESET && n != SK_EPIPE) FAIL("%lld %s", (long long)n, sk_error_name(n));
            CHECK_OK(sk_close(p[0]));
            CHECK_EQ(close(x.file), 0);
        }
    }
}

CASE(a_file_that_gets_shorter_ends_it)
{
    sk_handle p[2];
    struct thread t;
    unix_pair(SK_STREAM, p);
    struct blocked x = {p[0], long_file(), 0, 0};
    struct reader r = {p[1], 0, 0};
    thread_start(&t, send_much, &x);
    CHECK(wait_until_asleep(&t));
    CHECK_EQ(ftruncate(x.file, 1000), 0);
    struct thread reader;
    thread_start(&reader, drop_all, &r);
    thread_join(&t);
    CHECK_GT(x.result, 0);
    CHECK_LT(x.result, 64 << 20);
    CHECK_OK(sk_close(p[0]));
    thread_join(&reader);
    CHECK_EQ((int64_t)r.got, x.result);
    CHECK_OK(sk_close(p[1]));
}
