/* Requests for an echo server: many connections, each with one request on its way at all times.
 * Always compiled with RAW.
 *
 *     load PORT CONNECTIONS SIZE count N      so many requests in all
 *     load PORT CONNECTIONS SIZE ms N         for so long; prints the requests in a second
 *     load PORT CONNECTIONS SIZE hold 0       one request on each; prints a line, and ends with its input
 *
 * Every answer is looked at. */
#define _GNU_SOURCE
#include "sock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>

enum { EVENTS = 256, MOST = 65536 };

static void check(const char *call, int64_t result) {
    if (result < 0) {
        perror(call);
        exit(1);
    }
}

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Some servers have room for five that wait. The system would knock again after a second. */
static sock connect_soon(uint16_t port) {
    const struct timeval short_limit = {0, 2000}, none = {0, 0};
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    for (;;) {
        sock s = sock_new();
        if (s < 0 || setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &short_limit, sizeof short_limit) < 0)
            return -1;
        if (connect(s, (const struct sockaddr *)&address, sizeof address) == 0)
            return setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) < 0 ? -1 : s;
        if (errno != EINPROGRESS)
            return -1;
        close(s);
    }
}

int main(int argc, char **argv) {
    static struct epoll_event events[EVENTS];
    static char data[MOST], answer[MOST];
    if (argc != 6)
        return 2;
    uint16_t port = (uint16_t)strtol(argv[1], NULL, 10);
    long connections = strtol(argv[2], NULL, 10), limit = strtol(argv[5], NULL, 10), sent = 0, answered = 0;
    size_t size = (size_t)strtol(argv[3], NULL, 10);
    int held = strcmp(argv[4], "hold") == 0;
    if (held)
        limit = connections;
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 31 + 7);
    int timed = strcmp(argv[4], "ms") == 0, set = epoll_create1(EPOLL_CLOEXEC);
    sock *socks = calloc((size_t)connections, sizeof *socks);
    check("epoll_create1", set);
    for (long i = 0; i < connections; i++) {
        struct epoll_event event = {0};
        event.events = EPOLLIN;
        event.data.fd = socks[i] = connect_soon(port);
        check("connect", socks[i]);
        check("epoll_ctl", epoll_ctl(set, EPOLL_CTL_ADD, socks[i], &event));
    }
    int64_t begin = now_us(), end = begin + limit * 1000;
    for (long i = 0; i < connections && (timed || sent < limit); i++, sent++)
        check("send", sock_send_all(socks[i], data, size));
    while (answered < sent) {
        int count = epoll_wait(set, events, EVENTS, -1);
        check("epoll_wait", count);
        int go_on = timed ? now_us() < end : sent < limit;
        for (int i = 0; i < count; i++) {
            check("recv", sock_recv_all(events[i].data.fd, answer, size) > 0 ? 0 : -1);
            if (memcmp(answer, data, size) != 0) {
                fputs("an answer is not what was sent\n", stderr);
                return 1;
            }
            answered++;
            if (go_on && (timed || sent < limit)) {
                check("send", sock_send_all(events[i].data.fd, data, size));
                sent++;
            }
        }
    }
    if (timed)
        printf("%.0f\n", (double)answered * 1e6 / (double)(now_us() - begin));
    if (held) {
        puts("held");
        fflush(stdout);
        getchar();
    }
    for (long i = 0; i < connections; i++)
        sock_close(socks[i]);
    free(socks);
    return 0;
}
