/* One call COUNT times, on libsk or on the C library alone, for an instruction counter.
 *
 *   calls (sk|raw) CALL COUNT
 *
 * CALL is send or recv (TCP), send_to or recv_from (UDP, IPv4), send_to6 or recv_from6 (UDP,
 * IPv6), send_to46 or recv_from46 (a dual-stack socket that speaks IPv4). The other half of each exchange is always a raw call, and so is the making of the
 * sockets: two runs with the same CALL and COUNT differ by that one call alone. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int near_end, far_end;
static sk_handle handle;
static char data[64] = "sixty-four bytes";

static union {
    struct sockaddr any;
    struct sockaddr_in inet;
    struct sockaddr_in6 inet6;
} own, from;
static socklen_t own_len, from_len;
static sk_addr sk_own, sk_from;

static ssize_t raw_send(void) { return send(near_end, data, sizeof data, MSG_NOSIGNAL); }
static ssize_t raw_recv(void) { return recv(near_end, data, sizeof data, 0); }
static ssize_t raw_send_to(void) {
    return sendto(near_end, data, sizeof data, MSG_NOSIGNAL, &own.any, own_len);
}
static ssize_t raw_recv_from(void) {
    from_len = sizeof from;
    return recvfrom(near_end, data, sizeof data, 0, &from.any, &from_len);
}

static ssize_t lib_send(void) { return (ssize_t)sk_send(handle, data, sizeof data, 0); }
static ssize_t lib_recv(void) { return (ssize_t)sk_recv(handle, data, sizeof data, 0); }
static ssize_t lib_send_to(void) { return (ssize_t)sk_send_to(handle, data, sizeof data, 0, &sk_own); }
static ssize_t lib_recv_from(void) { return (ssize_t)sk_recv_from(handle, data, sizeof data, 0, &sk_from); }

static ssize_t far_send(void) { return send(far_end, data, sizeof data, MSG_NOSIGNAL); }
static ssize_t far_recv(void) { return recv(far_end, data, sizeof data, 0); }
/* To the near end's address: with UDP both ends are one socket. */
static ssize_t far_send_to(void) {
    return sendto(far_end, data, sizeof data, MSG_NOSIGNAL, &own.any, own_len);
}

struct row {
    const char *name;
    int family, type;
    ssize_t (*before)(void), (*raw)(void), (*lib)(void), (*after)(void);
    int dual;
};

static const struct row rows[] = {
    {"send", AF_INET, SOCK_STREAM, NULL, raw_send, lib_send, far_recv, 0},
    {"recv", AF_INET, SOCK_STREAM, far_send, raw_recv, lib_recv, NULL, 0},
    {"send_to", AF_INET, SOCK_DGRAM, NULL, raw_send_to, lib_send_to, far_recv, 0},
    {"recv_from", AF_INET, SOCK_DGRAM, far_send_to, raw_recv_from, lib_recv_from, NULL, 0},
    {"send_to6", AF_INET6, SOCK_DGRAM, NULL, raw_send_to, lib_send_to, far_recv, 0},
    {"recv_from6", AF_INET6, SOCK_DGRAM, far_send_to, raw_recv_from, lib_recv_from, NULL, 0},
    {"send_to46", AF_INET6, SOCK_DGRAM, NULL, raw_send_to, lib_send_to, far_recv, 1},
    {"recv_from46", AF_INET6, SOCK_DGRAM, far_send_to, raw_recv_from, lib_recv_from, NULL, 1},
};

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(EXIT_FAILURE);
    }
}

static int bound(const struct row *row) {
    int fd = socket(row->family, row->type, 0);
    check(fd >= 0, "socket");
    own_len = row->family == AF_INET ? sizeof own.inet : sizeof own.inet6;
    own.any.sa_family = (sa_family_t)row->family;
    if (row->family == AF_INET)
        own.inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (!row->dual)
        own.inet6.sin6_addr = in6addr_loopback;
    else
        check(inet_pton(AF_INET6, "::ffff:127.0.0.1", &own.inet6.sin6_addr) == 1, "inet_pton");
    check(bind(fd, &own.any, own_len) == 0, "bind");
    check(getsockname(fd, &own.any, &own_len) == 0, "getsockname");
    return fd;
}

static void make_ends(const struct row *row) {
    int on = 1, listener = bound(row);
    near_end = far_end = listener;
    if (row->type == SOCK_STREAM) {
        check(listen(listener, 1) == 0, "listen");
        near_end = socket(row->family, row->type, 0);
        check(connect(near_end, &own.any, own_len) == 0, "connect");
        far_end = accept(listener, NULL, NULL);
        check(far_end >= 0, "accept");
        check(setsockopt(near_end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
        check(setsockopt(far_end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
    }
    /* As after SOCK_CLOEXEC; without it libsk would take others to have the socket too. */
    check(fcntl(near_end, F_SETFD, FD_CLOEXEC) == 0, "FD_CLOEXEC");
    /* Raw runs hand it over too, so that all begin alike. */
    handle = sk_from_fd(near_end);
    check(handle > 0, "sk_from_fd");
    check(sk_addr_from_sockaddr(&own, own_len, &sk_own) == SK_OK, "sk_addr_from_sockaddr");
}

int main(int argc, char **argv) {
    const struct row *row = rows, *end = rows + sizeof rows / sizeof *rows;
    while (argc == 4 && row < end && strcmp(argv[2], row->name) != 0)
        row++;
    if (argc != 4 || row == end) {
        fputs("usage: calls (sk|raw) CALL COUNT\n", stderr);
        return EXIT_FAILURE;
    }
    make_ends(row);
    ssize_t (*call)(void) = strcmp(argv[1], "sk") == 0 ? row->lib : row->raw;
    for (long left = atol(argv[3]); left > 0; left--) {
        check(row->before == NULL || row->before() == (ssize_t)sizeof data, "the far end");
        check(call() == (ssize_t)sizeof data, row->name);
        check(row->after == NULL || row->after() == (ssize_t)sizeof data, "the far end");
    }
    return EXIT_SUCCESS;
}
