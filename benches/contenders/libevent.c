/* libevent: buffered connections (bufferevent) on an event loop. What is sent goes into a buffer,
 * which the loop writes as soon as the connection is ready for it. send runs the loop until all
 * has gone; send_more leaves it in the buffer, as long as there is not too much in it. */
#include "contender.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

const struct contender contender = {.style = "event loop, buffered", .version = event_get_version};

static struct event_base *base;

struct stream {
    struct bufferevent *buffered;
    struct evconnlistener *listener;
    int connected, ended, first, last;
    evutil_socket_t waiting[64]; /* to be accepted */
};

static void start(void) {
    if (base == NULL)
        base = event_base_new();
    check(base != NULL, "event_base_new");
}

static void turn(void) { check(event_base_loop(base, EVLOOP_ONCE) == 0, "event_base_loop"); }

static struct sockaddr_in loopback(uint16_t port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return a;
}

static struct evconnlistener *listen_with(evconnlistener_cb callback, void *data, uint16_t *port) {
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof address;
    start();
    struct evconnlistener *listener = evconnlistener_new_bind(
        base, callback, data, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, 4096,
        (struct sockaddr *)&address, sizeof address);
    check(listener != NULL, "evconnlistener_new_bind");
    check(getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &len) == 0, "getsockname");
    *port = ntohs(address.sin_port);
    return listener;
}

/* libevent has no call for it. */
static void no_delay(evutil_socket_t fd) {
    int on = 1;
    check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
}

/* --- TCP --------------------------------------------------------------------------------------- */

static void on_client(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a, int len, void *data) {
    struct stream *s = data;
    (void)l, (void)a, (void)len;
    s->waiting[s->last++ % 64] = fd;
}

static end tcp_listen(uint16_t *port) {
    struct stream *s = new_zeroed(sizeof *s);
    s->listener = listen_with(on_client, s, port);
    return end_of(s);
}

static void on_event(struct bufferevent *b, short what, void *data) {
    struct stream *s = data;
    (void)b;
    check(!(what & BEV_EVENT_ERROR), "a connection");
    s->connected |= (what & BEV_EVENT_CONNECTED) != 0;
    s->ended |= (what & BEV_EVENT_EOF) != 0;
}

static struct stream *new_stream(evutil_socket_t fd) {
    struct stream *s = new_zeroed(sizeof *s);
    start();
    s->buffered = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    check(s->buffered != NULL, "bufferevent_socket_new");
    bufferevent_setcb(s->buffered, NULL, NULL, on_event, s);
    /* As much at a time as the others, and no more is taken than is asked for. */
    bufferevent_set_max_single_read(s->buffered, ROOM);
    bufferevent_set_max_single_write(s->buffered, ROOM);
    bufferevent_setwatermark(s->buffered, EV_READ, 0, ROOM);
    bufferevent_enable(s->buffered, EV_READ | EV_WRITE);
    return s;
}

static end tcp_connect(uint16_t port) {
    struct sockaddr_in address = loopback(port);
    struct stream *s = new_stream(-1);
    check(bufferevent_socket_connect(s->buffered, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    while (!s->connected)
        turn();
    no_delay(bufferevent_getfd(s->buffered));
    return end_of(s);
}

static end tcp_accept(end e) {
    struct stream *listener = object(e);
    while (listener->first == listener->last)
        turn();
    evutil_socket_t fd = listener->waiting[listener->first++ % 64];
    no_delay(fd);
    return end_of(new_stream(fd));
}

static void drain(struct stream *s, size_t most) {
    while (evbuffer_get_length(bufferevent_get_output(s->buffered)) > most)
        turn();
}

static void tcp_send_more(end e, const char *data, size_t len) {
    struct stream *s = object(e);
    check(bufferevent_write(s->buffered, data, len) == 0, "bufferevent_write");
    drain(s, 65536);
}

static void tcp_send(end e, const char *data, size_t len) {
    tcp_send_more(e, data, len);
    drain(object(e), 0);
}

static void tcp_send_parts(end e, const char *data, size_t len) {
    struct evbuffer *output = bufferevent_get_output(((struct stream *)object(e))->buffered);
    for (size_t i = 0; i < PARTS; i++)
        check(evbuffer_add_reference(output, data + i * len, len, NULL, NULL) == 0, "evbuffer_add_reference");
    drain(object(e), 0);
}

static size_t tcp_recv(end e, char *data, size_t room) {
    struct stream *s = object(e);
    size_t got;
    while ((got = bufferevent_read(s->buffered, data, room)) == 0 && !s->ended)
        turn();
    return got;
}

static void tcp_send_file(end e, const char *path, size_t len) {
    struct stream *s = object(e);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    check(file >= 0, path);
    /* Closes the file when it has gone. */
    check(evbuffer_add_file(bufferevent_get_output(s->buffered), file, 0, (ev_off_t)len) == 0, "evbuffer_add_file");
    drain(s, 0);
}

static void tcp_close(end e) {
    struct stream *s = object(e);
    if (s->listener != NULL)
        evconnlistener_free(s->listener);
    else
        bufferevent_free(s->buffered);
    free(s);
}

const struct tcp tcp = {
    .listen = tcp_listen,
    .connect = tcp_connect,
    .accept = tcp_accept,
    .send = tcp_send,
    .send_more = tcp_send_more,
    .send_parts = tcp_send_parts,
    .recv = tcp_recv,
    .send_file = tcp_send_file,
    .close = tcp_close,
};

const struct udp udp = {.without = "no calls for datagrams: it waits, and the program calls the system itself"};

/* --- Many -------------------------------------------------------------------------------------- */

static long connections_left;

static void echo(struct bufferevent *b, void *data) {
    (void)data;
    check(bufferevent_write_buffer(b, bufferevent_get_input(b)) == 0, "bufferevent_write_buffer");
}

static void on_end(struct bufferevent *b, short what, void *data) {
    (void)data;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
        bufferevent_free(b);
        if (--connections_left == 0)
            event_base_loopbreak(base);
    }
}

static void welcome(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a, int len, void *data) {
    (void)l, (void)a, (void)len, (void)data;
    no_delay(fd);
    struct bufferevent *b = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    check(b != NULL, "bufferevent_socket_new");
    bufferevent_setcb(b, echo, NULL, on_end, NULL);
    bufferevent_enable(b, EV_READ | EV_WRITE);
}

static void serve(long connections, void (*ready)(uint16_t port)) {
    uint16_t port;
    connections_left = connections;
    listen_with(welcome, NULL, &port);
    ready(port);
    event_base_dispatch(base);
}

const struct many many = {.serve = serve};
