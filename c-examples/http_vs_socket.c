/* http_vs_socket: what HTTP costs over a plain socket, measured.
 *
 * The same exchange is done in three ways: over HTTP with a connection for each, over HTTP with
 * one connection that is kept, and over one plain socket, where four bytes of length stand before
 * each message and nothing else. A number goes to the server, which is another process, and the
 * next number comes back as JSON. The three take turns, so that whatever else the machine does
 * hits them alike. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"
#include "http_response.h"
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#endif

static const char usage[] = "usage: http_vs_socket [--exchanges N] | --self-test\n"
                            "Measures one exchange over HTTP and over a plain socket.\n"
                            "  --exchanges N  how many in each way, 10 to 100000 (2000)\n";

enum { LIMIT_MS = 5000, ROUNDS = 10, MESSAGE_MAX = 64 };
enum way { EACH, KEPT, PLAIN, WAYS };

static const char *const names[WAYS] = {"HTTP, a connection each", "HTTP, Keep-Alive", "one plain socket"};

/* What a way has cost so far. */
static struct {
    int64_t connections, bytes, packets, wire;
    double us[ROUNDS];
} cost[WAYS];

/* --- The server: a process of its own -------------------------------------------------------- */

static int next_number(char *out, long n) { return snprintf(out, MESSAGE_MAX, "{\"next\": %ld}", n + 1); }

/* One request, and the answer to it. Gives whether the connection is kept. */
static int serve_http(sk_handle s) {
    struct http_request r;
    char head[1024], body[MESSAGE_MAX], answer[512];
    size_t come = 0;
    int status = HTTP_MORE, length;
    memset(&r, 0, sizeof r);
    while (status == HTTP_MORE && come < sizeof head - 1) {
        int64_t n = check("the server's sk_recv", sk_recv(s, head + come, sizeof head - 1 - come, 0));
        if (n <= 0)
            return 0;
        come += (size_t)n;
        status = http_request_read(&r, head, come);
    }
    head[come] = '\0';
    if (status != HTTP_GOOD || r.target_length < 9 || memcmp(head + r.target, "/next?n=", 8) != 0)
        return 0;
    length = next_number(body, strtol(head + r.target + 8, NULL, 10));
    length = snprintf(answer, sizeof answer,
                      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                      "Connection: %s\r\n\r\n%s",
                      length, r.keep_alive ? "keep-alive" : "close", body);
    return check("the server's sk_send_all", sk_send_all(s, answer, (size_t)length, NULL)) == SK_OK &&
           r.keep_alive;
}

/* A message on a plain socket: its length, and as many bytes. */
static int64_t send_message(sk_handle s, const char *text, int length) {
    unsigned char message[4 + MESSAGE_MAX];
    put32(message, (uint32_t)length);
    memcpy(message + 4, text, (size_t)length);
    return sk_send_all(s, message, 4 + (size_t)length, NULL);
}

/* Reads until the message is whole, mostly in one piece: the next one does not come before the
 * answer. SK_EMSGSIZE where it is longer than any of ours: who trusts a length is robbed. */
static int64_t receive_message(sk_handle s, char *text) {
    unsigned char data[4 + MESSAGE_MAX];
    size_t come = 0, length = 0;
    while (come < 4 + length) {
        int64_t n = sk_recv(s, data + come, sizeof data - come, 0);
        if (n <= 0)
            return n == 0 ? (int64_t)SK_EEOF : n;
        come += (size_t)n;
        length = come < 4 ? 0 : get32(data);
        if (length >= MESSAGE_MAX || come > 4 + length)
            return SK_EMSGSIZE;
    }
    memcpy(text, data + 4, length);
    text[length] = '\0';
    return SK_OK;
}

static int serve_plain(sk_handle s) {
    char text[MESSAGE_MAX];
    int64_t result = receive_message(s, text);
    if (result == SK_EEOF) /* the client is done */
        return 0;
    return check("the server's sk_recv", result) == SK_OK &&
           check("the server's sk_send_all",
                 send_message(s, text, next_number(text, strtol(text, NULL, 10)))) == SK_OK;
}

static int serve_client(sk_handle poller, sk_handle listener, int plain) {
    sk_handle s = check("sk_accept", sk_accept(listener, NULL));
    return s > 0 && check("sk_set_timeout", sk_set_timeout(s, LIMIT_MS)) == SK_OK &&
           check("sk_poller_add", sk_poller_add(poller, s, SK_READABLE, plain ? PLAIN : KEPT)) == SK_OK;
}

/* Until the parent ends its side of `parent`. */
static int serve(sk_handle http, sk_handle plain, sk_handle parent) {
    sk_handle poller = check("sk_poller", sk_poller());
    sk_event event;
    int good = poller > 0 &&
               check("sk_poller_add", sk_poller_add(poller, http, SK_READABLE, WAYS)) == SK_OK &&
               check("sk_poller_add", sk_poller_add(poller, plain, SK_READABLE, WAYS)) == SK_OK &&
               check("sk_poller_add", sk_poller_add(poller, parent, SK_READABLE, WAYS)) == SK_OK;
    while (good) {
        good = check("sk_poller_wait", sk_poller_wait(poller, &event, 1, SK_FOREVER)) == 1;
        if (!good || event.handle == parent)
            break;
        if (event.handle == http || event.handle == plain)
            good = serve_client(poller, event.handle, event.handle == plain);
        else if (!(event.data == PLAIN ? serve_plain(event.handle) : serve_http(event.handle)))
            sk_close(event.handle);
    }
    sk_close(poller);
    return good;
}

/* --- The client ------------------------------------------------------------------------------ */

static sk_addr address[WAYS];
static sk_handle kept[WAYS];
static struct http_stream in[WAYS];

static int open_connection(enum way way) {
    sk_handle s = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP));
    if (s < 0)
        return 0;
    kept[way] = s;
    memset(&in[way], 0, sizeof in[way]);
    in[way].s = s;
    cost[way].connections++;
    return check("sk_set_timeout", sk_set_timeout(s, LIMIT_MS)) == SK_OK &&
           check("sk_connect_addr", sk_connect_addr(s, &address[way])) == SK_OK;
}

/* Counts what went over the wire: our bytes, and the headers of all packets, IP 20 and TCP 20 bytes,
 * 12 more for time stamps, and 8 more in the first packet of either side. libsk has no option for
 * this statistic of Linux, but shows the descriptor to whoever wants to ask the system. */
static void count_packets(enum way way) {
#ifdef __linux__
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt((int)sk_fd(kept[way]), IPPROTO_TCP, TCP_INFO, &info, &length) == 0) {
        int64_t packets = (int64_t)info.tcpi_segs_out + info.tcpi_segs_in;
        cost[way].packets += packets;
        cost[way].wire += packets * (40 + ((info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0 ? 12 : 0)) + 16;
    }
#else
    (void)way;
#endif
}

/* Ends a connection. The server has ended its side, or does now. */
static int close_connection(enum way way) {
    char end;
    int good = check("sk_shutdown", sk_shutdown(kept[way], SK_SHUT_WRITE)) == SK_OK &&
               check("sk_recv", sk_recv(kept[way], &end, 1, 0)) == 0;
    count_packets(way);
    sk_close(kept[way]);
    kept[way] = SK_INVALID_HANDLE;
    return good;
}

/* Whether an answer is the right one. */
static int is_next(const char *answer, int64_t length, long n) {
    char right[MESSAGE_MAX];
    int right_length = next_number(right, n);
    if (length == right_length && memcmp(answer, right, (size_t)length) == 0)
        return 1;
    fprintf(stderr, "a wrong answer came: %.*s\n", (int)length, answer);
    return 0;
}

static int exchange_http(enum way way, long n) {
    struct http_response response;
    const char *piece = "";
    char request[128];
    int64_t before = in[way].received, length;
    int sent = snprintf(request, sizeof request, "GET /next?n=%ld HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", n,
                        way == EACH ? "Connection: close\r\n" : "");
    in[way].until = clock_us() + LIMIT_MS * 1000;
    if (check("sk_send_all", sk_send_all(kept[way], request, (size_t)sent, NULL)) < 0 ||
        check("the answer", http_read_head(&in[way], &response, NULL)) < 0 ||
        (length = check("the answer", http_read_body(&in[way], &response, &piece))) < 0)
        return 0;
    cost[way].bytes += sent + in[way].received - before;
    return is_next(piece, length, n);
}

static int exchange_plain(long n) {
    char text[MESSAGE_MAX];
    int sent = snprintf(text, sizeof text, "%ld", n);
    if (check("sk_send_all", send_message(kept[PLAIN], text, sent)) < 0 ||
        check("the answer", receive_message(kept[PLAIN], text)) < 0)
        return 0;
    cost[PLAIN].bytes += 4 + sent + 4 + (int64_t)strlen(text);
    return is_next(text, (int64_t)strlen(text), n);
}

static int exchange(enum way way, long n) {
    if (way == PLAIN)
        return exchange_plain(n);
    if (way == KEPT)
        return exchange_http(way, n);
    return open_connection(way) && exchange_http(way, n) && close_connection(way);
}

static int measure(long exchanges) {
    long round, i;
    int way, good = open_connection(KEPT) && open_connection(PLAIN);
    for (round = 0; good && round < ROUNDS; round++)
        for (way = 0; good && way < WAYS; way++) {
            int64_t begin = clock_us();
            for (i = 0; good && !stopping && i < exchanges / ROUNDS; i++)
                good = exchange((enum way)way, round * 1000 + i);
            cost[way].us[round] = (double)(clock_us() - begin) / (double)(exchanges / ROUNDS);
        }
    return good && !stopping && close_connection(KEPT) && close_connection(PLAIN);
}

/* --- The table ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_table(long exchanges) {
    double us[WAYS], of = (double)(exchanges / ROUNDS * ROUNDS);
    int way;
    puts("                                          for one exchange, there and back:");
    puts("way                      connections        time   bytes  packets  on the wire");
    for (way = 0; way < WAYS; way++) {
        qsort(cost[way].us, ROUNDS, sizeof cost[way].us[0], compare);
        us[way] = (cost[way].us[ROUNDS / 2 - 1] + cost[way].us[ROUNDS / 2]) / 2;
        printf("%-24s %11lld %8.1f us %7.1f", names[way], (long long)cost[way].connections, us[way],
               (double)cost[way].bytes / of);
        if (cost[way].packets > 0)
            printf(" %8.2f %12.1f\n", (double)cost[way].packets / of,
                   (double)(cost[way].bytes + cost[way].wire) / of);
        else
            puts("        -            -"); /* this system does not tell */
    }
    printf(
        "\nConclusion: an exchange took %.1f times as long as on a plain socket with a connection each, and "
        "%.1f times\nwith Keep-Alive; so take HTTP, and keep the connection, where anybody's program "
        "shall understand yours, and\na plain socket where both ends are yours and either may speak at "
        "any time, or messages are many and small.\n",
        us[EACH] / us[PLAIN], us[KEPT] / us[PLAIN]);
}

/* --- Both processes -------------------------------------------------------------------------- */

static sk_handle listen_here(sk_addr *where) {
    sk_handle s = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP));
    if (s > 0 && check("sk_bind", sk_bind(s, "127.0.0.1", 0)) == SK_OK &&
        check("sk_listen", sk_listen(s, 0)) == SK_OK &&
        check("sk_local_addr", sk_local_addr(s, where)) == SK_OK)
        return s;
    sk_close(s);
    return SK_INVALID_HANDLE;
}

/* The parent's side: the measurement, and then the end of the server. */
static int run_client(pid_t server, sk_handle link, long exchanges) {
    int way, status = 0, good = measure(exchanges);
    for (way = 0; way < WAYS; way++)
        sk_close(kept[way]);
    sk_close(link);
    while (waitpid(server, &status, 0) < 0)
        if (errno != EINTR) {
            perror("waitpid");
            return 0;
        }
    return good && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

static int run(long exchanges) {
    sk_handle http = listen_here(&address[EACH]), plain = listen_here(&address[PLAIN]);
    sk_handle link[2] = {SK_INVALID_HANDLE, SK_INVALID_HANDLE};
    pid_t server = -1;
    int good = http > 0 && plain > 0 && check("sk_socketpair", sk_socketpair(SK_STREAM, link)) == SK_OK;
    address[KEPT] = address[EACH];
    printf("%ld exchanges in each of three ways, in %d rounds by turns\n\n", exchanges, ROUNDS);
    fflush(stdout); /* or the child would print it again */
    if (good && (server = fork()) < 0)
        perror("fork");
    if (server == 0) {
        signal(SIGINT, SIG_IGN); /* the parent tells when to end */
        sk_close(link[0]);
        good = serve(http, plain, link[1]);
        sk_close(link[1]);
        sk_close(http);
        sk_close(plain);
        _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    sk_close(link[1]);
    sk_close(http);
    sk_close(plain);
    good = server > 0 && run_client(server, link[0], exchanges);
    sk_close(link[0]);
    return good;
}

int main(int argc, char **argv) {
    long exchanges = 2000;
    int good, self_test = argc == 2 && strcmp(argv[1], "--self-test") == 0;
    fill_streams();
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return finish(fputs(usage, stdout) >= 0);
    if (argc != 1 && !self_test && (argc != 3 || !option(argv + 1, "--exchanges", 10, 100000, &exchanges))) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    if (self_test)
        exchanges = ROUNDS;
    good = catch_interrupts(SK_INVALID_HANDLE) && run(exchanges);
    if (good)
        print_table(exchanges);
    if (self_test) {
        /* Times are the machine's business; the counts are ours. */
        good = good && cost[EACH].connections == ROUNDS && cost[KEPT].connections == 1 &&
               cost[PLAIN].connections == 1 && cost[EACH].bytes > cost[KEPT].bytes &&
               cost[KEPT].bytes > cost[PLAIN].bytes;
        puts(good ? "self-test: passed" : "self-test: FAILED");
    }
    return finish(good || stopping);
}
