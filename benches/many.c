/* An echo server for many connections in one thread: on sk_poller, or with RAW defined on
 * epoll(7). The same program compiled twice shows what libsk costs. It prints its port, serves
 * so many connections as it is told, and ends when the last of them has.
 *
 *     many CONNECTIONS
 */
#define _GNU_SOURCE
#include "sock.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef RAW
#include <sys/epoll.h>
#endif

enum { EVENTS = 256, SIZE = 4096 };

static void check(const char *call, int64_t result) {
    if (result < 0) {
        perror(call);
        exit(1);
    }
}

#ifdef RAW
static sock of(const struct epoll_event *event) { return event->data.fd; }
static int64_t wait_for(int set, struct epoll_event *events) { return epoll_wait(set, events, EVENTS, -1); }
static int64_t add(int set, sock s) {
    struct epoll_event event = {0};
    event.events = EPOLLIN;
    event.data.fd = s;
    return epoll_ctl(set, EPOLL_CTL_ADD, s, &event);
}
typedef int poller;
typedef struct epoll_event ready;
static poller make_poller(void) { return epoll_create1(EPOLL_CLOEXEC); }
#else
static sock of(const sk_event *event) { return event->handle; }
static int64_t wait_for(sk_handle p, sk_event *events) { return sk_poller_wait(p, events, EVENTS, SK_FOREVER); }
static int64_t add(sk_handle p, sock s) { return sk_poller_add(p, s, SK_READABLE, 0); }
typedef sk_handle poller;
typedef sk_event ready;
static poller make_poller(void) { return sk_poller(); }
#endif

int main(int argc, char **argv) {
    static ready events[EVENTS];
    static char data[SIZE];
    long left = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    uint16_t port = 0;
    sock listener = sock_listen(&port);
    poller p = make_poller();
    check("listen", listener);
    check("poller", p);
    printf("%d\n", port);
    fflush(stdout);
    for (long i = 0; i < left; i++) {
        sock s = sock_accept(listener);
        check("accept", s);
        check("add", add(p, s));
    }
    while (left > 0) {
        int64_t count = wait_for(p, events);
        check("wait", count);
        for (int64_t i = 0; i < count; i++) {
            sock s = of(&events[i]);
            int64_t got = sock_recv(s, data, sizeof data);
            if (got > 0) {
                check("send", sock_send(s, data, (size_t)got));
            } else {
                check("close", sock_close(s));
                left--;
            }
        }
    }
    return 0;
}
