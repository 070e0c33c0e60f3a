/* Pollers: who is ready, and who is in. */
#include "poller.h"

/* --- Events ------------------------------------------------------------------------------------ */

CASE(an_event_carries_handle_and_data)
{
    need_ipv6();
    for (int k = 0; k < PAIR_KINDS; k++) {
        sk_handle s[2], p = MADE(sk_poller());
        any_pair(k, s);
        CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, UINT64_MAX - 3));
        none(p);
        send_x(s[0]);
        only(p, s[1], UINT64_MAX - 3, SK_READABLE);
        recv_x(s[1]);
        none(p);
        CHECK_OK(sk_poller_add(p, s[0], SK_WRITABLE | SK_READABLE, 0));
        only(p, s[0], 0, SK_WRITABLE);
        close_pair(s);
        CHECK_OK(sk_close(p));
    }
}

CASE(a_connection_is_readable_at_its_listener)
{
    sk_handle l = tcp_listener(SK_INET, 1), p = MADE(sk_poller()), c = MADE(sk_socket(SK_INET, SK_STREAM, 0));
    CHECK_OK(sk_poller_add(p, l, SK_READABLE, 7));
    none(p);
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    only(p, l, 7, SK_READABLE);
    MADE(sk_accept(l, NULL));
    none(p);
}

CASE(level_triggered_until_it_is_taken)
{
    sk_handle s[2], p = MADE(sk_poller());
    unix_pair(SK_STREAM, s);
    send_x(s[0]);
    CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, 1)); /* ready before the add */
    for (int i = 0; i < 3; i++) only(p, s[1], 1, SK_READABLE);
    recv_x(s[1]);
    none(p);
}

CASE(edge_triggered_when_something_changes)
{
    sk_handle s[2], p = MADE(sk_poller());
    unix_pair(SK_DGRAM, s);
    CHECK_OK(sk_poller_add(p, s[1], SK_READABLE | SK_EDGE, 1));
    for (int i = 0; i < 3; i++) {
        send_x(s[0]);
        only(p, s[1], 1, SK_READABLE);
        none(p); /* though it was not taken */
    }
    CHECK_OK(sk_poller_modify(p, s[1], SK_READABLE | SK_EDGE, 2));
    only(p, s[1], 2, SK_READABLE);
    none(p);
}

CASE(one_shot_until_the_next_modify)
{
    sk_handle s[2], p = MADE(sk_poller());
    unix_pair(SK_STREAM, s);
    send_x(s[0]);
    CHECK_OK(sk_poller_add(p, s[1], SK_READABLE | SK_ONESHOT, 1));
    for (uint64_t i = 1; i < 4; i++) {
        only(p, s[1], i, SK_READABLE);
        none(p);
        send_x(s[0]);
        none(p);
        CHECK_OK(sk_poller_modify(p, s[1], SK_READABLE | SK_ONESHOT, i + 1));
    }
    only(p, s[1], 4, SK_READABLE);
    CHECK_OK(sk_close(s[0])); /* not even a hangup */
    none(p);
    CHECK_OK(sk_poller_modify(p, s[1], SK_READABLE, 5)); /* no more one-shot */
    for (int i = 0; i < 2; i++) only(p, s[1], 5, SK_READABLE | SK_HANGUP);
}

CASE(hangup_and_error_are_always_reported)
{
    sk_handle s[2], p = MADE(sk_poller());
    unix_pair(SK_STREAM, s);
    CHECK_OK(sk_poller_add(p, s[1], 0, 1));
    send_x(s[0]);
    none(p);
    CHECK_OK(sk_close(s[0]));
    only(p, s[1], 1, SK_HANGUP);
    CHECK_OK(sk_close(s[1]));
    udp_pair(SK_INET, s);
    CHECK_OK(sk_poller_add(p, s[0], SK_HANGUP | SK_ERROR, 2));
    CHECK_OK(sk_close(s[1]));
    send_x(s[0]);
    only(p, s[0], 2, SK_ERROR);
    CHECK_OK(sk_close(s[0]));
    tcp_pair(SK_INET, s); /* a half-close is no hangup */
    CHECK_OK(sk_poller_add(p, s[0], SK_READABLE, 3));
    CHECK_OK(sk_shutdown(s[1], SK_SHUT_WRITE));
    only(p, s[0], 3, SK_READABLE);
    CHECK_OK(sk_poller_modify(p, s[0], SK_PRIORITY, 4));
    none(p);
    CHECK_GIVES(sk_send(s[0], "!", 1, SK_OOB), 1);
    CHECK_OK(sk_poller_add(p, s[1], SK_PRIORITY, 5));
    only(p, s[1], 5, SK_PRIORITY);
}

/* With room for one, everybody who is ready gets his turn, a wake too. */
CASE(nobody_starves)
{
    enum { PAIRS = 5 };
    sk_handle s[PAIRS][2], p = MADE(sk_poller());
    int seen[PAIRS + 1] = {0};
    for (uint64_t i = 0; i < PAIRS; i++) {
        unix_pair(SK_STREAM, s[i]);
        send_x(s[i][0]);
        CHECK_OK(sk_poller_add(p, s[i][1], SK_READABLE, i));
    }
    CHECK_OK(sk_poller_wake(p));
    for (int i = 0; i < 2 * PAIRS + 1; i++) {
        sk_event e;
        CHECK_GIVES(sk_poller_wait(p, &e, 1, 0), 1);
        seen[e.handle == 0 ? PAIRS : (int)e.data] += 1;
    }
    for (int i = 0; i < PAIRS; i++) CHECK_EQ(seen[i], 2);
    CHECK_EQ(seen[PAIRS], 1);
}

CASE(many_events_at_once)
{
    enum { PAIRS = 300 };
    static sk_handle s[PAIRS][2];
    static sk_event e[100000];
    sk_handle p = MADE(sk_poller());
    for (uint64_t i = 0; i < PAIRS; i++) {
        unix_pair(SK_STREAM, s[i]);
        send_x(s[i][0]);
        CHECK_OK(sk_poller_add(p, s[i][1], SK_READABLE, i));
    }
    CHECK_OK(sk_poller_wake(p));
    static const size_t room[] = {PAIRS + 1, PAIRS + 2, 65535, 65536, 65537, 100000};
    for (size_t r = 0; r < sizeof room / sizeof *room; r++) {
        char seen[PAIRS] = {0};
        memset(e, 0xee, sizeof e);
        int n = PAIRS + (r == 0);
        CHECK_GIVES(sk_poller_wait(p, e, room[r], 0), n);
        for (int i = 0; i < n; i++) {
            if (e[i].handle == 0) continue;
            CHECK_LT(e[i].data, PAIRS);
            CHECK_EQ(e[i].handle, s[e[i].data][1]);
            CHECK_EQ(e[i].events, SK_READABLE);
            CHECK_EQ(e[i].reserved, 0);
            CHECK_EQ(seen[e[i].data], 0);
            seen[e[i].data] = 1;
        }
        CHECK(room[r] == 100000 || e[room[r]].handle == (int64_t)0xeeeeeeeeeeeeeeee); /* not beyond */
    }
    int total = 0;
    for (int i = 0; i < 4; i++) { /* a short list at a time */
        CHECK_GIVES(sk_poller_wait(p, e, 77, 0), 77);
        for (int k = 0; k < 77; k++) total += e[k].handle == s[e[k].data][1];
    }
    CHECK_EQ(total, 4 * 77);
}

/* --- Who is in --------------------------------------------------------------------------------- */

CASE(modify_changes_events_and_data)
{
    sk_handle s[2], p = MADE(sk_poller());
    unix_pair(SK_STREAM, s);
    send_x(s[0]);
    CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, 1));
    only(p, s[1], 1, SK_READABLE);
    CHECK_OK(sk_poller_modify(p, s[1], SK_WRITABLE, 2));
    only(p, s[1], 2, SK_WRITABLE);
    CHECK_OK(sk_poller_modify(p, s[1], 0, 3));
    none(p);
    CHECK_OK(sk_poller_modify(p, s[1], SK_READABLE | SK_WRITABLE, 4));
    only(p, s[1], 4, SK_READABLE | SK_WRITABLE);
}

CASE(one_poller_at_a_time)
{
    sk_handle s[2], p = MADE(sk_poller()), q = MADE(sk_poller());
    unix_pair(SK_STREAM, s);
    send_x(s[0]);
    CHECK_FAILS(sk_poller_modify(p, s[1], SK_READABLE, 9), SK_ENOENT);
    CHECK_FAILS(sk_poller_remove(p, s[1]), SK_ENOENT);
    CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, 1));
    CHECK_FAILS(sk_poller_add(p, s[1], SK_WRITABLE, 2), SK_EEXIST);
    CHECK_FAILS(sk_poller_add(q, s[1], SK_WRITABLE, 3), SK_EBUSY);
    CHECK_FAILS(sk_poller_modify(q, s[1], SK_WRITABLE, 4), SK_ENOENT);
    CHECK_FAILS(sk_poller_remove(q, s[1]), SK_ENOENT);
    only(p, s[1], 1, SK_READABLE); /* none of these changed anything */
    none(q);
    CHECK_OK(sk_poller_remove(p, s[1]));
    quiet(p);
    CHECK_FAILS(sk_poller_remove(p, s[1]), SK_ENOENT);
    CHECK_OK(sk_poller_add(q, s[1], SK_READABLE, 5));
    only(q, s[1], 5, SK_READABLE);
    quiet(p);
    CHECK_OK(sk_poller_remove(q, s[1]));
    CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, 6));
    only(p, s[1], 6, SK_READABLE);
    sk_handle d = MADE(sk_dup(s[1])); /* a handle of its own: for another poller */
    CHECK_OK(sk_poller_add(q, d, SK_READABLE, 7));
    only(q, d, 7, SK_READABLE);
    only(p, s[1], 6, SK_READABLE);
}

CASE(an_exclusive_handle)
{
    sk_handle s[2], p = MADE(sk_poller());
    unix_pair(SK_STREAM, s);
    /* Such as do not go together, see epoll_ctl(2). */
    CHECK_FAILS(sk_poller_add(p, s[1], SK_READABLE | SK_EXCLUSIVE | SK_ONESHOT, 1), SK_EINVAL);
    CHECK_FAILS(sk_poller_add(p, s[1], SK_PRIORITY | SK_EXCLUSIVE, 1), SK_EINVAL);
    CHECK_FAILS(sk_poller_remove(p, s[1]), SK_ENOENT); /* it is not in */
    CHECK_OK(sk_poller_add(p, s[1], SK_READABLE | SK_EXCLUSIVE, 1));
    CHECK_FAILS(sk_poller_modify(p, s[1], SK_READABLE, 2), SK_EINVAL);
    CHECK_FAILS(sk_poller_modify(p, s[1], SK_READABLE | SK_EXCLUSIVE, 2), SK_EINVAL);
    send_x(s[0]);
    only(p, s[1], 1, SK_READABLE);
    CHECK_OK(sk_poller_remove(p, s[1]));
    CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, 3));
    CHECK_FAILS(sk_poller_modify(p, s[1], SK_READABLE | SK_EXCLUSIVE, 4), SK_EINVAL);
    only(p, s[1], 3, SK_READABLE);
    CHECK_OK(sk_poller_modify(p, s[1], SK_READABLE, 5));
    only(p, s[1], 5, SK_READABLE);
}

CASE(a_handle_that_is_given_up_leaves)
{
    sk_handle s[2], p = MADE(sk_poller());
    unix_pair(SK_STREAM, s);
    send_x(s[0]);
    CHECK_OK(sk_poller_add(p, s[1], SK_READABLE, 1));
    int64_t fd = sk_into_fd(s[1]);
    CHECK_GT(fd, 0);
    quiet(p);
    sk_handle again = MADE(sk_from_fd(fd));
    quiet(p);
    CHECK_OK(sk_poller_add(p, again, SK_READABLE, 2));
    only(p, again, 2, SK_READABLE);
}

/* --- Bad input --------------------------------------------------------------------------------- */

CASE(handles_before_kinds_before_the_rest)
{
    enum { WRONG = 1 << 20 };
    sk_handle s[2], p = MADE(sk_poller()), q = MADE(sk_poller());
    sk_event e;
    unix_pair(SK_STREAM, s);
    sk_handle stale = MADE(sk_dup(s[0])), closed = MADE(sk_poller());
    CHECK_OK(sk_close(stale));
    CHECK_OK(sk_close(closed));
    sk_handle bad[] = {0, -1, INT64_MIN, INT64_MAX, 4, stale, closed};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sk_handle b = bad[i];
        CHECK_FAILS(sk_poller_add(b, s[0], WRONG, 0), SK_EBADHANDLE);
        CHECK_FAILS(sk_poller_add(s[0], b, WRONG, 0), SK_EBADHANDLE);
        CHECK_FAILS(sk_poller_add(p, b, WRONG, 0), SK_EBADHANDLE);
        CHECK_FAILS(sk_poller_modify(b, q, WRONG, 0), SK_EBADHANDLE);
        CHECK_FAILS(sk_poller_modify(s[0], b, WRONG, 0), SK_EBADHANDLE);
        CHECK_FAILS(sk_poller_remove(b, q), SK_EBADHANDLE);
        CHECK_FAILS(sk_poller_remove(s[0], b), SK_EBADHANDLE);
        CHECK_FAILS(sk_poller_wait(b, NULL, 0, -2), SK_EBADHANDLE);
        CHECK_FAILS(sk_poller_wake(b), SK_EBADHANDLE);
    }
    CHECK_FAILS(sk_poller_add(s[0], s[1], WRONG, 0), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_poller_add(p, q, WRONG, 0), SK_EOPNOTSUPP); /* no poller in a poller */
    CHECK_FAILS(sk_poller_add(p, p, SK_READABLE, 0), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_poller_modify(p, q, WRONG, 0), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_poller_remove(p, q), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_poller_remove(s[1], s[0]), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_poller_wait(s[0], NULL, 0, -2), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_poller_wake(s[0]), SK_EOPNOTSUPP);
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        if (bit & (31 | SK_EDGE | SK_ONESHOT | SK_EXCLUSIVE)) continue;
        CHECK_FAILS(sk_poller_add(p, s[0], SK_READABLE | bit, 0), SK_EINVAL);
        CHECK_FAILS(sk_poller_modify(p, s[0], SK_READABLE | bit, 0), SK_EINVAL);
    }
    CHECK_FAILS(sk_poller_remove(p, s[0]), SK_ENOENT);
    CHECK_FAILS(sk_poller_wait(p, &e, 0, 0), SK_EINVAL);
    CHECK_FAILS(sk_poller_wait(p, NULL, 0, 0), SK_EINVAL);
    CHECK_FAILS(sk_poller_wait(p, NULL, 1, 0), SK_EINVAL);
    CHECK_FAILS(sk_poller_wait(p, &e, SIZE_MAX, 0), SK_EINVAL);
    CHECK_FAILS(sk_poller_wait(p, &e, 1, -2), SK_EINVAL);
    CHECK_FAILS(sk_poller_wait(p, &e, 1, INT64_MIN), SK_EINVAL);
}

CASE(a_poller_is_no_socket)
{
    sk_handle p = MADE(sk_poller());
    char b[4];
    sk_addr a;
    int64_t v;
    CHECK_FAILS(sk_send(p, NULL, 5, -1), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_recv(p, b, 4, 0), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_send_all(p, b, 4, NULL), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_recv_from(p, b, 4, 0, &a), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_bind(p, NULL, 0), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_listen(p, 0), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_accept(p, NULL), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_connect(p, "127.0.0.1", 1), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_shutdown(p, 0), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_finish(p, -2), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_abort(p), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_local_addr(p, NULL), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_peer_addr(p, NULL), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_set_timeout(p, -2), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_fd(p), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_into_fd(p), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_dup(p), SK_EOPNOTSUPP);
    CHECK_LT(sk_get_option(p, SK_OPT_TYPE, &v), 0);
    CHECK_LT(sk_set_option(p, SK_OPT_TTL, 3), 0);
    CHECK_OK(sk_poller_wake(p)); /* and is none the worse */
    only(p, 0, 0, 0);
    CHECK_OK(sk_close(p));
    CHECK_FAILS(sk_close(p), SK_EBADHANDLE);
}
