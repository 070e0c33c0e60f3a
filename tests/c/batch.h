/* For the tests of sk_send_batch and sk_recv_batch: what the library asks the system, and lists. */
#ifndef BATCH_H
#define BATCH_H
#include "check.h"

#include <net/if.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

static const int message_pairs[] = {PAIR_UDP4, PAIR_UDP6, PAIR_UNIX_DGRAM, PAIR_UNIX_SEQPACKET};
enum { MESSAGE_PAIRS = 4 };

/* --- What the library asks the system ------------------------------------------------------- */

static int calls; /* of sendmmsg and recvmmsg */
static int refused; /* messages with a segment size that were refused, with `refuse_with` */
static int refuse_with;
static int old_kernel;

#ifdef __GLIBC__
typedef int mmsg_flags;
#else
typedef unsigned mmsg_flags; /* as musl declares them */
#endif

int sendmmsg(int fd, struct mmsghdr *list, unsigned count, mmsg_flags flags)
{
    __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST); /* threads come here too */
    for (unsigned i = 0; refuse_with != 0 && i < count; i++) {
        struct cmsghdr *c = CMSG_FIRSTHDR(&list[i].msg_hdr);
        if (c == NULL || c->cmsg_level != SOL_UDP) continue;
        if (i > 0) return (int)syscall(SYS_sendmmsg, fd, list, i, flags);
        refused += 1;
        errno = refuse_with;
        return -1;
    }
    return (int)syscall(SYS_sendmmsg, fd, list, count, flags);
}

int recvmmsg(int fd, struct mmsghdr *list, unsigned count, mmsg_flags flags, struct timespec *timeout)
{
    __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST); /* threads come here too */
    return (int)syscall(SYS_recvmmsg, fd, list, count, flags, timeout);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    if (old_kernel && level == SOL_UDP && name == UDP_SEGMENT) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

/* --- Lists ---------------------------------------------------------------------------------- */

enum { MOST = 300, ROOM = 70000 };
static sk_dgram out[MOST], in[MOST];
static char numbers[MOST][8], rooms[MOST][16];

/* Datagrams "0", "1", … of one to three digits. */
static inline void numbered(size_t count)
{
    memset(out, 0, sizeof out);
    for (size_t i = 0; i < count; i++) {
        out[i].data = numbers[i];
        out[i].len = (size_t)snprintf(numbers[i], sizeof numbers[i], "%zu", i);
    }
}
/* Room for small ones. What is only written is full of rubbish. */
static inline void empty_room(void)
{
    memset(in, 0x77, sizeof in);
    for (size_t i = 0; i < MOST; i++) {
        in[i].data = rooms[i];
        in[i].room = sizeof rooms[i];
        in[i].local = NULL;
    }
}
static inline void check_numbered(size_t at, size_t from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[8];
        size_t len = (size_t)snprintf(text, sizeof text, "%zu", from + i);
        if (in[at + i].len != len || memcmp(in[at + i].data, text, len) != 0)
            FAIL("place %zu holds \"%.*s\", wanted \"%s\"", at + i, (int)in[at + i].len, (char *)in[at + i].data, text);
        CHECK_EQ(in[at + i].flags, 0);
        CHECK_EQ(in[at + i].segment, 0);
        CHECK_EQ(in[at + i].room, sizeof rooms[0]);
    }
}

static inline sk_addr local_of(sk_handle s)
{
    sk_addr a;
    CHECK_OK(sk_local_addr(s, &a));
    return a;
}
static inline sk_addr parsed(const char *text, uint16_t port)
{
    sk_addr a;
    CHECK_OK(sk_addr_parse(text, &a));
    a.port = port;
    return a;
}
static inline void check_same(sk_addr a, sk_addr b)
{
    char s[SK_ADDR_STRLEN], t[SK_ADDR_STRLEN];
    CHECK_GT(sk_addr_format(&a, s, sizeof s), 0);
    CHECK_GT(sk_addr_format(&b, t, sizeof t), 0);
    CHECK_TEXT(s, t);
    CHECK_EQ(sk_addr_equal(&a, &b), 1);
}
#endif
