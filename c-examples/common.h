/* common.h: what several of these programs need and what is not about sockets: a clock,
 * Ctrl-C, numbers in arguments and on the wire, chance. Define _POSIX_C_SOURCE first. */
#ifndef COMMON_H
#define COMMON_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define NEVER INT64_MAX /* a time that does not come */

static volatile sk_handle to_wake; /* the poller that the program waits on */
static volatile sig_atomic_t stopping;

static inline void on_interrupt(int signal_number) {
    int saved = errno;
    (void)signal_number;
    stopping = 1;
    sk_poller_wake(to_wake);
    errno = saved;
}

/* From now on Ctrl-C sets `stopping` and wakes the poller: a wake is never lost, so it does not
 * matter whether the program waits already. */
static inline int catch_interrupts(sk_handle poller) {
    to_wake = poller;
    return signal(SIGINT, on_interrupt) != SIG_ERR && signal(SIGTERM, on_interrupt) != SIG_ERR;
}

/* Hands a call's result on; says so where it failed. */
static inline int64_t check(const char *call, int64_t result) {
    if (result < 0 && !stopping)
        fprintf(stderr, "%s failed: %s\n", call, sk_strerror(result));
    return result;
}

static int64_t last_loss; /* why a datagram got lost at home */

/* Whether a receive did not fail: nothing is there, or nobody is at the other end (yet, or any more). */
static inline int is_harmless(int64_t got) {
    if (got < 0 && got != SK_EAGAIN)
        last_loss = got;
    return got >= 0 || got == SK_EAGAIN || got == SK_ECONNREFUSED;
}

/* The same of a send: a datagram that can't go is a lost one, as those are that networks lose. */
static inline int is_sent_or_lost(int64_t sent) {
    if (sent < 0)
        last_loss = sent;
    return is_harmless(sent) || sent == SK_ENOBUFS;
}

/* Prints what a stranger said, but no control characters, which would command the terminal; in UTF-8
 * some have two bytes, which may come in two pieces: *before is the byte before, 0 at the beginning. */
static inline void print_safely(const char *text, size_t length, unsigned char *before) {
    size_t i;
    for (i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        int second = *before == 0xc2 && byte >= 0x80;
        if (second && byte >= 0xa0)
            putchar(0xc2); /* no control character after all */
        if (byte == '\n' || (byte >= ' ' && byte != 0x7f && byte != 0xc2 && !(second && byte < 0xa0)))
            putchar(byte);
        *before = byte;
    }
}

/* The program's last step: its exit status. What could not be written was not said. */
static inline int finish(int good) {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("the output could not be written\n", stderr);
        good = 0;
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A program may be started without its input or outputs (">&-"). libsk's sockets keep off their
 * numbers, but the first file that is opened would get one, and into it what is printed. So /dev/null
 * takes the places, opened the wrong way round: using them fails, as it has to. */
static inline void fill_streams(void) {
    int n;
    for (n = 0; n <= 2; n++)
        if (fcntl(n, F_GETFD) < 0 && open("/dev/null", n == 0 ? O_WRONLY : O_RDONLY) < 0)
            _Exit(EXIT_FAILURE); /* and there is nowhere to say why */
}

/* --help and --self-test, which every program has. 0: something else is asked for. */
static inline int is_answered(int argc, char **argv, const char *usage, int (*self_test)(void), int *status) {
    fill_streams();
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* each line at once, through a pipe too */
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        *status = finish(fputs(usage, stdout) >= 0);
        return 1;
    }
    if (argc == 2 && strcmp(argv[1], "--self-test") == 0) {
        int good = self_test();
        if (!good && last_loss != 0)
            fprintf(stderr, "a datagram was lost at home: %s\n", sk_strerror(last_loss));
        puts(good ? "self-test: passed" : "self-test: FAILED");
        *status = finish(good);
        return 1;
    }
    return 0;
}

/* Waits for the end of a child; whether there was one and it succeeded. */
static inline int has_succeeded(pid_t child) {
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0)
        if (errno != EINTR) {
            perror("waitpid");
            return 0;
        }
    return status == 0;
}

/* Microseconds on a clock that only goes forward. */
static inline int64_t clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Milliseconds to wait until then, as a poller takes them: not a moment too short. */
static inline int64_t ms_until(int64_t then) {
    int64_t now = clock_us();
    return then == NEVER ? SK_FOREVER : then <= now ? 0 : (then - now + 999) / 1000;
}

static inline int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int number(const char *text, long least, long most, long *value) {
    char *end;
    errno = 0;
    *value = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *value >= least && *value <= most;
}

/* Takes "--name number" where the arguments begin with it. */
static inline int option(char **arguments, const char *name, long least, long most, long *value) {
    return strcmp(arguments[0], name) == 0 && number(arguments[1], least, most, value);
}

/* The number of a network interface: the zone of an address that is tied to it. */
static inline int interface_index(const char *name, int64_t *index) {
    char text[64];
    sk_addr address;
    snprintf(text, sizeof text, "fe80::1%%%.40s", name);
    if (check(name, sk_addr_parse(text, &address)) < 0)
        return 0;
    *index = address.scope_id;
    return 1;
}

/* Numbers travel with their high byte first, whatever machine sends or receives them. */
static inline void put16(unsigned char *to, uint16_t value) {
    to[0] = (unsigned char)(value >> 8);
    to[1] = (unsigned char)(value & 255);
}

static inline void put32(unsigned char *to, uint32_t value) {
    put16(to, (uint16_t)(value >> 16));
    put16(to + 2, (uint16_t)(value & 65535));
}

static inline uint16_t get16(const unsigned char *from) {
    return (uint16_t)(from[0] << 8 | from[1]);
}

static inline uint32_t get32(const unsigned char *from) {
    return (uint32_t)get16(from) << 16 | get16(from + 2);
}

/* The next number of a sequence that its seed decides (splitmix64): for tests, not for secrets. */
static inline uint64_t chance(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* From 0 up to, but not including, 1. */
static inline double chance_unit(uint64_t *state) {
    return (double)(chance(state) >> 11) / 9007199254740992.0;
}

/* A number that nobody guesses. 0: there is none to be had. */
static inline int draw_secret(uint64_t *secret) {
    FILE *source = fopen("/dev/urandom", "rb");
    int good = source != NULL && fread(secret, sizeof *secret, 1, source) == 1;
    if (source != NULL)
        fclose(source);
    if (!good)
        fputs("/dev/urandom can't be read\n", stderr);
    return good;
}

/* A number that only who receives at this address can know, for we sent it there: it shows that
 * the sender of a datagram did not lie about where he is. We need not remember whom we gave one.
 * (A game's measure: where money is at stake take a keyed hash made for it, such as SipHash.) */
static inline uint32_t key_of(const sk_addr *address, uint64_t secret) {
    uint64_t state = secret + address->port;
    size_t i;
    for (i = 0; i < sizeof address->ip; i++)
        state = chance(&state) + address->ip[i];
    state ^= secret >> 7;
    return (uint32_t)(chance(&state) >> 33) + 1; /* never 0 */
}

/* Whether a came after b, in numbers that go round. */
static inline int is_newer(uint32_t a, uint32_t b) {
    return a != b && a - b < UINT32_C(0x80000000);
}

#endif
