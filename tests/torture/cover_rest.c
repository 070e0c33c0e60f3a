/* What goes beyond one socket and one buffer: lists, batches, files, names, endpoints, groups,
 * handles that travel. Every function of these, on every kind of socket that has it. */
#include "cover.h"

/* --- More ways to move bytes ------------------------------------------------------------------------- */

/* A list with an empty piece, sent and received in part where the system likes to. */
static void lists(int kind)
{
    sk_handle p[2];
    char a[] = "one", b[] = "three", c[4], d[16];
    const sk_buf out[3] = {{a, 3}, {NULL, 0}, {b, 5}};
    const sk_buf in[2] = {{c, 4}, {d, 16}};
    DO(make_pair(kind, p));
    for (int64_t limit = SK_FOREVER; limit <= 10000; limit += 10001) {
        char heard[20];
        int64_t sent, received = 0;
        TRY(sk_set_timeout(p[0], limit));
        TRY(sk_set_timeout(p[1], limit));
        TRY(sk_sendv(p[0], out, 3, 0));
        sent = got;
        memset(c, 0, sizeof c);
        TRY(sk_recvv(p[1], in, 2, 0));
        received = got;
        memcpy(heard, c, 4);
        if (received > 4) memcpy(heard + 4, d, (size_t)received - 4);
        while (received < sent) {
            TRY(sk_recv(p[1], heard + received, (size_t)(sent - received), 0));
            received += got;
        }
        CHECK(memcmp(heard, "onethree", (size_t)sent) == 0);
        if (!(1 << kind & STREAMS)) CHECK_EQ(sent, 8);
        TRY(sk_send(p[0], "abcde", 5, 0));
        sent = got;
        TRY(sk_recvv(p[1], in, 1, 0));
        for (received = got; received < sent && 1 << kind & STREAMS; received += got)
            TRY(sk_recv(p[1], heard, sizeof heard, 0));
        TRY(sk_send_all(p[0], "waitall", 7, NULL));
        GIVES(sk_recvv(p[1], (sk_buf[]){{c, 3}, {d, 4}}, 2, SK_WAITALL), 7);
    }
}

/* Datagrams and records have no sk_send_all. */
static void lists_of_messages(int kind)
{
    sk_handle p[2];
    char a[] = "one", b[] = "three", c[4], d[16];
    const sk_buf out[2] = {{a, 3}, {b, 5}};
    const sk_buf in[2] = {{c, 4}, {d, 16}};
    DO(make_pair(kind, p));
    for (int64_t limit = SK_FOREVER; limit <= 10000; limit += 10001) {
        TRY(sk_set_timeout(p[0], limit));
        TRY(sk_set_timeout(p[1], limit));
        GIVES(sk_sendv(p[0], out, 2, 0), 8);
        GIVES(sk_recvv(p[1], in, 2, 0), 8);
        CHECK(memcmp(c, "onet", 4) == 0 && memcmp(d, "hree", 4) == 0);
        FAILS(sk_recvv(p[1], in, 2, SK_DONTWAIT), SK_EAGAIN);
    }
}

enum { MANY = 70 }; /* more than go with one system call */

static void batches(int kind)
{
    static char data[MANY][8];
    static sk_dgram out[MANY], in[MANY];
    sk_handle a, b;
    sk_addr own, to, local;
    int64_t count = 1 << kind & UNIX ? 5 : MANY, sent, received;
    DO(make_bound(kind, &a, &own));
    DO(make_bound(kind, &b, &to));
    if (1 << kind & UDP) TRY(sk_set_option(b, SK_OPT_PKTINFO, 1));
    for (int64_t limit = SK_FOREVER; limit <= 10000; limit += 10001) {
        TRY(sk_set_timeout(a, limit));
        TRY(sk_set_timeout(b, limit));
        for (int64_t i = 0; i < count; i++) {
            memset(&out[i], 0, sizeof out[i]);
            snprintf(data[i], sizeof data[i], "%03d", (int)i);
            out[i].data = data[i];
            out[i].len = 3;
            out[i].addr = to;
            memset(&in[i], 0, sizeof in[i]);
            in[i].data = data[i] + 4;
            in[i].room = 4;
            in[i].local = i == 0 ? &local : NULL;
        }
        for (sent = 0; sent < count; sent += got) {
            TRY(sk_send_batch(a, out + sent, (size_t)(count - sent), 0));
            CHECK_GT(got, 0);
        }
        for (received = 0; received < sent; received += got) {
            TRY(sk_recv_batch(b, in + received, (size_t)(count - received), 0));
            CHECK_GT(got, 0);
        }
        for (int64_t i = 0; i < count; i++)
            CHECK(in[i].len == 3 && sk_addr_equal(&in[i].addr, &own) && memcmp(data[i], data[i] + 4, 3) == 0);
        if (1 << kind & UDP) CHECK_EQ(local.port, to.port);
        FAILS(sk_recv_batch(b, in, (size_t)count, SK_DONTWAIT), SK_EAGAIN);
    }
}

/* Cut by the system and put together again by it, or neither. */
static void segments(int kind)
{
    static char data[1000], heard[10][1000];
    sk_handle a, b;
    sk_addr own, to;
    sk_dgram out, in[10];
    size_t total = 0;
    DO(make_bound(kind, &a, &own));
    DO(make_bound(kind, &b, &to));
    MAY(sk_set_option(b, SK_OPT_UDP_GRO, 1), SK_ENOPROTOOPT);
    memset(&out, 0, sizeof out);
    memset(in, 0, sizeof in);
    out.data = data;
    out.len = sizeof data;
    out.addr = to;
    out.segment = 100;
    GIVES(sk_send_batch(a, &out, 1, 0), 1);
    for (size_t i = 0; i < 10; i++) {
        in[i].data = heard[i];
        in[i].room = sizeof heard[i];
    }
    while (total < sizeof data) {
        TRY(sk_recv_batch(b, in, 10, 0));
        CHECK_GT(got, 0);
        for (int64_t i = 0; i < got; i++) total += in[i].len;
    }
    CHECK_EQ(total, sizeof data);
}

/* From a file that goes without a copy, and from one that does not. */
static void files_of(sk_handle from, sk_handle to, int file, int64_t count)
{
    char heard[64];
    int64_t sent = 0, received;
    while (sent < count) {
        TRY(sk_send_file(from, file, sent, count - sent));
        CHECK_GT(got, 0);
        sent += got;
    }
    for (received = 0; received < sent; received += got) {
        TRY(sk_recv(to, heard, sizeof heard, 0));
        CHECK_GT(got, 0);
    }
    CHECK_EQ(received, count);
}
static void files(int kind)
{
    static int opened[2];
    sk_handle p[2];
    char path[] = "/tmp/sk-torture-XXXXXX";
    opened[0] = mkstemp(path);
    opened[1] = open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);
    CHECK(opened[0] >= 0 && opened[1] >= 0 && unlinkat(AT_FDCWD, path, 0) == 0);
    CHECK_EQ(write(opened[0], "0123456789abcdef", 16), 16);
    make_pair(kind, p);
    for (int64_t limit = SK_FOREVER; limit <= 10000 && !stopped; limit += 10001) {
        judge("sk_set_timeout", sk_set_timeout(p[0], limit), ERRNO_UNTOUCHED);
        if (!stopped) files_of(p[0], p[1], opened[0], 16);
        if (!stopped) files_of(p[0], p[1], opened[1], 16);
    }
    close(opened[0]);
    close(opened[1]);
}

/* --- Names and endpoints ---------------------------------------------------------------------------- */

static void resolving(int kind)
{
    sk_addr found[4];
    (void)kind;
    GIVES(sk_resolve("127.0.0.1", 80, SK_UNSPEC, 0, found, 4), 1);
    TRY(sk_resolve("localhost", 80, SK_INET, SK_FOREVER, found, 4));
    CHECK_GE(got, 1);
    TRY(sk_resolve("localhost", 80, SK_UNSPEC, 10000, found, 4));
    CHECK_GE(got, 1);
    CHECK_EQ(found[0].port, 80);
    FAILS(sk_resolve("localhost", 80, SK_UNSPEC, 0, found, 4), SK_EAGAIN);
}

/* Somebody who traces this process may have a closed server's socket open for a moment longer. */
static sk_handle serve_at(const char *endpoint)
{
    sk_handle server = SK_EADDRINUSE;
    for (int i = 0; i < 50 && server == SK_EADDRINUSE; i++) {
        errno = ERRNO_UNTOUCHED;
        server = sk_serve(endpoint, 4);
    }
    return server;
}

static void dial_and_serve(int kind, const char *serve, const char *dial, int64_t limit)
{
    sk_handle server, client, accepted;
    sk_addr address;
    char text[64];
    TRY(keep(server = serve_at(serve)));
    TRY(sk_local_addr(server, &address));
    snprintf(text, sizeof text, dial, address.port);
    TRY(keep(client = sk_dial(text, limit)));
    if (limit == 0) TRY(sk_wait(client, SK_WRITABLE, 10000));
    if (1 << kind & CONNECTED) {
        TRY(keep(accepted = sk_accept(server, NULL)));
        DO(pass(kind, client, accepted, 0));
        DO(pass(kind, accepted, client, 0));
    } else {
        char heard[8];
        GIVES(sk_send(client, "hello", 5, 0), 5);
        GIVES(sk_recv_from(server, heard, 8, 0, &address), 5);
        GIVES(sk_send_to(server, "back", 4, 0, &address), 4);
        GIVES(sk_recv(client, heard, 8, 0), 4);
    }
    TRY(sk_close(client));
    TRY(sk_close(server));
}

static void endpoints(int kind)
{
    switch (kind) {
    case PAIR_TCP4:
        DO(dial_and_serve(kind, "tcp://127.0.0.1:0", "tcp://127.0.0.1:%u", SK_FOREVER));
        DO(dial_and_serve(kind, "tcp://127.0.0.1:0", "tcp://127.0.0.1:%u", 0));
        DO(dial_and_serve(kind, "tcp://:0", "tcp://localhost:%u", 10000));
        DO(dial_and_serve(kind, "tcp://localhost:0", "tcp://localhost:%u", SK_FOREVER));
        break;
    case PAIR_TCP6: DO(dial_and_serve(kind, "tcp://[::1]:0", "tcp://[::1]:%u", 10000)); break;
    case PAIR_UDP4:
        DO(dial_and_serve(kind, "udp://127.0.0.1:0", "udp://127.0.0.1:%u", 10000));
        DO(dial_and_serve(kind, "udp://:0", "udp://localhost:%u", SK_FOREVER));
        break;
    case PAIR_UDP6: DO(dial_and_serve(kind, "udp://[::1]:0", "udp://[::1]:%u", 0)); break;
    default: break;
    }
}

/* On a path, and in the place of a dead server. */
static void endpoints_in_files(int kind)
{
    static const char *const schemes[] = {"unix", "unix-dgram", "unix-seqpacket"};
    char folder[] = "/tmp/sk-torture-XXXXXX", path[64], endpoint[128];
    int more;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/s", folder);
    snprintf(endpoint, sizeof endpoint, "%s://%s", schemes[kind - PAIR_UNIX_STREAM], path);
    for (int i = 0; i < 2 && !stopped; i++) dial_and_serve(kind, endpoint, endpoint, 10000);
    more = unlinkat(AT_FDCWD, path, 0) == 0 && unlinkat(AT_FDCWD, path, 0) == 0;
    CHECK(!more && rmdir(folder) == 0);
}

/* The first address refuses, so that the second is tried too. */
static void dialling_in_vain(int kind)
{
    sk_handle server;
    sk_addr address;
    char text[64];
    (void)kind;
    TRY(keep(server = sk_socket(SK_INET, SK_STREAM, 0)));
    TRY(sk_bind(server, "127.0.0.1", 0)); /* nobody listens */
    TRY(sk_local_addr(server, &address));
    snprintf(text, sizeof text, "tcp://localhost:%u", address.port);
    FAILS(sk_dial(text, 10000), SK_ECONNREFUSED);
}

/* --- Groups -------------------------------------------------------------------------------------------- */

static void groups(int kind)
{
    sk_handle s;
    sk_addr own, group, source;
    DO(make_bound(kind, &s, &own));
    TRY(sk_addr_parse(kind == PAIR_UDP4 ? "239.77.0.1" : "ff15::77", &group));
    TRY(sk_addr_parse(kind == PAIR_UDP4 ? "127.0.0.1" : "fd77::1", &source));
    TRY(sk_join_group(s, &group, NULL, "lo"));
    FAILS(sk_join_group(s, &group, NULL, "lo"), SK_EADDRINUSE);
    TRY(sk_leave_group(s, &group, NULL, "lo"));
    FAILS(sk_leave_group(s, &group, NULL, "lo"), SK_EADDRNOTAVAIL);
    TRY(sk_join_group(s, &group, &source, "lo"));
    FAILS(sk_join_group(s, &group, &source, "lo"), SK_EADDRINUSE);
    TRY(sk_leave_group(s, &group, &source, "lo"));
    FAILS(sk_leave_group(s, &group, &source, "lo"), SK_EADDRNOTAVAIL);
}

/* --- Handles that travel ---------------------------------------------------------------------------- */

static void travelling(int kind)
{
    sk_handle via[2], p[2], came;
    DO(make_pair(kind, via));
    DO(make_pair(PAIR_UNIX_STREAM, p));
    for (int64_t limit = SK_FOREVER; limit <= 10000; limit += 10001) {
        TRY(sk_set_timeout(via[0], limit));
        TRY(sk_set_timeout(via[1], limit));
        TRY(sk_send_handle(via[0], p[0]));
        TRY(keep(came = sk_recv_handle(via[1])));
        DO(pass(PAIR_UNIX_STREAM, came, p[1], 0));
        TRY(sk_close(came));
    }
    TRY(sk_send(via[0], "x", 1, 0));
    FAILS(sk_recv_handle(via[1]), SK_ENOENT);
    TRY(sk_set_timeout(via[1], 2));
    FAILS(sk_recv_handle(via[1]), SK_ETIMEDOUT);
    if (1 << kind & CONNECTED) {
        TRY(sk_close(via[0]));
        FAILS(sk_recv_handle(via[1]), SK_EEOF);
    }
}

static void travelling_to_a_small_table(int kind)
{
    sk_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.max_handles = 8;
    TRY(sk_init(&config));
    DO(travelling(kind));
}

static void credentials(int kind)
{
    sk_handle p[2];
    sk_cred cred;
    DO(make_pair(kind, p));
    TRY(sk_peer_cred(p[0], &cred));
    CHECK_EQ(cred.pid, getpid());
}

SCENARIOS(
    {"lists", lists, STREAMS},
    {"lists-of-messages", lists_of_messages, EACH & ~STREAMS},
    {"batches", batches, DATAGRAMS},
    {"segments", segments, UDP},
    {"files", files, STREAMS},
    {"resolving", resolving, ONCE},
    {"endpoints", endpoints, TCP | UDP},
    {"endpoints-in-files", endpoints_in_files, UNIX},
    {"dialling-in-vain", dialling_in_vain, ONCE},
    {"groups", groups, UDP},
    {"travelling", travelling, UNIX},
    {"travelling-to-a-small-table", travelling_to_a_small_table, UNIX},
    {"credentials", credentials, UNIX},
)
