/* The echo server of a contender, for the load of load.c. Linked with one of the contenders.
 *
 *   many CONNECTIONS     prints its port; ends when so many connections have
 */
#include "contender.h"

#include <signal.h>

static void ready(uint16_t port) {
    printf("%u\n", (unsigned)port);
    fflush(stdout);
}

int main(int argc, char **argv) {
    long connections = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    if (connections <= 0)
        return 2;
    if (many.serve == NULL || (many.most > 0 && connections > many.most))
        cannot(many.without);
    signal(SIGPIPE, SIG_IGN);
    many.serve(connections, ready);
    return 0;
}
