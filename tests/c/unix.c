/* Unix sockets: stream, datagram and seqpacket, by path and by abstract name. */
#include "check.h"

/* Where a case's socket lives: a path in a folder of its own, or an abstract name. */
struct place {
    char *folder;
    char name[150];
};
static struct place place_of(int abstract)
{
    struct place p;
    memset(&p, 0, sizeof p);
    if (abstract) {
        snprintf(p.name, sizeof p.name, "@sk-test-%d-%lld", (int)getpid(), (long long)now_us());
    } else {
        p.folder = make_folder();
        snprintf(p.name, sizeof p.name, "%s/a.sock", p.folder);
    }
    return p;
}
static void place_done(struct place *p)
{
    if (p->folder != NULL) remove_folder(p->folder);
}

#define EACH_PLACE(name)                                                                           \
    static void name(int abstract);                                                                \
    CASE(name##_by_path) { name(0); }                                                              \
    CASE(name##_by_abstract_name) { name(1); }                                                     \
    static void name(int abstract)

static void check_name(const sk_addr *a, const char *name)
{
    CHECK_EQ(a->family, SK_UNIX);
    CHECK_EQ(a->port, 0);
    CHECK_EQ(a->path_len, strlen(name));
    if (name[0] == '@') CHECK(a->path[0] == '\0' && memcmp(a->path + 1, name + 1, strlen(name) - 1) == 0);
    else CHECK(memcmp(a->path, name, strlen(name)) == 0);
}

static void conversation(int type, int abstract)
{
    struct place p = place_of(abstract);
    sk_handle l = MADE(sk_socket(SK_UNIX, type, 0));
    CHECK_OK(sk_bind(l, p.name, 0));
    CHECK_OK(sk_listen(l, 4));
    sk_addr a;
    CHECK_OK(sk_local_addr(l, &a));
    check_name(&a, p.name);
    sk_handle c = MADE(sk_socket(SK_UNIX, type, 0));
    CHECK_OK(sk_connect(c, p.name, 0));
    CHECK_OK(sk_peer_addr(c, &a));
    check_name(&a, p.name);
    sk_handle s = MADE(sk_accept(l, &a));
    CHECK_EQ(a.family, SK_UNIX);
    CHECK_EQ(a.path_len, 0); /* the client has no name */
    CHECK_OK(sk_local_addr(c, &a));
    CHECK_EQ(a.family, SK_UNIX);
    CHECK_EQ(a.path_len, 0);
    char b[8];
    CHECK_GIVES(sk_send(c, "ping", 4, 0), 4);
    CHECK_GIVES(sk_recv(s, b, 8, 0), 4);
    CHECK_GIVES(sk_send(s, "pong!", 5, 0), 5);
    CHECK_GIVES(sk_recv(c, b, 8, 0), 5);
    CHECK_OK(sk_close(c));
    CHECK_GIVES(sk_recv(s, b, 8, 0), 0);
    CHECK_FAILS(sk_send(s, "x", 1, 0), SK_EPIPE);
    CHECK_OK(sk_close(s));
    CHECK_OK(sk_close(l));
    place_done(&p);
}
EACH_PLACE(stream_conversation) { conversation(SK_STREAM, abstract); }
EACH_PLACE(seqpacket_conversation) { conversation(SK_SEQPACKET, abstract); }

EACH_PLACE(datagrams_between_names)
{
    struct place p = place_of(abstract), q = place_of(1);
    sk_handle a = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0)), b = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    CHECK_OK(sk_bind(a, p.name, 0));
    CHECK_OK(sk_bind(b, q.name, 0));
    sk_addr to, from;
    CHECK_OK(sk_local_addr(a, &to));
    char x[8];
    CHECK_GIVES(sk_send_to(b, "one", 3, 0, &to), 3);
    CHECK_GIVES(sk_recv_from(a, x, 8, 0, &from), 3);
    check_name(&from, q.name);
    CHECK_GIVES(sk_send_to(a, "two!", 4, 0, &from), 4);
    CHECK_GIVES(sk_recv_from(b, x, 8, 0, &from), 4);
    check_name(&from, p.name);
    CHECK_OK(sk_connect(b, p.name, 0));
    CHECK_GIVES(sk_send(b, "three", 5, 0), 5);
    CHECK_GIVES(sk_recv(a, x, 8, 0), 5);
    sk_addr none;
    memset(&none, 0, sizeof none);
    CHECK_OK(sk_connect_addr(b, &none));
    CHECK_FAILS(sk_send(b, "x", 1, 0), SK_ENOTCONN);
    close_pair((sk_handle[2]){a, b});
    place_done(&p);
}

CASE(a_datagram_from_an_unnamed_socket_has_an_unnamed_source)
{
    sk_addr to, from;
    sk_handle a = unix_bound(SK_DGRAM, 0, &to), b = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    char x;
    CHECK_GIVES(sk_send_to(b, "u", 1, 0, &to), 1);
    memset(&from, 0x77, sizeof from);
    CHECK_GIVES(sk_recv_from(a, &x, 1, 0, &from), 1);
    CHECK_EQ(from.family, SK_UNIX);
    CHECK_EQ(from.path_len, 0);
}

EACH_PLACE(a_name_is_taken_once)
{
    struct place p = place_of(abstract);
    sk_handle a = MADE(sk_socket(SK_UNIX, SK_STREAM, 0)), b = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_OK(sk_bind(a, p.name, 0));
    CHECK_FAILS(sk_bind(b, p.name, 0), SK_EADDRINUSE);
    CHECK_FAILS(sk_connect(b, p.name, 0), SK_ECONNREFUSED); /* bound, but nobody listens */
    close_pair((sk_handle[2]){a, b});
    place_done(&p);
}

CASE(nobody_at_that_name)
{
    sk_handle s = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_FAILS(sk_connect(s, "/tmp/sk-test-no-such-folder/x", 0), SK_ENOENT);
    CHECK_FAILS(sk_connect(s, "@sk-test-nobody", 0), SK_ECONNREFUSED);
    CHECK_FAILS(sk_bind(s, "/tmp/sk-test-no-such-folder/x", 0), SK_ENOENT);
    sk_handle d = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    CHECK_FAILS(sk_connect(d, "@sk-test-nobody", 0), SK_ECONNREFUSED);
    sk_addr to;
    CHECK_OK(sk_addr_parse("unix:/tmp/sk-test-no-such-folder/x", &to));
    CHECK_FAILS(sk_send_to(d, "x", 1, 0, &to), SK_ENOENT);
}

CASE(a_port_makes_no_sense)
{
    sk_handle s = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_FAILS(sk_bind(s, "@sk-test-port", 80), SK_EINVAL);
    CHECK_FAILS(sk_bind(s, NULL, 80), SK_EINVAL);
    CHECK_FAILS(sk_connect(s, "@sk-test-port", 80), SK_EINVAL);
}

CASE(bind_without_a_name_takes_a_free_abstract_one)
{
    sk_addr a, b;
    sk_handle x = unix_bound(SK_STREAM, 1, &a), y = unix_bound(SK_STREAM, 1, &b);
    CHECK_GT(a.path_len, 1);
    CHECK_EQ(a.path[0], 0);
    CHECK_GIVES(sk_addr_equal(&a, &b), 0);
    sk_handle c = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_OK(sk_connect_addr(c, &a));
    close_pair((sk_handle[2]){x, y});
}

/* Linux would say yes, and change nothing. */
CASE(a_bound_socket_takes_no_free_name)
{
    sk_addr before, after, unnamed = {.family = SK_UNIX};
    sk_handle s = unix_bound(SK_DGRAM, 0, &before);
    CHECK_FAILS(sk_bind(s, NULL, 0), SK_EINVAL);
    CHECK_FAILS(sk_bind_addr(s, &unnamed), SK_EINVAL);
    CHECK_OK(sk_local_addr(s, &after));
    CHECK_GIVES(sk_addr_equal(&before, &after), 1);
}

CASE(abstract_names_may_hold_any_byte)
{
    sk_addr a, got;
    memset(&a, 0, sizeof a);
    a.family = SK_UNIX;
    a.path_len = 9;
    memcpy(a.path, "\0sk\0\x01\xff/@", 8);
    a.path[8] = (char)(getpid() & 127);
    sk_handle l = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_OK(sk_bind_addr(l, &a));
    CHECK_OK(sk_listen(l, 1));
    CHECK_OK(sk_local_addr(l, &got));
    CHECK_EQ(got.path_len, 9);
    CHECK(memcmp(got.path, a.path, 9) == 0);
    CHECK_GIVES(sk_addr_equal(&a, &got), 1);
    sk_handle c = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_OK(sk_connect_addr(c, &a));
    a.path_len = 8;
    sk_handle d = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_FAILS(sk_connect_addr(d, &a), SK_ECONNREFUSED);
}

/* 108 bytes fill the field and leave no room for a closing NUL. */
static void path_of_length(size_t len, int want)
{
    char *folder = make_folder();
    char path[200];
    memset(path, 'p', sizeof path);
    memcpy(path, folder, strlen(folder));
    path[strlen(folder)] = '/';
    path[len] = '\0';
    for (int type = SK_STREAM; type <= SK_SEQPACKET; type++) {
        sk_handle s = MADE(sk_socket(SK_UNIX, type, 0));
        if (want == SK_OK) {
            CHECK_OK(sk_bind(s, path, 0));
            sk_addr a, b;
            CHECK_OK(sk_local_addr(s, &a));
            check_name(&a, path);
            CHECK(access(path, F_OK) == 0);
            if (type != SK_DGRAM) CHECK_OK(sk_listen(s, 1));
            sk_handle c = MADE(sk_socket(SK_UNIX, type, 0));
            CHECK_OK(sk_connect(c, path, 0));
            CHECK_OK(sk_peer_addr(c, &b));
            CHECK_GIVES(sk_addr_equal(&a, &b), 1);
            char text[SK_ADDR_STRLEN];
            CHECK_LT(sk_addr_format(&a, text, sizeof text), (int)sizeof text);
            CHECK_OK(sk_addr_parse(text, &b));
            CHECK_GIVES(sk_addr_equal(&a, &b), 1);
            CHECK_OK(sk_close(c));
            CHECK_EQ(unlink(path), 0);
        } else {
            CHECK_FAILS(sk_bind(s, path, 0), want);
            CHECK_FAILS(sk_connect(s, path, 0), want);
        }
        CHECK_OK(sk_close(s));
    }
    remove_folder(folder);
}
CASE(a_path_of_107_bytes) { path_of_length(107, SK_OK); }
CASE(a_path_of_108_bytes) { path_of_length(108, SK_OK); }
CASE(a_path_of_109_bytes_is_too_long) { path_of_length(109, SK_ENAMETOOLONG); }

CASE(an_abstract_name_of_107_bytes_is_the_longest)
{
    char name[150];
    memset(name, 'n', sizeof name);
    name[0] = '@';
    snprintf(name + 1, 30, "sk-%d", (int)getpid());
    name[strlen(name)] = '-';
    sk_handle s = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    name[109] = '\0';
    CHECK_FAILS(sk_bind(s, name, 0), SK_ENAMETOOLONG);
    name[108] = '\0';
    CHECK_OK(sk_bind(s, name, 0));
    sk_addr a;
    CHECK_OK(sk_local_addr(s, &a));
    check_name(&a, name);
}

CASE(pairs_of_every_type)
{
    for (int type = SK_STREAM; type <= SK_SEQPACKET; type++) {
        sk_handle p[2];
        char b[8];
        CHECK_OK(sk_socketpair(type, p));
        CHECK(p[0] > 0 && p[1] > 0 && p[0] != p[1]);
        for (int i = 0; i < 2; i++) {
            CHECK_GIVES(sk_send(p[i], "abc", 3, 0), 3);
            CHECK_GIVES(sk_recv(p[1 - i], b, 8, 0), 3);
            int64_t v;
            CHECK_OK(sk_get_option(p[i], SK_OPT_FAMILY, &v));
            CHECK_EQ(v, SK_UNIX);
            CHECK_OK(sk_get_option(p[i], SK_OPT_TYPE, &v));
            CHECK_EQ(v, type);
            sk_addr a;
            CHECK_OK(sk_local_addr(p[i], &a));
            CHECK(a.family == SK_UNIX && a.path_len == 0);
            CHECK_OK(sk_peer_addr(p[i], &a));
            CHECK(a.family == SK_UNIX && a.path_len == 0);
        }
        close_pair(p);
    }
}

CASE(pairs_of_no_known_type)
{
    sk_handle p[2] = {5, 6};
    CHECK_FAILS(sk_socketpair(0, p), SK_EINVAL);
    CHECK_FAILS(sk_socketpair(4, p), SK_EINVAL);
    CHECK_FAILS(sk_socketpair(-1, p), SK_EINVAL);
    CHECK_FAILS(sk_socketpair(SK_STREAM, NULL), SK_EINVAL);
    CHECK(p[0] == 5 && p[1] == 6);
    CHECK_GIVES(sk_open_count(), 0);
}

CASE(seqpacket_keeps_records)
{
    sk_handle p[2];
    char b[8];
    unix_pair(SK_SEQPACKET, p);
    CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
    CHECK_GIVES(sk_send(p[0], "0123456789", 10, 0), 10);
    CHECK_GIVES(sk_send(p[0], "z", 1, 0), 1);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 3);
    CHECK_GIVES(sk_recv(p[1], b, 4, SK_TRUNC), 10);
    CHECK_GIVES(sk_recv(p[1], b, 8, SK_PEEK), 1);
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 1);
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
    CHECK_GIVES(sk_recv(p[1], b, 8, 0), 0);
    close_pair(p);
}

CASE(a_long_message_is_refused)
{
    static char big[1 << 20];
    for (int type = SK_DGRAM; type <= SK_SEQPACKET; type++) {
        sk_handle p[2];
        unix_pair(type, p);
        CHECK_FAILS(sk_send(p[0], big, sizeof big, 0), SK_EMSGSIZE);
        close_pair(p);
    }
}

CASE(what_a_closed_datagram_peer_looks_like)
{
    sk_addr to;
    sk_handle a = unix_bound(SK_DGRAM, 0, &to), b = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    CHECK_OK(sk_connect_addr(b, &to));
    CHECK_OK(sk_close(a));
    CHECK_FAILS(sk_send(b, "x", 1, 0), SK_ECONNREFUSED);
}

CASE(calls_for_streams_and_their_kinds)
{
    sk_handle p[2];
    char b;
    size_t n = 9;
    unix_pair(SK_DGRAM, p);
    CHECK_FAILS(sk_listen(p[0], 1), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_accept(p[0], NULL), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_send_all(p[0], "x", 1, &n), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_recv_all(p[0], &b, 1, &n), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_finish(p[0], 0), SK_EOPNOTSUPP);
    close_pair(p);
    unix_pair(SK_SEQPACKET, p);
    CHECK_FAILS(sk_send_all(p[0], "x", 1, &n), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_recv_all(p[0], &b, 1, &n), SK_EOPNOTSUPP);
    close_pair(p);
}

CASE(unix_sockets_take_no_internet_address)
{
    sk_handle s = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    sk_addr a;
    CHECK_OK(sk_addr_parse("127.0.0.1:80", &a));
    CHECK_FAILS(sk_bind_addr(s, &a), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_connect_addr(s, &a), SK_EAFNOSUPPORT);
    sk_handle d = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    CHECK_FAILS(sk_send_to(d, "x", 1, 0, &a), SK_EAFNOSUPPORT);
}

CASE(a_full_queue_with_limit_zero_starts_nothing)
{
    sk_addr to;
    sk_handle l = unix_bound(SK_STREAM, 1, &to);
    sk_handle c[64];
    int n = 0, r = SK_OK;
    for (; n < 64 && r == SK_OK; n++) {
        c[n] = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
        CHECK_OK(sk_set_timeout(c[n], 0));
        r = sk_connect_addr(c[n], &to);
    }
    CHECK_EQ(r, SK_EAGAIN);
    CHECK_EQ(errno, EAGAIN);
    sk_handle last = c[n - 1];
    CHECK_FAILS(sk_connect_addr(last, &to), SK_EAGAIN);
    sk_addr a;
    CHECK_FAILS(sk_peer_addr(last, &a), SK_ENOTCONN);
    CHECK_OK(sk_set_timeout(last, 50));
    int64_t start = now_us();
    CHECK_FAILS(sk_connect_addr(last, &to), SK_ETIMEDOUT);
    CHECK_GE(now_us() - start, 50000);
    CHECK_LT(now_us() - start, 1000000);
    CHECK_OK(sk_close(MADE(sk_accept(l, NULL))));
    CHECK_OK(sk_connect_addr(last, &to)); /* there is room now */
    CHECK_FAILS(sk_connect_addr(last, &to), SK_EISCONN);
}
