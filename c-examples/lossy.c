/* lossy: a bad network on one machine. It stands between programs that speak UDP and loses,
 * delays, repeats and reorders what they send, as often as it is told. How it does that is in
 * lossy.h. */
#define _POSIX_C_SOURCE 200809L
#include "lossy.h"

static const char usage[] =
    "usage: lossy [OPTION]... SERVER | --self-test\n"
    "Passes datagrams between its clients and SERVER, such as 127.0.0.1:5000, and spoils some.\n"
    "  --host ADDRESS  where clients find it (127.0.0.1)\n"
    "  --port N        0 takes any free one and prints it (0)\n"
    "  --loss P        percent that are lost (0)\n"
    "  --repeat P      percent that come twice (0)\n"
    "  --reorder P     percent that the next one overtakes (0)\n"
    "  --delay MS      for every one (0)\n"
    "  --jitter MS     that much more or less delay, by chance (0)\n"
    "  --seed N        decides chance: the same seed, the same losses (1)\n";

static struct lossy relay;

static void report(void) {
    printf("lossy: %ld came, %ld lost, %ld repeated, %ld reordered, %ld gone on\n", relay.counts.came,
           relay.counts.lost, relay.counts.repeated, relay.counts.reordered, relay.counts.gone);
}

/* Waits until something is ready or due, and does it. 0: it failed. */
static int turn(sk_handle poller, int64_t until) {
    sk_event events[16];
    int64_t i, count = check("sk_poller_wait", sk_poller_wait(poller, events, 16,
                                                              ms_until(earlier(until, lossy_next(&relay)))));
    for (i = 0; i < count; i++)
        if (!lossy_event(&relay, events[i].handle))
            return 0;
    return count >= 0 && lossy_due(&relay);
}

static int run(const sk_addr *where, const sk_addr *server, const struct lossy_settings *settings) {
    sk_handle poller = check("sk_poller", sk_poller());
    sk_addr own;
    char text[SK_ADDR_STRLEN], to[SK_ADDR_STRLEN];
    int good = poller > 0 && lossy_open(&relay, poller, where, server, settings) &&
               check("sk_local_addr", sk_local_addr(relay.front, &own)) == SK_OK && catch_interrupts(poller);
    if (good) {
        sk_addr_format(&own, text, sizeof text);
        sk_addr_format(server, to, sizeof to);
        printf("bind: %s, in the place of %s\n", text, to);
        while (good && !stopping)
            good = turn(poller, NEVER);
        report();
    }
    lossy_close(&relay);
    sk_close(poller);
    return good || stopping;
}

enum { TEST_DATAGRAMS = 300 };

static int64_t shortest; /* time that one was under way */

/* What came out of the relay, in this order; the return value is how many, -1 is a failure. */
static int send_through(const struct lossy_settings *settings, int *came) {
    sk_handle poller = check("sk_poller", sk_poller()), server, client = 0;
    sk_addr any;
    int64_t sent_at[TEST_DATAGRAMS];
    int n = 0, count = 0, good;
    int64_t end = clock_us() + 8000000;
    server = check("sk_socket", sk_socket(SK_INET, SK_DGRAM, SK_PROTO_UDP));
    good = sk_addr_parse("127.0.0.1", &any) == SK_OK &&
           check("sk_bind_addr", sk_bind_addr(server, &any)) == SK_OK;
    if (good) {
        sk_addr address;
        good = check("sk_local_addr", sk_local_addr(server, &address)) == SK_OK &&
               lossy_open(&relay, poller, &any, &address, settings) &&
               check("sk_local_addr", sk_local_addr(relay.front, &address)) == SK_OK &&
               (client = check("sk_socket", sk_socket(SK_INET, SK_DGRAM, SK_PROTO_UDP))) > 0 &&
               check("sk_connect_addr", sk_connect_addr(client, &address)) == SK_OK &&
               check("sk_set_timeout", sk_set_timeout(server, 0)) == SK_OK &&
               check("sk_poller_add", sk_poller_add(poller, server, SK_READABLE, 0)) == SK_OK;
    }
    /* Until all were sent and nothing is on its way. */
    while (good && (n < TEST_DATAGRAMS || relay.counts.came < n || relay.first != NULL ||
                    count < relay.counts.gone)) {
        unsigned char data[2];
        int64_t got;
        /* Few at a time, so that they fit into the sockets' buffers: none but the relay loses any. */
        if (n < TEST_DATAGRAMS && relay.counts.came == n && n - relay.counts.lost - count < 50) {
            sent_at[n] = clock_us();
            put16(data, (uint16_t)n++);
            good = check("sk_send", sk_send(client, data, sizeof data, 0)) == (int64_t)sizeof data;
        }
        good = good && turn(poller, end);
        while (good && count < 2 * TEST_DATAGRAMS &&
               (got = sk_recv(server, data, sizeof data, 0)) != SK_EAGAIN) {
            int number = get16(data) % TEST_DATAGRAMS;
            good = check("sk_recv", got) == (int64_t)sizeof data;
            came[count++] = number;
            shortest = earlier(shortest, clock_us() - sent_at[number]);
        }
        if (clock_us() > end) {
            fputs("what was sent does not come out\n", stderr);
            good = 0;
        }
    }
    report();
    lossy_close(&relay);
    sk_close(client);
    sk_close(server);
    sk_close(poller);
    return good ? count : -1;
}

static int self_test(void) {
    static int first[2 * TEST_DATAGRAMS], again[2 * TEST_DATAGRAMS];
    static const struct lossy_settings perfect = {0, 0, 0, 0, 0, 1}, bad = {10, 5, 5, 2, 0, 7},
                                       slow = {0, 0, 0, 20, 0, 1};
    int i, seen[TEST_DATAGRAMS] = {0}, count, in_order = 1, different = 0, late = 0, good;

    puts("-- nothing is spoilt: all come, in order");
    count = send_through(&perfect, first);
    for (i = 0; i < count; i++)
        in_order = in_order && first[i] == i;
    good = count == TEST_DATAGRAMS && in_order;

    puts("-- 10 % lost, 5 % repeated, 5 % reordered");
    count = good ? send_through(&bad, first) : -1;
    for (i = 0; i < count; i++) {
        different += seen[first[i]]++ == 0;
        late += i > 0 && first[i] < first[i - 1];
    }
    printf("%d different ones came, %d of them behind one that was sent later\n", different, late);
    good = good && different > TEST_DATAGRAMS * 85 / 100 && different < TEST_DATAGRAMS * 95 / 100 &&
           count > different && late > TEST_DATAGRAMS * 2 / 100;

    puts("-- the same seed again: the same datagrams are lost");
    good = good && send_through(&bad, again) == count;
    for (i = 0; i < TEST_DATAGRAMS && good; i++) {
        int j, now = 0;
        for (j = 0; j < count; j++)
            now += again[j] == i;
        good = now == seen[i];
    }

    puts("-- each is delayed");
    shortest = NEVER;
    count = good ? send_through(&slow, first) : -1;
    return good && count == TEST_DATAGRAMS && shortest >= 20000;
}

static int percent(char **arguments, const char *name, double *value) {
    char *end;
    if (strcmp(arguments[0], name) != 0)
        return 0;
    *value = strtod(arguments[1], &end);
    return end != arguments[1] && *end == '\0' && *value >= 0 && *value <= 100;
}

int main(int argc, char **argv) {
    struct lossy_settings settings = {0, 0, 0, 0, 0, 1};
    sk_addr where, server;
    const char *host = "127.0.0.1";
    long port = 0, seed = 1;
    int i, status;
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--host") == 0)
            host = argv[i + 1];
        else if (!option(argv + i, "--port", 0, 65535, &port) &&
                 !option(argv + i, "--seed", 0, 1000000000, &seed) &&
                 !option(argv + i, "--delay", 0, 60000, &settings.delay_ms) &&
                 !option(argv + i, "--jitter", 0, 60000, &settings.jitter_ms) &&
                 !percent(argv + i, "--loss", &settings.loss) &&
                 !percent(argv + i, "--repeat", &settings.repeat) &&
                 !percent(argv + i, "--reorder", &settings.reorder))
            break;
    }
    if (i + 1 != argc || sk_addr_parse(host, &where) != SK_OK || where.port != 0 || where.family == SK_UNIX ||
        sk_addr_parse(argv[i], &server) != SK_OK || server.port == 0) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    where.port = (uint16_t)port;
    settings.seed = (uint64_t)seed;
    return finish(run(&where, &server, &settings));
}
