/* The system calls themselves, through the C library: what all others are measured by. */
#ifndef RAW
#define RAW
#endif
#include "../sock.h"
#include "contender.h"

#include <fcntl.h>
#include <gnu/libc-version.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static const char *version(void) {
    static char text[64];
    snprintf(text, sizeof text, "glibc %s", gnu_get_libc_version());
    return text;
}

const struct contender contender = {.style = "blocking calls; epoll for many", .version = version};

/* --- TCP --------------------------------------------------------------------------------------- */

static ssize_t sock_send_more(sock s, const char *data, size_t len) {
    return send(s, data, len, MSG_NOSIGNAL | MSG_MORE);
}
static ssize_t sock_send_parts(sock s, const char *data, size_t len) {
    struct iovec parts[PARTS];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = PARTS};
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = (struct iovec){.iov_base = (char *)data + i * len, .iov_len = len};
    return sendmsg(s, &message, MSG_NOSIGNAL);
}
static ssize_t sock_send_file(sock s, int file, size_t from, size_t len) {
    off_t offset = (off_t)from;
    return sendfile(s, file, &offset, len);
}

typedef int poller;
typedef struct epoll_event ready;
static poller make_poller(void) { return epoll_create1(EPOLL_CLOEXEC); }
static sock of(const ready *event) { return event->data.fd; }
static int64_t wait_for(poller p, ready *events, int room) { return epoll_wait(p, events, room, -1); }
static int add(poller p, sock s) {
    ready event = {.events = EPOLLIN, .data = {.fd = s}};
    return epoll_ctl(p, EPOLL_CTL_ADD, s, &event);
}

#include "sock_tcp.h"

/* --- UDP --------------------------------------------------------------------------------------- */

static const struct datagrams *plan;
static int sender, receiver;
static struct sockaddr_in target, senders[MOST_MESSAGES];
static struct mmsghdr out[MOST_MESSAGES], in[MOST_MESSAGES];
static struct iovec outs[MOST_MESSAGES], ins[MOST_MESSAGES];
/* As long as is usual, and aligned as control data must be. */
static struct {
    size_t words[8];
} out_control, in_control[MOST_MESSAGES];

static void open_receiver(void) {
    int on = 1, buffer = RECEIVE_BUFFER;
    socklen_t len = sizeof target;
    receiver = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    target = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    check(setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) == 0, "SO_RCVBUF");
    check(plan->segment == 0 || setsockopt(receiver, SOL_UDP, UDP_GRO, &on, sizeof on) == 0, "UDP_GRO");
    check(bind(receiver, (struct sockaddr *)&target, len) == 0, "bind");
    check(getsockname(receiver, (struct sockaddr *)&target, &len) == 0, "getsockname");
    for (size_t i = 0; i < plan->count; i++) {
        ins[i] = (struct iovec){.iov_base = plan->room + i * MESSAGE_ROOM, .iov_len = MESSAGE_ROOM};
        in[i].msg_hdr = (struct msghdr){.msg_name = &senders[i], .msg_iov = &ins[i], .msg_iovlen = 1};
        in[i].msg_hdr.msg_control = plan->segment > 0 ? &in_control[i] : NULL;
    }
}

static void open_sender(void) {
    struct cmsghdr *c = (struct cmsghdr *)&out_control;
    unsigned short segment = (unsigned short)plan->segment;
    sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check(sender >= 0, "socket");
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(c), &segment, sizeof segment);
    for (size_t i = 0; i < plan->count; i++) {
        outs[i] = (struct iovec){.iov_base = plan->space + i * MESSAGE_ROOM, .iov_len = plan->len};
        out[i].msg_hdr = (struct msghdr){.msg_name = &target, .msg_namelen = sizeof target, .msg_iov = &outs[i], .msg_iovlen = 1};
        if (segment > 0) {
            out[i].msg_hdr.msg_control = &out_control;
            out[i].msg_hdr.msg_controllen = CMSG_SPACE(sizeof segment);
        }
    }
}

static void udp_open(const struct datagrams *d) {
    plan = d;
    open_receiver();
    open_sender();
}

static long udp_send(long first) {
    if (plan->batched)
        return sendmmsg(sender, out + first, (unsigned)(plan->count - (size_t)first), MSG_NOSIGNAL);
    return sendto(sender, outs[first].iov_base, plan->len, MSG_NOSIGNAL, (struct sockaddr *)&target, sizeof target) < 0 ? -1 : 1;
}

static long udp_recv(long first, size_t *bytes) {
    if (!plan->batched) {
        socklen_t len = sizeof senders[0];
        ssize_t got = recvfrom(receiver, ins[first].iov_base, MESSAGE_ROOM, 0, (struct sockaddr *)senders, &len);
        *bytes += got > 0 ? (size_t)got : 0;
        return got < 0 ? -1 : 1;
    }
    for (size_t i = (size_t)first; i < plan->count; i++) {
        in[i].msg_hdr.msg_namelen = sizeof senders[i];
        in[i].msg_hdr.msg_controllen = plan->segment > 0 ? sizeof in_control[i] : 0;
    }
    int n = recvmmsg(receiver, in + first, (unsigned)(plan->count - (size_t)first), MSG_WAITFORONE, NULL);
    for (int i = 0; i < n; i++)
        *bytes += in[first + i].msg_len;
    return n;
}

const struct udp udp = {.singles = 1, .batches = 1, .segments = 1, .open = udp_open, .send = udp_send, .recv = udp_recv};
