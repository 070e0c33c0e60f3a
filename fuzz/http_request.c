/* The C side of the target http_request: bytes from a stranger to c-examples/http_request.h. The first
 * byte says where the rest is cut in two, which must make no difference. */
#include "../c-examples/http_request.h"
#include <stdlib.h>

void http_request_fuzz(const uint8_t *data, size_t size);

void http_request_fuzz(const uint8_t *data, size_t size) {
    struct http_request whole = {0}, pieces = {0};
    int status, status_of_pieces;
    char *head, path[256];
    size_t cut;
    if (size < 2)
        return;
    size--;
    cut = data[0] < size ? data[0] : size;
    /* A buffer of exactly that size: a byte read beyond it is found out. */
    head = malloc(size);
    if (head == NULL)
        return;
    memcpy(head, data + 1, size);
    status = http_request_read(&whole, head, size);
    status_of_pieces = http_request_read(&pieces, head, cut);
    if (status_of_pieces == HTTP_MORE)
        status_of_pieces = http_request_read(&pieces, head, size);
    if (status != status_of_pieces || memcmp(&whole, &pieces, sizeof whole) != 0)
        abort();
    if (status == HTTP_GOOD && http_request_path(&whole, head, path, sizeof path) == HTTP_GOOD)
        if (path[0] == '/' || path[0] == '.' || strstr(path, "/.") != NULL || strstr(path, "//") != NULL)
            abort();
    free(head);
}
