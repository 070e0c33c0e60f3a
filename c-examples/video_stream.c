/* video_stream: live pictures over UDP, to one viewer or to many. The sender sends each picture
 * when its time has come and never again; a viewer shows what has come when the next one begins.
 * Nobody waits for what is lost: by the time it came again, nobody would want to see it.
 *
 * A packet is an RTP header (RFC 3550: version 2, payload type 96, a number for each packet, a time
 * in 1/90000 s, the source) and a few rows of a picture: width 1, height 1, first row 1, rows 1, and
 * for each point a byte, its colour among a terminal's 256. A viewer asks for the stream with
 * "skv1" and a key, once a second (without multicast; why a key: see key_of in common.h). */
#define _POSIX_C_SOURCE 200809L
#include "common.h"
#include "film.h"
#include "lossy.h"
#include "rtp.h"
#include <unistd.h>

static const char usage[] =
    "usage: video_stream send [OPTION]...           shows a film of its own\n"
    "       video_stream view [OPTION]... [HOST PORT]\n"
    "       video_stream --self-test\n"
    "  --host ADDRESS    send: where viewers ask (127.0.0.1)\n"
    "  --port N          send: 0 takes any free one and prints it (0)\n"
    "  --group GROUP     both: multicast, such as 239.255.1.1:5004, with nobody asking\n"
    "  --interface NAME  both: where the group is\n"
    "  --fps N           send: pictures a second (30)\n"
    "  --seconds N       both: end after so long (0: only Ctrl-C ends it)\n"
    "A viewer prints rate, loss and jitter each second, and draws where it has a terminal.\n";

enum {
    ROWS = 8, /* in a packet */
    HEADER = 16,
    PACKET = HEADER + ROWS * WIDTH,
    VIEWERS = 32,
    ASK_US = 1000000,    /* a viewer asks again after so long */
    SILENCE_US = 3500000 /* ... and is forgotten after so long, as is a sender */
};

/* --- The sender ---------------------------------------------------------------------------- */

struct audience {
    sk_addr address;
    int64_t heard; /* when it last asked; 0: nobody */
};

struct source {
    sk_handle socket;
    sk_addr group; /* SK_UNSPEC: to those who ask */
    struct audience viewers[VIEWERS];
    uint64_t secret, name; /* the name is told to everybody: nothing may be learnt from it */
    uint16_t number;
    long fps, skipped, unsent;
    int64_t frame, begin, next;
};

/* s->socket is to be closed by sk_close, also after a failure. */
static int source_open(struct source *s, const sk_addr *where, const char *interface_name, long fps) {
    int64_t index = 0;
    sk_addr own;
    char text[SK_ADDR_STRLEN];
    s->fps = fps;
    s->socket = check("sk_socket", sk_socket(where->family, SK_DGRAM, SK_PROTO_UDP));
    if (s->socket < 0 || !draw_secret(&s->secret) || !draw_secret(&s->name) ||
        (interface_name != NULL && !interface_index(interface_name, &index)) ||
        check("sk_bind_addr", sk_bind_addr(s->socket, where)) < 0 ||
        (index != 0 &&
         check("sk_set_option", sk_set_option(s->socket, SK_OPT_MULTICAST_INTERFACE, index)) < 0) ||
        check("sk_local_addr", sk_local_addr(s->socket, &own)) < 0)
        return 0;
    sk_addr_format(&own, text, sizeof text);
    printf("bind: %s\n", text);
    s->begin = s->next = clock_us();
    return 1;
}

/* Somebody wants to see. 0: the socket failed. */
static int source_hear(struct source *s) {
    unsigned char data[9];
    sk_addr from;
    int i, n;
    for (n = 0; n < 64; n++) {
        int64_t got = sk_recv_from(s->socket, data, sizeof data, SK_DONTWAIT, &from);
        struct audience *seat = s->viewers;
        uint32_t key;
        if (got < 0)
            return is_harmless(got) || check("sk_recv_from", got) >= 0;
        if (got != 8 || memcmp(data, "skv1", 4) != 0)
            continue;
        key = key_of(&from, s->secret);
        if (get32(data + 4) != key) { /* the first time, or a lie: the key goes to where he says he is */
            put32(data + 4, key);
            sk_send_to(s->socket, data, 8, SK_DONTWAIT, &from); /* lost: he asks again */
            continue;
        }
        for (i = 0; i < VIEWERS; i++) { /* the seat he has, else the one that was empty for longest */
            if (s->viewers[i].heard != 0 && sk_addr_equal(&s->viewers[i].address, &from)) {
                seat = &s->viewers[i];
                break;
            }
            if (s->viewers[i].heard < seat->heard)
                seat = &s->viewers[i];
        }
        /* Nobody's seat is taken away: one more asks again and waits for a free one. */
        if (i == VIEWERS && seat->heard != 0 && clock_us() - seat->heard <= SILENCE_US)
            continue;
        seat->address = from;
        seat->heard = clock_us();
    }
    return 1;
}

static int source_send(struct source *s, const unsigned char *packet) {
    int64_t now = clock_us(), sent;
    int i;
    if (s->group.family != SK_UNSPEC) {
        sent = sk_send_to(s->socket, packet, PACKET, SK_DONTWAIT, &s->group);
        s->unsent += sent < 0;
        return is_sent_or_lost(sent) || check("sk_send_to", sent) >= 0;
    }
    for (i = 0; i < VIEWERS; i++) {
        if (s->viewers[i].heard == 0 || now - s->viewers[i].heard > SILENCE_US)
            continue;
        sent = sk_send_to(s->socket, packet, PACKET, SK_DONTWAIT, &s->viewers[i].address);
        s->unsent += sent < 0;
        if (!is_sent_or_lost(sent) && check("sk_send_to", sent) < 0)
            return 0;
    }
    return 1;
}

/* Where its time has come: the next picture, in packets. Its time is counted from the beginning,
 * so that no delay adds up; who comes too late leaves some out, rather than show them in a hurry. */
static int source_step(struct source *s) {
    static picture frame;
    unsigned char packet[PACKET];
    int row;
    if (clock_us() < s->next)
        return 1;
    paint((long)s->frame, frame);
    for (row = 0; row < HEIGHT; row += ROWS) {
        packet[0] = 2 << 6;
        packet[1] = (unsigned char)(96 | (row + ROWS == HEIGHT ? 128 : 0)); /* marks a picture's last one */
        put16(packet + 2, s->number++);
        put32(packet + 4, (uint32_t)(s->frame * CLOCK / s->fps));
        put32(packet + 8, (uint32_t)s->name);
        packet[12] = WIDTH;
        packet[13] = HEIGHT;
        packet[14] = (unsigned char)row;
        packet[15] = ROWS;
        memcpy(packet + HEADER, frame[row], ROWS * WIDTH);
        if (!source_send(s, packet))
            return 0;
    }
    for (s->frame++; (s->next = s->begin + s->frame * 1000000 / s->fps) <= clock_us(); s->frame++)
        s->skipped++;
    return 1;
}

/* --- A viewer ------------------------------------------------------------------------------ */

struct viewer {
    sk_handle socket;
    const char *name;
    int asks; /* for the stream, rather than being in a group */
    uint32_t key;
    int64_t next_ask, heard;
    struct rtp packets;
    int64_t bytes;
    /* The picture that comes in. */
    uint32_t time;
    int rows, changed;
    long whole, torn, late; /* pictures; packets of a picture that was shown already */
    picture shown;
    /* As it was at the last report. */
    int64_t reported_received, reported_expected, reported_bytes;
    long reported_frames;
};

static int viewer_ask(struct viewer *v) {
    unsigned char data[8] = {'s', 'k', 'v', '1'};
    int64_t sent;
    put32(data + 4, v->key);
    sent = sk_send(v->socket, data, sizeof data, SK_DONTWAIT);
    v->next_ask = clock_us() + ASK_US;
    return is_sent_or_lost(sent) || check("sk_send", sent) >= 0;
}

/* v->socket is to be closed by sk_close, also after a failure. */
static int viewer_open(struct viewer *v, const char *name, const char *host, uint16_t port) {
    memset(v, 0, sizeof *v);
    v->name = name;
    v->asks = 1;
    v->heard = clock_us();
    v->socket =
        check("sk_socket", sk_socket(strchr(host, ':') != NULL ? SK_INET6 : SK_INET, SK_DGRAM, SK_PROTO_UDP));
    return v->socket > 0 && check("sk_connect", sk_connect(v->socket, host, port)) == SK_OK && viewer_ask(v);
}

/* Several viewers of one machine share the port, and each gets every packet. */
static int viewer_open_group(struct viewer *v, const char *name, const sk_addr *group,
                             const char *interface_name) {
    memset(v, 0, sizeof *v);
    v->name = name;
    v->next_ask = NEVER;
    v->heard = clock_us();
    v->socket = check("sk_socket", sk_socket(group->family, SK_DGRAM, SK_PROTO_UDP));
    return v->socket > 0 &&
           check("sk_set_option", sk_set_option(v->socket, SK_OPT_REUSE_ADDR, 1)) == SK_OK &&
           check("sk_bind_addr", sk_bind_addr(v->socket, group)) == SK_OK &&
           check("sk_join_group", sk_join_group(v->socket, group, NULL, interface_name)) == SK_OK;
}

/* The picture's time is over: it is shown as far as it has come. */
static void viewer_show(struct viewer *v) {
    v->whole += v->rows == HEIGHT;
    v->torn += v->rows < HEIGHT;
    v->rows = 0;
    v->changed = 1;
}

static void viewer_take(struct viewer *v, const unsigned char *packet, size_t length) {
    uint32_t time = get32(packet + 4);
    int row = packet[14];
    if (length != PACKET || packet[0] != 2 << 6 || (packet[1] & 127) != 96 || packet[12] != WIDTH ||
        packet[13] != HEIGHT || packet[15] != ROWS || row % ROWS != 0 || row >= HEIGHT)
        return; /* none of ours */
    v->heard = clock_us();
    v->bytes += (int64_t)length;
    if (!rtp_count(&v->packets, rtp_full(&v->packets, get16(packet + 2)), time))
        return;
    if (v->packets.received > 1 && time != v->time) {
        if (!is_newer(time, v->time)) {
            v->late++;
            return;
        }
        if (v->rows > 0)
            viewer_show(v);
    }
    v->time = time;
    memcpy(v->shown[row], packet + HEADER, ROWS * WIDTH);
    v->rows += ROWS;
    if (v->rows == HEIGHT)
        viewer_show(v);
}

static int viewer_hear(struct viewer *v) {
    unsigned char data[PACKET + 1];
    int n;
    for (n = 0; n < 256; n++) {
        int64_t got = sk_recv(v->socket, data, sizeof data, SK_DONTWAIT);
        if (got < 0)
            return is_harmless(got) || check("sk_recv", got) >= 0;
        if (got >= HEADER) {
            viewer_take(v, data, (size_t)got);
        } else if (v->asks && got == 8 && memcmp(data, "skv1", 4) == 0) {
            v->key = get32(data + 4);
            if (!viewer_ask(v))
                return 0;
        }
    }
    return 1;
}

static double part(int64_t some, int64_t all) {
    return all > 0 ? 100.0 * (double)some / (double)all : 0;
}

static int draws; /* there is a terminal */

/* What came since the last report. */
static void viewer_report(struct viewer *v, double seconds) {
    int64_t expected = rtp_expected(&v->packets) - v->reported_expected;
    int64_t lost = expected - (v->packets.received - v->reported_received);
    printf("%s: %.1f pictures/s, %.0f kbit/s, lost %.1f %% (%ld of %ld), jitter %.2f ms%s\n", v->name,
           (double)(v->whole + v->torn - v->reported_frames) / seconds,
           (double)(v->bytes - v->reported_bytes) * 8 / 1000 / seconds, part(lost, expected), (long)lost,
           (long)expected, rtp_jitter_ms(&v->packets), draws ? "\033[K" : "");
    v->reported_expected = rtp_expected(&v->packets);
    v->reported_received = v->packets.received;
    v->reported_frames = v->whole + v->torn;
    v->reported_bytes = v->bytes;
}

static void viewer_summary(const struct viewer *v) {
    const struct rtp *p = &v->packets;
    printf("%s: %ld pictures whole, %ld torn; packets: %ld lost (%.1f %%), %ld came twice, %ld too late; "
           "jitter %.2f ms\n",
           v->name, v->whole, v->torn, (long)rtp_lost(p), part(rtp_lost(p), rtp_expected(p)),
           (long)p->repeated, v->late, rtp_jitter_ms(p));
}

/* --- The programs -------------------------------------------------------------------------- */

struct arguments {
    const char *host, *interface_name;
    sk_addr where, group;
    long port, fps, seconds;
};

static int send_film(const struct arguments *a) {
    static struct source s;
    sk_handle poller = check("sk_poller", sk_poller());
    int64_t end = a->seconds == 0 ? NEVER : clock_us() + (int64_t)a->seconds * 1000000;
    int good;
    s.group = a->group;
    good = poller > 0 && catch_interrupts(poller) && source_open(&s, &a->where, a->interface_name, a->fps) &&
           check("sk_poller_add", sk_poller_add(poller, s.socket, SK_READABLE, 0)) == SK_OK;
    while (good && !stopping && clock_us() < end) {
        sk_event event;
        int64_t limit = ms_until(earlier(s.next, end));
        good = check("sk_poller_wait", sk_poller_wait(poller, &event, 1, limit)) >= 0 &&
               source_hear(&s) && source_step(&s);
    }
    if (good)
        printf("end:  %ld pictures, %ld left out for lack of time, %ld packets could not go\n",
               (long)s.frame - s.skipped, s.skipped, s.unsent);
    sk_close(s.socket);
    sk_close(poller);
    return good || stopping;
}

static int view_film(const struct arguments *a) {
    static struct viewer v;
    sk_handle poller = check("sk_poller", sk_poller());
    int64_t now = clock_us(), reported = now;
    int64_t end = a->seconds == 0 ? NEVER : now + (int64_t)a->seconds * 1000000;
    int good = poller > 0 && catch_interrupts(poller) &&
               (a->group.family == SK_UNSPEC
                    ? viewer_open(&v, "viewer", a->host, (uint16_t)a->port)
                    : viewer_open_group(&v, "viewer", &a->group, a->interface_name)) &&
               check("sk_poller_add", sk_poller_add(poller, v.socket, SK_READABLE, 0)) == SK_OK;
    draws = isatty(STDOUT_FILENO);
    if (draws)
        fputs("\033[2J\033[?25l", stdout); /* empty, no cursor */
    while (good && !stopping && clock_us() < end && clock_us() - v.heard < SILENCE_US) {
        sk_event event;
        int64_t until = earlier(earlier(v.next_ask, end), earlier(reported + 1000000, v.heard + SILENCE_US));
        good = check("sk_poller_wait", sk_poller_wait(poller, &event, 1, ms_until(until))) >= 0 &&
               viewer_hear(&v) && (clock_us() < v.next_ask || viewer_ask(&v));
        if (draws && v.changed)
            draw(v.shown);
        v.changed = 0;
        now = clock_us();
        if (now - reported >= 1000000) {
            if (v.packets.received > 0)
                viewer_report(&v, (double)(now - reported) / 1000000);
            reported = now;
        }
    }
    if (draws)
        fputs("\033[?25h\n", stdout);
    if (good && v.packets.received > 0)
        viewer_summary(&v);
    else if (good && !stopping)
        fputs("no stream comes from there\n", stderr);
    sk_close(v.socket);
    sk_close(poller);
    return (good && v.packets.received > 0) || stopping;
}

/* --- The self-test ------------------------------------------------------------------------- */

enum { TEST_VIEWERS = 3, TEST_PICTURES = 40, TEST_LIMIT_US = 9000000 };

/* Shows the film until each viewer has seen enough. Every whole picture must be the one that was sent. */
static int show(sk_handle poller, struct source *s, struct lossy *network, struct viewer *viewers) {
    static picture original;
    int64_t i, count, end = clock_us() + TEST_LIMIT_US;
    int v, seen = 0, good = check("sk_poller_add", sk_poller_add(poller, s->socket, SK_READABLE, 0)) == SK_OK;
    for (v = 0; v < TEST_VIEWERS && good; v++)
        good = check("sk_poller_add", sk_poller_add(poller, viewers[v].socket, SK_READABLE, 0)) == SK_OK;
    while (good && seen < TEST_VIEWERS && clock_us() < end) {
        sk_event events[8];
        int64_t until = earlier(s->next, lossy_next(network));
        count = check("sk_poller_wait", sk_poller_wait(poller, events, 8, ms_until(until)));
        good = count >= 0;
        for (i = 0; i < count && good; i++)
            good = lossy_event(network, events[i].handle);
        good = good && lossy_due(network) && source_hear(s) && source_step(s);
        for (v = 0, seen = 0; v < TEST_VIEWERS && good; v++) {
            long whole = viewers[v].whole;
            good = viewer_hear(&viewers[v]) && (clock_us() < viewers[v].next_ask || viewer_ask(&viewers[v]));
            seen += viewers[v].whole + viewers[v].torn >= TEST_PICTURES;
            paint((long)((int64_t)viewers[v].time * s->fps / CLOCK), original);
            if (viewers[v].whole == whole + 1 && viewers[v].rows == 0 &&
                memcmp(original, viewers[v].shown, sizeof original) != 0) {
                fprintf(stderr, "%s saw a wrong picture\n", viewers[v].name);
                return 0;
            }
        }
    }
    for (v = 0; v < TEST_VIEWERS; v++)
        viewer_summary(&viewers[v]);
    return good && seen == TEST_VIEWERS;
}

static int self_test(void) {
    static const struct lossy_settings bad = {5, 2, 2, 30, 10, 5};
    static struct viewer viewers[TEST_VIEWERS];
    static struct lossy network;
    static struct source s, to_group;
    sk_handle poller = check("sk_poller", sk_poller());
    sk_addr where, address, front, group;
    int v, opened = 0, good = poller > 0 && sk_addr_parse("127.0.0.1", &where) == SK_OK;

    puts("-- one viewer next door, two behind a network that loses 5 %, repeats and reorders 2 %,\n"
         "   and delays by 20 to 40 ms");
    good = good && source_open(&s, &where, NULL, 30) &&
           check("sk_local_addr", sk_local_addr(s.socket, &address)) == SK_OK;
    opened = good;
    good = good && lossy_open(&network, poller, &where, &address, &bad) &&
           check("sk_local_addr", sk_local_addr(network.front, &front)) == SK_OK &&
           viewer_open(&viewers[0], "viewer 1", "127.0.0.1", address.port) &&
           viewer_open(&viewers[1], "viewer 2", "127.0.0.1", front.port) &&
           viewer_open(&viewers[2], "viewer 3", "127.0.0.1", front.port) &&
           show(poller, &s, &network, viewers) && rtp_lost(&viewers[0].packets) <= s.unsent;
    for (v = 1; v < TEST_VIEWERS && good; v++)
        good = rtp_lost(&viewers[v].packets) > 0 && viewers[v].whole > TEST_PICTURES / 2 &&
               viewers[v].packets.repeated > 0 && rtp_jitter_ms(&viewers[v].packets) > 1;
    for (v = 0; v < TEST_VIEWERS; v++)
        sk_close(viewers[v].socket);
    if (opened)
        lossy_close(&network);
    sk_close(s.socket);
    sk_close(poller);

    puts("-- three viewers in a multicast group: each packet is sent once, and each gets it");
    poller = good ? check("sk_poller", sk_poller()) : SK_INVALID_HANDLE;
    memset(&network, 0, sizeof network); /* none in between */
    good = poller > 0 && sk_addr_parse("239.255.1.1", &group) == SK_OK;
    put16(group.ip + 2, (uint16_t)getpid()); /* not that of another run of this test */
    for (v = 0; v < TEST_VIEWERS && good; v++)
        good = viewer_open_group(&viewers[v], viewers[v].name, &group, "lo") &&
               check("sk_local_addr", sk_local_addr(viewers[v].socket, &group)) == SK_OK; /* with a port */
    to_group.group = group;
    good = good && source_open(&to_group, &where, "lo", 100) && show(poller, &to_group, &network, viewers);
    for (v = 0; v < TEST_VIEWERS; v++) {
        good = good && rtp_lost(&viewers[v].packets) <= to_group.unsent &&
               viewers[v].packets.first <= to_group.unsent;
        sk_close(viewers[v].socket);
    }
    sk_close(to_group.socket);
    sk_close(poller);
    return good;
}

int main(int argc, char **argv) {
    static struct arguments a;
    int sends = argc > 1 && strcmp(argv[1], "send") == 0, i = 2, left, good, status;
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    a.fps = 30;
    a.host = "127.0.0.1";
    good = argc > 1 && (sends || strcmp(argv[1], "view") == 0);
    for (; good && i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--host") == 0)
            a.host = argv[i + 1];
        else if (strcmp(argv[i], "--interface") == 0)
            a.interface_name = argv[i + 1];
        else if (strcmp(argv[i], "--group") == 0)
            good = sk_addr_parse(argv[i + 1], &a.group) == SK_OK && a.group.port != 0;
        else
            good = option(argv + i, "--port", 0, 65535, &a.port) ||
                   option(argv + i, "--fps", 1, 240, &a.fps) ||
                   option(argv + i, "--seconds", 0, 1000000, &a.seconds);
    }
    left = sends || a.group.family != SK_UNSPEC ? 0 : 2; /* HOST PORT */
    if (good && left == 2 && i + 2 == argc) {
        a.host = argv[i];
        good = number(argv[i + 1], 1, 65535, &a.port);
    }
    if (sends)
        good = good && sk_addr_parse(a.host, &a.where) == SK_OK && a.where.port == 0 &&
               a.where.family != SK_UNIX;
    if (!good || i + left != argc) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    a.where.port = (uint16_t)a.port;
    return finish(sends ? send_film(&a) : view_film(&a));
}
