/* skcat: what nc does, on libsk. Its input goes to the other end, what comes from there to its
 * output; over TCP, UDP or a Unix socket, connecting or waiting for a connection.
 *
 * Either direction may end before the other (a half-close), and neither may hold up the other:
 * so one poll(2) watches input, output and, by sk_fd, the socket. Everything else about the socket
 * is libsk's. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: skcat [-46ukNdvz] [-w SECONDS] [-q SECONDS] [-s ADDRESS] [-p PORT] HOST PORT\n"
    "       skcat -l [-46ukNdv] [-w SECONDS] [-q SECONDS] [HOST] PORT\n"
    "       skcat -U [-lukNdv] [-w SECONDS] [-q SECONDS] PATH\n"
    "       skcat --self-test\n"
    "Sends its input to the other end and writes what comes from there, until both have ended.\n"
    "  -4 -6       only IPv4, only IPv6\n"
    "  -l          listen: wait for somebody who connects; port 0 takes any free one and prints it\n"
    "  -k          with -l: then for the next, and so on\n"
    "  -u          datagrams: UDP, or with -U Unix ones\n"
    "  -U          a Unix socket: PATH, or @NAME for an abstract one\n"
    "  -N          tell the other end when the input has ended (half-close)\n"
    "  -q SECONDS  the same, and wait so long for the other end at most\n"
    "  -w SECONDS  for connecting, and for the silence of both ends\n"
    "  -s, -p      the own address, the own port\n"
    "  -d          no input\n"
    "  -z          only see whether the connection comes about\n"
    "  -v          say what happens\n";

enum { CHUNK = 65536, DATAGRAM = 1200 /* every network carries that much in one piece */ };

static struct {
    int listens, keeps, datagrams, is_unix, half_closes, no_input, only_looks, talks, family;
    int64_t quit_ms, limit_ms; /* SK_FOREVER: not asked for */
    const char *own_host;
    long own_port;
} asked;

static volatile sk_handle listener, connection; /* the signal handler closes them */
static const char *volatile socket_file;        /* ... and removes it */

/* Ctrl-C. The input can't be woken, so this ends the program. */
static void on_ctrl_c(int signal_number) {
    (void)signal_number;
    sk_close(connection);
    sk_close(listener);
    if (socket_file != NULL)
        unlink(socket_file);
    _Exit(EXIT_SUCCESS);
}

static void say(const char *what, const sk_addr *address, const char *why) {
    char text[SK_ADDR_STRLEN];
    if (sk_addr_format(address, text, sizeof text) >= 0)
        fprintf(stderr, "%s%s%s%s\n", what, text, *why != '\0' ? ": " : "", why);
}

/* --- Both directions at once --------------------------------------------------------------- */

struct flow {
    char data[CHUNK];
    size_t begin, end; /* what has come in and not gone out */
    int ended;         /* nothing more comes in */
};

static size_t waiting(const struct flow *f) {
    return f->end - f->begin;
}

/* More of the program's input. 0: it failed. */
static int read_input(struct flow *f, int in, size_t most) {
    ssize_t got = read(in, f->data, most);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return 1;
    if (got < 0)
        fprintf(stderr, "reading the input failed: %s\n", strerror(errno));
    f->begin = 0;
    f->end = got > 0 ? (size_t)got : 0;
    f->ended = got <= 0;
    return got >= 0;
}

/* A full pipe must not hold up the other direction: as much as surely fits, once poll says so. */
static int write_output(struct flow *f, int out, size_t most) {
    size_t length = waiting(f) < most ? waiting(f) : most;
    ssize_t put = write(out, f->data + f->begin, length);
    if (put < 0 && errno != EINTR && errno != EAGAIN) {
        fprintf(stderr, "writing the output failed: %s\n", strerror(errno));
        return 0;
    }
    f->begin += put > 0 ? (size_t)put : 0;
    return 1;
}

static int from_net(struct flow *f, sk_handle s) {
    int64_t got = sk_recv(s, f->data, CHUNK, SK_DONTWAIT);
    if (got == SK_EAGAIN)
        return 1;
    f->begin = 0;
    f->end = got > 0 ? (size_t)got : 0;
    f->ended = got == 0 && !asked.datagrams; /* an empty datagram ends nothing */
    return check("sk_recv", got) >= 0;
}

static int to_net(struct flow *f, sk_handle s) {
    int64_t sent = sk_send(s, f->data + f->begin, waiting(f), SK_DONTWAIT);
    if (sent == SK_EAGAIN)
        return 1;
    f->begin += sent > 0 ? (size_t)sent : 0;
    return check("sk_send", sent) >= 0;
}

/* Who connected goes on until his input has ended. Who listens ends with the other end, as nc does,
 * but not before what is there of the input has been sent. */
static int has_more(int in) {
    struct pollfd input;
    input.fd = in;
    input.events = POLLIN;
    return poll(&input, 1, 0) > 0;
}

/* Until both directions have ended, or time is up. 0: something failed. */
static int exchange(sk_handle s, int in, int out) {
    static struct flow up, down;
    struct stat kind;
    size_t most_out = fstat(out, &kind) == 0 && S_ISFIFO(kind.st_mode) ? PIPE_BUF : CHUNK;
    int fd = (int)check("sk_fd", sk_fd(s)), told = 0;
    int64_t quit_at = NEVER;
    memset(&up, 0, sizeof up);
    memset(&down, 0, sizeof down);
    up.ended = asked.no_input;
    while (fd >= 0) {
        struct pollfd watched[3];
        int ready;
        int64_t limit = asked.limit_ms < 0 ? NEVER : clock_us() + asked.limit_ms * 1000;
        int64_t ms = ms_until(earlier(limit, quit_at));
        if (up.ended && waiting(&up) == 0 && !told) {
            told = 1; /* the other end reads to its end now */
            if (asked.half_closes && check("sk_shutdown", sk_shutdown(s, SK_SHUT_WRITE)) < 0)
                return asked.keeps;
            if (asked.quit_ms >= 0)
                quit_at = clock_us() + asked.quit_ms * 1000;
            continue;
        }
        if (down.ended && waiting(&down) == 0 && waiting(&up) == 0 &&
            (up.ended || (asked.listens && !has_more(in))))
            return 1;

        watched[0].fd = up.ended || waiting(&up) > 0 ? -1 : in;
        watched[0].events = POLLIN;
        watched[1].fd = fd;
        watched[1].events = (short)((waiting(&up) > 0 ? POLLOUT : 0) |
                                    (down.ended || waiting(&down) > 0 ? 0 : POLLIN));
        if (watched[1].events == 0) /* a peer that has gone would be told again and again */
            watched[1].fd = -1;
        watched[2].fd = waiting(&down) > 0 ? out : -1;
        watched[2].events = POLLOUT;
        ready = poll(watched, 3, ms < 0 ? -1 : ms > INT_MAX ? INT_MAX : (int)ms);
        if (ready == 0 || clock_us() >= quit_at)
            return 1; /* time is up */
        if (ready < 0 && errno != EINTR) {
            fprintf(stderr, "poll failed: %s\n", strerror(errno));
            return 0;
        }
        if (ready < 0)
            continue;
        if (watched[0].fd >= 0 && watched[0].revents != 0 &&
            !read_input(&up, in, asked.datagrams ? DATAGRAM : CHUNK))
            return 0;
        /* With -k a connection that breaks is the end of that one only. */
        if (watched[1].fd >= 0 && (watched[1].revents & ~POLLOUT) != 0 && !down.ended &&
            waiting(&down) == 0 && !from_net(&down, s))
            return asked.keeps;
        if (watched[1].fd >= 0 && watched[1].revents != 0 && waiting(&up) > 0 && !to_net(&up, s))
            return asked.keeps;
        if (watched[2].fd >= 0 && watched[2].revents != 0 && !write_output(&down, out, most_out))
            return 0;
    }
    return 0;
}

/* --- Connecting ---------------------------------------------------------------------------- */

static sk_handle new_socket(int family) {
    int type = asked.datagrams ? SK_DGRAM : SK_STREAM;
    return check("sk_socket", sk_socket(family, type, SK_PROTO_DEFAULT));
}

/* Tries one address. On success it is `connection`. */
static int64_t try_address(const sk_addr *address) {
    int64_t result;
    connection = new_socket(address->family);
    if (connection < 0)
        return connection;
    result = sk_set_option(connection, SK_OPT_CONNECT_TIMEOUT, asked.limit_ms);
    if (result == SK_OK && (asked.own_host != NULL || asked.own_port != 0))
        result = check("sk_bind", sk_bind(connection, asked.own_host, (uint16_t)asked.own_port));
    if (result == SK_OK)
        result = sk_connect_addr(connection, address);
    if (result < 0) {
        say("not connected: ", address, sk_strerror(result));
        sk_close(connection);
    } else if (asked.talks) {
        say("connected to ", address, "");
    }
    return result;
}

static int connect_to(const char *host, long port) {
    sk_addr addresses[16];
    int64_t i, count;
    if (asked.is_unix) {
        connection = new_socket(SK_UNIX);
        /* A datagram socket needs a name of its own, or it could not be answered. */
        return connection > 0 &&
               (!asked.datagrams || check("sk_bind", sk_bind(connection, NULL, 0)) == SK_OK) &&
               check("sk_set_timeout", sk_set_timeout(connection, asked.limit_ms)) == SK_OK &&
               check(host, sk_connect(connection, host, 0)) == SK_OK;
    }
    count = check(host, sk_resolve(host, (uint16_t)port, asked.family, asked.limit_ms, addresses, 16));
    for (i = 0; i < count; i++)
        if (try_address(&addresses[i]) == SK_OK)
            return 1;
    return 0;
}

/* --- Waiting for others -------------------------------------------------------------------- */

static int start_listening(const char *host, long port) {
    sk_addr own;
    int64_t bound;
    if (host != NULL && !asked.is_unix) { /* a name has several addresses: the first will do */
        if (check(host, sk_resolve(host, (uint16_t)port, asked.family, asked.limit_ms, &own, 1)) < 1)
            return 0;
        listener = new_socket(own.family);
        bound = sk_bind_addr(listener, &own);
    } else {
        listener = new_socket(asked.is_unix ? SK_UNIX : asked.family == SK_INET6 ? SK_INET6 : SK_INET);
        bound = sk_bind(listener, host, (uint16_t)port);
    }
    if (listener < 0 || check("sk_bind", bound) < 0)
        return 0;
    if (asked.is_unix && host[0] != '@')
        socket_file = host;
    if ((!asked.datagrams && check("sk_listen", sk_listen(listener, 0)) < 0) ||
        check("sk_local_addr", sk_local_addr(listener, &own)) < 0)
        return 0;
    if (asked.talks || (!asked.is_unix && port == 0))
        say("bind: ", &own, "");
    return 1;
}

/* The next who connects. A datagram socket takes the sender of the first datagram for its peer. */
static int await_peer(void) {
    sk_addr peer;
    char first;
    if (asked.datagrams) {
        if (check("sk_recv_from", sk_recv_from(listener, &first, 1, SK_PEEK, &peer)) < 0)
            return 0;
        connection = asked.keeps ? listener : check("sk_dup", sk_dup(listener));
        /* One that stays for all only hears: it can't tell whom to answer. */
        if (!asked.keeps && peer.path_len + peer.port > 0 &&
            check("sk_connect_addr", sk_connect_addr(connection, &peer)) < 0)
            return 0;
    } else {
        connection = check("sk_accept", sk_accept(listener, &peer));
    }
    if (connection > 0 && asked.talks)
        say("connection from ", &peer, "");
    return connection > 0;
}

static int run(const char *host, long port) {
    int good;
    if (!asked.listens) {
        good = connect_to(host, port) &&
               (asked.only_looks || exchange(connection, STDIN_FILENO, STDOUT_FILENO));
    } else {
        good = start_listening(host, port);
        if (asked.keeps && asked.datagrams)
            asked.no_input = 1;
        do {
            good = good && await_peer() && exchange(connection, STDIN_FILENO, STDOUT_FILENO);
            if (connection != listener)
                sk_close(connection);
        } while (good && asked.keeps);
    }
    sk_close(connection);
    sk_close(listener);
    if (socket_file != NULL)
        unlink(socket_file);
    return good;
}

/* --- The self-test ------------------------------------------------------------------------- */

enum { TEST_BYTES = 20000, TEST_LIMIT_MS = 5000 };

/* `peer` speaks and listens at the other end of `connection`; socket pairs are skcat's input and
 * output. All fits into the sockets' queues. */
static int test_exchange(sk_handle peer, const char *input, size_t in_length, const char *said,
                         size_t said_length) {
    static char heard[TEST_BYTES];
    sk_handle in[2] = {0, 0}, out[2] = {0, 0};
    size_t length = 0;
    int good = check("sk_socketpair", sk_socketpair(SK_STREAM, in)) == SK_OK &&
               check("sk_socketpair", sk_socketpair(SK_STREAM, out)) == SK_OK &&
               check("sk_send_all", sk_send_all(in[1], input, in_length, NULL)) == SK_OK &&
               check("sk_shutdown", sk_shutdown(in[1], SK_SHUT_WRITE)) == SK_OK &&
               check("sk_set_timeout", sk_set_timeout(out[1], TEST_LIMIT_MS)) == SK_OK &&
               check("sk_set_timeout", sk_set_timeout(peer, TEST_LIMIT_MS)) == SK_OK;
    if (asked.datagrams)
        good = good && check("sk_send", sk_send(peer, said, said_length, 0)) == (int64_t)said_length;
    else
        good = good && check("sk_send_all", sk_send_all(peer, said, said_length, NULL)) == SK_OK &&
               check("sk_shutdown", sk_shutdown(peer, SK_SHUT_WRITE)) == SK_OK;
    good = good && exchange(connection, (int)sk_fd(in[0]), (int)sk_fd(out[0])) &&
           check("the output", sk_recv_all(out[1], heard, said_length, NULL)) == SK_OK &&
           memcmp(heard, said, said_length) == 0;
    while (good && length < in_length) {
        int64_t got = check("sk_recv", sk_recv(peer, heard + length, in_length - length, 0));
        good = got > 0;
        length += good ? (size_t)got : 0;
    }
    good = good && memcmp(heard, input, in_length) == 0 &&
           (asked.datagrams || check("sk_recv", sk_recv(peer, heard, 1, 0)) == 0);
    for (length = 0; length < 2; length++) {
        sk_close(in[length]);
        sk_close(out[length]);
    }
    return good;
}

static int self_test(void) {
    static char much[TEST_BYTES], more[TEST_BYTES];
    sk_addr address;
    sk_handle peer = SK_INVALID_HANDLE;
    size_t i;
    int good;
    for (i = 0; i < TEST_BYTES; i++) {
        much[i] = (char)('a' + i % 23);
        more[i] = (char)('A' + i % 19);
    }
    asked.half_closes = 1;
    asked.limit_ms = TEST_LIMIT_MS;

    puts("-- TCP: it connects, and both directions end on their own");
    good = start_listening("127.0.0.1", 0) &&
           check("sk_local_addr", sk_local_addr(listener, &address)) == SK_OK &&
           connect_to("127.0.0.1", address.port) &&
           (peer = check("sk_accept", sk_accept(listener, NULL))) > 0 &&
           test_exchange(peer, much, TEST_BYTES, more, TEST_BYTES);
    sk_close(connection);
    sk_close(peer);

    puts("-- TCP: it waits for a connection");
    peer = good ? check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP)) : SK_INVALID_HANDLE;
    good = peer > 0 && check("sk_connect_addr", sk_connect_addr(peer, &address)) == SK_OK && await_peer() &&
           test_exchange(peer, much, TEST_BYTES, more, TEST_BYTES);
    sk_close(connection);
    sk_close(peer);
    sk_close(listener);

    puts("-- UDP: it waits for a datagram and answers; silence ends it");
    asked.datagrams = 1;
    asked.limit_ms = 100;
    peer = good ? check("sk_socket", sk_socket(SK_INET, SK_DGRAM, SK_PROTO_UDP)) : SK_INVALID_HANDLE;
    good = peer > 0 && start_listening("127.0.0.1", 0) &&
           check("sk_local_addr", sk_local_addr(listener, &address)) == SK_OK &&
           check("sk_connect_addr", sk_connect_addr(peer, &address)) == SK_OK &&
           check("sk_send", sk_send(peer, "knock", 5, 0)) == 5 && await_peer() &&
           check("sk_recv", sk_recv(connection, more, 8, 0)) == 5 &&
           test_exchange(peer, "one datagram", 12, "another", 7);
    sk_close(connection);
    sk_close(listener);
    sk_close(peer);
    return good;
}

static int seconds(const char *text, int64_t *ms) {
    long value;
    *ms = number(text, -1, 1000000, &value) && value >= 0 ? (int64_t)value * 1000 : SK_FOREVER;
    return number(text, -1, 1000000, &value);
}

int main(int argc, char **argv) {
    const char *host = NULL;
    long port = 0;
    int letter, good = 1, left, status;
    asked.limit_ms = asked.quit_ms = SK_FOREVER;
    signal(SIGPIPE, SIG_IGN); /* an output that has gone is an error like others */
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    opterr = 0;
    while (good && (letter = getopt(argc, argv, "46lkuUNdvznw:q:s:p:")) != -1) {
        switch (letter) {
        case '4': asked.family = SK_INET; break;
        case '6': asked.family = SK_INET6; break;
        case 'l': asked.listens = 1; break;
        case 'k': asked.keeps = 1; break;
        case 'u': asked.datagrams = 1; break;
        case 'U': asked.is_unix = 1; break;
        case 'N': asked.half_closes = 1; break;
        case 'd': asked.no_input = 1; break;
        case 'v': asked.talks = 1; break;
        case 'z': asked.only_looks = asked.talks = 1; break;
        case 'n': break; /* for those used to nc */
        case 'w': good = seconds(optarg, &asked.limit_ms); break;
        case 'q':
            good = seconds(optarg, &asked.quit_ms);
            asked.half_closes |= asked.quit_ms >= 0;
            break;
        case 's': asked.own_host = optarg; break;
        case 'p': good = number(optarg, 1, 65535, &asked.own_port); break;
        default: good = 0;
        }
    }
    left = argc - optind;
    if (asked.is_unix) {
        good = good && left == 1 && asked.own_host == NULL && asked.own_port == 0;
        host = good ? argv[optind] : NULL;
    } else {
        good = good && (left == 2 || (left == 1 && asked.listens)) &&
               number(argv[argc - 1], asked.listens ? 0 : 1, 65535, &port);
        host = good && left == 2 ? argv[optind] : NULL;
    }
    if (!good || (asked.keeps && !asked.listens) ||
        (asked.only_looks && (asked.listens || asked.datagrams))) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    if (signal(SIGINT, on_ctrl_c) == SIG_ERR || signal(SIGTERM, on_ctrl_c) == SIG_ERR)
        return EXIT_FAILURE;
    return finish(run(host, port));
}
