/* The calls over TCP of raw.c and libsk.c: both are made of those in sock.h, line by line alike.
 * They bring what differs: sock_send_more, sock_send_parts and sock_send_file. */
static end tcp_listen(uint16_t *port) {
    sock s = sock_listen(port);
    check(s > 0, "listen");
    return s;
}
static end tcp_connect(uint16_t port) {
    sock s = sock_connect(port);
    check(s > 0, "connect");
    return s;
}
static end tcp_accept(end listener) {
    sock s = sock_accept((sock)listener);
    check(s > 0, "accept");
    return s;
}
static void tcp_send(end e, const char *data, size_t len) { check(sock_send_all((sock)e, data, len) > 0, "send"); }
static void tcp_send_more(end e, const char *data, size_t len) {
    ssize_t sent = sock_send_more((sock)e, data, len);
    check(sent > 0, "send more");
    if ((size_t)sent < len)
        tcp_send(e, data + sent, len - (size_t)sent);
}
static void tcp_send_parts(end e, const char *data, size_t len) {
    ssize_t sent = sock_send_parts((sock)e, data, len);
    check(sent > 0, "send parts");
    if ((size_t)sent < PARTS * len)
        tcp_send(e, data + sent, PARTS * len - (size_t)sent);
}
static size_t tcp_recv(end e, char *data, size_t room) {
    ssize_t got = sock_recv((sock)e, data, room);
    check(got >= 0, "recv");
    return (size_t)got;
}
static void tcp_send_file(end e, const char *path, size_t len) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    check(file >= 0, path);
    for (size_t sent = 0; sent < len;) {
        ssize_t now = sock_send_file((sock)e, file, sent, len - sent);
        check(now > 0, "send file");
        sent += (size_t)now;
    }
    check(close(file) == 0, path);
}
static void tcp_close(end e) { check(sock_close((sock)e) == 0, "close"); }

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

/* The echo server: the same too, on the wait of each, see struct ready. */
static void serve(long left, void (*ready_at)(uint16_t port)) {
    enum { EVENTS = 256, SIZE = 4096 };
    static ready events[EVENTS];
    static char data[SIZE];
    uint16_t port = 0;
    sock listener = sock_listen(&port);
    poller p = make_poller();
    check(listener > 0 && p > 0, "listen");
    ready_at(port);
    for (long i = 0; i < left; i++) {
        sock s = sock_accept(listener);
        check(s > 0 && add(p, s) >= 0, "accept");
    }
    while (left > 0) {
        int64_t count = wait_for(p, events, EVENTS);
        check(count > 0, "wait");
        for (int64_t i = 0; i < count; i++) {
            sock s = of(&events[i]);
            ssize_t got = sock_recv(s, data, sizeof data);
            check(got >= 0, "recv");
            if (got > 0) {
                check(sock_send_all(s, data, (size_t)got) > 0, "send");
            } else {
                check(sock_close(s) == 0, "close");
                left--;
            }
        }
    }
}

const struct many many = {.serve = serve};
