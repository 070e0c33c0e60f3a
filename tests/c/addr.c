/* Addresses as values: parsing, the canonical form, comparing, struct sockaddr. */
#include "check.h"
#include <arpa/inet.h>
#include <net/if.h>

static sk_addr parsed(const char *text)
{
    sk_addr a;
    memset(&a, 0x77, sizeof a);
    errno = ERRNO_UNTOUCHED;
    int r = sk_addr_parse(text, &a);
    if (r != SK_OK) FAIL("sk_addr_parse(\"%s\") is %s", text, sk_error_name(r));
    CHECK_EQ(errno, ERRNO_UNTOUCHED);
    return a;
}

static void check_format(const sk_addr *a, const char *want)
{
    char text[SK_ADDR_STRLEN];
    memset(text, 'x', sizeof text);
    errno = ERRNO_UNTOUCHED;
    int n = sk_addr_format(a, text, sizeof text);
    if (n != (int)strlen(want) || strcmp(text, want) != 0)
        FAIL("formatted as \"%.*s\" (%d), wanted \"%s\"", n < 0 ? 0 : (int)sizeof text - 1, text, n, want);
    CHECK_EQ(errno, ERRNO_UNTOUCHED);
}

static void both_ways(const char *text, const char *canonical)
{
    sk_addr a = parsed(text);
    check_format(&a, canonical);
    sk_addr b = parsed(canonical);
    CHECK_GIVES(sk_addr_equal(&a, &b), 1);
}

CASE(ipv4_texts)
{
    sk_addr a = parsed("127.0.0.1:80");
    CHECK_EQ(a.family, SK_INET);
    CHECK_EQ(a.port, 80);
    CHECK(memcmp(a.ip, "\x7f\0\0\x01", 4) == 0);
    CHECK(a.scope_id == 0 && a.flow_info == 0 && a.path_len == 0);
    a = parsed("10.0.0.1");
    CHECK_EQ(a.port, 0);
    both_ways("127.0.0.1:80", "127.0.0.1:80");
    both_ways("10.0.0.1", "10.0.0.1");
    both_ways("10.0.0.1:0", "10.0.0.1");
    both_ways("0.0.0.0", "0.0.0.0");
    both_ways("255.255.255.255:65535", "255.255.255.255:65535");
}

CASE(ipv6_texts)
{
    sk_addr a = parsed("[::1]:80");
    CHECK_EQ(a.family, SK_INET6);
    CHECK_EQ(a.port, 80);
    CHECK(a.ip[15] == 1 && a.ip[0] == 0);
    both_ways("::1", "::1");
    both_ways("::", "::");
    both_ways("[::1]:80", "[::1]:80");
    both_ways("[::1]:0", "::1");
    both_ways("[2001:db8::1]:65535", "[2001:db8::1]:65535");
    both_ways("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8");
}

/* RFC 5952, section 4 and 5. */
CASE(ipv6_canonical_form)
{
    both_ways("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1");
    both_ways("2001:DB8::ABCD", "2001:db8::abcd");
    both_ways("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"); /* one group of zeros is not shortened */
    both_ways("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");         /* the longest run */
    both_ways("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");   /* the first of equals */
    both_ways("0:0:0:0:0:0:0:0", "::");
    both_ways("1:0:0:0:0:0:0:0", "1::");
    both_ways("1::", "1::");
    both_ways("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8");
    both_ways("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0");
    both_ways("::ffff:192.0.2.1", "::ffff:192.0.2.1");
    both_ways("::ffff:c000:201", "::ffff:192.0.2.1");
    both_ways("64:ff9b::192.0.2.33", "64:ff9b::c000:221");
}

CASE(ipv6_zones)
{
    char text[64];
    unsigned lo = if_nametoindex("lo");
    if (lo == 0) SKIP("this machine has no interface named lo");
    sk_addr a = parsed("[fe80::1%lo]:80");
    CHECK_EQ(a.scope_id, lo);
    check_format(&a, "[fe80::1%lo]:80");
    a = parsed("fe80::1%lo");
    CHECK_EQ(a.scope_id, lo);
    check_format(&a, "fe80::1%lo");
    snprintf(text, sizeof text, "[fe80::1%%%u]:80", lo);
    a = parsed(text);
    CHECK_EQ(a.scope_id, lo);
    check_format(&a, "[fe80::1%lo]:80");
    a.scope_id = 3999999999u; /* no interface has this index */
    check_format(&a, "[fe80::1%3999999999]:80");
    sk_addr b = parsed("[fe80::1%3999999999]:80");
    CHECK_GIVES(sk_addr_equal(&a, &b), 1);
}

CASE(an_unknown_interface_is_enoent)
{
    sk_addr a;
    memset(&a, 0x77, sizeof a);
    CHECK_FAILS(sk_addr_parse("[fe80::1%nosuchif0]:80", &a), SK_ENOENT);
    CHECK_FAILS(sk_addr_parse("fe80::1%nosuchif0", &a), SK_ENOENT);
    CHECK_EQ(a.family, 0x7777);
}

CASE(a_long_interface_name_is_too_long)
{
    char text[600];
    memset(text, 'i', sizeof text);
    memcpy(text, "fe80::1%", 8);
    text[500] = '\0';
    sk_addr a;
    int r = sk_addr_parse(text, &a);
    CHECK(r == SK_ENAMETOOLONG);
    CHECK_EQ(errno, ENAMETOOLONG);
}

CASE(unix_texts)
{
    sk_addr a = parsed("unix:/run/a.sock");
    CHECK_EQ(a.family, SK_UNIX);
    CHECK_EQ(a.port, 0);
    CHECK_EQ(a.path_len, 11);
    CHECK(memcmp(a.path, "/run/a.sock", 11) == 0);
    both_ways("unix:/run/a.sock", "unix:/run/a.sock");
    both_ways("unix:///run/a.sock", "unix:/run/a.sock");
    both_ways("unix:relative", "unix:relative");
    both_ways("unix:", "unix:");
    a = parsed("unix:");
    CHECK_EQ(a.family, SK_UNIX);
    CHECK_EQ(a.path_len, 0);
    a = parsed("unix:@name");
    CHECK_EQ(a.path_len, 5);
    CHECK(memcmp(a.path, "\0name", 5) == 0);
    both_ways("unix:@name", "unix:@name");
}

static sk_addr unix_addr(const char *bytes, uint32_t len)
{
    sk_addr a;
    memset(&a, 0, sizeof a);
    a.family = SK_UNIX;
    a.path_len = len;
    memcpy(a.path, bytes, len);
    return a;
}

CASE(unix_names_with_odd_bytes_are_escaped)
{
    sk_addr a = unix_addr("/a\nb\\c\x7f", 7);
    check_format(&a, "unix:/a\\x0ab\\x5cc\\x7f");
    a = unix_addr("@path", 5); /* a path that begins with @ */
    check_format(&a, "unix:\\x40path");
    sk_addr b = parsed("unix:\\x40path");
    CHECK_GIVES(sk_addr_equal(&a, &b), 1);
    a = unix_addr("\0a\0b", 4); /* abstract, with a NUL inside */
    check_format(&a, "unix:@a\\x00b");
    b = parsed("unix:@a\\x00b");
    CHECK_GIVES(sk_addr_equal(&a, &b), 1);
    a = unix_addr("\0@", 2);
    b = unix_addr("a@", 2);
    check_format(&b, "unix:a@");
}

/* What is formatted parses back to an equal address, whatever the bytes. */
CASE(every_byte_survives_the_way_to_text_and_back)
{
    for (int where = 0; where < 3; where++) {
        for (int byte = where == 2 ? 0 : 1; byte < 256; byte++) {
            char name[8] = "/abcdef";
            char c = (char)(unsigned char)byte;
            if (where == 2) name[0] = '\0';
            name[where == 0 ? 0 : 3] = c;
            if (where == 0 && byte == 0) continue;
            sk_addr a = unix_addr(name, 7), b;
            char text[SK_ADDR_STRLEN];
            int n = sk_addr_format(&a, text, sizeof text);
            CHECK(n > 0 && n < (int)sizeof text && n == (int)strlen(text));
            for (int i = 0; i < n; i++) CHECK((unsigned char)text[i] >= 32 && text[i] != 127);
            CHECK_OK(sk_addr_parse(text, &b));
            CHECK_GIVES(sk_addr_equal(&a, &b), 1);
        }
    }
}

CASE(the_longest_text_fits_addr_strlen)
{
    char bytes[108];
    memset(bytes, 1, sizeof bytes);
    for (int abstract = 0; abstract < 2; abstract++) {
        if (abstract) bytes[0] = '\0';
        sk_addr a = unix_addr(bytes, 108), b;
        char text[SK_ADDR_STRLEN];
        int n = sk_addr_format(&a, text, sizeof text);
        CHECK_EQ(n, abstract ? 6 + 107 * 4 : 5 + 108 * 4);
        CHECK_EQ(strlen(text), n);
        CHECK_OK(sk_addr_parse(text, &b));
        CHECK_GIVES(sk_addr_equal(&a, &b), 1);
    }
}

CASE(no_address_is_the_empty_text)
{
    sk_addr none;
    memset(&none, 0, sizeof none);
    check_format(&none, "");
    CHECK_FAILS(sk_addr_parse("", &none), SK_EADDRFORMAT);
}

CASE(texts_that_are_no_address)
{
    static const char *const wrong[] = {
        "", " ", "localhost", "example.org:80", "127.1", "127.0.0.1 ", " 127.0.0.1", "127.0.0.01", "127.0.0.1:",
        "127.0.0.1:080", "127.0.0.1:00", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:8o",
        "127.0.0.1:80 ", "127.0.0.1: 80", "127.0.0.1:99999999999999999999", "256.0.0.1", "1.2.3", "1.2.3.4.5",
        "1.2.3.", ".1.2.3", "1..2.3", "0x7f.0.0.1", "2130706433", "1.2.3.4:1:2", "[127.0.0.1]:80", "[::1",
        "::1]", "[::1]", "[::1]80", "[::1]:", "[::1]:65536", "[::1]:080", "[]:80", "[::1]: 80", ":::",
        "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12345::",
        "g::", "::g", ":1", "1:", ":", "1:2:3:4:5:6:7:", ":2:3:4:5:6:7:8", "::1.2.3", "::256.0.0.1", "::1.2.3.4:5",
        "1.2.3.4::", "::01.2.3.4", "fe80::1%", "[fe80::1%]:80", ":80", "*:80", "unix", "unix;/a", "UNIX:/a",
        "tcp://127.0.0.1:80", "unix:\\x4", "unix:\\xzz", "unix:\\", "unix:\\n", "127.0.0.1/8", "::1/128", "+1.2.3.4",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        sk_addr a;
        memset(&a, 0x77, sizeof a);
        errno = 0;
        int r = sk_addr_parse(wrong[i], &a);
        if (strcmp(wrong[i], "[::1]") == 0 && r == SK_OK) continue; /* brackets without a port: left open */
        if (r != SK_EADDRFORMAT || errno != EINVAL)
            FAIL("\"%s\" is parsed as %d %s, errno %d", wrong[i], r, check_name_of(r), errno);
        CHECK_EQ(a.family, 0x7777);
    }
}

CASE(unix_text_too_long)
{
    char text[300];
    sk_addr a;
    memset(text, 'u', sizeof text);
    memcpy(text, "unix:", 5);
    text[5 + 108] = '\0';
    CHECK_OK(sk_addr_parse(text, &a));
    CHECK_EQ(a.path_len, 108);
    text[5 + 108] = 'u';
    text[5 + 109] = '\0';
    CHECK_FAILS(sk_addr_parse(text, &a), SK_ENAMETOOLONG);
}

CASE(format_cuts_as_snprintf_does)
{
    sk_addr a = parsed("[2001:db8::1]:8080");
    const char *whole = "[2001:db8::1]:8080";
    int len = (int)strlen(whole);
    for (size_t room = 0; room < 25; room++) {
        char text[32];
        memset(text, 'x', sizeof text);
        CHECK_GIVES(sk_addr_format(&a, text, room), len);
        if (room > 0) {
            size_t shown = room > (size_t)len ? (size_t)len : room - 1;
            CHECK_EQ(strlen(text), shown);
            CHECK(memcmp(text, whole, shown) == 0);
        }
        CHECK_EQ(text[room], 'x'); /* nothing beyond the room */
    }
    CHECK_GIVES(sk_addr_format(&a, NULL, 0), len);
}

CASE(format_answers_bad_input)
{
    char text[8];
    sk_addr a = parsed("::1");
    CHECK_FAILS(sk_addr_format(NULL, text, sizeof text), SK_EINVAL);
    CHECK_FAILS(sk_addr_format(&a, NULL, 5), SK_EINVAL);
    a.family = 99;
    CHECK_FAILS(sk_addr_format(&a, text, sizeof text), SK_EINVAL);
    a = unix_addr("/x", 2);
    a.path_len = 109;
    CHECK_FAILS(sk_addr_format(&a, text, sizeof text), SK_EINVAL);
    CHECK_FAILS(sk_addr_parse(NULL, &a), SK_EINVAL);
    CHECK_FAILS(sk_addr_parse("::1", NULL), SK_EINVAL);
}

CASE(equality)
{
    sk_addr a = parsed("10.0.0.1:5"), b = parsed("10.0.0.1:5");
    CHECK_GIVES(sk_addr_equal(&a, &b), 1);
    memset(b.ip + 4, 0xEE, 12);
    memset(b.path, 0xEE, sizeof b.path);
    b.flow_info = 7;
    CHECK_GIVES(sk_addr_equal(&a, &b), 1); /* what IPv4 does not use */
    b.port = 6;
    CHECK_GIVES(sk_addr_equal(&a, &b), 0);
    b = parsed("10.0.0.2:5");
    CHECK_GIVES(sk_addr_equal(&a, &b), 0);
    a = parsed("fe80::1%1");
    b = a;
    b.flow_info = 99;
    CHECK_GIVES(sk_addr_equal(&a, &b), 1);
    b.scope_id = 2;
    CHECK_GIVES(sk_addr_equal(&a, &b), 0);
    b = parsed("::1");
    a = parsed("10.0.0.1");
    CHECK_GIVES(sk_addr_equal(&a, &b), 0);
    a = unix_addr("/x", 2);
    b = unix_addr("/x", 2);
    memset(b.ip, 0xEE, 16);
    b.path[2] = 'y';
    CHECK_GIVES(sk_addr_equal(&a, &b), 1);
    b.path_len = 3;
    CHECK_GIVES(sk_addr_equal(&a, &b), 0);
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    CHECK_GIVES(sk_addr_equal(&a, &b), 1);
    b = parsed("0.0.0.0");
    CHECK_GIVES(sk_addr_equal(&a, &b), 0);
}

CASE(equality_takes_any_pointer_and_garbage)
{
    sk_addr a = parsed("::1"), junk;
    errno = ERRNO_UNTOUCHED;
    CHECK_EQ(sk_addr_equal(&a, NULL) == 1, 0);
    CHECK_EQ(sk_addr_equal(NULL, &a) == 1, 0);
    memset(&junk, 0xFF, sizeof junk); /* path_len far beyond path */
    (void)sk_addr_equal(&junk, &junk);
    junk.family = SK_UNIX;
    (void)sk_addr_equal(&junk, &junk);
}

CASE(from_sockaddr_in)
{
    struct sockaddr_in in;
    sk_addr a;
    memset(&in, 0, sizeof in);
    in.sin_family = AF_INET;
    in.sin_port = htons(8080);
    in.sin_addr.s_addr = htonl(0x01020304);
    memset(&a, 0x77, sizeof a);
    CHECK_OK(sk_addr_from_sockaddr(&in, sizeof in, &a));
    check_format(&a, "1.2.3.4:8080");
    CHECK(a.scope_id == 0 && a.flow_info == 0 && a.path_len == 0);
    CHECK_FAILS(sk_addr_from_sockaddr(&in, 7, &a), SK_EINVAL);
}

CASE(from_sockaddr_in6)
{
    struct sockaddr_in6 in;
    sk_addr a;
    memset(&in, 0, sizeof in);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(443);
    in.sin6_scope_id = 1;
    in.sin6_flowinfo = htonl(0x12345);
    CHECK_EQ(inet_pton(AF_INET6, "fe80::9", &in.sin6_addr), 1);
    CHECK_OK(sk_addr_from_sockaddr(&in, sizeof in, &a));
    CHECK_EQ(a.family, SK_INET6);
    CHECK_EQ(a.port, 443);
    CHECK_EQ(a.scope_id, 1);
    CHECK(memcmp(a.ip, &in.sin6_addr, 16) == 0);
    struct sockaddr_in6 back;
    uint32_t len = sizeof back;
    memset(&back, 0x77, sizeof back);
    CHECK_OK(sk_addr_to_sockaddr(&a, &back, &len));
    CHECK_EQ(len, sizeof back);
    CHECK(memcmp(&in, &back, sizeof in) == 0); /* flow information too */
}

CASE(from_sockaddr_un)
{
    struct sockaddr_un un;
    sk_addr a;
    memset(&un, 'p', sizeof un);
    un.sun_family = AF_UNIX;
    strcpy(un.sun_path, "/run/x");
    uint32_t head = offsetof(struct sockaddr_un, sun_path);
    CHECK_OK(sk_addr_from_sockaddr(&un, head + 7, &a));
    check_format(&a, "unix:/run/x");
    CHECK_OK(sk_addr_from_sockaddr(&un, head + 6, &a)); /* without the closing NUL */
    check_format(&a, "unix:/run/x");
    CHECK_OK(sk_addr_from_sockaddr(&un, sizeof un, &a)); /* ends at the NUL */
    check_format(&a, "unix:/run/x");
    CHECK_OK(sk_addr_from_sockaddr(&un, head, &a));
    check_format(&a, "unix:");
    un.sun_path[0] = '\0';
    CHECK_OK(sk_addr_from_sockaddr(&un, head + 4, &a));
    check_format(&a, "unix:@run");
    memset(un.sun_path, 'p', sizeof un.sun_path);
    CHECK_OK(sk_addr_from_sockaddr(&un, sizeof un, &a));
    CHECK_EQ(a.path_len, 108);
}

CASE(from_sockaddr_answers_bad_input)
{
    struct sockaddr_storage s;
    sk_addr a;
    memset(&s, 0, sizeof s);
    memset(&a, 0x77, sizeof a);
    CHECK_FAILS(sk_addr_from_sockaddr(NULL, 16, &a), SK_EINVAL);
    CHECK_FAILS(sk_addr_from_sockaddr(&s, sizeof s, NULL), SK_EINVAL);
    s.ss_family = AF_INET;
    CHECK_FAILS(sk_addr_from_sockaddr(&s, 1, &a), SK_EINVAL);
    s.ss_family = AF_INET6;
    CHECK_FAILS(sk_addr_from_sockaddr(&s, 16, &a), SK_EINVAL);
    s.ss_family = AF_PACKET;
    CHECK_FAILS(sk_addr_from_sockaddr(&s, sizeof s, &a), SK_EAFNOSUPPORT);
    CHECK_EQ(a.family, 0x7777);
}

CASE(to_sockaddr_and_back)
{
    static const char *const texts[] = {"1.2.3.4:5", "[2001:db8::7]:99", "::", "unix:/run/x", "unix:@abs", "unix:"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sockaddr_storage s;
        sk_addr a = parsed(texts[i]), b;
        uint32_t len = sizeof s;
        memset(&s, 0x77, sizeof s);
        CHECK_OK(sk_addr_to_sockaddr(&a, &s, &len));
        CHECK_LE(len, sizeof s);
        CHECK_OK(sk_addr_from_sockaddr(&s, len, &b));
        CHECK_GIVES(sk_addr_equal(&a, &b), 1);
    }
}

CASE(to_sockaddr_is_what_the_system_takes)
{
    struct sockaddr_storage s;
    uint32_t len = sizeof s;
    sk_addr a = parsed("127.0.0.1");
    CHECK_OK(sk_addr_to_sockaddr(&a, &s, &len));
    CHECK_EQ(len, sizeof(struct sockaddr_in));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&s, len), 0);
    close(fd);
    char bytes[108];
    memset(bytes, 'z', sizeof bytes);
    bytes[0] = '\0';
    a = unix_addr(bytes, 108);
    len = sizeof s;
    CHECK_OK(sk_addr_to_sockaddr(&a, &s, &len));
    CHECK_EQ(len, offsetof(struct sockaddr_un, sun_path) + 108);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&s, len), 0);
    close(fd);
}

CASE(to_sockaddr_answers_bad_input)
{
    struct sockaddr_storage s;
    sk_addr a = parsed("1.2.3.4:5"), none;
    uint32_t len = sizeof s;
    memset(&none, 0, sizeof none);
    memset(&s, 0x77, sizeof s);
    CHECK_FAILS(sk_addr_to_sockaddr(NULL, &s, &len), SK_EINVAL);
    CHECK_FAILS(sk_addr_to_sockaddr(&a, NULL, &len), SK_EINVAL);
    CHECK_FAILS(sk_addr_to_sockaddr(&a, &s, NULL), SK_EINVAL);
    CHECK_EQ(len, sizeof s);
    len = sizeof(struct sockaddr_in) - 1;
    CHECK_LT(sk_addr_to_sockaddr(&a, &s, &len), 0); /* no room; the code is left open */
    CHECK_EQ(len, sizeof(struct sockaddr_in) - 1);
    len = sizeof s;
    a.family = 99;
    CHECK_LT(sk_addr_to_sockaddr(&a, &s, &len), 0);
    a = unix_addr("/x", 2);
    a.path_len = 500;
    CHECK_FAILS(sk_addr_to_sockaddr(&a, &s, &len), SK_EINVAL);
    CHECK_EQ(s.ss_family, 0x7777);
}
