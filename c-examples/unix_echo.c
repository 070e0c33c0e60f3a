/* unix_echo: processes on one machine. Their sockets have paths instead of addresses and ports,
 * and the system vouches for who is at the other end. A socket itself can be passed on: here one
 * process accepts the clients, and another, which has no way to the listener, answers them. */
#define _POSIX_C_SOURCE 200809L
#include <unistd.h>

#include "common.h"

static const char usage[] =
    "usage: unix_echo server PATH\n"
    "       unix_echo client PATH [MESSAGE...]\n"
    "       unix_echo --self-test\n"
    "The server serves streams at PATH and datagrams at PATH.dgram, and says who comes. The client\n"
    "sends each message both ways. A PATH that begins with @ is a name without a file (Linux).\n";

enum { LIMIT_MS = 5000, CLIENT_LIMIT_MS = 60000, PAUSE_MS = 100, TEXT_MOST = 1000, PATH_MOST = 120 };

/* The signal handler closes them. A task is a connection that the worker is to answer. */
static volatile sk_handle listener, datagrams, tasks, connection;

/* Ctrl-C: closing a socket wakes the call that waits on it. */
static void on_ctrl_c(int signal_number) {
    int saved = errno;
    (void)signal_number;
    stopping = 1;
    sk_close(listener);
    sk_close(datagrams);
    sk_close(tasks);
    sk_close(connection);
    errno = saved;
}

/* --- The worker: a process of its own, which gets connections and knows no path. It answers
 * one after the other; the rest waits in the pair. A server of size has several. --- */

static int work(void) {
    char data[4096];
    int64_t got = 0, total;
    while (!stopping && (connection = sk_recv_handle(tasks)) > 0) {
        printf("worker: process %ld has the connection\n", (long)getpid());
        check("sk_set_timeout", sk_set_timeout(connection, CLIENT_LIMIT_MS));
        for (total = 0; (got = check("sk_recv", sk_recv(connection, data, sizeof data, 0))) > 0; total += got)
            if (check("sk_send_all", sk_send_all(connection, data, (size_t)got, NULL)) < 0)
                break;
        printf("worker: %ld bytes went back\n", (long)total);
        sk_close(connection);
    }
    if (connection != SK_EEOF) /* no more will come */
        check("sk_recv_handle", connection);
    return connection == SK_EEOF || stopping;
}

/* Makes the process, and the pair of sockets over which it gets its tasks. */
static pid_t start_worker(void) {
    sk_handle pair[2] = {0, 0};
    pid_t worker;
    int good;
    if (check("sk_socketpair", sk_socketpair(SK_STREAM, pair)) < 0 || fflush(stdout) != 0)
        return -1;
    worker = fork();
    if (worker == 0) {
        /* Closing copies here changes nothing over there. */
        sk_close(listener);
        sk_close(datagrams);
        sk_close(pair[0]);
        tasks = pair[1];
        good = work();
        sk_close(tasks);
        _exit(finish(good));
    }
    if (worker < 0)
        perror("fork");
    sk_close(pair[1]);
    tasks = pair[0];
    return worker;
}

/* --- The server. --- */

static int start(const char *path) {
    char endpoint[PATH_MOST + 30];
    if (strlen(path) >= PATH_MOST)
        return check("the path", SK_ENAMETOOLONG) == SK_OK;
    /* A file that a dead server left behind gives way; a live server does not. */
    snprintf(endpoint, sizeof endpoint, "unix://%s", path);
    listener = check("sk_serve", sk_serve(endpoint, 16));
    if (listener < 0)
        return 0;
    snprintf(endpoint, sizeof endpoint, "unix-dgram://%s.dgram", path);
    datagrams = check("sk_serve", sk_serve(endpoint, 0));
    if (datagrams < 0 || check("sk_set_timeout", sk_set_timeout(listener, 0)) < 0 ||
        check("sk_set_timeout", sk_set_timeout(datagrams, 0)) < 0)
        return 0;
    printf("bind:   streams at %s, datagrams at %s.dgram\n", path, path);
    return 1;
}

/* Takes one client, says who it is, and passes it on. 1: done, < 0: none can be taken. */
static int pass_on(void) {
    sk_handle s = sk_accept(listener, NULL);
    sk_cred who;
    int good;
    if (s == SK_EAGAIN) /* it has given up meanwhile */
        return 0;
    if (check("sk_accept", s) < 0)
        return -1;
    good = check("sk_peer_cred", sk_peer_cred(s, &who)) == SK_OK;
    if (good) {
        printf("accept: process %ld of user %lu, group %lu\n", (long)who.pid, (unsigned long)who.uid,
               (unsigned long)who.gid);
        good = check("sk_send_handle", sk_send_handle(tasks, s)) == SK_OK;
    }
    sk_close(s); /* our copy: the worker has its own */
    return good;
}

/* Sends one datagram back to the address it came from. 1: done. */
static int answer(void) {
    char data[TEXT_MOST], text[SK_ADDR_STRLEN];
    sk_addr from;
    int64_t got = sk_recv_from(datagrams, data, sizeof data, 0, &from);
    if (got == SK_EAGAIN || check("sk_recv_from", got) < 0 ||
        check("sk_addr_format", sk_addr_format(&from, text, sizeof text)) < 0)
        return 0;
    printf("recv:   a datagram of %ld bytes from %s\n", (long)got, text);
    /* A socket without a name can send, but not be answered. */
    if (from.path_len == 0)
        return 0;
    return check("sk_send_to", sk_send_to(datagrams, data, (size_t)got, 0, &from)) == got;
}

/* Until Ctrl-C, or so many are served, or it is that late. */
static int serve(long once, int64_t until) {
    sk_poll_item items[2];
    long served = 0;
    int ready = 1, passed = 0;
    memset(items, 0, sizeof items);
    items[1].handle = datagrams;
    items[0].events = items[1].events = SK_READABLE;
    while (!stopping && ready >= 0 && clock_us() < until && (once == 0 || served < once)) {
        /* Whom nobody can take stays in the queue, and would be reported again at once. */
        items[0].handle = passed < 0 ? SK_INVALID_HANDLE : listener;
        ready = (int)check("sk_poll", sk_poll(items, 2, passed < 0 ? (int64_t)PAUSE_MS : ms_until(until)));
        passed = ready > 0 && items[0].revents != 0 && !stopping ? pass_on() : 0;
        served += passed > 0;
        if (ready > 0 && items[1].revents != 0 && !stopping)
            served += answer();
    }
    return ready > 0 && served == once;
}

/* With the worker, from its start to its end. */
static int serve_with_worker(long once, int64_t until) {
    pid_t worker = start_worker();
    int good = worker > 0 && serve(once, until);
    sk_shutdown(tasks, SK_SHUT_BOTH); /* which the worker sees as the end of its tasks */
    sk_close(tasks);
    if (worker > 0 && !good)
        kill(worker, SIGINT); /* it may wait for a client */
    return has_succeeded(worker) && good;
}

static void remove_file(const char *path) {
    if (path[0] != '@' && unlink(path) != 0)
        perror(path);
}

static void close_server(const char *path) {
    char second[PATH_MOST + 30];
    snprintf(second, sizeof second, "%s.dgram", path);
    /* Files that we did not make are another server's. */
    if (listener > 0)
        remove_file(path);
    if (datagrams > 0)
        remove_file(second);
    sk_close(listener);
    sk_close(datagrams);
}

/* --- The client: each message over the stream, then each as a datagram. --- */

/* The echo of one message, which has to be the same. */
static int converse(int stream, const char *message) {
    char heard[TEXT_MOST];
    size_t length = strlen(message);
    int64_t got;
    if (length >= sizeof heard)
        return check("the message", SK_EMSGSIZE) == SK_OK;
    if (stream ? check("sk_send_all", sk_send_all(connection, message, length, NULL)) < 0
               : check("sk_send", sk_send(connection, message, length, 0)) < 0)
        return 0;
    got = check("sk_recv", sk_recv(connection, heard, length, SK_WAITALL));
    if (got < 0)
        return 0;
    printf("client: %s brought back: %.*s\n", stream ? "the stream" : "a datagram", (int)got, heard);
    if ((size_t)got == length && memcmp(heard, message, length) == 0)
        return 1;
    fputs("that is not what was sent\n", stderr);
    return 0;
}

static int dial(const char *kind, const char *path, const char *ending) {
    char endpoint[PATH_MOST + 30];
    snprintf(endpoint, sizeof endpoint, "%s://%s%s", kind, path, ending);
    connection = sk_dial(endpoint, LIMIT_MS);
    if (connection == SK_ENOENT || connection == SK_ECONNREFUSED)
        fprintf(stderr, "%s%s: nobody serves there\n", path, ending);
    else if (check("sk_dial", connection) > 0)
        return check("sk_set_timeout", sk_set_timeout(connection, LIMIT_MS)) == SK_OK;
    return 0;
}

static int run_client(const char *path, int count, char **messages) {
    sk_cred who;
    int i, good = dial("unix", path, "") && check("sk_peer_cred", sk_peer_cred(connection, &who)) == SK_OK;
    for (i = 0; i < count && good; i++)
        good = !stopping && converse(1, messages[i]);
    if (good)
        printf("client: process %ld of user %lu made the listener\n", (long)who.pid, (unsigned long)who.uid);
    good = good && check("sk_finish", sk_finish(connection, LIMIT_MS)) == SK_OK;
    sk_close(connection);
    good = good && dial("unix-dgram", path, ".dgram");
    for (i = 0; i < count && good; i++)
        good = !stopping && converse(0, messages[i]);
    sk_close(connection);
    return good;
}

/* Server, worker and client, each a process. */
static int self_test(void) {
    static char hello[] = "hello";
    char *messages[] = {hello}, folder[64], path[PATH_MOST];
    const char *temporary = getenv("TMPDIR");
    pid_t client = -1;
    int good;
    if (snprintf(folder, sizeof folder, "%s/unix_echo-XXXXXX", temporary != NULL ? temporary : "/tmp") >=
            (int)sizeof folder ||
        mkdtemp(folder) == NULL) {
        perror("a folder");
        return 0;
    }
    snprintf(path, sizeof path, "%s/echo", folder);
    good = start(path) && fflush(stdout) == 0;
    if (good && (client = fork()) == 0) {
        sk_close(listener);
        sk_close(datagrams);
        good = run_client(path, 1, messages);
        _exit(finish(good));
    }
    if (good && client < 0)
        perror("fork");
    good = client > 0 && serve_with_worker(2, clock_us() + LIMIT_MS * 1000); /* a connection and a datagram */
    close_server(path);
    good = has_succeeded(client) && good;
    if (rmdir(folder) == 0)
        return good;
    perror(folder);
    return 0;
}

int main(int argc, char **argv) {
    const char *role = argc > 1 ? argv[1] : "";
    int good, status;
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    if (argc == 3 && strcmp(role, "server") == 0) {
        good = signal(SIGINT, on_ctrl_c) != SIG_ERR && signal(SIGTERM, on_ctrl_c) != SIG_ERR &&
               start(argv[2]) && serve_with_worker(0, NEVER);
        close_server(argv[2]);
    } else if (argc >= 3 && strcmp(role, "client") == 0) {
        good = signal(SIGINT, on_ctrl_c) != SIG_ERR && run_client(argv[2], argc - 3, argv + 3);
    } else {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    return finish(good || stopping);
}
