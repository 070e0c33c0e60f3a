/* For the suites about pollers. */
#ifndef POLLER_H
#define POLLER_H

#include "check.h"

static inline void send_x(sk_handle s) { CHECK_GIVES(sk_send(s, "x", 1, 0), 1); }
static inline void recv_x(sk_handle s)
{
    char b[8];
    CHECK_GIVES(sk_recv(s, b, sizeof b, 0), 1);
}

/* The next event is this one, and there is no other. */
static inline void only(sk_handle p, sk_handle s, uint64_t data, uint32_t events)
{
    sk_event e[3];
    memset(e, 0xff, sizeof e);
    CHECK_GIVES(sk_poller_wait(p, e, 3, 5000), 1);
    CHECK_EQ(e[0].handle, s);
    CHECK_EQ(e[0].data, data);
    CHECK_EQ(e[0].events, events);
    CHECK_EQ(e[0].reserved, 0);
}
static inline void none(sk_handle p)
{
    sk_event e[3];
    CHECK_GIVES(sk_poller_wait(p, e, 3, 0), 0);
}
/* Neither now nor in a wait, which sleeps rather than spins. */
static inline void quiet(sk_handle p)
{
    sk_event e[3];
    struct timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    none(p);
    CHECK_GIVES(sk_poller_wait(p, e, 3, 40), 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    CHECK_LT((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec, 15000000);
}

#endif
