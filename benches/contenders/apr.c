/* Apache Portable Runtime: blocking calls on sockets that wait with poll; each has a pool of memory. */
#include "contender.h"

#include <apr_file_io.h>
#include <apr_network_io.h>
#include <apr_poll.h>
#include <apr_version.h>

const struct contender contender = {.style = "blocking calls; pollset for many", .version = apr_version_string};

static apr_pool_t *all;

static void good(apr_status_t status, const char *what) {
    char text[128];
    if (status != APR_SUCCESS) {
        fprintf(stderr, "%s: %s\n", what, apr_strerror(status, text, sizeof text));
        exit(EXIT_FAILURE);
    }
}

static apr_pool_t *new_pool(void) {
    apr_pool_t *pool;
    if (all == NULL) {
        good(apr_initialize(), "apr_initialize");
        good(apr_pool_create(&all, NULL), "apr_pool_create");
    }
    good(apr_pool_create(&pool, all), "apr_pool_create");
    return pool;
}

static apr_sockaddr_t *loopback(uint16_t port, apr_pool_t *pool) {
    apr_sockaddr_t *address;
    good(apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET, port, 0, pool), "apr_sockaddr_info_get");
    return address;
}

static apr_socket_t *new_socket(int type) {
    apr_socket_t *s;
    int protocol = type == SOCK_STREAM ? APR_PROTO_TCP : APR_PROTO_UDP;
    good(apr_socket_create(&s, APR_INET, type, protocol, new_pool()), "apr_socket_create");
    return s;
}

static uint16_t bind_socket(apr_socket_t *s) {
    apr_sockaddr_t *address;
    good(apr_socket_bind(s, loopback(0, apr_socket_pool_get(s))), "apr_socket_bind");
    good(apr_socket_addr_get(&address, APR_LOCAL, s), "apr_socket_addr_get");
    return address->port;
}

static apr_socket_t *connection(apr_socket_t *s) {
    good(apr_socket_opt_set(s, APR_TCP_NODELAY, 1), "APR_TCP_NODELAY");
    return s;
}

/* --- TCP --------------------------------------------------------------------------------------- */

static end tcp_listen(uint16_t *port) {
    apr_socket_t *s = new_socket(SOCK_STREAM);
    good(apr_socket_opt_set(s, APR_SO_REUSEADDR, 1), "APR_SO_REUSEADDR");
    *port = bind_socket(s);
    good(apr_socket_listen(s, 4096), "apr_socket_listen");
    return end_of(s);
}

static end tcp_connect(uint16_t port) {
    apr_socket_t *s = new_socket(SOCK_STREAM);
    good(apr_socket_connect(s, loopback(port, apr_socket_pool_get(s))), "apr_socket_connect");
    return end_of(connection(s));
}

static end tcp_accept(end listener) {
    apr_socket_t *s;
    good(apr_socket_accept(&s, object(listener), new_pool()), "apr_socket_accept");
    return end_of(connection(s));
}

static void tcp_send(end e, const char *data, size_t len) {
    while (len > 0) {
        apr_size_t now = len;
        good(apr_socket_send(object(e), data, &now), "apr_socket_send");
        data += now;
        len -= now;
    }
}

static void tcp_send_parts(end e, const char *data, size_t len) {
    struct iovec parts[PARTS];
    apr_size_t sent;
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = (struct iovec){.iov_base = (char *)data + i * len, .iov_len = len};
    good(apr_socket_sendv(object(e), parts, PARTS, &sent), "apr_socket_sendv");
    tcp_send(e, data + sent, PARTS * len - sent);
}

static size_t tcp_recv(end e, char *data, size_t room) {
    apr_size_t got = room;
    apr_status_t status = apr_socket_recv(object(e), data, &got);
    if (status == APR_EOF)
        return 0;
    good(status, "apr_socket_recv");
    return got;
}

static void tcp_send_file(end e, const char *path, size_t len) {
    apr_file_t *file;
    apr_hdtr_t none = {0};
    apr_off_t from = 0;
    apr_pool_t *pool = new_pool();
    good(apr_file_open(&file, path, APR_READ | APR_SENDFILE_ENABLED, 0, pool), path);
    while ((size_t)from < len) {
        apr_size_t now = len - (size_t)from;
        good(apr_socket_sendfile(object(e), file, &none, &from, &now, 0), "apr_socket_sendfile");
        from += (apr_off_t)now;
    }
    apr_pool_destroy(pool);
}

/* With its pool the socket goes too. */
static void tcp_close(end e) {
    apr_pool_t *pool = apr_socket_pool_get(object(e));
    good(apr_socket_close(object(e)), "apr_socket_close");
    apr_pool_destroy(pool);
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

/* --- UDP --------------------------------------------------------------------------------------- */

static const struct datagrams *plan;
static apr_socket_t *sender, *receiver;
static apr_sockaddr_t *target, *from;

static void udp_open(const struct datagrams *d) {
    plan = d;
    receiver = new_socket(SOCK_DGRAM);
    sender = new_socket(SOCK_DGRAM);
    good(apr_socket_opt_set(receiver, APR_SO_RCVBUF, RECEIVE_BUFFER), "APR_SO_RCVBUF");
    target = loopback(bind_socket(receiver), all);
    from = loopback(0, all);
}

static long udp_send(long first) {
    apr_size_t len = plan->len;
    good(apr_socket_sendto(sender, target, 0, plan->space + first * MESSAGE_ROOM, &len), "apr_socket_sendto");
    return 1;
}

static long udp_recv(long first, size_t *bytes) {
    apr_size_t len = MESSAGE_ROOM;
    good(apr_socket_recvfrom(from, receiver, 0, plan->room + first * MESSAGE_ROOM, &len), "apr_socket_recvfrom");
    *bytes += len;
    return 1;
}

const struct udp udp = {.without = "one datagram a call, no segmentation", .singles = 1, .open = udp_open, .send = udp_send, .recv = udp_recv};

/* --- Many -------------------------------------------------------------------------------------- */

static void watch(apr_pollset_t *set, apr_socket_t *s) {
    apr_pollfd_t wanted = {.p = all, .desc_type = APR_POLL_SOCKET, .reqevents = APR_POLLIN, .desc = {.s = s}};
    good(apr_pollset_add(set, &wanted), "apr_pollset_add");
}

static void serve(long left, void (*ready)(uint16_t port)) {
    static char data[4096];
    uint16_t port;
    apr_pollset_t *set;
    end listener = tcp_listen(&port);
    good(apr_pollset_create(&set, (apr_uint32_t)left, all, 0), "apr_pollset_create");
    ready(port);
    for (long i = 0; i < left; i++)
        watch(set, object(tcp_accept(listener)));
    while (left > 0) {
        apr_int32_t count;
        const apr_pollfd_t *events;
        apr_status_t status = apr_pollset_poll(set, -1, &count, &events);
        if (APR_STATUS_IS_EINTR(status))
            continue;
        good(status, "apr_pollset_poll");
        for (apr_int32_t i = 0; i < count; i++) {
            end e = end_of(events[i].desc.s);
            size_t got = tcp_recv(e, data, sizeof data);
            if (got > 0) {
                tcp_send(e, data, got);
            } else {
                good(apr_pollset_remove(set, &events[i]), "apr_pollset_remove");
                tcp_close(e);
                left--;
            }
        }
    }
}

const struct many many = {.serve = serve};
