/* Multicast groups and broadcast, with real packets between namespaces: see network.h. */
#include "network.h"

static sk_addr addr(const char *text)
{
    sk_addr a;
    CHECK_OK(sk_addr_parse(text, &a));
    return a;
}
static sk_addr addr_port(const char *text, uint16_t port)
{
    sk_addr a = addr(text);
    a.port = port;
    return a;
}

enum { PORT = 5000 };
static const int families[] = {SK_INET, SK_INET6};
static const char *group_of(int family) { return family == SK_INET ? "239.77.0.1" : "ff15::77"; }
static const char *source_of(int family, int which)
{
    static const char *const text[2][2] = {{"10.77.1.1", "10.77.1.3"}, {"fd77:1::1", "fd77:1::3"}};
    return text[family == SK_INET6][which];
}
static const char *far_of(int family, int net)
{
    static const char *const text[2][2] = {{"10.77.1.2", "10.77.2.2"}, {"fd77:1::2", "fd77:2::2"}};
    return text[family == SK_INET6][net - 1];
}

/* A receiver of the namespace that we are in. */
static sk_handle receiver(int family)
{
    sk_handle s = MADE(sk_socket(family, SK_DGRAM, 0));
    CHECK_OK(sk_set_option(s, SK_OPT_REUSE_ADDR, 1));
    CHECK_OK(sk_bind(s, NULL, PORT));
    CHECK_OK(sk_set_timeout(s, 5000));
    return s;
}
/* A sender in A, from one of its two addresses towards B, whose multicast leaves by an interface. */
static sk_handle sender(int family, int which, const char *interface)
{
    sk_handle s = MADE(sk_socket(family, SK_DGRAM, 0));
    if (which >= 0) CHECK_OK(sk_bind(s, source_of(family, which), 0));
    CHECK_OK(sk_set_option(s, SK_OPT_MULTICAST_INTERFACE, if_nametoindex(interface)));
    return s;
}
static void send_text(sk_handle s, const char *to, const char *text)
{
    sk_addr a = addr_port(to, PORT);
    CHECK_GIVES(sk_send_to(s, text, strlen(text), 0, &a), strlen(text));
}
/* The next datagram is this one, and no earlier one is missing: links keep the order. */
static void hears(sk_handle r, const char *text)
{
    char b[32] = "";
    CHECK_GIVES(sk_recv(r, b, sizeof b - 1, 0), strlen(text));
    CHECK_TEXT(b, text);
}

/* The code, with the system's own errno. */
#define CHECK_NO_DEVICE(call)                                                                      \
    do {                                                                                           \
        CHECK_EQ(call, SK_ENOENT);                                                                 \
        CHECK_EQ(errno, ENODEV);                                                                   \
    } while (0)

/* --- Membership ---------------------------------------------------------------------------------- */

CASE(a_member_hears_its_group)
{
    struct network n = make_network();
    for (int f = 0; f < 2; f++) {
        int family = families[f];
        sk_addr group = addr(group_of(family));
        enter(n.b);
        sk_handle one = receiver(family), other = receiver(family);
        CHECK_OK(sk_join_group(one, &group, NULL, "ba"));
        CHECK_OK(sk_join_group(other, &group, NULL, "ba"));
        enter(n.c);
        sk_handle third = receiver(family), outsider;
        CHECK_OK(sk_join_group(third, &group, NULL, "ca"));
        enter(n.a);
        sk_handle b = sender(family, -1, "ab"), c = sender(family, -1, "ac");
        send_text(b, group_of(family), "to b");
        hears(one, "to b");
        hears(other, "to b");
        send_text(c, group_of(family), "to c"); /* by the other interface */
        hears(third, "to c");
        enter(n.b);
        CHECK_OK(sk_leave_group(one, &group, NULL, "ba"));
        CHECK_OK(sk_leave_group(other, &group, NULL, "ba"));
        enter(n.c);
        CHECK_OK(sk_leave_group(third, &group, NULL, "ca"));
        outsider = receiver(family);
        enter(n.a);
        send_text(b, group_of(family), "nobody");
        send_text(b, far_of(family, 1), "unicast");
        send_text(c, group_of(family), "nobody");
        send_text(c, far_of(family, 2), "unicast");
        hears(outsider, "unicast"); /* of several, the last one bound gets it */
        CHECK_OK(sk_set_timeout(one, 0));
        CHECK_OK(sk_set_timeout(third, 0));
        char text[8];
        CHECK_FAILS(sk_recv(one, text, 8, 0), SK_EAGAIN);
        CHECK_FAILS(sk_recv(third, text, 8, 0), SK_EAGAIN);
        hears(other, "unicast");
        CHECK_OK(sk_close(one));
        CHECK_OK(sk_close(other));
        CHECK_OK(sk_close(third));
        CHECK_OK(sk_close(outsider));
    }
}

/* NULL is the interface that the system has a route by. */
CASE(the_systems_choice_of_interface)
{
    struct network n = make_network();
    for (int f = 0; f < 2; f++) {
        int family = families[f];
        sk_addr group = addr(group_of(family));
        enter(n.b);
        sk_handle r = receiver(family);
        if (family == SK_INET) {
            CHECK_NO_DEVICE(sk_join_group(r, &group, NULL, NULL)); /* no route */
            CHECK_NO_DEVICE(sk_leave_group(r, &group, NULL, NULL));
            shell("ip route add 239.0.0.0/8 dev ba");
        }
        CHECK_OK(sk_join_group(r, &group, NULL, NULL));
        CHECK_FAILS(sk_join_group(r, &group, NULL, NULL), SK_EADDRINUSE);
        if (family == SK_INET) CHECK_FAILS(sk_join_group(r, &group, NULL, "ba"), SK_EADDRINUSE);
        enter(n.a);
        send_text(sender(family, -1, "ab"), group_of(family), "hello");
        hears(r, "hello");
        enter(n.b);
        CHECK_OK(sk_leave_group(r, &group, NULL, NULL));
        CHECK_FAILS(sk_leave_group(r, &group, NULL, NULL), SK_EADDRNOTAVAIL);
        sk_addr source = addr(source_of(family, 0));
        CHECK_OK(sk_join_group(r, &group, &source, NULL));
        CHECK_OK(sk_leave_group(r, &group, &source, NULL));
    }
}

CASE(where_there_is_no_network)
{
    become_root();
    new_namespace();
    sk_handle s4 = MADE(sk_socket(SK_INET, SK_DGRAM, 0)), s6 = MADE(sk_socket(SK_INET6, SK_DGRAM, 0));
    sk_addr group4 = addr(group_of(SK_INET)), group6 = addr(group_of(SK_INET6));
    CHECK_NO_DEVICE(sk_join_group(s4, &group4, NULL, NULL));
    CHECK_NO_DEVICE(sk_join_group(s6, &group6, NULL, NULL));
    CHECK_NO_DEVICE(sk_join_group(s6, &group4, NULL, NULL));
    CHECK_FAILS(sk_join_group(s4, &group4, NULL, "eth0"), SK_ENOENT);
}

CASE(joining_twice_and_leaving_what_was_not_joined)
{
    struct network n = make_network();
    for (int f = 0; f < 2; f++) {
        int family = families[f];
        sk_addr group = addr(group_of(family)), other = group;
        sk_addr one = addr(source_of(family, 0)), two = addr(source_of(family, 1));
        other.ip[family == SK_INET ? 3 : 15] ^= 1;
        enter(n.b);
        sk_handle s = receiver(family);
        CHECK_FAILS(sk_leave_group(s, &group, NULL, "ba"), SK_EADDRNOTAVAIL);
        CHECK_FAILS(sk_leave_group(s, &group, &one, "ba"), SK_EADDRNOTAVAIL);
        CHECK_OK(sk_join_group(s, &group, NULL, "ba"));
        CHECK_FAILS(sk_join_group(s, &group, NULL, "ba"), SK_EADDRINUSE);
        CHECK_OK(sk_join_group(s, &group, NULL, "lo")); /* another interface is another membership */
        CHECK_OK(sk_leave_group(s, &group, NULL, "lo"));
        CHECK_FAILS(sk_leave_group(s, &other, NULL, "ba"), SK_EADDRNOTAVAIL);
        CHECK_FAILS(sk_leave_group(s, &group, NULL, "lo"), SK_EADDRNOTAVAIL);
        CHECK_OK(sk_leave_group(s, &group, NULL, "ba"));
        CHECK_FAILS(sk_leave_group(s, &group, NULL, "ba"), SK_EADDRNOTAVAIL);
        /* the same with sources */
        CHECK_OK(sk_join_group(s, &group, &one, "ba"));
        CHECK_FAILS(sk_join_group(s, &group, &one, "ba"), SK_EADDRINUSE);
        CHECK_FAILS(sk_leave_group(s, &group, &two, "ba"), SK_EADDRNOTAVAIL);
        CHECK_FAILS(sk_join_group(s, &group, NULL, "ba"), SK_EADDRINUSE);
        CHECK_OK(sk_join_group(s, &group, &two, "ba"));
        CHECK_FAILS(sk_join_group(s, &group, &two, "ba"), SK_EADDRINUSE);
        CHECK_OK(sk_leave_group(s, &group, &one, "ba"));
        CHECK_FAILS(sk_leave_group(s, &group, &one, "ba"), SK_EADDRNOTAVAIL);
        CHECK_OK(sk_leave_group(s, &group, NULL, "ba")); /* with all its sources */
        CHECK_FAILS(sk_leave_group(s, &group, &two, "ba"), SK_EADDRNOTAVAIL);
        CHECK_OK(sk_join_group(s, &group, NULL, "ba"));
        CHECK_OK(sk_close(s));
    }
}

CASE(named_sources_are_heard_and_others_are_not)
{
    struct network n = make_network();
    for (int f = 0; f < 2; f++) {
        int family = families[f];
        sk_addr group = addr(group_of(family)), one = addr(source_of(family, 0)), two = addr(source_of(family, 1));
        enter(n.b);
        sk_handle r = receiver(family);
        CHECK_OK(sk_join_group(r, &group, &one, "ba"));
        enter(n.a);
        sk_handle s1 = sender(family, 0, "ab"), s2 = sender(family, 1, "ab");
        send_text(s2, group_of(family), "two");
        send_text(s1, group_of(family), "one");
        hears(r, "one");
        enter(n.b);
        CHECK_OK(sk_join_group(r, &group, &two, "ba"));
        send_text(s2, group_of(family), "two");
        send_text(s1, group_of(family), "one");
        hears(r, "two");
        hears(r, "one");
        CHECK_OK(sk_leave_group(r, &group, &one, "ba"));
        send_text(s1, group_of(family), "one");
        send_text(s2, group_of(family), "two");
        hears(r, "two");
        CHECK_OK(sk_leave_group(r, &group, &two, "ba"));
        send_text(s2, group_of(family), "two");
        send_text(s2, far_of(family, 1), "end");
        hears(r, "end");
        CHECK_OK(sk_close(r));
    }
}

/* The kernel would make a membership of any source one of named sources, and say that it failed. */
CASE(a_source_does_not_narrow_a_membership_of_any)
{
    struct network n = make_network();
    for (int f = 0; f < 2; f++) {
        int family = families[f];
        sk_addr group = addr(group_of(family)), one = addr(source_of(family, 0));
        enter(n.b);
        sk_handle r = receiver(family);
        CHECK_OK(sk_join_group(r, &group, NULL, "ba"));
        CHECK_FAILS(sk_join_group(r, &group, &one, "ba"), SK_EADDRINUSE);
        enter(n.a);
        sk_handle s2 = sender(family, 1, "ab");
        send_text(s2, group_of(family), "two");
        hears(r, "two");
        enter(n.b);
        CHECK_FAILS(sk_leave_group(r, &group, &one, "ba"), SK_EADDRNOTAVAIL);
        send_text(s2, group_of(family), "three");
        hears(r, "three");
        CHECK_OK(sk_leave_group(r, &group, NULL, "ba"));
        CHECK_OK(sk_close(r));
    }
}

CASE(a_dual_stack_socket_hears_groups_of_both_families)
{
    struct network n = make_network();
    sk_addr group4 = addr(group_of(SK_INET)), group6 = addr(group_of(SK_INET6)), source = addr(source_of(SK_INET, 0)), from;
    char b[16];
    enter(n.b);
    sk_handle r = receiver(SK_INET6);
    CHECK_OK(sk_join_group(r, &group4, NULL, "ba"));
    CHECK_OK(sk_join_group(r, &group6, NULL, "ba"));
    CHECK_FAILS(sk_join_group(r, &group4, NULL, "ba"), SK_EADDRINUSE);
    enter(n.a);
    sk_handle s4 = sender(SK_INET, 0, "ab"), s6 = sender(SK_INET6, 0, "ab");
    /* and a dual-stack socket sends to both */
    sk_handle both = sender(SK_INET6, -1, "ab");
    send_text(s4, group_of(SK_INET), "v4");
    CHECK_GIVES(sk_recv_from(r, b, sizeof b, 0, &from), 2);
    CHECK_EQ(from.family, SK_INET);
    CHECK_EQ(memcmp(from.ip, source.ip, 4), 0);
    send_text(s6, group_of(SK_INET6), "v6");
    CHECK_GIVES(sk_recv_from(r, b, sizeof b, 0, &from), 2);
    CHECK_EQ(from.family, SK_INET6);
    send_text(both, group_of(SK_INET), "both, v4");
    send_text(both, group_of(SK_INET6), "both, v6");
    hears(r, "both, v4");
    hears(r, "both, v6");
    enter(n.b);
    CHECK_OK(sk_leave_group(r, &group4, NULL, "ba"));
    CHECK_OK(sk_join_group(r, &group4, &source, "ba"));
    send_text(both, group_of(SK_INET), "of the kernel's choice"); /* .1 too */
    hears(r, "of the kernel's choice");
    CHECK_OK(sk_leave_group(r, &group4, NULL, "ba"));
    send_text(s4, group_of(SK_INET), "v4");
    send_text(s6, group_of(SK_INET6), "v6");
    hears(r, "v6");
    CHECK_OK(sk_close(r));
}

CASE(a_groups_scope_names_the_interface)
{
    struct network n = make_network();
    enter(n.b);
    sk_handle r = receiver(SK_INET6);
    sk_addr group = addr("ff02::77%ba"), other = addr("ff02::77%lo");
    CHECK_NE(group.scope_id, other.scope_id);
    CHECK_OK(sk_join_group(r, &group, NULL, NULL));
    CHECK_FAILS(sk_join_group(r, &group, NULL, "ba"), SK_EADDRINUSE);
    CHECK_FAILS(sk_leave_group(r, &other, NULL, NULL), SK_EADDRNOTAVAIL);
    CHECK_FAILS(sk_leave_group(r, &other, NULL, "ba"), SK_EINVAL); /* they contradict each other */
    CHECK_FAILS(sk_join_group(r, &other, NULL, "ba"), SK_EINVAL);
    enter(n.a);
    sk_handle s = sender(SK_INET6, -1, "ab");
    sk_addr to = addr_port("ff02::77%ab", PORT);
    CHECK_GIVES(sk_send_to(s, "scoped", 6, 0, &to), 6);
    hears(r, "scoped");
    enter(n.b);
    CHECK_OK(sk_leave_group(r, &group, NULL, "ba"));
    group.scope_id = 4711;
    CHECK_NO_DEVICE(sk_join_group(r, &group, NULL, NULL));
    group.scope_id = UINT32_MAX;
    CHECK_NO_DEVICE(sk_join_group(r, &group, NULL, NULL));
}

/* A group is left with the last copy of the socket. */
CASE(a_membership_is_the_sockets)
{
    struct network n = make_network();
    sk_addr group = addr(group_of(SK_INET));
    enter(n.b);
    sk_handle r = receiver(SK_INET);
    CHECK_OK(sk_join_group(r, &group, NULL, "ba"));
    sk_handle d = MADE(sk_dup(r));
    CHECK_OK(sk_set_timeout(d, 5000));
    CHECK_FAILS(sk_join_group(d, &group, NULL, "ba"), SK_EADDRINUSE);
    CHECK_OK(sk_close(r));
    enter(n.a);
    sk_handle s = sender(SK_INET, -1, "ab");
    send_text(s, group_of(SK_INET), "still");
    hears(d, "still");
    CHECK_OK(sk_close(d));
    enter(n.b);
    CHECK_EQ(system("grep -q '  *01004DEF ' /proc/self/net/igmp"), 1 << 8); /* 239.77.0.1 */
    sk_handle again = receiver(SK_INET);
    CHECK_OK(sk_join_group(again, &group, NULL, "ba"));
    CHECK_EQ(system("grep -q '01004DEF' /proc/self/net/igmp"), 0);
}

static void hear_in_child(void *argument)
{
    sk_handle r = *(sk_handle *)argument;
    sk_addr other = addr("239.77.0.2");
    hears(r, "before");
    CHECK_OK(sk_join_group(r, &other, NULL, "ba"));
    CHECK_OK(sk_close(r));
}
CASE(processes_share_a_membership)
{
    struct network n = make_network();
    sk_addr group = addr(group_of(SK_INET)), other = addr("239.77.0.2");
    enter(n.b);
    sk_handle r = receiver(SK_INET);
    CHECK_OK(sk_join_group(r, &group, NULL, "ba"));
    enter(n.a);
    sk_handle s = sender(SK_INET, -1, "ab");
    send_text(s, group_of(SK_INET), "before");
    enter(n.b);
    in_child(hear_in_child, &r);
    CHECK_FAILS(sk_join_group(r, &other, NULL, "ba"), SK_EADDRINUSE); /* the child did */
    send_text(s, "239.77.0.2", "after");
    hears(r, "after");
}

CASE(more_groups_than_the_system_permits)
{
    struct network n = make_network();
    enter(n.b);
    shell("echo 3 > /proc/sys/net/ipv4/igmp_max_memberships");
    sk_handle s = receiver(SK_INET);
    sk_addr group = addr(group_of(SK_INET));
    for (int i = 0; i < 3; i++, group.ip[3]++) CHECK_OK(sk_join_group(s, &group, NULL, "ba"));
    CHECK_FAILS(sk_join_group(s, &group, NULL, "ba"), SK_ENOBUFS);
}

/* --- Bad input -------------------------------------------------------------------------------------- */

CASE(what_is_no_group)
{
    need_ipv6();
    sk_handle s4 = MADE(sk_socket(SK_INET, SK_DGRAM, 0)), s6 = MADE(sk_socket(SK_INET6, SK_DGRAM, 0));
    static const char *const none4[] = {"10.0.0.1", "0.0.0.0", "255.255.255.255", "223.255.255.255", "240.0.0.0"};
    static const char *const none6[] = {"::1", "::", "fe80::1", "fe00::1", "2001:db8::1"};
    for (int i = 0; i < 5; i++) {
        sk_addr bad4 = addr(none4[i]), bad6 = addr(none6[i]);
        CHECK_FAILS(sk_join_group(s4, &bad4, NULL, "lo"), SK_EINVAL);
        CHECK_FAILS(sk_join_group(s6, &bad4, NULL, "lo"), SK_EINVAL);
        CHECK_FAILS(sk_join_group(s6, &bad6, NULL, "lo"), SK_EINVAL);
        CHECK_FAILS(sk_leave_group(s4, &bad4, NULL, "lo"), SK_EINVAL);
        CHECK_FAILS(sk_leave_group(s6, &bad6, &bad6, NULL), SK_EINVAL);
    }
    sk_addr group4 = addr("239.1.2.3"), group6 = addr("ff15::1"), any4 = addr("0.0.0.0"), any6 = addr("::");
    CHECK_FAILS(sk_join_group(s4, &group4, &group4, "lo"), SK_EINVAL); /* no source */
    CHECK_FAILS(sk_join_group(s4, &group4, &any4, "lo"), SK_EINVAL);
    CHECK_FAILS(sk_join_group(s6, &group6, &any6, "lo"), SK_EINVAL);
    CHECK_FAILS(sk_join_group(s6, &group6, &group6, "lo"), SK_EINVAL);
    CHECK_FAILS(sk_join_group(s4, NULL, NULL, NULL), SK_EINVAL);
    CHECK_FAILS(sk_leave_group(s4, NULL, &any4, "lo"), SK_EINVAL);
    group4.family = 99;
    CHECK_FAILS(sk_join_group(s4, &group4, NULL, "lo"), SK_EINVAL);
}

CASE(families_that_do_not_fit)
{
    need_ipv6();
    sk_handle s4 = MADE(sk_socket(SK_INET, SK_DGRAM, 0)), s6 = MADE(sk_socket(SK_INET6, SK_DGRAM, 0));
    sk_addr group4 = addr("239.1.2.3"), group6 = addr("ff15::1"), one4 = addr("10.0.0.1"), one6 = addr("fd00::1");
    sk_addr unix_path = addr("unix:/tmp/x"), none;
    memset(&none, 0, sizeof none);
    CHECK_FAILS(sk_join_group(s4, &group6, NULL, "lo"), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_join_group(s4, &unix_path, NULL, "lo"), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_join_group(s4, &none, NULL, "lo"), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_join_group(s4, &group4, &one6, "lo"), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_join_group(s6, &group4, &one6, "lo"), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_join_group(s6, &group6, &one4, "lo"), SK_EAFNOSUPPORT);
    CHECK_FAILS(sk_leave_group(s6, &group6, &one4, "lo"), SK_EAFNOSUPPORT);
    CHECK_OK(sk_set_option(s6, SK_OPT_V6ONLY, 1));
    CHECK_FAILS(sk_join_group(s6, &group4, NULL, "lo"), SK_EAFNOSUPPORT);
    CHECK_OK(sk_join_group(s6, &group6, NULL, "lo"));
    CHECK_OK(sk_leave_group(s6, &group6, NULL, "lo"));
}

CASE(interfaces_that_are_none)
{
    sk_handle s = MADE(sk_socket(SK_INET, SK_DGRAM, 0));
    sk_addr group = addr("239.1.2.3");
    CHECK_FAILS(sk_join_group(s, &group, NULL, "no-such-if"), SK_ENOENT);
    CHECK_FAILS(sk_join_group(s, &group, NULL, ""), SK_ENOENT);
    CHECK_FAILS(sk_join_group(s, &group, NULL, "lo:1"), SK_ENOENT);
    CHECK_FAILS(sk_join_group(s, &group, NULL, "fifteen-letters"), SK_ENOENT);
    CHECK_FAILS(sk_join_group(s, &group, NULL, "sixteen-letters!"), SK_ENAMETOOLONG);
    CHECK_FAILS(sk_leave_group(s, &group, NULL, "no-such-if"), SK_ENOENT);
    CHECK_FAILS(sk_leave_group(s, &group, NULL, "sixteen-letters!"), SK_ENAMETOOLONG);
    CHECK_OK(sk_join_group(s, &group, NULL, "lo"));
}

CASE(handles_that_can_not)
{
    sk_addr group = addr("239.1.2.3");
    sk_handle p[2], tcp = MADE(sk_socket(SK_INET, SK_STREAM, 0)), poller = MADE(sk_poller());
    unix_pair(SK_DGRAM, p);
    const sk_handle other[] = {tcp, poller, p[0]};
    for (int i = 0; i < 3; i++) {
        CHECK_FAILS(sk_join_group(other[i], &group, NULL, "lo"), SK_EOPNOTSUPP);
        CHECK_FAILS(sk_leave_group(other[i], NULL, NULL, NULL), SK_EOPNOTSUPP); /* before the rest */
    }
    close_pair(p);
    CHECK_FAILS(sk_join_group(p[0], &group, NULL, "lo"), SK_EBADHANDLE);
    CHECK_FAILS(sk_leave_group(p[0], NULL, NULL, NULL), SK_EBADHANDLE);
    CHECK_FAILS(sk_join_group(0, &group, NULL, "lo"), SK_EBADHANDLE);
}

/* What `local` says of a datagram to a group is fit to answer with: by the interface that it came by,
 * from an address of it. */
CASE(who_asked_a_group_is_answered)
{
    struct network n = make_network();
    static const char *const groups[] = {"239.77.0.1", "ff15::77", "ff02::1234"};
    enter(n.b);
    unsigned index = if_nametoindex("ba");
    for (int i = 0; i < 4; i++) { /* the last time IPv4 on a dual-stack socket */
        int family = i == 0 ? SK_INET : SK_INET6;
        sk_addr group = addr(groups[i % 3]), local, asker = addr_port(source_of(i % 3 == 0 ? SK_INET : SK_INET6, 0), 0);
        char b[8] = "";
        sk_dgram d;
        enter(n.b);
        sk_handle r = receiver(family);
        CHECK_OK(sk_set_option(r, SK_OPT_PKTINFO, 1));
        CHECK_OK(sk_join_group(r, &group, NULL, "ba"));
        enter(n.a);
        sk_handle s = sender(asker.family, 0, "ab");
        group.scope_id = i == 2 ? if_nametoindex("ab") : 0;
        group.port = PORT;
        CHECK_GIVES(sk_send_to(s, "who", 3, 0, &group), 3);
        memset(&d, 0, sizeof d);
        memset(&local, 0x77, sizeof local);
        d.data = b;
        d.room = sizeof b;
        d.local = &local;
        CHECK_GIVES(sk_recv_batch(r, &d, 1, 0), 1);
        asker.port = port_of(s);
        CHECK_EQ(sk_addr_equal(&d.addr, &asker), 1);
        CHECK_EQ(local.port, PORT);
        if (asker.family == SK_INET) {
            sk_addr own = addr_port("10.77.1.2", PORT);
            CHECK_EQ(sk_addr_equal(&local, &own), 1);
        } else {
            sk_addr own = addr_port("::", PORT);
            own.scope_id = index;
            CHECK_EQ(sk_addr_equal(&local, &own), 1);
        }
        CHECK_GIVES(sk_send_batch(r, &d, 1, 0), 1); /* with the very same */
        CHECK_OK(sk_set_timeout(s, 5000));
        CHECK_GIVES(sk_recv_from(s, b, sizeof b, 0, &local), 3);
        sk_addr answerer = addr_port(far_of(asker.family, 1), PORT);
        CHECK_EQ(sk_addr_equal(&local, &answerer), 1);
        CHECK_OK(sk_close(r));
        CHECK_OK(sk_close(s));
    }
}

/* --- Addresses, without loopback's many zeros --------------------------------------------------------- */

/* ip(8) waits while others of these take their networks down. */
CASE_WITHIN(an_ipv6_senders_address_is_whole, 90)
{
    become_root();
    new_namespace();
    if (system("ip link set lo up && ip addr add fd77:1:2:3::5/64 dev lo nodad && ip addr add fe80::5/64 dev lo nodad") != 0)
        SKIP("no IPv6 here, or no ip(8)");
    static const char *const texts[] = {"fd77:1:2:3::5", "fe80::5%lo"};
    for (int i = 0; i < 2; i++) {
        sk_handle r = MADE(sk_socket(SK_INET6, SK_DGRAM, 0)), s = MADE(sk_socket(SK_INET6, SK_DGRAM, 0));
        sk_addr own = addr(texts[i]), from;
        char b[8];
        CHECK_OK(sk_bind_addr(r, &own));
        CHECK_OK(sk_bind_addr(s, &own));
        own.port = port_of(r);
        do { /* an address is new, and may take a moment */
            CHECK_GIVES(sk_send_to(s, "x", 1, 0, &own), 1);
        } while (sk_wait(r, SK_READABLE, 200) == 0);
        memset(&from, 0xaa, sizeof from);
        CHECK_GIVES(sk_recv_from(r, b, sizeof b, 0, &from), 1);
        own.port = port_of(s);
        CHECK_EQ(sk_addr_equal(&from, &own), 1);
        CHECK_EQ(from.scope_id, i == 0 ? 0 : if_nametoindex("lo"));
        CHECK_EQ(from.flow_info, 0);
        CHECK_EQ(from.path_len, 0);
        CHECK_GIVES(sk_send_to(r, "back", 4, 0, &from), 4);
        CHECK_GIVES(sk_recv(s, b, sizeof b, 0), 4);
    }
}

/* --- Options, with packets ----------------------------------------------------------------------------- */

CASE(broadcast_needs_its_option)
{
    struct network n = make_network();
    enter(n.b);
    sk_handle one = receiver(SK_INET), other = receiver(SK_INET), dual = receiver(SK_INET6);
    enter(n.a);
    sk_handle s = MADE(sk_socket(SK_INET, SK_DGRAM, 0)), s6 = MADE(sk_socket(SK_INET6, SK_DGRAM, 0));
    sk_addr to = addr_port("10.77.1.255", PORT);
    CHECK_FAILS(sk_send_to(s, "x", 1, 0, &to), SK_EACCES);
    CHECK_FAILS(sk_connect_addr(s, &to), SK_EACCES);
    CHECK_OK(sk_set_option(s, SK_OPT_BROADCAST, 1));
    send_text(s, "10.77.1.255", "all");
    hears(one, "all");
    hears(other, "all");
    hears(dual, "all");
    CHECK_OK(sk_set_option(s6, SK_OPT_BROADCAST, 1));
    send_text(s6, "10.77.1.255", "dual");
    hears(one, "dual");
    CHECK_OK(sk_set_option_text(s, SK_OPT_BIND_DEVICE, "ab"));
    send_text(s, "255.255.255.255", "limited");
    hears(one, "limited");
    CHECK_OK(sk_set_option(s, SK_OPT_BROADCAST, 0));
    CHECK_FAILS(sk_send_to(s, "x", 1, 0, &to), SK_EACCES);
}

CASE(loop_and_ttl)
{
    struct network n = make_network();
    for (int f = 0; f < 2; f++) {
        int family = families[f];
        sk_addr group = addr(group_of(family));
        enter(n.a);
        sk_handle here = receiver(family), s = sender(family, -1, "ab");
        CHECK_OK(sk_join_group(here, &group, NULL, "ab"));
        enter(n.b);
        sk_handle there = receiver(family);
        CHECK_OK(sk_join_group(there, &group, NULL, "ba"));
        send_text(s, group_of(family), "on");
        hears(here, "on");
        hears(there, "on");
        CHECK_OK(sk_set_option(s, SK_OPT_MULTICAST_LOOP, 0));
        send_text(s, group_of(family), "off");
        hears(there, "off");
        CHECK_OK(sk_set_option(s, SK_OPT_MULTICAST_LOOP, 1));
        CHECK_OK(sk_set_option(s, SK_OPT_MULTICAST_TTL, 0)); /* not beyond this machine */
        send_text(s, group_of(family), "near");
        hears(here, "near");
        CHECK_OK(sk_set_option(s, SK_OPT_MULTICAST_TTL, 7));
        /* what comes has this many hops left */
        int on = 1, fd = (int)sk_fd(there), level = family == SK_INET ? IPPROTO_IP : IPPROTO_IPV6;
        CHECK_EQ(setsockopt(fd, level, family == SK_INET ? IP_RECVTTL : IPV6_RECVHOPLIMIT, &on, sizeof on), 0);
        send_text(s, group_of(family), "far");
        char text[8];
        union {
            struct cmsghdr align;
            char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec into = {text, sizeof text};
        struct msghdr m;
        memset(&m, 0, sizeof m);
        m.msg_iov = &into;
        m.msg_iovlen = 1;
        m.msg_control = &control;
        m.msg_controllen = sizeof control;
        CHECK_EQ(recvmsg(fd, &m, 0), 3);
        CHECK_EQ(memcmp(text, "far", 3), 0);
        CHECK(CMSG_FIRSTHDR(&m) != NULL);
        CHECK_EQ(*(int *)(void *)CMSG_DATA(CMSG_FIRSTHDR(&m)), 7);
        hears(here, "far");
        CHECK_OK(sk_close(here));
        CHECK_OK(sk_close(there));
    }
}
