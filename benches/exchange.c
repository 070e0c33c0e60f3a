/* How long a message takes over loopback TCP, between two processes or two threads.
 *
 *   exchange (processes|threads) (pingpong|stream) SIZE MILLISECONDS
 *
 * The client sends messages of SIZE bytes as long as that; the server takes them, answers each
 * one in a ping-pong, and prints the nanoseconds per message. Both kinds of pairs matter: in a
 * process with threads the C library's own calls do more. */
#define _GNU_SOURCE
#include "sock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int answered;
static size_t size;
static double duration;

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(EXIT_FAILURE);
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static char *new_message(void) {
    char *message = calloc(size, 1);
    check(message != NULL, "calloc");
    return message;
}

static void client(uint16_t port) {
    char *message = new_message();
    sock s = sock_connect(port);
    check(s > 0, "connect");
    for (double end = now() + duration; now() < end;)
        for (int i = 0; i < 64; i++) {
            check(sock_send_all(s, message, size) > 0, "send");
            check(!answered || sock_recv_all(s, message, size) > 0, "recv");
        }
    check(sock_close(s) == 0, "close");
    free(message);
}

static void *client_thread(void *port) {
    client(*(uint16_t *)port);
    return NULL;
}

static void server(sock listener) {
    char *message = new_message();
    sock s = sock_accept(listener);
    check(s > 0, "accept");
    double begin = now(), count = 0;
    ssize_t received;
    while ((received = sock_recv_all(s, message, size)) > 0) {
        check(!answered || sock_send_all(s, message, size) > 0, "send");
        count++;
    }
    check(received == 0 && count > 0, "recv");
    printf("%.1f\n", (now() - begin) / count);
    check(sock_close(s) == 0 && sock_close(listener) == 0, "close");
    free(message);
}

static sock listening(uint16_t *port) {
    sock listener = sock_listen(port);
    check(listener > 0, "listen");
    return listener;
}

static void two_threads(void) {
    uint16_t port = 0;
    pthread_t thread;
    sock listener = listening(&port);
    check(pthread_create(&thread, NULL, client_thread, &port) == 0, "pthread_create");
    server(listener);
    check(pthread_join(thread, NULL) == 0, "pthread_join");
}

/* The fork comes before there is a socket: none is shared. */
static void two_processes(void) {
    int ports[2], status;
    uint16_t port = 0;
    check(pipe(ports) == 0, "pipe");
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        close(ports[1]);
        check(read(ports[0], &port, sizeof port) == (ssize_t)sizeof port, "the server's port");
        client(port);
        exit(EXIT_SUCCESS);
    }
    sock listener = listening(&port);
    check(write(ports[1], &port, sizeof port) == (ssize_t)sizeof port, "the client's pipe");
    server(listener);
    check(waitpid(child, &status, 0) == child && status == 0, "the client");
}

int main(int argc, char **argv) {
    if (argc == 5) {
        answered = strcmp(argv[2], "pingpong") == 0;
        size = strtoul(argv[3], NULL, 10);
        duration = strtod(argv[4], NULL) * 1e6;
    }
    if (size == 0 || duration <= 0) {
        fputs("usage: exchange (processes|threads) (pingpong|stream) SIZE MILLISECONDS\n", stderr);
        return EXIT_FAILURE;
    }
    if (strcmp(argv[1], "threads") == 0)
        two_threads();
    else
        two_processes();
    return EXIT_SUCCESS;
}
