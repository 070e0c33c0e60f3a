/* The process-wide functions: starting the library, its memory, counting what is open. */
#include "check.h"

static sk_config config_of(uint32_t max_handles, void *memory, size_t len)
{
    sk_config c;
    memset(&c, 0, sizeof c);
    c.size = sizeof c;
    c.max_handles = max_handles;
    c.memory = memory;
    c.memory_len = len;
    return c;
}

static char *aligned_memory(size_t len)
{
    void *p = NULL;
    CHECK_EQ(posix_memalign(&p, 64, len), 0);
    memset(p, 0xA5, len); /* what was in it before must not matter */
    return p;
}

CASE(init_is_optional)
{
    CHECK_GIVES(sk_open_count(), 0);
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_GIVES(sk_open_count(), 1);
    CHECK_OK(sk_close(s));
    CHECK_GIVES(sk_open_count(), 0);
}

CASE(init_with_null_takes_the_defaults)
{
    CHECK_OK(sk_init(NULL));
    CHECK_OK(sk_close(MADE(sk_socket(SK_INET, SK_STREAM, 0))));
}

CASE(init_with_a_zeroed_config_takes_the_defaults)
{
    sk_config c = config_of(0, NULL, 0);
    CHECK_OK(sk_init(&c));
    CHECK_OK(sk_close(MADE(sk_socket(SK_INET, SK_STREAM, 0))));
}

CASE(init_is_busy_once_in_use)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    sk_config c = config_of(0, NULL, 0);
    CHECK_FAILS(sk_init(NULL), SK_EBUSY);
    CHECK_FAILS(sk_init(&c), SK_EBUSY);
    CHECK_OK(sk_close(s));
    CHECK_FAILS(sk_init(NULL), SK_EBUSY);
}

CASE(a_second_init_is_busy)
{
    CHECK_OK(sk_init(NULL));
    CHECK_FAILS(sk_init(NULL), SK_EBUSY);
}

CASE(asking_does_not_put_the_library_in_use)
{
    (void)sk_version();
    CHECK_GIVES(sk_open_count(), 0);
    CHECK(sk_memory_needed(10) > 0);
    CHECK_OK(sk_init(NULL));
}

CASE(a_bad_config_changes_nothing)
{
    size_t need = sk_memory_needed(64);
    char *memory = aligned_memory(need + 64);
    sk_config c = config_of(64, memory, need - 1);
    CHECK_FAILS(sk_init(&c), SK_EINVAL);
    c = config_of(64, memory + 1, need);
    CHECK_FAILS(sk_init(&c), SK_EINVAL);
    c = config_of(64, memory + 32, need);
    CHECK_FAILS(sk_init(&c), SK_EINVAL);
    c = config_of(0, memory, need);
    CHECK_FAILS(sk_init(&c), SK_EINVAL);
    c = config_of(64, memory, need);
    c.size = 0;
    CHECK_FAILS(sk_init(&c), SK_EINVAL);
    c.size = 4;
    CHECK_FAILS(sk_init(&c), SK_EINVAL);
    c.size = sizeof c;
    CHECK_OK(sk_init(&c));
}

CASE(memory_needed_grows_with_the_handles)
{
    CHECK(sk_memory_needed(1) > 0);
    CHECK(sk_memory_needed(1000) >= sk_memory_needed(10));
    CHECK(sk_memory_needed(100000) <= (size_t)100000 * 64 + 4096);
    errno = ERRNO_UNTOUCHED;
    (void)sk_memory_needed(0);
    (void)sk_memory_needed(UINT32_MAX);
    CHECK_EQ(errno, ERRNO_UNTOUCHED);
}

/* The program's memory holds the table, and nothing outside of it is touched. */
CASE(the_callers_memory_is_used_and_kept_to)
{
    size_t need = sk_memory_needed(64);
    char *memory = aligned_memory(need + 128);
    memset(memory, 0, need);
    sk_config c = config_of(64, memory + 64, need);
    memset(memory, 0x5A, 64);
    memset(memory + 64 + need, 0x5A, 64);
    CHECK_OK(sk_init(&c));
    for (int round = 0; round < 3; round++) {
        sk_handle p[2];
        tcp_pair(SK_INET, p);
        CHECK_GIVES(sk_send(p[0], "hello", 5, 0), 5);
        char buffer[8];
        CHECK_GIVES(sk_recv(p[1], buffer, sizeof buffer, 0), 5);
        close_pair(p);
    }
    for (size_t i = 0; i < 64; i++) {
        CHECK_EQ(memory[i], 0x5A);
        CHECK_EQ(memory[64 + need + i], 0x5A);
    }
    int used = 0;
    for (size_t i = 0; i < need; i++) used |= memory[64 + i] != 0;
    CHECK(used);
}

/* A small table is full before the process is out of descriptors. */
CASE(a_full_table_is_emfile_and_recovers)
{
    sk_config c = config_of(8, NULL, 0);
    CHECK_OK(sk_init(&c));
    sk_handle h[64];
    int n = 0;
    for (; n < 64; n++) {
        sk_handle s = sk_socket(SK_INET, SK_DGRAM, 0);
        if (s < 0) {
            CHECK_EQ(s, SK_EMFILE);
            CHECK_EQ(errno, EMFILE);
            break;
        }
        h[n] = s;
    }
    CHECK_EQ(n, 8);
    CHECK_GIVES(sk_open_count(), n);
    int fds = open_fds();
    for (int i = 0; i < 20; i++) CHECK_FAILS(sk_socket(SK_INET, SK_DGRAM, 0), SK_EMFILE);
    sk_handle out[2] = {11, 12};
    CHECK_FAILS(sk_socketpair(SK_STREAM, out), SK_EMFILE);
    CHECK_EQ(out[0], 11);
    CHECK_EQ(out[1], 12);
    CHECK_FAILS(sk_dup(h[0]), SK_EMFILE);
    CHECK_EQ(open_fds(), fds);
    CHECK_OK(sk_close(h[0]));
    h[0] = MADE(sk_socket(SK_INET, SK_DGRAM, 0));
    for (int i = 0; i < n; i++) CHECK_OK(sk_close(h[i]));
    CHECK_GIVES(sk_open_count(), 0);
}

/* The last handle for which there was room. */
static sk_handle fill_the_table(void)
{
    sk_handle last = 0;
    for (;;) {
        sk_handle s = sk_socket(SK_INET, SK_DGRAM, 0);
        if (s < 0) break;
        last = s;
    }
    CHECK(last > 0);
    return last;
}

/* What stays the caller's stays as it was. */
CASE(a_full_table_leaves_the_descriptor_as_it_is)
{
    sk_config c = config_of(8, NULL, 0);
    CHECK_OK(sk_init(&c));
    sk_handle last = fill_the_table();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), fds = open_fds();
    CHECK_GE(fd, 0);
    struct linger linger = {1, 30};
    struct timeval limit = {5, 0}, now_limit = {0, 0};
    socklen_t len = sizeof linger, limit_len = sizeof now_limit;
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
    for (int i = 0; i < 3; i++) CHECK_FAILS(sk_from_fd(fd), SK_EMFILE);
    CHECK_EQ(open_fds(), fds);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    memset(&linger, 0, sizeof linger);
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len), 0);
    CHECK(linger.l_onoff && linger.l_linger == 30);
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &now_limit, &limit_len), 0);
    CHECK_EQ(now_limit.tv_sec, 5);
    CHECK_OK(sk_close(last));
    sk_handle s = MADE(sk_from_fd(fd));
    CHECK(!is_open_fd(fd));
    CHECK_EQ(open_fds(), fds - 1);
    CHECK_OK(sk_close(s));
}

CASE(a_full_table_leaves_the_connection_queued)
{
    sk_config c = config_of(8, NULL, 0);
    CHECK_OK(sk_init(&c));
    sk_handle listener = tcp_listener(SK_INET, 8);
    int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons(port_of(listener));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_EQ(connect(raw, (struct sockaddr *)&to, sizeof to), 0);
    CHECK_EQ(write(raw, "x", 1), 1);
    sk_handle last = fill_the_table();
    for (int i = 0; i < 3; i++) CHECK_FAILS(sk_accept(listener, NULL), SK_EMFILE);
    CHECK_OK(sk_close(last));
    sk_handle s = MADE(sk_accept(listener, NULL));
    char b;
    CHECK_GIVES(sk_recv(s, &b, 1, 0), 1);
    CHECK_EQ(b, 'x');
    close(raw);
}

/* The library's, which is told here that another thread is just opening that number. */
static int dup3_fails;
int dup3(int from, int to, int flags)
{
    if (dup3_fails) {
        errno = EBUSY;
        return -1;
    }
    return (int)syscall(SYS_dup3, from, to, flags);
}

CASE(a_connection_that_can_not_be_moved_is_not_lost)
{
    sk_config c = config_of(8, NULL, 0);
    CHECK_OK(sk_init(&c));
    sk_handle listener = tcp_listener(SK_INET, 8), s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(s, "127.0.0.1", port_of(listener)));
    CHECK_GIVES(sk_send(s, "x", 1, 0), 1);
    int fds = open_fds();
    dup3_fails = 1;
    sk_handle r = MADE(sk_accept(listener, NULL));
    dup3_fails = 0;
    CHECK_EQ(open_fds(), fds + 1);
    char b;
    CHECK_GIVES(sk_recv(r, &b, 1, 0), 1);
    CHECK_EQ(b, 'x');
    CHECK_OK(sk_close(r));
    CHECK_EQ(open_fds(), fds);
}

CASE(open_count_counts_every_kind)
{
    sk_handle p[2], q[2];
    tcp_pair(SK_INET, p);
    CHECK_GIVES(sk_open_count(), 2);
    unix_pair(SK_DGRAM, q);
    CHECK_GIVES(sk_open_count(), 4);
    sk_handle d = MADE(sk_dup(p[0]));
    CHECK_GIVES(sk_open_count(), 5);
    CHECK_OK(sk_close(d));
    close_pair(p);
    int64_t fd = sk_into_fd(q[0]);
    CHECK_GE(fd, 0);
    CHECK_GIVES(sk_open_count(), 1);
    q[0] = MADE(sk_from_fd(fd));
    CHECK_GIVES(sk_open_count(), 2);
    close_pair(q);
    CHECK_GIVES(sk_open_count(), 0);
}
