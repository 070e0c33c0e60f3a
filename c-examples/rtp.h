/* rtp.h: how a receiver of RTP counts what came (RFC 3550, 6.4.1 and A.3): by the packets' own
 * numbers and times, so that the sender need not be asked. */
#ifndef RTP_H
#define RTP_H

#include "common.h"

enum { CLOCK = 90000 }; /* RTP's ticks a second for video */

struct rtp {
    int64_t received, repeated;
    int64_t first, newest; /* numbers, beyond the bits that they travel in */
    uint64_t window;       /* bit n: the packet n before the newest has come */
    int64_t transit;       /* of the last one: how long it was under way, but for a constant */
    double jitter;         /* in ticks */
};

/* The full number of one that travelled as 16 bits, which go round every few minutes: the one
 * nearest to the newest. */
static inline int64_t rtp_full(const struct rtp *r, uint16_t number) {
    return r->received == 0 ? number : r->newest + (int16_t)(uint16_t)(number - (uint16_t)r->newest);
}

/* Counts a packet that came now, sent at `time` by the sender's clock. 0: it has been here before. */
static inline int rtp_count(struct rtp *r, int64_t full, uint32_t time) {
    int64_t transit = (int32_t)((uint32_t)(clock_us() * CLOCK / 1000000) - time);
    if (r->received == 0) {
        r->first = r->newest = full;
        r->window = 1;
    } else if (full > r->newest) {
        r->window = full - r->newest < 64 ? r->window << (full - r->newest) | 1 : 1;
        r->newest = full;
    } else if (r->newest - full >= 64 || (r->window >> (r->newest - full) & 1) != 0) {
        r->repeated++;
        return 0;
    } else {
        r->window |= UINT64_C(1) << (r->newest - full);
    }
    /* How differently long two packets in a row were under way, smoothed over 16. */
    if (r->received > 0) {
        int64_t difference = transit - r->transit;
        r->jitter += ((double)(difference < 0 ? -difference : difference) - r->jitter) / 16;
    }
    r->transit = transit;
    r->received++;
    return 1;
}

/* Packets that should have come. */
static inline int64_t rtp_expected(const struct rtp *r) {
    return r->received == 0 ? 0 : r->newest - r->first + 1;
}

static inline int64_t rtp_lost(const struct rtp *r) {
    return rtp_expected(r) - r->received;
}

static inline double rtp_jitter_ms(const struct rtp *r) {
    return r->jitter * 1000 / CLOCK;
}

#endif
