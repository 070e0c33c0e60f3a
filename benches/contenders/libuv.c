/* libuv: callbacks on an event loop. A call runs the loop until that which it waits for has come.
 * Reading goes on all the time, into the buffer of whoever waits; where nobody does, there is none
 * to give, and libuv asks again in its next turn. */
#include "contender.h"

#include <fcntl.h>
#include <unistd.h>
#include <uv.h>

const struct contender contender = {.style = "event loop", .version = uv_version_string};

static uv_loop_t loop;

static void good(int result, const char *what) {
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(result));
        exit(EXIT_FAILURE);
    }
}

static void start(void) {
    static int started;
    if (!started)
        good(uv_loop_init(&loop), "uv_loop_init");
    started = 1;
}

static void until(const int *done) {
    while (!*done)
        uv_run(&loop, UV_RUN_ONCE);
}

/* --- TCP --------------------------------------------------------------------------------------- */

struct stream {
    uv_tcp_t tcp;
    int done, closed, waiting; /* connections that wait to be accepted */
    char *data;
    size_t room, got;
};

static struct stream *new_stream(void) {
    start();
    struct stream *s = new_zeroed(sizeof *s);
    good(uv_tcp_init(&loop, &s->tcp), "uv_tcp_init");
    return s;
}

static uint16_t bound(uv_tcp_t *t) {
    struct sockaddr_in address;
    int len = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    good(uv_tcp_bind(t, (struct sockaddr *)&address, 0), "uv_tcp_bind");
    good(uv_tcp_getsockname(t, (struct sockaddr *)&address, &len), "uv_tcp_getsockname");
    return ntohs(address.sin_port);
}

static void on_client(uv_stream_t *listener, int status) {
    good(status, "listen");
    ((struct stream *)listener)->waiting++;
}

static end tcp_listen(uint16_t *port) {
    struct stream *s = new_stream();
    *port = bound(&s->tcp);
    good(uv_listen((uv_stream_t *)s, 4096, on_client), "uv_listen");
    return end_of(s);
}

static void give_buffer(uv_handle_t *handle, size_t hint, uv_buf_t *buf) {
    struct stream *s = (struct stream *)handle;
    (void)hint;
    *buf = uv_buf_init(s->data, (unsigned)s->room);
}

static void on_data(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct stream *s = (struct stream *)stream;
    (void)buf;
    if (n == 0 || n == UV_ENOBUFS)
        return;
    s->room = 0;
    s->done = 1;
    if (n != UV_EOF)
        good((int)n, "read");
    s->got = n < 0 ? 0 : (size_t)n;
}

static end begin_reading(struct stream *s) {
    good(uv_tcp_nodelay(&s->tcp, 1), "uv_tcp_nodelay");
    good(uv_read_start((uv_stream_t *)s, give_buffer, on_data), "uv_read_start");
    return end_of(s);
}

static void on_connected(uv_connect_t *request, int status) {
    good(status, "connect");
    *(int *)request->data = 1;
}

static end tcp_connect(uint16_t port) {
    struct stream *s = new_stream();
    struct sockaddr_in address;
    int connected = 0;
    uv_connect_t request = {.data = &connected};
    uv_ip4_addr("127.0.0.1", port, &address);
    good(uv_tcp_connect(&request, &s->tcp, (struct sockaddr *)&address, on_connected), "uv_tcp_connect");
    until(&connected);
    return begin_reading(s);
}

static end tcp_accept(end e) {
    struct stream *listener = object(e), *s = new_stream();
    until(&listener->waiting);
    listener->waiting--;
    good(uv_accept((uv_stream_t *)listener, (uv_stream_t *)s), "uv_accept");
    return begin_reading(s);
}

static void on_written(uv_write_t *request, int status) {
    good(status, "write");
    *(int *)request->data = 1;
}

static void send_bufs(struct stream *s, uv_buf_t *bufs, size_t count, size_t len) {
    int sent = uv_try_write((uv_stream_t *)s, bufs, (unsigned)count), written = 0;
    if (sent == UV_EAGAIN)
        sent = 0;
    good(sent, "uv_try_write");
    if ((size_t)sent == len)
        return;
    uv_write_t request = {.data = &written};
    uv_buf_t rest = uv_buf_init(bufs[0].base + sent, (unsigned)(len - (size_t)sent));
    good(uv_write(&request, (uv_stream_t *)s, &rest, 1, on_written), "uv_write");
    until(&written);
}

static void tcp_send(end e, const char *data, size_t len) {
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)len);
    send_bufs(object(e), &buf, 1, len);
}

static void tcp_send_parts(end e, const char *data, size_t len) {
    uv_buf_t bufs[PARTS];
    for (size_t i = 0; i < PARTS; i++)
        bufs[i] = uv_buf_init((char *)data + i * len, (unsigned)len);
    send_bufs(object(e), bufs, PARTS, PARTS * len);
}

static size_t tcp_recv(end e, char *data, size_t room) {
    struct stream *s = object(e);
    s->data = data;
    s->room = room;
    s->done = 0;
    until(&s->done);
    return s->got;
}

/* sendfile needs a descriptor that waits. */
static void tcp_send_file(end e, const char *path, size_t len) {
    struct stream *s = object(e);
    uv_os_fd_t fd;
    uv_fs_t request;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    check(file >= 0, path);
    good(uv_stream_set_blocking((uv_stream_t *)s, 1), "uv_stream_set_blocking");
    good(uv_fileno((uv_handle_t *)s, &fd), "uv_fileno");
    for (size_t sent = 0; sent < len;) {
        int n = uv_fs_sendfile(&loop, &request, fd, file, (int64_t)sent, len - sent, NULL);
        good(n, "uv_fs_sendfile");
        check(n > 0, "the end of the file");
        sent += (size_t)request.result;
        uv_fs_req_cleanup(&request);
    }
    good(uv_stream_set_blocking((uv_stream_t *)s, 0), "uv_stream_set_blocking");
    close(file);
}

static void on_closed(uv_handle_t *handle) { ((struct stream *)handle)->closed = 1; }

static void tcp_close(end e) {
    struct stream *s = object(e);
    uv_close((uv_handle_t *)s, on_closed);
    until(&s->closed);
    free(s);
}

const struct tcp tcp = {
    .without = "no MSG_MORE",
    .listen = tcp_listen,
    .connect = tcp_connect,
    .accept = tcp_accept,
    .send = tcp_send,
    .send_parts = tcp_send_parts,
    .recv = tcp_recv,
    .send_file = tcp_send_file,
    .close = tcp_close,
};

/* --- UDP: a batch is queued and goes with sendmmsg in the loop's next turn -------------------------- */

static const struct datagrams *plan;
static uv_udp_t sender, receiver;
static struct sockaddr_in target;
static uv_udp_send_t requests[MOST_MESSAGES];
static long taken, room_from, given;
static size_t taken_bytes;
static int sent_all, received, left;

static void udp_room(uv_handle_t *handle, size_t hint, uv_buf_t *buf) {
    (void)handle, (void)hint;
    long at = room_from + given;
    /* With recvmmsg it cuts one buffer into pieces of 64 KiB, the room of a message. */
    long messages = plan->batched ? (long)plan->count - at : given == 0;
    *buf = uv_buf_init(plan->room + at * MESSAGE_ROOM, (unsigned)(messages > 0 ? messages * MESSAGE_ROOM : 0));
    if (!plan->batched)
        given = 1;
}

static void on_datagram(uv_udp_t *h, ssize_t n, const uv_buf_t *b, const struct sockaddr *from, unsigned flags) {
    (void)h, (void)b, (void)flags;
    if (n == UV_ENOBUFS || (n == 0 && from == NULL))
        return;
    good((int)n, "receive");
    taken++;
    taken_bytes += (size_t)n;
    if (plan->batched)
        given = taken;
    received = 1;
}

static void udp_open(const struct datagrams *d) {
    int len = sizeof target, buffer = RECEIVE_BUFFER;
    start();
    plan = d;
    good(uv_udp_init_ex(&loop, &receiver, AF_INET | (d->batched ? UV_UDP_RECVMMSG : 0)), "uv_udp_init_ex");
    good(uv_udp_init(&loop, &sender), "uv_udp_init");
    uv_ip4_addr("127.0.0.1", 0, &target);
    good(uv_udp_bind(&receiver, (struct sockaddr *)&target, 0), "uv_udp_bind");
    good(uv_recv_buffer_size((uv_handle_t *)&receiver, &buffer), "uv_recv_buffer_size");
    good(uv_udp_getsockname(&receiver, (struct sockaddr *)&target, &len), "uv_udp_getsockname");
}

static void on_sent(uv_udp_send_t *request, int status) {
    (void)request;
    good(status, "send");
    sent_all = --left == 0;
}

static long udp_send(long first) {
    uv_buf_t buf = uv_buf_init(plan->space + first * MESSAGE_ROOM, (unsigned)plan->len);
    if (!plan->batched) {
        good(uv_udp_try_send(&sender, &buf, 1, (struct sockaddr *)&target), "uv_udp_try_send");
        return 1;
    }
    left = (int)plan->count - (int)first;
    sent_all = 0;
    for (long i = first; i < (long)plan->count; i++) {
        buf.base = plan->space + i * MESSAGE_ROOM;
        good(uv_udp_send(&requests[i], &sender, &buf, 1, (struct sockaddr *)&target, on_sent), "uv_udp_send");
    }
    until(&sent_all);
    return (long)plan->count - first;
}

static long udp_recv(long first, size_t *bytes) {
    room_from = first;
    given = taken = 0;
    taken_bytes = 0;
    received = 0;
    if (first == 0)
        good(uv_udp_recv_start(&receiver, udp_room, on_datagram), "uv_udp_recv_start");
    until(&received);
    if (first + taken == (long)plan->count)
        uv_udp_recv_stop(&receiver);
    *bytes += taken_bytes;
    return taken;
}

const struct udp udp = {
    .without = "no segmentation", .singles = 1, .batches = 1, .open = udp_open, .send = udp_send, .recv = udp_recv};

/* --- Many -------------------------------------------------------------------------------------- */

static long connections_left;
static char shared_room[65536];

static void shared_buffer(uv_handle_t *handle, size_t hint, uv_buf_t *buf) {
    (void)handle, (void)hint;
    *buf = uv_buf_init(shared_room, sizeof shared_room);
}

static void on_gone(uv_handle_t *handle) {
    free(handle);
    if (--connections_left == 0)
        uv_stop(&loop);
}

static void echo(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    if (n < 0) {
        uv_close((uv_handle_t *)stream, on_gone);
    } else if (n > 0) {
        uv_buf_t answer = uv_buf_init(buf->base, (unsigned)n);
        check(uv_try_write(stream, &answer, 1) == n, "uv_try_write");
    }
}

static void welcome(uv_stream_t *listener, int status) {
    good(status, "listen");
    uv_tcp_t *t = new_zeroed(sizeof *t);
    good(uv_tcp_init(&loop, t), "uv_tcp_init");
    good(uv_accept(listener, (uv_stream_t *)t), "uv_accept");
    good(uv_tcp_nodelay(t, 1), "uv_tcp_nodelay");
    good(uv_read_start((uv_stream_t *)t, shared_buffer, echo), "uv_read_start");
}

static void serve(long connections, void (*ready)(uint16_t port)) {
    static uv_tcp_t listener;
    start();
    connections_left = connections;
    good(uv_tcp_init(&loop, &listener), "uv_tcp_init");
    uint16_t port = bound(&listener);
    good(uv_listen((uv_stream_t *)&listener, 4096, welcome), "uv_listen");
    ready(port);
    uv_run(&loop, UV_RUN_DEFAULT);
}

const struct many many = {.serve = serve};
