/* Netscape Portable Runtime: blocking calls on sockets that wait with poll. */
#include "contender.h"

#include <nspr.h>

const struct contender contender = {.style = "blocking calls; PR_Poll for many", .version = PR_GetVersion};

static void good(int fine, const char *what) {
    if (!fine) {
        fprintf(stderr, "%s: NSPR error %d\n", what, (int)PR_GetError());
        exit(EXIT_FAILURE);
    }
}

static PRNetAddr loopback(uint16_t port) {
    PRNetAddr address;
    PR_InitializeNetAddr(PR_IpAddrLoopback, port, &address);
    return address;
}

static uint16_t bind_socket(PRFileDesc *s) {
    PRNetAddr address = loopback(0);
    good(PR_Bind(s, &address) == PR_SUCCESS, "PR_Bind");
    good(PR_GetSockName(s, &address) == PR_SUCCESS, "PR_GetSockName");
    return PR_ntohs(PR_NetAddrInetPort(&address));
}

static void set(PRFileDesc *s, PRSockOption option) {
    PRSocketOptionData data = {.option = option};
    if (option == PR_SockOpt_NoDelay)
        data.value.no_delay = PR_TRUE;
    else if (option == PR_SockOpt_Reuseaddr)
        data.value.reuse_addr = PR_TRUE;
    else
        data.value.recv_buffer_size = RECEIVE_BUFFER;
    good(PR_SetSocketOption(s, &data) == PR_SUCCESS, "PR_SetSocketOption");
}

/* --- TCP --------------------------------------------------------------------------------------- */

static end tcp_listen(uint16_t *port) {
    PRFileDesc *s = PR_OpenTCPSocket(PR_AF_INET);
    good(s != NULL, "PR_OpenTCPSocket");
    set(s, PR_SockOpt_Reuseaddr);
    *port = bind_socket(s);
    good(PR_Listen(s, 4096) == PR_SUCCESS, "PR_Listen");
    return end_of(s);
}

static end tcp_connect(uint16_t port) {
    PRNetAddr address = loopback(port);
    PRFileDesc *s = PR_OpenTCPSocket(PR_AF_INET);
    good(s != NULL, "PR_OpenTCPSocket");
    set(s, PR_SockOpt_NoDelay);
    good(PR_Connect(s, &address, PR_INTERVAL_NO_TIMEOUT) == PR_SUCCESS, "PR_Connect");
    return end_of(s);
}

static end tcp_accept(end listener) {
    PRNetAddr peer;
    PRFileDesc *s = PR_Accept(object(listener), &peer, PR_INTERVAL_NO_TIMEOUT);
    good(s != NULL, "PR_Accept");
    set(s, PR_SockOpt_NoDelay);
    return end_of(s);
}

/* Sends all of it by itself. */
static void tcp_send(end e, const char *data, size_t len) {
    good(PR_Send(object(e), data, (PRInt32)len, 0, PR_INTERVAL_NO_TIMEOUT) == (PRInt32)len, "PR_Send");
}

static void tcp_send_parts(end e, const char *data, size_t len) {
    PRIOVec parts[PR_MAX_IOVECTOR_SIZE];
    for (size_t i = 0; i < PARTS; i += PR_MAX_IOVECTOR_SIZE) {
        for (size_t j = 0; j < PR_MAX_IOVECTOR_SIZE; j++)
            parts[j] = (PRIOVec){.iov_base = (char *)data + (i + j) * len, .iov_len = (int)len};
        PRInt32 sent = PR_Writev(object(e), parts, PR_MAX_IOVECTOR_SIZE, PR_INTERVAL_NO_TIMEOUT);
        good(sent == (PRInt32)(PR_MAX_IOVECTOR_SIZE * len), "PR_Writev");
    }
}

static size_t tcp_recv(end e, char *data, size_t room) {
    PRInt32 got = PR_Recv(object(e), data, (PRInt32)room, 0, PR_INTERVAL_NO_TIMEOUT);
    good(got >= 0, "PR_Recv");
    return (size_t)got;
}

static void tcp_send_file(end e, const char *path, size_t len) {
    PRSendFileData what = {.fd = PR_Open(path, PR_RDONLY, 0), .file_nbytes = len};
    good(what.fd != NULL, path);
    PRInt32 sent = PR_SendFile(object(e), &what, PR_TRANSMITFILE_KEEP_OPEN, PR_INTERVAL_NO_TIMEOUT);
    good(sent == (PRInt32)len, "PR_SendFile");
    PR_Close(what.fd);
}

static void tcp_close(end e) { good(PR_Close(object(e)) == PR_SUCCESS, "PR_Close"); }

const struct tcp tcp = {
    .without = "no MSG_MORE",
    .listen = tcp_listen,
    .connect = tcp_connect,
    .accept = tcp_accept,
    .send = tcp_send,
    .send_parts = tcp_send_parts,
    .recv = tcp_recv,
    .send_file = tcp_send_file,
    .close = tcp_close,
};

/* --- UDP --------------------------------------------------------------------------------------- */

static const struct datagrams *plan;
static PRFileDesc *sender, *receiver;
static PRNetAddr target;

static void udp_open(const struct datagrams *d) {
    plan = d;
    receiver = PR_OpenUDPSocket(PR_AF_INET);
    sender = PR_OpenUDPSocket(PR_AF_INET);
    good(receiver != NULL && sender != NULL, "PR_OpenUDPSocket");
    set(receiver, PR_SockOpt_RecvBufferSize);
    target = loopback(bind_socket(receiver));
}

static long udp_send(long first) {
    const char *data = plan->space + first * MESSAGE_ROOM;
    PRInt32 sent = PR_SendTo(sender, data, (PRInt32)plan->len, 0, &target, PR_INTERVAL_NO_TIMEOUT);
    good(sent == (PRInt32)plan->len, "PR_SendTo");
    return 1;
}

static long udp_recv(long first, size_t *bytes) {
    PRNetAddr from;
    PRInt32 got = PR_RecvFrom(receiver, plan->room + first * MESSAGE_ROOM, MESSAGE_ROOM, 0, &from, PR_INTERVAL_NO_TIMEOUT);
    good(got >= 0, "PR_RecvFrom");
    *bytes += (size_t)got;
    return 1;
}

const struct udp udp = {.without = "one datagram a call, no segmentation", .singles = 1, .open = udp_open, .send = udp_send, .recv = udp_recv};

/* --- Many: the list of all is looked through after each wait ---------------------------------------- */

static void serve(long left, void (*ready)(uint16_t port)) {
    static char data[4096];
    uint16_t port;
    PRPollDesc *items = new_zeroed((size_t)left * sizeof *items);
    end listener = tcp_listen(&port);
    long count = left;
    ready(port);
    for (long i = 0; i < count; i++)
        items[i] = (PRPollDesc){.fd = object(tcp_accept(listener)), .in_flags = PR_POLL_READ};
    while (left > 0) {
        PRInt32 some = PR_Poll(items, (PRIntn)count, PR_INTERVAL_NO_TIMEOUT);
        good(some > 0, "PR_Poll");
        for (long i = 0; i < count && some > 0; i++) {
            /* One that has gone is skipped: its descriptor is NULL. */
            if (items[i].fd == NULL || items[i].out_flags == 0)
                continue;
            some--;
            size_t got = tcp_recv(end_of(items[i].fd), data, sizeof data);
            if (got > 0) {
                tcp_send(end_of(items[i].fd), data, got);
            } else {
                tcp_close(end_of(items[i].fd));
                items[i].fd = NULL;
                left--;
            }
        }
    }
    free(items);
}

const struct many many = {.serve = serve};
