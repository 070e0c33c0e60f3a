/* Is c-examples/http_request.h ever more lenient than a parser of many years? Random requests go
 * to both; what ours takes, Node's http-parser must take too, and understand alike.
 *
 *   cc fuzz/http_request_compare.c -lhttp_parser -o target/compare && target/compare 1000000 */
/* Both have these names. */
#define http_method our_method
#define HTTP_GET OUR_GET
#define HTTP_HEAD OUR_HEAD
#include "../c-examples/http_request.h"
#undef http_method
#undef HTTP_GET
#undef HTTP_HEAD
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t seed = 7;

static size_t dice(size_t sides) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % sides;
}

static size_t compose(char *text, size_t room) {
    static const char *const methods[] = {"GET", "HEAD", "POST", "DELETE", "get", "G ET"};
    static const char *const targets[] = {"/",    "/a?b=c", "/%2e%2e/", "http://a/b", "*",
                                          "/a b", "/\x80",  "/a;b=%",   "a"};
    static const char *const versions[] = {"HTTP/1.1", "HTTP/1.0", "HTTP/1.1 ", "HTTP/1.01", "http/1.1"};
    static const char *const ends[] = {"\r\n", "\r\n", "\r\n", "\r\n", "\r\n",
                                       "\r\n", "\r\n", "\n",   "\r",   "\r\r\n"};
    static const char *const fields[] = {"Host: a",
                                         "Host : a",
                                         "host:a",
                                         "Content-Length: 3",
                                         "Content-Length: 3",
                                         "Content-Length: +3",
                                         "content-length:  4 ",
                                         "Content-Length: 1 2",
                                         "Connection: close",
                                         "Connection: keep-alive, x",
                                         "Connection:  KEEP-ALIVE ,close",
                                         "Transfer-Encoding: chunked",
                                         "X:",
                                         "X: \xff\x80 y",
                                         " folded",
                                         "\tfolded",
                                         "X",
                                         "Expect: 100-continue",
                                         ": x",
                                         "X\x01: y",
                                         "X: \x01",
                                         "Content-Length: 18446744073709551617"};
    size_t length = 0, n = dice(6);
#define PUT(list)                                                                                            \
    length += (size_t)snprintf(text + length, room - length, "%s", list[dice(sizeof list / sizeof *list)])
    if (dice(8) == 0)
        length += (size_t)snprintf(text, room, "\r\n");
    PUT(methods);
    text[length++] = ' ';
    PUT(targets);
    text[length++] = ' ';
    PUT(versions);
    PUT(ends);
    length += (size_t)snprintf(text + length, room - length, "Host: a\r\n");
    while (n-- > 0) {
        PUT(fields);
        PUT(ends);
    }
    length += (size_t)snprintf(text + length, room - length, "\r\n");
    if (dice(4) == 0)
        text[dice(length)] = (char)dice(256);
    return length;
}

static struct {
    int done;
    uint64_t length;
    const char *url;
    size_t url_length;
} theirs;

static int on_url(http_parser *parser, const char *at, size_t length) {
    (void)parser;
    theirs.url = at;
    theirs.url_length = length;
    return 0;
}

static int on_head(http_parser *parser) {
    theirs.done = 1;
    theirs.length = (parser->flags & F_CONTENTLENGTH) != 0 ? parser->content_length : 0;
    http_parser_pause(parser, 1); /* the body is nobody's business here */
    return 0;
}

int main(int argc, char **argv) {
    long i, runs = argc == 2 ? atol(argv[1]) : 0, taken = 0;
    http_parser_settings settings;
    http_parser_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_headers_complete = on_head;
    for (i = 0; i < runs; i++) {
        char text[1024], path[1024];
        size_t length = compose(text, sizeof text);
        struct http_request ours;
        http_parser parser;
        memset(&ours, 0, sizeof ours);
        /* What is answered with 4xx or 501 need not be understood by others. And http-parser does not
         * know that a value may end with a tab. */
        if (memchr(text, '\t', length) != NULL || http_request_read(&ours, text, length) != HTTP_GOOD ||
            ours.method == HTTP_UNKNOWN || ours.content_length == UINT64_MAX ||
            http_request_path(&ours, text, path, sizeof path) != HTTP_GOOD)
            continue;
        taken++;
        memset(&theirs, 0, sizeof theirs);
        http_parser_init(&parser, HTTP_REQUEST);
        http_parser_execute(&parser, &settings, text, ours.line);
        if (!theirs.done || theirs.length != ours.content_length || theirs.url != text + ours.target ||
            theirs.url_length != ours.target_length ||
            (ours.keep_alive && !http_should_keep_alive(&parser)) ||
            (ours.method == OUR_GET) != (parser.method == HTTP_GET)) {
            printf("understood differently (%s):\n%.*s\n", http_errno_description(HTTP_PARSER_ERRNO(&parser)),
                   (int)length, text);
            return 1;
        }
    }
    printf("%ld of %ld requests were taken, and understood alike\n", taken, runs);
    return taken > runs / 1000 ? 0 : 1;
}
