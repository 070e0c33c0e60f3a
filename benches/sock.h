/* TCP over 127.0.0.1 in six calls: on libsk, or with RAW defined on the C library alone. The
 * same program compiled twice shows what libsk costs. Errors are negative, with errno set. */
#ifndef SOCK_H
#define SOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Enough for many clients that come at once. */
enum { SOCK_BACKLOG = 4096 };

#ifdef RAW

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

typedef int sock;

/* What libsk sets without being asked: close-on-exec, no delay, a port free at once. */
static inline sock sock_new(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Port 0: any free one, which is told. */
static inline sock sock_listen(uint16_t *port) {
    struct sockaddr_in address = {0};
    socklen_t len = sizeof address;
    int fd = sock_new(), on = 1;
    address.sin_family = AF_INET;
    address.sin_port = htons(*port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, SOCK_BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return -1;
    *port = ntohs(address.sin_port);
    return fd;
}

static inline sock sock_accept(sock listener) {
    int fd, on = 1;
    do
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static inline sock sock_connect(uint16_t port) {
    struct sockaddr_in address = {0};
    int fd = sock_new();
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -1 : fd;
}

static inline ssize_t sock_send(sock s, const void *data, size_t len) {
    return send(s, data, len, MSG_NOSIGNAL);
}
static inline ssize_t sock_recv(sock s, void *data, size_t len) { return recv(s, data, len, 0); }
static inline int sock_close(sock s) { return close(s); }

#else

#include <sk.h>

typedef sk_handle sock;

static inline sock sock_new(void) { return sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP); }

/* An address from its bytes, as the raw calls have it: no text to read. */
static inline sk_addr sock_loopback(uint16_t port) {
    sk_addr address = {0};
    address.family = SK_INET;
    address.port = port;
    address.ip[0] = 127;
    address.ip[3] = 1;
    return address;
}

/* Port 0: any free one, which is told. */
static inline sock sock_listen(uint16_t *port) {
    sk_handle s = sock_new();
    sk_addr address = sock_loopback(*port);
    if (s < 0 || sk_bind_addr(s, &address) < 0 || sk_listen(s, SOCK_BACKLOG) < 0 || sk_local_addr(s, &address) < 0)
        return -1;
    *port = address.port;
    return s;
}

static inline sock sock_accept(sock listener) { return sk_accept(listener, NULL); }

static inline sock sock_connect(uint16_t port) {
    sk_handle s = sock_new();
    sk_addr address = sock_loopback(port);
    return s < 0 || sk_connect_addr(s, &address) < 0 ? -1 : s;
}

static inline ssize_t sock_send(sock s, const void *data, size_t len) {
    return (ssize_t)sk_send(s, data, len, 0);
}
static inline ssize_t sock_recv(sock s, void *data, size_t len) { return (ssize_t)sk_recv(s, data, len, 0); }
static inline int sock_close(sock s) { return sk_close(s); }

#endif

/* All of it, or negative. */
static inline ssize_t sock_send_all(sock s, const char *data, size_t len) {
    size_t sent = 0;
    while (sent < len) {
        ssize_t now = sock_send(s, data + sent, len - sent);
        if (now < 0)
            return now;
        sent += (size_t)now;
    }
    return (ssize_t)sent;
}

/* All of it, 0 at the end of the stream, or negative. */
static inline ssize_t sock_recv_all(sock s, char *data, size_t len) {
    size_t received = 0;
    while (received < len) {
        ssize_t now = sock_recv(s, data + received, len - received);
        if (now <= 0)
            return now;
        received += (size_t)now;
    }
    return (ssize_t)received;
}

#endif
