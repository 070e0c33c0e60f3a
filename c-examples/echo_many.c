/* echo_many: ten thousand clients, one thread. A client that says nothing costs a socket in
 * the system and a few bytes here: no thread, no buffer. When no descriptor is left for
 * another client, it is told so and sent away; the server neither dies nor spins. */
#define _POSIX_C_SOURCE 200809L
#include <sys/resource.h>
#include <unistd.h>

#include "common.h"

static const char usage[] =
    "usage: echo_many [--host ADDRESS] [--port N] [--connections N] | --self-test | --self-test-big\n"
    "Sends back what each client sends, to all of them at once.\n"
    "  --host ADDRESS   where to listen (127.0.0.1; \"\": everywhere)\n"
    "  --port N         0 takes any free one and prints it (0)\n"
    "  --connections N  how many may be open at a time (10000)\n"
    "  --self-test-big  with 10000 real connections, three times over\n";

enum {
    PIECE = 16 * 1024, /* bytes that are moved at a time, in one buffer for all */
    EVENTS = 256,      /* at a time */
    PAUSE_MS = 100,    /* when nobody can be accepted */
    SPARE = 16,        /* descriptors: stdin, the listener, the poller, … */
    ASK_S = 60,        /* of silence, before a client is asked whether it is there */
    TEST_LIMIT_MS = 8000
};

static const char full[] = "full: try again later\n";

/* All that is kept for a client. */
struct connection {
    sk_handle s;
    size_t length; /* of what the client did not take yet: seldom anything */
    char *rest;
};

static sk_handle listener, poller, reserve;
static int64_t paused_until; /* nobody is accepted before; 0: the poller waits for clients */
static long most = 10000, open_now, served, refused, resets, milestone = 1;

/* Memory that this process has touched, in KiB; what the system keeps for sockets is beside
 * it. 0 where nobody tells. */
static long resident_kib(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* As many descriptors as the system lets us have without asking anybody. */
static long raise_descriptor_limit(void) {
    struct rlimit bounds;
    if (getrlimit(RLIMIT_NOFILE, &bounds) != 0) {
        perror("getrlimit");
        return 0;
    }
    bounds.rlim_cur = bounds.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &bounds) != 0)
        perror("setrlimit");
    getrlimit(RLIMIT_NOFILE, &bounds);
    return bounds.rlim_cur > 1000000 ? 1000000 : (long)bounds.rlim_cur;
}

/* --- One client. --- */

/* result: 0 where the client ended it, else why it ends. A reset is everyday business. */
static void end(struct connection *c, int64_t result) {
    if (result == SK_ECONNRESET)
        resets++;
    else
        check("a connection", result);
    sk_close(c->s); /* it leaves the poller by itself */
    free(c->rest);
    free(c);
    open_now--;
}

static int wait_for(struct connection *c, uint32_t events) {
    return sk_poller_modify(poller, c->s, events, (uint64_t)(uintptr_t)c);
}

/* Keeps what the client does not take now, and listens no more until it has taken it: who
 * does not read can't make us remember without end. */
static int keep(struct connection *c, const char *data, size_t length) {
    c->rest = (char *)malloc(length);
    if (c->rest == NULL)
        return SK_ENOMEM;
    memcpy(c->rest, data, length);
    c->length = length;
    return wait_for(c, SK_WRITABLE);
}

/* SK_OK: all of it went, or is kept. */
static int64_t send_back(struct connection *c, const char *data, size_t length) {
    int64_t sent = sk_send(c->s, data, length, 0);
    if (sent == SK_EAGAIN)
        sent = 0;
    if (sent < 0 || (size_t)sent == length)
        return sent < 0 ? sent : SK_OK;
    return keep(c, data + sent, length - (size_t)sent);
}

/* What the client is ready for: to speak, or to take what was kept. */
static void serve(struct connection *c) {
    static char data[PIECE];
    char *rest = c->rest;
    int64_t result;
    if (rest != NULL) {
        c->rest = NULL;
        result = send_back(c, rest, c->length);
        free(rest);
        if (result == SK_OK && c->rest == NULL)
            result = wait_for(c, SK_READABLE);
        if (result < 0)
            end(c, result);
        return;
    }
    result = sk_recv(c->s, data, sizeof data, 0);
    if (result == SK_EAGAIN)
        return;
    if (result == 0)
        end(c, SK_OK);
    else if (result < 0 || (result = send_back(c, data, (size_t)result)) < 0)
        end(c, result);
}

/* --- Who comes. --- */

/* A descriptor that is kept for the time when there is no other. */
static int take_reserve(void) {
    reserve = check("sk_socket", sk_socket(SK_UNIX, SK_DGRAM, SK_PROTO_DEFAULT));
    return reserve > 0;
}

static void send_away(sk_handle s, int64_t why) {
    if (refused++ == 0)
        fprintf(stderr, "somebody is sent away: %s\n", sk_strerror(why));
    if (check("sk_set_timeout", sk_set_timeout(s, 0)) == SK_OK)
        check("sk_send", sk_send(s, full, sizeof full - 1, 0));
    sk_finish(s, 0);
    sk_close(s);
}

static void accept_again_at(int64_t when) {
    if (check("sk_poller_modify", sk_poller_modify(poller, listener, when > 0 ? 0 : SK_READABLE, 0)) == SK_OK)
        paused_until = when;
}

static void add(sk_handle s) {
    struct connection *c = open_now < most ? (struct connection *)calloc(1, sizeof *c) : NULL;
    int64_t result = open_now >= most ? SK_EMFILE : c == NULL ? SK_ENOMEM : sk_set_timeout(s, 0);
    if (result == SK_OK)
        result = sk_poller_add(poller, s, SK_READABLE, (uint64_t)(uintptr_t)c);
    if (result < 0) {
        free(c);
        send_away(s, result);
        return;
    }
    c->s = s;
    open_now++;
    served++;
    if (open_now == milestone) {
        printf("open:   %5ld connections, %6ld KiB of memory\n", open_now, resident_kib());
        milestone *= 10;
    }
}

/* Takes one client out of the queue; 0: there is none. With no descriptor left it would stay
 * there, and the poller would report it for ever: so the reserve is given up for it. */
static int welcome(void) {
    sk_handle s = sk_accept(listener, NULL);
    if (s > 0)
        add(s);
    else if (s == SK_EMFILE && sk_close(reserve) == SK_OK) {
        s = sk_accept(listener, NULL);
        if (s > 0)
            send_away(s, SK_EMFILE);
        if (!take_reserve())
            s = SK_EMFILE;
    }
    if (s < 0 && s != SK_EAGAIN) {
        fprintf(stderr, "nobody can be accepted: %s\n", sk_strerror(s));
        accept_again_at(clock_us() + PAUSE_MS * 1000);
    }
    return s > 0;
}

/* One round: waits for events and deals with each. How many there were. */
static int64_t take_turn(int64_t limit) {
    struct sk_event events[EVENTS];
    int64_t i, n = sk_poller_wait(poller, events, EVENTS, paused_until > 0 ? (int64_t)PAUSE_MS : limit);
    int more = EVENTS; /* clients at a time, so that the others have their turn */
    check("sk_poller_wait", n);
    for (i = 0; i < n; i++) {
        struct connection *c = (struct connection *)(uintptr_t)events[i].data;
        if (c != NULL)
            serve(c);
        else if (events[i].handle == listener)
            while (more > 0 && welcome())
                more--;
    }
    if (paused_until > 0 && clock_us() >= paused_until) {
        if (reserve <= 0)
            take_reserve();
        accept_again_at(0);
    }
    return n;
}

static int start(const char *host, long port) {
    char endpoint[300], text[SK_ADDR_STRLEN];
    sk_addr address;
    snprintf(endpoint, sizeof endpoint, strchr(host, ':') != NULL ? "tcp://[%s]:%ld" : "tcp://%s:%ld", host,
             port);
    listener = check("sk_serve", sk_serve(endpoint, 0));
    /* Connections inherit that: whose machine has died is asked for after a minute of silence, and its
     * place is free again some minutes later. */
    if (listener < 0 || check("sk_set_option", sk_set_option(listener, SK_OPT_KEEPALIVE, 1)) < 0 ||
        check("sk_set_option", sk_set_option(listener, SK_OPT_KEEPALIVE_IDLE, ASK_S)) < 0 ||
        check("sk_set_timeout", sk_set_timeout(listener, 0)) < 0 ||
        check("sk_local_addr", sk_local_addr(listener, &address)) < 0 ||
        check("sk_addr_format", sk_addr_format(&address, text, sizeof text)) < 0)
        return 0;
    poller = sk_poller();
    if (check("sk_poller", poller) < 0 || !catch_interrupts(poller) ||
        check("sk_poller_add", sk_poller_add(poller, listener, SK_READABLE, 0)) < 0 ||
        !take_reserve())
        return 0;
    printf("bind:   echoes at %s, for %ld clients at a time\n", text, most);
    return 1;
}

static void close_all(void) {
    sk_close(reserve);
    sk_close(poller);
    sk_close(listener);
}

/* --- The self-test: clients in a process of their own, so that each side's memory and
 * descriptors are its own. --- */

static sk_handle control; /* between the two: one says a letter, the other repeats it */

static int ask(char word) {
    char echo = 0;
    return check("sk_send_all", sk_send_all(control, &word, 1, NULL)) == SK_OK &&
           check("sk_recv_all", sk_recv_all(control, &echo, 1, NULL)) == SK_OK && echo == word;
}

static sk_handle connect_one(const sk_addr *to) {
    sk_handle s = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP));
    if (check("sk_set_timeout", sk_set_timeout(s, TEST_LIMIT_MS)) < 0 ||
        check("sk_connect_addr", sk_connect_addr(s, to)) < 0) {
        sk_close(s);
        return SK_INVALID_HANDLE;
    }
    return s;
}

static int hears(sk_handle s, const char *expected) {
    char heard[sizeof full] = "";
    return check("sk_recv_all", sk_recv_all(s, heard, strlen(expected), NULL)) == SK_OK &&
           strcmp(heard, expected) == 0;
}

/* All connect, then all speak, then all hear. */
static int play_clients(const sk_addr *to, long count, int rounds) {
    static sk_handle clients[10000];
    sk_handle late;
    char more;
    long i;
    int good = 1;
    while (good && rounds-- > 0) {
        for (i = 0; i < count && good; i++)
            good = (clients[i] = connect_one(to)) > 0;
        for (i = 0; i < count && good; i++)
            good = check("sk_send_all", sk_send_all(clients[i], "hello", 5, NULL)) == SK_OK;
        for (i = 0; i < count && good; i++)
            good = hears(clients[i], "hello");
        good = good && ask('m'); /* measure */
        if (good && rounds == 0) {
            good = ask('x'); /* exhaust the handles */
            late = connect_one(to);
            good = good && hears(late, full) && check("sk_recv", sk_recv(late, &more, 1, 0)) == 0;
            sk_close(late);
            good = good && ask('y'); /* have them back */
            good = good && check("sk_send_all", sk_send_all(clients[0], "still", 5, NULL)) == SK_OK &&
                   hears(clients[0], "still");
        }
        /* With a reset: after a plain close each port would be taken for another minute. */
        for (i = 0; i < count; i++)
            sk_abort(clients[i]);
        good = good && ask('e'); /* have all ended? */
    }
    return good;
}

/* Uses up every handle but for the reserve, or gives them back. */
static int exhaust_handles(int wanted) {
    static sk_handle used[2 * SPARE];
    int n = 0, missed = 0;
    if (wanted) {
        /* Twice in a row: one alone may be bad luck. */
        while (n < 2 * SPARE - 1 && missed < 2) {
            used[n] = sk_socket(SK_UNIX, SK_DGRAM, SK_PROTO_DEFAULT);
            missed = used[n] > 0 ? 0 : missed + 1;
            n += used[n] > 0;
        }
        return used[n] == SK_EMFILE || check("sk_socket", used[n]) > 0;
    }
    for (; used[n] > 0; n++)
        sk_close(used[n]);
    return 1;
}

/* Does what the clients ask for, in the midst of serving them. 0: they are done. */
static int answer_clients(long memory) {
    static char asked;
    int good = 1;
    int64_t got = asked == 0 ? sk_recv(control, &asked, 1, SK_DONTWAIT) : 1;
    if (got <= 0 && got != SK_EAGAIN)
        return check("sk_recv", got) > 0;
    if (asked == 'e' && open_now > 0)
        return 1; /* not yet */
    if (asked == 'm') {
        long now = resident_kib();
        printf("memory: %ld KiB before, %ld KiB with %ld connections: %ld bytes for each\n", memory, now,
               open_now, (now - memory) * 1024 / (open_now > 0 ? open_now : 1));
    } else if (asked == 'x')
        good = exhaust_handles(1);
    else if (asked == 'y')
        good = exhaust_handles(0);
    else if (asked == 'e')
        printf("memory: %ld KiB when all have gone\n", resident_kib());
    if (asked != 0 && good)
        good = check("sk_send_all", sk_send_all(control, &asked, 1, NULL)) == SK_OK;
    asked = 0;
    return good;
}

static int test_with(long count, int rounds) {
    long memory, room = raise_descriptor_limit() - 2 * SPARE;
    sk_config config;
    sk_handle pair[2] = {0, 0};
    sk_addr address;
    pid_t child = -1;
    int good;
    if (count > room) {
        printf("note:   descriptors for %ld connections only\n", room);
        count = room;
    }
    /* A table of that size is full as a process without descriptors is, and with fewer of them. */
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.max_handles = (uint32_t)(count + SPARE);
    most = count + 1;
    good = check("sk_init", sk_init(&config)) == SK_OK && start("127.0.0.1", 0) &&
           check("sk_local_addr", sk_local_addr(listener, &address)) == SK_OK &&
           check("sk_socketpair", sk_socketpair(SK_STREAM, pair)) == SK_OK && fflush(stdout) == 0;
    if (good && (child = fork()) == 0) {
        close_all();
        sk_close(pair[0]);
        control = pair[1];
        good = check("sk_set_timeout", sk_set_timeout(control, TEST_LIMIT_MS)) == SK_OK &&
               play_clients(&address, count, rounds);
        sk_close(control);
        _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    if (good && child < 0)
        perror("fork");
    sk_close(pair[1]);
    control = pair[0];
    memory = resident_kib();
    good = child > 0 && check("sk_poller_add", sk_poller_add(poller, control, SK_READABLE, 0)) == SK_OK;
    while (good && take_turn(TEST_LIMIT_MS) > 0 && answer_clients(memory))
        ;
    sk_close(control); /* and with it end clients that still wait for an answer */
    close_all();
    good = has_succeeded(child) && good;
    printf("end:    %ld clients served, %ld sent away, %ld reset\n", served, refused, resets);
    return good && served == count * rounds && refused == 1 && open_now == 0;
}

static int self_test(void) {
    return test_with(50, 1);
}

int main(int argc, char **argv) {
    const char *host = "127.0.0.1";
    long port = 0;
    int i, good, status;
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    if (argc == 2 && strcmp(argv[1], "--self-test-big") == 0) {
        good = test_with(10000, 3);
        puts(good ? "self-test: passed" : "self-test: FAILED");
        return finish(good);
    }
    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--host") == 0)
            host = argv[i + 1];
        else if (!option(argv + i, "--port", 0, 65535, &port) &&
                 !option(argv + i, "--connections", 1, 1000000, &most))
            break;
    }
    if (i < argc) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    raise_descriptor_limit();
    good = start(host, port);
    while (good && !stopping)
        good = take_turn(SK_FOREVER) >= 0;
    if (good)
        printf("end:    %ld clients served, %ld sent away, %ld reset\n", served, refused, resets);
    close_all();
    return finish(good);
}
