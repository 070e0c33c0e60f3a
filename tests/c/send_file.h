/* Files whose bytes tell their place, and the two ends of sending one. */
#ifndef SEND_FILE_H
#define SEND_FILE_H
#include "check.h"
#include <sys/mman.h>

static inline unsigned char byte_at(int64_t place)
{
    return (unsigned char)((uint64_t)place * 167 + ((uint64_t)place >> 8) * 31 + ((uint64_t)place >> 20));
}
static inline void check_bytes(const void *data, int64_t offset, size_t len)
{
    const unsigned char *b = data;
    for (size_t i = 0; i < len; i++) {
        if (b[i] != byte_at(offset + (int64_t)i)) FAIL("the byte %zu after %lld is another", i, (long long)offset);
    }
}
static inline void write_bytes(int file, int64_t offset, size_t len)
{
    unsigned char *b = malloc(len + 1);
    CHECK(b != NULL);
    for (size_t i = 0; i < len; i++) b[i] = byte_at(offset + (int64_t)i);
    CHECK_EQ(pwrite(file, b, len, offset), len);
    free(b);
}

/* A new file without a name. */
static inline int file_of(size_t len)
{
    int file = memfd_create("file", MFD_CLOEXEC);
    CHECK_GE(file, 0);
    write_bytes(file, 0, len);
    return file;
}

/* Every kind of stream. */
enum { STREAMS = 3 };
static inline void stream_pair(int which, sk_handle out[2])
{
    static const int kinds[] = {PAIR_TCP4, PAIR_UNIX_STREAM, PAIR_TCP6};
    if (kinds[which] == PAIR_TCP6) need_ipv6();
    any_pair(kinds[which], out);
}
/* One whose system queues little, from the first to the second. */
static inline void narrow_pair(int which, sk_handle out[2])
{
    stream_pair(which, out);
    CHECK_OK(sk_set_option(out[0], SK_OPT_SEND_BUFFER, 32768));
    CHECK_OK(sk_set_option(out[1], SK_OPT_RECV_BUFFER, 32768));
}
enum { LENGTH = 2 << 20 }; /* far more than such a pair queues */

/* Receives what was sent from `offset` on, to the end or `most` bytes, and checks it. */
struct sink {
    sk_handle s;
    int64_t offset, most;
    int slow;
    int64_t received;
};
static inline void drain(void *argument)
{
    struct sink *sink = argument;
    char b[65536];
    while (sink->most == 0 || sink->received < sink->most) {
        size_t room = sink->slow ? (size_t)(1 + sink->received % 20011) : sizeof b;
        if (sink->slow && sink->received % 5 == 0) sched_yield();
        int64_t n = sk_recv(sink->s, b, room, 0);
        CHECK_GE(n, 0);
        if (n == 0) return;
        check_bytes(b, sink->offset + sink->received, (size_t)n);
        sink->received += n;
    }
}

struct sender {
    sk_handle s;
    int file;
    int64_t offset, count, result;
    int error;
};
static inline void send_it(void *argument)
{
    struct sender *x = argument;
    errno = ERRNO_UNTOUCHED;
    x->result = sk_send_file(x->s, x->file, x->offset, x->count);
    x->error = errno;
}

#endif
