/* http_site: the files of a site, for http_server.c: how one is opened so that nobody gets out
 * of the folder, what a browser is told of its content, and the sentences that go with a status.
 * Needs _POSIX_C_SOURCE 200809L. */
#ifndef HTTP_SITE_H
#define HTTP_SITE_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens "a/b/c" below a folder, one step after the other. A symbolic link is never followed, so
 * whatever is reached lies in the folder. The path is cut into pieces. -1 and errno on failure. */
static inline int site_open_below(int folder, char *path) {
    int at = folder;
    for (;;) {
        char *slash = strchr(path, '/');
        int next, saved;
        if (slash != NULL)
            *slash = '\0';
        /* Not blocking: the open of a pipe would wait for its other end. */
        next = openat(at, path,
                      O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (slash != NULL ? O_DIRECTORY : 0));
        saved = errno;
        if (at != folder)
            close(at);
        errno = saved;
        if (next < 0 || slash == NULL)
            return next;
        at = next;
        path = slash + 1;
    }
}

/* Opens a file of the site for reading. Gives 200, or the status that says why not. */
static inline int site_open(int folder, char *path, int *file, int64_t *length) {
    struct stat about;
    *file = site_open_below(folder, path);
    if (*file < 0)
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? 503
               : errno == EIO || errno == EINTR                      ? 500
                                                                     : 404;
    if (fstat(*file, &about) == 0 && S_ISREG(about.st_mode)) {
        *length = (int64_t)about.st_size;
        return 200;
    }
    close(*file);
    *file = -1;
    return 404;
}

/* What the end of a name says about the content. */
static inline const char *site_type(const char *name) {
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".ico", "image/x-icon"},
        {".wasm", "application/wasm"},
        {".pdf", "application/pdf"},
    };
    const char *end = strrchr(name, '.');
    size_t i;
    for (i = 0; end != NULL && i < sizeof types / sizeof *types; i++)
        if (strcmp(end, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

static inline const char *site_reason(int status) {
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Internal Server Error";
    }
}

#endif
