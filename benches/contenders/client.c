/* A small client, to be weighed: it sends a line, and prints what comes back. */
#include "contender.h"

int main(int argc, char **argv) {
    static char data[ROOM];
    if (argc != 2)
        return 2;
    end e = tcp.connect((uint16_t)strtoul(argv[1], NULL, 10));
    tcp.send(e, "hello\n", 6);
    size_t len = tcp.recv(e, data, ROOM);
    tcp.close(e);
    printf("%.*s", (int)len, data);
    return 0;
}
