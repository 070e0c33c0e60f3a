/* chat_server: many people, one thread. The poller tells who has said something and who has
 * room to hear; no call ever waits for one person. Each person has a queue of a fixed size:
 * who reads too slowly is dropped when it is full, and nobody else waits for that.
 *
 * The protocol is lines of text, so nc and telnet can take part: the first line is a name,
 * every other is said to all. What the server itself says begins with "* ". */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>

#include "common.h"

static const char usage[] =
    "usage: chat_server [--host ADDRESS] [--port N] [--people N] | --self-test\n"
    "Everybody hears what anybody says. Join with chat_client, nc or telnet.\n"
    "  --host ADDRESS  where to listen (127.0.0.1; \"\": everywhere)\n"
    "  --port N        0 takes any free one and prints it (0)\n"
    "  --people N      how many may be there at once (1000)\n";

enum {
    NAME_MOST = 32,          /* bytes of a name */
    LINE_MOST = 500,         /* bytes of what is said at a time */
    QUEUE = 16 * 1024,       /* bytes that wait for one person to read */
    LAST_WORDS = 100,        /* bytes of the queue that are kept for the last line */
    SEND_BUFFER = 16 * 1024, /* bytes that the system holds beside our queue: a known number */
    EVENTS = 64,             /* at a time */
    ASK_S = 60               /* of silence, before the system asks whether somebody is there */
};

/* In microseconds, as common.h tells the time. */
#define NAME_LIMIT INT64_C(60000000) /* to say a name */
#define GRACE INT64_C(5000000)       /* to read the last words */
#define PAUSE INT64_C(1000000)       /* when nobody can be accepted */
#define TEST_LIMIT INT64_C(9000000)  /* for the self-test */

enum state { UNNAMED, HERE, LEAVING, GONE };

struct person {
    struct person *next;
    sk_handle s;
    enum state state;
    const char *why; /* of LEAVING and GONE, until it was told */
    int64_t error;   /* of the connection, where there was one */
    int64_t deadline;
    uint32_t events; /* what the poller waits for */
    char name[NAME_MOST + 1];
    size_t heard; /* bytes of a line that is not complete */
    size_t queued;
    char line[LINE_MOST + 1]; /* one more: a line that long is too long */
    char queue[QUEUE];
};

static sk_handle listener, poller;
static struct person *people;
static long count, named, most = 1000; /* people connected, with a name, allowed */
static int64_t paused_until; /* no new people before; 0: the poller waits for them */

/* --- Speaking: into queues, which are sent when everything is said. --- */

static void leave(struct person *p, enum state state, const char *why) {
    if (p->state == HERE)
        p->why = why;
    if (p->state < state) {
        p->state = state;
        p->deadline = clock_us() + GRACE;
    }
}

/* Queues a line for one person. No room is the end: some of the queue was kept for saying so. */
static void enqueue(struct person *p, const char *text, size_t length) {
    static const char last[] = "* you read too slowly: goodbye\n";
    if (p->state >= LEAVING)
        return;
    if (p->queued + length > QUEUE - LAST_WORDS) {
        text = last;
        length = sizeof last - 1;
        leave(p, LEAVING, "was dropped: too slow to read");
    }
    memcpy(p->queue + p->queued, text, length);
    p->queued += length;
}

/* Tells one person (only), or everybody who is here but one (except). */
static void tell(struct person *only, const struct person *except, const char *format, ...) {
    char text[LINE_MOST + NAME_MOST + 100];
    struct person *p;
    va_list values;
    int length;
    va_start(values, format);
    length = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (length < 0 || (size_t)length >= sizeof text)
        return;
    if (only != NULL)
        enqueue(only, text, (size_t)length);
    for (p = people; p != NULL && only == NULL; p = p->next)
        if (p != except && p->state == HERE)
            enqueue(p, text, (size_t)length);
}

/* Sends of a queue what the system takes now: the socket's limit is 0. */
static void send_queue(struct person *p) {
    int64_t sent = sk_send(p->s, p->queue, p->queued, 0);
    if (sent > 0) {
        p->queued -= (size_t)sent;
        memmove(p->queue, p->queue + sent, p->queued);
    } else if (sent != SK_EAGAIN) {
        p->error = sent;
        leave(p, GONE, "left");
    }
}

/* --- Listening: bytes become lines, and lines are names or said to all. --- */

static void take_name(struct person *p) {
    struct person *other;
    size_t i, length = strlen(p->line);
    int good = length >= 1 && length <= NAME_MOST && p->line[0] != '*';
    for (i = 0; i < length; i++)
        good = good && p->line[i] != ' ' && p->line[i] != ':';
    if (!good) {
        tell(p, NULL, "* a name has 1 to %d bytes, no space, no colon; another one:\n", NAME_MOST);
        return;
    }
    for (other = people; other != NULL; other = other->next)
        if (strcmp(other->name, p->line) == 0) {
            tell(p, NULL, "* there is a %s already; another name:\n", p->line);
            return;
        }
    strcpy(p->name, p->line);
    p->state = HERE;
    named++;
    tell(p, NULL, "* welcome, %s; people here: %ld\n", p->name, named);
    tell(NULL, p, "* %s joined\n", p->name);
    printf("join:   %s (%ld here)\n", p->name, named);
}

static void take_line(struct person *p) {
    if (p->heard > LINE_MOST)
        tell(p, NULL, "* that was too long: %d bytes at most\n", LINE_MOST);
    else if (p->state == UNNAMED)
        take_name(p);
    else if (p->heard > 0)
        tell(NULL, p, "%s: %s\n", p->name, p->line);
}

/* Control characters are left out: one person's text must not command another's terminal. */
static void take_byte(struct person *p, unsigned char byte) {
    if (byte == '\n') {
        p->line[p->heard] = '\0';
        take_line(p);
        p->heard = 0;
    } else if (byte >= 0x80 && byte < 0xa0 && p->heard > 0 && p->line[p->heard - 1] == '\xc2')
        p->heard--; /* a control character in UTF-8 */
    else if (byte >= ' ' && byte != 0x7f && p->heard <= LINE_MOST)
        p->line[p->heard++] = (char)byte;
}

/* What one person said since; one piece at a time, so that others have their turn. */
static void hear(struct person *p) {
    char data[4096];
    int64_t i, got = sk_recv(p->s, data, sizeof data, 0);
    for (i = 0; i < got && p->state < LEAVING; i++)
        take_byte(p, (unsigned char)data[i]);
    if (got <= 0 && got != SK_EAGAIN) {
        p->error = got;
        leave(p, got == 0 ? LEAVING : GONE, "left");
    }
}

/* --- Coming and going. --- */

static void refuse(sk_handle s, const char *why) {
    sk_send(s, why, strlen(why), 0);
    sk_finish(s, 0);
    sk_close(s);
}

static void accept_again_at(int64_t when) {
    if (check("sk_poller_modify", sk_poller_modify(poller, listener, when > 0 ? 0 : SK_READABLE, 0)) == SK_OK)
        paused_until = when;
}

static void welcome(void) {
    struct person *p;
    sk_handle s = sk_accept(listener, NULL);
    if (s == SK_EAGAIN)
        return;
    if (check("sk_accept", s) < 0) {
        accept_again_at(clock_us() + PAUSE); /* it would be reported again at once, and again */
        return;
    }
    p = count < most ? (struct person *)calloc(1, sizeof *p) : NULL;
    if (p == NULL || check("sk_set_timeout", sk_set_timeout(s, 0)) < 0 ||
        check("sk_set_option", sk_set_option(s, SK_OPT_SEND_BUFFER, SEND_BUFFER)) < 0 ||
        check("sk_poller_add", sk_poller_add(poller, s, SK_READABLE, (uint64_t)(uintptr_t)p)) < 0) {
        refuse(s, "* no room here: try again later\n");
        free(p);
        return;
    }
    p->s = s;
    p->events = SK_READABLE;
    p->deadline = clock_us() + NAME_LIMIT;
    p->next = people;
    people = p;
    count++;
    tell(p, NULL, "* welcome; what is your name?\n");
}

/* Ends with one person, once all is said or time is up. */
static int remove_if_done(struct person *p, int64_t now) {
    int done = p->state == GONE || (p->state == LEAVING && p->queued == 0) ||
               (p->state != HERE && now >= p->deadline);
    if (!done)
        return 0;
    if (p->error < 0)
        printf("broken: %s: %s\n", p->name[0] != '\0' ? p->name : "without a name", sk_strerror(p->error));
    if (p->queued == 0)
        sk_finish(p->s, 0); /* reads what is left, so that our last line is not lost to a reset */
    sk_close(p->s);         /* it leaves the poller by itself */
    count--;
    return 1;
}

/* After every round: tell who left, send what is queued, forget who is gone. Until when the
 * next round may wait. */
static int64_t settle(void) {
    struct person *p, **link;
    int64_t now = clock_us(), next = NEVER;
    int told;
    do { /* word of one who left may be what is too much for another */
        told = 0;
        for (p = people; p != NULL; p = p->next) {
            if (p->queued > 0 && (p->events & SK_WRITABLE) == 0 && p->state != GONE)
                send_queue(p);
            if (p->why != NULL) {
                named--;
                tell(NULL, p, "* %s %s\n", p->name, p->why);
                printf("leave:  %s %s (%ld here)\n", p->name, p->why, named);
                p->why = NULL;
                told = 1;
            }
        }
    } while (told);
    for (link = &people; (p = *link) != NULL;) {
        uint32_t events = (p->state < LEAVING ? SK_READABLE : 0) | (p->queued > 0 ? SK_WRITABLE : 0);
        if (remove_if_done(p, now)) {
            *link = p->next;
            free(p); /* not earlier: an event of this round may have named it */
            continue;
        }
        if (events != p->events) {
            if (check("sk_poller_modify", sk_poller_modify(poller, p->s, events, (uint64_t)(uintptr_t)p)) < 0)
                leave(p, GONE, "left");
            p->events = events;
        }
        if (p->state != HERE)
            next = earlier(next, p->state == GONE ? now : p->deadline);
        link = &p->next;
    }
    if (paused_until > 0 && now >= paused_until)
        accept_again_at(0);
    return paused_until > 0 ? earlier(next, paused_until) : next;
}

/* One round: waits for events, until then at most, and deals with each. */
static int take_turn(int64_t *until) {
    struct sk_event events[EVENTS];
    int64_t i, n;
    n = check("sk_poller_wait", sk_poller_wait(poller, events, EVENTS, ms_until(*until)));
    for (i = 0; i < n; i++) {
        struct person *p = (struct person *)(uintptr_t)events[i].data;
        if (events[i].handle == listener)
            welcome();
        else if (p != NULL) {
            if (events[i].events & (SK_WRITABLE | SK_ERROR | SK_HANGUP))
                send_queue(p);
            if (events[i].events & SK_READABLE && p->state < LEAVING)
                hear(p);
        }
    }
    *until = settle();
    return n >= 0;
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
        check("sk_poller_add", sk_poller_add(poller, listener, SK_READABLE, 0)) < 0)
        return 0;
    printf("bind:   people are welcome at %s\n", text);
    return 1;
}

/* Says goodbye to all, as far as they can hear it now. */
static void stop(void) {
    struct person *p;
    tell(NULL, NULL, "* the server ends: goodbye\n");
    while ((p = people) != NULL) {
        if (p->queued > 0)
            send_queue(p);
        sk_finish(p->s, 0);
        people = p->next;
        free(p);
    }
    sk_close(listener);
    sk_close(poller);
}

/* --- The self-test: ten people, two of whom never read. (tests/chat.rs has fifty and three.) --- */

enum { GUESTS = 10, SILENT = 2, LINES = 20, TALK_MOST = 2000, STEP_MS = 5000 };

struct guest {
    sk_handle s;
    long lines, drops; /* that it has heard: lines that end in '!', and words of a drop */
};

static void read_along(struct guest *g) {
    char data[4096];
    int64_t i, got;
    while ((got = sk_recv(g->s, data, sizeof data, 0)) > 0)
        for (i = 0; i < got; i++) {
            g->lines += data[i] == '!';
            g->drops += data[i] == '#'; /* only in the names of the silent ones */
        }
}

/* Lets the server work until all who read have heard so many lines. */
static int all_hear(struct guest *guests, long lines, int64_t deadline) {
    int64_t at_once = 0;
    int i = SILENT;
    for (; i < GUESTS && clock_us() < deadline && take_turn(&at_once); at_once = 0)
        for (i = SILENT; i < GUESTS; i++) {
            read_along(&guests[i]);
            if (guests[i].lines < lines)
                break;
        }
    return i == GUESTS;
}

static int join_all(struct guest *guests, const sk_addr *to, int64_t deadline) {
    char name[16];
    int64_t at_once = 0;
    int i;
    for (i = 0; i < GUESTS; i++) {
        sk_handle s = guests[i].s = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP));
        int length = snprintf(name, sizeof name, i < SILENT ? "#%d\n" : "guest-%d\n", i);
        if (check("sk_set_timeout", sk_set_timeout(s, STEP_MS)) < 0 ||
            (i < SILENT && check("sk_set_option", sk_set_option(s, SK_OPT_RECV_BUFFER, 4096)) < 0) ||
            check("sk_connect_addr", sk_connect_addr(s, to)) < 0 ||
            check("sk_send_all", sk_send_all(s, name, (size_t)length, NULL)) < 0 ||
            check("sk_set_timeout", sk_set_timeout(s, 0)) < 0)
            return 0;
        for (; named <= i; at_once = 0)
            if (clock_us() >= deadline || !take_turn(&at_once))
                return 0;
    }
    for (i = SILENT; i < GUESTS; i++) {
        read_along(&guests[i]);
        guests[i].drops = 0;
    }
    return 1;
}

static int self_test(void) {
    static struct guest guests[GUESTS];
    static char lines[LINES * 400];
    sk_addr address;
    long said = 0;
    int64_t deadline = clock_us() + TEST_LIMIT;
    int i;
    int good = start("127.0.0.1", 0) && check("sk_local_addr", sk_local_addr(listener, &address)) == SK_OK &&
               join_all(guests, &address, deadline);
    memset(lines, 'x', sizeof lines);
    for (i = 0; i < LINES; i++)
        memcpy(lines + i * 400 + 398, "!\n", 2);
    /* The last one talks, until the silent ones are dropped; the others hear it all meanwhile. */
    while (good && named > GUESTS - SILENT && said < TALK_MOST) {
        good = check("sk_send_all", sk_send_all(guests[GUESTS - 1].s, lines, sizeof lines, NULL)) == SK_OK;
        guests[GUESTS - 1].lines = said += LINES; /* what it says itself it does not hear */
        good = good && all_hear(guests, said, deadline);
    }
    good = good && named == GUESTS - SILENT;
    for (i = SILENT; i < GUESTS && good; i++) {
        read_along(&guests[i]);
        good = guests[i].drops == SILENT;
    }
    printf("%d people heard %ld lines each, while %d did not read\n", GUESTS - SILENT, said, SILENT);
    for (i = 0; i < GUESTS; i++)
        sk_close(guests[i].s);
    stop();
    return good && people == NULL;
}

int main(int argc, char **argv) {
    const char *host = "127.0.0.1";
    long port = 0;
    int64_t until = NEVER;
    int i, good, status;
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--host") == 0)
            host = argv[i + 1];
        else if (!option(argv + i, "--port", 0, 65535, &port) &&
                 !option(argv + i, "--people", 1, 65535, &most))
            break;
    }
    if (i < argc) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    good = start(host, port);
    while (good && !stopping)
        good = take_turn(&until);
    stop();
    if (good)
        puts("end:    everybody was told");
    return finish(good);
}
