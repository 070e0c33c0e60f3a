/* The self-test of http_server: a site of its own in a folder of its own, and clients good and
 * bad. One thread plays both sides: a client sends, the server takes its turns, the client looks
 * at what came back. */

enum { TEST_LIMIT_MS = 5000, BIG = 8 * 1024 * 1024 };

static struct {
    char text[2048];
    size_t kept;
    int64_t length;
} reply;

static sk_handle connect_to_server(void) {
    sk_addr address;
    sk_handle s = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP));
    if (s < 0)
        return s;
    /* Little room, so that a long answer does not fit into it. */
    if (check("sk_set_option", sk_set_option(s, SK_OPT_RECV_BUFFER, 65536)) == SK_OK &&
        check("sk_set_timeout", sk_set_timeout(s, TEST_LIMIT_MS)) == SK_OK &&
        check("sk_local_addr", sk_local_addr(listener, &address)) == SK_OK &&
        check("sk_connect_addr", sk_connect_addr(s, &address)) == SK_OK)
        return s;
    sk_close(s);
    return SK_EOTHER;
}

/* Lets the server work until it has ended the connection; keeps the beginning of what it said. */
static int hear(sk_handle s) {
    char data[65536];
    int64_t limit = clock_us() + TEST_LIMIT_MS * 1000, n = SK_EAGAIN;
    memset(&reply, 0, sizeof reply);
    while (clock_us() < limit) {
        size_t room = sizeof reply.text - 1 - reply.kept;
        n = sk_recv(s, data, sizeof data, SK_DONTWAIT);
        if (n > 0) {
            memcpy(reply.text + reply.kept, data, room < (size_t)n ? room : (size_t)n);
            reply.kept += room < (size_t)n ? room : (size_t)n;
            reply.length += n;
        } else if (n != SK_EAGAIN) {
            break;
        } else if (!turn(clock_us() + 10000)) {
            return 0;
        }
    }
    return n == 0 || check("sk_recv", n) == SK_ECONNRESET;
}

/* Sends a request, in pieces of that many bytes, and gives whether the answer begins so. */
static int ask(const char *request, size_t piece, const char *expected) {
    sk_handle s = connect_to_server();
    size_t length = strlen(request), sent = 0;
    int good = s > 0;
    while (good && sent < length) {
        size_t n = length - sent < piece ? length - sent : piece;
        good =
            check("sk_send_all", sk_send_all(s, request + sent, n, NULL)) == SK_OK && turn(clock_us() + 1000);
        sent += n;
    }
    good = good && hear(s) && strncmp(reply.text, expected, strlen(expected)) == 0;
    if (!good)
        fprintf(stderr, "wanted \"%s\", got \"%.60s\" for:\n%.200s\n", expected, reply.text, request);
    sk_close(s);
    return good;
}

#define CLOSE "Host: a\r\nConnection: close\r\n\r\n"

static int ask_all(void) {
    static const char *const exchanges[][2] = {
        {"GET / HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 OK\r\n"},
        {"HEAD /big HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 OK\r\n"},
        {"GET /folder/%61.txt?b HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 OK\r\n"},
        {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
        {"GET /none HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 Not Found\r\n"},
        {"GET /folder HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 Not Found\r\n"},
        {"GET /link HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 Not Found\r\n"},
        {"GET /up/etc/passwd HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 Not Found\r\n"},
        {"GET /../index.html HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 Not Found\r\n"},
        {"GET /%00 HTTP/1.1\r\n" CLOSE, "HTTP/1.1 400 Bad Request\r\n"},
        {"GET /\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"POST / HTTP/1.1\r\n" CLOSE, "HTTP/1.1 405 Method Not Allowed\r\n"},
        {"BREW / HTTP/1.1\r\n" CLOSE, "HTTP/1.1 501 Not Implemented\r\n"},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE, "HTTP/1.1 501 Not Implemented\r\n"},
        {"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n" CLOSE, "HTTP/1.1 413 Content Too Large\r\n"},
        {"GET / HTTP/3.0\r\n" CLOSE, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
        {"GET / HTTP/1.1\r\nExpect: luck\r\n" CLOSE, "HTTP/1.1 417 Expectation Failed\r\n"},
    };
    size_t i;
    for (i = 0; i < sizeof exchanges / sizeof *exchanges; i++)
        if (!ask(exchanges[i][0], HEAD_MAX, exchanges[i][1]) || reply.length > 1024)
            return 0; /* none of these has a long body, HEAD least of all */
    return 1;
}

/* A request that does not end: in its first line, or in its fields. */
static int ask_too_long(void) {
    char request[HEAD_MAX + 100];
    memset(request, 'a', sizeof request - 1);
    request[sizeof request - 1] = '\0';
    memcpy(request, "GET /", 5);
    if (!ask(request, sizeof request, "HTTP/1.1 414 URI Too Long\r\n"))
        return 0;
    memcpy(request, "GET / HTTP/1.1\r\na: ", 19);
    return ask(request, sizeof request, "HTTP/1.1 431 Request Header Fields Too Large\r\n");
}

/* Three requests in one piece; the third says close. And no more than two, if two is the most. */
static int ask_in_a_row(void) {
    static const char three[] =
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /status.json HTTP/1.1\r\nHost: a\r\n\r\n"
        "HEAD / HTTP/1.1\r\n" CLOSE;
    int64_t before = count.requests;
    long kept = most_requests;
    int good = ask(three, sizeof three, "HTTP/1.1 404 Not Found\r\n") && count.requests == before + 3 &&
               strstr(reply.text, "\"connections\": 1") != NULL;
    most_requests = 2;
    good = good && ask(three, sizeof three, "HTTP/1.1 404 Not Found\r\n") && count.requests == before + 5;
    most_requests = kept;
    return good;
}

static int ask_big(void) {
    if (!ask("GET /big HTTP/1.1\r\n" CLOSE, HEAD_MAX, "HTTP/1.1 200 OK\r\n"))
        return 0;
    return reply.length > BIG && reply.length < BIG + 1024;
}

/* Clients that are slow with a request, silent, or do not take the answer. */
static int be_slow(void) {
    sk_handle s = SK_INVALID_HANDLE;
    int64_t limit = clock_us() + TEST_LIMIT_MS * 1000, before;
    int good;
    limit_ms = 50;
    good = ask("GET / HTT", HEAD_MAX, "HTTP/1.1 408 Request Timeout\r\n") && ask("", HEAD_MAX, "") &&
           reply.length == 0 && (s = connect_to_server()) > 0 &&
           check("sk_send_all", sk_send_all(s, "GET /big HTTP/1.0\r\n\r\n", 21, NULL)) == SK_OK;
    before = count.requests;
    while (good && (count.requests == before || count.connections > 0))
        good = clock_us() < limit && turn(clock_us() + 10000);
    limit_ms = 10000;
    sk_close(s);
    return good;
}

/* A full table, while its one place is taken by a request that has begun. */
static int be_too_many(void) {
    sk_handle s = connect_to_server();
    int good = s > 0 && check("sk_send_all", sk_send_all(s, "GET", 3, NULL)) == SK_OK;
    most = 1;
    while (good && table[0].come == 0 && turn(clock_us() + 10000))
        ;
    good = good && ask("GET / HTTP/1.1\r\n" CLOSE, HEAD_MAX, "HTTP/1.1 503 Service Unavailable\r\n");
    sk_close(s);
    return good;
}

static int make_file(const char *folder, const char *name, const char *text, long length) {
    char path[4096 + 16];
    FILE *file;
    int good;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "wb");
    if (file == NULL)
        return 0;
    good =
        fputs(text, file) >= 0 && fflush(file) == 0 && (length == 0 || ftruncate(fileno(file), length) == 0);
    return fclose(file) == 0 && good;
}

static int make_site(const char *folder) {
    char path[4096 + 16];
    int good = make_file(folder, "index.html", "<h1>It works</h1>\n", 0) && make_file(folder, "big", "", BIG);
    snprintf(path, sizeof path, "%s/folder", folder);
    good = good && mkdir(path, 0700) == 0 && make_file(path, "a.txt", "a\n", 0);
    snprintf(path, sizeof path, "%s/link", folder);
    good = good && symlink("index.html", path) == 0;
    snprintf(path, sizeof path, "%s/up", folder);
    return good && symlink("/", path) == 0;
}

static void remove_site(const char *folder) {
    static const char *const names[] = {"index.html", "big", "folder/a.txt", "folder", "link", "up", ""};
    char path[4096 + 16];
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path); /* what was not made is not there */
    }
}

static int self_test(void) {
    char folder[4096];
    const char *where = getenv("TMPDIR");
    int good;
    if (snprintf(folder, sizeof folder, "%s/http_server.XXXXXX", where != NULL ? where : "/tmp") >=
            (int)sizeof folder ||
        mkdtemp(folder) == NULL) {
        perror("a folder for the site");
        return 0;
    }
    quiet = 1;
    good = make_site(folder) && start("127.0.0.1", 0, folder);
    puts("-- good and bad requests");
    good = good && ask_all() && ask_too_long();
    puts("-- one that comes byte by byte, and several in one piece");
    good = good && ask("GET / HTTP/1.1\r\n" CLOSE, 1, "HTTP/1.1 200 OK\r\n") && ask_in_a_row();
    puts("-- a file that no buffer holds");
    good = good && ask_big();
    puts("-- slow and silent clients, and too many");
    good = good && be_slow() && be_too_many();
    if (!good && trouble < 0)
        fprintf(stderr, "the server lost a connection: %s\n", sk_strerror(trouble));
    remove_site(folder);
    return good;
}
