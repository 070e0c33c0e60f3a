/* multicast: one to many. A datagram to a broadcast address goes to everybody on a network, one to
 * a multicast address to those who joined that group. It is sent once, however many receive it:
 * the network makes the copies. Only datagrams can do this, for a stream has two ends. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"
#include <unistd.h>

static const char usage[] =
    "usage: multicast receive [OPTION]... ADDRESS:PORT\n"
    "       multicast send [OPTION]... ADDRESS:PORT MESSAGE...\n"
    "       multicast --self-test\n"
    "ADDRESS is a group, such as 239.255.1.1 or [ff15::1], or a broadcast address, such as\n"
    "255.255.255.255. Any number of receivers on one machine hear the same port.\n"
    "  --interface NAME  where the group is (the system's choice)\n"
    "  --count N         receive: end after N datagrams (0: only Ctrl-C ends it)\n"
    "  --ttl N           send: how many networks far (1: not beyond this one)\n";

enum { LARGEST = 65536, TEST_LIMIT_MS = 5000 }; /* no datagram is larger, so none is cut */

static volatile sk_handle mine; /* the signal handler closes it */

/* Ctrl-C: closing a socket wakes the call that waits on it. */
static void on_ctrl_c(int signal_number) {
    int saved = errno;
    (void)signal_number;
    stopping = 1;
    sk_close(mine);
    errno = saved;
}

/* Whether it is in 224.0.0.0/4 or ff00::/8. */
static int is_group(const sk_addr *address) {
    return address->family == SK_INET ? address->ip[0] >> 4 == 14 : address->ip[0] == 255;
}

/* A receiver binds to the port that the sender names, and to the group itself: then nothing else
 * that comes to the port gets in. */
static sk_handle open_receiver(const sk_addr *address, const char *interface_name) {
    sk_addr own = *address;
    char text[SK_ADDR_STRLEN];
    sk_handle s = check("sk_socket", sk_socket(address->family, SK_DGRAM, SK_PROTO_UDP));
    /* The switch lets several sockets have one port; each gets a copy of what is sent to many. */
    if (s > 0 && check("sk_set_option", sk_set_option(s, SK_OPT_REUSE_ADDR, 1)) == SK_OK &&
        check("sk_bind_addr", sk_bind_addr(s, address)) == SK_OK &&
        (!is_group(address) ||
         check("sk_join_group", sk_join_group(s, address, NULL, interface_name)) == SK_OK) &&
        check("sk_local_addr", sk_local_addr(s, &own)) == SK_OK &&
        check("sk_addr_format", sk_addr_format(&own, text, sizeof text)) > 0) {
        printf("%s: %s\n", is_group(address) ? "join" : "bind", text);
        return s;
    }
    sk_close(s);
    return SK_INVALID_HANDLE;
}

/* A sender needs no membership. It says where a group is to be reached, or that it means everybody. */
static sk_handle open_sender(const sk_addr *address, const char *interface_name, long ttl) {
    sk_handle s = check("sk_socket", sk_socket(address->family, SK_DGRAM, SK_PROTO_UDP));
    int64_t index = 0;
    int good = s > 0 && (interface_name == NULL || interface_index(interface_name, &index));
    if (is_group(address))
        good = good && check("sk_set_option", sk_set_option(s, SK_OPT_MULTICAST_TTL, ttl)) == SK_OK &&
               (index == 0 ||
                check("sk_set_option", sk_set_option(s, SK_OPT_MULTICAST_INTERFACE, index)) == SK_OK);
    else
        good = good && check("sk_set_option", sk_set_option(s, SK_OPT_BROADCAST, 1)) == SK_OK;
    if (good)
        return s;
    sk_close(s);
    return SK_INVALID_HANDLE;
}

/* Prints what comes, and from whom. */
static int receive(long count) {
    static char data[LARGEST];
    long n;
    for (n = 0; count == 0 || n < count; n++) {
        char text[SK_ADDR_STRLEN];
        unsigned char before = 0;
        sk_addr from;
        int64_t got = check("sk_recv_from", sk_recv_from(mine, data, sizeof data, 0, &from));
        if (got < 0 || check("sk_addr_format", sk_addr_format(&from, text, sizeof text)) < 0)
            return 0;
        printf("%s: ", text);
        print_safely(data, (size_t)got, &before);
        putchar('\n');
    }
    return 1;
}

static int send_to_all(sk_handle s, const sk_addr *address, const char *message) {
    size_t length = strlen(message);
    if (check("sk_send_to", sk_send_to(s, message, length, 0, address)) != (int64_t)length)
        return 0;
    printf("sent: %s\n", message);
    return 1;
}

/* Three receivers on this machine, one sender: each receives all. */
static int everyone_hears(const char *address_text, const char *interface_name) {
    static const char *const messages[] = {"one", "two", "three"};
    sk_handle receivers[3] = {0, 0, 0}, sender;
    sk_addr address;
    int r, m, good = check("sk_addr_parse", sk_addr_parse(address_text, &address)) == SK_OK;
    if (good && is_group(&address)) /* not that of another run of this test */
        put16(address.ip + 2, (uint16_t)getpid());
    for (r = 0; r < 3 && good; r++) /* the first takes any free port, the others the same */
        good = (receivers[r] = open_receiver(&address, interface_name)) > 0 &&
               check("sk_local_addr", sk_local_addr(receivers[r], &address)) == SK_OK &&
               check("sk_set_timeout", sk_set_timeout(receivers[r], TEST_LIMIT_MS)) == SK_OK;
    sender = good ? open_sender(&address, interface_name, 1) : SK_INVALID_HANDLE;
    for (m = 0; m < 3 && good; m++)
        good = sender > 0 && send_to_all(sender, &address, messages[m]);
    for (r = 0; r < 3 && good; r++) {
        printf("receiver %d:", r + 1);
        for (m = 0; m < 3 && good; m++) {
            char data[8];
            int64_t got = check("sk_recv", sk_recv(receivers[r], data, sizeof data, 0));
            good = got == (int64_t)strlen(messages[m]) && memcmp(data, messages[m], (size_t)got) == 0;
            printf(" %.*s", got < 0 ? 0 : (int)got, data);
        }
        putchar('\n');
    }
    /* A close leaves the group as well; this is for a socket that goes on. */
    if (good && is_group(&address))
        good = check("sk_leave_group", sk_leave_group(receivers[0], &address, NULL, interface_name)) == SK_OK;
    for (r = 0; r < 3; r++)
        sk_close(receivers[r]);
    sk_close(sender);
    return good;
}

static int self_test(void) {
    sk_addr everybody;
    sk_handle s = check("sk_socket", sk_socket(SK_INET, SK_DGRAM, SK_PROTO_UDP));
    int64_t refused;
    int good = s > 0 && sk_addr_parse("127.255.255.255:9", &everybody) == SK_OK;

    puts("-- broadcast: only who says that he means it may disturb everybody");
    refused = sk_send_to(s, "one", 3, 0, &everybody);
    printf("without the option: %s\n", sk_error_name(refused));
    sk_close(s);
    good = good && refused == SK_EACCES && everyone_hears("127.255.255.255", NULL);

    puts("-- multicast: to those who joined the group");
    return good && everyone_hears("239.255.1.1", "lo");
}

int main(int argc, char **argv) {
    const char *interface_name = NULL;
    sk_addr address;
    long count = 0, ttl = 1;
    int status, i = 2, good = argc > 1, sends = argc > 1 && strcmp(argv[1], "send") == 0;
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    good = good && (sends || strcmp(argv[1], "receive") == 0);
    for (; good && i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--interface") == 0)
            interface_name = argv[i + 1];
        else
            good = sends ? option(argv + i, "--ttl", 0, 255, &ttl)
                         : option(argv + i, "--count", 0, 1000000000, &count);
    }
    if (!good || i >= argc || sk_addr_parse(argv[i], &address) != SK_OK || address.family == SK_UNIX ||
        (sends ? address.port == 0 || i + 1 == argc : i + 1 != argc)) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    good = signal(SIGINT, on_ctrl_c) != SIG_ERR;
    mine = sends ? open_sender(&address, interface_name, ttl) : open_receiver(&address, interface_name);
    good = good && mine > 0 && !stopping;
    for (i++; good && sends && i < argc; i++)
        good = send_to_all(mine, &address, argv[i]);
    if (good && !sends)
        good = receive(count);
    sk_close(mine);
    return finish(good || stopping);
}
