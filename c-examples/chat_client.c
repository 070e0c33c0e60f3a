/* chat_client: speaks and hears at any time, in one thread. It waits for two things at once:
 * for what a person types, which is no socket, and for what the server says. So it lends the
 * socket's descriptor to poll(2); everything else on the socket is done by its handle. */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <unistd.h>

#include "common.h"

static const char usage[] =
    "usage: chat_client HOST PORT NAME | --self-test\n"
    "Joins the people at a chat_server. What you type is said to all; Ctrl-D or Ctrl-C leaves.\n";

enum { LIMIT_MS = 5000, PIECE = 4096 };

static volatile sk_handle connection; /* the signal handler closes it */

/* Ctrl-C: the terminal can't be woken, so this ends the program. The others are told by the
 * server, which sees the connection end. */
static void on_ctrl_c(int signal_number) {
    (void)signal_number;
    sk_close(connection);
    _Exit(EXIT_SUCCESS);
}

static int start(const char *host, int port) {
    char endpoint[300];
    snprintf(endpoint, sizeof endpoint, strchr(host, ':') != NULL ? "tcp://[%s]:%d" : "tcp://%s:%d", host,
             port);
    connection = sk_dial(endpoint, LIMIT_MS);
    if (connection == SK_ECONNREFUSED)
        fprintf(stderr, "%s refused the connection: nobody chats at port %d\n", host, port);
    else if (check("sk_dial", connection) > 0)
        return check("sk_set_timeout", sk_set_timeout(connection, LIMIT_MS)) == SK_OK;
    return 0;
}

/* What was typed goes out as it is: the server makes lines of it. 0: no more is said. */
static int speak(int input) {
    char data[PIECE];
    ssize_t got = read(input, data, sizeof data);
    if (got > 0)
        return check("sk_send_all", sk_send_all(connection, data, (size_t)got, NULL)) == SK_OK;
    if (got < 0 && errno == EINTR)
        return 1;
    if (got < 0)
        perror("the input");
    sk_shutdown(connection, SK_SHUT_WRITE); /* the server says goodbye and ends its side */
    return 0;
}

/* Prints what the server says. 0: it says no more, < 0: it can't. */
static int64_t hear(void) {
    static unsigned char before;
    char data[PIECE];
    int64_t got = sk_recv(connection, data, sizeof data, SK_DONTWAIT);
    if (got > 0)
        print_safely(data, (size_t)got, &before);
    fflush(stdout);
    return got == SK_EAGAIN ? 1 : check("sk_recv", got);
}

/* Until the server ends. */
static int converse(int input, const char *name) {
    struct pollfd waits[2];
    int64_t heard = 1;
    if (check("sk_send_all", sk_send_all(connection, name, strlen(name), NULL)) < 0 ||
        check("sk_send_all", sk_send_all(connection, "\n", 1, NULL)) < 0)
        return 0;
    waits[0].fd = input;
    waits[1].fd = (int)check("sk_fd", sk_fd(connection));
    waits[0].events = waits[1].events = POLLIN;
    while (waits[1].fd >= 0 && heard > 0) {
        if (poll(waits, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            perror("poll");
            return 0;
        }
        if (waits[0].revents != 0 && !speak(input))
            waits[0].fd = -1; /* poll leaves it out */
        if (waits[1].revents != 0)
            heard = hear();
    }
    return heard == 0;
}

/* Plays the server too: both directions are buffered, so one thread is enough. */
static int self_test(void) {
    static const char said[] = "* welcome, ann\nbob: hello, \x1b[31mann\n", typed[] = "hello, bob\n";
    static const char expected[] = "ann\nhello, bob\n";
    char heard[sizeof expected] = "";
    sk_handle listener = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP)), server = 0;
    sk_addr address;
    int keyboard[2] = {-1, -1};
    int good = check("sk_bind", sk_bind(listener, "127.0.0.1", 0)) == SK_OK &&
               check("sk_listen", sk_listen(listener, 1)) == SK_OK &&
               check("sk_set_timeout", sk_set_timeout(listener, LIMIT_MS)) == SK_OK &&
               check("sk_local_addr", sk_local_addr(listener, &address)) == SK_OK &&
               start("127.0.0.1", address.port) &&
               (server = check("sk_accept", sk_accept(listener, NULL))) > 0 &&
               check("sk_set_timeout", sk_set_timeout(server, LIMIT_MS)) == SK_OK &&
               check("sk_send_all", sk_send_all(server, said, sizeof said - 1, NULL)) == SK_OK &&
               check("sk_shutdown", sk_shutdown(server, SK_SHUT_WRITE)) == SK_OK;
    good = good && pipe(keyboard) == 0 &&
           write(keyboard[1], typed, sizeof typed - 1) == (ssize_t)sizeof typed - 1 && close(keyboard[1]) == 0;
    good = good && converse(keyboard[0], "ann") && sk_close(connection) == SK_OK &&
           check("sk_recv_all", sk_recv_all(server, heard, sizeof expected - 1, NULL)) == SK_OK &&
           strcmp(heard, expected) == 0 && check("sk_recv", sk_recv(server, heard, 1, 0)) == 0;
    if (keyboard[0] >= 0)
        close(keyboard[0]);
    sk_close(connection);
    sk_close(server);
    sk_close(listener);
    return good;
}

int main(int argc, char **argv) {
    long port;
    int good, status;
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    if (argc != 4 || !number(argv[2], 1, 65535, &port)) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    good = signal(SIGINT, on_ctrl_c) != SIG_ERR && start(argv[1], (int)port) &&
           converse(STDIN_FILENO, argv[3]);
    sk_close(connection);
    return finish(good);
}
