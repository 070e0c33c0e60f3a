/* skperf: how fast is the way from here to there? What iperf3 does, on libsk: a client asks a server
 * for a test over TCP or UDP, in either direction; both count, and show the rate each second.
 *
 * How both do that is in skperf.h.
 *
 * The client's TCP connection carries the request (32 bytes: "skp1", flags 4, duration in ms 4,
 * length 4, bits a second 8, 8 unused) and the answer (12 bytes: "skp1", UDP port 4, token 4). Over
 * TCP the data follows on the same connection, and its end is the end of the stream. Over UDP each
 * datagram begins with token 4, number 8, time in 1/90000 s 4; the TCP connection stays, and the
 * sender tells there at last how many it sent (8). A receiver who is the server reports at the end (32
 * bytes: received bytes 8, datagrams 8, jitter in us 8, time in us 8). */
#define _POSIX_C_SOURCE 200809L
#include "skperf.h"
#include <pthread.h>

static const char usage[] =
    "usage: skperf -s [OPTION]...                   the server\n"
    "       skperf -c HOST -p PORT [OPTION]...      the client\n"
    "       skperf --self-test\n"
    "  -s            -B ADDRESS  where to listen (127.0.0.1); -p PORT (0: any free one, printed)\n"
    "                -1          end after one client\n"
    "  -c HOST       -u          UDP (TCP)\n"
    "                -R          the server sends, the client receives\n"
    "                -t SECONDS  how long (10)\n"
    "                -b MBIT     megabits a second at most; 0: as fast as it goes (TCP 0, UDP 1)\n"
    "                -l BYTES    in a send (TCP 131072, UDP 1200)\n";

enum {
    REQUEST = 32, /* bytes */
    ANSWER = 12,
    REPORT = 32,
    LONGEST = 1 << 20 /* piece to send at once */
};

/* What each side has open; the signal handler closes it. */
struct side {
    volatile sk_handle listener, control, data;
};

static struct side server, client;

/* Ctrl-C: closing a socket wakes the call that waits on it. */
static void on_ctrl_c(int signal_number) {
    int saved = errno;
    (void)signal_number;
    stopping = 1;
    sk_close(server.listener);
    sk_close(server.control);
    sk_close(server.data);
    sk_close(client.control);
    sk_close(client.data);
    errno = saved;
}

/* --- The server ---------------------------------------------------------------------------- */

/* A socket for the datagrams of one test, on the address that the client found us at. */
static int64_t open_datagrams(const struct test *t, unsigned char *answer) {
    sk_addr own;
    int64_t result = check("sk_local_addr", sk_local_addr(server.control, &own));
    if (result < 0)
        return result;
    own.port = 0;
    server.data = check("sk_socket", sk_socket(own.family, SK_DGRAM, SK_PROTO_UDP));
    if (server.data < 0 || (result = check("sk_bind_addr", sk_bind_addr(server.data, &own))) < 0 ||
        (result = check("sk_local_addr", sk_local_addr(server.data, &own))) < 0)
        return server.data < 0 ? server.data : result;
    put32(answer + 4, own.port);
    put32(answer + 8, t->token);
    return check("sk_set_timeout", sk_set_timeout(server.data, LIMIT_MS));
}

/* The first datagram with the token says where the client receives. */
static int64_t find_client(const struct test *t) {
    unsigned char data[64];
    sk_addr from;
    int64_t got, end = clock_us() + LIMIT_MS * 1000;
    do {
        got = sk_recv_from(server.data, data, sizeof data, 0, &from);
        if (check("sk_recv_from", got) < 0)
            return got;
    } while ((got < 4 || get32(data) != t->token) && clock_us() < end);
    return check("sk_connect_addr", sk_connect_addr(server.data, &from));
}

/* What the server measured, to the client. */
static int64_t report(const struct report *r) {
    unsigned char data[REPORT];
    put64(data, r->bytes);
    put64(data + 8, r->packets.received);
    put64(data + 16, (int64_t)(r->jitter_ms * 1000));
    put64(data + 24, r->us);
    return check("sending the report", sk_send_all(server.control, data, sizeof data, NULL));
}

static int64_t serve_test(struct test *t) {
    unsigned char answer[ANSWER] = {'s', 'k', 'p', '1'}, count[8];
    struct report r;
    uint64_t token;
    int is_udp = (t->flags & UDP) != 0;
    int64_t result = draw_secret(&token) ? SK_OK : SK_EOTHER;
    memset(&r, 0, sizeof r);
    t->token = (uint32_t)token;
    if (result == SK_OK && is_udp)
        result = open_datagrams(t, answer);
    if (result == SK_OK)
        result = check("sending the answer", sk_send_all(server.control, answer, sizeof answer, NULL));
    if (result < 0)
        return result;
    if ((t->flags & REVERSE) != 0) {
        if (is_udp && (result = find_client(t)) < 0)
            return result;
        result = send_data(is_udp ? server.data : server.control, t, &r);
        put64(count, r.sent);
        if (result >= 0 && is_udp)
            result = check("telling the count", sk_send_all(server.control, count, sizeof count, NULL));
        if (!is_quiet)
            show_end("sent:    ", r.bytes, r.us);
        return result;
    }
    result = is_udp ? receive_datagrams(server.data, server.control, t, &r)
                    : receive_stream(server.control, t, &r);
    if (!is_quiet)
        show_end("received:", r.bytes, r.us);
    return result < 0 ? result : report(&r);
}

/* One client. What goes wrong with it is said, and the next one comes. */
static void serve_client(void) {
    unsigned char request[REQUEST];
    struct test t;
    int64_t result = check("sk_set_timeout", sk_set_timeout(server.control, LIMIT_MS));
    if (result == SK_OK)
        result = check("the request", sk_recv_all(server.control, request, sizeof request, NULL));
    if (result < 0)
        return;
    t.flags = get32(request + 4);
    t.ms = get32(request + 8);
    t.length = get32(request + 12);
    t.bits = get64(request + 16);
    if (memcmp(request, "skp1", 4) != 0 || t.flags > (UDP | REVERSE) || t.ms > 3600000 ||
        t.length < DATAGRAM || t.length > ((t.flags & UDP) != 0 ? 65507 : LONGEST) || t.bits < 0)
        fputs("that is no request of skperf\n", stderr);
    else if (serve_test(&t) >= 0)
        sk_finish(server.control, LIMIT_MS); /* unread input must not turn our last bytes into a reset */
}

/* `once`: one client and no more. */
static int serve(int once) {
    do {
        sk_addr peer;
        char text[SK_ADDR_STRLEN];
        sk_handle accepted = check("sk_accept", sk_accept(server.listener, &peer));
        if (accepted < 0)
            return 0;
        server.control = accepted;
        sk_addr_format(&peer, text, sizeof text);
        if (!is_quiet)
            printf("client:  %s\n", text);
        if (!stopping) /* the signal may have come before the handle was known to its handler */
            serve_client();
        sk_close(server.control);
        sk_close(server.data);
    } while (!once && !stopping);
    return 1;
}

static int start_server(const char *host, long port, sk_addr *own) {
    char text[SK_ADDR_STRLEN];
    if (check("sk_addr_parse", sk_addr_parse(host, own)) < 0)
        return 0;
    own->port = (uint16_t)port;
    server.listener = check("sk_socket", sk_socket(own->family, SK_STREAM, SK_PROTO_TCP));
    if (server.listener < 0 || check("sk_bind_addr", sk_bind_addr(server.listener, own)) < 0 ||
        check("sk_listen", sk_listen(server.listener, 16)) < 0 ||
        check("sk_local_addr", sk_local_addr(server.listener, own)) < 0)
        return 0;
    sk_addr_format(own, text, sizeof text);
    printf("bind:    %s\n", text);
    return 1;
}

/* --- The client ---------------------------------------------------------------------------- */

/* The socket for datagrams: to the server, and to the port that it told. */
static int64_t reach_datagrams(struct test *t, const unsigned char *answer) {
    sk_addr peer;
    int64_t result = check("sk_peer_addr", sk_peer_addr(client.control, &peer));
    if (result < 0)
        return result;
    t->token = get32(answer + 8);
    peer.port = (uint16_t)get32(answer + 4);
    client.data = check("sk_socket", sk_socket(peer.family, SK_DGRAM, SK_PROTO_UDP));
    if (client.data < 0)
        return client.data;
    result = check("sk_connect_addr", sk_connect_addr(client.data, &peer));
    return result < 0 ? result : check("sk_set_timeout", sk_set_timeout(client.data, LIMIT_MS));
}

/* From the connection to the server's answer. */
static int64_t begin_test(const char *host, uint16_t port, struct test *t) {
    unsigned char request[REQUEST] = {'s', 'k', 'p', '1'}, answer[ANSWER];
    int64_t result;
    client.control = sk_socket(strchr(host, ':') != NULL ? SK_INET6 : SK_INET, SK_STREAM, SK_PROTO_TCP);
    put32(request + 4, t->flags);
    put32(request + 8, t->ms);
    put32(request + 12, t->length);
    put64(request + 16, t->bits);
    if ((result = check("sk_socket", client.control)) < 0 ||
        (result = check("sk_set_timeout", sk_set_timeout(client.control, LIMIT_MS))) < 0 ||
        (result = check("sk_connect", sk_connect(client.control, host, port))) < 0 ||
        (result = check("the request", sk_send_all(client.control, request, sizeof request, NULL))) < 0)
        return result;
    result = sk_recv_all(client.control, answer, sizeof answer, NULL);
    if (check("the answer", result) < 0) {
        if (result == SK_ETIMEDOUT)
            fputs("The server may be busy with another client.\n", stderr);
        return result;
    }
    if (memcmp(answer, "skp1", 4) != 0) {
        fputs("that is no skperf server\n", stderr);
        return SK_EOTHER;
    }
    return (t->flags & UDP) == 0 ? SK_OK : reach_datagrams(t, answer);
}

/* Knocks until the server sends: a knock may get lost. */
static int64_t knock(const struct test *t) {
    unsigned char data[4];
    int64_t i, result = 0;
    put32(data, t->token);
    for (i = 0; i < LIMIT_MS / QUIET_MS && result == 0; i++) {
        result = sk_send(client.data, data, sizeof data, 0);
        if (is_sent_or_lost(result))
            result = sk_wait(client.data, SK_READABLE, QUIET_MS);
    }
    if (result == 0)
        result = SK_ETIMEDOUT;
    return check("knocking", result);
}

/* A whole test. `sent` and `received`: what was counted, as far as it is known. */
static int run_test(const char *host, uint16_t port, struct test *t, struct report *sent,
                    struct report *received) {
    unsigned char data[REPORT];
    int is_udp = (t->flags & UDP) != 0;
    int64_t result = begin_test(host, port, t);
    memset(sent, 0, sizeof *sent);
    memset(received, 0, sizeof *received);
    if (result >= 0 && (t->flags & REVERSE) != 0) {
        if (is_udp && (result = knock(t)) >= 0)
            result = receive_datagrams(client.data, client.control, t, received);
        else if (!is_udp)
            result = receive_stream(client.control, t, received);
    } else if (result >= 0) {
        result = send_data(is_udp ? client.data : client.control, t, sent);
        put64(data, received->sent = sent->sent);
        if (result >= 0)
            result = is_udp ? check("telling the count", sk_send_all(client.control, data, 8, NULL))
                            : check("sk_shutdown", sk_shutdown(client.control, SK_SHUT_WRITE));
        if (result >= 0)
            result = check("the report", sk_recv_all(client.control, data, sizeof data, NULL));
        received->bytes = get64(data);
        received->packets.received = get64(data + 8);
        received->jitter_ms = (double)get64(data + 16) / 1000;
        received->us = get64(data + 24);
        if (result >= 0)
            show_end("sent:    ", sent->bytes, sent->us);
    }
    if (result >= 0) {
        show_end("received:", received->bytes, received->us);
        if (is_udp) {
            int64_t lost = received->sent - received->packets.received;
            printf("lost:     %.2f %% (%ld of %ld datagrams), jitter %.3f ms\n",
                   percent(lost, received->sent), (long)lost, (long)received->sent, received->jitter_ms);
        }
    }
    sk_close(client.control);
    sk_close(client.data);
    return result >= 0;
}

/* --- The self-test ------------------------------------------------------------------------- */

static void *serve_in_thread(void *unused) {
    int i;
    for (i = 0; i < 4 && serve(1); i++)
        continue;
    return unused;
}

static int self_test(void) {
    static const char *const names[] = {"TCP", "UDP", "TCP, the server sends", "UDP, the server sends"};
    pthread_t thread;
    sk_addr own;
    uint32_t flags;
    int good, started, error;
    is_quiet = 1;
    good = start_server("127.0.0.1", 0, &own);
    error = good ? pthread_create(&thread, NULL, serve_in_thread, NULL) : 0;
    if (error != 0)
        check("pthread_create", error == EPERM ? SK_EACCES : SK_ENOMEM);
    good = started = good && error == 0;
    for (flags = 0; flags <= (UDP | REVERSE) && good; flags++) {
        struct test t = {0, 300, 1200, 0, 8000000};
        struct report sent, received;
        t.flags = flags;
        printf("-- %s: 8 Mbit/s for 0.3 s\n", names[flags]);
        /* Never faster than asked for; a busy machine may be slower. What TCP was given, arrives. */
        good = run_test("127.0.0.1", own.port, &t, &sent, &received) && received.bytes > 0 &&
               received.bytes <= 8000 * 300 / 8 + 1200 &&
               ((flags & UDP) != 0 ? received.packets.received > 0 &&
                                         received.packets.received <= received.sent
                                   : (flags & REVERSE) != 0 || sent.bytes == received.bytes);
    }
    sk_close(server.listener);
    if (!good) { /* wakes the server, wherever it waits */
        sk_close(server.control);
        sk_close(server.data);
    }
    if (started && pthread_join(thread, NULL) != 0)
        good = 0;
    return good;
}

int main(int argc, char **argv) {
    const char *host = NULL, *bind_to = "127.0.0.1";
    long port = 0, seconds = 10, length = 0, mega = -1;
    int i, is_server = 0, once = 0, good = 1, status;
    struct test t = {0, 0, 0, 0, 0};
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    for (i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "-s") == 0)
            is_server = 1;
        else if (strcmp(argv[i], "-1") == 0)
            once = 1;
        else if (strcmp(argv[i], "-u") == 0)
            t.flags |= UDP;
        else if (strcmp(argv[i], "-R") == 0)
            t.flags |= REVERSE;
        else if (++i == argc)
            good = 0;
        else if (strcmp(argv[i - 1], "-c") == 0)
            host = argv[i];
        else if (strcmp(argv[i - 1], "-B") == 0)
            bind_to = argv[i];
        else
            good = option(argv + i - 1, "-p", 0, 65535, &port) ||
                   option(argv + i - 1, "-t", 1, 3600, &seconds) ||
                   option(argv + i - 1, "-l", DATAGRAM, LONGEST, &length) ||
                   option(argv + i - 1, "-b", 0, 1000000, &mega);
    }
    t.ms = (uint32_t)seconds * 1000;
    t.length = (uint32_t)(length != 0 ? length : (t.flags & UDP) != 0 ? 1200 : 131072);
    t.bits = (int64_t)(mega >= 0 ? mega : (t.flags & UDP) != 0 ? 1 : 0) * 1000000;
    if (!good || is_server == (host != NULL) || (host != NULL && port == 0) ||
        ((t.flags & UDP) != 0 && t.length > 65507)) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    if (signal(SIGINT, on_ctrl_c) == SIG_ERR)
        return EXIT_FAILURE;
    if (is_server) {
        sk_addr own;
        good = start_server(bind_to, port, &own) && serve(once);
        sk_close(server.listener);
    } else {
        struct report sent, received;
        good = run_test(host, (uint16_t)port, &t, &sent, &received);
    }
    return finish(good || stopping);
}
