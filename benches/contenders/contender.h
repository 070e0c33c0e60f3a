/* What a contender does in the measurements. Each is one C file that fills in these tables with
 * what a program written on that library would call; a NULL is something it has no calls for, and
 * `without` says why. The programs that time (tcp.c, udp.c, many.c) know nothing else of it.
 *
 * The rules, the same for all: TCP_NODELAY on, buffers as the system makes them, 127.0.0.1, a
 * blocking style where the library has one. With an event loop, a call runs the loop until that
 * which it stands for is done. Functions end the program at an error. */
#ifndef CONTENDER_H
#define CONTENDER_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* A listener or connection, as the contender sees it: a descriptor, a handle, a pointer. */
typedef int64_t end;

static inline void *object(end e) { return (void *)(intptr_t)e; }
static inline end end_of(const void *object) { return (end)(intptr_t)object; }

enum {
    ROOM = 256 * 1024, /* what a receive has room for, at least */
    PARTS = 64,        /* messages in send_parts */
};

struct contender {
    const char *style;            /* how it waits, in a few words */
    const char *(*version)(void); /* of the library as it runs */
};

struct tcp {
    const char *without;
    /* Port 0: any free one, which is told. */
    end (*listen)(uint16_t *port);
    end (*connect)(uint16_t port);
    end (*accept)(end listener);
    /* When it returns, all of it is the system's. */
    void (*send)(end e, const char *data, size_t len);
    /* As send, but the system or the library may hold it back until the next send. */
    void (*send_more)(end e, const char *data, size_t len);
    /* PARTS messages of len bytes, one after the other in data, as pieces in one call. */
    void (*send_parts)(end e, const char *data, size_t len);
    /* What has come, waiting for the first of it; 0 at the end of the stream. */
    size_t (*recv)(end e, char *data, size_t room);
    /* The len bytes of a file, in the best way there is. */
    void (*send_file)(end e, const char *path, size_t len);
    void (*close)(end e);
};

/* Datagrams from one socket to another: count messages of len bytes, the i-th at
 * space + i * MESSAGE_ROOM. With segment > 0 the system cuts each into datagrams of that size,
 * and hands over as many in one piece as it likes. */
struct datagrams {
    size_t count, len, segment;
    int batched; /* many in one call */
    char *space, *room; /* of the messages to send, and for those that come */
};

enum { MOST_MESSAGES = 64, MESSAGE_ROOM = 65536, RECEIVE_BUFFER = 4 << 20 };

struct udp {
    const char *without;
    int singles, batches, segments; /* which of it there is */
    /* The receiver comes first, with RECEIVE_BUFFER bytes where that can be set. */
    void (*open)(const struct datagrams *d);
    /* The next message, or all of them with batched; says how many. */
    long (*send)(long first);
    /* What has come, into room: one message, or many with batched; says how many and adds up
     * the bytes. */
    long (*recv)(long first, size_t *bytes);
};

/* An echo server in one thread. */
struct many {
    const char *without;
    long most; /* connections; 0: no limit */
    /* Calls ready when it listens; returns when so many connections have ended. */
    void (*serve)(long connections, void (*ready)(uint16_t port));
};

extern const struct contender contender;
extern const struct tcp tcp;
extern const struct udp udp;
extern const struct many many;

static inline void check(int good, const char *what) {
    if (!good) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
    }
}

/* Says that the contender can't do it; the status tells the script. */
static inline void cannot(const char *why) {
    printf("cannot: %s\n", why);
    exit(77);
}

/* Memory, or the end. */
static inline void *new_zeroed(size_t size) {
    void *memory = calloc(1, size);
    check(memory != NULL, "calloc");
    return memory;
}

#endif
