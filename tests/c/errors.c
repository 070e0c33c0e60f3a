/* Error codes, their names and sentences, the constants and the layout of the types. */
#include "check.h"

static const char *const names[] = {
    "SK_EINVAL",       "SK_EBADHANDLE",   "SK_ECLOSED",      "SK_EAGAIN",          "SK_ETIMEDOUT",
    "SK_EINPROGRESS",  "SK_EEOF",         "SK_ECONNREFUSED", "SK_ECONNRESET",      "SK_ECONNABORTED",
    "SK_EPIPE",        "SK_ENOTCONN",     "SK_EISCONN",      "SK_EALREADY",        "SK_EADDRINUSE",
    "SK_EADDRNOTAVAIL", "SK_EADDRFORMAT", "SK_ENETUNREACH",  "SK_EHOSTUNREACH",    "SK_ENETDOWN",
    "SK_EMSGSIZE",     "SK_EDESTADDRREQ", "SK_EAFNOSUPPORT", "SK_EPROTONOSUPPORT", "SK_EOPNOTSUPP",
    "SK_ENOPROTOOPT",  "SK_EACCES",       "SK_EMFILE",       "SK_ENFILE",          "SK_ENOBUFS",
    "SK_ENOMEM",       "SK_ENOENT",       "SK_EEXIST",       "SK_ENOTSOCK",        "SK_ENAMETOOLONG",
    "SK_EHOSTNOTFOUND", "SK_ERESOLVE",    "SK_EBUSY",        "SK_ENOSYS",          "SK_EINTERNAL",
    "SK_EOTHER",
};
enum { NAMES = sizeof names / sizeof names[0] };

CASE(codes_are_numbered_in_the_order_of_the_list)
{
    CHECK_EQ(NAMES, 41);
    for (int i = 0; i < NAMES; i++) CHECK_TEXT(sk_error_name(-1 - i), names[i]);
    CHECK_EQ(SK_EINVAL, -1);
    CHECK_EQ(SK_EBADHANDLE, -2);
    CHECK_EQ(SK_ETIMEDOUT, -5);
    CHECK_EQ(SK_EEOF, -7);
    CHECK_EQ(SK_EALREADY, -14);
    CHECK_EQ(SK_EMSGSIZE, -21);
    CHECK_EQ(SK_EMFILE, -28);
    CHECK_EQ(SK_ERESOLVE, -37);
    CHECK_EQ(SK_EOTHER, -41);
}

CASE(every_code_has_its_own_sentence)
{
    for (int i = 0; i < NAMES; i++) {
        const char *s = sk_strerror(-1 - i);
        CHECK(s != NULL && strlen(s) > 5);
        CHECK(strcmp(s, names[i]) != 0);
        for (int j = 0; j < i; j++) CHECK(strcmp(s, sk_strerror(-1 - j)) != 0);
    }
}

CASE(unknown_codes_and_counts_have_names_and_sentences)
{
    static const int64_t good[] = {0, 1, 2, 4096, INT32_MAX, INT64_MAX};
    static const int64_t odd[] = {-42, -43, -1000, INT32_MIN, (int64_t)INT32_MIN - 1, INT64_MIN,
                                  -(INT64_C(1) << 32) - 1};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK_TEXT(sk_error_name(good[i]), "SK_OK");
        CHECK(sk_strerror(good[i]) != NULL && sk_strerror(good[i])[0] != '\0');
    }
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        CHECK_TEXT(sk_error_name(odd[i]), "SK_E?");
        CHECK(sk_strerror(odd[i]) != NULL && sk_strerror(odd[i])[0] != '\0');
    }
}

CASE(texts_are_static_and_leave_errno_alone)
{
    errno = ERRNO_UNTOUCHED;
    CHECK(sk_strerror(SK_EPIPE) == sk_strerror(SK_EPIPE));
    CHECK(sk_error_name(SK_EPIPE) == sk_error_name(SK_EPIPE));
    (void)sk_strerror(-9999);
    (void)sk_error_name(-9999);
    CHECK_EQ(errno, ERRNO_UNTOUCHED);
}

CASE(constants_have_their_numbers)
{
    CHECK_EQ(SK_OK, 0);
    CHECK_EQ(SK_INVALID_HANDLE, 0);
    CHECK(SK_UNSPEC == 0 && SK_INET == 1 && SK_INET6 == 2 && SK_UNIX == 3);
    CHECK(SK_STREAM == 1 && SK_DGRAM == 2 && SK_SEQPACKET == 3);
    CHECK(SK_PROTO_DEFAULT == 0 && SK_PROTO_TCP == 6 && SK_PROTO_UDP == 17);
    CHECK(SK_PROTO_UDPLITE == 136 && SK_PROTO_MPTCP == 262);
    CHECK(SK_SHUT_READ == 1 && SK_SHUT_WRITE == 2 && SK_SHUT_BOTH == 3);
    CHECK(SK_PEEK == 1 && SK_WAITALL == 2 && SK_DONTWAIT == 4 && SK_MORE == 8 && SK_TRUNC == 16 && SK_OOB == 32);
    CHECK(SK_READABLE == 1 && SK_WRITABLE == 2 && SK_PRIORITY == 4 && SK_HANGUP == 8 && SK_ERROR == 16);
    CHECK(SK_EDGE == 256 && SK_ONESHOT == 512 && SK_EXCLUSIVE == 1024);
    CHECK(SK_FOREVER == -1 && SK_ADDR_STRLEN == 512 && SK_UNIX_PATH_MAX == 108);
}

CASE(options_are_numbered_in_the_order_of_the_list)
{
    static const int options[] = {
        SK_OPT_RECV_TIMEOUT, SK_OPT_SEND_TIMEOUT, SK_OPT_CONNECT_TIMEOUT, SK_OPT_REUSE_ADDR,
        SK_OPT_REUSE_PORT, SK_OPT_BROADCAST, SK_OPT_KEEPALIVE, SK_OPT_KEEPALIVE_IDLE,
        SK_OPT_KEEPALIVE_INTERVAL, SK_OPT_KEEPALIVE_COUNT, SK_OPT_NODELAY, SK_OPT_LINGER,
        SK_OPT_RECV_BUFFER, SK_OPT_SEND_BUFFER, SK_OPT_V6ONLY, SK_OPT_TTL, SK_OPT_TOS,
        SK_OPT_MULTICAST_TTL, SK_OPT_MULTICAST_LOOP, SK_OPT_MULTICAST_INTERFACE, SK_OPT_USER_TIMEOUT,
        SK_OPT_FASTOPEN, SK_OPT_QUICKACK, SK_OPT_CORK, SK_OPT_MARK, SK_OPT_PRIORITY, SK_OPT_BUSY_POLL,
        SK_OPT_UDP_SEGMENT, SK_OPT_UDP_GRO, SK_OPT_PKTINFO, SK_OPT_ERROR, SK_OPT_FAMILY, SK_OPT_TYPE,
        SK_OPT_PROTOCOL, SK_OPT_LISTENING, SK_OPT_UNREAD, SK_OPT_UNACKED, SK_OPT_BIND_DEVICE,
        SK_OPT_CONGESTION,
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) CHECK_EQ(options[i], (int)i + 1);
}

CASE(types_have_their_layout)
{
    CHECK_EQ(sizeof(sk_handle), 8);
    CHECK((sk_handle)-1 < 0);
    CHECK_EQ(offsetof(sk_addr, family), 0);
    CHECK_EQ(offsetof(sk_addr, port), 2);
    CHECK_EQ(offsetof(sk_addr, scope_id), 4);
    CHECK_EQ(offsetof(sk_addr, flow_info), 8);
    CHECK_EQ(offsetof(sk_addr, path_len), 12);
    CHECK_EQ(offsetof(sk_addr, ip), 16);
    CHECK_EQ(offsetof(sk_addr, path), 32);
    CHECK_EQ(sizeof(sk_addr), 140);
    CHECK_EQ(sizeof((sk_addr){0}.ip), 16);
    CHECK_EQ(sizeof((sk_addr){0}.path), SK_UNIX_PATH_MAX);
    CHECK_EQ(offsetof(sk_buf, data), 0);
    CHECK_EQ(offsetof(sk_buf, len), sizeof(void *));
    CHECK_EQ(offsetof(sk_dgram, data), 0);
    CHECK_EQ(offsetof(sk_dgram, room), sizeof(void *));
    CHECK_EQ(offsetof(sk_dgram, len), 2 * sizeof(void *));
    CHECK_EQ(offsetof(sk_dgram, addr), 3 * sizeof(void *));
    CHECK(offsetof(sk_dgram, addr) < offsetof(sk_dgram, local));
    CHECK_EQ(offsetof(sk_dgram, flags), offsetof(sk_dgram, local) + sizeof(void *));
    CHECK_EQ(offsetof(sk_dgram, segment), offsetof(sk_dgram, flags) + 4);
    CHECK_EQ(offsetof(sk_poll_item, handle), 0);
    CHECK_EQ(offsetof(sk_poll_item, events), 8);
    CHECK_EQ(offsetof(sk_poll_item, revents), 12);
    CHECK_EQ(sizeof(sk_poll_item), 16);
    CHECK_EQ(offsetof(sk_event, handle), 0);
    CHECK_EQ(offsetof(sk_event, data), 8);
    CHECK_EQ(offsetof(sk_event, events), 16);
    CHECK_EQ(offsetof(sk_event, reserved), 20);
    CHECK_EQ(sizeof(sk_event), 24);
    CHECK_EQ(offsetof(sk_cred, pid), 0);
    CHECK_EQ(offsetof(sk_cred, uid), 4);
    CHECK_EQ(offsetof(sk_cred, gid), 8);
    CHECK_EQ(sizeof(sk_cred), 12);
    CHECK((sk_cred){.pid = -1}.pid < 0 && (sk_cred){.uid = UINT32_MAX}.uid > 0);
    CHECK_EQ(offsetof(sk_config, size), 0);
    CHECK_EQ(offsetof(sk_config, max_handles), sizeof(size_t));
    CHECK_EQ(offsetof(sk_config, memory), 2 * sizeof(size_t));
    CHECK_EQ(offsetof(sk_config, memory_len), 3 * sizeof(size_t));
}

CASE(version_is_the_headers)
{
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", SK_VERSION_MAJOR, SK_VERSION_MINOR, SK_VERSION_PATCH);
    CHECK_TEXT(SK_VERSION_STRING, text);
    CHECK_TEXT(sk_version(), SK_VERSION_STRING);
}
