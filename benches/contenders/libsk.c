/* libsk. The same file is linked with the archive and with the shared library. */
#include "../sock.h"
#include "contender.h"

#include <fcntl.h>
#include <unistd.h>

const struct contender contender = {.style = "blocking calls; sk_poller for many", .version = sk_version};

/* --- TCP --------------------------------------------------------------------------------------- */

static ssize_t sock_send_more(sock s, const char *data, size_t len) {
    return (ssize_t)sk_send(s, data, len, SK_MORE);
}
static ssize_t sock_send_parts(sock s, const char *data, size_t len) {
    sk_buf parts[PARTS];
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = (sk_buf){.data = (char *)data + i * len, .len = len};
    return (ssize_t)sk_sendv(s, parts, PARTS, 0);
}
static ssize_t sock_send_file(sock s, int file, size_t from, size_t len) {
    return (ssize_t)sk_send_file(s, file, (int64_t)from, (int64_t)len);
}

typedef sk_handle poller;
typedef sk_event ready;
static poller make_poller(void) { return sk_poller(); }
static sock of(const ready *event) { return event->handle; }
static int64_t wait_for(poller p, ready *events, int room) {
    return sk_poller_wait(p, events, (size_t)room, SK_FOREVER);
}
static int add(poller p, sock s) { return sk_poller_add(p, s, SK_READABLE, 0); }

#include "sock_tcp.h"

/* --- UDP --------------------------------------------------------------------------------------- */

static const struct datagrams *plan;
static sk_handle sender, receiver;
static sk_addr target;
static sk_dgram out[MOST_MESSAGES], in[MOST_MESSAGES];

static void udp_open(const struct datagrams *d) {
    plan = d;
    receiver = sk_socket(SK_INET, SK_DGRAM, 0);
    check(sk_set_option(receiver, SK_OPT_RECV_BUFFER, RECEIVE_BUFFER) == SK_OK, "SK_OPT_RECV_BUFFER");
    check(sk_set_option(receiver, SK_OPT_UDP_GRO, d->segment > 0) == SK_OK, "SK_OPT_UDP_GRO");
    check(sk_bind(receiver, "127.0.0.1", 0) == SK_OK && sk_local_addr(receiver, &target) == SK_OK, "sk_bind");
    sender = sk_socket(SK_INET, SK_DGRAM, 0);
    check(sender > 0, "sk_socket");
    for (size_t i = 0; i < d->count; i++) {
        in[i] = (sk_dgram){.data = d->room + i * MESSAGE_ROOM, .room = MESSAGE_ROOM};
        out[i] = (sk_dgram){.data = d->space + i * MESSAGE_ROOM, .len = d->len, .addr = target, .segment = (uint32_t)d->segment};
    }
}

static long udp_send(long first) {
    if (plan->batched)
        return (long)sk_send_batch(sender, out + first, plan->count - (size_t)first, 0);
    return sk_send_to(sender, out[first].data, plan->len, 0, &target) < 0 ? -1 : 1;
}

static long udp_recv(long first, size_t *bytes) {
    if (!plan->batched) {
        sk_addr from;
        int64_t got = sk_recv_from(receiver, in[first].data, MESSAGE_ROOM, 0, &from);
        *bytes += got > 0 ? (size_t)got : 0;
        return got < 0 ? -1 : 1;
    }
    long n = (long)sk_recv_batch(receiver, in + first, plan->count - (size_t)first, 0);
    for (long i = 0; i < n; i++)
        *bytes += in[first + i].len;
    return n;
}

const struct udp udp = {.singles = 1, .batches = 1, .segments = 1, .open = udp_open, .send = udp_send, .recv = udp_recv};
