/* Every function of the library, used once with success on objects of its own: for what holds for all
 * of them. Names are not looked up, so no thread is needed. */
#ifndef EVERY_H
#define EVERY_H
#include "check.h"
#include <sys/mman.h>

static inline void every_of_a_connection(sk_handle a, sk_handle b, int file)
{
    char x[8], y[8] = {0};
    size_t n;
    sk_addr from;
    sk_buf pieces[2] = {{x, 2}, {y, 3}};
    CHECK_GIVES(sk_send(a, "abc", 3, 0), 3);
    CHECK_GIVES(sk_recv(b, x, 8, 0), 3);
    CHECK_GIVES(sk_send_to(a, "abc", 3, 0, NULL), 3);
    CHECK_GIVES(sk_recv_from(b, x, 8, 0, &from), 3);
    CHECK_OK(sk_send_all(a, "abcde", 5, &n));
    CHECK_OK(sk_recv_all(b, x, 5, &n));
    CHECK_GIVES(sk_sendv(a, pieces, 2, 0), 5);
    CHECK_GIVES(sk_recvv(b, pieces, 2, 0), 5);
    CHECK_GIVES(sk_send_file(a, file, 0, -1), 4);
    CHECK_GIVES(sk_recv(b, x, 8, SK_WAITALL | SK_DONTWAIT), 4);
    CHECK_OK(sk_local_addr(a, &from));
    CHECK_OK(sk_peer_addr(a, &from));
    CHECK_OK(sk_shutdown(a, SK_SHUT_WRITE));
    CHECK_OK(sk_shutdown(b, SK_SHUT_WRITE));
    CHECK_OK(sk_finish(a, 1000));
    CHECK_OK(sk_abort(b));
}

static inline void every_of_datagrams(void)
{
    sk_addr to, from, group, local;
    char b[2][8] = {{0}};
    sk_dgram d[2];
    sk_handle s = MADE(sk_socket(SK_INET, SK_DGRAM, 0)), c = MADE(sk_socket(SK_INET, SK_DGRAM, 0));
    CHECK_OK(sk_addr_parse("127.0.0.1", &to));
    CHECK_OK(sk_bind_addr(s, &to));
    CHECK_OK(sk_set_option(s, SK_OPT_PKTINFO, 1));
    CHECK_OK(sk_local_addr(s, &to));
    CHECK_GIVES(sk_send_to(c, "abc", 3, 0, &to), 3);
    CHECK_GIVES(sk_recv_from(s, b[0], 8, 0, &from), 3);
    CHECK_OK(sk_connect_addr(c, &to));
    memset(d, 0, sizeof d);
    for (int i = 0; i < 2; i++) d[i].data = b[i], d[i].room = 8, d[i].len = 4;
    d[0].segment = 2;
    CHECK_GIVES(sk_send_batch(c, d, 2, 0), 2);
    for (int i = 0; i < 2; i++) d[i].local = &local;
    for (int64_t came = 0; came < 3;) { /* the first one came in two segments */
        int64_t more = sk_recv_batch(s, d, 2, 0);
        CHECK_GT(more, 0);
        came += more;
    }
    CHECK_OK(sk_addr_parse("239.1.2.3", &group));
    if (!CHECK_EMULATED) { /* qemu has no such calls */
        CHECK_OK(sk_join_group(s, &group, NULL, "lo"));
        CHECK_OK(sk_leave_group(s, &group, NULL, "lo"));
    }
    CHECK_OK(sk_close(s));
    CHECK_OK(sk_close(c));
}

static inline void every_of_pollers(void)
{
    sk_handle p = MADE(sk_poller()), s[2];
    sk_event e[4];
    CHECK_OK(sk_socketpair(SK_DGRAM, s));
    CHECK_OK(sk_poller_add(p, s[0], SK_READABLE, 1));
    CHECK_OK(sk_poller_modify(p, s[0], SK_WRITABLE, 1));
    CHECK_GIVES(sk_poller_wait(p, e, 4, 1000), 1);
    CHECK_OK(sk_poller_wake(p));
    CHECK_OK(sk_poller_remove(p, s[0]));
    CHECK_GIVES(sk_poller_wait(p, e, 4, 1000), 1);
    CHECK_GIVES(sk_poller_wait(p, e, 4, 1), 0);
    sk_poll_item items[100];
    for (int i = 0; i < 100; i++) items[i] = (sk_poll_item){i == 99 ? p : i == 98 ? s[1] : 0, i == 98 ? SK_WRITABLE : SK_READABLE, 0};
    CHECK_GIVES(sk_poll(items, 100, 1), 1);
    CHECK_GIVES(sk_wait(s[0], SK_WRITABLE, 1000), 1);
    CHECK_OK(sk_close(p));
    close_pair(s);
}

static inline void every_of_descriptors(void)
{
    sk_handle s[2], t[2];
    sk_cred cred;
    CHECK_OK(sk_socketpair(SK_STREAM, s));
    CHECK_OK(sk_socketpair(SK_SEQPACKET, t));
    CHECK_OK(sk_send_handle(s[0], t[0]));
    sk_handle copy = MADE(sk_recv_handle(s[1]));
    CHECK_OK(sk_peer_cred(copy, &cred));
    CHECK_OK(sk_close(copy));
    copy = MADE(sk_dup(t[0]));
    CHECK_GE(sk_fd(copy), 0);
    int64_t fd = sk_into_fd(copy);
    CHECK_GE(fd, 0);
    copy = MADE(sk_from_fd(fd));
    CHECK_OK(sk_close(copy));
    close_pair(s);
    close_pair(t);
}

static inline void use_every_function(void)
{
    char text[SK_ADDR_STRLEN + 16], raw[128], name[32];
    uint32_t len = sizeof raw;
    sk_addr at, peer;
    int64_t value;
    int file = (int)syscall(SYS_memfd_create, "file", MFD_CLOEXEC);
    CHECK_EQ(write(file, "file", 4), 4);
    int64_t open = sk_open_count();
    CHECK_GT(sk_memory_needed(10), 0);
    CHECK(sk_version() != NULL && sk_strerror(SK_EPIPE) != NULL && sk_error_name(SK_EPIPE) != NULL);

    sk_handle l = MADE(sk_serve("tcp://127.0.0.1:0", 4));
    CHECK_OK(sk_set_timeout(l, 5000));
    CHECK_OK(sk_local_addr(l, &at));
    strcpy(text, "tcp://");
    CHECK_GT(sk_addr_format(&at, text + 6, SK_ADDR_STRLEN), 0);
    sk_handle c = MADE(sk_dial(text, 1000)), s = MADE(sk_accept(l, &peer));
    CHECK_OK(sk_set_option(c, SK_OPT_NODELAY, 0));
    CHECK_OK(sk_get_option(c, SK_OPT_NODELAY, &value));
    CHECK_GT(sk_get_option_text(c, SK_OPT_CONGESTION, name, sizeof name), 0);
    /* qemu takes the name for a number. */
    if (!CHECK_EMULATED) CHECK_OK(sk_set_option_text(c, SK_OPT_CONGESTION, name));
    CHECK_OK(sk_set_timeout(c, 1000));
    every_of_a_connection(c, s, file);
    CHECK_OK(sk_close(l));

    l = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_OK(sk_bind(l, NULL, 0));
    CHECK_OK(sk_listen(l, 4));
    CHECK_OK(sk_local_addr(l, &at));
    c = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_OK(sk_connect_addr(c, &at));
    s = MADE(sk_accept(l, NULL));
    every_of_a_connection(c, s, file);
    CHECK_OK(sk_close(l));
    close(file);

    l = tcp_listener(SK_INET, 1);
    c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    CHECK_OK(sk_close(c));
    CHECK_OK(sk_close(l));

    every_of_datagrams();
    every_of_pollers();
    every_of_descriptors();
    CHECK_GIVES(sk_resolve("127.0.0.1", 80, SK_UNSPEC, 1000, &at, 1), 1);
    CHECK_OK(sk_addr_to_sockaddr(&at, raw, &len));
    CHECK_OK(sk_addr_from_sockaddr(raw, len, &peer));
    CHECK_EQ(sk_addr_equal(&at, &peer), 1);
    CHECK_FAILS(sk_init(NULL), SK_EBUSY);
    CHECK_GIVES(sk_open_count(), open);
}

#endif
