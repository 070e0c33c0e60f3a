/* The reader of HTTP requests in c-examples/http_request.h: each rule, then random bytes. */
#include "check.h"
#include "../../c-examples/http_request.h"

/* Reads a request in pieces of that many bytes, until the reader has decided. */
static int read_in_pieces(struct http_request *r, const char *bytes, size_t length, size_t piece)
{
    size_t come = 0;
    int status = HTTP_MORE;
    memset(r, 0, sizeof *r);
    while (status == HTTP_MORE && come < length) {
        come = length - come < piece ? length : come + piece;
        status = http_request_read(r, bytes, come);
    }
    return status;
}

/* Reads it whole and byte by byte, and gives the one result. */
static int read_request(struct http_request *r, const char *bytes, size_t length)
{
    struct http_request whole;
    int status = read_in_pieces(&whole, bytes, length, length), pieces;
    pieces = read_in_pieces(r, bytes, length, 1);
    CHECK_EQ(pieces, status);
    CHECK(memcmp(&whole, r, sizeof whole) == 0);
    return status;
}

static int status_of(const char *text)
{
    struct http_request r;
    return read_request(&r, text, strlen(text));
}

/* What a request with that field (or fields) besides Host gets. */
static int with_field(const char *field)
{
    char text[512];
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", field);
    return status_of(text);
}

static struct http_request good(const char *text)
{
    struct http_request r;
    CHECK_EQ(read_request(&r, text, strlen(text)), HTTP_GOOD);
    return r;
}

static int keeps(const char *version, const char *fields)
{
    char text[512];
    snprintf(text, sizeof text, "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", version, fields);
    return good(text).keep_alive;
}

CASE(a_request_is_read)
{
    const char *text = "HEAD /a?b HTTP/1.1\r\nHost: [::1]:80\r\nX:\r\nY: \t1 2\xff\t \r\n\r\nnext";
    struct http_request r = good(text);
    CHECK_EQ(r.method, HTTP_HEAD);
    CHECK_EQ(r.minor, 1);
    CHECK(r.target_length == 4 && memcmp(text + r.target, "/a?b", 4) == 0);
    CHECK_TEXT(text + r.line, "next");
    CHECK_EQ(r.content_length, 0);
    CHECK(r.keep_alive && !r.expects);
    CHECK_EQ(good("GET / HTTP/1.0\r\n\r\n").minor, 0);
    CHECK_EQ(good("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").method, HTTP_GET);
}

CASE(what_is_not_whole_waits)
{
    CHECK_EQ(status_of("G"), HTTP_MORE);
    CHECK_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\n\r"), HTTP_MORE);
}

CASE(methods)
{
    CHECK_EQ(good("POST / HTTP/1.1\r\nHost: a\r\n\r\n").method, HTTP_OTHER);
    CHECK_EQ(good("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n").method, HTTP_OTHER);
    CHECK_EQ(good("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").method, HTTP_OTHER);
    CHECK_EQ(good("get / HTTP/1.1\r\nHost: a\r\n\r\n").method, HTTP_UNKNOWN);
    CHECK_EQ(good("GETS / HTTP/1.1\r\nHost: a\r\n\r\n").method, HTTP_UNKNOWN);
}

CASE(request_lines_are_exact)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1 \r\n",
        "GET  / HTTP/1.1\r\n",
        " GET / HTTP/1.1\r\n",
        "GET /  HTTP/1.1\r\n",
        "GET\t/ HTTP/1.1\r\n",
        "GET /\r\n",
        "GET\r\n",
        "GET / \r\n",
        "GET / http/1.1\r\n",
        "GET / HTTP/1\r\n",
        "GET / HTTP/11\r\n",
        "GET / HTTP/1.10\r\n",
        "GET / HTTP/a.1\r\n",
        "GET /a b HTTP/1.1\r\n",
        "GET /#a HTTP/1.1\r\n",
        "GET /\xc3 HTTP/1.1\r\n",
        "G@T / HTTP/1.1\r\n",
        "\r\n\r\n",
        "GET  HTTP/1.1\r\n",
        "\x16\x03\x01",
    };
    size_t i;
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        if (status_of(bad[i]) != 400)
            FAIL("%s: %d", bad[i], status_of(bad[i]));
    CHECK_EQ(status_of("GET / HTTP/2.0\r\n"), 505);
    CHECK_EQ(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
}

CASE(lines_end_in_cr_lf)
{
    CHECK_EQ(status_of("GET / HTTP/1.1\n"), 400);
    CHECK_EQ(status_of("GET / HTTP/1.1\rHost: a\r\n"), 400);
    CHECK_EQ(with_field("X: 1\nY: 2"), 400);
    CHECK_EQ(with_field("X: 1\rY: 2"), 400);
    CHECK_EQ(with_field("X: 1\r\r"), 400);
    CHECK_EQ(status_of("\nGET / HTTP/1.1\r\n"), 400);
}

CASE(fields_are_exact)
{
    CHECK_EQ(with_field("X: 1"), HTTP_GOOD);
    CHECK_EQ(with_field("X : 1"), 400);
    CHECK_EQ(with_field(" X: 1"), 400);
    CHECK_EQ(with_field("X: 1\r\n 2"), 400);
    CHECK_EQ(with_field("X: 1\r\n\t2"), 400);
    CHECK_EQ(with_field("X"), 400);
    CHECK_EQ(with_field(": 1"), 400);
    CHECK_EQ(with_field("X\x80: 1"), 400);
    CHECK_EQ(with_field("X: \x01"), 400);
    CHECK_EQ(with_field("X: \x7f"), 400);
}

CASE(zero_bytes_are_refused)
{
    struct http_request r;
    CHECK_EQ(read_request(&r, "GET /\0 HTTP/1.1\r\n", 17), 400);
    CHECK_EQ(read_request(&r, "GET / HTTP/1.1\r\nX: \0\r\n", 22), 400);
}

CASE(one_host)
{
    CHECK_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
    CHECK_EQ(with_field("Host: a"), 400);
    CHECK_EQ(with_field("hOST: b"), 400);
    CHECK_EQ(status_of("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
    CHECK_EQ(status_of("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
}

CASE(one_length_and_it_is_a_number)
{
    CHECK_EQ(good("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0012\r\n\r\n").content_length, 12);
    CHECK_EQ(with_field("Content-Length: 1\r\nContent-Length: 1"), 400);
    CHECK_EQ(with_field("Content-Length: 1, 1"), 400);
    CHECK_EQ(with_field("Content-Length: +1"), 400);
    CHECK_EQ(with_field("Content-Length: -1"), 400);
    CHECK_EQ(with_field("Content-Length: 0x1"), 400);
    CHECK_EQ(with_field("Content-Length: 1 1"), 400);
    CHECK_EQ(with_field("Content-Length:"), 400);
    /* 2^64 must not become 0. */
    CHECK(good("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n").content_length ==
          UINT64_MAX);
    CHECK(good("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999999\r\n\r\n")
              .content_length == UINT64_MAX);
}

CASE(no_transfer_codings)
{
    CHECK_EQ(with_field("Transfer-Encoding: chunked"), 501);
    CHECK_EQ(with_field("tRANSFER-eNCODING: \txchunked"), 501);
    CHECK_EQ(with_field("Transfer-Encoding: chunked\r\nContent-Length: 3"), 400);
    CHECK_EQ(with_field("Content-Length: 3\r\nTransfer-Encoding: chunked"), 400);
    CHECK_EQ(status_of("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

CASE(who_keeps_the_connection)
{
    CHECK(keeps("1.1", ""));
    CHECK(keeps("1.9", ""));
    CHECK(!keeps("1.0", ""));
    CHECK(keeps("1.0", "Connection: Keep-Alive\r\n"));
    CHECK(!keeps("1.1", "Connection: close\r\n"));
    CHECK(!keeps("1.1", "connection: a, CLOSE ,b\r\n"));
    CHECK(!keeps("1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
    CHECK(keeps("1.1", "Connection: closed, xclose,\r\n"));
    CHECK_EQ(with_field("Connection: close; now"), 400);
}

CASE(expectations)
{
    CHECK(good("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n").expects);
    CHECK_EQ(with_field("Expect: more"), 417);
}

CASE(too_long_or_too_many)
{
    char text[HTTP_LINE_MAX + 64];
    size_t i, length;
    memset(text, 'a', sizeof text);
    memcpy(text, "GET /", 5);
    memcpy(text + sizeof text - 12, " HTTP/1.1\r\n", 12);
    CHECK_EQ(status_of(text), 414);
    memcpy(text + HTTP_LINE_MAX - 9, " HTTP/1.1\r\n", 12);
    CHECK_EQ(status_of(text), HTTP_MORE);

    length = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (i = 1; i < HTTP_FIELDS_MAX; i++)
        length += (size_t)sprintf(text + length, "X: 1\r\n");
    CHECK_EQ(status_of(text), HTTP_MORE);
    sprintf(text + length, "X: 1\r\n");
    CHECK_EQ(status_of(text), 431);
}

/* The path, or the status as text. */
static const char *path_of(const char *target)
{
    static char path[HTTP_LINE_MAX];
    char text[1024];
    struct http_request r;
    int status;
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
    r = good(text);
    status = http_request_path(&r, text, path, sizeof path);
    if (status != HTTP_GOOD)
        snprintf(path, sizeof path, "%d", status);
    return path;
}

CASE(paths)
{
    CHECK_TEXT(path_of("/"), "index.html");
    CHECK_TEXT(path_of("/a/b.c"), "a/b.c");
    CHECK_TEXT(path_of("/a/"), "a/index.html");
    CHECK_TEXT(path_of("/a?b=/../c"), "a");
    CHECK_TEXT(path_of("/?"), "index.html");
    CHECK_TEXT(path_of("/%41%e2%82%AC%20x"), "A\xe2\x82\xac x");
    CHECK_TEXT(path_of("/a..b/c."), "a..b/c.");
    CHECK_TEXT(path_of("http://a.b:80/c"), "c");
    CHECK_TEXT(path_of("HTTP://[::1]"), "index.html");
    CHECK_TEXT(path_of("http://a?b"), "index.html");
}

CASE(paths_that_lead_nowhere)
{
    static const char *const none[] = {"/..",     "/../a",  "/a/../b",     "/%2e%2e/a", "/.%2E/a",
                                       "/a/.%2e", "/.",     "/a/./b",      "/.git/a",   "//a",
                                       "/a//b",   "/a%2fb", "/..%2f..%2f", "/%2F",      "http://a//b"};
    static const char *const bad[] = {"*",    "a",         "a:80",         "https://a/", "/%",
                                      "/%4",  "/%zz",      "/%00",         "/a%00b",     "http://@@/",
                                      "/%-1", "http:///a", "http://a@b\\/"};
    size_t i;
    for (i = 0; i < sizeof none / sizeof *none; i++)
        if (strcmp(path_of(none[i]), "404") != 0)
            FAIL("%s: %s", none[i], path_of(none[i]));
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcmp(path_of(bad[i]), "400") != 0)
            FAIL("%s: %s", bad[i], path_of(bad[i]));
}

CASE(a_path_never_leaves_its_room)
{
    const char *text = "GET /abc/ HTTP/1.1\r\nHost: a\r\n\r\n";
    struct http_request r = good(text);
    char path[64];
    size_t room;
    for (room = 0; room < sizeof path; room++) {
        memset(path, '#', sizeof path);
        CHECK_EQ(http_request_path(&r, text, path, room), room < 15 ? 414 : HTTP_GOOD);
        CHECK_EQ(path[room], '#');
    }
}

/* --- Random bytes --------------------------------------------------------------------------- */

static uint64_t seed = 1;

static size_t dice(size_t sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % sides;
}

/* Pieces of requests, so that chance comes further than the first byte. */
static size_t compose(char *bytes, size_t room)
{
    static const char *const words[] = {"GET ",
                                        "HEAD ",
                                        "POST ",
                                        "/",
                                        "/a",
                                        "%2e",
                                        "%00",
                                        "..",
                                        "?",
                                        " HTTP/1.1",
                                        " HTTP/1.0",
                                        "\r\n",
                                        "\r\n",
                                        "\r\n\r\n",
                                        "\n",
                                        "\r",
                                        "Host: a",
                                        "Host",
                                        ":",
                                        " ",
                                        "\t",
                                        "Content-Length: ",
                                        "1",
                                        "99999999",
                                        "Connection: close",
                                        "Transfer-Encoding: chunked",
                                        "Expect: 100-continue",
                                        ",",
                                        "http://a",
                                        "X: y",
                                        "\x80",
                                        "#"};
    size_t length = 0, n = 1 + dice(12);
    if (dice(2) == 0)
        length = (size_t)snprintf(bytes, room, "GET / HTTP/1.1\r\nHost: a\r\n");
    while (n-- > 0) {
        const char *word = words[dice(sizeof words / sizeof *words)];
        length += (size_t)snprintf(bytes + length, room - length, "%s", word);
    }
    for (n = dice(3); n > 0; n--)
        bytes[dice(length)] = (char)dice(256);
    return length;
}

CASE_WITHIN(random_bytes, 60)
{
    char bytes[512], path[512];
    int i, accepted = 0;
    for (i = 0; i < 300000; i++) {
        size_t length = compose(bytes, sizeof bytes);
        struct http_request r;
        int status = read_request(&r, bytes, length);
        CHECK(r.looked <= length && r.line <= length);
        if (status != HTTP_GOOD)
            continue;
        accepted++;
        CHECK(r.target + r.target_length < r.line);
        CHECK(memcmp(bytes + r.line - 4, "\r\n\r\n", 4) == 0);
        CHECK(memchr(bytes, '\0', r.line) == NULL);
        if (http_request_path(&r, bytes, path, sizeof path) == HTTP_GOOD) {
            CHECK(path[0] != '/' && path[0] != '.' && strstr(path, "/.") == NULL &&
                  strstr(path, "//") == NULL);
            CHECK(strlen(path) < sizeof path - 1);
        }
    }
    CHECK_GT(accepted, 1000);
}
