/* echo_client: the client's road, one library call for each step: socket,
 * connect, send and recv in turn, close. It talks to echo_server. */
#include <signal.h>
#include <sk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: echo_client HOST PORT [MESSAGE...] | --self-test\n"
    "Sends each message, or without one each line of its input, and prints the echo.\n"
    "HOST is a name or an address; one with a colon in it is IPv6.\n";

enum {
    LIMIT_MS = 5000, /* for the connection, and for every answer */
    MESSAGE_MOST = 1023
};

static volatile sk_handle connection; /* the signal handler closes it */

/* Ctrl-C: the input can't be woken, so this ends the program. */
static void on_interrupt(int signal_number) {
    (void)signal_number;
    sk_close(connection);
    _Exit(EXIT_SUCCESS);
}

/* Hands a call's result on; says so where it failed. */
static int64_t check(const char *call, int64_t result) {
    if (result < 0)
        fprintf(stderr, "%s failed: %s\n", call, sk_strerror(result));
    return result;
}

/* Socket and connect. */
static int64_t start(const char *host, uint16_t port) {
    int family = strchr(host, ':') != NULL ? SK_INET6 : SK_INET;
    int64_t result;

    connection = check("sk_socket", sk_socket(family, SK_STREAM, SK_PROTO_TCP));
    if (connection < 0)
        return connection;
    result = check("sk_set_timeout", sk_set_timeout(connection, LIMIT_MS));
    if (result < 0)
        return result;
    result = sk_connect(connection, host, port);
    if (result == SK_ECONNREFUSED)
        fprintf(stderr, "%s refused the connection: no server listens on port %d\n", host, port);
    else if (result == SK_ETIMEDOUT)
        fprintf(stderr, "%s did not answer within %d seconds\n", host, LIMIT_MS / 1000);
    else if (check("sk_connect", result) == SK_OK)
        printf("connect: to %s, port %d\n", host, port);
    return result;
}

/* Sends the whole message. */
static int64_t say(const char *message) {
    printf("send:    %s\n", message);
    return check("sk_send_all", sk_send_all(connection, message, strlen(message), NULL));
}

/* Waits for the echo: as many bytes as were sent, and the same ones. */
static int64_t hear(const char *message) {
    char echo[MESSAGE_MOST];
    size_t length = strlen(message), received;
    int64_t result = sk_recv_all(connection, echo, length, &received);

    if (result == SK_ETIMEDOUT || result == SK_EEOF)
        fprintf(stderr, "%s: %d of %d bytes came\n",
                result == SK_EEOF ? "the server ended the connection" : "no answer in time", (int)received,
                (int)length);
    else if (check("sk_recv_all", result) == SK_OK && memcmp(echo, message, length) != 0) {
        fputs("that is not what was sent\n", stderr); /* and may be anything: it is not shown */
        return SK_EOTHER;
    }
    if (result == SK_OK)
        printf("recv:    %s\n", message);
    return result;
}

/* One message, there and back. */
static int exchange(const char *message) {
    if (strlen(message) <= MESSAGE_MOST)
        return say(message) == SK_OK && hear(message) == SK_OK;
    fprintf(stderr, "a message is too long: %d bytes at most\n", MESSAGE_MOST);
    return 0;
}

/* One message after the other, from the command line or from the input. */
static int converse(int count, char **messages) {
    char line[MESSAGE_MOST + 3]; /* with its end, and with room to see that it is too long */
    int i;
    for (i = 0; i < count; i++)
        if (!exchange(messages[i]))
            return 0;
    while (count == 0 && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (!exchange(line))
            return 0;
    }
    if (count > 0 || !ferror(stdin))
        return 1;
    perror("the input");
    return 0;
}

/* Plays the server too: one that is not there, one that answers, one that stays silent. */
static int self_test(void) {
    sk_handle listener = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP)), server = 0;
    sk_addr address;
    size_t moved;
    char data[5];
    int good = check("sk_bind", sk_bind(listener, "127.0.0.1", 0)) == SK_OK &&
               check("sk_local_addr", sk_local_addr(listener, &address)) == SK_OK &&
               check("sk_set_timeout", sk_set_timeout(listener, LIMIT_MS)) == SK_OK;

    puts("-- nobody listens: the connection is refused");
    good = good && start("127.0.0.1", address.port) == SK_ECONNREFUSED && sk_close(connection) == SK_OK;

    puts("-- a server that answers");
    good = good && check("sk_listen", sk_listen(listener, 1)) == SK_OK &&
           start("127.0.0.1", address.port) == SK_OK &&
           (server = check("sk_accept", sk_accept(listener, NULL))) > 0 &&
           check("sk_set_timeout", sk_set_timeout(server, LIMIT_MS)) == SK_OK && say("hello") == SK_OK &&
           check("sk_recv_all", sk_recv_all(server, data, sizeof data, &moved)) == SK_OK &&
           check("sk_send_all", sk_send_all(server, data, sizeof data, &moved)) == SK_OK &&
           hear("hello") == SK_OK;

    puts("-- a server that stays silent: the time limit ends the wait");
    good = good && sk_set_timeout(connection, 100) == SK_OK && say("hello") == SK_OK &&
           hear("hello") == SK_ETIMEDOUT;

    sk_close(server);
    sk_close(listener);
    return good;
}

/* Whether all that was printed could be written. */
static int is_said(void) {
    return fflush(stdout) == 0 && !ferror(stdout);
}

int main(int argc, char **argv) {
    char rest;
    int port, good;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* each line at once, through a pipe too */
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0;
    if (argc == 2 && strcmp(argv[1], "--self-test") == 0) {
        good = self_test();
    } else if (argc < 3 || sscanf(argv[2], "%5d%c", &port, &rest) != 1 || port < 1 || port > 65535) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    } else {
        good = signal(SIGINT, on_interrupt) != SIG_ERR && start(argv[1], (uint16_t)port) == SK_OK &&
               converse(argc - 3, argv + 3);
    }
    if (sk_close(connection) == SK_OK)
        puts("close:   done");
    if (strcmp(argv[1], "--self-test") == 0)
        puts(good ? "self-test: passed" : "self-test: FAILED");
    return good && is_said() ? EXIT_SUCCESS : EXIT_FAILURE;
}
