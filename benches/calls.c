/* One call at a time, through libsk or raw, for an instruction counter to watch.
 *
 *   calls (sk|raw) (send|recv|send_to|recv_from) COUNT
 *
 * The other half of each exchange is always a raw call, and so is the making of the
 * sockets, so two runs with the same words but the first differ by the calls alone. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sk.h"

static void check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: calls (sk|raw) (send|recv|send_to|recv_from) COUNT\n");
        return 2;
    }
    int sk = strcmp(argv[1], "sk") == 0;
    const char *call = argv[2];
    long count = atol(argv[3]);
    int datagram = strstr(call, "_") != NULL;

    struct sockaddr_in a = {0};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof a;
    int near, far;
    if (datagram) {
        near = far = socket(AF_INET, SOCK_DGRAM, 0);
        check(bind(near, (struct sockaddr *)&a, len) == 0, "bind");
        check(getsockname(near, (struct sockaddr *)&a, &len) == 0, "getsockname");
    } else {
        int listener = socket(AF_INET, SOCK_STREAM, 0);
        check(bind(listener, (struct sockaddr *)&a, len) == 0, "bind");
        check(getsockname(listener, (struct sockaddr *)&a, &len) == 0, "getsockname");
        check(listen(listener, 1) == 0, "listen");
        near = socket(AF_INET, SOCK_STREAM, 0);
        check(connect(near, (struct sockaddr *)&a, len) == 0, "connect");
        far = accept(listener, NULL, NULL);
        int on = 1;
        check(setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "NODELAY");
        check(setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "NODELAY");
    }
    check(fcntl(near, F_SETFD, FD_CLOEXEC) == 0, "close-on-exec");
    /* Raw runs take it over too, so that both runs begin alike. */
    sk_handle s = sk_from_fd(near);
    check(s > 0, "sk_from_fd");
    sk_addr to;
    check(sk_addr_from_sockaddr(&a, (uint32_t)sizeof a, &to) == 0, "sk_addr_from_sockaddr");

    char data[64] = "sixty-four bytes";
    struct sockaddr_in from;
    sk_addr sk_from;
    for (long i = 0; i < count; i++) {
        ssize_t n;
        if (strcmp(call, "send") == 0) {
            n = sk ? (ssize_t)sk_send(s, data, sizeof data, 0) : send(near, data, sizeof data, MSG_NOSIGNAL);
            check(recv(far, data, sizeof data, 0) == n, "recv");
        } else if (strcmp(call, "recv") == 0) {
            check(send(far, data, sizeof data, MSG_NOSIGNAL) == (ssize_t)sizeof data, "send");
            n = sk ? (ssize_t)sk_recv(s, data, sizeof data, 0) : recv(near, data, sizeof data, 0);
        } else if (strcmp(call, "send_to") == 0) {
            n = sk ? (ssize_t)sk_send_to(s, data, sizeof data, 0, &to)
                   : sendto(near, data, sizeof data, MSG_NOSIGNAL, (struct sockaddr *)&a, len);
            check(recv(far, data, sizeof data, 0) == n, "recv");
        } else {
            check(sendto(far, data, sizeof data, MSG_NOSIGNAL, (struct sockaddr *)&a, len) == (ssize_t)sizeof data, "sendto");
            socklen_t from_len = sizeof from;
            n = sk ? (ssize_t)sk_recv_from(s, data, sizeof data, 0, &sk_from)
                   : recvfrom(near, data, sizeof data, 0, (struct sockaddr *)&from, &from_len);
        }
        check(n == (ssize_t)sizeof data, call);
    }
    return 0;
}
