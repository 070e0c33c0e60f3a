/* The road of a socket, and waiting for many: every function of these, on every kind of socket. */
#include "cover.h"

/* --- Moving bytes ------------------------------------------------------------------------------------ */

static void exchange_all(int kind, sk_handle from, sk_handle to)
{
    char heard[8];
    sk_addr address;
    size_t moved = 99;
    DO(pass(kind, from, to, 0));
    if (1 << kind & STREAMS) DO(pass(kind, from, to, SK_MORE)); /* UDP would wait for the rest */
    DO(pass(kind, to, from, 0));
    if (1 << kind & STREAMS) {
        TRY(sk_send_all(from, "hello", 5, &moved));
        CHECK_EQ(moved, 5);
        TRY(sk_recv_all(to, heard, 5, &moved));
        CHECK(moved == 5 && memcmp(heard, "hello", 5) == 0);
        TRY(sk_send_all(from, "again", 5, NULL));
        TRY(sk_recv(to, heard, 5, SK_PEEK));
        GIVES(sk_recv(to, heard, 5, SK_WAITALL), 5);
        CHECK(memcmp(heard, "again", 5) == 0);
    } else {
        GIVES(sk_send(from, "hello", 5, 0), 5);
        GIVES(sk_recv(to, heard, 2, SK_PEEK | SK_TRUNC), 5);
        GIVES(sk_recv(to, heard, 8, SK_WAITALL), 5);
    }
    TRY(sk_send_to(from, "x", 1, 0, NULL));
    memset(&address, 0x77, sizeof address);
    GIVES(sk_recv_from(to, heard, 8, 0, &address), 1);
    CHECK_EQ(address.family, 1 << kind & STREAMS ? SK_UNSPEC : family_of(kind));
    MAY(sk_recv(to, heard, 8, SK_DONTWAIT), SK_EAGAIN);
    CHECK_LT(got, 0);
    MAY(sk_send(from, "x", 1, SK_DONTWAIT), SK_EAGAIN);
    if (got < 0) return;
    TRY(sk_wait(to, SK_READABLE, SK_FOREVER));
    do MAY(sk_recv(to, heard, 1, SK_DONTWAIT), SK_EAGAIN);
    while (got < 0);
}

static void exchange(int kind)
{
    sk_handle p[2];
    DO(make_pair(kind, p));
    DO(exchange_all(kind, p[0], p[1]));
}

static void exchange_with_limits(int kind)
{
    sk_handle p[2];
    char heard[8];
    DO(make_pair(kind, p));
    TRY(sk_set_timeout(p[0], 10000));
    TRY(sk_set_timeout(p[1], 10000));
    DO(exchange_all(kind, p[0], p[1]));
    TRY(sk_set_timeout(p[1], 2));
    MAY(sk_recv(p[1], heard, 1, 0), SK_ETIMEDOUT);
    FAILS(sk_recv(p[1], heard, 1, 0), SK_ETIMEDOUT);
    GIVES(sk_wait(p[1], SK_READABLE, 2), 0);
    TRY(sk_set_timeout(p[0], 0));
    FAILS(sk_recv(p[0], heard, 1, 0), SK_EAGAIN);
}

static void exchange_shared(int kind)
{
    sk_handle p[2], copy;
    DO(make_pair(kind, p));
    TRY(keep(copy = sk_dup(p[0])));
    TRY(keep(sk_dup(p[1])));
    DO(exchange_all(kind, copy, p[1]));
    TRY(sk_close(copy));
    DO(pass(kind, p[0], p[1], 0));
}

static struct exchange_late {
    sk_handle s;
    int kind;
} late;

static void receive_late(void *argument)
{
    char heard[8];
    (void)argument;
    TRY(sk_recv(late.s, heard, 8, 0));
    CHECK_GT(got, 0);
}

/* The receiver sleeps before there is something: in the call, under a limit, and shared. */
static void exchange_asleep(int kind)
{
    static struct thread t[3];
    for (int way = 0; way < 3; way++) {
        sk_handle p[2];
        DO(make_pair(kind, p));
        if (way == 1) TRY(sk_set_timeout(p[1], 10000));
        if (way == 2) TRY(keep(sk_dup(p[1])));
        late.s = p[1];
        DO(start(&t[way], receive_late, NULL));
        TRY(sk_send(p[0], "hello", 5, 0));
        thread_join(&t[way]);
        cover_thread_count = 0;
    }
}

static void datagrams_without_a_peer(int kind)
{
    sk_handle a, b;
    sk_addr from_a, from_b, from;
    char heard[8];
    DO(make_bound(kind, &a, &from_a));
    DO(make_bound(kind, &b, &from_b));
    for (int64_t limit = SK_FOREVER; limit <= 10000; limit += 10001) {
        TRY(sk_set_timeout(a, limit));
        TRY(sk_set_timeout(b, limit));
        GIVES(sk_send_to(a, "hello", 5, 0, &from_b), 5);
        GIVES(sk_recv_from(b, heard, 8, 0, &from), 5);
        CHECK(sk_addr_equal(&from, &from_a) == 1 && memcmp(heard, "hello", 5) == 0);
        GIVES(sk_send_to(b, "", 0, 0, &from), 0);
        GIVES(sk_recv_from(a, heard, 8, 0, NULL), 0);
    }
    TRY(sk_connect_addr(a, &from_b));
    TRY(sk_peer_addr(a, &from));
    CHECK_EQ(sk_addr_equal(&from, &from_b), 1);
    memset(&from, 0, sizeof from);
    TRY(sk_connect_addr(a, &from)); /* dissolves it */
    FAILS(sk_peer_addr(a, &from), SK_ENOTCONN);
}

/* --- Connections ------------------------------------------------------------------------------------- */

static void connections(int kind)
{
    sk_handle listener, client, server;
    sk_addr address, peer, own;
    DO(make_bound(kind, &listener, &address));
    for (int64_t limit = SK_FOREVER; limit <= 10000; limit += 10001) {
        TRY(keep(client = sk_socket(family_of(kind), type_of(kind), 0)));
        TRY(sk_set_timeout(client, limit));
        TRY(sk_set_option(listener, SK_OPT_RECV_TIMEOUT, limit));
        TRY(sk_connect_addr(client, &address));
        TRY(keep(server = sk_accept(listener, &peer)));
        TRY(sk_local_addr(client, &own));
        CHECK_EQ(sk_addr_equal(&own, &peer), 1);
        TRY(sk_peer_addr(client, &peer));
        CHECK_EQ(sk_addr_equal(&peer, &address), 1);
        FAILS(sk_connect_addr(client, &address), SK_EISCONN);
        DO(pass(kind, client, server, 0));
    }
    TRY(sk_set_timeout(listener, 2));
    FAILS(sk_accept(listener, NULL), SK_ETIMEDOUT);
    TRY(sk_set_timeout(listener, 0));
    FAILS(sk_accept(listener, NULL), SK_EAGAIN);
    TRY(sk_close(listener));
    /* Its port may be another program's by now, or the client's, which then meets itself. So one is taken
     * that does not listen. */
    if (address.family != SK_UNIX) {
        own = address;
        own.port = 0;
    }
    TRY(keep(server = sk_socket(family_of(kind), type_of(kind), 0)));
    TRY(sk_bind_addr(server, &own));
    if (address.family != SK_UNIX) TRY(sk_local_addr(server, &address));
    TRY(keep(client = sk_socket(family_of(kind), type_of(kind), 0)));
    FAILS(sk_connect_addr(client, &address), SK_ECONNREFUSED);
}

/* A connection that is begun, and waited for later. */
static void connecting_without_waiting(int kind)
{
    sk_handle listener, client, server;
    sk_addr address;
    int64_t error = 99;
    DO(make_bound(kind, &listener, &address));
    TRY(keep(client = sk_socket(family_of(kind), SK_STREAM, 0)));
    TRY(sk_set_option(client, SK_OPT_CONNECT_TIMEOUT, 0));
    MAY2(sk_connect_addr(client, &address), SK_EINPROGRESS, SK_EALREADY);
    TRY(sk_wait(client, SK_WRITABLE, 10000));
    TRY(sk_get_option(client, SK_OPT_ERROR, &error));
    CHECK_EQ(error, 0);
    do MAY2(sk_connect_addr(client, &address), SK_EINPROGRESS, SK_EALREADY);
    while (got < 0);
    FAILS(sk_connect_addr(client, &address), SK_EISCONN);
    TRY(keep(server = sk_accept(listener, NULL)));
    DO(pass(kind, client, server, 0));
}

static void by_name(int kind)
{
    sk_handle listener, client, server;
    sk_addr address;
    (void)kind;
    DO(make_bound(PAIR_TCP4, &listener, &address));
    TRY(keep(client = sk_socket(SK_INET, SK_STREAM, 0)));
    TRY(sk_connect(client, "localhost", address.port));
    TRY(keep(server = sk_accept(listener, NULL)));
    DO(pass(PAIR_TCP4, server, client, 0));
}

/* The system refuses, or its queue is full. */
static void full_queue_of_connections(int kind)
{
    sk_handle listener, client;
    sk_addr address;
    TRY(keep(listener = sk_socket(SK_UNIX, type_of(kind), 0)));
    TRY(sk_bind(listener, NULL, 0));
    TRY(sk_listen(listener, 1));
    TRY(sk_local_addr(listener, &address));
    for (int i = 0; i < 3; i++) {
        TRY(keep(client = sk_socket(SK_UNIX, type_of(kind), 0)));
        TRY(sk_set_timeout(client, i < 2 ? 10000 : 5));
        MAY(sk_connect_addr(client, &address), SK_ETIMEDOUT);
    }
    TRY(sk_set_timeout(client, 0));
    MAY(sk_connect_addr(client, &address), SK_EAGAIN);
}

static void send_to_full(void *argument)
{
    struct exchange_late *x = &late;
    GIVES(sk_send_to(x->s, "x", 1, 0, argument), 1);
}

/* Datagrams to a peer that does not receive: the sender sleeps, whether it is connected or not. */
static void full_queue_of_datagrams(int kind)
{
    static struct thread t[2];
    static sk_addr address;
    char heard[8];
    (void)kind;
    for (int connected = 0; connected < 2; connected++) {
        sk_handle to;
        int sent = 0;
        DO(make_bound(PAIR_UNIX_DGRAM, &to, &address));
        TRY(keep(late.s = sk_socket(SK_UNIX, SK_DGRAM, 0)));
        if (connected) TRY(sk_connect_addr(late.s, &address));
        do {
            MAY(sk_send_to(late.s, "x", 1, SK_DONTWAIT, connected ? NULL : &address), SK_EAGAIN);
            sent += got == 1;
        } while (got == 1);
        TRY(sk_set_timeout(late.s, 5));
        MAY(sk_send_to(late.s, "x", 1, 0, connected ? NULL : &address), SK_ETIMEDOUT);
        TRY(sk_set_timeout(late.s, SK_FOREVER));
        DO(start(&t[connected], send_to_full, connected ? NULL : (void *)&address));
        for (int i = 0; i < sent; i++) GIVES(sk_recv(to, heard, 8, 0), 1);
        thread_join(&t[connected]);
        cover_thread_count = 0;
    }
}

/* --- The end ------------------------------------------------------------------------------------------ */

static void ends(int kind)
{
    sk_handle p[2];
    char heard[8];
    DO(make_pair(kind, p));
    TRY(sk_shutdown(p[0], SK_SHUT_WRITE));
    GIVES(sk_recv(p[1], heard, 8, 0), 0);
    if (1 << kind & STREAMS) FAILS(sk_recv_all(p[1], heard, 8, NULL), SK_EEOF);
    FAILS(sk_send(p[0], "x", 1, 0), SK_EPIPE);
    TRY(sk_shutdown(p[0], SK_SHUT_READ));
    TRY(sk_shutdown(p[1], SK_SHUT_BOTH));
    DO(make_pair(kind, p));
    TRY(sk_abort(p[0]));
    if (1 << kind & TCP) FAILS(sk_recv(p[1], heard, 8, 0), SK_ECONNRESET);
    else GIVES(sk_recv(p[1], heard, 8, 0), 0);
}

static void finishing(int kind)
{
    sk_handle p[2];
    DO(make_pair(kind, p));
    TRY(sk_send(p[1], "unread", 6, 0));
    TRY(sk_shutdown(p[1], SK_SHUT_WRITE));
    TRY(sk_finish(p[0], 10000));
    DO(make_pair(kind, p));
    FAILS(sk_finish(p[0], 2), SK_ETIMEDOUT);
    DO(make_pair(kind, p));
    FAILS(sk_finish(p[0], 0), SK_EAGAIN);
}

static void receive_closed(void *argument)
{
    char heard[8];
    FAILS(sk_recv(*(sk_handle *)argument, heard, 8, 0), SK_ECLOSED);
}
static void accept_closed(void *argument)
{
    FAILS(sk_accept(*(sk_handle *)argument, NULL), SK_ECLOSED);
}
static void wait_closed(void *argument)
{
    FAILS(sk_wait(*(sk_handle *)argument, SK_READABLE, SK_FOREVER), SK_ECLOSED);
}

/* A close wakes who sleeps on the handle: in the call, under a limit, and shared. */
static void close_wakes(int kind)
{
    static struct thread t[6];
    static sk_handle s[6];
    for (int way = 0; way < 6; way++) {
        sk_handle p[2];
        DO(make_pair(kind, p));
        s[way] = p[0];
        if (way % 3 == 1) TRY(sk_set_timeout(p[0], 60000));
        if (way % 3 == 2) TRY(keep(sk_dup(p[0])));
        DO(start(&t[way], way < 3 ? receive_closed : wait_closed, &s[way]));
        TRY(sk_close(p[0]));
        TRY(sk_close(p[1]));
    }
}

static void close_wakes_accept(int kind)
{
    static struct thread t[3];
    static sk_handle s[3];
    for (int way = 0; way < 3; way++) {
        sk_addr address;
        DO(make_bound(kind, &s[way], &address));
        if (way == 1) TRY(sk_set_timeout(s[way], 60000));
        if (way == 2) TRY(keep(sk_dup(s[way])));
        DO(start(&t[way], accept_closed, &s[way]));
        TRY(sk_close(s[way]));
    }
}

/* --- Options, addresses, descriptors ---------------------------------------------------------------- */

static void options(int kind)
{
    sk_handle s;
    sk_addr address;
    int64_t value;
    char text[32];
    DO(make_bound(kind, &s, &address));
    for (int option = SK_OPT_RECV_TIMEOUT; option <= SK_OPT_UNACKED; option++) {
        MAY(sk_get_option(s, option, &value), SK_ENOPROTOOPT);
        if (got < 0) continue;
        if (option == SK_OPT_MARK) value = 0;
        MAY2(sk_set_option(s, option, value), SK_ENOPROTOOPT, SK_EINVAL);
    }
    MAY(sk_get_option_text(s, SK_OPT_CONGESTION, text, sizeof text), SK_ENOPROTOOPT);
    if (got >= 0) TRY(sk_set_option_text(s, SK_OPT_CONGESTION, text));
    MAY(sk_get_option_text(s, SK_OPT_BIND_DEVICE, text, sizeof text), SK_ENOPROTOOPT);
    MAY2(sk_set_option_text(s, SK_OPT_BIND_DEVICE, "lo"), SK_ENOPROTOOPT, SK_EACCES);
}

static void addresses(int kind)
{
    sk_addr a, b;
    char text[SK_ADDR_STRLEN];
    struct sockaddr_storage raw;
    uint32_t len = sizeof raw;
    (void)kind;
    /* Where the name of an interface can't be looked up there is none, and its number is shown. */
    MAY(sk_addr_parse("[fe80::1%lo]:80", &a), SK_ENOENT);
    if (got < 0) TRY(sk_addr_parse("[fe80::1%1]:80", &a));
    TRY(sk_addr_format(&a, text, sizeof text));
    MAY(sk_addr_parse(text, &b), SK_ENOENT);
    if (got == SK_OK) CHECK_EQ(sk_addr_equal(&a, &b), 1);
    TRY(sk_addr_to_sockaddr(&a, &raw, &len));
    TRY(sk_addr_from_sockaddr(&raw, len, &b));
    CHECK_EQ(sk_addr_equal(&a, &b), 1);
}

static void descriptors(int kind)
{
    sk_handle p[2], copy;
    int64_t fd;
    DO(make_pair(kind, p));
    GIVES(sk_open_count(), 2);
    TRY(sk_fd(p[0]));
    TRY(keep(copy = sk_dup(p[0])));
    TRY(sk_into_fd(p[0]));
    fd = got;
    errno = ERRNO_UNTOUCHED;
    p[0] = keep(sk_from_fd(fd));
    if (p[0] < 0) {
        int error = errno;
        CHECK(is_open_fd((int)fd)); /* it stays the caller's */
        close((int)fd);
        errno = error;
    }
    DO(judge("sk_from_fd", p[0], errno));
    DO(pass(kind, p[0], p[1], 0));
    TRY(sk_close(copy));
}

/* --- Waiting for many ------------------------------------------------------------------------------- */

static void polling(int kind)
{
    sk_handle p[2];
    sk_poll_item items[40];
    DO(make_pair(kind, p));
    TRY(keep(sk_dup(p[0])));
    for (size_t count = 2; count <= 40; count += 38) {
        for (size_t i = 0; i < count; i++) {
            items[i].handle = p[i % 2];
            items[i].events = SK_READABLE;
            items[i].revents = 99;
        }
        GIVES(sk_poll(items, count, 2), 0);
        TRY(sk_send(p[0], "x", 1, 0));
        GIVES(sk_poll(items, count, SK_FOREVER), count / 2);
        CHECK(items[0].revents == 0 && items[1].revents == SK_READABLE);
        GIVES(sk_recv(p[1], (char[1]){0}, 1, 0), 1);
    }
}

static void poller_closed(void *argument)
{
    sk_event event;
    FAILS(sk_poller_wait(*(sk_handle *)argument, &event, 1, SK_FOREVER), SK_ECLOSED);
}

static void pollers(int kind)
{
    static struct thread t;
    static sk_handle poller;
    sk_handle p[2], other;
    sk_event event;
    DO(make_pair(kind, p));
    TRY(keep(poller = sk_poller()));
    TRY(sk_poller_add(poller, p[1], SK_READABLE, 7));
    FAILS(sk_poller_add(poller, p[1], SK_READABLE, 7), SK_EEXIST);
    GIVES(sk_poller_wait(poller, &event, 1, 2), 0);
    TRY(sk_send(p[0], "x", 1, 0));
    GIVES(sk_wait(poller, SK_READABLE, SK_FOREVER), 1);
    GIVES(sk_poller_wait(poller, &event, 1, SK_FOREVER), 1);
    CHECK(event.handle == p[1] && event.data == 7 && event.events == SK_READABLE);
    TRY(sk_poller_modify(poller, p[1], SK_WRITABLE | SK_ONESHOT, 8));
    GIVES(sk_poller_wait(poller, &event, 1, 10000), 1);
    CHECK(event.data == 8 && event.events & SK_WRITABLE);
    TRY(sk_poller_remove(poller, p[1]));
    FAILS(sk_poller_remove(poller, p[1]), SK_ENOENT);
    TRY(sk_poller_wake(poller));
    do TRY(sk_poller_wait(poller, &event, 1, SK_FOREVER));
    while (got == 0);
    CHECK_EQ(event.handle, 0);
    TRY(keep(other = sk_poller()));
    TRY(sk_poller_add(other, p[1], SK_READABLE | SK_EDGE, 9));
    TRY(keep(sk_dup(p[1])));
    TRY(sk_close(p[1])); /* leaves the poller */
    GIVES(sk_poller_wait(other, &event, 1, 0), 0);
    DO(start(&t, poller_closed, &poller));
    TRY(sk_close(poller));
}

/* --- Processes ------------------------------------------------------------------------------------------ */

static void in_a_child(int kind)
{
    sk_handle p[2];
    int status = 0;
    DO(make_pair(kind, p));
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        int fds = open_fds();
        pass(kind, p[1], p[0], 0);
        close_kept();
        CHECK_EQ(sk_open_count(), 0);
        CHECK_LT(open_fds(), fds);
        check_end(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    DO(pass(kind, p[0], p[1], 0)); /* the child's closes have changed nothing */
}

/* A table with fewer handles than there can be descriptors. */
static void with_a_small_table(int kind)
{
    sk_config config;
    sk_handle p[2], s;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.max_handles = 4;
    TRY(sk_init(&config));
    FAILS(sk_init(&config), SK_EBUSY);
    DO(make_pair(kind, p));
    DO(pass(kind, p[0], p[1], 0));
    TRY(keep(s = sk_dup(p[0])));
    TRY(keep(sk_poller()));
    FAILS(keep(sk_socket(SK_INET, SK_DGRAM, 0)), SK_EMFILE);
    FAILS(keep(sk_poller()), SK_EMFILE);
    FAILS(keep(sk_dup(s)), SK_EMFILE);
    TRY(sk_close(s));
    TRY(sk_into_fd(p[0]));
    errno = ERRNO_UNTOUCHED;
    s = keep(sk_from_fd(got));
    if (s < 0) {
        int error = errno;
        close((int)got);
        errno = error;
    }
    DO(judge("sk_from_fd", s, errno));
}

static void with_memory_of_its_own(int kind)
{
    static char memory[65536];
    sk_config config;
    sk_handle p[2];
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.max_handles = 100;
    config.memory = memory + (64 - (uintptr_t)memory % 64) % 64;
    config.memory_len = sk_memory_needed(100);
    CHECK(config.memory_len > 0 && config.memory_len < sizeof memory - 64);
    CHECK(sk_version() != NULL && sk_strerror(0) != NULL);
    TRY(sk_init(&config));
    DO(make_pair(kind, p));
    DO(pass(kind, p[0], p[1], 0));
}

SCENARIOS(
    {"exchange", exchange, EACH},
    {"exchange-with-limits", exchange_with_limits, EACH},
    {"exchange-shared", exchange_shared, EACH},
    {"exchange-asleep", exchange_asleep, EACH},
    {"datagrams-without-a-peer", datagrams_without_a_peer, DATAGRAMS},
    {"connections", connections, CONNECTED},
    {"connecting-without-waiting", connecting_without_waiting, TCP},
    {"by-name", by_name, ONCE},
    {"full-queue-of-connections", full_queue_of_connections, UNIX & CONNECTED},
    {"full-queue-of-datagrams", full_queue_of_datagrams, ONCE},
    {"ends", ends, CONNECTED},
    {"finishing", finishing, STREAMS},
    {"close-wakes", close_wakes, EACH},
    {"close-wakes-accept", close_wakes_accept, CONNECTED},
    {"options", options, EACH},
    {"addresses", addresses, ONCE},
    {"descriptors", descriptors, EACH},
    {"polling", polling, EACH},
    {"pollers", pollers, EACH},
    {"in-a-child", in_a_child, EACH},
    {"with-a-small-table", with_a_small_table, EACH},
    {"with-memory-of-its-own", with_memory_of_its_own, ONCE},
)
