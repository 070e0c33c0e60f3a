/* Datagrams one way over loopback UDP, in batches, on libsk or with RAW defined on sendmmsg(2)
 * and recvmmsg(2).
 *
 *   udp (batch|segment) SIZE MILLISECONDS   prints datagrams per second received, and messages lost
 *   udp (batch|segment) SIZE count ROUNDS   sends and receives so many batches, one after the other, in one
 *                                           process, and prints the processor time per datagram in ns
 *
 * A batch is 64 datagrams, or with segment 4 runs of 48, each cut by the system (UDP_SEGMENT) and
 * handed over in one piece (UDP_GRO). Sender and receiver are two processes, each on a processor
 * of its own; only so many messages are on their way as the receiver's buffer holds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef RAW
#include <sk.h>
#endif

enum { BATCH = 64, WINDOW = 2 * BATCH, RUNS = 4, RUN = 48, RUNS_WINDOW = 6, LONGEST = 65535 };

/* What the two processes share. */
struct shared {
    volatile long received, lost; /* messages: datagrams, or runs of them */
    volatile int stop;
};

static size_t size, count, len; /* of a datagram; messages in a batch; bytes of a message */
static int segmented;
static char *space; /* LONGEST bytes for each message */

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(EXIT_FAILURE);
    }
}

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* --- The two ways: open, one batch out, one batch in ----------------------------------------- */

enum { BUFFER = 4 << 20 }; /* cut to net.core.rmem_max */

#ifdef RAW

static struct sockaddr_in target, senders[BATCH];
static struct mmsghdr out[BATCH], in[BATCH];
static struct iovec outs[BATCH], ins[BATCH];
/* As long as is usual, and aligned as control data must be. */
static struct {
    size_t words[8];
} out_control, in_control[BATCH];
static int sender, receiver;

static void open_receiver(void) {
    int on = 1, buffer = BUFFER;
    socklen_t address_len = sizeof target;
    receiver = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    target.sin_family = AF_INET;
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) == 0, "SO_RCVBUF");
    check(!segmented || setsockopt(receiver, SOL_UDP, UDP_GRO, &on, sizeof on) == 0, "UDP_GRO");
    check(bind(receiver, (struct sockaddr *)&target, sizeof target) == 0, "bind");
    check(getsockname(receiver, (struct sockaddr *)&target, &address_len) == 0, "getsockname");
    for (size_t i = 0; i < count; i++) {
        struct msghdr *h = &in[i].msg_hdr;
        ins[i].iov_base = space + i * LONGEST;
        ins[i].iov_len = LONGEST;
        h->msg_iov = &ins[i];
        h->msg_iovlen = 1;
        h->msg_name = &senders[i];
        h->msg_control = segmented ? &in_control[i] : NULL;
    }
}

static void open_sender(void) {
    struct cmsghdr *c = (struct cmsghdr *)&out_control;
    unsigned short segment = (unsigned short)size;
    sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check(sender >= 0, "socket");
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(c), &segment, sizeof segment);
    for (size_t i = 0; i < count; i++) {
        struct msghdr *h = &out[i].msg_hdr;
        outs[i].iov_base = space + i * LONGEST;
        outs[i].iov_len = len;
        h->msg_iov = &outs[i];
        h->msg_iovlen = 1;
        h->msg_name = &target;
        h->msg_namelen = sizeof target;
        h->msg_control = segmented ? &out_control : NULL;
        h->msg_controllen = segmented ? CMSG_SPACE(sizeof segment) : 0;
    }
}

static long send_batch(void) { return sendmmsg(sender, out, (unsigned)count, MSG_NOSIGNAL); }

static long recv_batch(size_t *bytes) {
    for (size_t i = 0; i < count; i++) {
        in[i].msg_hdr.msg_namelen = sizeof senders[i];
        in[i].msg_hdr.msg_controllen = segmented ? sizeof in_control[i] : 0;
    }
    int n = recvmmsg(receiver, in, (unsigned)count, MSG_WAITFORONE, NULL);
    for (int i = 0; i < n; i++)
        *bytes += in[i].msg_len;
    return n;
}

#else

static sk_handle sender, receiver;
static sk_addr target;
static sk_dgram out[BATCH], in[BATCH];

static void open_receiver(void) {
    receiver = sk_socket(SK_INET, SK_DGRAM, 0);
    check(sk_set_option(receiver, SK_OPT_RECV_BUFFER, BUFFER) == SK_OK, "SK_OPT_RECV_BUFFER");
    check(sk_set_option(receiver, SK_OPT_UDP_GRO, segmented) == SK_OK, "SK_OPT_UDP_GRO");
    check(sk_bind(receiver, "127.0.0.1", 0) == SK_OK && sk_local_addr(receiver, &target) == SK_OK, "sk_bind");
    for (size_t i = 0; i < count; i++) {
        in[i].data = space + i * LONGEST;
        in[i].room = LONGEST;
    }
}

static void open_sender(void) {
    sender = sk_socket(SK_INET, SK_DGRAM, 0);
    check(sender > 0, "sk_socket");
    for (size_t i = 0; i < count; i++) {
        out[i].data = space + i * LONGEST;
        out[i].len = len;
        out[i].addr = target;
        out[i].segment = segmented ? (uint32_t)size : 0;
    }
}

static long send_batch(void) { return (long)sk_send_batch(sender, out, count, 0); }

static long recv_batch(size_t *bytes) {
    long n = (long)sk_recv_batch(receiver, in, count, 0);
    for (long i = 0; i < n; i++)
        *bytes += in[i].len;
    return n;
}

#endif

/* --- Rounds, or a stream --------------------------------------------------------------------- */

static void rounds(long all) {
    open_receiver();
    open_sender();
    double begin = now(CLOCK_PROCESS_CPUTIME_ID);
    for (long left = all; left > 0; left--) {
        size_t bytes = 0;
        check(send_batch() == (long)count, "send");
        for (long got = 0; got < (long)count;) {
            long n = recv_batch(&bytes);
            check(n > 0, "receive");
            got += n;
        }
        check(bytes == count * len, "every byte");
    }
    double spent = now(CLOCK_PROCESS_CPUTIME_ID) - begin;
    printf("%.2f\n", spent / (double)all / (double)(count * len / size));
}

/* The first or second processor that this program may use; where there is one, that. */
static void on_processor(int which) {
    cpu_set_t all, one;
    check(sched_getaffinity(0, sizeof all, &all) == 0, "sched_getaffinity");
    which %= CPU_COUNT(&all);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && which-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            check(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
        }
}

/* Sends a batch whenever it fits in the window. What does not arrive for a while is lost. */
static void flood(struct shared *shared) {
    long sent = 0, n, received = 0;
    double since = now(CLOCK_MONOTONIC);
    open_sender();
    while (!shared->stop) {
        if (received != shared->received) {
            received = shared->received;
            since = now(CLOCK_MONOTONIC);
        }
        if (sent - shared->lost - received + (long)count <= (segmented ? RUNS_WINDOW : WINDOW)) {
            n = send_batch();
            check(n > 0, "send");
            sent += n;
            since = now(CLOCK_MONOTONIC);
        } else if (now(CLOCK_MONOTONIC) - since > 2e7) {
            shared->lost = sent - received;
        } else {
            sched_yield();
        }
    }
}

static void stream(double duration) {
    size_t bytes = 0, from = 0;
    int status;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(shared != MAP_FAILED, "mmap");
    open_receiver();
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        on_processor(1);
        flood(shared);
        exit(EXIT_SUCCESS);
    }
    on_processor(0);
    double begin = 0, end = 0;
    while (end - begin < duration) {
        long n = recv_batch(&bytes);
        check(n > 0, "receive");
        shared->received += n;
        end = now(CLOCK_MONOTONIC);
        if (begin == 0) {
            begin = end;
            from = bytes;
        }
    }
    printf("%.0f %ld\n", (double)((bytes - from) / size) / (end - begin) * 1e9, shared->lost);
    shared->stop = 1;
    check(waitpid(child, &status, 0) == child && status == 0, "the sender");
}

int main(int argc, char **argv) {
    long number = argc >= 4 ? atol(argv[argc - 1]) : 0;
    if (argc >= 4)
        size = strtoul(argv[2], NULL, 10);
    if (size == 0 || number <= 0) {
        fputs("usage: udp (batch|segment) SIZE (MILLISECONDS|count ROUNDS)\n", stderr);
        return EXIT_FAILURE;
    }
    segmented = strcmp(argv[1], "segment") == 0;
    count = segmented ? RUNS : BATCH;
    len = segmented ? RUN * size : size;
    space = calloc(BATCH, LONGEST);
    check(space != NULL, "calloc");
    if (argc == 5)
        rounds(number);
    else
        stream((double)number * 1e6);
    return EXIT_SUCCESS;
}
