/* http_response: reads an HTTP/1.1 response from a stream: status line, fields, and the body in
 * each of the three ways in which its end is told. For clients: http_client.c and http_vs_socket.c.
 *
 * HTTP is text on top of a stream, and a stream knows no messages. So the end of a body must be
 * told: by a length, by chunks that each begin with their length, or by the end of the connection.
 *
 * Include common.h first. */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "http_request.h"

enum { HTTP_RESPONSE_LINE_MAX = 8192, HTTP_RESPONSE_HEAD_MAX = 65536 };

/* A stream that is read line by line, and a time by which all must have come. */
struct http_stream {
    sk_handle s;
    int64_t until; /* microseconds, on clock_us(); NEVER: no limit */
    char data[8192];
    size_t at, end;
    int64_t received; /* bytes in all */
};

struct http_response {
    int status, minor;
    int keep_alive; /* the server keeps the connection, and the body's end is told */
    int chunked;
    int64_t length; /* of the body; -1: not told */
    int64_t rest;   /* of the body, or of the chunk that is being read */
    int chunks_begun;
};

/* Makes sure that a byte is there. SK_OK, SK_EEOF at the end of the stream, or another failure. */
static inline int64_t http_fill(struct http_stream *in) {
    int64_t n;
    if (in->at < in->end)
        return SK_OK;
    n = ms_until(in->until);
    if (n == 0)
        return SK_ETIMEDOUT;
    n = sk_set_timeout(in->s, n);
    if (n == SK_OK)
        n = sk_recv(in->s, in->data, sizeof in->data, 0);
    if (n <= 0)
        return n == 0 ? (int64_t)SK_EEOF : n;
    in->received += n;
    in->at = 0;
    in->end = (size_t)n;
    return SK_OK;
}

/* Reads a line without its CR LF. SK_EMSGSIZE where it is too long, SK_EOTHER where it holds what
 * no line of HTTP does. */
static inline int64_t http_read_line(struct http_stream *in, char *line, size_t room) {
    size_t length = 0;
    for (;;) {
        int64_t result = http_fill(in);
        char c;
        if (result != SK_OK)
            return result;
        c = in->data[in->at++];
        if (c == '\n')
            break;
        if (c == '\0' || (length > 0 && line[length - 1] == '\r'))
            return SK_EOTHER;
        if (length + 1 >= room)
            return SK_EMSGSIZE;
        line[length++] = c;
    }
    if (length > 0 && line[length - 1] == '\r')
        length--;
    line[length] = '\0';
    return SK_OK;
}

/* A number that fills the text. -1 where it is none, or too large. */
static inline int64_t http_number(const char *text, int base) {
    int64_t value = 0;
    if (*text == '\0')
        return -1;
    for (; *text != '\0'; text++) {
        int digit = http_hex_digit((unsigned char)*text);
        if (digit < 0 || digit >= base || value > (INT64_MAX - digit) / base)
            return -1;
        value = value * base + digit;
    }
    return value;
}

static inline int64_t http_response_field(struct http_response *r, struct http_request *told, char *line) {
    size_t name = http_span(http_is_token, line, strlen(line)), length;
    char *value = line + name + 1;
    if (name == 0 || line[name] != ':')
        return SK_EOTHER;
    value += strspn(value, " \t");
    for (length = strlen(value); length > 0 && strchr(" \t", value[length - 1]) != NULL; length--)
        value[length - 1] = '\0';
    if (http_same(line, name, "content-length")) {
        int64_t number = http_number(value, 10);
        if (number < 0 || (r->length >= 0 && r->length != number))
            return SK_EOTHER;
        r->length = number;
    } else if (http_same(line, name, "transfer-encoding")) {
        if (r->chunked || !http_same(value, length, "chunked"))
            return SK_EOPNOTSUPP;
        r->chunked = 1;
    } else if (http_same(line, name, "connection") && http_connection(told, value, length) != HTTP_MORE) {
        return SK_EOTHER;
    }
    return SK_OK;
}

/* Reads the head of the response to a GET; those that only say "go on" (1xx) are passed over.
 * Shows it on `show` where that is not NULL. SK_EOTHER: that is not HTTP. */
static inline int64_t http_read_head(struct http_stream *in, struct http_response *r, FILE *show) {
    char line[HTTP_RESPONSE_LINE_MAX];
    size_t total = 0;
    do {
        struct http_request told; /* only for what the Connection field says */
        int64_t result = http_read_line(in, line, sizeof line);
        memset(&told, 0, sizeof told);
        memset(r, 0, sizeof *r);
        r->length = -1;
        if (result != SK_OK)
            return result;
        if (strncmp(line, "HTTP/1.", 7) != 0 || strspn(line + 7, "0123456789") != 1 || line[8] != ' ' ||
            strspn(line + 9, "0123456789") != 3 || (line[12] != ' ' && line[12] != '\0'))
            return SK_EOTHER;
        r->minor = line[7] - '0';
        line[8] = line[12] = '\0';
        r->status = (int)http_number(line + 9, 10);
        if (show != NULL)
            fprintf(show, "%s %d %s\n", line, r->status, line + 13);
        while ((result = http_read_line(in, line, sizeof line)) == SK_OK && line[0] != '\0') {
            if (show != NULL)
                fprintf(show, "%s\n", line);
            total += strlen(line);
            if (total > HTTP_RESPONSE_HEAD_MAX)
                return SK_EMSGSIZE;
            result = http_response_field(r, &told, line);
            if (result != SK_OK)
                return result;
        }
        if (result != SK_OK)
            return result;
        if (show != NULL)
            fputs("\n", show);
        if (r->chunked && r->length >= 0)
            return SK_EOTHER; /* two ends are told: somebody is being cheated */
        if (r->status == 204 || r->status == 304)
            r->length = 0;
        r->rest = r->chunked ? 0 : r->length;
        r->keep_alive =
            (r->chunked || r->length >= 0) && !told.said_close && (r->minor > 0 || told.said_keep);
    } while (r->status >= 100 && r->status < 200 && r->status != 101);
    return SK_OK;
}

/* Reads a chunk's size line; after the last chunk, the trailer. */
static inline int64_t http_next_chunk(struct http_stream *in, struct http_response *r) {
    char line[HTTP_RESPONSE_LINE_MAX];
    int64_t result = SK_OK;
    if (r->chunks_begun) { /* each chunk's data ends with a CR LF of its own */
        result = http_read_line(in, line, sizeof line);
        if (result == SK_OK && line[0] != '\0')
            return SK_EOTHER;
    }
    r->chunks_begun = 1;
    if (result == SK_OK)
        result = http_read_line(in, line, sizeof line);
    if (result != SK_OK)
        return result;
    line[strcspn(line, "; \t")] = '\0'; /* an extension says nothing to us */
    r->rest = http_number(line, 16);
    if (r->rest < 0)
        return SK_EOTHER;
    if (r->rest > 0)
        return SK_OK;
    r->chunked = 0;
    r->length = 0;
    do
        result = http_read_line(in, line, sizeof line);
    while (result == SK_OK && line[0] != '\0');
    return result;
}

/* Gives the next piece of the body where it lies: how many bytes, 0 at its end, or a failure;
 * SK_EEOF where the server ended the connection before its time. */
static inline int64_t http_read_body(struct http_stream *in, struct http_response *r, const char **piece) {
    int64_t result, n;
    *piece = in->data;
    if (r->chunked && r->rest == 0 && (result = http_next_chunk(in, r)) != SK_OK)
        return result;
    if (r->rest == 0)
        return 0;
    result = http_fill(in);
    if (result == SK_EEOF && r->rest < 0)
        return 0; /* the end of the connection is the end of the body */
    if (result != SK_OK)
        return result;
    n = (int64_t)(in->end - in->at);
    if (r->rest >= 0 && n > r->rest)
        n = r->rest;
    *piece = in->data + in->at;
    in->at += (size_t)n;
    if (r->rest > 0)
        r->rest -= n;
    return n;
}

#endif
