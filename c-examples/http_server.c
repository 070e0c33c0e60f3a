/* http_server: a small, strict HTTP/1.1 server on libsk's poller.
 *
 * HTTP is a conversation in turns: the client sends a request, the server sends an answer, and
 * then one of the two ends the connection, or keeps it for the next request (Keep-Alive). One
 * thread holds all connections; each has a place in a table, a state, and a time by which
 * something must have happened. So nobody who is slow or silent holds up anybody else.
 *
 *   READING --request is whole--> ANSWERING --all is sent--> READING (kept) or LEAVING
 *
 * http_request.h reads requests, http_site.h opens files, http_server_test.h is the self-test. */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include "common.h"
#include "http_request.h"
#include "http_site.h"

static const char usage[] =
    "usage: http_server [OPTION VALUE]... FOLDER | --self-test\n"
    "Serves the files of a folder over HTTP/1.1, and /status.json, which is made anew each time.\n"
    "  --host ADDRESS    where to listen (127.0.0.1)\n"
    "  --port N          0 takes any free one and prints it (0)\n"
    "  --connections N   how many at once, 1000 at most; a further one gets 503 (400)\n"
    "  --requests N      how many on one connection (100)\n"
    "  --idle MS         how long a connection is kept between requests (5000)\n"
    "  --limit MS        how long a request may take to come, or an answer to move (10000)\n"
    "  --quiet 1         do not print each request\n";

enum {
    MOST = 1000,        /* connections */
    SPARE = 64,         /* places for those that are told 503 */
    HEAD_MAX = 8192,    /* bytes of a request's head; more: 431 */
    BODY_MAX = 65536,   /* bytes that a client may send along, though nobody reads them; more: 413 */
    PIECE = 256 * 1024, /* bytes of a file in one turn: then it is somebody else's */
    LINGER_MS = 1000,   /* for the client to hear our last words */
    SILENT_MS = 1000,   /* who has said nothing for so long gives way where the table is full */
    PAUSE_MS = 250      /* before the next accept where descriptors ran out */
};

enum state { READING, ANSWERING, LEAVING };

struct connection {
    sk_handle handle; /* SK_INVALID_HANDLE: a free place */
    enum state state;
    uint32_t waits_for;      /* events, as the poller knows them */
    int64_t since, deadline; /* in the state; microseconds */
    sk_addr peer;
    long requests;
    int keep; /* the connection, after this answer */
    struct http_request request;
    size_t come; /* bytes in input */
    char input[HEAD_MAX];
    size_t sent, length; /* bytes of output: the answer's head, and a short body */
    char output[1024];
    int file; /* a long body; -1: none */
    int64_t file_at, file_end;
};

static long most = 400, most_requests = 100, idle_ms = 5000, limit_ms = 10000, quiet;
static struct connection table[MOST + SPARE];
static struct {
    int64_t begin, requests, bytes;
    long connections, spare;
} count;
static int64_t now, next_look = NEVER, accept_again = NEVER;
static int64_t trouble; /* why a connection broke last */
static sk_handle poller, listener;
static int site = -1;

/* --- Connections ---------------------------------------------------------------------------- */

static void enter(struct connection *c, enum state state, int64_t ms) {
    c->state = state;
    c->since = now;
    c->deadline = now + ms * 1000;
    next_look = earlier(next_look, c->deadline);
}

static void end(struct connection *c) {
    if (c->file >= 0)
        close(c->file);
    sk_close(c->handle);
    c->handle = SK_INVALID_HANDLE;
    --*(c < table + most ? &count.connections : &count.spare);
}

/* A connection is broken: its client is gone, mostly, and nobody is left to tell. */
static void give_up(struct connection *c, int64_t reason) {
    char peer[SK_ADDR_STRLEN];
    trouble = reason;
    if (!quiet && sk_addr_format(&c->peer, peer, sizeof peer) >= 0)
        printf("broken for %s: %s\n", peer, sk_strerror(reason));
    end(c);
}

static void wait_for(struct connection *c, uint32_t events) {
    if (c->waits_for == events)
        return;
    c->waits_for = events;
    if (check("sk_poller_modify", sk_poller_modify(poller, c->handle, events, (uint64_t)(c - table))) < 0)
        end(c);
}

/* Our side is done. Closing now could turn bytes of the client's that nobody read into a reset,
 * which would eat the answer: so end our side only, and wait a moment for the client's. */
static void leave(struct connection *c) {
    int64_t result = sk_shutdown(c->handle, SK_SHUT_WRITE);
    enter(c, LEAVING, LINGER_MS);
    if (result < 0)
        give_up(c, result);
    else
        wait_for(c, SK_READABLE);
}

/* --- Answers -------------------------------------------------------------------------------- */

static void print_request(const struct connection *c, int status) {
    const long shown = 60;
    char peer[SK_ADDR_STRLEN];
    const char *line = c->input + (c->input[0] == '\r' ? 2 : 0); /* after the empty line that is forgiven */
    const char *line_end = c->input + c->request.target + c->request.target_length;
    long length = c->request.method == 0 ? 0 : (long)(line_end - line);
    if (!quiet && sk_addr_format(&c->peer, peer, sizeof peer) >= 0)
        printf("%d for %s: %.*s%s\n", status, peer, (int)(length > shown ? shown : length), line,
               length > shown ? "..."
               : length == 0  ? "no request"
                              : "");
}

/* Writes the head of an answer, and the body where it is a short text and not a file. */
static void answer(struct connection *c, int status, const char *type, const char *body) {
    char date[40] = "", kept[64] = "";
    time_t today = time(NULL);
    struct tm parts;
    int64_t length = c->file >= 0 ? c->file_end : (int64_t)strlen(body);
    if (gmtime_r(&today, &parts) != NULL)
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (c->keep)
        snprintf(kept, sizeof kept, "Keep-Alive: timeout=%ld, max=%ld\r\n", (idle_ms + 999) / 1000,
                 most_requests - c->requests);
    c->sent = 0;
    c->length = (size_t)snprintf(
        c->output, sizeof c->output,
        "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nX-Content-Type-Options: nosniff\r\n"
        "Cache-Control: %s\r\nContent-Length: %lld\r\n%s%s%sConnection: %s\r\n\r\n%s",
        status, site_reason(status), date, type, c->file >= 0 ? "no-cache" : "no-store", (long long)length,
        status == 405 ? "Allow: GET, HEAD\r\n" : "", status == 503 ? "Retry-After: 1\r\n" : "", kept,
        c->keep ? "keep-alive" : "close", c->request.method == HTTP_HEAD || c->file >= 0 ? "" : body);
    if (c->request.method == HTTP_HEAD)
        c->file_end = 0;
    count.requests++;
    print_request(c, status);
    enter(c, ANSWERING, limit_ms);
}

static void refuse(struct connection *c, int status) {
    char body[160];
    snprintf(body, sizeof body, "<!doctype html>\n<title>%d %s</title>\n<h1>%d %s</h1>\n", status,
             site_reason(status), status, site_reason(status));
    answer(c, status, "text/html; charset=utf-8", body);
}

/* The live part of the site. */
static void answer_status(struct connection *c) {
    char body[160];
    snprintf(body, sizeof body,
             "{\"uptime_ms\": %lld, \"requests\": %lld, \"connections\": %ld, \"bytes_sent\": %lld}\n",
             (long long)((now - count.begin) / 1000), (long long)count.requests + 1, count.connections,
             (long long)count.bytes);
    answer(c, 200, site_type(".json"), body);
}

/* Answers the request whose head was read. */
static void serve(struct connection *c) {
    const struct http_request *r = &c->request;
    char path[HTTP_LINE_MAX + 16];
    int status;
    /* What a client sends along is of no use to us. It may be short and is dropped in leave(); for
     * nobody may take it for the next request. */
    c->keep = r->keep_alive && r->content_length == 0 && ++c->requests < most_requests;
    if (r->method == HTTP_UNKNOWN || r->method == HTTP_OTHER) {
        refuse(c, r->method == HTTP_OTHER ? 405 : 501);
    } else if (r->content_length > BODY_MAX) {
        refuse(c, 413);
    } else if ((status = http_request_path(r, c->input, path, sizeof path)) != HTTP_GOOD) {
        refuse(c, status);
    } else if (strcmp(path, "status.json") == 0) {
        answer_status(c);
    } else {
        const char *type = site_type(path);
        c->file_at = 0;
        status = site_open(site, path, &c->file, &c->file_end);
        if (status == 200)
            answer(c, 200, type, "");
        else
            refuse(c, status);
    }
}

/* So many bytes have moved. The system has room again only when a good part of its buffer has gone
 * out, so that a client can't buy time byte by byte. */
static void moved(struct connection *c, int64_t bytes) {
    count.bytes += bytes;
    c->deadline = now + limit_ms * 1000;
}

/* Sends on, until all is out (SK_OK), or it is others' turn (SK_EAGAIN). */
static int64_t send_on(struct connection *c) {
    int64_t n, rest = c->file >= 0 ? c->file_end - c->file_at : 0;
    while (c->sent < c->length) {
        n = sk_send(c->handle, c->output + c->sent, c->length - c->sent, rest > 0 ? SK_MORE : 0);
        if (n < 0)
            return n;
        c->sent += (size_t)n;
        moved(c, n);
    }
    if (rest == 0)
        return SK_OK;
    n = sk_send_file(c->handle, c->file, c->file_at, earlier(rest, PIECE));
    if (n < 0)
        return n;
    if (n == 0)
        return SK_EEOF; /* the file has become shorter than we promised */
    c->file_at += n;
    moved(c, n);
    return n < rest ? SK_EAGAIN : SK_OK;
}

/* An answer is out. Keeps what has come of the next request already. */
static void answered(struct connection *c) {
    if (c->file >= 0)
        close(c->file);
    c->file = -1;
    if (!c->keep) {
        leave(c);
        return;
    }
    c->come -= c->request.line;
    memmove(c->input, c->input + c->request.line, c->come);
    memset(&c->request, 0, sizeof c->request);
    enter(c, READING, c->come > 0 ? limit_ms : idle_ms);
}

/* Goes on with a connection as far as it can be gone without waiting. */
static void converse(struct connection *c) {
    while (c->handle > 0 && c->state != LEAVING) {
        int64_t result;
        if (c->state == READING) {
            int status = http_request_read(&c->request, c->input, c->come);
            if (status == HTTP_MORE && c->come == sizeof c->input)
                status = 431;
            if (status == HTTP_MORE) {
                wait_for(c, SK_READABLE);
                return;
            }
            c->keep = 0;
            if (status == HTTP_GOOD)
                serve(c);
            else
                refuse(c, status);
        }
        result = send_on(c);
        if (result == SK_EAGAIN) {
            wait_for(c, SK_WRITABLE);
            return;
        }
        if (result == SK_OK)
            answered(c);
        else
            give_up(c, result);
    }
}

/* --- Events --------------------------------------------------------------------------------- */

static void receive(struct connection *c) {
    char dropped[4096];
    int leaving = c->state == LEAVING;
    int64_t n = leaving ? sk_recv(c->handle, dropped, sizeof dropped, 0)
                        : sk_recv(c->handle, c->input + c->come, sizeof c->input - c->come, 0);
    if (n == SK_EAGAIN)
        return;
    if (n == 0) {
        end(c);
    } else if (n < 0) {
        give_up(c, n);
    } else if (!leaving) {
        if (c->come == 0)
            enter(c, READING, limit_ms);
        c->come += (size_t)n;
        converse(c);
    }
}

/* The table is full: the connection that has been silent longest gives way. */
static void make_room(void) {
    struct connection *c, *silent = NULL;
    for (c = table; c < table + most; c++)
        if (c->handle > 0 && c->state == READING && c->come == 0 &&
            (silent == NULL || c->since < silent->since))
            silent = c;
    if (silent != NULL && now - silent->since >= SILENT_MS * 1000)
        end(silent);
}

static void welcome(sk_handle client, const sk_addr *peer) {
    struct connection *c = table, *end_of_part = table + most;
    if (count.connections == most)
        make_room();
    if (count.connections == most) {
        c = table + MOST;
        end_of_part = c + SPARE;
    }
    while (c < end_of_part && c->handle > 0)
        c++;
    if (c == end_of_part || sk_set_timeout(client, 0) < 0 ||
        check("sk_poller_add", sk_poller_add(poller, client, SK_READABLE, (uint64_t)(c - table))) < 0) {
        sk_abort(client);
        return;
    }
    c->handle = client;
    c->waits_for = SK_READABLE;
    c->peer = *peer;
    c->requests = 0;
    c->keep = 0;
    memset(&c->request, 0, sizeof c->request);
    c->come = 0;
    c->file = -1;
    enter(c, READING, limit_ms);
    ++*(c < table + most ? &count.connections : &count.spare);
    if (c >= table + MOST) {
        refuse(c, 503);
        converse(c);
    }
}

static void accept_all(void) {
    int i;
    for (i = 0; i < 64; i++) {
        sk_addr peer;
        sk_handle client = sk_accept(listener, &peer);
        if (client == SK_EAGAIN)
            return;
        if (client < 0) {
            /* The client stays in the queue, where it would wake us again at once. */
            check("sk_accept", client);
            make_room();
            check("sk_poller_modify", sk_poller_modify(poller, listener, 0, MOST + SPARE));
            accept_again = now + PAUSE_MS * 1000;
            return;
        }
        welcome(client, &peer);
    }
}

/* Ends what has taken too long, and finds out when to look again. */
static void look_at_clock(void) {
    struct connection *c;
    if (now >= accept_again) {
        accept_again = NEVER;
        check("sk_poller_modify", sk_poller_modify(poller, listener, SK_READABLE, MOST + SPARE));
    }
    if (now < next_look)
        return;
    next_look = NEVER;
    for (c = table; c < table + MOST + SPARE; c++) {
        if (c->handle > 0 && now >= c->deadline) {
            if (c->state == READING && c->come > 0) {
                c->keep = 0;
                refuse(c, 408);
                converse(c);
            } else {
                if (c->state == ANSWERING)
                    sk_abort(c->handle); /* what it does not take need not be kept for it */
                end(c);
            }
        }
        if (c->handle > 0)
            next_look = earlier(next_look, c->deadline);
    }
}

/* Waits for something to happen, at most until then, and does what is to be done. */
static int turn(int64_t until) {
    sk_event events[64];
    int64_t i,
        n = sk_poller_wait(poller, events, 64, ms_until(earlier(until, earlier(next_look, accept_again))));
    if (check("sk_poller_wait", n) < 0)
        return 0;
    now = clock_us();
    for (i = 0; i < n; i++) {
        struct connection *c = events[i].data < MOST + SPARE ? table + events[i].data : NULL;
        if (events[i].handle == listener && listener > 0)
            accept_all();
        else if (c == NULL || c->handle != events[i].handle || c->handle <= 0)
            continue; /* a wake, or it ended in this turn */
        else if (c->state == ANSWERING)
            converse(c);
        else
            receive(c);
    }
    look_at_clock();
    return 1;
}

/* --- From start to stop --------------------------------------------------------------------- */

static int start(const char *host, long port, const char *folder) {
    sk_addr address;
    char text[SK_ADDR_STRLEN];
    site = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (site < 0) {
        fprintf(stderr, "%s: %s\n", folder, strerror(errno));
        return 0;
    }
    if (check("sk_addr_parse", sk_addr_parse(host, &address)) < 0)
        return 0;
    address.port = (uint16_t)port;
    listener = sk_socket(address.family, SK_STREAM, SK_PROTO_TCP);
    if (check("sk_socket", listener) < 0 || check("sk_bind_addr", sk_bind_addr(listener, &address)) < 0 ||
        check("sk_listen", sk_listen(listener, 0)) < 0 ||
        check("sk_set_timeout", sk_set_timeout(listener, 0)) < 0 ||
        check("sk_local_addr", sk_local_addr(listener, &address)) < 0 ||
        check("sk_addr_format", sk_addr_format(&address, text, sizeof text)) < 0)
        return 0;
    poller = sk_poller();
    if (check("sk_poller", poller) < 0 ||
        check("sk_poller_add", sk_poller_add(poller, listener, SK_READABLE, MOST + SPARE)) < 0)
        return 0;
    count.begin = now = clock_us();
    printf("bind:   %s\nserve:  http://%s/ from the folder %s\n", text, text, folder);
    return 1;
}

static void stop(void) {
    struct connection *c;
    for (c = table; c < table + MOST + SPARE; c++)
        if (c->handle > 0)
            end(c);
    sk_close(listener);
    sk_close(poller);
    if (site >= 0)
        close(site);
}

#include "http_server_test.h"

int main(int argc, char **argv) {
    const char *host = "127.0.0.1";
    long port = 0;
    int i, good;
    fill_streams();
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* each line at once, through a pipe too */
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return finish(fputs(usage, stdout) >= 0);
    if (argc == 2 && strcmp(argv[1], "--self-test") == 0) {
        good = self_test();
        stop();
        puts(good ? "self-test: passed" : "self-test: FAILED");
        return finish(good);
    }
    for (i = 1; i + 2 < argc; i += 2) {
        if (strcmp(argv[i], "--host") == 0)
            host = argv[i + 1];
        else if (!option(argv + i, "--port", 0, 65535, &port) &&
                 !option(argv + i, "--connections", 1, MOST, &most) &&
                 !option(argv + i, "--requests", 1, 1000000, &most_requests) &&
                 !option(argv + i, "--idle", 1, 3600000, &idle_ms) &&
                 !option(argv + i, "--limit", 1, 3600000, &limit_ms) &&
                 !option(argv + i, "--quiet", 0, 1, &quiet))
            break;
    }
    if (i + 1 != argc || strncmp(argv[i], "--", 2) == 0) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    good = start(host, port, argv[i]) && catch_interrupts(poller);
    while (good && !stopping)
        good = turn(NEVER);
    stop();
    if (good)
        printf("end:    %lld requests, %lld bytes\n", (long long)count.requests, (long long)count.bytes);
    return finish(good);
}
