/* Connections whose bytes say which one they belong to, and checks that any job makes. */
#include "soak.h"

static atomic_ullong connections;

uint64_t new_connection(void)
{
    return ++connections;
}

uint8_t pattern(uint64_t connection, uint64_t at)
{
    return (uint8_t)((at * 0x9e3779b97f4a7c15u + connection * 0xbf58476d1ce4e5b9u) >> 40);
}

int is_stream(int kind)
{
    return kind == TCP4 || kind == TCP6 || kind == UNIX_STREAM;
}

void must_be_stale(sk_handle s)
{
    char byte = 0;
    int64_t value = 0;
    MUST(sk_send(s, &byte, 1, 0) == SK_EBADHANDLE);
    MUST(sk_recv(s, &byte, 1, 0) == SK_EBADHANDLE);
    MUST(sk_wait(s, SK_READABLE, -1) == SK_EBADHANDLE);
    MUST(sk_get_option(s, SK_OPT_TYPE, &value) == SK_EBADHANDLE);
    MUST(sk_dup(s) == SK_EBADHANDLE);
    MUST(sk_fd(s) == SK_EBADHANDLE);
    MUST(sk_poller_wake(s) == SK_EBADHANDLE);
    MUST(sk_close(s) == SK_EBADHANDLE);
}

static sk_handle bound(struct worker *w, int kind, sk_addr *at)
{
    int is_six = kind == TCP6 || kind == UDP6;
    sk_handle s = CALL(w, 0, sk_socket(is_six ? SK_INET6 : SK_INET, is_stream(kind) ? SK_STREAM : SK_DGRAM, 0));
    if (s < 0) {
        if (!is_shortage(s)) BROKEN("sk_socket: %s", sk_error_name(s));
        return 0;
    }
    MUST(CALL(w, 0, sk_bind(s, is_six ? "::1" : "127.0.0.1", 0)) == SK_OK);
    MUST(sk_local_addr(s, at) == SK_OK);
    return s;
}

static void drop(sk_handle s)
{
    if (s > 0) MUST(sk_close(s) == SK_OK);
}

static int tcp_pair(struct worker *w, int kind, sk_handle out[2])
{
    sk_addr at, mine, peer;
    sk_handle listener = bound(w, kind, &at);
    out[0] = out[1] = 0;
    if (listener == 0) return 0;
    MUST(CALL(w, 0, sk_listen(listener, 4)) == SK_OK);
    MUST(sk_set_timeout(listener, 2000) == SK_OK);
    out[0] = CALL(w, 0, sk_socket(kind == TCP6 ? SK_INET6 : SK_INET, SK_STREAM, 0));
    if (out[0] < 0) {
        if (!is_shortage(out[0])) BROKEN("sk_socket: %s", sk_error_name(out[0]));
        drop(listener);
        return 0;
    }
    MUST(sk_set_timeout(out[0], 2000) == SK_OK);
    int status = (int)CALL(w, 2000, sk_connect_addr(out[0], &at));
    if (status == SK_OK) out[1] = CALL(w, 2000, sk_accept(listener, &peer));
    drop(listener);
    if (out[1] <= 0) {
        /* All ports are used up for a moment where connections are made that fast. */
        if (status != SK_EADDRNOTAVAIL && !is_shortage(out[1]))
            BROKEN("connected: %s, accepted: %s", sk_error_name(status), sk_error_name(out[1]));
        drop(out[0]);
        return 0;
    }
    MUST(sk_local_addr(out[0], &mine) == SK_OK);
    if (!sk_addr_equal(&mine, &peer)) BROKEN("accepted somebody else");
    return 1;
}

static int udp_pair(struct worker *w, int kind, sk_handle out[2])
{
    sk_addr at[2];
    out[0] = bound(w, kind, &at[0]);
    out[1] = bound(w, kind, &at[1]);
    if (out[0] == 0 || out[1] == 0) {
        drop(out[0]);
        drop(out[1]);
        return 0;
    }
    for (int i = 0; i < 2; i++) MUST(CALL(w, 0, sk_connect_addr(out[i], &at[1 - i])) == SK_OK);
    return 1;
}

int make_pair(struct worker *w, int kind, sk_handle out[2])
{
    static const int types[] = {SK_STREAM, SK_DGRAM, SK_SEQPACKET};
    if (kind == TCP4 || kind == TCP6) {
        if (!tcp_pair(w, kind, out)) return 0;
    } else if (kind == UDP4 || kind == UDP6) {
        if (!udp_pair(w, kind, out)) return 0;
    } else {
        int64_t status = CALL(w, 0, sk_socketpair(types[kind - UNIX_STREAM], out));
        if (status != SK_OK) {
            if (!is_shortage(status)) BROKEN("sk_socketpair: %s", sk_error_name(status));
            return 0;
        }
    }
    for (int i = 0; i < 2; i++) MUST(sk_set_timeout(out[i], 2000) == SK_OK);
    return 1;
}

void close_pair(struct worker *w, sk_handle pair[2])
{
    for (int i = 0; i < 2; i++) {
        /* A reset leaves no port in use. */
        if (dice(w, 4) == 0)
            MUST(CALL(w, 0, sk_close(pair[i])) == SK_OK);
        else
            MUST(CALL(w, 0, sk_abort(pair[i])) == SK_OK);
        must_be_stale(pair[i]);
    }
}
