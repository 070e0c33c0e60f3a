/* What the workers do. Each job makes what it needs, checks every answer, and closes all of it. */
#include "soak.h"
#include <fcntl.h>
#include <sys/wait.h>

enum { LIMIT = 2000 };

static void fill(uint8_t *data, size_t len, uint64_t connection, uint64_t at)
{
    for (size_t i = 0; i < len; i++) data[i] = pattern(connection, at + i);
}

static void verify(const uint8_t *data, size_t len, uint64_t connection, uint64_t at)
{
    for (size_t i = 0; i < len; i++)
        if (data[i] != pattern(connection, at + i)) BROKEN("connection %llu: byte %llu is another's", (unsigned long long)connection, (unsigned long long)(at + i));
}

/* --- Streams ----------------------------------------------------------------------------------- */

static int any_stream(struct worker *w)
{
    static const int kinds[] = {TCP4, TCP6, UNIX_STREAM};
    return kinds[dice(w, 3)];
}

/* Sends, and receives at the other end, in all the ways there are. */
static void streams(struct worker *w)
{
    uint8_t out[4000], in[4000];
    uint64_t connection = new_connection(), sent = 0, received = 0;
    sk_handle pair[2];
    if (!make_pair(w, any_stream(w), pair)) return;
    for (uint32_t rounds = dice(w, 50); rounds > 0; rounds--) {
        size_t len = 1 + dice(w, sizeof out);
        sk_buf pieces[2] = {{out, len / 2}, {out + len / 2, len - len / 2}};
        fill(out, len, connection, sent);
        switch (dice(w, 3)) {
        case 0: MUST(CALL(w, LIMIT, sk_send_all(pair[0], out, len, NULL)) == SK_OK); break;
        case 1: MUST(CALL(w, LIMIT, sk_sendv(pair[0], pieces, 2, 0)) == (int64_t)len); break;
        default: MUST(CALL(w, LIMIT, sk_send(pair[0], out, len, dice(w, 32) == 0 ? SK_MORE : 0)) == (int64_t)len); break;
        }
        sent += len;
        while (received < sent) {
            size_t room = (size_t)(sent - received);
            int64_t n;
            if (dice(w, 4) == 0) {
                n = CALL(w, LIMIT, sk_recv_all(pair[1], in, room, NULL)) == SK_OK ? (int64_t)room : -1;
            } else {
                n = CALL(w, LIMIT, sk_recv(pair[1], in, room, 0));
            }
            if (n <= 0) BROKEN("received %lld of %zu", (long long)n, room);
            verify(in, (size_t)n, connection, received);
            received += (uint64_t)n;
        }
        MUST(CALL(w, 0, sk_recv(pair[1], in, 1, SK_DONTWAIT)) == SK_EAGAIN);
    }
    MUST(CALL(w, 0, sk_shutdown(pair[0], SK_SHUT_WRITE)) == SK_OK);
    MUST(CALL(w, LIMIT, sk_recv(pair[1], in, 1, 0)) == 0);
    close_pair(w, pair);
}

/* --- A thread at the other end ------------------------------------------------------------------ */

struct other {
    sk_handle s;
    uint64_t connection;
    size_t len;
    int way;
    int64_t result;
    atomic_int done;
};

static void *send_much(void *argument)
{
    struct other *o = argument;
    uint8_t *data = malloc(o->len);
    size_t sent = 0;
    MUST(data != NULL);
    fill(data, o->len, o->connection, 0);
    if (o->way == 0) {
        o->result = sk_send_all(o->s, data, o->len, &sent);
    } else {
        int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        /* The system's /tmp, or the descriptors, may not be enough for it. */
        if (file < 0 || write(file, data, o->len) != (ssize_t)o->len) {
            o->result = sk_send_all(o->s, data, o->len, &sent);
        } else {
            int64_t n = sk_send_file(o->s, file, 0, (int64_t)o->len);
            o->result = n == (int64_t)o->len ? SK_OK : n;
        }
        if (file >= 0) close(file);
    }
    free(data);
    o->done = 1;
    return NULL;
}

/* More than the system queues, with a sender that has to wait. */
static void bulk(struct worker *w)
{
    uint8_t in[16384];
    struct other o = {0, new_connection(), 1 + dice(w, 600000), (int)dice(w, 2), 0, 0};
    pthread_t thread;
    uint64_t received = 0;
    sk_handle pair[2];
    if (!make_pair(w, any_stream(w), pair)) return;
    o.s = pair[0];
    MUST(pthread_create(&thread, NULL, send_much, &o) == 0);
    while (received < o.len) {
        int64_t n = CALL(w, LIMIT, sk_recv(pair[1], in, sizeof in, 0));
        if (n <= 0) BROKEN("received %s after %llu of %zu", sk_error_name(n), (unsigned long long)received, o.len);
        verify(in, (size_t)n, o.connection, received);
        received += (uint64_t)n;
    }
    MUST(pthread_join(thread, NULL) == 0);
    if (o.result != SK_OK) BROKEN("the sender: %s", sk_error_name(o.result));
    close_pair(w, pair);
}

static void *block(void *argument)
{
    struct other *o = argument;
    uint8_t in[16];
    sk_poll_item item = {o->s, SK_READABLE, 0};
    switch (o->way) {
    case 0: o->result = sk_recv(o->s, in, sizeof in, 0); break;
    case 1: o->result = sk_recv_from(o->s, in, sizeof in, 0, NULL); break;
    case 2: o->result = sk_wait(o->s, SK_READABLE, SK_FOREVER); break;
    default:
        o->result = sk_poll(&item, 1, SK_FOREVER);
        if (o->result == 1 && item.revents == SK_ERROR) o->result = SK_ECLOSED;
        break;
    }
    o->done = 1;
    return NULL;
}

/* Closes under a call that waits without a limit, sometimes with a copy around. */
static void closes(struct worker *w)
{
    struct other o = {0, 0, 0, (int)dice(w, 4), 0, 0};
    pthread_t thread;
    sk_handle pair[2], copy = 0;
    if (!make_pair(w, (int)dice(w, KINDS), pair)) return;
    o.s = pair[0];
    if (dice(w, 3) == 0) copy = CALL(w, 0, sk_dup(pair[0]));
    if (copy < 0 && !is_shortage(copy)) BROKEN("sk_dup: %s", sk_error_name(copy));
    MUST(sk_set_timeout(pair[0], dice(w, 2) ? SK_FOREVER : 60000) == SK_OK);
    MUST(pthread_create(&thread, NULL, block, &o) == 0);
    if (dice(w, 2)) usleep(dice(w, 2000));
    MUST(CALL(w, 0, sk_close(pair[0])) == SK_OK);
    long long closed = now_ms();
    while (!o.done) {
        if (now_ms() > closed + CLOSED_MS) BROKEN("way %d is not woken by sk_close", o.way);
        usleep(20);
    }
    MUST(pthread_join(thread, NULL) == 0);
    if (o.result != SK_ECLOSED && o.result != SK_EBADHANDLE) BROKEN("woken with %lld %s", (long long)o.result, sk_error_name(o.result));
    must_be_stale(pair[0]);
    if (copy > 0) MUST(CALL(w, 0, sk_close(copy)) == SK_OK);
    MUST(CALL(w, 0, sk_abort(pair[1])) == SK_OK);
}

/* --- Datagrams --------------------------------------------------------------------------------- */

static void datagrams(struct worker *w)
{
    enum { MOST = 8, LEN = 200 };
    uint8_t out[MOST][LEN], in[MOST][LEN];
    sk_dgram messages[MOST];
    uint64_t connection = new_connection(), sent = 0, received = 0;
    sk_handle pair[2];
    static const int kinds[] = {UDP4, UDP6, UNIX_DGRAM, UNIX_SEQPACKET};
    int kind = kinds[dice(w, 4)];
    if (!make_pair(w, kind, pair)) return;
    for (uint32_t rounds = dice(w, 60); rounds > 0; rounds--) {
        size_t count = 1 + dice(w, MOST);
        memset(messages, 0, sizeof messages);
        for (size_t i = 0; i < count; i++) {
            fill(out[i], LEN, connection, (sent + i) * LEN);
            messages[i].data = out[i];
            messages[i].len = LEN;
        }
        if (kind == UNIX_SEQPACKET) {
            for (size_t i = 0; i < count; i++) MUST(CALL(w, LIMIT, sk_send(pair[0], out[i], LEN, 0)) == LEN);
        } else {
            MUST(CALL(w, LIMIT, sk_send_batch(pair[0], messages, count, 0)) == (int64_t)count);
        }
        sent += count;
        while (received < sent) {
            int64_t n = 1;
            memset(messages, 0, sizeof messages);
            for (size_t i = 0; i < MOST; i++) {
                messages[i].data = in[i];
                messages[i].room = LEN;
            }
            if (kind == UNIX_SEQPACKET) {
                MUST(CALL(w, LIMIT, sk_recv(pair[1], in[0], LEN, 0)) == LEN);
                messages[0].len = LEN;
            } else {
                n = CALL(w, LIMIT, sk_recv_batch(pair[1], messages, MOST, 0));
            }
            if (n <= 0) BROKEN("received %s, %llu of %llu", sk_error_name(n), (unsigned long long)received, (unsigned long long)sent);
            for (int64_t i = 0; i < n; i++, received++) {
                MUST(messages[i].len == LEN);
                verify(in[i], LEN, connection, received * LEN);
            }
        }
    }
    close_pair(w, pair);
}

/* --- Many at once ------------------------------------------------------------------------------ */

static void pollers(struct worker *w)
{
    enum { PAIRS = 6 };
    sk_handle pairs[PAIRS][2], poller = CALL(w, 0, sk_poller());
    int count = 0;
    uint8_t byte;
    if (poller < 0) {
        if (!is_shortage(poller)) BROKEN("sk_poller: %s", sk_error_name(poller));
        return;
    }
    while (count < PAIRS && make_pair(w, (int)dice(w, KINDS), pairs[count])) {
        MUST(CALL(w, 0, sk_poller_add(poller, pairs[count][1], SK_READABLE, (uint64_t)count)) == SK_OK);
        count++;
    }
    for (uint32_t rounds = dice(w, 60); rounds > 0 && count > 0; rounds--) {
        sk_event events[PAIRS + 1];
        uint32_t at = dice(w, (uint32_t)count);
        uint8_t mark = (uint8_t)dice(w, 256);
        MUST(CALL(w, LIMIT, sk_send(pairs[at][0], &mark, 1, 0)) == 1);
        MUST(CALL(w, 0, sk_poller_wake(poller)) == SK_OK);
        for (int has_it = 0, woken = 0; !has_it || !woken;) {
            int64_t n = CALL(w, LIMIT, sk_poller_wait(poller, events, PAIRS + 1, LIMIT));
            if (n <= 0) BROKEN("waited: %lld", (long long)n);
            for (int64_t i = 0; i < n; i++) {
                if (events[i].handle == 0) {
                    MUST(events[i].data == 0 && events[i].events == 0 && !woken);
                    woken = 1;
                } else {
                    if (events[i].data != at || events[i].handle != pairs[at][1]) BROKEN("an event of %llu, not %u", (unsigned long long)events[i].data, at);
                    MUST(!has_it && CALL(w, LIMIT, sk_recv(pairs[at][1], &byte, 1, 0)) == 1 && byte == mark);
                    has_it = 1;
                }
            }
        }
    }
    if (dice(w, 2)) MUST(CALL(w, 0, sk_close(poller)) == SK_OK);
    for (int i = 0; i < count; i++) close_pair(w, pairs[i]);
    if (sk_close(poller) == SK_OK) must_be_stale(poller);
}

/* Limits are kept, neither shorter nor more than a second longer. */
static void limits(struct worker *w)
{
    uint8_t byte;
    sk_handle pair[2];
    int kind = (int)dice(w, KINDS);
    if (!make_pair(w, kind, pair)) return;
    for (int i = 0; i < 4; i++) {
        long long limit = 1 + dice(w, 20), begin = now_ms();
        sk_poll_item items[2] = {{pair[0], SK_READABLE, 0}, {pair[1], SK_READABLE, 0}};
        MUST(sk_set_timeout(pair[1], limit) == SK_OK);
        switch (i) {
        case 0: MUST(CALL(w, limit, sk_recv(pair[1], &byte, 1, 0)) == SK_ETIMEDOUT); break;
        case 1: MUST(CALL(w, limit, sk_wait(pair[1], SK_READABLE, limit)) == 0); break;
        case 2: MUST(CALL(w, limit, sk_poll(items, 2, limit)) == 0); break;
        default: MUST(CALL(w, limit, sk_recv_from(pair[1], &byte, 1, 0, NULL)) == SK_ETIMEDOUT); break;
        }
        if (now_ms() - begin < limit - 1) BROKEN("way %d: back after %lld of %lld ms", i, now_ms() - begin, limit);
    }
    close_pair(w, pair);
}

/* --- Handles that travel ------------------------------------------------------------------------ */

/* The other end of the connection must be at the end of this handle. */
static void must_reach(struct worker *w, sk_handle from, sk_handle to, const char *when)
{
    uint8_t mark[8], got[8];
    fill(mark, sizeof mark, new_connection(), 0);
    MUST(sk_set_timeout(from, LIMIT) == SK_OK && sk_set_timeout(to, LIMIT) == SK_OK);
    MUST(CALL(w, LIMIT, sk_send(from, mark, sizeof mark, 0)) == sizeof mark);
    int64_t n = CALL(w, LIMIT, sk_recv(to, got, sizeof got, 0));
    if (n != sizeof got) {
        int64_t family = 0, type = 0;
        sk_get_option(to, SK_OPT_FAMILY, &family);
        sk_get_option(to, SK_OPT_TYPE, &type);
        BROKEN("%s: family %d, type %d: %lld %s", when, (int)family, (int)type, (long long)n, sk_error_name(n));
    }
    MUST(memcmp(mark, got, sizeof mark) == 0);
}

static void passes(struct worker *w)
{
    sk_handle via[2], pair[2], copy = 0;
    if (!make_pair(w, UNIX_STREAM + (int)dice(w, 3), via)) return;
    if (make_pair(w, (int)dice(w, KINDS), pair)) {
        MUST(CALL(w, LIMIT, sk_send_handle(via[0], pair[0])) == SK_OK);
        do {
            copy = CALL(w, LIMIT, sk_recv_handle(via[1]));
            if (copy <= 0 && !is_shortage(copy)) BROKEN("sk_recv_handle: %s", sk_error_name(copy));
        } while (copy <= 0 && !stopping && dice(w, 1000) != 0);
        if (copy > 0) {
            must_reach(w, copy, pair[1], "a passed copy");
            must_reach(w, pair[1], pair[0], "an answer");
            MUST(CALL(w, 0, sk_close(copy)) == SK_OK);
            must_reach(w, pair[0], pair[1], "its copy is closed");
        }
        close_pair(w, pair);
    }
    close_pair(w, via);
}

/* Between handles and descriptors, among which others come and go. */
static void descriptors(struct worker *w)
{
    sk_handle pair[2], copy;
    if (!make_pair(w, (int)dice(w, KINDS), pair)) return;
    copy = CALL(w, 0, sk_dup(pair[0]));
    if (copy > 0) {
        must_reach(w, copy, pair[1], "a duplicate");
        MUST(CALL(w, 0, sk_close(pair[0])) == SK_OK);
        must_be_stale(pair[0]);
        must_reach(w, pair[1], copy, "the first is closed");
        pair[0] = copy;
    } else if (!is_shortage(copy)) {
        BROKEN("sk_dup: %s", sk_error_name(copy));
    }
    int64_t fd = CALL(w, 0, sk_into_fd(pair[0]));
    MUST(fd >= 0);
    must_be_stale(pair[0]);
    MUST(fcntl((int)fd, F_GETFD) == FD_CLOEXEC);
    pair[0] = CALL(w, 0, sk_from_fd(fd));
    if (pair[0] < 0) BROKEN("sk_from_fd: %s", sk_error_name(pair[0]));
    must_reach(w, pair[0], pair[1], "after sk_from_fd");
    close_pair(w, pair);
}

/* --- Processes --------------------------------------------------------------------------------- */

static void forks(struct worker *w)
{
    uint8_t data[64], in[64];
    uint64_t connection = new_connection();
    int status = 0;
    sk_handle pair[2];
    if (!make_pair(w, any_stream(w), pair)) return;
    fill(data, sizeof data, connection, 0);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        /* It has copies of all handles, and closing them changes nothing in the parent. */
        alarm(20);
        if (sk_send(pair[0], data, sizeof data, 0) != (int64_t)sizeof data) _exit(2);
        if (sk_close(pair[0]) != SK_OK || sk_close(pair[1]) != SK_OK) _exit(3);
        _exit(sk_send(pair[0], data, 1, 0) == SK_EBADHANDLE ? 0 : 4);
    }
    MUST(CALL(w, LIMIT * 5, sk_recv_all(pair[1], in, sizeof in, NULL)) == SK_OK);
    verify(in, sizeof in, connection, 0);
    while (waitpid(child, &status, 0) < 0) MUST(errno == EINTR);
    if (status != 0) BROKEN("the child ended with status 0x%x", (unsigned)status);
    must_reach(w, pair[0], pair[1], "after a fork");
    close_pair(w, pair);
    usleep(5000); /* enough of them */
}

const struct job jobs[] = {
    {"streams", streams},         {"bulk", bulk},     {"closes", closes}, {"datagrams", datagrams},
    {"pollers", pollers},         {"limits", limits}, {"passes", passes}, {"descriptors", descriptors},
    {"forks", forks},             {"closes too", closes},
};
const int job_count = sizeof jobs / sizeof jobs[0];
