/* udp_echo: datagrams. No listen and no accept: a socket sends and receives as soon
 * as it is made. But nobody promises that a datagram arrives, or once, or in order:
 * so the client numbers its own and keeps count. */
#include <errno.h>
#include <signal.h>
#include <sk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: udp_echo server [PORT [ADDRESS]]     (any free port, 127.0.0.1)\n"
    "       udp_echo client HOST PORT [COUNT]    (10 datagrams)\n"
    "       udp_echo --self-test\n"
    "The client counts the answers that are lost, late (out of time) or repeated.\n";

enum { MOST = 10000, STRAYS = 100, LIMIT_MS = 1000, LAST_LIMIT_MS = 100 };

static struct {
    int sent, answered, late, repeated;
    int seen[MOST + 1]; /* by number, from 1 */
} tally;

static volatile sk_handle mine; /* the signal handler closes it */
static volatile sig_atomic_t stopping;

/* Ctrl-C: closing a socket wakes the call that waits on it. */
static void on_interrupt(int signal_number) {
    int saved = errno;
    (void)signal_number;
    stopping = 1;
    sk_close(mine);
    errno = saved;
}

static int64_t check(const char *call, int64_t result) {
    if (result < 0 && !stopping)
        fprintf(stderr, "%s failed: %s\n", call, sk_strerror(result));
    return result;
}

/* A server's socket is bound to a port that clients know. A client's is connected:
 * for datagrams that only fixes whom it sends to and hears. */
static sk_handle open_socket(int server, const char *host, int port) {
    sk_addr own;
    sk_handle s = sk_socket(strchr(host, ':') != NULL ? SK_INET6 : SK_INET, SK_DGRAM, SK_PROTO_UDP);
    if (check("sk_socket", s) < 0 ||
        check("sk_set_timeout", sk_set_timeout(s, server ? SK_FOREVER : LIMIT_MS)) < 0 ||
        (server && check("sk_bind", sk_bind(s, host, (uint16_t)port)) < 0) ||
        (!server && check("sk_connect", sk_connect(s, host, (uint16_t)port)) < 0) ||
        check("sk_local_addr", sk_local_addr(s, &own)) < 0)
        return SK_INVALID_HANDLE;
    printf("%s: made a socket, port %d\n", server ? "server" : "client", own.port);
    return s;
}

/* Sends back what comes, until Ctrl-C. */
static void serve(void) {
    static char data[65536]; /* no datagram is larger, so none is cut */
    sk_addr from;
    int64_t got;
    while (!stopping && (got = check("sk_recv_from", sk_recv_from(mine, data, sizeof data, 0, &from))) >= 0)
        check("sk_send_to", sk_send_to(mine, data, (size_t)got, 0, &from));
}

static int ask(void) {
    char text[32];
    int length = snprintf(text, sizeof text, "datagram %d", ++tally.sent);
    return check("sk_send", sk_send(mine, text, (size_t)length, 0)) == length;
}

/* Waits for one answer, or the time limit, and counts what else comes meanwhile. */
static int hear(int expected) {
    int i, n, *counter;
    for (i = 0; i < STRAYS; i++) {
        char text[32];
        int64_t got = sk_recv(mine, text, sizeof text - 1, 0);
        if (got == SK_ETIMEDOUT || check("sk_recv", got) < 0)
            return got == SK_ETIMEDOUT;
        text[got] = '\0';
        if (sscanf(text, "datagram %5d", &n) != 1 || n < 1 || n > tally.sent)
            continue; /* no answer to anything we sent */
        counter = tally.seen[n]++ ? &tally.repeated : n == expected ? &tally.answered : &tally.late;
        ++*counter;
        if (n == expected)
            break;
    }
    return 1;
}

/* A last look for answers still on their way, and the count. */
static int finish(void) {
    int good = sk_set_timeout(mine, LAST_LIMIT_MS) == SK_OK && hear(0);
    printf("client: %d sent, %d answered in time, %d late, %d lost, %d came again\n", tally.sent,
           tally.answered, tally.late, tally.sent - tally.answered - tally.late, tally.repeated);
    return good;
}

static int answer(sk_handle server, const char *data, int64_t length, const sk_addr *to) {
    return check("sk_send_to", sk_send_to(server, data, (size_t)length, 0, to)) == length;
}

/* Plays the server too, on a bad network: 2 is lost, 3 comes twice, 4 comes late. */
static int self_test(void) {
    static const int copies[6] = {0, 1, 0, 2, 0, 1};
    sk_handle server = open_socket(1, "127.0.0.1", 0);
    sk_addr address, from;
    char data[6][32];
    int n, i, good = check("sk_set_timeout", sk_set_timeout(server, LIMIT_MS)) == SK_OK &&
                     check("sk_local_addr", sk_local_addr(server, &address)) == SK_OK &&
                     (mine = open_socket(0, "127.0.0.1", address.port)) > 0 &&
                     check("sk_set_timeout", sk_set_timeout(mine, LAST_LIMIT_MS)) == SK_OK;
    for (n = 1; n <= 5 && good; n++) {
        int64_t length = ask() ? check("sk_recv_from", sk_recv_from(server, data[n], 32, 0, &from)) : 0;
        good = length > 0 && (n < 5 || answer(server, data[4], length, &from));
        for (i = 0; i < copies[n] && good; i++)
            good = answer(server, data[n], length, &from);
        good = good && hear(n);
    }
    return finish() && good && check("sk_close", sk_close(server)) == SK_OK && tally.answered == 3 &&
           tally.late == 1 && tally.repeated == 1;
}

static int number(const char *text, int least, int most, int *value) {
    char rest;
    return sscanf(text, "%5d%c", value, &rest) == 1 && *value >= least && *value <= most;
}

/* Whether all that was printed could be written. */
static int is_said(void) {
    return fflush(stdout) == 0 && !ferror(stdout);
}

int main(int argc, char **argv) {
    int good, port = 0, count = 10;
    const char *role = argc > 1 ? argv[1] : "";
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* each line at once, through a pipe too */
    if (strcmp(role, "--help") == 0) {
        good = fputs(usage, stdout) >= 0;
    } else if (strcmp(role, "--self-test") == 0) {
        good = self_test();
        puts(good ? "self-test: passed" : "self-test: FAILED");
    } else if (signal(SIGINT, on_interrupt) != SIG_ERR && strcmp(role, "server") == 0 && argc <= 4 &&
               (argc < 3 || number(argv[2], 0, 65535, &port))) {
        mine = open_socket(1, argc == 4 ? argv[3] : "127.0.0.1", port);
        if (mine > 0)
            serve();
        good = 0;
    } else if (strcmp(role, "client") == 0 && argc >= 4 && argc <= 5 && number(argv[3], 1, 65535, &port) &&
               (argc == 4 || number(argv[4], 1, MOST, &count))) {
        mine = open_socket(0, argv[2], port);
        for (good = mine > 0; good && tally.sent < count;)
            good = ask() && hear(tally.sent);
        good = mine > 0 && finish() && good;
    } else {
        fputs(usage, stderr);
        good = 0;
    }
    sk_close(mine);
    return is_said() && (good || stopping) ? EXIT_SUCCESS : EXIT_FAILURE;
}
