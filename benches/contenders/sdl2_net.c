/* SDL2_net: blocking calls, and select for many. It sets TCP_NODELAY itself. It listens on every
 * address of the machine, on a port that must be named: a free one is looked for first. */
#ifndef RAW
#define RAW
#endif
#include "../sock.h"
#include "contender.h"

#define SDL_MAIN_HANDLED
#include <SDL_net.h>

static const char *version(void) {
    static char text[32];
    const SDL_version *v = SDLNet_Linked_Version();
    snprintf(text, sizeof text, "%u.%u.%u", v->major, v->minor, v->patch);
    return text;
}

const struct contender contender = {.style = "blocking calls; select for many", .version = version};

static void good(int fine, const char *what) {
    if (!fine) {
        fprintf(stderr, "%s: %s\n", what, SDLNet_GetError());
        exit(EXIT_FAILURE);
    }
}

static IPaddress loopback(uint16_t port) {
    IPaddress address = {.host = htonl(INADDR_LOOPBACK), .port = htons(port)};
    return address;
}

/* --- TCP --------------------------------------------------------------------------------------- */

static end tcp_listen(uint16_t *port) {
    IPaddress any = {.host = INADDR_ANY};
    TCPsocket s = NULL;
    good(SDLNet_Init() == 0, "SDLNet_Init");
    /* A port that is free on 127.0.0.1 may still be taken on another address. */
    for (int tries = 0; s == NULL && tries < 100; tries++) {
        *port = 0;
        sock free_one = sock_listen(port);
        check(free_one > 0 && sock_close(free_one) == 0, "a free port");
        any.port = htons(*port);
        s = SDLNet_TCP_Open(&any);
    }
    good(s != NULL, "SDLNet_TCP_Open");
    return end_of(s);
}

static end tcp_connect(uint16_t port) {
    IPaddress address = loopback(port);
    TCPsocket s = SDLNet_TCP_Open(&address);
    good(s != NULL, "SDLNet_TCP_Open");
    return end_of(s);
}

/* It does not wait by itself. */
static end tcp_accept(end e) {
    TCPsocket s, listener = object(e);
    if ((s = SDLNet_TCP_Accept(listener)) == NULL) {
        SDLNet_SocketSet set = SDLNet_AllocSocketSet(1);
        SDLNet_TCP_AddSocket(set, listener);
        good(SDLNet_CheckSockets(set, 60000) == 1, "SDLNet_CheckSockets");
        SDLNet_FreeSocketSet(set);
        s = SDLNet_TCP_Accept(listener);
    }
    good(s != NULL, "SDLNet_TCP_Accept");
    return end_of(s);
}

/* Sends all of it by itself. */
static void tcp_send(end e, const char *data, size_t len) {
    good(SDLNet_TCP_Send(object(e), data, (int)len) == (int)len, "SDLNet_TCP_Send");
}

static size_t tcp_recv(end e, char *data, size_t room) {
    int got = SDLNet_TCP_Recv(object(e), data, (int)room);
    good(got >= 0, "SDLNet_TCP_Recv");
    return (size_t)got;
}

/* It knows nothing of files. */
static void tcp_send_file(end e, const char *path, size_t len) {
    static char data[ROOM];
    FILE *file = fopen(path, "rb");
    check(file != NULL, path);
    setvbuf(file, NULL, _IONBF, 0);
    for (size_t sent = 0, now; sent < len; sent += now) {
        now = fread(data, 1, len - sent < sizeof data ? len - sent : sizeof data, file);
        check(now > 0, path);
        tcp_send(e, data, now);
    }
    fclose(file);
}

static void tcp_close(end e) { SDLNet_TCP_Close(object(e)); }

const struct tcp tcp = {
    .without = "no MSG_MORE, one piece a call",
    .listen = tcp_listen,
    .connect = tcp_connect,
    .accept = tcp_accept,
    .send = tcp_send,
    .recv = tcp_recv,
    .send_file = tcp_send_file,
    .close = tcp_close,
};

/* --- UDP: SDLNet_UDP_SendV and RecvV are loops over single calls ------------------------------------- */

static const struct datagrams *plan;
static UDPsocket sender, receiver;
static UDPpacket out, in;

static void udp_open(const struct datagrams *d) {
    plan = d;
    good(SDLNet_Init() == 0, "SDLNet_Init");
    receiver = SDLNet_UDP_Open(0);
    sender = SDLNet_UDP_Open(0);
    good(receiver != NULL && sender != NULL, "SDLNet_UDP_Open");
    out.channel = -1;
    out.address = loopback(ntohs(SDLNet_UDP_GetPeerAddress(receiver, -1)->port));
    out.len = (int)d->len;
    in.maxlen = MESSAGE_ROOM;
}

static long udp_send(long first) {
    out.data = (Uint8 *)plan->space + first * MESSAGE_ROOM;
    good(SDLNet_UDP_Send(sender, -1, &out) == 1, "SDLNet_UDP_Send");
    return 1;
}

static long udp_recv(long first, size_t *bytes) {
    in.data = (Uint8 *)plan->room + first * MESSAGE_ROOM;
    int got;
    while ((got = SDLNet_UDP_Recv(receiver, &in)) == 0)
        ;
    good(got == 1, "SDLNet_UDP_Recv");
    *bytes += (size_t)in.len;
    return 1;
}

const struct udp udp = {.without = "no batches (SendV is a loop), no segmentation", .singles = 1, .open = udp_open, .send = udp_send, .recv = udp_recv};

/* --- Many -------------------------------------------------------------------------------------- */

static void serve(long left, void (*ready)(uint16_t port)) {
    static char data[4096];
    uint16_t port = 0;
    long count = left;
    end listener = tcp_listen(&port);
    TCPsocket *all = new_zeroed((size_t)left * sizeof *all);
    SDLNet_SocketSet set = SDLNet_AllocSocketSet((int)left);
    good(set != NULL, "SDLNet_AllocSocketSet");
    ready(port);
    for (long i = 0; i < count; i++) {
        all[i] = object(tcp_accept(listener));
        good(SDLNet_TCP_AddSocket(set, all[i]) > 0, "SDLNet_TCP_AddSocket");
    }
    while (left > 0) {
        int some = SDLNet_CheckSockets(set, 60000);
        good(some > 0, "SDLNet_CheckSockets");
        for (long i = 0; i < count && some > 0; i++) {
            if (all[i] == NULL || !SDLNet_SocketReady(all[i]))
                continue;
            some--;
            int got = SDLNet_TCP_Recv(all[i], data, sizeof data);
            if (got > 0) {
                tcp_send(end_of(all[i]), data, (size_t)got);
            } else {
                SDLNet_TCP_DelSocket(set, all[i]);
                SDLNet_TCP_Close(all[i]);
                all[i] = NULL;
                left--;
            }
        }
    }
    free(all);
}

const struct many many = {.without = "select: less than 1024 descriptors", .most = 1000, .serve = serve};
