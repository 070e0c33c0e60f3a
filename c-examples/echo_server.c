/* echo_server: the server's road, one library call for each step: socket, bind,
 * listen, accept (a new socket for each client), recv and send in turn, close. */
#include <errno.h>
#include <signal.h>
#include <sk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: echo_server [--host ADDRESS] [--port N] [--backlog N] [--once N] | --self-test\n"
    "Sends back what each client sends, one client after the other.\n"
    "  --host ADDRESS  where to listen (127.0.0.1)\n"
    "  --port N        0 takes any free one and prints it (0)\n"
    "  --backlog N     how many clients may wait in the queue (16)\n"
    "  --once N        end after N clients (0: only Ctrl-C ends it)\n";

enum { TEST_LIMIT_MS = 5000, CLIENT_LIMIT_MS = 60000 }; /* a silent client must not hold up the others */

static volatile sk_handle listener, client; /* the signal handler closes them */
static volatile sig_atomic_t stopping;

/* Ctrl-C: closing a socket wakes the call that waits on it. */
static void on_interrupt(int signal_number) {
    int saved = errno;
    (void)signal_number;
    stopping = 1;
    sk_close(listener);
    sk_close(client);
    errno = saved;
}

/* Hands a call's result on; says so where it failed. */
static int64_t check(const char *call, int64_t result) {
    if (result < 0 && !stopping)
        fprintf(stderr, "%s failed: %s\n", call, sk_strerror(result));
    return result;
}

/* From socket to listen. Prints the address, and with it the port that 0 became. */
static int start(const char *host, long port, long backlog) {
    sk_addr address;
    char text[SK_ADDR_STRLEN];
    if (check("sk_addr_parse", sk_addr_parse(host, &address)) < 0)
        return 0;
    address.port = (uint16_t)port;
    listener = sk_socket(address.family, SK_STREAM, SK_PROTO_TCP);
    if (check("sk_socket", listener) < 0 || check("sk_bind_addr", sk_bind_addr(listener, &address)) < 0 ||
        check("sk_listen", sk_listen(listener, (int)backlog)) < 0 ||
        check("sk_local_addr", sk_local_addr(listener, &address)) < 0 ||
        check("sk_addr_format", sk_addr_format(&address, text, sizeof text)) < 0)
        return 0;
    puts("socket: made one for TCP");
    printf("bind:   its address is %s\n", text);
    printf("listen: up to %ld clients may wait in its queue\n", backlog);
    return 1;
}

/* Reads and writes in turn, until the client ends its side or breaks off. */
static void echo(sk_handle s) {
    char data[4096];
    int64_t got;
    long long total = 0;
    while ((got = check("sk_recv", sk_recv(s, data, sizeof data, 0))) > 0) {
        if (check("sk_send_all", sk_send_all(s, data, (size_t)got, NULL)) < 0)
            break;
        total += got;
    }
    printf("recv:   %lld bytes came\nsend:   and went back\n", total);
}

/* From accept to close, for one client after the other. */
static int serve(long once) {
    long served;
    for (served = 0; !stopping && (once == 0 || served < once); served++) {
        sk_addr peer;
        char text[SK_ADDR_STRLEN];
        sk_handle accepted = check("sk_accept", sk_accept(listener, &peer));
        if (accepted < 0)
            break;
        client = accepted;
        if (check("sk_addr_format", sk_addr_format(&peer, text, sizeof text)) >= 0)
            printf("accept: client %ld, %s, has a socket of its own\n", served + 1, text);
        if (!stopping && check("sk_set_timeout", sk_set_timeout(accepted, CLIENT_LIMIT_MS)) >= 0)
            echo(accepted);
        check("sk_close", sk_close(accepted));
        puts("close:  done with this client");
    }
    printf("end:    clients served: %ld\n", served);
    return served == once;
}

/* Three clients connect and speak before the server looks: its queue holds them. */
static int self_test(void) {
    sk_handle clients[3];
    sk_addr address;
    char heard[8];
    int i, good = start("127.0.0.1", 0, 3) && check("sk_local_addr", sk_local_addr(listener, &address)) == 0 &&
                  check("sk_set_timeout", sk_set_timeout(listener, TEST_LIMIT_MS)) == 0;
    for (i = 0; i < 3 && good; i++) {
        clients[i] = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP));
        good = check("sk_set_timeout", sk_set_timeout(clients[i], TEST_LIMIT_MS)) == 0 &&
               check("sk_connect_addr", sk_connect_addr(clients[i], &address)) == 0 &&
               check("sk_send_all", sk_send_all(clients[i], "hello", 5, NULL)) == 0 &&
               check("sk_shutdown", sk_shutdown(clients[i], SK_SHUT_WRITE)) == 0;
    }
    good = good && serve(3);
    for (i = 0; i < 3 && good; i++)
        good = check("sk_recv", sk_recv(clients[i], heard, sizeof heard, SK_WAITALL)) == 5 &&
               memcmp(heard, "hello", 5) == 0 && check("sk_close", sk_close(clients[i])) == 0;
    return good;
}

/* Whether all that was printed could be written. */
static int is_said(void) {
    return fflush(stdout) == 0 && !ferror(stdout);
}

/* Takes "--name number" where the arguments begin with it. */
static int option(char **arguments, const char *name, long *value) {
    char *end;
    if (strcmp(arguments[0], name) != 0)
        return 0;
    *value = strtol(arguments[1], &end, 10);
    return end != arguments[1] && *end == '\0' && *value >= 0 && *value <= 65535;
}

int main(int argc, char **argv) {
    const char *host = "127.0.0.1";
    long port = 0, backlog = 16, once = 0;
    int i, good;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* each line at once, through a pipe too */
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0;
    if (argc == 2 && strcmp(argv[1], "--self-test") == 0) {
        good = self_test();
        puts(good ? "self-test: passed" : "self-test: FAILED");
    } else {
        for (i = 1; i + 1 < argc; i += 2) {
            if (strcmp(argv[i], "--host") == 0)
                host = argv[i + 1];
            else if (!option(argv + i, "--port", &port) && !option(argv + i, "--backlog", &backlog) &&
                     !option(argv + i, "--once", &once))
                break;
        }
        if (i < argc || backlog < 1) {
            fputs(usage, stderr);
            return EXIT_FAILURE;
        }
        good = signal(SIGINT, on_interrupt) != SIG_ERR && start(host, port, backlog) && serve(once);
    }
    sk_close(listener);
    return is_said() && (good || stopping) ? EXIT_SUCCESS : EXIT_FAILURE;
}
