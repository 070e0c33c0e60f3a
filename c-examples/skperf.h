/* skperf.h: what both sides of skperf do: send for a while, receive, count, and show it. */
#ifndef SKPERF_H
#define SKPERF_H

#include "common.h"
#include "rtp.h"

enum {
    LIMIT_MS = 10000, /* for every answer of the other side */
    QUIET_MS = 200,   /* after the last datagram so long may one more be on its way */
    DATAGRAM = 16,    /* at least: its header */
    UDP = 1,          /* flags of a test */
    REVERSE = 2
};

struct test {
    uint32_t flags, ms, length, token;
    int64_t bits;
};

struct report {
    int64_t bytes, us, sent; /* sent: datagrams, where it is known */
    struct rtp packets;
    double jitter_ms;
};

static int is_quiet; /* the self-test shows only results */

static inline void put64(unsigned char *to, int64_t value) {
    put32(to, (uint32_t)((uint64_t)value >> 32));
    put32(to + 4, (uint32_t)((uint64_t)value & 0xffffffff));
}

static inline int64_t get64(const unsigned char *from) {
    return (int64_t)((uint64_t)get32(from) << 32 | get32(from + 4));
}

/* --- What is shown ------------------------------------------------------------------------- */

struct meter {
    int64_t begin, shown_at;
    int64_t bytes, shown_bytes;
    int64_t shown_expected, shown_received;
};

static inline double mbit(int64_t bytes, int64_t us) {
    return us > 0 ? (double)bytes * 8 / (double)us : 0;
}

static inline double percent(int64_t some, int64_t all) {
    return all > 0 ? 100.0 * (double)some / (double)all : 0;
}

static inline void meter_begin(struct meter *m) {
    memset(m, 0, sizeof *m);
    m->begin = m->shown_at = clock_us();
}

enum { SECOND = 1000000, REST = 50000 };

/* A line for each second, and at the end for the rest of one. */
static inline void meter_show(struct meter *m, const struct rtp *packets, int64_t after_us) {
    int64_t now = clock_us();
    if (now - m->shown_at < after_us)
        return;
    if (!is_quiet) {
        printf("%6.2f - %6.2f s  %9.1f MB  %9.1f Mbit/s", (double)(m->shown_at - m->begin) / 1e6,
               (double)(now - m->begin) / 1e6, (double)(m->bytes - m->shown_bytes) / 1e6,
               mbit(m->bytes - m->shown_bytes, now - m->shown_at));
        if (packets != NULL) {
            int64_t expected = rtp_expected(packets) - m->shown_expected;
            int64_t lost = expected - (packets->received - m->shown_received);
            printf("  lost %.2f %% (%ld of %ld)  jitter %.3f ms", percent(lost, expected), (long)lost,
                   (long)expected, rtp_jitter_ms(packets));
            m->shown_expected = rtp_expected(packets);
            m->shown_received = packets->received;
        }
        putchar('\n');
    }
    m->shown_at = now;
    m->shown_bytes = m->bytes;
}

static inline void show_end(const char *who, int64_t bytes, int64_t us) {
    printf("%s %.2f s, %lld bytes, %.1f Mbit/s\n", who, (double)us / 1e6, (long long)bytes, mbit(bytes, us));
}

/* --- Sending and receiving ----------------------------------------------------------------- */

static inline unsigned char *buffer_of(size_t length) {
    unsigned char *buffer = (unsigned char *)calloc(1, length);
    if (buffer == NULL)
        fputs("no memory left\n", stderr);
    return buffer;
}

/* Sends for the test's time, at its rate: each piece has its time, counted from the beginning, and
 * until then the sender sleeps. A pause is not made up for all at once. Gives what it sent. */
static inline int64_t send_data(sk_handle to, const struct test *t, struct report *r) {
    unsigned char *data = buffer_of(t->length);
    int64_t due, now, end, slip = 0, sent = data == NULL ? SK_ENOMEM : 0;
    struct meter m;
    meter_begin(&m);
    end = m.begin + (int64_t)t->ms * 1000;
    while (sent >= 0 && !stopping && (now = clock_us()) < end) {
        due = t->bits == 0 ? now : m.begin + slip + (int64_t)((double)m.bytes * 8e6 / (double)t->bits);
        if (due > now) {
            struct timespec pause = {0, 0};
            pause.tv_nsec = (long)earlier(due - now, 100000) * 1000;
            nanosleep(&pause, NULL); /* cut short: the next turn sees to the rest */
            meter_show(&m, NULL, SECOND);
            continue;
        }
        if (now - due > 100000)
            slip += now - due;
        if ((t->flags & UDP) != 0) {
            put32(data, t->token);
            put64(data + 4, r->sent++);
            put32(data + 12, (uint32_t)(now * CLOCK / 1000000));
        }
        sent = sk_send(to, data, t->length, 0);
        if ((t->flags & UDP) != 0 && is_sent_or_lost(sent))
            sent = t->length; /* what is lost at home is lost too */
        m.bytes += sent > 0 ? sent : 0;
        meter_show(&m, NULL, SECOND);
    }
    meter_show(&m, NULL, REST);
    free(data);
    r->bytes = m.bytes;
    r->us = clock_us() - m.begin;
    return check("sending the data", sent);
}

/* When a sender who keeps to the test has long ended. One who does not must not hold up the others. */
static inline int64_t end_of(const struct test *t, const struct meter *m) {
    return m->begin + ((int64_t)t->ms + LIMIT_MS) * 1000;
}

static inline int64_t receive_stream(sk_handle from, const struct test *t, struct report *r) {
    unsigned char *data = buffer_of(t->length);
    int64_t got = data == NULL ? SK_ENOMEM : 1;
    struct meter m;
    meter_begin(&m);
    while (got > 0) {
        got = sk_recv(from, data, t->length, 0);
        m.bytes += got > 0 ? got : 0;
        meter_show(&m, NULL, SECOND);
        if (got > 0 && clock_us() > end_of(t, &m))
            got = SK_ETIMEDOUT;
    }
    meter_show(&m, NULL, REST);
    free(data);
    r->bytes = m.bytes;
    r->us = clock_us() - m.begin;
    return check("receiving the data", got);
}

/* Until the sender has said, on the control connection, how many it sent, and these have come or
 * nothing comes any more. */
static inline int64_t receive_datagrams(sk_handle from, sk_handle control, const struct test *t,
                                        struct report *r) {
    unsigned char *data = buffer_of(t->length), last[8];
    int64_t all = -1, last_at = clock_us(), result = data == NULL ? SK_ENOMEM : 0;
    struct meter m;
    meter_begin(&m);
    while (result >= 0 && (all < 0 || r->packets.received < all)) {
        sk_poll_item items[2] = {{from, SK_READABLE, 0}, {control, SK_READABLE, 0}};
        int n;
        if (all >= 0)
            items[1].handle = SK_INVALID_HANDLE; /* skipped: there is no more to hear */
        result = sk_poll(items, 2, all < 0 ? LIMIT_MS : QUIET_MS);
        if (result == 0 && all < 0)
            result = SK_ETIMEDOUT;
        if (result <= 0)
            break;
        for (n = 0; n < 256 && items[0].revents != 0; n++) {
            int64_t got = sk_recv(from, data, t->length, SK_DONTWAIT);
            if (got < 0) {
                result = is_harmless(got) ? 0 : got;
                break;
            }
            if (got < DATAGRAM || get32(data) != t->token)
                continue; /* a stranger's */
            m.bytes += got;
            last_at = clock_us();
            rtp_count(&r->packets, get64(data + 4), get32(data + 12));
        }
        if (items[1].revents != 0 && result >= 0) {
            result = sk_recv_all(control, last, sizeof last, NULL);
            all = get64(last);
        }
        meter_show(&m, &r->packets, SECOND);
        if (result >= 0 && clock_us() > end_of(t, &m))
            result = SK_ETIMEDOUT;
    }
    meter_show(&m, &r->packets, REST);
    free(data);
    r->bytes = m.bytes;
    r->us = last_at - m.begin;
    r->jitter_ms = rtp_jitter_ms(&r->packets);
    r->sent = all;
    return check("receiving the data", result);
}

#endif
