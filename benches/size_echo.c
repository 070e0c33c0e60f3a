/* An echo server for one client, as small as it gets, to be weighed: on libsk and, with RAW
 * defined, on the C library alone. It prints its port and serves. */
#define _GNU_SOURCE
#include "sock.h"

#include <stdio.h>
#include <stdlib.h>

int main(void) {
    static char data[4096];
    uint16_t port = 0;
    ssize_t received;
    sock s, listener = sock_listen(&port);
    if (listener < 0) {
        perror("listen");
        return EXIT_FAILURE;
    }
    printf("%d\n", port);
    fflush(stdout);
    s = sock_accept(listener);
    if (s < 0) {
        perror("accept");
        return EXIT_FAILURE;
    }
    while ((received = sock_recv(s, data, sizeof data)) > 0)
        if (sock_send_all(s, data, (size_t)received) < 0)
            break;
    if (received != 0)
        perror("echo");
    sock_close(s);
    sock_close(listener);
    return received == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
