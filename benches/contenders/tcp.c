/* Times a contender over loopback TCP. Linked with one of the contenders.
 *
 *   tcp info                                 its style and version
 *   tcp verify FILE                          does all of it once; every byte is looked at
 *   tcp turns SIZE count N                   both ends in one thread: N messages there and back
 *   tcp pairs 0 (count N|ms N)               connect, accept, close both, in one thread
 *   tcp (pingpong|stream|more|parts) SIZE ms N
 *   tcp file LEN ms N FILE                   between two processes on two processors, if there are
 *   tcp (pingpong|stream) SIZE ms N threads  between two threads: only where the library has no loop
 *
 * Prints operations in a second, and for a file bytes: a message there and back, a message, a
 * connection. Ends with 77 where the contender has no such call. */
#ifndef RAW
#define RAW
#endif
#include "../sock.h"
#include "contender.h"
#include "processors.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { TURNS = PARTS };

static const char *workload, *path;
static size_t size;
static long limit;
static int timed;
static char out[ROOM], in[ROOM];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int is(const char *name) { return strcmp(workload, name) == 0; }

/* Exactly so much; less only at the end of the stream. */
static size_t recv_whole(end e, char *data, size_t len) {
    size_t got = 0, n = 1;
    while (got < len && n > 0)
        got += n = tcp.recv(e, data + got, ROOM - got);
    return got;
}

/* --- One thread -------------------------------------------------------------------------------- */

static void turns(void) {
    uint16_t port = 0;
    end listener = tcp.listen(&port), a = tcp.connect(port), b = tcp.accept(listener);
    for (long i = 0; i < limit; i++) {
        tcp.send(a, out, size);
        check(recv_whole(b, in, size) == size, "there");
        tcp.send(b, out, size);
        check(recv_whole(a, in, size) == size, "and back");
    }
    tcp.close(a);
    tcp.close(b);
    tcp.close(listener);
}

static void pairs(void) {
    uint16_t port = 0;
    long done = 0;
    end listener = tcp.listen(&port);
    double begin = now();
    while (timed ? now() - begin < (double)limit : done < limit) {
        end a = tcp.connect(port), b = tcp.accept(listener);
        /* The server's side first: it keeps the ports of its clients for a while. */
        tcp.close(b);
        tcp.close(a);
        done++;
    }
    printf("%.1f\n", (double)done * 1e3 / (now() - begin));
    tcp.close(listener);
}

/* --- Two processes ------------------------------------------------------------------------------ */

static void client(uint16_t port) {
    end e = tcp.connect(port);
    int file = is("file"), parts = is("parts"), more = is("more"), answered = is("pingpong");
    for (double until = now() + (double)limit; now() < until;) {
        if (file) {
            tcp.send_file(e, path, size);
        } else if (parts) {
            tcp.send_parts(e, out, size);
        } else {
            for (int i = 0; i < TURNS; i++) {
                (more && i + 1 < TURNS ? tcp.send_more : tcp.send)(e, out, size);
                check(!answered || recv_whole(e, in, size) == size, "the answer");
            }
        }
    }
    tcp.close(e);
}

static double answer(end listener) {
    double messages = 0;
    end e = tcp.accept(listener);
    double begin = now();
    for (; recv_whole(e, in, size) == size; messages++)
        tcp.send(e, out, size);
    tcp.close(e);
    tcp.close(listener);
    return messages * 1e3 / (now() - begin);
}

static double take(end listener) {
    size_t bytes = 0, n;
    end e = tcp.accept(listener);
    double begin = now();
    while ((n = tcp.recv(e, in, ROOM)) > 0)
        bytes += n;
    tcp.close(e);
    tcp.close(listener);
    return (double)bytes / (double)size * 1e3 / (now() - begin);
}

/* A file is received with raw calls whoever sends it. */
static double take_file(int listener) {
    double bytes = 0;
    ssize_t n;
    sock s = sock_accept(listener);
    double begin = now();
    while ((n = sock_recv(s, in, ROOM)) > 0)
        bytes += (double)n;
    check(n == 0, "recv");
    sock_close(s);
    sock_close(listener);
    return bytes * 1e3 / (now() - begin);
}

static void *client_thread(void *port) {
    client(*(uint16_t *)port);
    return NULL;
}

static void two_threads(void) {
    uint16_t port = 0;
    pthread_t thread;
    end listener = tcp.listen(&port);
    check(pthread_create(&thread, NULL, client_thread, &port) == 0, "pthread_create");
    double rate = is("pingpong") ? answer(listener) : take(listener);
    check(pthread_join(thread, NULL) == 0, "pthread_join");
    printf("%.1f\n", rate);
}

/* The fork comes before the contender does anything. */
static void two_processes(void) {
    int ports[2], status;
    uint16_t port = 0;
    check(pipe(ports) == 0, "pipe");
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        close(ports[1]);
        check(read(ports[0], &port, sizeof port) == (ssize_t)sizeof port, "the server's port");
        on_processor(1);
        client(port);
        exit(EXIT_SUCCESS);
    }
    on_processor(0);
    double rate;
    end listener = is("file") ? (end)sock_listen(&port) : tcp.listen(&port);
    check(write(ports[1], &port, sizeof port) == (ssize_t)sizeof port, "the client's pipe");
    rate = is("file") ? take_file((int)listener) : is("pingpong") ? answer(listener) : take(listener);
    check(waitpid(child, &status, 0) == child && status == 0, "the client");
    printf("%.1f\n", rate);
}

/* --- Every byte -------------------------------------------------------------------------------- */

/* The byte at a place: no two messages of a kind are alike, wherever they were cut. */
static char byte_at(size_t place) { return (char)(place * 31 + place / 251 + place / 65536); }

static void fill(char *data, size_t from, size_t len) {
    for (size_t i = 0; i < len; i++)
        data[i] = byte_at(from + i);
}

static size_t expect(end e, size_t from, size_t len) {
    size_t got = recv_whole(e, in, len);
    check(got == len, "as much as was sent");
    for (size_t i = 0; i < len; i++)
        if (in[i] != byte_at(from + i)) {
            fprintf(stderr, "byte %zu is not what was sent\n", from + i);
            exit(EXIT_FAILURE);
        }
    return from + len;
}

static void verify(void) {
    static const size_t sizes[] = {1, 64, 1024, 65536};
    uint16_t port = 0;
    size_t sent = 0;
    end listener = tcp.listen(&port), a = tcp.connect(port), b = tcp.accept(listener);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int back = 0; back < 2; back++) {
            fill(out, sent, sizes[i]);
            tcp.send(back ? b : a, out, sizes[i]);
            sent = expect(back ? a : b, sent, sizes[i]);
        }
    if (tcp.send_more != NULL) {
        fill(out, sent, 128);
        tcp.send_more(a, out, 64);
        tcp.send(a, out + 64, 64);
        sent = expect(b, sent, 128);
    }
    if (tcp.send_parts != NULL) {
        fill(out, sent, PARTS * 64);
        tcp.send_parts(a, out, 64);
        sent = expect(b, sent, PARTS * 64);
    }
    if (tcp.send_file != NULL) {
        /* Short enough that nobody has to receive at the same time. */
        size_t len = 100000;
        FILE *file = fopen(path, "w");
        check(file != NULL, path);
        fill(out, sent, len);
        check(fwrite(out, 1, len, file) == len && fclose(file) == 0, path);
        tcp.send_file(a, path, len);
        sent = expect(b, sent, len);
    }
    tcp.close(a);
    check(tcp.recv(b, in, ROOM) == 0, "the end of the stream");
    tcp.close(b);
    tcp.close(listener);
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    workload = argv[1];
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && is("info")) {
        printf("%s\n%s\n", contender.style, contender.version());
        return 0;
    }
    if (tcp.send == NULL)
        cannot(tcp.without);
    if (argc == 3 && is("verify")) {
        path = argv[2];
        verify();
        return 0;
    }
    if (argc < 5)
        return 2;
    size = strtoul(argv[2], NULL, 10);
    timed = strcmp(argv[3], "ms") == 0;
    limit = strtol(argv[4], NULL, 10);
    path = argc > 5 ? argv[5] : NULL;
    if ((is("more") && tcp.send_more == NULL) || (is("parts") && tcp.send_parts == NULL) ||
        (is("file") && tcp.send_file == NULL))
        cannot(tcp.without);
    if (is("turns"))
        turns();
    else if (is("pairs"))
        pairs();
    else if (path != NULL && strcmp(path, "threads") == 0)
        two_threads();
    else
        two_processes();
    return 0;
}
