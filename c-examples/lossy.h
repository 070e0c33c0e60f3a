/* lossy.h: a bad network to test with. A relay stands between clients and a server and does to
 * datagrams what networks do: it loses, delays, repeats and reorders them. Chance decides, and a
 * seed decides chance, so that a run can be done again.
 *
 *   client  <->  front [ relay ] a socket for each client  <->  server
 *
 * lossy.c is the program; video_stream.c and game_server.c put it into their self-tests. The
 * relay waits on a poller of its user's, who calls lossy_event for what is ready there and
 * lossy_due when the time of lossy_next has come. */
#ifndef LOSSY_H
#define LOSSY_H

#include "common.h"

enum {
    LOSSY_CLIENTS = 64,         /* one more takes the place of the one silent for longest */
    LOSSY_HELD = 20000,         /* datagrams on their way; more are lost, as in a router's queue */
    LOSSY_OVERTAKE_US = 1000000 /* a datagram waits that long to be overtaken, not longer */
};

struct lossy_settings {
    double loss, repeat, reorder; /* percent */
    long delay_ms, jitter_ms;     /* each is delayed by delay + or - a part of jitter */
    uint64_t seed;
};

struct lossy_counts {
    long came, lost, repeated, reordered, gone;
};

struct lossy_client {
    sk_addr address;
    sk_handle server; /* a socket connected to the server, which tells clients apart by it */
    int64_t heard;
    uint64_t up, down; /* chance, for each way its own: what happens to the n-th datagram of
                          one does not depend on the others */
};

/* A datagram on its way. */
struct lossy_held {
    struct lossy_held *next;
    int64_t due;
    int up;           /* from the client to the server */
    int waits;        /* to be overtaken */
    sk_handle server; /* names its client, and is never somebody else's later */
    sk_addr client;
    size_t length; /* the bytes stand behind this struct */
};

struct lossy {
    struct lossy_settings settings;
    struct lossy_counts counts;
    sk_handle poller, front;
    sk_addr target;
    struct lossy_client clients[LOSSY_CLIENTS];
    struct lossy_held *first; /* by the time they are due */
    long held, known;
};

/* Begins to listen at `where`; l->front is the socket. Closed by lossy_close, also after a failure. */
static inline int lossy_open(struct lossy *l, sk_handle poller, const sk_addr *where, const sk_addr *target,
                             const struct lossy_settings *settings) {
    memset(l, 0, sizeof *l);
    l->settings = *settings;
    l->poller = poller;
    l->target = *target;
    l->front = check("sk_socket", sk_socket(where->family, SK_DGRAM, SK_PROTO_UDP));
    return l->front > 0 && check("sk_bind_addr", sk_bind_addr(l->front, where)) == SK_OK &&
           check("sk_poller_add", sk_poller_add(poller, l->front, SK_READABLE, 0)) == SK_OK;
}

static inline void lossy_close(struct lossy *l) {
    int i;
    while (l->first != NULL) {
        struct lossy_held *next = l->first->next;
        free(l->first);
        l->first = next;
    }
    for (i = 0; i < LOSSY_CLIENTS; i++)
        sk_close(l->clients[i].server); /* 0 is no handle: nothing happens */
    sk_close(l->front);
}

/* The client with this address, made on its first datagram. NULL: no socket for it. */
static inline struct lossy_client *lossy_find(struct lossy *l, const sk_addr *address) {
    struct lossy_client *oldest = l->clients;
    int i;
    for (i = 0; i < LOSSY_CLIENTS; i++) {
        struct lossy_client *c = &l->clients[i];
        if (c->server > 0 && sk_addr_equal(&c->address, address))
            return c;
        if (c->heard < oldest->heard)
            oldest = c;
    }
    sk_close(oldest->server);
    memset(oldest, 0, sizeof *oldest);
    oldest->server = check("sk_socket", sk_socket(l->target.family, SK_DGRAM, SK_PROTO_UDP));
    if (oldest->server < 0 ||
        check("sk_connect_addr", sk_connect_addr(oldest->server, &l->target)) < 0 ||
        check("sk_poller_add", sk_poller_add(l->poller, oldest->server, SK_READABLE, 0)) < 0)
        return NULL;
    oldest->address = *address;
    oldest->up = l->settings.seed + 2 * (uint64_t)l->known;
    oldest->down = oldest->up + 1;
    chance(&oldest->up); /* neighbouring seeds begin alike */
    chance(&oldest->down);
    l->known++;
    return oldest;
}

static inline void lossy_insert(struct lossy *l, struct lossy_held *one) {
    struct lossy_held **at = &l->first;
    while (*at != NULL && (*at)->due <= one->due)
        at = &(*at)->next;
    one->next = *at;
    *at = one;
}

static inline void lossy_hold(struct lossy *l, const struct lossy_client *c, int up, int waits, int64_t due,
                              const void *data, size_t length) {
    struct lossy_held *one =
        l->held < LOSSY_HELD ? (struct lossy_held *)malloc(sizeof *one + length) : NULL;
    if (one == NULL) {
        l->counts.lost++;
        return;
    }
    one->due = due;
    one->up = up;
    one->waits = waits;
    one->server = c->server;
    one->client = c->address;
    one->length = length;
    memcpy(one + 1, data, length);
    lossy_insert(l, one);
    l->held++;
}

/* The datagrams of that way that wait to be overtaken have been: they go next. */
static inline void lossy_release(struct lossy *l, const struct lossy_client *c, int up, int64_t due) {
    struct lossy_held **at = &l->first;
    while (*at != NULL) {
        struct lossy_held *one = *at;
        if (one->waits && one->up == up && one->server == c->server) {
            *at = one->next;
            one->waits = 0;
            one->due = due;
            lossy_insert(l, one);
            at = &l->first; /* the list has changed */
        } else {
            at = &one->next;
        }
    }
}

/* Decides what becomes of one datagram. */
static inline void lossy_decide(struct lossy *l, struct lossy_client *c, int up, const void *data,
                                size_t length) {
    const struct lossy_settings *s = &l->settings;
    uint64_t *random = up ? &c->up : &c->down;
    /* All four are drawn each time: the fate of the next one does not depend on this one's. */
    int lost = chance_unit(random) * 100 < s->loss, repeated = chance_unit(random) * 100 < s->repeat,
        reordered = chance_unit(random) * 100 < s->reorder;
    double jitter_us = (chance_unit(random) * 2 - 1) * (double)s->jitter_ms * 1000;
    int64_t now = clock_us(), delay = s->delay_ms * 1000 + (int64_t)jitter_us;
    int64_t due = now + (delay > 0 ? delay : 0);

    l->counts.came++;
    c->heard = now;
    if (lost) {
        l->counts.lost++;
        return;
    }
    l->counts.repeated += repeated;
    l->counts.reordered += reordered;
    if (reordered) {
        lossy_hold(l, c, up, 1, now + LOSSY_OVERTAKE_US, data, length);
    } else {
        lossy_hold(l, c, up, 0, due, data, length);
        lossy_release(l, c, up, due);
    }
    if (repeated)
        lossy_hold(l, c, up, 0, due, data, length);
}

/* What could not be delivered is no failure of the relay. */
static inline int lossy_is_loss(int64_t result) {
    return is_sent_or_lost(result) || result == SK_EMSGSIZE ||
           result == SK_EBADHANDLE; /* its client has left */
}

/* Takes in what came to one of the relay's sockets; other handles are not its business. 0: it failed. */
static inline int lossy_event(struct lossy *l, sk_handle ready) {
    static unsigned char data[65536];
    struct lossy_client *c = NULL;
    int i, n;
    for (i = 0; i < LOSSY_CLIENTS && c == NULL; i++)
        if (ready > 0 && l->clients[i].server == ready)
            c = &l->clients[i];
    if (c == NULL && ready != l->front)
        return 1;
    for (n = 0; n < 64; n++) { /* not for ever: others want a turn */
        sk_addr from;
        int64_t got = sk_recv_from(ready, data, sizeof data, SK_DONTWAIT, &from);
        if (got == SK_EAGAIN)
            break;
        if (got == SK_ECONNREFUSED && is_harmless(got))
            continue; /* the server is not there: so the network loses what is sent to it */
        if (check("sk_recv_from", got) < 0)
            return 0;
        if (ready == l->front && (c = lossy_find(l, &from)) == NULL)
            return 0;
        lossy_decide(l, c, ready == l->front, data, (size_t)got);
    }
    return 1;
}

/* When lossy_due has something to do, on clock_us(). */
static inline int64_t lossy_next(const struct lossy *l) {
    return l->first == NULL ? NEVER : l->first->due;
}

/* Sends what is due. 0: it failed. */
static inline int lossy_due(struct lossy *l) {
    int64_t now = clock_us();
    while (l->first != NULL && l->first->due <= now) {
        struct lossy_held *one = l->first;
        int64_t sent = one->up ? sk_send(one->server, one + 1, one->length, SK_DONTWAIT)
                               : sk_send_to(l->front, one + 1, one->length, SK_DONTWAIT, &one->client);
        if (sent == SK_EAGAIN) { /* our own queue is full: that is not the network's fault */
            one->due = now + 1000;
            break;
        }
        l->first = one->next;
        l->held--;
        free(one);
        if (sent >= 0)
            l->counts.gone++;
        else if (lossy_is_loss(sent))
            l->counts.lost++;
        else
            return check("a datagram's sending", sent) >= 0;
    }
    return 1;
}

#endif
