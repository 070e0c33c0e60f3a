/* Times a contender over loopback UDP, one way. Linked with one of the contenders.
 *
 *   udp verify (single|batch|segment)                 once, and every byte is looked at
 *   udp (single|batch|segment) SIZE (count N|ms N)
 *
 * One process sends a round of datagrams and then receives it, N times or for so long, and prints
 * the datagrams in a second: 64 in a round, or 4 runs of 48 that the system cuts. So nothing is
 * lost, and nobody waits for another processor. Ends with 77 where the contender can't. */
#include "contender.h"

#include <time.h>

enum { BATCH = 64, RUNS = 4, RUN = 48 };

static struct datagrams plan;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int possible(const char *way) {
    return strcmp(way, "single") == 0 ? udp.singles : strcmp(way, "batch") == 0 ? udp.batches : udp.segments;
}

static void set_up(const char *way, size_t size) {
    int segmented = strcmp(way, "segment") == 0;
    plan.batched = strcmp(way, "single") != 0;
    plan.count = segmented ? RUNS : BATCH;
    plan.len = segmented ? RUN * size : size;
    plan.segment = segmented ? size : 0;
    plan.space = new_zeroed((size_t)MOST_MESSAGES * MESSAGE_ROOM);
    plan.room = new_zeroed((size_t)MOST_MESSAGES * MESSAGE_ROOM);
    udp.open(&plan);
}

static void one_round(void) {
    size_t bytes = 0;
    for (long sent = 0, n; sent < (long)plan.count; sent += n) {
        n = udp.send(sent);
        check(n > 0, "send");
    }
    for (long got = 0, n; got < (long)plan.count && bytes < plan.count * plan.len; got += n) {
        n = udp.recv(got, &bytes);
        check(n > 0, "receive");
    }
    check(bytes == plan.count * plan.len, "every byte");
}

static void verify(const char *way) {
    set_up(way, 64);
    for (size_t i = 0; i < plan.count; i++)
        for (size_t j = 0; j < plan.len; j++)
            plan.space[i * MESSAGE_ROOM + j] = (char)(i * 31 + j * 7 + j / 251);
    one_round();
    for (size_t i = 0; i < plan.count; i++)
        if (memcmp(plan.space + i * MESSAGE_ROOM, plan.room + i * MESSAGE_ROOM, plan.len) != 0) {
            fprintf(stderr, "message %zu (%s) is not what was sent\n", i, way);
            exit(EXIT_FAILURE);
        }
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    if (!possible(argv[argc == 3 ? 2 : 1]))
        cannot(udp.without);
    if (argc == 3 && strcmp(argv[1], "verify") == 0) {
        verify(argv[2]);
        return 0;
    }
    if (argc != 5)
        return 2;
    set_up(argv[1], strtoul(argv[2], NULL, 10));
    int timed = strcmp(argv[3], "ms") == 0;
    long limit = strtol(argv[4], NULL, 10), rounds = 0;
    double begin = now();
    for (; timed ? now() - begin < (double)limit : rounds < limit; rounds++)
        one_round();
    size_t datagrams = plan.segment > 0 ? RUNS * RUN : BATCH;
    printf("%.1f\n", (double)rounds * (double)datagrams * 1e3 / (now() - begin));
    return 0;
}
