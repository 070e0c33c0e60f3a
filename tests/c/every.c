/* What holds for every function: errno is left alone on success, no descriptor is left, a child may
 * use it, and a bad handle, or one of the wrong kind, is answered before anything else is looked at. */
#include "every.h"

/* The functions of a list in this folder that some file here does not name. */
static void check_complete(const char *file, const char *except)
{
    static char text[200000];
    char path[500], function[64], call[80];
    const char *slash = strrchr(__FILE__, '/');
    int folder = slash == NULL ? 0 : (int)(slash - __FILE__ + 1);
    snprintf(path, sizeof path, "%.*s%s", folder, __FILE__, file);
    FILE *f = fopen(path, "re");
    CHECK(f != NULL);
    size_t len = fread(text, 1, sizeof text - 1, f);
    text[len] = '\0';
    fclose(f);
    snprintf(path, sizeof path, "%.*s../functions.txt", folder, __FILE__);
    f = fopen(path, "re");
    CHECK(f != NULL);
    int count = 0;
    while (fscanf(f, "%63s", function) == 1) {
        count += 1;
        snprintf(call, sizeof call, " %s ", function);
        if (strstr(except, call) != NULL) continue;
        snprintf(call, sizeof call, "%s(", function);
        if (strstr(text, call) == NULL) FAIL("%s is missing in %s", function, file);
    }
    CHECK_GE(count, 61);
    fclose(f);
}

CASE(success_leaves_errno_alone) { use_every_function(); }
CASE(none_is_missing) { check_complete("every.h", ""); }

/* --- After a fork ------------------------------------------------------------------------------ */

static void in_a_child(void *argument)
{
    int *depth = argument;
    use_every_function();
    if ((*depth)++ < 2) in_child(in_a_child, depth);
}
CASE(every_function_works_in_a_child)
{
    int depth = 0;
    in_child(in_a_child, &depth); /* before the first use in the parent */
    use_every_function();
    in_child(in_a_child, &depth);
    use_every_function();
}

/* Handles from before the fork. */
struct inherited {
    sk_handle listener, tcp[2], udp[2], stream[2], seqpacket[2];
    uint16_t port;
    int file;
};
static void use_inherited(void *argument)
{
    struct inherited *i = argument;
    char b[8];
    sk_buf piece = {b, 3};
    sk_dgram d;
    sk_cred cred;
    sk_event e[2];
    memset(&d, 0, sizeof d);
    memcpy(b, "abc", 3);
    d.data = b;
    d.room = d.len = 3;
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, "127.0.0.1", i->port));
    CHECK_OK(sk_close(MADE(sk_accept(i->listener, NULL))));
    CHECK_OK(sk_close(c));
    CHECK_GIVES(sk_sendv(i->tcp[0], &piece, 1, 0), 3);
    CHECK_GIVES(sk_recvv(i->tcp[1], &piece, 1, 0), 3);
    CHECK_GIVES(sk_send_file(i->stream[0], i->file, 1, -1), 3);
    CHECK_OK(sk_recv_all(i->stream[1], b, 3, NULL));
    CHECK_GIVES(sk_send_batch(i->udp[0], &d, 1, 0), 1);
    CHECK_GIVES(sk_recv_batch(i->udp[1], &d, 1, 0), 1);
    CHECK_OK(sk_send_handle(i->stream[0], i->udp[0]));
    CHECK_OK(sk_close(MADE(sk_recv_handle(i->stream[1]))));
    CHECK_OK(sk_peer_cred(i->seqpacket[0], &cred));
    sk_handle p = MADE(sk_poller());
    for (int k = 0; k < 2; k++) CHECK_OK(sk_poller_add(p, i->tcp[k], SK_WRITABLE, 0));
    CHECK_GIVES(sk_poller_wait(p, e, 2, 1000), 2);
    CHECK_OK(sk_close(p));
    sk_poll_item items[2] = {{i->udp[0], SK_WRITABLE, 0}, {i->stream[0], SK_READABLE, 0}};
    CHECK_GIVES(sk_poll(items, 2, 0), 1);
    int64_t fd = sk_into_fd(i->seqpacket[1]);
    CHECK_GE(fd, 0);
    CHECK_OK(sk_close(MADE(sk_from_fd(fd))));
    CHECK_FAILS(sk_finish(i->tcp[0], 0), SK_EAGAIN);
    CHECK_OK(sk_abort(i->tcp[1]));
}
CASE(inherited_handles_work_in_a_child)
{
    struct inherited i;
    i.listener = tcp_listener(SK_INET, 4);
    i.port = port_of(i.listener);
    i.file = memfd_create("file", MFD_CLOEXEC);
    CHECK_EQ(write(i.file, "file", 4), 4);
    tcp_pair(SK_INET, i.tcp);
    udp_pair(SK_INET, i.udp);
    unix_pair(SK_STREAM, i.stream);
    unix_pair(SK_SEQPACKET, i.seqpacket);
    int64_t open = sk_open_count();
    in_child(use_inherited, &i);
    CHECK_GIVES(sk_open_count(), open);
    tcp_pair(SK_INET, i.tcp); /* sk_finish ended the connection for both */
    use_inherited(&i);
}

/* --- Handles ------------------------------------------------------------------------------------- */

static char byte[4] = "abc";
static size_t some = 4711;
static int64_t value = 4711;
static sk_addr addr;
static sk_dgram dgram;
static sk_buf buf;
static sk_event event;
static sk_cred cred;

/* Each twice: with the rest of the arguments in order, and wrong. */
#define OF_SOCKETS(X)                                                                              \
    X(sk_abort(h)) X(sk_accept(h, &addr)) X(sk_bind(h, "127.0.0.1", 0)) X(sk_bind(h, "x y", 1))    \
    X(sk_bind_addr(h, &addr)) X(sk_bind_addr(h, NULL))                                             \
    X(sk_connect(h, "127.0.0.1", 1)) X(sk_connect(h, NULL, 1))                                     \
    X(sk_connect_addr(h, &addr)) X(sk_connect_addr(h, NULL)) X(sk_dup(h)) X(sk_fd(h))              \
    X(sk_finish(h, 0)) X(sk_finish(h, -2)) X(sk_into_fd(h))                                        \
    X(sk_get_option_text(h, SK_OPT_CONGESTION, byte, 4)) X(sk_get_option_text(h, 0, NULL, 4))      \
    X(sk_set_option_text(h, SK_OPT_CONGESTION, "reno")) X(sk_set_option_text(h, 0, NULL))          \
    X(sk_get_option(h, SK_OPT_TYPE, &value)) X(sk_get_option(h, -1, NULL))                         \
    X(sk_set_option(h, SK_OPT_NODELAY, 1)) X(sk_set_option(h, -1, 1))                              \
    X(sk_join_group(h, &addr, NULL, NULL)) X(sk_join_group(h, NULL, NULL, "no such"))              \
    X(sk_leave_group(h, &addr, NULL, NULL)) X(sk_leave_group(h, NULL, NULL, "no such"))            \
    X(sk_listen(h, 1)) X(sk_local_addr(h, &addr)) X(sk_local_addr(h, NULL))                        \
    X(sk_peer_addr(h, &addr)) X(sk_peer_addr(h, NULL)) X(sk_peer_cred(h, &cred))                   \
    X(sk_peer_cred(h, NULL)) X(sk_recv(h, byte, 1, SK_DONTWAIT)) X(sk_recv(h, NULL, 1, -1))        \
    X(sk_recv(h, NULL, 0, 0)) X(sk_recv_all(h, byte, 1, NULL)) X(sk_recv_all(h, NULL, 1, NULL))    \
    X(sk_recv_batch(h, &dgram, 1, SK_DONTWAIT)) X(sk_recv_batch(h, NULL, 1, -1))                   \
    X(sk_recv_batch(h, NULL, 0, 0)) X(sk_recv_from(h, byte, 1, SK_DONTWAIT, &addr))                \
    X(sk_recv_from(h, NULL, 1, -1, NULL)) X(sk_recv_handle(h))                                     \
    X(sk_recvv(h, &buf, 1, SK_DONTWAIT)) X(sk_recvv(h, NULL, 1, -1)) X(sk_recvv(h, &buf, 1025, 0)) \
    X(sk_send(h, byte, 1, 0)) X(sk_send(h, NULL, 1, -1)) X(sk_send(h, NULL, 0, 0))                 \
    X(sk_send_all(h, byte, 1, NULL)) X(sk_send_all(h, NULL, SIZE_MAX, NULL))                       \
    X(sk_send_batch(h, &dgram, 1, 0)) X(sk_send_batch(h, NULL, 1, -1)) X(sk_send_batch(h, NULL, 0, 0)) \
    X(sk_send_file(h, 0, 0, 0)) X(sk_send_file(h, -1, -1, -2))                                     \
    X(sk_send_to(h, byte, 1, 0, &addr)) X(sk_send_to(h, NULL, 1, -1, NULL))                        \
    X(sk_sendv(h, &buf, 1, 0)) X(sk_sendv(h, NULL, 1, -1)) X(sk_sendv(h, &buf, 1025, 0))           \
    X(sk_set_timeout(h, 1)) X(sk_set_timeout(h, -2)) X(sk_shutdown(h, SK_SHUT_BOTH))               \
    X(sk_shutdown(h, 0)) X(sk_send_handle(h, good)) X(sk_send_handle(good, h))                     \
    X(sk_poller_add(poller, h, SK_READABLE, 0)) X(sk_poller_add(poller, h, 1u << 30, 0))           \
    X(sk_poller_modify(poller, h, SK_READABLE, 0)) X(sk_poller_modify(poller, h, 1u << 30, 0))     \
    X(sk_poller_remove(poller, h))
#define OF_POLLERS(X)                                                                              \
    X(sk_poller_add(h, good, SK_READABLE, 0)) X(sk_poller_add(h, good, 1u << 30, 0))               \
    X(sk_poller_modify(h, good, SK_READABLE, 0)) X(sk_poller_modify(h, good, 1u << 30, 0))         \
    X(sk_poller_remove(h, good)) X(sk_poller_wait(h, &event, 1, 0)) X(sk_poller_wait(h, NULL, 0, -2)) \
    X(sk_poller_wake(h))
#define OF_BOTH(X) X(sk_close(h)) X(sk_wait(h, SK_READABLE, 0)) X(sk_wait(h, 1u << 30, -2))

static void check_answer(const char *call, int64_t result, int64_t wanted, int error)
{
    if (result != wanted || error != check_errno_of(wanted))
        FAIL("%s: %lld %s, wanted %s, errno %d", call, (long long)result, check_name_of(result), check_name_of(wanted), error);
}
#define ANSWERS(call)                                                                              \
    do {                                                                                           \
        errno = 0;                                                                                 \
        int64_t answer = call;                                                                     \
        check_answer(#call, answer, wanted, errno);                                                \
    } while (0);

static void no_output_was_touched(void)
{
    static const sk_event no_event;
    static const sk_cred no_cred;
    sk_addr loopback4;
    CHECK_OK(sk_addr_parse("127.0.0.1:1", &loopback4));
    CHECK_EQ(some, 4711);
    CHECK_EQ(value, 4711);
    CHECK_TEXT(byte, "abc");
    CHECK_EQ(memcmp(&addr, &loopback4, sizeof addr), 0);
    CHECK_EQ(memcmp(&event, &no_event, sizeof event), 0);
    CHECK_EQ(memcmp(&cred, &no_cred, sizeof cred), 0);
    CHECK_EQ(dgram.len, 1);
}
static void prepare(void)
{
    buf = (sk_buf){byte, 1};
    dgram.data = byte;
    dgram.room = dgram.len = 1;
    CHECK_OK(sk_addr_parse("127.0.0.1:1", &addr));
}

CASE(a_bad_handle_comes_first_everywhere)
{
    sk_handle pair[2], poller = MADE(sk_poller());
    prepare();
    unix_pair(SK_STREAM, pair);
    sk_handle good = pair[0], closed = MADE(sk_dup(good)), gone = MADE(sk_poller());
    CHECK_OK(sk_close(closed));
    CHECK_OK(sk_close(gone));
    const sk_handle bad[] = {0, -1, 1, 77, INT64_MAX, INT64_MIN, closed, gone, good ^ ((int64_t)1 << 40)};
    const int64_t wanted = SK_EBADHANDLE;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sk_handle h = bad[i];
        OF_SOCKETS(ANSWERS)
        OF_POLLERS(ANSWERS)
        OF_BOTH(ANSWERS)
    }
    no_output_was_touched();
    CHECK_GIVES(sk_open_count(), 3);
    CHECK_FAILS(sk_recv(pair[1], byte, 1, SK_DONTWAIT), SK_EAGAIN);
    check_complete("every.c",
                   " sk_addr_equal sk_addr_format  sk_addr_from_sockaddr  sk_addr_to_sockaddr  sk_addr_equal "
                   " sk_dial  sk_error_name  sk_from_fd  sk_init  sk_memory_needed  sk_poll  sk_resolve  sk_serve "
                   " sk_socketpair  sk_strerror  sk_version ");
}

CASE(the_wrong_kind_comes_next)
{
    sk_handle pair[2], poller = MADE(sk_poller()), another = MADE(sk_poller());
    prepare();
    unix_pair(SK_STREAM, pair);
    sk_handle good = pair[0];
    const int64_t wanted = SK_EOPNOTSUPP;
    {
        sk_handle h = another;
        OF_SOCKETS(ANSWERS)
        h = poller; /* also in itself */
        OF_SOCKETS(ANSWERS)
        h = pair[1];
        OF_POLLERS(ANSWERS)
        h = good;
        OF_POLLERS(ANSWERS)
    }
    no_output_was_touched();
    CHECK_GIVES(sk_open_count(), 4);
    CHECK_FAILS(sk_recv(pair[1], byte, 1, SK_DONTWAIT), SK_EAGAIN);
    CHECK_FAILS(sk_recv(pair[0], byte, 1, SK_DONTWAIT), SK_EAGAIN);
}

/* --- Outputs ------------------------------------------------------------------------------------- */

CASE(outputs_are_written_only_on_success)
{
    sk_handle tcp = MADE(sk_socket(SK_INET, SK_STREAM, 0)), udp = udp_bound(SK_INET), pair[2] = {7, 8};
    sk_handle poller = MADE(sk_poller()), seqpacket[2];
    char text[8] = "before", raw[128];
    uint32_t len = 3;
    sk_dgram in, copy;
    prepare();
    unix_pair(SK_SEQPACKET, seqpacket);
    memset(raw, 0x5A, sizeof raw);
    memset(&in, 0x5A, sizeof in);
    in.data = byte;
    in.room = 1;
    in.local = &addr;
    copy = in;
    CHECK_FAILS(sk_socketpair(0, pair), SK_EINVAL);
    CHECK(pair[0] == 7 && pair[1] == 8);
    CHECK_FAILS(sk_get_option_text(udp, SK_OPT_CONGESTION, text, 8), SK_ENOPROTOOPT);
    CHECK_FAILS(sk_get_option_text(tcp, SK_OPT_NODELAY, text, 8), SK_ENOPROTOOPT);
    CHECK_FAILS(sk_get_option_text(tcp, 12345, text, 8), SK_EINVAL);
    CHECK_FAILS(sk_addr_format(NULL, text, 8), SK_EINVAL);
    sk_addr strange = addr;
    strange.family = 77;
    CHECK_LT(sk_addr_format(&strange, text, 8), 0);
    CHECK_TEXT(text, "before");
    CHECK_FAILS(sk_addr_to_sockaddr(&addr, raw, &len), SK_ENOBUFS);
    CHECK_EQ(len, 3);
    len = sizeof raw;
    CHECK_LT(sk_addr_to_sockaddr(&strange, raw, &len), 0);
    CHECK_EQ(len, sizeof raw);
    for (size_t i = 0; i < sizeof raw; i++) CHECK_EQ(raw[i], 0x5A);
    CHECK_FAILS(sk_addr_from_sockaddr(raw, 1, &addr), SK_EINVAL);
    CHECK_FAILS(sk_addr_from_sockaddr(raw, sizeof raw, &addr), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_resolve("no-such-host.invalid", 0, SK_UNSPEC, 0, &addr, 1), SK_EAGAIN);
    CHECK_FAILS(sk_resolve("127.0.0.1", 0, SK_INET6, 0, &addr, 1), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_recv_from(udp, byte, 1, SK_DONTWAIT, &addr), SK_EAGAIN);
    CHECK_FAILS(sk_recv_batch(udp, &in, 1, SK_DONTWAIT), SK_EAGAIN);
    CHECK_EQ(memcmp(&in, &copy, sizeof in), 0);
    CHECK_FAILS(sk_peer_addr(udp, &addr), SK_ENOTCONN);
    CHECK_OK(sk_set_timeout(udp, 0));
    CHECK_FAILS(sk_accept(tcp, &addr), SK_EINVAL);
    CHECK_GIVES(sk_poller_wait(poller, &event, 1, 0), 0);
    CHECK_FAILS(sk_poller_wait(poller, &event, 1, -2), SK_EINVAL);
    CHECK_FAILS(sk_peer_cred(tcp, &cred), SK_EOPNOTSUPP);
    CHECK_LT(sk_peer_cred(MADE(sk_socket(SK_UNIX, SK_STREAM, 0)), &cred), 0);
    no_output_was_touched();
}

/* Each length is refused where it is longer than a buffer can be; the pointer is not followed. */
CASE(lengths_over_int64_max)
{
    static const size_t long_ones[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX};
    sk_handle p[2], poller = MADE(sk_poller()), udp = udp_bound(SK_INET);
    prepare();
    tcp_pair(SK_INET, p);
    for (size_t i = 0; i < 2; i++) {
        size_t len = long_ones[i];
        sk_buf pieces[2] = {{byte, 1}, {byte, len}}, halves[2] = {{byte, PTRDIFF_MAX}, {byte, PTRDIFF_MAX}};
        sk_dgram d = dgram;
        some = 0;
        CHECK_FAILS(sk_send_all(p[0], byte, len, &some), SK_EINVAL);
        CHECK_FAILS(sk_recv_all(p[0], byte, len, &some), SK_EINVAL);
        CHECK_FAILS(sk_sendv(p[0], pieces, 2, 0), SK_EINVAL);
        CHECK_FAILS(sk_recvv(p[0], pieces, 2, SK_DONTWAIT), SK_EINVAL);
        CHECK_FAILS(sk_sendv(p[0], halves, 2, 0), SK_EINVAL);
        CHECK_FAILS(sk_recvv(p[0], halves, 2, SK_DONTWAIT), SK_EINVAL);
        d.len = d.room = len;
        CHECK_FAILS(sk_send_batch(udp, &d, 1, 0), SK_EINVAL);
        CHECK_FAILS(sk_recv_batch(udp, &d, 1, SK_DONTWAIT), SK_EINVAL);
        CHECK_FAILS(sk_send_batch(udp, &d, len, 0), SK_EINVAL);
        CHECK_FAILS(sk_recv_batch(udp, &d, len, SK_DONTWAIT), SK_EINVAL);
        CHECK_FAILS(sk_get_option_text(p[0], SK_OPT_CONGESTION, byte, len), SK_EINVAL);
        CHECK_FAILS(sk_addr_format(&addr, byte, len), SK_EINVAL);
        CHECK_FAILS(sk_resolve("127.0.0.1", 0, SK_UNSPEC, 0, &addr, len), SK_EINVAL);
        CHECK_FAILS(sk_poller_wait(poller, &event, len, 0), SK_EINVAL);
    }
    CHECK_FAILS(sk_recv(p[1], byte, 1, SK_DONTWAIT), SK_EAGAIN);
    CHECK_TEXT(byte, "abc");
}
