/* http_request: reads the head of an HTTP/1.1 request (RFC 9112), strictly, and the path that
 * it asks for. For servers: http_server.c and http_vs_socket.c. Not for bodies or responses.
 *
 * Pure: no system call, no allocation, nothing kept but in the caller's struct.
 *
 * There are good parsers in C (llhttp, picohttpparser), but an example must build with nothing
 * but a compiler. This one does less and can be read in one sitting. It refuses whatever two
 * readers could take for two different things, for that is what request smuggling lives on: a
 * line that ends in a lone LF or CR, a folded line, a space before the colon, a second Host or
 * Content-Length. tests/c/http_request.c has a case for each rule, and lets random bytes loose
 * on it; `make fuzz` sends it what strangers may. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    HTTP_MORE = 0,        /* not yet the whole head */
    HTTP_GOOD = 200,      /* any other result is the status of a refusal */
    HTTP_LINE_MAX = 4096, /* of the request line, without its CR LF; a longer one: 414 */
    HTTP_FIELDS_MAX = 64  /* header fields; more of them: 431 */
};

enum http_method {
    HTTP_GET = 1,
    HTTP_HEAD,
    HTTP_OTHER,  /* one of RFC 9110's, but not for this server: 405 */
    HTTP_UNKNOWN /* 501 */
};

/* What a request says. Zero it before its first byte. */
struct http_request {
    enum http_method method;
    int minor;                    /* of HTTP/1.minor */
    size_t target, target_length; /* where in the head the target stands */
    uint64_t content_length;      /* what follows the head */
    int keep_alive;               /* the connection may be used again */
    int expects;                  /* the client waits for a go-ahead before it sends the body */

    /* The rest is the parser's. */
    size_t line, looked; /* where the line begins; how many bytes were looked at */
    int fields, hosts, lengths, codings, said_close, said_keep;
};

/* --- Characters, the same in every locale --------------------------------------------------- */

static inline int http_is_letter_or_digit(int c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Methods and field names are made of these (RFC 9110, token). */
static inline int http_is_token(int c) {
    return http_is_letter_or_digit(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static inline int http_is_host(int c) {
    return http_is_letter_or_digit(c) || (c != 0 && strchr("-._~%!$&'()*+,;=:[]", c) != NULL);
}

/* How many bytes at the beginning are of that class. */
static inline size_t http_span(int (*is)(int), const char *text, size_t length) {
    size_t n = 0;
    while (n < length && is((unsigned char)text[n]))
        n++;
    return n;
}

/* Whether the text is that word, which is given in lower case. Case does not matter. */
static inline int http_same(const char *text, size_t length, const char *word) {
    size_t i;
    for (i = 0; i < length && word[i] != '\0'; i++)
        if ((text[i] >= 'A' && text[i] <= 'Z' ? text[i] + ('a' - 'A') : text[i]) != word[i])
            return 0;
    return i == length && word[i] == '\0';
}

static inline int http_hex_digit(int c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* --- Lines ---------------------------------------------------------------------------------- */

static inline enum http_method http_method_of(const char *name, size_t length) {
    static const char *const others[] = {"POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH"};
    size_t i;
    if (length == 3 && memcmp(name, "GET", 3) == 0)
        return HTTP_GET;
    if (length == 4 && memcmp(name, "HEAD", 4) == 0)
        return HTTP_HEAD;
    for (i = 0; i < sizeof others / sizeof *others; i++)
        if (length == strlen(others[i]) && memcmp(name, others[i], length) == 0)
            return HTTP_OTHER;
    return HTTP_UNKNOWN;
}

/* "GET /path HTTP/1.1": three words, and one space between them. */
static inline int http_request_line(struct http_request *r, const char *line, size_t length) {
    size_t method = http_span(http_is_token, line, length), target = method + 1, n;
    const char *version;
    if (method == 0 || method == length || line[method] != ' ')
        return 400;
    for (n = 0; target + n < length && line[target + n] > ' ' && line[target + n] <= '~'; n++)
        if (line[target + n] == '#')
            return 400; /* what stands behind it is the browser's business */
    if (n == 0 || target + n + 9 != length || memcmp(line + target + n, " HTTP/", 6) != 0)
        return 400;
    version = line + target + n + 6;
    if (version[0] < '0' || version[0] > '9' || version[1] != '.' || version[2] < '0' || version[2] > '9')
        return 400;
    if (version[0] != '1')
        return 505;
    r->method = http_method_of(line, method);
    r->minor = version[2] - '0';
    r->target = r->line + target;
    r->target_length = n;
    return HTTP_MORE;
}

/* Digits only. So many that no body can be that long become a length that no server takes. */
static inline int http_content_length(struct http_request *r, const char *value, size_t length) {
    size_t i;
    if (r->lengths++ > 0 || length == 0)
        return 400;
    for (i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9')
            return 400;
        r->content_length = r->content_length > UINT64_MAX / 10 - 1
                                ? UINT64_MAX
                                : r->content_length * 10 + (uint64_t)(value[i] - '0');
    }
    return HTTP_MORE;
}

/* A list of words with commas between them. */
static inline int http_connection(struct http_request *r, const char *value, size_t length) {
    size_t at = 0;
    while (at < length) {
        size_t word = http_span(http_is_token, value + at, length - at);
        if (http_same(value + at, word, "close"))
            r->said_close = 1;
        if (http_same(value + at, word, "keep-alive"))
            r->said_keep = 1;
        for (at += word; at < length && (value[at] == ' ' || value[at] == '\t'); at++)
            ;
        if (at < length && value[at] != ',')
            return 400;
        for (at++; at < length && (value[at] == ' ' || value[at] == '\t'); at++)
            ;
    }
    return HTTP_MORE;
}

/* "Name: value". A line that begins with a space would continue the one before: refused. */
static inline int http_field(struct http_request *r, const char *line, size_t length) {
    size_t name = http_span(http_is_token, line, length);
    const char *value = line + name + 1, *end = line + length;
    if (name == 0 || name == length || line[name] != ':')
        return 400;
    if (++r->fields > HTTP_FIELDS_MAX)
        return 431;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (value < end && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    length = (size_t)(end - value);
    if (http_same(line, name, "host"))
        return r->hosts++ > 0 || http_span(http_is_host, value, length) != length ? 400 : HTTP_MORE;
    if (http_same(line, name, "content-length"))
        return http_content_length(r, value, length);
    if (http_same(line, name, "transfer-encoding"))
        r->codings++;
    if (http_same(line, name, "connection"))
        return http_connection(r, value, length);
    if (http_same(line, name, "expect")) {
        r->expects = http_same(value, length, "100-continue");
        return r->expects ? HTTP_MORE : 417;
    }
    return HTTP_MORE;
}

/* The empty line: what the fields say together. */
static inline int http_head_end(struct http_request *r) {
    if (r->minor > 0 && r->hosts == 0)
        return 400;
    if (r->codings > 0) /* with a length too, or from an old client, it is an attack */
        return r->lengths > 0 || r->minor == 0 ? 400 : 501;
    r->keep_alive = !r->said_close && (r->minor > 0 || r->said_keep);
    return HTTP_GOOD;
}

/* --- The two functions for users ------------------------------------------------------------ */

/* Reads on in a head, of which `length` bytes have come so far, the earlier ones unchanged.
 * Gives HTTP_MORE, HTTP_GOOD (then the head is the first `r->line` bytes), or the status of the
 * refusal. How the bytes were cut into pieces makes no difference. */
static inline int http_request_read(struct http_request *r, const char *head, size_t length) {
    while (r->looked < length) {
        size_t at = r->looked++, line = at - r->line;
        unsigned char byte = (unsigned char)head[at];
        int status;
        /* CR and LF come together or not at all. */
        if ((byte == '\n') != (at > 0 && head[at - 1] == '\r'))
            return 400;
        if ((byte < ' ' && byte != '\t' && byte != '\r' && byte != '\n') || byte == 127)
            return 400;
        if (r->method == 0 && line > HTTP_LINE_MAX + 1)
            return 414;
        if (byte != '\n')
            continue;
        line--; /* without the CR */
        if (r->method == 0 && at == 1)
            status = HTTP_MORE; /* one empty line before the request is forgiven (RFC 9112, 2.2) */
        else if (r->method == 0)
            status = http_request_line(r, head + r->line, line);
        else if (line > 0)
            status = http_field(r, head + r->line, line);
        else
            status = http_head_end(r);
        r->line = at + 1;
        if (status != HTTP_MORE)
            return status;
    }
    return HTTP_MORE;
}

/* Writes the path that a request asks for: decoded, without the query, relative to the site, and
 * with index.html where it names a folder. No part of it begins with a dot, is empty, or has a
 * slash hidden in it, so there is no way up. Gives HTTP_GOOD or the status of the refusal. */
static inline int http_request_path(const struct http_request *r, const char *head, char *path, size_t room) {
    static const char index_name[] = "index.html";
    const char *at = head + r->target, *end = at + r->target_length;
    size_t length = 0;
    char last = '/';
    if (r->target_length > 7 && http_same(at, 7, "http://")) { /* as one asks a proxy */
        size_t host = http_span(http_is_host, at + 7, (size_t)(end - at) - 7);
        if (host == 0)
            return 400;
        at += 7 + host;
    } else if (*at != '/') {
        return 400;
    }
    if (at < end && *at != '/' && *at != '?')
        return 400;
    if (at < end && *at == '/')
        at++;
    while (at < end && *at != '?') {
        int decoded = (unsigned char)*at++, hidden = 0;
        if (decoded == '%') {
            int high = at < end ? http_hex_digit((unsigned char)at[0]) : -1;
            int low = at + 1 < end ? http_hex_digit((unsigned char)at[1]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return 400;
            decoded = high * 16 + low;
            hidden = decoded == '/';
            at += 2;
        }
        if (hidden || (last == '/' && (decoded == '.' || decoded == '/')))
            return 404;
        if (length + sizeof index_name >= room)
            return 414;
        last = path[length++] = (char)decoded;
    }
    if (room < sizeof index_name)
        return 414;
    if (last == '/') {
        memcpy(path + length, index_name, sizeof index_name);
        return HTTP_GOOD;
    }
    path[length] = '\0';
    return HTTP_GOOD;
}

#endif
