/* Sending a file: which bytes go, from which files, on which sockets. This program stands between the
 * library and sendfile(2), to play the files that it refuses. */
#include "send_file.h"
#include <sys/eventfd.h>

/* --- Between the library and the system ------------------------------------------------------ */

static int refusal;           /* 0, or what every sendfile fails with */
static int pretend;           /* sendfile sends nothing and says that it did */
static int64_t pretended_end; /* of the file that it pretends to read */
static int calls;

#ifndef SYS_sendfile64 /* the one of 32 bits that goes beyond 2 GiB */
#define SYS_sendfile64 SYS_sendfile
#endif
ssize_t sendfile64(int out, int in, off64_t *offset, size_t count)
{
    __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST); /* threads come here too */
    if (refusal != 0) {
        errno = refusal;
        return -1;
    }
    if (pretend) {
        int64_t left = pretended_end - *offset;
        int64_t most = left < 0x7ffff000 ? left : 0x7ffff000;
        return (ssize_t)(most < (int64_t)count ? most : (int64_t)count);
    }
    return syscall(SYS_sendfile64, out, in, offset, count);
}

/* --- Which bytes ----------------------------------------------------------------------------- */

static const struct {
    int64_t offset, count, sent;
} parts[] = {
    {0, -1, 10},       {3, -1, 7},        {3, 4, 4},          {0, 0, 0},  {10, 0, 0},        {77, 0, 0},
    {9, 1, 1},         {10, -1, 0},       {10, 5, 0},         {11, 1, 0}, {77, -1, 0},       {0, 10, 10},
    {0, 11, 10},       {9, 2, 1},         {0, INT64_MAX, 10}, {1, INT64_MAX, 9},             {INT64_MAX, -1, 0},
    {INT64_MAX, 0, 0}, {INT64_MAX, 1, 0}, {INT64_MAX, INT64_MAX, 0},      {INT64_MAX - 1, -1, 0},
    {INT64_MAX - 1, 2, 0},
};

static void all_parts(void)
{
    static const int refusals[] = {0, EINVAL, ENOSYS};
    for (int r = 0; r < 3; r++) {
        for (int k = 0; k < STREAMS; k++) {
            sk_handle p[2];
            char b[16];
            int file = file_of(10);
            stream_pair(k, p);
            CHECK_EQ(lseek(file, 5, SEEK_SET), 5);
            refusal = refusals[r];
            for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
                CHECK_GIVES(sk_send_file(p[0], file, parts[i].offset, parts[i].count), parts[i].sent);
                if (parts[i].sent > 0) {
                    CHECK_OK(sk_recv_all(p[1], b, (size_t)parts[i].sent, NULL));
                    check_bytes(b, parts[i].offset, (size_t)parts[i].sent);
                }
                CHECK_FAILS(sk_recv(p[1], b, 1, SK_DONTWAIT), SK_EAGAIN);
                CHECK_EQ(lseek(file, 0, SEEK_CUR), 5); /* neither used nor moved */
            }
            refusal = 0;
            close(file);
            close_pair(p);
        }
    }
}
CASE(parts_of_a_file) { all_parts(); }
CASE(parts_of_a_file_in_a_child)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0)); /* the library is in use before the fork */
    in_child((void (*)(void *))all_parts, NULL);
    CHECK_OK(sk_close(s));
}

CASE_WITHIN(to_a_slow_receiver_whole_and_identical, 60)
{
    int file = file_of(LENGTH);
    for (int copied = 0; copied < 2; copied++) {
        for (int k = 0; k < STREAMS; k++) {
            for (int limited = 0; limited < 2; limited++) {
                sk_handle p[2];
                struct thread t;
                narrow_pair(k, p);
                if (limited) CHECK_OK(sk_set_timeout(p[0], INT64_MAX));
                refusal = copied ? EINVAL : 0;
                struct sink sink = {.s = p[1], .offset = 3, .slow = 1};
                thread_start(&t, drain, &sink);
                CHECK_GIVES(sk_send_file(p[0], file, 3, limited ? -1 : LENGTH - 3), LENGTH - 3);
                CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
                thread_join(&t);
                CHECK_EQ(sink.received, LENGTH - 3);
                refusal = 0;
                close_pair(p);
            }
        }
    }
    CHECK_EQ(lseek(file, 0, SEEK_CUR), 0);
}

CASE(a_file_on_a_disk)
{
    char *folder = make_folder(), path[100];
    snprintf(path, sizeof path, "%s/file", folder);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_GE(file, 0);
    write_bytes(file, 0, 100000);
    CHECK_EQ(close(file), 0);
    file = open(path, O_RDONLY | O_CLOEXEC | O_APPEND);
    sk_handle p[2];
    struct thread t;
    stream_pair(0, p);
    struct sink sink = {.s = p[1]};
    thread_start(&t, drain, &sink);
    CHECK_GIVES(sk_send_file(p[0], file, 0, -1), 100000);
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
    thread_join(&t);
    CHECK_EQ(sink.received, 100000);
    close_pair(p);
    remove_folder(folder);
}

CASE(beyond_2_and_4_gib)
{
    static const int64_t marks[] = {(INT64_C(1) << 31) - 3, (INT64_C(1) << 32) - 3, INT64_C(5) << 30};
    int file = file_of(0);
    sk_handle p[2];
    char b[8];
    unix_pair(SK_STREAM, p);
    for (int i = 0; i < 3; i++) write_bytes(file, marks[i], 6);
    for (int i = 0; i < 3; i++) {
        CHECK_GIVES(sk_send_file(p[0], file, marks[i], 6), 6);
        CHECK_OK(sk_recv_all(p[1], b, 6, NULL));
        check_bytes(b, marks[i], 6);
    }
    CHECK_GIVES(sk_send_file(p[0], file, marks[2] + 2, -1), 4);
    CHECK_OK(sk_recv_all(p[1], b, 4, NULL));
    check_bytes(b, marks[2] + 2, 4);
    refusal = EINVAL;
    CHECK_GIVES(sk_send_file(p[0], file, marks[2], INT64_MAX), 6);
    CHECK_OK(sk_recv_all(p[1], b, 6, NULL));
    check_bytes(b, marks[2], 6);
}

CASE(more_than_one_call_of_the_system_moves)
{
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    pretend = 1;
    pretended_end = INT64_C(5) << 30;
    calls = 0;
    CHECK_GIVES(sk_send_file(p[0], 0, 7, -1), pretended_end - 7);
    CHECK_GE(calls, 3);
    CHECK_GIVES(sk_send_file(p[0], 0, 7, INT64_C(3) << 30), INT64_C(3) << 30);
    CHECK_GIVES(sk_send_file(p[0], 0, pretended_end - 1, INT64_C(3) << 30), 1);
    pretend = 0;
    refusal = EOVERFLOW; /* an offset further than any file of that kind goes */
    CHECK_GIVES(sk_send_file(p[0], 0, INT64_C(1) << 60, -1), 0);
}

static void drop_all(void *argument)
{
    static char b[1 << 20];
    struct sink *sink = argument;
    int64_t n;
    while ((n = sk_recv(sink->s, b, sizeof b, 0)) > 0) sink->received += n;
    CHECK_EQ(n, 0);
}
CASE_WITHIN(more_than_2_gib, 120)
{
    const int64_t length = 2200000000;
    sk_handle p[2];
    struct thread t;
    int file = file_of(0);
    CHECK_EQ(ftruncate(file, length), 0);
    unix_pair(SK_STREAM, p);
    struct sink sink = {.s = p[1]};
    thread_start(&t, drop_all, &sink);
    CHECK_GIVES(sk_send_file(p[0], file, 0, -1), length);
    CHECK_OK(sk_close(p[0]));
    thread_join(&t);
    CHECK_EQ(sink.received, length);
}

/* --- Files that change meanwhile ------------------------------------------------------------- */

CASE(a_file_that_grows_goes_to_its_new_end)
{
    for (int k = 0; k < STREAMS; k++) {
        enum { MORE = 5000 };
        sk_handle p[2];
        struct thread t;
        int file = file_of(LENGTH);
        narrow_pair(k, p);
        struct sender sender = {p[0], file, 0, -1, 0, 0};
        thread_start(&t, send_it, &sender);
        CHECK(wait_until_asleep(&t));
        write_bytes(file, LENGTH, MORE);
        struct sink sink = {.s = p[1], .most = LENGTH + MORE};
        drain(&sink);
        thread_join(&t);
        CHECK_EQ(sender.result, LENGTH + MORE);
        CHECK_EQ(sender.error, ERRNO_UNTOUCHED);
        close(file);
        close_pair(p);
    }
}

CASE(a_file_that_shrinks_goes_to_its_new_end)
{
    for (int k = 0; k < STREAMS; k++) {
        enum { LESS = 3 << 19 };
        sk_handle p[2];
        struct thread t, u;
        int file = file_of(LENGTH);
        narrow_pair(k, p);
        struct sender sender = {p[0], file, 0, LENGTH, 0, 0};
        thread_start(&t, send_it, &sender);
        CHECK(wait_until_asleep(&t));
        CHECK_EQ(ftruncate(file, LESS), 0);
        struct sink sink = {.s = p[1]};
        thread_start(&u, drain, &sink);
        thread_join(&t);
        CHECK_EQ(sender.result, LESS);
        CHECK_EQ(sender.error, ERRNO_UNTOUCHED);
        CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
        thread_join(&u);
        CHECK_EQ(sink.received, LESS);
        close(file);
        close_pair(p);
    }
}

/* --- What is no such file ---------------------------------------------------------------------- */

static void check_refused(sk_handle s, int file, int error)
{
    for (int copied = 0; copied < 2; copied++) {
        errno = ERRNO_UNTOUCHED;
        refusal = copied ? EINVAL : 0;
        int64_t r = sk_send_file(s, file, 0, 1);
        int e = errno;
        if (r != SK_EINVAL || e != error)
            FAIL("descriptor %d: %lld %s, errno %d instead of %d", file, (long long)r, check_name_of(r), e, error);
        refusal = 0;
    }
}
CASE(descriptors_that_are_no_readable_file)
{
    for (int k = 0; k < STREAMS; k++) {
        sk_handle p[2];
        char b[16];
        int ends[2], file = file_of(10);
        char *folder = make_folder(), path[100];
        snprintf(path, sizeof path, "%s/file", folder);
        stream_pair(k, p);
        int write_only = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        CHECK_EQ(write(write_only, "abc", 3), 3);
        CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
        CHECK_EQ(write(ends[1], "abc", 3), 3);
        int closed = dup(file);
        CHECK_EQ(close(closed), 0);
        static const int bad[] = {-1, INT32_MAX, INT32_MIN, -100 /* AT_FDCWD */};
        for (int i = 0; i < 4; i++) check_refused(p[0], bad[i], EBADF);
        check_refused(p[0], closed, EBADF);
        CHECK_EQ(sk_send_file(p[0], closed, 0, 0), SK_EINVAL); /* also where nothing is asked for */
        check_refused(p[0], write_only, EBADF);
        check_refused(p[0], open(path, O_PATH | O_CLOEXEC), EBADF);
        check_refused(p[0], ends[0], ESPIPE);
        check_refused(p[0], socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ESPIPE);
        check_refused(p[0], (int)sk_fd(p[1]), ESPIPE);
        check_refused(p[0], eventfd(1, EFD_CLOEXEC), ESPIPE);
        check_refused(p[0], open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), EISDIR);
        CHECK_FAILS(sk_recv(p[1], b, 16, SK_DONTWAIT), SK_EAGAIN);
        CHECK_EQ(read(ends[0], b, 16), 3); /* nothing was taken */
        CHECK_GIVES(sk_send_file(p[0], file, 0, -1), 10);
        CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
        CHECK_OK(sk_recv_all(p[1], b, 11, NULL));
        close_pair(p);
        close(write_only);
        remove_folder(folder);
    }
}

CASE(a_file_that_can_not_be_read_has_an_error_of_its_own)
{
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    for (int copied = 0; copied < 2; copied++) {
        errno = ERRNO_UNTOUCHED;
        refusal = copied ? 0 : EIO;
        CHECK_EQ(sk_send_file(p[0], copied ? open("/proc/self/mem", O_RDONLY | O_CLOEXEC) : file_of(10), 0, -1), SK_EOTHER);
        CHECK_EQ(errno, EIO);
    }
}

CASE(files_that_the_system_makes_up)
{
    static const char *const paths[] = {"/proc/version", "/proc/self/status", "/proc/self/cmdline", "/sys/kernel/mm/transparent_hugepage/enabled"};
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    for (size_t i = 0; i < 4; i++) {
        char want[65536], got[65536];
        int file = open(paths[i], O_RDONLY | O_CLOEXEC);
        if (file < 0) continue;
        ssize_t len = pread(file, want, sizeof want, 0);
        CHECK_GT(len, 0);
        CHECK_GIVES(sk_send_file(p[0], file, 0, -1), len);
        CHECK_OK(sk_recv_all(p[1], got, (size_t)len, NULL));
        CHECK(i == 1 || memcmp(want, got, (size_t)len) == 0); /* a status changes */
        CHECK_EQ(lseek(file, 0, SEEK_CUR), 0);
        close(file);
    }
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    char b[16];
    CHECK_GIVES(sk_send_file(p[0], zero, 0, 9), 9);
    CHECK_GIVES(sk_recv(p[1], b, 16, 0), 9);
}

/* --- Which sockets --------------------------------------------------------------------------- */

CASE(handle_before_kind_before_the_rest)
{
    static const int64_t wrong[][2] = {{-1, 1}, {INT64_MIN, 1}, {0, -2}, {0, INT64_MIN}, {-1, -2}, {-1, -1}};
    int file = file_of(10);
    static const sk_handle bad[] = {0, -1, 1, 77, INT64_MAX, INT64_MIN};
    sk_handle p[2], q[2], poller = MADE(sk_poller());
    char b[4];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (size_t j = 0; j < 6; j++) CHECK_FAILS(sk_send_file(bad[j], -1, wrong[i][0], wrong[i][1]), SK_EBADHANDLE);
        CHECK_FAILS(sk_send_file(poller, -1, wrong[i][0], wrong[i][1]), SK_EOPNOTSUPP);
        for (int k = 0; k < PAIR_KINDS; k++) {
            if (k == PAIR_TCP6 || k == PAIR_UDP6) continue;
            any_pair(k, p);
            int want = is_stream_pair(k) ? SK_EINVAL : SK_EOPNOTSUPP;
            CHECK_FAILS(sk_send_file(p[0], -1, wrong[i][0], wrong[i][1]), want);
            CHECK_FAILS(sk_send_file(p[0], file, wrong[i][0], wrong[i][1]), want);
            CHECK_FAILS(sk_recv(p[1], b, 4, SK_DONTWAIT), SK_EAGAIN);
            close_pair(p);
        }
    }
    udp_pair(SK_INET, p);
    unix_pair(SK_SEQPACKET, q);
    CHECK_FAILS(sk_send_file(p[0], file, 0, -1), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_send_file(q[0], file, 0, -1), SK_EOPNOTSUPP);
    CHECK_OK(sk_close(q[0]));
    CHECK_FAILS(sk_send_file(q[0], file, 0, -1), SK_EBADHANDLE);
}

/* As sk_send does. */
static void check_as_send(sk_handle s, int file)
{
    int64_t want = sk_send(s, "x", 1, 0);
    CHECK_LT(want, 0);
    CHECK_FAILS(sk_send_file(s, file, 0, -1), want);
}
CASE(not_connected)
{
    int file = file_of(10);
    sk_addr name;
    check_as_send(MADE(sk_socket(SK_INET, SK_STREAM, 0)), file);
    check_as_send(MADE(sk_socket(SK_UNIX, SK_STREAM, 0)), file);
    check_as_send(tcp_listener(SK_INET, 1), file);
    check_as_send(unix_bound(SK_STREAM, 1, &name), file);
}

CASE(after_the_end)
{
    int file = file_of(10);
    for (int k = 0; k < STREAMS; k++) {
        for (int copied = 0; copied < 2; copied++) {
            sk_handle p[2];
            stream_pair(k, p);
            CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
            refusal = copied ? EINVAL : 0;
            for (int i = 0; i < 3; i++) CHECK_FAILS(sk_send_file(p[0], file, 0, -1), SK_EPIPE);
            refusal = 0;
            close_pair(p);
        }
    }
}

/* --- Threads ----------------------------------------------------------------------------------- */

CASE(several_threads_on_one_stream)
{
    enum { THREADS = 4 };
    static char all[THREADS * LENGTH];
    for (int k = 0; k < STREAMS; k++) {
        sk_handle p[2];
        struct thread t[THREADS];
        struct sender sender[THREADS];
        narrow_pair(k, p);
        for (int i = 0; i < THREADS; i++) {
            int file = memfd_create("letters", MFD_CLOEXEC);
            memset(all, 'a' + i, LENGTH);
            CHECK_EQ(write(file, all, LENGTH), LENGTH);
            sender[i] = (struct sender){p[0], file, 0, -1, 0, 0};
        }
        for (int i = 0; i < THREADS; i++) thread_start(&t[i], send_it, &sender[i]);
        CHECK_OK(sk_recv_all(p[1], all, sizeof all, NULL));
        size_t letters[THREADS] = {0};
        for (size_t i = 0; i < sizeof all; i++) letters[all[i] - 'a'] += 1;
        for (int i = 0; i < THREADS; i++) {
            thread_join(&t[i]);
            CHECK_EQ(sender[i].result, LENGTH);
            CHECK_EQ(letters[i], LENGTH);
            close(sender[i].file);
        }
        close_pair(p);
    }
}
