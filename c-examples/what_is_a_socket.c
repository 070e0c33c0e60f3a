/* what_is_a_socket: what a socket is, shown with one connection.
 *
 * A socket is the end point of communication between two processes. Three
 * things define it: a protocol, an IP address and a port. This program makes
 * both ends of one TCP connection and prints the three, seen from each end.
 */
#include <sk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_MS = 5000 }; /* no call below waits longer than this */

/* Ends the program with a clear message where a call failed. */
static int64_t check(const char *call, int64_t result) {
    if (result < 0) {
        fprintf(stderr, "%s failed: %s\n", call, sk_strerror(result));
        exit(EXIT_FAILURE);
    }
    return result;
}

static const char *protocol_name(sk_handle s) {
    int64_t protocol;
    check("sk_get_option", sk_get_option(s, SK_OPT_PROTOCOL, &protocol));
    return protocol == SK_PROTO_TCP ? "TCP" : "unknown";
}

/* One row of the table: what this end knows of the connection. */
static void print_end(const char *name, sk_handle s) {
    sk_addr own, other;
    char own_text[SK_ADDR_STRLEN], other_text[SK_ADDR_STRLEN];
    check("sk_local_addr", sk_local_addr(s, &own));
    check("sk_peer_addr", sk_peer_addr(s, &other));
    check("sk_addr_format", sk_addr_format(&own, own_text, sizeof own_text));
    check("sk_addr_format", sk_addr_format(&other, other_text, sizeof other_text));
    printf("   %-16s%-10s%-23s%s\n", name, protocol_name(s), own_text, other_text);
}

/* Each end's own address must be what the other end calls its peer. */
static int ends_mirror_each_other(sk_handle a, sk_handle b) {
    sk_addr a_own, a_other, b_own, b_other;
    check("sk_local_addr", sk_local_addr(a, &a_own));
    check("sk_peer_addr", sk_peer_addr(a, &a_other));
    check("sk_local_addr", sk_local_addr(b, &b_own));
    check("sk_peer_addr", sk_peer_addr(b, &b_other));
    return sk_addr_equal(&a_own, &b_other) && sk_addr_equal(&b_own, &a_other);
}

/* What is written into one end comes out of the other. */
static int carries(sk_handle from, sk_handle to, const char *words) {
    char heard[32];
    size_t length = strlen(words);
    check("sk_send_all", sk_send_all(from, words, length, NULL));
    check("sk_recv_all", sk_recv_all(to, heard, length, &length));
    return memcmp(heard, words, length) == 0;
}

static int show(void) {
    sk_handle listener, client, server;
    sk_addr address;
    char text[SK_ADDR_STRLEN];
    int mirrored, carried;

    puts("A socket is the end point of communication between two processes.");
    puts("A protocol, an IP address and a port define it.\n");

    puts("1. A socket that waits for connections: make it, give it an address, listen.");
    listener = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_DEFAULT));
    check("sk_set_timeout", sk_set_timeout(listener, LIMIT_MS));
    check("sk_bind", sk_bind(listener, "127.0.0.1", 0)); /* port 0: any free one */
    check("sk_listen", sk_listen(listener, 1));
    check("sk_local_addr", sk_local_addr(listener, &address));
    check("sk_addr_format", sk_addr_format(&address, text, sizeof text));
    printf("   It listens at %s; the system chose port %d.\n\n", text, address.port);

    puts("2. A second socket connects to that address; the first accepts it,");
    puts("   which makes a third: the other end point of this one connection.");
    client = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_DEFAULT));
    check("sk_set_timeout", sk_set_timeout(client, LIMIT_MS));
    check("sk_connect", sk_connect_addr(client, &address));
    server = check("sk_accept", sk_accept(listener, NULL));
    check("sk_set_timeout", sk_set_timeout(server, LIMIT_MS));
    printf("   %d sockets are open in this program.\n\n", (int)sk_open_count());

    puts("3. The one connection, seen from both ends:\n");
    puts("   end             protocol  own address            the other end");
    print_end("client", client);
    print_end("server", server);

    mirrored = ends_mirror_each_other(client, server);
    carried = carries(client, server, "Hello, server!") && carries(server, client, "Hello, client!");
    printf("\n   Each end's own address is the other's peer: %s.\n", mirrored ? "yes" : "NO");
    printf("   What one end sends, the other receives: %s.\n\n", carried ? "yes" : "NO");

    check("sk_close", sk_close(client));
    check("sk_close", sk_close(server));
    check("sk_close", sk_close(listener));
    printf("4. All closed: %d sockets are open.\n", (int)sk_open_count());
    return mirrored && carried && sk_open_count() == 0;
}

/* Whether all that was printed could be written. */
static int is_said(void) {
    return fflush(stdout) == 0 && !ferror(stdout);
}

int main(int argc, char **argv) {
    int self_test = argc == 2 && strcmp(argv[1], "--self-test") == 0;
    int good;

    if (argc > 1 && !self_test) {
        int help = strcmp(argv[1], "--help") == 0;
        fputs("usage: what_is_a_socket [--self-test]\n"
              "Makes both ends of a TCP connection and shows what defines a socket:\n"
              "protocol, IP address and port.\n",
              help ? stdout : stderr);
        return help && is_said() ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    good = show();
    if (self_test)
        puts(good ? "self-test: passed" : "self-test: FAILED");
    return good && is_said() ? EXIT_SUCCESS : EXIT_FAILURE;
}
