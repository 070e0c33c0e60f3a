/* http_client: fetches pages over HTTP/1.1. One request and one response at a time; the
 * connection is kept for the next page where the same server has it and does not end it. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"
#include "http_response.h"

static const char usage[] =
    "usage: http_client [-i] [--limit MS] URL... | --self-test\n"
    "Fetches each http://HOST[:PORT]/PATH and writes its body to the output.\n"
    "  -i          write the response's head too\n"
    "  --limit MS  how long one page may take (10000)\n"
    "What it does is told on stderr. It fails where a page did not come, or with a status from 400 on.\n";

struct url {
    char host[256], authority[272]; /* the authority is host and port as they stand in the URL */
    uint16_t port;
    const char *target;
};

static volatile sk_handle connection; /* the signal handler closes it */
static struct http_stream in;
static char connected_to[272];

/* Ctrl-C: the look-up of a name can't be woken, so this ends the program. A page that did not come
 * is a failure, whoever ended it. */
static void on_ctrl_c(int signal_number) {
    (void)signal_number;
    sk_close(connection);
    _Exit(EXIT_FAILURE);
}

static const char *explain(int64_t result) {
    return result == SK_EOTHER       ? "that is no HTTP/1 response"
           : result == SK_EMSGSIZE   ? "the response's head is too long"
           : result == SK_EEOF       ? "the server ended the connection too early"
           : result == SK_EOPNOTSUPP ? "the body is encoded in a way that is not known here"
                                     : sk_strerror(result);
}

/* Takes "http://host:port/target" apart. Whatever is not a plain URL is refused: a space or a line
 * end in it would become a part of the request. */
static int parse_url(const char *text, struct url *url) {
    const char *host = text + 7, *end, *p;
    size_t length, colon;
    long port = 80;
    if (strncmp(text, "http://", 7) != 0)
        return 0;
    for (p = text; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~' || *p == '#')
            return 0;
    length = strcspn(host, "/?");
    end = host + length;
    if (length == 0 || length >= sizeof url->authority || http_span(http_is_host, host, length) != length)
        return 0;
    memcpy(url->authority, host, length);
    url->authority[length] = '\0';
    url->target = end;
    colon = *host == '[' ? strcspn(url->authority, "]") + 1 : strcspn(url->authority, ":");
    if (colon > length ||
        (colon < length && (host[colon] != ':' || !number(url->authority + colon + 1, 1, 65535, &port))))
        return 0;
    if (*host == '[') { /* an IPv6 address stands in brackets, for it has colons of its own */
        host++;
        colon -= 2;
    }
    if (colon == 0 || colon >= sizeof url->host)
        return 0;
    memcpy(url->host, host, colon);
    url->host[colon] = '\0';
    url->port = (uint16_t)port;
    return 1;
}

/* Takes a new connection, or none, in the place of the old one. */
static void use_connection(sk_handle s, const char *peer) {
    sk_close(connection);
    connection = s;
    memset(&in, 0, sizeof in);
    in.s = s;
    snprintf(connected_to, sizeof connected_to, "%s", peer);
}

static int64_t connect_to(const struct url *url, int64_t limit) {
    char endpoint[sizeof url->host + 24];
    sk_handle s;
    snprintf(endpoint, sizeof endpoint, strchr(url->host, ':') != NULL ? "tcp://[%s]:%d" : "tcp://%s:%d",
             url->host, url->port);
    s = sk_dial(endpoint, limit);
    if (s < 0)
        return s;
    use_connection(s, url->authority);
    fprintf(stderr, "connected to %s\n", url->authority);
    return SK_OK;
}

static int64_t send_request(const struct url *url) {
    char request[8192];
    int length = snprintf(request, sizeof request,
                          "GET %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: http_client\r\nAccept: */*\r\n\r\n",
                          *url->target == '/' ? "" : "/", url->target, url->authority);
    if (length >= (int)sizeof request)
        return SK_ENAMETOOLONG;
    return sk_send_all(connection, request, (size_t)length, NULL);
}

/* Reads a response and writes its body. */
static int64_t read_response(struct http_response *r, int show_head) {
    const char *piece;
    int64_t n = http_read_head(&in, r, show_head ? stdout : NULL), total = 0;
    if (n < 0)
        return n;
    while ((n = http_read_body(&in, r, &piece)) > 0) {
        total += n;
        if (fwrite(piece, 1, (size_t)n, stdout) != (size_t)n)
            return SK_ECONNABORTED; /* the output is full or gone: finish() tells */
    }
    if (n == 0)
        fprintf(stderr, "%d, %lld bytes\n", r->status, (long long)total);
    return n;
}

/* One page. A kept connection may have been ended by the server just now: then once more, anew. */
static int fetch(const char *text, long limit_ms, int show_head) {
    struct http_response response;
    struct url url;
    int64_t result, until = clock_us() + limit_ms * 1000;
    int kept;
    memset(&response, 0, sizeof response);
    if (!parse_url(text, &url)) {
        fprintf(stderr, "%s: not an http:// URL\n", text);
        return 0;
    }
    do {
        int64_t begun;
        kept = connection > 0 && strcmp(connected_to, url.authority) == 0;
        result = kept ? SK_OK : connect_to(&url, ms_until(until));
        in.until = until;
        begun = in.received;
        if (result == SK_OK)
            result = sk_set_timeout(connection, ms_until(until));
        if (result == SK_OK)
            result = send_request(&url);
        if (result == SK_OK)
            result = read_response(&response, show_head);
        kept = kept && in.received == begun &&
               (result == SK_EEOF || result == SK_ECONNRESET || result == SK_EPIPE);
        if (kept)
            fprintf(stderr, "the kept connection is gone (%s): once more\n", explain(result));
        if (result != SK_OK || !response.keep_alive)
            use_connection(SK_INVALID_HANDLE, "");
    } while (kept);
    if (result != SK_OK && !ferror(stdout))
        fprintf(stderr, "%s: %s\n", text, explain(result));
    return result == SK_OK && response.status < 400;
}

/* --- Self-test: what a server said, and what the client makes of it ------------------------- */

/* The whole answer lies in the socket before the client looks. */
static int hears(const char *said, int64_t expected, int status, const char *body) {
    sk_handle ends[2];
    struct http_response r;
    const char *piece;
    char got[64];
    size_t length = 0;
    int64_t n;
    int good = check("sk_socketpair", sk_socketpair(SK_STREAM, ends)) == SK_OK;
    if (!good)
        return 0;
    use_connection(ends[0], "a test");
    in.until = clock_us() + 5000000;
    good = check("sk_send_all", sk_send_all(ends[1], said, strlen(said), NULL)) == SK_OK &&
           check("sk_close", sk_close(ends[1])) == SK_OK;
    n = good ? http_read_head(&in, &r, NULL) : (int64_t)SK_EINTERNAL;
    while (n >= 0 && (n = http_read_body(&in, &r, &piece)) > 0 && length + (size_t)n < sizeof got) {
        memcpy(got + length, piece, (size_t)n);
        length += (size_t)n;
    }
    got[length] = '\0';
    sk_close(ends[1]);
    use_connection(SK_INVALID_HANDLE, "");
    if (n == expected && (n < 0 || (r.status == status && strcmp(got, body) == 0)))
        return 1;
    fprintf(stderr, "%s: %s, \"%s\"\n", said, n < 0 ? explain(n) : "read", got);
    return 0;
}

#define HTTP "HTTP/1.1 200 OK\r\n"
#define CHUNKED HTTP "Transfer-Encoding: chunked\r\n\r\n"

/* A real connection, kept for two pages; the server's answers wait in it already. */
static int keeps(void) {
    sk_handle listener = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP)),
              server = SK_INVALID_HANDLE;
    static const char said[] = HTTP "Content-Length: 2\r\n\r\na\n" HTTP "Connection: close\r\n\r\nb\n";
    char url[64], heard[1024];
    struct url parts;
    sk_addr address;
    int64_t n = 0;
    int good = listener > 0 && check("sk_bind", sk_bind(listener, "127.0.0.1", 0)) == SK_OK &&
               check("sk_listen", sk_listen(listener, 1)) == SK_OK &&
               check("sk_set_timeout", sk_set_timeout(listener, 5000)) == SK_OK &&
               check("sk_local_addr", sk_local_addr(listener, &address)) == SK_OK;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/a?b", good ? address.port : 0);
    good = good && parse_url(url, &parts) && check("sk_dial", connect_to(&parts, 5000)) == SK_OK &&
           (server = check("sk_accept", sk_accept(listener, NULL))) > 0 &&
           check("sk_send_all", sk_send_all(server, said, sizeof said - 1, NULL)) == SK_OK &&
           check("sk_shutdown", sk_shutdown(server, SK_SHUT_WRITE)) == SK_OK && fetch(url, 5000, 0) &&
           connection > 0 && fetch(url, 5000, 0) && connection == SK_INVALID_HANDLE &&
           check("sk_set_timeout", sk_set_timeout(server, 5000)) == SK_OK &&
           (n = check("sk_recv", sk_recv(server, heard, sizeof heard - 1, SK_WAITALL))) > 0;
    heard[n > 0 ? n : 0] = '\0';
    good = good && strncmp(heard, "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:", 35) == 0 &&
           strstr(heard + 1, "GET /a?b") != NULL;
    sk_close(server);
    sk_close(listener);
    return good;
}

static int self_test(void) {
    struct url url;
    puts("-- the three ways to tell where a body ends");
    if (!hears(HTTP "Content-Length: 5\r\n\r\nhello, and what is not of it", 0, 200, "hello") ||
        !hears(CHUNKED "5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: a\r\n\r\n", 0, 200, "hello!") ||
        !hears("HTTP/1.0 404 Not Found\r\n\r\nhello", 0, 404, "hello") ||
        !hears("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204\r\n\r\n", 0, 204, ""))
        return 0;
    puts("-- what is cut short, and what is not HTTP");
    if (!hears(HTTP "Content-Length: 5\r\n\r\nhell", SK_EEOF, 0, "") ||
        !hears(CHUNKED "5\r\nhel", SK_EEOF, 0, "") || !hears(CHUNKED "5\r\nhello\r\n", SK_EEOF, 0, "") ||
        !hears(HTTP, SK_EEOF, 0, "") || !hears("220 mail ready\r\n", SK_EOTHER, 0, "") ||
        !hears(CHUNKED "-5\r\nhello", SK_EOTHER, 0, "") ||
        !hears(CHUNKED "fffffffffffffffff\r\n", SK_EOTHER, 0, "") ||
        !hears(CHUNKED "2\r\nhello\r\n", SK_EOTHER, 0, "") ||
        !hears(HTTP "Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi", SK_EOTHER, 0, "") ||
        !hears(HTTP "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nhi", SK_EOTHER, 0, "") ||
        !hears(HTTP "Transfer-Encoding: gzip\r\n\r\n", SK_EOPNOTSUPP, 0, ""))
        return 0;
    puts("-- URLs");
    if (!parse_url("http://a", &url) || url.port != 80 || !parse_url("http://[::1]:8080/b?c", &url) ||
        strcmp(url.host, "::1") != 0 || url.port != 8080 || strcmp(url.target, "/b?c") != 0 ||
        parse_url("https://a/", &url) || parse_url("http://a b/", &url) || parse_url("http://a:0/", &url) ||
        parse_url("http://:80/", &url) || parse_url("http://[::1/", &url) ||
        parse_url("http://a\r\nb/", &url))
        return 0;
    puts("-- two pages over one connection");
    return keeps();
}

int main(int argc, char **argv) {
    long limit_ms = 10000;
    int i, good = 1, show_head = 0;
    fill_streams();
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return finish(fputs(usage, stdout) >= 0);
    if (argc == 2 && strcmp(argv[1], "--self-test") == 0) {
        good = self_test();
        use_connection(SK_INVALID_HANDLE, "");
        puts(good ? "self-test: passed" : "self-test: FAILED");
        return finish(good);
    }
    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-i") == 0)
            show_head = 1;
        else if (i + 1 < argc && option(argv + i, "--limit", 1, 3600000, &limit_ms))
            i++;
        else
            break;
    }
    if (i == argc || argv[i][0] == '-') {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    good = signal(SIGINT, on_ctrl_c) != SIG_ERR;
    for (; i < argc; i++)
        good = fetch(argv[i], limit_ms, show_head) && good;
    use_connection(SK_INVALID_HANDLE, "");
    return finish(good);
}
