/* Many datagrams at once: in order, bad input, errors. */
#include "batch.h"

/* --- Any number, in order ------------------------------------------------------------------- */

CASE(batches_go_and_come_in_order)
{
    need_ipv6();
    for (int k = 0; k < MESSAGE_PAIRS; k++) {
        sk_handle p[2];
        sk_dgram before[7];
        any_pair(message_pairs[k], p);
        numbered(7);
        empty_room();
        memcpy(before, out, sizeof before);
        CHECK_GIVES(sk_send_batch(p[0], out, 7, 0), 7);
        CHECK(memcmp(before, out, sizeof before) == 0); /* the list is only read */
        CHECK_GIVES(sk_recv_batch(p[1], in, MOST, 0), 7);
        check_numbered(0, 0, 7);
        CHECK_EQ(in[7].flags, 0x77777777); /* nothing is written where none came */
        CHECK_EQ(in[7].addr.family, 0x7777);
        CHECK_EQ(in[7].len, (size_t)0x7777777777777777);
        for (size_t i = 0; i < 7; i++) {
            if (message_pairs[k] == PAIR_UDP4 || message_pairs[k] == PAIR_UDP6) {
                check_same(in[i].addr, local_of(p[0]));
            } else {
                CHECK_EQ(in[i].addr.family, SK_UNIX);
                CHECK_EQ(in[i].addr.path_len, 0);
            }
        }
        /* Fewer places than datagrams: the rest stays for the next call. */
        CHECK_GIVES(sk_send_batch(p[0], out, 7, 0), 7);
        empty_room();
        CHECK_GIVES(sk_recv_batch(p[1], in, 3, 0), 3);
        CHECK_GIVES(sk_recv_batch(p[1], in + 3, 1, SK_DONTWAIT), 1);
        CHECK_GIVES(sk_recv_batch(p[1], in + 4, 10, SK_DONTWAIT), 3);
        check_numbered(0, 0, 7);
        CHECK_FAILS(sk_recv_batch(p[1], in, 1, SK_DONTWAIT), SK_EAGAIN);
        /* The plain calls speak the same. */
        CHECK_GIVES(sk_send_batch(p[0], out + 5, 1, 0), 1);
        CHECK_GIVES(sk_recv(p[1], rooms[0], 16, 0), 1);
        CHECK_GIVES(sk_send(p[0], "0", 1, 0), 1);
        CHECK_GIVES(sk_recv_batch(p[1], in, 1, 0), 1);
        check_numbered(0, 0, 1);
        close_pair(p);
    }
}

CASE(as_many_as_there_are_with_few_system_calls)
{
    sk_handle s = udp_bound(SK_INET), r = udp_bound(SK_INET);
    CHECK_OK(sk_set_option(r, SK_OPT_RECV_BUFFER, 4 << 20));
    numbered(MOST);
    for (size_t i = 0; i < MOST; i++) out[i].addr = local_of(r);
    calls = 0;
    CHECK_GIVES(sk_send_batch(s, out, 64, 0), 64);
    CHECK_EQ(calls, 1);
    empty_room();
    CHECK_GIVES(sk_recv_batch(r, in, 64, 0), 64);
    CHECK_EQ(calls, 2);
    CHECK_GIVES(sk_send_batch(s, out, MOST, 0), MOST);
    CHECK_EQ(calls, 2 + 5);
    empty_room();
    CHECK_GIVES(sk_recv_batch(r, in, MOST, 0), MOST);
    CHECK_EQ(calls, 7 + 5);
    check_numbered(0, 0, MOST);
    /* What comes in one call is not asked for twice. */
    CHECK_GIVES(sk_send_batch(s, out, 10, 0), 10);
    CHECK_GIVES(sk_recv_batch(r, in, MOST, 0), 10);
    CHECK_EQ(calls, 12 + 2);
    /* Exactly what one system call takes, and nothing behind it. */
    CHECK_GIVES(sk_send_batch(s, out, 64, 0), 64);
    CHECK_GIVES(sk_recv_batch(r, in, MOST, 0), 64);
    /* After a few, the next ones are taken all the same, and from then on with few calls again. */
    for (int round = 0; round < 2; round++) {
        CHECK_GIVES(sk_send_batch(s, out, 3, 0), 3);
        CHECK_GIVES(sk_recv_batch(r, in, MOST, 0), 3);
    }
    for (int round = 0; round < 2; round++) {
        CHECK_GIVES(sk_send_batch(s, out, 64, 0), 64);
        empty_room();
        calls = 0;
        CHECK_GIVES(sk_recv_batch(r, in, 64, 0), 64);
        CHECK_EQ(calls, round == 0 ? 2 : 1);
        check_numbered(0, 0, 64);
    }
}

CASE(each_to_an_address_of_its_own)
{
    need_ipv6();
    sk_handle s = MADE(sk_socket(SK_INET6, SK_DGRAM, 0)), r[3];
    r[0] = udp_bound(SK_INET6);
    r[1] = udp_bound(SK_INET);
    r[2] = MADE(sk_socket(SK_INET6, SK_DGRAM, 0));
    CHECK_OK(sk_bind(r[2], NULL, 0));
    numbered(150);
    /* A dual-stack socket sends to both families; so many IPv6 names take more than one call. */
    for (size_t i = 0; i < 150; i++)
        out[i].addr = i % 3 == 2 ? parsed("127.0.0.1", port_of(r[2])) : local_of(r[i % 3]);
    CHECK_GIVES(sk_send_batch(s, out, 150, 0), 150);
    for (size_t k = 0; k < 3; k++) {
        empty_room();
        CHECK_GIVES(sk_recv_batch(r[k], in, MOST, 0), 50);
        for (size_t i = 0; i < 50; i++) {
            check_numbered(i, 3 * i + k, 1);
            check_same(in[i].addr, parsed(k == 0 ? "::1" : "127.0.0.1", port_of(s)));
            CHECK_EQ(in[i].addr.path_len, 0);
            CHECK_EQ(in[i].addr.flow_info, 0);
            CHECK_EQ(in[i].addr.scope_id, 0);
        }
    }
}

CASE(unix_names_both_ways)
{
    sk_addr a, b;
    sk_handle s = unix_bound(SK_DGRAM, 0, &a), r = unix_bound(SK_DGRAM, 0, &b);
    char *folder = make_folder(), path[64];
    snprintf(path, sizeof path, "%s/%s", folder, "a-name-that-is-longer-than-most");
    sk_handle f = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
    CHECK_OK(sk_bind(f, path, 0));
    numbered(10);
    for (size_t i = 0; i < 10; i++) out[i].addr = b;
    out[3].addr = out[8].addr = local_of(f);
    CHECK_GIVES(sk_send_batch(s, out, 10, 0), 10);
    empty_room();
    CHECK_GIVES(sk_recv_batch(r, in, MOST, 0), 8);
    check_numbered(3, 4, 4);
    for (size_t i = 0; i < 8; i++) check_same(in[i].addr, a);
    CHECK_GIVES(sk_recv_batch(f, in, MOST, 0), 2);
    CHECK_GIVES(sk_send_to(f, "x", 1, 0, &b), 1);
    CHECK_GIVES(sk_recv_batch(r, in, MOST, 0), 1);
    check_same(in[0].addr, local_of(f));
    CHECK_TEXT(in[0].addr.path, path);
    remove_folder(folder);
}

CASE(empty_datagrams_are_some)
{
    static const int kinds[] = {PAIR_UDP4, PAIR_UDP6, PAIR_UNIX_DGRAM};
    need_ipv6();
    for (int k = 0; k < 3; k++) {
        sk_handle p[2];
        any_pair(kinds[k], p);
        memset(out, 0, sizeof out);
        out[1].data = numbers[1]; /* NULL and not NULL */
        CHECK_GIVES(sk_send_batch(p[0], out, 3, 0), 3);
        empty_room();
        CHECK_GIVES(sk_recv_batch(p[1], in, MOST, 0), 3);
        for (int i = 0; i < 3; i++) CHECK_EQ(in[i].len, 0);
        CHECK_GIVES(sk_send(p[0], "abc", 3, 0), 3);
        in[0].data = NULL;
        in[0].room = 0;
        CHECK_GIVES(sk_recv_batch(p[1], in, 1, 0), 1);
        CHECK_EQ(in[0].len, 0);
        CHECK_EQ(in[0].flags, SK_TRUNC);
        CHECK_GIVES(sk_send_batch(p[0], NULL, 0, 0), 0);
        CHECK_GIVES(sk_recv_batch(p[1], NULL, 0, 0), 0); /* waits for nothing */
        close_pair(p);
    }
}

CASE(flags_of_a_receive)
{
    need_ipv6();
    for (int k = 0; k < MESSAGE_PAIRS; k++) {
        sk_handle p[2];
        any_pair(message_pairs[k], p);
        memset(out, 0, sizeof out);
        for (int i = 0; i < 3; i++) {
            out[i].data = "0123456789012345678901234567890";
            out[i].len = (size_t)(5 + 10 * i);
        }
        for (int whole = 0; whole < 2; whole++) {
            CHECK_GIVES(sk_send_batch(p[0], out, 3, 0), 3);
            empty_room();
            in[1].room = 4;
            CHECK_GIVES(sk_recv_batch(p[1], in, MOST, SK_PEEK), 1); /* the first one only */
            CHECK_EQ(in[0].len, 5);
            CHECK_EQ(in[1].flags, 0x77777777);
            CHECK_GIVES(sk_recv_batch(p[1], in, MOST, SK_WAITALL | (whole ? SK_TRUNC : 0)), 3);
            CHECK_EQ(in[0].len, 5);
            CHECK_EQ(in[0].flags, 0);
            CHECK_EQ(in[1].len, whole ? 15 : 4);
            CHECK_EQ(in[1].flags, SK_TRUNC);
            CHECK_EQ(in[1].room, 4);
            CHECK_EQ(in[2].len, whole ? 25 : 16);
            CHECK_EQ(in[2].flags, SK_TRUNC);
        }
        CHECK_FAILS(sk_recv_batch(p[1], in, MOST, SK_DONTWAIT), SK_EAGAIN);
        close_pair(p);
    }
}

/* --- Bad input ------------------------------------------------------------------------------ */

CASE(bad_input_is_answered_and_changes_nothing)
{
    sk_handle p[2], closed = MADE(sk_socket(SK_INET, SK_DGRAM, 0)), poller = MADE(sk_poller());
    CHECK_OK(sk_close(closed));
    numbered(3);
    empty_room();
    out[1].data = NULL;
    in[1].data = NULL;
    CHECK_FAILS(sk_send_batch(closed, out, 3, -1), SK_EBADHANDLE);
    CHECK_FAILS(sk_recv_batch(closed, in, 3, -1), SK_EBADHANDLE);
    CHECK_FAILS(sk_send_batch(poller, out, 3, -1), SK_EOPNOTSUPP);
    CHECK_FAILS(sk_recv_batch(poller, in, 3, -1), SK_EOPNOTSUPP);
    for (int k = 0; k < PAIR_KINDS; k++) {
        if (k == PAIR_TCP6 || k == PAIR_UDP6) need_ipv6();
        any_pair(k, p);
        if (is_stream_pair(k)) {
            CHECK_FAILS(sk_send_batch(p[0], out, 3, -1), SK_EOPNOTSUPP);
            CHECK_FAILS(sk_recv_batch(p[0], in, 3, -1), SK_EOPNOTSUPP);
        } else {
            static const int not_in_a_send[] = {SK_PEEK, SK_WAITALL, SK_TRUNC, SK_MORE, 64, -1};
            static const int not_in_a_receive[] = {SK_MORE, 64, -1};
            for (size_t i = 0; i < 6; i++) CHECK_FAILS(sk_send_batch(p[0], out, 1, not_in_a_send[i]), SK_EINVAL);
            for (size_t i = 0; i < 3; i++) CHECK_FAILS(sk_recv_batch(p[0], in, 1, not_in_a_receive[i]), SK_EINVAL);
            CHECK_FAILS(sk_send_batch(p[0], NULL, 1, 0), SK_EINVAL);
            CHECK_FAILS(sk_recv_batch(p[0], NULL, 1, 0), SK_EINVAL);
            CHECK_FAILS(sk_send_batch(p[0], out, SIZE_MAX, 0), SK_EINVAL);
            CHECK_FAILS(sk_recv_batch(p[0], in, SIZE_MAX / 8, 0), SK_EINVAL);
            CHECK_FAILS(sk_send_batch(p[0], out, 3, 0), SK_EINVAL); /* the second one */
            CHECK_FAILS(sk_recv_batch(p[0], in, 3, 0), SK_EINVAL);
            sk_dgram list[2] = {out[0], out[2]};
            list[1].len = SIZE_MAX;
            CHECK_FAILS(sk_send_batch(p[0], list, 2, 0), SK_EINVAL);
            list[1] = out[2];
            list[1].addr.family = 4;
            CHECK_FAILS(sk_send_batch(p[0], list, 2, 0), SK_EINVAL);
            list[1].addr = parsed(k == PAIR_UDP4 ? "::1" : "unix:@x", 0);
            if (k == PAIR_UNIX_DGRAM || k == PAIR_UNIX_SEQPACKET) list[1].addr = parsed("127.0.0.1", 5);
            CHECK_FAILS(sk_send_batch(p[0], list, 2, 0), SK_EAFNOSUPPORT);
            if (k != PAIR_UDP6 && k != PAIR_UDP4) {
                list[1].addr = parsed("unix:@x", 0);
                list[1].addr.path_len = 109;
                CHECK_FAILS(sk_send_batch(p[0], list, 2, 0), SK_EINVAL);
                list[1] = out[2];
                list[1].segment = 1;
                CHECK_FAILS(sk_send_batch(p[0], list, 2, 0), SK_EINVAL);
                static const char *const locals[] = {"127.0.0.1", "::1", "unix:@x"};
                for (int l = 0; l < 3; l++) {
                    sk_addr local = parsed(locals[l], 0);
                    list[1] = out[2];
                    list[1].local = &local;
                    CHECK_FAILS(sk_send_batch(p[0], list, 2, 0), SK_EINVAL);
                }
            } else {
                sk_addr other = parsed(k == PAIR_UDP4 ? "::1" : "unix:@x", 0);
                list[1] = out[2];
                list[1].local = &other;
                CHECK_FAILS(sk_send_batch(p[0], list, 2, 0), SK_EAFNOSUPPORT);
            }
            CHECK_FAILS(sk_recv_batch(p[1], in, 1, SK_DONTWAIT), SK_EAGAIN); /* nothing was sent */
        }
        close_pair(p);
    }
    CHECK_OK(sk_close(poller));
}

/* --- Errors, and that nothing is lost -------------------------------------------------------- */

CASE(an_error_only_where_none_went)
{
    static char big[ROOM];
    sk_handle p[2];
    sk_handle s = MADE(sk_socket(SK_INET, SK_DGRAM, 0));
    numbered(5);
    CHECK_FAILS(sk_send_batch(s, out, 5, 0), SK_EDESTADDRREQ);
    udp_pair(SK_INET, p);
    out[2].data = big;
    out[2].len = sizeof big;
    CHECK_FAILS(sk_send_batch(p[0], out + 2, 3, 0), SK_EMSGSIZE);
    CHECK_FAILS(sk_recv_batch(p[1], in, 0, SK_MORE), SK_EINVAL);
    empty_room();
    CHECK_FAILS(sk_recv_batch(p[1], in, 5, SK_DONTWAIT), SK_EAGAIN);
    /* Two went: they are reported, and the error comes with the next call. */
    CHECK_GIVES(sk_send_batch(p[0], out, 5, 0), 2);
    CHECK_EQ(sk_wait(p[0], SK_PRIORITY, 0), 1); /* an error is pending */
    CHECK_FAILS(sk_send_batch(p[0], out + 3, 2, 0), SK_EMSGSIZE);
    CHECK_GIVES(sk_send_batch(p[0], out + 3, 2, 0), 2);
    CHECK_GIVES(sk_recv_batch(p[1], in, MOST, 0), 4);
    check_numbered(0, 0, 2);
    check_numbered(2, 3, 2);
    close_pair(p);
    CHECK_OK(sk_close(s));
}

CASE(a_refused_datagram_is_told)
{
    sk_handle p[2];
    udp_pair(SK_INET, p);
    CHECK_OK(sk_close(p[1]));
    numbered(3);
    CHECK_GIVES(sk_send_batch(p[0], out, 1, 0), 1);
    CHECK_FAILS(sk_send_batch(p[0], out, 1, 0), SK_ECONNREFUSED);
    CHECK_GIVES(sk_send_batch(p[0], out, 3, 0), 3); /* goes on after each refusal */
    CHECK_FAILS(sk_recv_batch(p[0], in, 1, 0), SK_ECONNREFUSED);
    CHECK_FAILS(sk_recv_batch(p[0], in, 1, SK_DONTWAIT), SK_EAGAIN);
    CHECK_OK(sk_close(p[0]));
}

/* A refusal that comes while several system calls' worth is waiting to be received. */
CASE(an_error_after_some_came_is_told_by_the_next_call)
{
    sk_handle p[2];
    udp_pair(SK_INET, p);
    numbered(128);
    CHECK_GIVES(sk_send_batch(p[1], out, 128, 0), 128);
    CHECK_OK(sk_close(p[1]));
    CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1); /* the refusal is pending now, before the data */
    empty_room();
    CHECK_FAILS(sk_recv_batch(p[0], in, MOST, 0), SK_ECONNREFUSED);
    CHECK_GIVES(sk_recv_batch(p[0], in, MOST, 0), 128);
    check_numbered(0, 0, 128);
    CHECK_OK(sk_close(p[0]));
}

CASE(no_limit_is_needed_for_a_full_queue_to_end_a_batch)
{
    static const int full[] = {PAIR_UNIX_DGRAM, PAIR_UNIX_SEQPACKET};
    for (int k = 0; k < 2; k++) {
        sk_handle p[2];
        any_pair(full[k], p);
        CHECK_OK(sk_set_option(p[0], SK_OPT_SEND_BUFFER, 4096));
        numbered(MOST);
        int64_t n = sk_send_batch(p[0], out, MOST, SK_DONTWAIT);
        CHECK_GT(n, 0);
        CHECK_LT(n, MOST);
        CHECK_FAILS(sk_send_batch(p[0], out, MOST, SK_DONTWAIT), SK_EAGAIN);
        CHECK_OK(sk_set_timeout(p[0], 30));
        int64_t start = now_us();
        CHECK_FAILS(sk_send_batch(p[0], out, MOST, 0), SK_ETIMEDOUT);
        CHECK_GE(now_us() - start, 30000);
        empty_room();
        CHECK_GIVES(sk_recv_batch(p[1], in, MOST, 0), n);
        check_numbered(0, 0, (size_t)n);
        close_pair(p);
    }
}

static void drain_slowly(void *argument)
{
    sk_handle s = *(sk_handle *)argument;
    for (size_t got = 0; got < MOST;) {
        size_t most = got % 2 == 0 ? 1 : 5;
        int64_t n = sk_recv_batch(s, in + got, most < MOST - got ? most : MOST - got, 0);
        CHECK_GT(n, 0);
        got += (size_t)n;
    }
}
CASE(a_send_waits_for_room)
{
    static const int full[] = {PAIR_UNIX_DGRAM, PAIR_UNIX_SEQPACKET};
    for (int k = 0; k < 2; k++) {
        for (int named = 0; named < (k == 0 ? 2 : 1); named++) {
            sk_handle p[2];
            struct thread t;
            any_pair(full[k], p);
            CHECK_OK(sk_set_option(p[0], SK_OPT_SEND_BUFFER, 4096));
            numbered(MOST);
            empty_room();
            sk_handle to = p[1], s = p[0], extra = SK_INVALID_HANDLE;
            if (named) { /* not connected: only a helper socket can tell */
                sk_addr name;
                to = unix_bound(SK_DGRAM, 0, &name);
                s = extra = MADE(sk_socket(SK_UNIX, SK_DGRAM, 0));
                for (size_t i = 0; i < MOST; i++) out[i].addr = name;
            }
            thread_start(&t, drain_slowly, &to);
            CHECK_GIVES(sk_send_batch(s, out, MOST, 0), MOST);
            thread_join(&t);
            check_numbered(0, 0, MOST);
            if (named) {
                CHECK_OK(sk_close(to));
                CHECK_OK(sk_close(extra));
            }
            close_pair(p);
        }
    }
}

CASE(the_end)
{
    sk_handle p[2];
    unix_pair(SK_SEQPACKET, p);
    numbered(3);
    empty_room();
    CHECK_GIVES(sk_send_batch(p[0], out, 3, 0), 3);
    CHECK_OK(sk_close(p[0]));
    CHECK_GIVES(sk_recv_batch(p[1], in, MOST, 0), 3);
    check_numbered(0, 0, 3);
    CHECK_GIVES(sk_recv_batch(p[1], in, MOST, 0), 0);
    CHECK_GIVES(sk_recv_batch(p[1], in, MOST, SK_DONTWAIT), 0);
    CHECK_FAILS(sk_send_batch(p[1], out, 3, 0), SK_EPIPE); /* and no SIGPIPE */
    CHECK_OK(sk_close(p[1]));
    udp_pair(SK_INET, p);
    CHECK_GIVES(sk_send_batch(p[0], out, 3, 0), 3);
    CHECK_OK(sk_shutdown(p[1], SK_SHUT_READ));
    CHECK_GIVES(sk_recv_batch(p[1], in, MOST, 0), 3);
    CHECK_GIVES(sk_recv_batch(p[1], in, MOST, 0), 0);
    CHECK_OK(sk_shutdown(p[1], SK_SHUT_WRITE));
    CHECK_FAILS(sk_send_batch(p[1], out, 3, 0), SK_EPIPE);
    close_pair(p);
}

static void receive_the_end(void *s)
{
    CHECK_GIVES(sk_recv_batch(*(sk_handle *)s, in, MOST, 0), 0);
}
/* An end is no empty datagram, though an empty one of nobody may have come before it. */
CASE(the_end_of_a_unix_datagram_socket)
{
    for (int round = 0; round < 4; round++) {
        sk_handle p[2], copy = SK_INVALID_HANDLE;
        struct thread t;
        unix_pair(SK_DGRAM, p);
        if (round % 2 == 1) copy = MADE(sk_dup(p[0]));
        if (round >= 2) CHECK_OK(sk_set_timeout(p[0], 5000));
        memset(out, 0, sizeof out);
        empty_room();
        CHECK_GIVES(sk_send_batch(p[1], out, 2, 0), 2);
        CHECK_GIVES(sk_recv_batch(p[0], in, 1, 0), 1);
        CHECK_OK(sk_shutdown(p[0], SK_SHUT_READ));
        CHECK_GIVES(sk_recv_batch(p[0], in, MOST, 0), 1);
        for (int again = 0; again < 2; again++) receive_the_end(&p[0]);
        CHECK_EQ(in[1].flags, 0x77777777);
        thread_start(&t, receive_the_end, &p[1]);
        wait_until_asleep(&t);
        CHECK_OK(sk_shutdown(p[1], SK_SHUT_READ));
        thread_join(&t);
        if (round % 2 == 1) CHECK_OK(sk_close(copy));
        close_pair(p);
    }
}
