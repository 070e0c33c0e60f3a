/* What the parts of the soak test share: workers, the call each of them is in, and the counts. */
#ifndef SOAK_H
#define SOAK_H

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sk.h"

enum {
    WORKERS = 10,
    ERRORS = 42,      /* codes, SK_OK included */
    HANG_MS = 1000,   /* how much longer than its limit a call may take */
    CLOSED_MS = 1000, /* how soon a close must wake */
};

/* A thread that does one of the jobs again and again. */
struct worker {
    int number;
    const char *job;
    void (*run)(struct worker *);
    pthread_t thread;
    uint64_t random;
    _Atomic(const char *) call;  /* what it is in; NULL: in none */
    atomic_llong since_ms;       /* when that began */
    atomic_llong until_ms;       /* when it must be over */
    atomic_llong operations;
    atomic_llong errors[ERRORS];
    atomic_llong worst_ms;
};

extern atomic_int stopping; /* set once, at the end */
extern atomic_int shortage; /* descriptors are short: SK_EMFILE is an answer */

long long now_ms(void);
uint32_t dice(struct worker *w, uint32_t sides);

/* Around each call that could wait, with its limit in ms. */
void enter(struct worker *w, const char *call, long long limit);
int64_t leave(struct worker *w, int64_t result);
#define CALL(w, limit, call) (enter((w), #call, (limit)), leave((w), (call)))

/* A broken invariant: says so, and ends the process. */
_Noreturn void broken(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define BROKEN(...) broken(__FILE__, __LINE__, __VA_ARGS__)
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) BROKEN("not true: %s (errno %d)", #condition, errno);                    \
    } while (0)

/* The errors that shortage, and only that, excuses. */
int is_shortage(int64_t result);

/* A handle that was closed stays closed. */
void must_be_stale(sk_handle s);

/* What can be at the two ends of a connection. */
enum kind { TCP4, TCP6, UDP4, UDP6, UNIX_STREAM, UNIX_DGRAM, UNIX_SEQPACKET, KINDS };
int is_stream(int kind);
/* 0 where descriptors are short. */
int make_pair(struct worker *w, int kind, sk_handle out[2]);
void close_pair(struct worker *w, sk_handle pair[2]);

/* A byte of the connection with that number, at that place. */
uint8_t pattern(uint64_t connection, uint64_t at);
uint64_t new_connection(void);

/* The jobs, in jobs.c. */
struct job {
    const char *name;
    void (*run)(struct worker *);
};
extern const struct job jobs[];
extern const int job_count;

#endif
