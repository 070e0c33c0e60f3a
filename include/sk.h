/* libsk: sockets for C, made safe, with nothing taken away.
 *
 *     #include <sk.h>            cc program.c $(pkg-config --cflags --libs sk)
 *
 * The rules that hold for every function:
 *
 * Handles. A live sk_handle is above 0, and no value is ever issued twice. A stale, forged,
 * zero or negative handle is answered SK_EBADHANDLE and never reaches another socket.
 *
 * Results. An int is SK_OK or a negative SK_E... code, an int64_t a count or a negative code,
 * an sk_handle a handle or a negative code. On failure errno is set too; on success it is
 * left alone. Results through pointers are written on success only, unless said otherwise.
 *
 * Threads. Any function may be called from any thread, on the same handle too. sk_close wakes
 * every thread that is blocked on the handle: it returns SK_ECLOSED. Use that, not
 * pthread_cancel, which would end a thread in the middle of a call.
 *
 * Fork. The child owns copies of all handles; closing one there harms nobody in the parent.
 *
 * No surprises. No SIGPIPE, no EINTR, no descriptor that survives exec, no hidden thread, no
 * heap allocation, nothing written to stderr (but see what is said about names).
 *
 * Signal handlers may call sk_send, sk_recv, sk_send_to, sk_recv_from, sk_shutdown, sk_close,
 * sk_abort, sk_poller_wake, sk_strerror and sk_error_name.
 *
 * Bad input is answered, not undefined. A pointer that is not NULL must be valid.
 *
 * Time is in milliseconds: SK_FOREVER waits without limit, 0 not at all (SK_EAGAIN), n at most
 * n ms over the whole call (SK_ETIMEDOUT).
 *
 * Nothing moved is lost: a call that moved some bytes and then failed reports the bytes.
 */


#ifndef SK_H
#define SK_H

/* Generated from the Rust source by cbindgen: edit that, not this. */

#include <stddef.h>
#include <stdint.h>

/* The version of this header; sk_version() is that of the library. */
#define SK_VERSION_MAJOR 0
#define SK_VERSION_MINOR 1
#define SK_VERSION_PATCH 0
#define SK_VERSION_STRING "0.1.0"

/** Success. */
#define SK_OK 0

/** Room that fits every formatted address, the closing NUL included. */
#define SK_ADDR_STRLEN 512

/** Receive: leave the data where it is, to be received again. */
#define SK_PEEK 1

/**
 * Receive on a stream: wait for the whole length. What was received when the peer ends, the
 * limit runs out or an error comes is reported; the error comes with the next call. With
 * `SK_PEEK` it acts as far as the system lets it, only without a limit, and on a socket that
 * counts as shared (`sk_dup`, `fork`, `sk_fd`, passed on) not at all. Ignored on datagrams.
 */
#define SK_WAITALL 2

/** Do not wait in this call: `SK_EAGAIN` instead. */
#define SK_DONTWAIT 4

/** Send: more will follow soon, which may go in the same packet. */
#define SK_MORE 8

/**
 * Receive: return a datagram's full length even where the buffer was shorter. In
 * `sk_dgram`: the datagram was cut.
 */
#define SK_TRUNC 16

/** Out-of-band data of a TCP or Unix stream, see tcp(7), unix(7); MPTCP has none. */
#define SK_OOB 32

/** Something can be received or accepted, or the peer ended its side. */
#define SK_READABLE 1

/** Something can be sent, or a connection attempt has ended. */
#define SK_WRITABLE 2

/** Out-of-band data can be received. */
#define SK_PRIORITY 4

/** Both directions ended. Always reported. */
#define SK_HANGUP 8

/** An error is pending. Always reported. */
#define SK_ERROR 16

/** Poller: report only when something changes. */
#define SK_EDGE 256

/** Poller: report once, then not until the next `sk_poller_modify`. */
#define SK_ONESHOT 512

/** Poller: of several pollers that wait for copies of one socket, wake as few as possible. */
#define SK_EXCLUSIVE 1024

/** No time limit. */
#define SK_FOREVER (-1)

/** Bytes in the longest Unix path, as in unix(7). */
#define SK_UNIX_PATH_MAX 108

/**
 * Why a call failed. Every function that can fail answers with one of these
 * negative numbers and sets `errno` too: to the operating system's value, or,
 * where the system was not asked, to the value named below.
 *
 * The numbers are libsk's own. They are the same on every platform and never
 * change; new ones are only added at the end. `sk_strerror` gives a sentence,
 * `sk_error_name` the name.
 */
typedef enum sk_error {
    /** An argument is wrong: a NULL pointer, an unknown constant or flag, a number out of range (EINVAL). */
    SK_EINVAL = -1,
    /** The handle is not live: closed, never issued, or of another process (EBADF). */
    SK_EBADHANDLE = -2,
    /** The handle was closed by another thread during the call (ECANCELED). */
    SK_ECLOSED = -3,
    /** The call would have to wait, and was told not to (EAGAIN). */
    SK_EAGAIN = -4,
    /** The time limit ran out; the handle stays usable (ETIMEDOUT). */
    SK_ETIMEDOUT = -5,
    /** The connection attempt was started and goes on (EINPROGRESS). */
    SK_EINPROGRESS = -6,
    /** The peer ended the stream before the count asked for (ENODATA). */
    SK_EEOF = -7,
    /** Nobody listens at that address (ECONNREFUSED). */
    SK_ECONNREFUSED = -8,
    /** The peer, or something on the way, reset the connection (ECONNRESET). */
    SK_ECONNRESET = -9,
    /** The connection was aborted on this side (ECONNABORTED). */
    SK_ECONNABORTED = -10,
    /** The stream was ended for sending, here or by the peer (EPIPE; never a SIGPIPE). */
    SK_EPIPE = -11,
    /** The socket is not connected (ENOTCONN). */
    SK_ENOTCONN = -12,
    /** The socket is connected already (EISCONN). */
    SK_EISCONN = -13,
    /** An earlier connection attempt is still going on (EALREADY). */
    SK_EALREADY = -14,
    /** Another socket has this address (EADDRINUSE). */
    SK_EADDRINUSE = -15,
    /** The address is not one of this machine's, or no port is free (EADDRNOTAVAIL). */
    SK_EADDRNOTAVAIL = -16,
    /** The text is no address (EINVAL). */
    SK_EADDRFORMAT = -17,
    /** No route to that network (ENETUNREACH). */
    SK_ENETUNREACH = -18,
    /** No route to that host (EHOSTUNREACH). */
    SK_EHOSTUNREACH = -19,
    /** The network interface is down (ENETDOWN). */
    SK_ENETDOWN = -20,
    /** The message is too large for the socket (EMSGSIZE). */
    SK_EMSGSIZE = -21,
    /** The socket has no destination, and the call named none (EDESTADDRREQ). */
    SK_EDESTADDRREQ = -22,
    /** The address family does not fit, or the system lacks it (EAFNOSUPPORT). */
    SK_EAFNOSUPPORT = -23,
    /** The protocol does not fit the type, or the system lacks it (EPROTONOSUPPORT). */
    SK_EPROTONOSUPPORT = -24,
    /** This kind of handle can't do that (EOPNOTSUPP). */
    SK_EOPNOTSUPP = -25,
    /** This kind of handle or this platform has no such option (ENOPROTOOPT). */
    SK_ENOPROTOOPT = -26,
    /** The system does not permit it (EACCES or EPERM). */
    SK_EACCES = -27,
    /** The process has no descriptor left, or the handle table is full (EMFILE). */
    SK_EMFILE = -28,
    /** The system has no descriptor left (ENFILE). */
    SK_ENFILE = -29,
    /** The system has no buffer space left (ENOBUFS). */
    SK_ENOBUFS = -30,
    /** The system has no memory left (ENOMEM). */
    SK_ENOMEM = -31,
    /** There is no such file, interface or member (ENOENT). */
    SK_ENOENT = -32,
    /** It exists already (EEXIST). */
    SK_EEXIST = -33,
    /** The descriptor is no socket of a supported kind (ENOTSOCK). */
    SK_ENOTSOCK = -34,
    /** The text is too long for what it names (ENAMETOOLONG). */
    SK_ENAMETOOLONG = -35,
    /** No such host (ENOENT). */
    SK_EHOSTNOTFOUND = -36,
    /** The name could not be resolved just now; a later try may work (EAGAIN). */
    SK_ERESOLVE = -37,
    /** It is in use (EBUSY). */
    SK_EBUSY = -38,
    /** Not on this platform (ENOSYS). */
    SK_ENOSYS = -39,
    /** A defect in the library (EIO). */
    SK_EINTERNAL = -40,
    /** An error of the operating system with no code of its own: see `errno`. */
    SK_EOTHER = -41,
} sk_error;

/** The address families. */
typedef enum sk_family {
    /** No family: an address that is none, or any family where one is asked for. */
    SK_UNSPEC = 0,
    /** IPv4, see ip(7). */
    SK_INET = 1,
    /** IPv6, see ipv6(7). Sockets are dual-stack: they speak IPv4 too. */
    SK_INET6 = 2,
    /** Between processes of one machine, see unix(7). */
    SK_UNIX = 3,
} sk_family;

/** How a socket carries data. */
typedef enum sk_type {
    /** A reliable, ordered stream of bytes between two ends (TCP, Unix stream). */
    SK_STREAM = 1,
    /** Single messages, each on its own (UDP, Unix datagram). */
    SK_DGRAM = 2,
    /** Messages on a connection, reliable and in order (Unix only). */
    SK_SEQPACKET = 3,
} sk_type;

/** Transport protocols, by their IANA numbers. */
typedef enum sk_protocol {
    /** The usual one of the family and type: TCP, UDP, or none for Unix. */
    SK_PROTO_DEFAULT = 0,
    /** Transmission Control Protocol (RFC 9293), see tcp(7). */
    SK_PROTO_TCP = 6,
    /** User Datagram Protocol (RFC 768), see udp(7). */
    SK_PROTO_UDP = 17,
    /** UDP-Lite (RFC 3828), see udplite(7). */
    SK_PROTO_UDPLITE = 136,
    /** Multipath TCP (RFC 8684). */
    SK_PROTO_MPTCP = 262,
} sk_protocol;

/** Which directions of a connection to end. */
typedef enum sk_how {
    /** Nothing more is received here. */
    SK_SHUT_READ = 1,
    /** Nothing more is sent from here; the peer receives what was, and then the end. */
    SK_SHUT_WRITE = 2,
    /** Both. */
    SK_SHUT_BOTH = 3,
} sk_how;

/**
 * Options of a socket, for `sk_set_option`, `sk_get_option` and their text forms.
 * Switches take 0 or 1. See socket(7), ip(7), ipv6(7), tcp(7) and udp(7) for those that
 * are the system's.
 */
typedef enum sk_option {
    /** Limit in ms for each receive and accept; `SK_FOREVER`: none, 0: never wait. */
    SK_OPT_RECV_TIMEOUT = 1,
    /** Limit in ms for each send. */
    SK_OPT_SEND_TIMEOUT = 2,
    /** Limit in ms for each connect, the look-up of a name included. */
    SK_OPT_CONNECT_TIMEOUT = 3,
    /** Switch: bind to a port that connections of an earlier server still use. On by default for TCP. */
    SK_OPT_REUSE_ADDR = 4,
    /** Switch: several sockets that all set it share one port, and the system spreads the load. */
    SK_OPT_REUSE_PORT = 5,
    /** Switch, UDP: permit sending to a broadcast address. */
    SK_OPT_BROADCAST = 6,
    /** Switch, TCP: probe a silent peer now and then, to find out whether it is still there. */
    SK_OPT_KEEPALIVE = 7,
    /** TCP: silence before the first probe, in seconds, 1 to 32,767. */
    SK_OPT_KEEPALIVE_IDLE = 8,
    /** TCP: time between probes, in seconds, 1 to 32,767. */
    SK_OPT_KEEPALIVE_INTERVAL = 9,
    /** TCP: probes without an answer before the connection counts as dead, 1 to 127. */
    SK_OPT_KEEPALIVE_COUNT = 10,
    /** Switch, TCP: send small writes at once instead of gathering them. On by default. */
    SK_OPT_NODELAY = 11,
    /** TCP: -1 off, 0 = close resets the connection and drops what is unsent. See `sk_finish`. */
    SK_OPT_LINGER = 12,
    /** Bytes the system may hold for us; reads back what was asked for, as far as it was granted. */
    SK_OPT_RECV_BUFFER = 13,
    /** Bytes that may wait to be sent; reads back what was asked for, as far as it was granted. */
    SK_OPT_SEND_BUFFER = 14,
    /** Switch, IPv6, before `sk_bind`: no IPv4 on this socket. Off by default. */
    SK_OPT_V6ONLY = 15,
    /** Hops a packet may take, 1 to 255; both families on a dual-stack socket. */
    SK_OPT_TTL = 16,
    /** Type of service and traffic class, 0 to 255 (RFC 2474); both families. */
    SK_OPT_TOS = 17,
    /** UDP: hops a multicast packet may take, 0 to 255; both families. */
    SK_OPT_MULTICAST_TTL = 18,
    /** Switch, UDP: members on this machine hear what is sent from here. On by default; both families. */
    SK_OPT_MULTICAST_LOOP = 19,
    /**
     * UDP: index of the interface that multicast leaves by, 0 = the system's choice; both families.
     * Where `SK_OPT_BIND_DEVICE` is set, another one than that is `SK_EINVAL`.
     */
    SK_OPT_MULTICAST_INTERFACE = 20,
    /** TCP: ms that sent data may stay unacknowledged before the connection ends; 0 = the system's choice. */
    SK_OPT_USER_TIMEOUT = 21,
    /**
     * TCP Fast Open (RFC 7413): on a listener, how many may be pending; on a client, any
     * value above 0 sends the first data with the SYN, where the system permits.
     */
    SK_OPT_FASTOPEN = 22,
    /** Switch, TCP: acknowledge at once. The system switches it back by itself. */
    SK_OPT_QUICKACK = 23,
    /** Switch, TCP: hold partial packets back until it is switched off, 200 ms at most. */
    SK_OPT_CORK = 24,
    /** Mark for routing and filtering, 0 to 4,294,967,295. Needs CAP_NET_ADMIN. */
    SK_OPT_MARK = 25,
    /** Priority in the queues of the machine; above 6 it needs CAP_NET_ADMIN. */
    SK_OPT_PRIORITY = 26,
    /** Microseconds to look for packets busily instead of sleeping. */
    SK_OPT_BUSY_POLL = 27,
    /** UDP: the system cuts what is sent into datagrams of this size, 0 to 65,535; 0 = off. */
    SK_OPT_UDP_SEGMENT = 28,
    /** Switch, UDP: the system may hand over several datagrams of one size in one piece. */
    SK_OPT_UDP_GRO = 29,
    /** Switch, UDP: tell the address of ours that a datagram came to; both families. */
    SK_OPT_PKTINFO = 30,
    /** Read-only: the pending error as an `sk_error`, 0 = none; reading clears it. */
    SK_OPT_ERROR = 31,
    /** Read-only: the `sk_family`. */
    SK_OPT_FAMILY = 32,
    /** Read-only: the `sk_type`. */
    SK_OPT_TYPE = 33,
    /** Read-only: the `sk_protocol`, never the default one on IP; 0 for `SK_UNIX`. */
    SK_OPT_PROTOCOL = 34,
    /** Read-only: 1 after `sk_listen`. */
    SK_OPT_LISTENING = 35,
    /** Read-only: bytes waiting to be received; datagrams: those of the next one. */
    SK_OPT_UNREAD = 36,
    /** Read-only, TCP: bytes sent and not yet acknowledged by the peer. */
    SK_OPT_UNACKED = 37,
    /** Text: name of the interface to use, "" = any, see SO_BINDTODEVICE in socket(7). */
    SK_OPT_BIND_DEVICE = 38,
    /** Text, TCP: name of the congestion control, see TCP_CONGESTION in tcp(7). */
    SK_OPT_CONGESTION = 39,
} sk_option;

/** How the library is set up. Zero it, set size, then what you need. */
typedef struct sk_config {
    /** `sizeof(sk_config)`. */
    size_t size;
    /**
     * How many handles there can be at once; 0 = as many as the hard limit of descriptors
     * (RLIMIT_NOFILE), at most 1,048,576. Where it is less than that limit, descriptors are moved to
     * numbers of the library's own, below the limit in force at `sk_init`.
     */
    uint32_t max_handles;
    /**
     * NULL = libsk maps its own, touched only as used. Else `sk_memory_needed(max_handles)`
     * bytes, aligned to 64, yours to provide for the life of the process.
     */
    void *memory;
    /** Bytes in memory. */
    size_t memory_len;
} sk_config;

/**
 * A handle: a socket, or something else that can be closed with `sk_close`. A live handle is
 * above 0. A value is never issued twice in the life of a process, so a stale one is always
 * answered `SK_EBADHANDLE` and never reaches somebody else's socket.
 */
typedef int64_t sk_handle;

/**
 * The address of a socket. A value: copy it, compare it with `sk_addr_equal`, there is
 * nothing to clean up. All zero means no address.
 */
typedef struct sk_addr {
    /** `SK_INET`, `SK_INET6`, `SK_UNIX`, or `SK_UNSPEC` for no address. */
    uint16_t family;
    /** Port in host byte order; 0 for `SK_UNIX`. */
    uint16_t port;
    /** `SK_INET6`: index of the interface a link-local address belongs to, else 0. */
    uint32_t scope_id;
    /** `SK_INET6`: flow information in host byte order, else 0. */
    uint32_t flow_info;
    /** `SK_UNIX`: bytes used in path, a closing NUL not counted (108 used: there is none); 0 = unnamed. */
    uint32_t path_len;
    /** The IP address in network byte order; `SK_INET` uses the first 4 bytes. */
    uint8_t ip[16];
    /** `SK_UNIX`: a path, or a NUL and a name for Linux's abstract namespace. */
    char path[SK_UNIX_PATH_MAX];
} sk_addr;

/** One piece of a list: bytes to send, or room to receive into. As `struct iovec` has it. */
typedef struct sk_buf {
    /** The bytes; NULL only with len 0. */
    void *data;
    /** How many bytes. */
    size_t len;
} sk_buf;

/** One datagram of a batch. */
typedef struct sk_dgram {
    /** The bytes to send, or room for those to receive; NULL only with length 0. */
    void *data;
    /** Receive: bytes that fit in data; never changed. */
    size_t room;
    /** Send: bytes to send. Receive: bytes received. */
    size_t len;
    /** Send: where to, `SK_UNSPEC` = the peer of a connected socket. Receive: where from. */
    struct sk_addr addr;
    /**
     * NULL = not wanted. Receive: where to put the address of ours that it came to, which
     * becomes `SK_UNSPEC` unless `SK_OPT_PKTINFO` is on. Of a datagram to a group it is the
     * interface's own address, with IPv6 "::" with the interface as scope_id. Send: the address of
     * ours to send from, of which the port does not count; "::" with a scope_id = one of that
     * interface; `SK_UNSPEC` = the system's choice.
     */
    struct sk_addr *local;
    /** Receive: `SK_TRUNC` where it was cut, else 0. */
    uint32_t flags;
    /**
     * Send, UDP: send in datagrams of so many bytes, the last one may be shorter. Receive, with
     * `SK_OPT_UDP_GRO`: it came in datagrams of so many bytes. 0 = it is one datagram.
     */
    uint32_t segment;
} sk_dgram;

/** A handle to look at, what for, and what was found. */
typedef struct sk_poll_item {
    /** A handle; 0: skipped. */
    int64_t handle;
    /** What to wait for. */
    uint32_t events;
    /** What it is ready for, or `SK_ERROR` where the handle is not live. */
    uint32_t revents;
} sk_poll_item;

/** Something that a poller reports. */
typedef struct sk_event {
    /** Who is ready; 0: `sk_poller_wake` was called. */
    int64_t handle;
    /** What the handle was added with. */
    uint64_t data;
    /** What it is ready for. */
    uint32_t events;
    /** 0. */
    uint32_t reserved;
} sk_event;

/** Who is at the other end of a Unix socket, as the kernel noted when the connection was made. */
typedef struct sk_cred {
    /** Process; 0 where it has no number here, as from outside of a container. */
    int32_t pid;
    /** User that it acted as. */
    uint32_t uid;
    /** Group that it acted as. */
    uint32_t gid;
} sk_cred;

/** The handle that is never valid: what a variable should hold that has none. */
#define SK_INVALID_HANDLE 0





#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * A sentence for a person about a result of any function.
 *
 * code: a result, failure or not.
 *
 * Returns a static text, never NULL: "Success" for 0 and above, "Unknown error" for what is no code.
 *
 * Threads: any. Signals: safe in a handler. Since 0.1.
 */
const char *sk_strerror(int64_t code);

/**
 * The name of a result of any function, as it stands in this header.
 *
 * code: a result, failure or not.
 *
 * Returns a static text, never NULL: "SK_ETIMEDOUT" for that code, "SK_OK" for 0 and above,
 * "SK_E?" for what is no code.
 *
 * Threads: any. Signals: safe in a handler. Since 0.1.
 */
const char *sk_error_name(int64_t code);

/**
 * Sets the library up, for programs that want to say how. Optional: without it, the first
 * function that makes a handle uses the defaults.
 *
 * config: NULL = the defaults.
 *
 * Returns `SK_OK`, or:
 * `SK_EBUSY` the library is in use already;
 * `SK_EINVAL` size is not that of this header, memory is too small or not aligned,
 * max_handles is 0 though memory is given, or above 1,048,576;
 * `SK_ENOMEM` there is no memory.
 *
 * Threads: any; one call succeeds. Signals: not in a handler. Since 0.1.
 */
int sk_init(const struct sk_config *config);

/**
 * How much memory `sk_init` needs for a number of handles.
 *
 * max_handles: 1 to 1,048,576.
 *
 * Returns bytes; 0 where there can't be so many handles, or none.
 *
 * Threads: any. Signals: safe in a handler. Since 0.1.
 */
size_t sk_memory_needed(uint32_t max_handles);

/**
 * The version of the library that the program runs with; `SK_VERSION_STRING` is the one
 * that it was compiled with.
 *
 * Returns a static text such as "0.1.0".
 *
 * Threads: any. Signals: safe in a handler. Since 0.1.
 */
const char *sk_version(void);

/**
 * How many handles are live in this process, to find leaks.
 *
 * Returns the count. While other threads make and close handles it is one of the recent past.
 *
 * Threads: any. Signals: safe in a handler. Since 0.1.
 */
int64_t sk_open_count(void);

/**
 * Makes a socket.
 *
 * family: `SK_INET`, `SK_INET6` or `SK_UNIX` (`enum sk_family`).
 * type: `SK_STREAM`, `SK_DGRAM`, or for `SK_UNIX` also `SK_SEQPACKET` (`enum sk_type`).
 * protocol: `SK_PROTO_DEFAULT`, or one that fits family and type (`enum sk_protocol`).
 *
 * TCP sockets start with NODELAY and bind with REUSE_ADDR, IPv6 sockets are dual-stack; each
 * can be set otherwise by its option. There are no time limits. The descriptor
 * behind it is close-on-exec, and its number no standard stream's (0 to 2), whatever is closed of them.
 *
 * Returns a handle, or:
 * `SK_EINVAL` an unknown constant;
 * `SK_EAFNOSUPPORT` `SK_UNSPEC`, or a family that this system lacks;
 * `SK_EPROTONOSUPPORT` the three do not fit, or this system lacks the protocol;
 * `SK_EMFILE`, `SK_ENFILE` no descriptor or handle is left;
 * `SK_ENOBUFS`, `SK_ENOMEM` no memory; `SK_EACCES` not permitted.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See socket(2).
 */
sk_handle sk_socket(int family, int type, int protocol);

/**
 * Makes two `SK_UNIX` sockets that are connected to each other.
 *
 * type: `SK_STREAM`, `SK_DGRAM` or `SK_SEQPACKET`.
 * out: the two handles.
 *
 * Returns `SK_OK`, or `SK_EINVAL` (unknown type, out is NULL), `SK_EMFILE`, `SK_ENFILE`,
 * `SK_ENOBUFS`, `SK_ENOMEM` as `sk_socket`.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See socketpair(2), unix(7).
 */
int sk_socketpair(int type, sk_handle *out);

/**
 * Gives a socket its own address. Names are not looked up.
 *
 * s: a socket.
 * host: a numeric address such as "127.0.0.1" or "fe80::1%eth0"; NULL or "" = any address.
 * On `SK_UNIX` a path, "@name" for Linux's abstract namespace, NULL or "" for a
 * free abstract name.
 * port: 0 = any free one, see `sk_local_addr`. On `SK_UNIX` 0.
 *
 * Returns `SK_OK`, or:
 * `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live socket;
 * `SK_EADDRFORMAT` host is no numeric address; `SK_EAFNOSUPPORT` it is of the other family;
 * `SK_EINVAL` the socket is bound already, or `SK_UNIX` with a port;
 * `SK_EADDRINUSE` somebody has that address, or the path exists;
 * `SK_EADDRNOTAVAIL` it is not an address of this machine;
 * `SK_EACCES` not permitted, a port below 1024 for one;
 * `SK_ENOENT` no such interface, or no such directory; `SK_ENAMETOOLONG` the path.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See bind(2), ip(7), ipv6(7), unix(7).
 */
int sk_bind(sk_handle s, const char *host, uint16_t port);

/**
 * Gives a socket its own address, as `sk_bind` does.
 *
 * s: a socket.
 * addr: of the socket's family; `SK_INET` is welcome on a dual-stack socket too. On `SK_UNIX` its
 * port does not count, and unnamed (path_len 0) is a free abstract name.
 *
 * Returns `SK_OK`, or what `sk_bind` does, and `SK_EINVAL` where addr is NULL or malformed.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See bind(2).
 */
int sk_bind_addr(sk_handle s, const struct sk_addr *addr);

/**
 * Lets clients connect to a socket.
 *
 * s: a bound stream or seqpacket socket. Unbound on IP: the system chooses a free port.
 * backlog: how many connections may wait to be accepted; 0 and below = the system's maximum.
 *
 * Returns `SK_OK`, or:
 * `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live stream or seqpacket socket;
 * `SK_EADDRINUSE` another socket listens on this port;
 * `SK_EINVAL` the socket is connected, or an unbound `SK_UNIX` one;
 * `SK_ECLOSED` closed meanwhile.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See listen(2).
 */
int sk_listen(sk_handle s, int backlog);

/**
 * Waits for the next client, under the listener's `SK_OPT_RECV_TIMEOUT`. Connections that died in
 * the queue are passed over.
 *
 * Whatever the listener has, the new socket starts with NODELAY, without CORK, and without limits,
 * as one from `sk_socket`; only what another process sets on a listener that is already shared with
 * it is not seen. As accept(2) has it, it inherits KEEPALIVE and what belongs to that,
 * LINGER, the buffers, V6ONLY, TTL, TOS, USER_TIMEOUT, QUICKACK, REUSE_PORT, MARK, BUSY_POLL,
 * BIND_DEVICE and CONGESTION.
 *
 * s: a socket after `sk_listen`.
 * peer: the client's address; NULL = not wanted.
 *
 * Returns a handle, or:
 * `SK_EBADHANDLE` no live handle; `SK_EOPNOTSUPP` a datagram socket or a poller;
 * `SK_EINVAL` it does not listen;
 * `SK_EAGAIN` the limit is 0 and nobody waits; `SK_ETIMEDOUT` the limit ran out;
 * `SK_ECLOSED` closed meanwhile;
 * `SK_EMFILE`, `SK_ENFILE` no descriptor or handle is left: the client stays in the queue;
 * `SK_ENOBUFS`, `SK_ENOMEM` no memory.
 *
 * Threads: any, several may wait on one listener. Signals: not in a handler. Since 0.1. See accept(2).
 */
sk_handle sk_accept(sk_handle s, struct sk_addr *peer);

/**
 * Connects a socket, under its `SK_OPT_CONNECT_TIMEOUT`. A datagram socket only takes note of
 * the peer: where `sk_send` sends to, and whom alone it hears.
 *
 * A name is looked up, and its addresses of the socket's family are tried in turn, all within the
 * one limit. Where all fail, it is the error that `sk_dial` would give. Without a limit the look-up
 * takes as long as the C library's resolver does, and a close does not wake it. After
 * `SK_EINPROGRESS` the attempt goes on: `sk_wait` for `SK_WRITABLE`, or a further `sk_connect`,
 * waits for its end. After `SK_ETIMEDOUT` it is given up, and the socket may connect again.
 *
 * s: a socket.
 * host: a numeric address or a name; on `SK_UNIX` a path or "@name".
 * port: on `SK_UNIX` 0.
 *
 * Returns `SK_OK`, or:
 * `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live socket; `SK_EINVAL` host is NULL, or `SK_UNIX` with a port;
 * `SK_EADDRFORMAT` what can't be a host at all; `SK_EAFNOSUPPORT` an address of the other family;
 * `SK_EHOSTNOTFOUND`, `SK_ERESOLVE` the name has no address, or not just now;
 * `SK_EAGAIN` the limit is 0 and host is a name, or a Unix peer's queue is full;
 * `SK_EINPROGRESS` the limit is 0 and the attempt was started, `SK_EALREADY` it still runs;
 * `SK_ETIMEDOUT` the limit ran out, or the system's own;
 * `SK_ECONNREFUSED`, `SK_ECONNRESET`, `SK_ENETUNREACH`, `SK_EHOSTUNREACH`, `SK_EACCES`,
 * `SK_EADDRNOTAVAIL` (no port is free), `SK_ENOENT` (no such path, no such interface) as the system tells;
 * `SK_EISCONN` connected already; `SK_ECLOSED` closed meanwhile; `SK_ENAMETOOLONG` the path or name.
 *
 * Threads: any; under a limit a name is looked up in a short-lived thread, as `sk_resolve` does.
 * Signals: not in a handler. Since 0.1. See connect(2).
 */
int sk_connect(sk_handle s, const char *host, uint16_t port);

/**
 * Connects a socket to an address, as `sk_connect` does.
 *
 * s: a socket.
 * addr: of the socket's family; `SK_INET` is welcome on a dual-stack socket too. On `SK_UNIX` its
 * port does not count. `SK_UNSPEC` dissolves a datagram socket's association.
 *
 * Returns `SK_OK`, or what `sk_connect` does; `SK_EINVAL` addr is NULL or malformed,
 * `SK_EAFNOSUPPORT` `SK_UNSPEC` on a stream.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See connect(2).
 */
int sk_connect_addr(sk_handle s, const struct sk_addr *addr);

/**
 * Sends to the peer, under the socket's `SK_OPT_SEND_TIMEOUT`. On a stream it may take fewer
 * bytes than given, as soon as it took one: `sk_send_all` is the whole. A datagram goes
 * whole or not at all. No SIGPIPE, ever.
 *
 * s: a connected socket.
 * data, len: what to send; NULL only with len 0.
 * flags: 0, or of `SK_DONTWAIT`, `SK_MORE`, `SK_OOB`.
 *
 * Returns the bytes sent, or:
 * `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live socket, or no out-of-band data on this kind;
 * `SK_EINVAL` unknown flags, NULL with a length;
 * `SK_EAGAIN` it would have to wait, `SK_ETIMEDOUT` the limit ran out;
 * `SK_ECLOSED` closed meanwhile;
 * `SK_EPIPE` sending was ended, here or by the peer; `SK_ECONNRESET` the peer reset the connection;
 * `SK_EPIPE` (TCP), `SK_EDESTADDRREQ` (UDP), `SK_ENOTCONN` (`SK_UNIX`) not connected;
 * `SK_ECONNREFUSED` an earlier datagram was refused;
 * `SK_EMSGSIZE` too long for a datagram; `SK_ENOBUFS`, `SK_ENOMEM` no memory;
 * `SK_ENETUNREACH`, `SK_EHOSTUNREACH`, `SK_ENETDOWN`, `SK_EACCES` as the system tells.
 *
 * Threads: any. Signals: safe in a handler. Since 0.1. See send(2).
 */
int64_t sk_send(sk_handle s, const void *data, size_t len, int flags);

/**
 * Receives what has come, waiting for the first of it, under the socket's `SK_OPT_RECV_TIMEOUT`.
 *
 * s: a socket.
 * data, len: where to put it; NULL only with len 0. What of a datagram does not fit is lost.
 * flags: 0, or of `SK_PEEK`, `SK_WAITALL`, `SK_DONTWAIT`, `SK_OOB`, and not on streams `SK_TRUNC`.
 *
 * Returns the bytes received; 0 = the peer ended the stream, receiving was shut down here, or an
 * empty datagram; or:
 * `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live socket, or no out-of-band data on this kind;
 * `SK_EINVAL` unknown flags, NULL with a length, no out-of-band data there;
 * `SK_EAGAIN` it would have to wait, `SK_ETIMEDOUT` the limit ran out;
 * `SK_ECLOSED` closed meanwhile;
 * `SK_ECONNRESET` the peer reset the connection;
 * `SK_ENOTCONN` not connected, which on a Unix stream is `SK_EINVAL`;
 * `SK_ECONNREFUSED` a datagram sent earlier was refused; `SK_ENOMEM` no memory.
 *
 * Threads: any. Signals: safe in a handler. Since 0.1. See recv(2).
 */
int64_t sk_recv(sk_handle s, void *data, size_t len, int flags);

/**
 * Ends one or both directions of a connection, for every handle and process that shares it.
 * After `SK_SHUT_WRITE` the peer receives what was sent and then 0.
 *
 * A call that waits in that direction in another thread ends: a receive as at the end of a
 * stream, a send with `SK_EPIPE`, within 20 ms on a Unix socket.
 *
 * s: a connected socket.
 * how: `SK_SHUT_READ`, `SK_SHUT_WRITE` or `SK_SHUT_BOTH` (`enum sk_how`).
 *
 * Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (unknown
 * how), `SK_ENOTCONN` (not connected; on `SK_UNIX` that is `SK_OK`).
 *
 * Threads: any. Signals: safe in a handler. Since 0.1. See shutdown(2).
 */
int sk_shutdown(sk_handle s, int how);

/**
 * Closes a handle of any kind. Every call that is blocked on it in another thread returns,
 * promptly, with `SK_ECLOSED`; this call does not wait for them, and their buffers must live
 * until they have returned. What was accepted for sending is delivered in the
 * background. Never blocks. Others that share the socket (`sk_dup`, a forked process) keep
 * it, except where a call was already blocked on this handle when their copy was made, and there was
 * not a moment without any call since.
 *
 * s: a handle.
 *
 * Returns `SK_OK`, or `SK_EBADHANDLE`: not live, or another thread was faster.
 *
 * Threads: any. Signals: safe in a handler. Since 0.1. See close(2).
 */
int sk_close(sk_handle s);

/**
 * Ends a stream gracefully and closes it: ends our side, receives and drops until the peer
 * has ended its side too or the limit runs out, then closes. So input that nobody read can't
 * turn into a reset that eats our last bytes.
 *
 * s: a connected stream.
 * timeout: ms; `SK_FOREVER` = no limit, 0 = do not wait.
 *
 * Returns `SK_OK` where the peer has ended its side, or:
 * `SK_EBADHANDLE` not live; `SK_EOPNOTSUPP` no stream that is or was connected; `SK_EINVAL` limit below -1;
 * `SK_EAGAIN` the limit was 0 and the peer had not ended, `SK_ETIMEDOUT` the limit ran out;
 * `SK_ECONNRESET` or another error of the connection; `SK_ECLOSED` another thread closed it meanwhile.
 * The handle stays open only after the first three.
 * After `SK_SHUT_READ` there is no waiting for a TCP peer: `SK_EAGAIN` where it has not ended. On
 * other streams that counts as the peer's end.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See shutdown(2), RFC 9293 section 3.6.
 */
int sk_finish(sk_handle s, int64_t timeout);

/**
 * Closes a socket at once. A TCP peer gets a reset, and what was not yet sent is dropped. Where
 * the socket may have other copies (`sk_dup`, `fork`, `sk_fd`, passed on) it is only closed.
 *
 * s: a socket.
 *
 * Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket).
 *
 * Threads: any. Signals: safe in a handler. Since 0.1. See SO_LINGER in socket(7).
 */
int sk_abort(sk_handle s);

/**
 * The socket's own address.
 *
 * s: a socket.
 * out: the address; unbound: any address with port 0. An IPv4 one on a dual-stack socket is `SK_INET`.
 *
 * Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (out is NULL), `SK_ECLOSED`.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See getsockname(2).
 */
int sk_local_addr(sk_handle s, struct sk_addr *out);

/**
 * The address that a socket is connected to.
 *
 * s: a connected socket.
 * out: the address; that of an unnamed Unix peer has path_len 0. An IPv4 peer of a dual-stack socket is `SK_INET`.
 *
 * Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (out is
 * NULL), `SK_ENOTCONN`, `SK_ECLOSED`.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See getpeername(2).
 */
int sk_peer_addr(sk_handle s, struct sk_addr *out);

/**
 * Sends a datagram to an address, under the socket's `SK_OPT_SEND_TIMEOUT`.
 *
 * s: a datagram socket.
 * data, len: what to send; NULL only with len 0.
 * flags: 0, or of `SK_DONTWAIT`, `SK_MORE`.
 * to: where to; NULL = the peer, as `sk_send`.
 *
 * Returns the bytes sent, or what `sk_send` does, and:
 * `SK_EISCONN` a connected stream, which has its peer; `SK_ENOTCONN` one that is not;
 * `SK_EAFNOSUPPORT` an address of the other family; `SK_EINVAL` a malformed one;
 * `SK_ENOENT`, `SK_ECONNREFUSED` no such Unix path, or nobody there any more.
 *
 * Threads: any. Signals: safe in a handler. Since 0.1. See sendto(2).
 */
int64_t sk_send_to(sk_handle s, const void *data, size_t len, int flags, const struct sk_addr *to);

/**
 * Receives, and tells from whom, under the socket's `SK_OPT_RECV_TIMEOUT`.
 *
 * s: a socket.
 * data, len, flags: as `sk_recv`.
 * from: the sender's address; NULL = not wanted. On a stream it becomes `SK_UNSPEC`. An IPv4
 * sender to a dual-stack socket is `SK_INET`.
 *
 * Returns what `sk_recv` does.
 *
 * Threads: any. Signals: safe in a handler. Since 0.1. See recvfrom(2).
 */
int64_t sk_recv_from(sk_handle s, void *data, size_t len, int flags, struct sk_addr *from);

/**
 * Sends everything on a stream, within one `SK_OPT_SEND_TIMEOUT`.
 *
 * s: a connected stream.
 * data, len: what to send; NULL only with len 0.
 * sent: how many bytes went, set in any case; NULL = not wanted.
 *
 * Returns `SK_OK` when all of it went, or what `sk_send` does, and `SK_EOPNOTSUPP` (no stream).
 *
 * Threads: any; calls on one stream at a time can mix their bytes. Signals: not in a handler.
 * Since 0.1. See send(2).
 */
int sk_send_all(sk_handle s, const void *data, size_t len, size_t *sent);

/**
 * Receives the whole length from a stream, within one `SK_OPT_RECV_TIMEOUT`.
 *
 * s: a connected stream.
 * data, len: where to put it; NULL only with len 0.
 * received: how many bytes came, set in any case; NULL = not wanted.
 *
 * Returns `SK_OK` when all of it came, or what `sk_recv` does, and `SK_EEOF` (the peer ended
 * before), `SK_EOPNOTSUPP` (no stream).
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See MSG_WAITALL in recv(2).
 */
int sk_recv_all(sk_handle s, void *data, size_t len, size_t *received);

/**
 * Sends the pieces of a list as if they were one, as `sk_send` does: on a stream it may take
 * fewer bytes than given, as soon as it took one; elsewhere they are one message.
 *
 * s: a connected socket.
 * bufs, count: the pieces, at most 1024, only read; NULL only with count 0, and in a piece
 * data NULL only with len 0.
 * flags: 0, or of `SK_DONTWAIT`, `SK_MORE`, `SK_OOB`.
 *
 * Returns the bytes sent, or what `sk_send` does, and:
 * `SK_EMSGSIZE` more than 1024 pieces; `SK_EINVAL` together longer than INT64_MAX.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See sendmsg(2).
 */
int64_t sk_sendv(sk_handle s, const struct sk_buf *bufs, size_t count, int flags);

/**
 * Receives into the pieces of a list, one after the other, as `sk_recv` does into one: what has
 * come, waiting for the first of it.
 *
 * s: a socket.
 * bufs, count: the pieces, at most 1024; the list is only read. NULL only with count 0, and in
 * a piece data NULL only with len 0.
 * flags: as `sk_recv`.
 *
 * Returns the bytes received, or what `sk_recv` does, and:
 * `SK_EMSGSIZE` more than 1024 pieces; `SK_EINVAL` together longer than INT64_MAX.
 *
 * Threads: any; the pieces are the call's until it returns. Signals: not in a handler. Since 0.1.
 * See recvmsg(2).
 */
int64_t sk_recvv(sk_handle s, const struct sk_buf *bufs, size_t count, int flags);

/**
 * Sends datagrams, any number of them, with as few system calls as it can. On `SK_SEQPACKET`
 * sockets they are messages of the connection.
 *
 * s: a socket, no stream.
 * msgs, count: the datagrams, only read; NULL only with count 0.
 * flags: 0, or `SK_DONTWAIT`.
 *
 * A datagram with `segment` goes as many of that size, cut by the system where it can
 * (UDP segmentation offload), however long it is; a socket whose route refuses that is
 * remembered, and sends each on its own. Where only a part of them went, it counts.
 *
 * Returns how many were sent. It is fewer than count after a limit, a close or an error, which
 * then comes with the next call. Only where none went:
 * what `sk_send_to` does, and:
 * `SK_EOPNOTSUPP` a stream; `SK_EINVAL` in one of them data is NULL with a length, an
 * address is malformed, or `segment` or `local` is for a Unix socket: then none was sent;
 * `SK_EAFNOSUPPORT` an address of the other family, likewise;
 * `SK_EADDRNOTAVAIL`, `SK_EINVAL` as the system tells: `local` is not an address of ours.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See sendmmsg(2), udp(7).
 */
int64_t sk_send_batch(sk_handle s, const struct sk_dgram *msgs, size_t count, int flags);

/**
 * Receives datagrams: waits for the first, under the socket's `SK_OPT_RECV_TIMEOUT`, and takes
 * what is there, with as few system calls as it can. On `SK_SEQPACKET` sockets they are
 * messages of the connection.
 *
 * s: a socket, no stream.
 * msgs, count: data, room and local are read; where a datagram came, len, addr, *local, flags
 * and segment are written. NULL only with count 0.
 * flags: 0, or of `SK_PEEK` (shows the first one only), `SK_DONTWAIT`, `SK_TRUNC`
 * (len is a datagram's full length, also where it was cut); `SK_WAITALL` is ignored.
 *
 * Returns how many came; 0 = nothing more will come (`SK_SEQPACKET`: the peer ended, or empty
 * messages, which look the same); or what `sk_recv_from` does, and:
 * `SK_EOPNOTSUPP` a stream; `SK_EINVAL` in one of them data is NULL with room.
 * An error after some had come is told by the next call.
 *
 * Threads: any; the list is the call's until it returns. Signals: not in a handler. Since 0.1.
 * See recvmmsg(2), udp(7).
 */
int64_t sk_recv_batch(sk_handle s, struct sk_dgram *msgs, size_t count, int flags);

/**
 * Sends a part of a file on a stream, without copying it where the system can, under one
 * `SK_OPT_SEND_TIMEOUT` over the whole. No SIGPIPE, ever.
 *
 * s: a connected stream.
 * file: the descriptor of a file that is open for reading; its position is neither used nor moved.
 * offset: the first byte to send, from the beginning of the file.
 * count: how many bytes; -1 = to the file's end.
 *
 * Returns the bytes sent, fewer than count only at the file's end, or after a limit, a close or
 * an error, which then comes with the next call. Only where none went: what `sk_send` does, and:
 * `SK_EOPNOTSUPP` no stream; `SK_EINVAL` negative offset, count below -1; or the file is not
 * open for reading (errno EBADF), or can't be read from an offset on, as a pipe, a socket
 * (ESPIPE) or a folder (EISDIR); `SK_EOTHER` it can't be read (errno tells why).
 *
 * Threads: any; calls on one stream at a time can mix their bytes. Signals: not in a handler.
 * Since 0.1. See sendfile(2).
 */
int64_t sk_send_file(sk_handle s, int file, int64_t offset, int64_t count);

/**
 * Sets an option.
 *
 * s: a socket.
 * option: of `enum sk_option`, where each says its unit and range.
 * value: the value; switches take 0 or 1.
 *
 * Returns `SK_OK`, or:
 * `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live socket;
 * `SK_EINVAL` unknown option, value out of range, or too late for it (`SK_OPT_V6ONLY` after `sk_bind`);
 * `SK_ENOPROTOOPT` this kind of socket or this platform has no such option, it is read-only, or a text;
 * `SK_EACCES` not permitted; `SK_ENOENT` no such interface.
 *
 * Threads: any. A limit holds for calls that begin after. Signals: not in a handler. Since 0.1. See setsockopt(2).
 */
int sk_set_option(sk_handle s, int option, int64_t value);

/**
 * Reads an option.
 *
 * s: a socket.
 * option: of `enum sk_option`.
 * value: the value.
 *
 * Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (unknown
 * option, value is NULL), `SK_ENOPROTOOPT` (this kind of socket or this
 * platform has no such option, or it is a text).
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See getsockopt(2).
 */
int sk_get_option(sk_handle s, int option, int64_t *value);

/**
 * Sets an option that is a text.
 *
 * s: a socket.
 * option: `SK_OPT_BIND_DEVICE` or `SK_OPT_CONGESTION`.
 * value: the text.
 *
 * Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (unknown
 * option, value is NULL), `SK_ENOPROTOOPT` (not on this kind of socket, or no
 * text), `SK_ENOENT` (no such interface or congestion control), `SK_ENAMETOOLONG`, `SK_EACCES`.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See socket(7), tcp(7).
 */
int sk_set_option_text(sk_handle s, int option, const char *value);

/**
 * Reads an option that is a text.
 *
 * s: a socket.
 * option: `SK_OPT_BIND_DEVICE` or `SK_OPT_CONGESTION`.
 * out, len: where to put it, as snprintf does: cut to fit, closed with NUL where len > 0. NULL only with len 0.
 *
 * Returns the text's length without the NUL (it was cut where that is not below len), or
 * `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (unknown option, NULL with a
 * length), `SK_ENOPROTOOPT` (not on this kind of socket, or no text).
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See socket(7), tcp(7).
 */
int sk_get_option_text(sk_handle s, int option, char *out, size_t len);

/**
 * Sets the limits of receive, send and connect at once. A limit is for a whole call, on the
 * monotonic clock, and is unharmed by signals. When it runs out the call gives
 * `SK_ETIMEDOUT` and the handle stays usable.
 *
 * s: a socket.
 * ms: `SK_FOREVER` = none, 0 = never wait (calls give `SK_EAGAIN`), else milliseconds.
 *
 * Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (below -1).
 *
 * Threads: any; it holds for calls that begin after. Signals: not in a handler. Since 0.1.
 */
int sk_set_timeout(sk_handle s, int64_t ms);

/**
 * Reads the text of an address: `127.0.0.1:80`, `[::1]:80`, `[fe80::1%eth0]:80`, "10.0.0.1",
 * "::1", "unix:/run/a.sock", "unix:///run/a.sock", "unix:@name". Exact: no spaces, no
 * "127.1", no leading zeros in IPv4 or a port; without a port it is 0. In Unix names `\xNN` stands
 * for a byte.
 *
 * text: the text.
 * out: the address.
 *
 * Returns `SK_OK`, or `SK_EINVAL` (NULL), `SK_EADDRFORMAT` (no address), `SK_ENOENT` (no such
 * interface), `SK_ENAMETOOLONG` (path or interface).
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See RFC 4291, RFC 4007.
 */
int sk_addr_parse(const char *text, struct sk_addr *out);

/**
 * Writes an address as text, in a form that `sk_addr_parse` reads back: no port where it is 0,
 * else `[::1]:80`; zones by the interface's name; `SK_UNSPEC` is "", an unnamed Unix
 * address "unix:", an abstract one "unix:@name". `SK_ADDR_STRLEN` bytes are always enough.
 *
 * addr: the address.
 * out, len: where to put it, as snprintf does: cut to fit, closed with NUL where len > 0. NULL only with len 0.
 *
 * Returns the text's length without the NUL (it was cut where that is not below len), or
 * `SK_EINVAL` (NULL, len over INT64_MAX, an unknown family).
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See RFC 5952.
 */
int sk_addr_format(const struct sk_addr *addr, char *out, size_t len);

/**
 * Whether two addresses are the same: family, and what counts in it (address and port; scope;
 * path). flow_info and unused bytes don't count.
 *
 * a, b: the addresses.
 *
 * Returns 1 or 0; 0 also where one is NULL.
 *
 * Threads: any. Signals: safe in a handler. Since 0.1.
 */
int sk_addr_equal(const struct sk_addr *a, const struct sk_addr *b);

/**
 * Makes an address of a `struct sockaddr`, for programs that mix libsk with the system's calls.
 *
 * sockaddr, len: the address, in bytes; an IPv4 address in its IPv6 form becomes `SK_INET`.
 * out: the same address.
 *
 * Returns `SK_OK`, or `SK_EINVAL` (NULL, or too short or long for its family), `SK_EAFNOSUPPORT`
 * (a family that libsk does not have).
 *
 * Threads: any. Signals: safe in a handler. Since 0.1. See sockaddr(3type), RFC 4291 section 2.5.5.2.
 */
int sk_addr_from_sockaddr(const void *sockaddr, uint32_t len, struct sk_addr *out);

/**
 * Makes a `struct sockaddr` of an address, for programs that mix libsk with the system's calls.
 *
 * addr: the address.
 * out: where to put it; a `struct sockaddr_storage` is always enough.
 * len: in: bytes of room; out: bytes used.
 *
 * Returns `SK_OK`, or `SK_EINVAL` (NULL, malformed address), `SK_ENOBUFS` (too little room).
 *
 * Threads: any. Signals: safe in a handler. Since 0.1. See sockaddr(3type).
 */
int sk_addr_to_sockaddr(const struct sk_addr *addr, void *out, uint32_t *len);

/**
 * Finds the addresses of a host, each once, in the system's order of preference. A numeric host
 * is its own address, and nobody is asked.
 *
 * host: a numeric address, "::1" or "fe80::1%eth0", or a name. A name whose last label is a number,
 * "127.1" for one, is neither.
 * port: put into each address.
 * family: `SK_INET` or `SK_INET6` alone, or `SK_UNSPEC` for both (`enum sk_family`).
 * timeout: ms; `SK_FOREVER` = as long as the C library's resolver takes, 0 = only a numeric host.
 * out, capacity: where to put them, and room for how many; the rest is dropped.
 *
 * Returns how many addresses were put there, at least 1, or:
 * `SK_EINVAL` host or out is NULL, capacity 0, unknown family, limit below -1;
 * `SK_EAFNOSUPPORT` `SK_UNIX`, or a numeric host of the other family;
 * `SK_EADDRFORMAT` what can't be a host at all; `SK_ENAMETOOLONG` over 253 bytes, or 63 in a label;
 * `SK_ENOENT` a zone that is no interface;
 * `SK_EHOSTNOTFOUND` no such host, or it has no address of that family; `SK_ERESOLVE` not just now;
 * `SK_EAGAIN` the limit is 0 and host is a name; `SK_ETIMEDOUT` the limit ran out;
 * `SK_ENOMEM` no memory; other errors as the resolver tells.
 *
 * Threads: any. With a limit above 0 and a name the resolver runs in a thread of its own, which may
 * outlive the limit: it ends when the resolver does. All signals are blocked there. Signals: not
 * in a handler. Since 0.1. See getaddrinfo(3), RFC 6724.
 */
int64_t sk_resolve(const char *host, uint16_t port, int family, int64_t timeout, struct sk_addr *out, size_t capacity);

/**
 * Makes a socket that is connected to an endpoint:
 * `tcp://example.org:80`, `tcp://[::1]:80`, `tcp://[fe80::1%eth0]:80`, `udp://host:port`,
 * `unix:///run/a.sock`, `unix-dgram:///run/a.sock`, `unix-seqpacket:///run/a.sock`, and
 * `unix://@name` for Linux's abstract namespace. Exact, as `sk_addr_parse` is: a name's last label
 * is no number, a port is not 0, and in Unix names `\xNN` stands for a byte.
 *
 * A name is looked up, and its addresses are tried in the system's order with the families
 * in turn: the next one 250 ms after the one before, or at once where all before have failed,
 * without giving those up. The first connection wins, the rest is closed. At most 16 addresses of
 * each family are tried, 16 at a time; each takes a descriptor while it is tried. Over UDP the
 * first address is taken that the system can send to.
 *
 * The socket is as one from `sk_socket`: its defaults, and no limits. A Unix datagram socket
 * has a free abstract name of its own, so that it can be answered.
 *
 * endpoint: where to.
 * timeout: ms over all, the look-up included; `SK_FOREVER` = no limit. With 0 an IP address gives a
 * socket that may still be connecting: `sk_wait` for `SK_WRITABLE`, then `SK_OPT_ERROR`, or
 * `sk_connect`, tell what became of it.
 *
 * Returns a handle, or:
 * `SK_EINVAL` endpoint is NULL, limit below -1; `SK_EADDRFORMAT` it is no endpoint to connect to;
 * `SK_ENAMETOOLONG` the path or name;
 * `SK_EHOSTNOTFOUND`, `SK_ERESOLVE` the name has no address, or not just now;
 * `SK_ETIMEDOUT` the limit ran out, or the system's own;
 * `SK_EAGAIN` the limit is 0 and the host is a name, or a Unix peer's queue is full;
 * `SK_ECONNREFUSED`, `SK_ECONNRESET`, `SK_ENETUNREACH`, `SK_EHOSTUNREACH`, `SK_EACCES`,
 * `SK_EADDRNOTAVAIL` (no port is free), `SK_ENOENT` (no such path, no such interface) as `sk_connect`;
 * `SK_EPROTONOSUPPORT` a Unix socket of another type has that name;
 * `SK_EAFNOSUPPORT` the system lacks the family;
 * `SK_EMFILE`, `SK_ENFILE`, `SK_ENOBUFS`, `SK_ENOMEM` no descriptor, handle or memory is left.
 * Where all addresses of a name fail, it is the error of the attempt that came farthest, and of
 * equals that of the first: refused or reset, before the system's `SK_ETIMEDOUT`, before an error of
 * this machine such as `SK_EACCES`, before `SK_EHOSTUNREACH`, before `SK_ENETUNREACH`.
 *
 * Threads: any; under a limit a name is looked up in a short-lived thread, as `sk_resolve` does.
 * Signals: not in a handler. Since 0.1. See connect(2), unix(7), RFC 8305.
 */
sk_handle sk_dial(const char *endpoint, int64_t timeout);

/**
 * Makes a socket that serves at an endpoint, as written for `sk_dial`: for streams and
 * seqpackets a listener, for datagrams a bound socket. `tcp://:8080` is every address of this machine,
 * IPv6 and IPv4 in one socket where there is IPv6, else IPv4 alone. Port 0 is any free one:
 * `sk_local_addr` tells which. A name is looked up, without a limit, and the first of
 * its addresses that this machine has is taken.
 *
 * On a Unix path a socket file that no socket is bound to any more gives way; a live one never
 * does, whether it listens or not, nor does any other file. A live server sees nothing of
 * that. Of several that start at once on a dead file only one gets it. That holds among
 * callers of `sk_serve` on one machine (on Linux: in one network namespace); who removes the file and
 * binds by other means, or from another machine through a network file system, is not seen.
 * `sk_close` leaves the file where it is.
 *
 * endpoint: where to serve.
 * backlog: how many connections may wait to be accepted; 0 and below = the system's maximum. Not
 * used for datagrams.
 *
 * Returns a handle, or:
 * `SK_EINVAL` endpoint is NULL; `SK_EADDRFORMAT` it is no endpoint;
 * `SK_ENAMETOOLONG` the path or name;
 * `SK_EADDRINUSE` somebody has that address, or the path is in the way and is not to be removed;
 * `SK_EADDRNOTAVAIL` it is not an address of this machine; `SK_EAFNOSUPPORT` the system lacks the family;
 * `SK_EACCES` not permitted, a port below 1024 for one, or removing the dead file;
 * `SK_EHOSTNOTFOUND`, `SK_ERESOLVE` the name has no address, or not just now;
 * `SK_ENOENT` no such directory, no such interface;
 * `SK_EMFILE`, `SK_ENFILE`, `SK_ENOBUFS`, `SK_ENOMEM` no descriptor, handle or memory is left.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See bind(2), listen(2), unix(7).
 */
sk_handle sk_serve(const char *endpoint, int backlog);

/**
 * Joins a multicast group: the socket then hears what is sent to the group and to the port that
 * it is bound to. Several sockets can be bound to one port with `SK_OPT_REUSE_ADDR`. A socket
 * bound to any address hears the groups that others joined too; bind it to the group's address
 * to hear that group only. To send to a group, nobody has to be in it.
 *
 * s: a UDP socket. `SK_INET` groups can be joined on a dual-stack one too.
 * group: the group; its port does not count. An IPv6 scope_id names the interface.
 * source: the one to hear; join again for more of them. NULL = any.
 * interface_name: where to listen; NULL = the one that the system has a route to the group by.
 *
 * Returns `SK_OK`, or:
 * `SK_EBADHANDLE` no live handle; `SK_EOPNOTSUPP` no UDP socket;
 * `SK_EINVAL` group is NULL or no multicast address, source is one or is "any", interface_name
 * contradicts scope_id;
 * `SK_EAFNOSUPPORT` an address of another family than the socket's or the group's;
 * `SK_ENAMETOOLONG` interface_name; `SK_ENOENT` no such interface, or no route to the group;
 * `SK_EADDRINUSE` joined already, with this source or with any;
 * `SK_ENOBUFS` the system permits no more groups (igmp_max_memberships) or sources (igmp_max_msf, mld_max_msf).
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See RFC 3678, ip(7), ipv6(7).
 */
int sk_join_group(sk_handle s, const struct sk_addr *group, const struct sk_addr *source, const char *interface_name);

/**
 * Leaves a multicast group, or stops hearing one source of it. A socket leaves its groups by
 * itself when its last copy is closed.
 *
 * s, group, interface_name: as `sk_join_group` had them.
 * source: the one to hear no longer; NULL = leave the group with all its sources.
 *
 * Returns `SK_OK`, or `SK_EADDRNOTAVAIL` (not joined, or not with this source), or what
 * `sk_join_group` does but for `SK_EADDRINUSE`.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See RFC 3678, ip(7), ipv6(7).
 */
int sk_leave_group(sk_handle s, const struct sk_addr *group, const struct sk_addr *source, const char *interface_name);

/**
 * Waits until a handle is ready.
 *
 * s: a socket, or a poller.
 * events: of `SK_READABLE`, `SK_WRITABLE`, `SK_PRIORITY`; `SK_HANGUP` and `SK_ERROR` are waited
 * for in any case.
 * timeout: ms; `SK_FOREVER` = no limit, 0 = only look.
 *
 * Returns 1 = ready for one of them, 0 = time is up, or:
 * `SK_EBADHANDLE` no live handle; `SK_EINVAL` unknown events, or those only for pollers; limit below -1;
 * `SK_ECLOSED` closed meanwhile.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See poll(2).
 */
int sk_wait(sk_handle s, uint32_t events, int64_t timeout);

/**
 * Waits until one of several handles is ready. A handle that is not live, or is closed
 * meanwhile, gets revents `SK_ERROR` and counts.
 *
 * items, count: handles, each with the events to wait for (of `SK_READABLE`, `SK_WRITABLE`,
 * `SK_PRIORITY`; `SK_HANGUP` and `SK_ERROR` are waited for in any case); revents is written.
 * Handle 0 is skipped. At most 65,536; NULL only with count 0.
 * timeout: ms; `SK_FOREVER` = no limit, 0 = only look.
 *
 * Returns how many items are ready, 0 = time is up, or:
 * `SK_EINVAL` unknown events, or those only for pollers; too many items; NULL with a count; limit below -1;
 * `SK_ENOMEM` no memory for so many items, or two million, of all calls, are for one handle.
 *
 * Threads: any; the items are the call's until it returns. Signals: not in a handler. Since 0.1.
 * See poll(2).
 */
int sk_poll(struct sk_poll_item *items, size_t count, int64_t timeout);

/**
 * Makes a poller, which remembers whom to wait for.
 *
 * Returns a handle, or:
 * `SK_EMFILE` the process has no descriptor left (it takes two), or the table no handle;
 * `SK_ENFILE` the system has none left; `SK_ENOMEM` no memory.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See epoll(7). A poller does not cross fork: in
 * the child only `sk_close` works on it. Closing it wakes its waiters and lets its handles go.
 */
sk_handle sk_poller(void);

/**
 * Adds a handle to a poller, which reports it as long as it is ready (or with `SK_EDGE` when
 * that changes, with `SK_ONESHOT` once). A closed handle leaves its poller by itself.
 *
 * p: a poller.
 * s: a socket that is in no poller; `sk_dup` it to have it in two.
 * events: of `SK_READABLE`, `SK_WRITABLE`, `SK_PRIORITY`, `SK_EDGE`, `SK_ONESHOT`,
 * `SK_EXCLUSIVE`; `SK_HANGUP` and `SK_ERROR` are reported in any case. `SK_EXCLUSIVE` does not
 * go together with `SK_ONESHOT` or `SK_PRIORITY`.
 * data: comes back with each event.
 *
 * Returns `SK_OK`, or:
 * `SK_EBADHANDLE` one of them is not live; `SK_EOPNOTSUPP` p is no poller or s no socket;
 * `SK_EINVAL` unknown events, or such as do not go together;
 * `SK_EEXIST` it is in already, `SK_EBUSY` it is in another poller;
 * `SK_ECLOSED` closed meanwhile; `SK_ENOMEM` no memory.
 *
 * Threads: any, also while others wait. Signals: not in a handler. Since 0.1. See epoll_ctl(2).
 */
int sk_poller_add(sk_handle p, sk_handle s, uint32_t events, uint64_t data);

/**
 * Changes what a handle in a poller is waited for, and arms it again after `SK_ONESHOT`.
 *
 * p, s, events, data: as `sk_poller_add`, but without `SK_EXCLUSIVE`.
 *
 * Returns `SK_OK`, or, and then nothing has changed:
 * `SK_EBADHANDLE`, `SK_EOPNOTSUPP` as `sk_poller_add`; `SK_EINVAL` unknown events, or `SK_EXCLUSIVE`, now
 * or when it was added: remove and add it instead; `SK_ENOENT` it is not in this poller;
 * `SK_ENOMEM` no memory.
 *
 * Threads: any, also while others wait. Signals: not in a handler. Since 0.1. See epoll_ctl(2).
 */
int sk_poller_modify(sk_handle p, sk_handle s, uint32_t events, uint64_t data);

/**
 * Takes a handle out of a poller.
 *
 * p: a poller.
 * s: a socket that is in it.
 *
 * Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` as `sk_poller_add`, `SK_ENOENT` (it is not
 * in this poller).
 *
 * Threads: any; a wait that has begun may still report it. Signals: not in a handler. Since
 * 0.1. See epoll_ctl(2).
 */
int sk_poller_remove(sk_handle p, sk_handle s);

/**
 * Waits until handles in a poller are ready. No wait that began after `sk_close` returned
 * reports the handle that was closed.
 *
 * An error that an earlier call has left for the next one is told by that, by `sk_wait` and by `sk_poll`,
 * not here: the system knows nothing of it any more.
 *
 * p: a poller.
 * out, capacity: where to put the events, as many as there are and fit; 1 at least. What is
 * behind those that the result counts may be overwritten too.
 * timeout: ms; `SK_FOREVER` = no limit, 0 = only look.
 *
 * Returns how many events there are, 0 = time is up, or:
 * `SK_EBADHANDLE` not live; `SK_EOPNOTSUPP` no poller; `SK_EINVAL` out is NULL or capacity 0; limit below -1;
 * `SK_ECLOSED` closed meanwhile.
 *
 * Threads: any, several may wait on one poller. Signals: not in a handler. Since 0.1. See epoll_wait(2).
 */
int64_t sk_poller_wait(sk_handle p, struct sk_event *out, size_t capacity, int64_t timeout);

/**
 * Lets one waiter of a poller return, with an event of handle 0, data 0, events 0; if nobody
 * waits, the next one. Never lost; several may fold into one.
 *
 * p: a poller.
 *
 * Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live poller).
 *
 * Threads: any. Signals: safe in a handler. Since 0.1. See eventfd(2).
 */
int sk_poller_wake(sk_handle p);

/**
 * Takes over a socket that was made elsewhere: its blocking mode, close-on-exec, and the duty
 * to close it.
 *
 * fd: a descriptor of a stream, datagram or seqpacket socket of IPv4, IPv6 or Unix.
 *
 * Returns a handle, or, and then fd stays yours:
 * `SK_EBADHANDLE` not open; `SK_ENOTSOCK` no supported socket; `SK_EEXIST` libsk owns it already;
 * `SK_EMFILE` no handle is left.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See socket(7).
 */
sk_handle sk_from_fd(int64_t fd);

/**
 * The descriptor behind a socket, for other event loops to look at. It is still libsk's: don't
 * close it or change its flags. From here on the socket counts as shared. Whether the descriptor
 * blocks is no promise, and calls on the handle change it.
 *
 * s: a socket.
 *
 * Returns the descriptor, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket).
 *
 * Threads: any. Signals: not in a handler. Since 0.1.
 */
int64_t sk_fd(sk_handle s);

/**
 * Gives a socket up: the handle is dead, the descriptor yours, in blocking mode and close-on-exec.
 * The mode is that of every copy (`sk_dup`, `fork`, passed on): `sk_accept`, `sk_connect` and
 * `sk_send_file` on a handle of another may make it non-blocking again.
 *
 * s: a socket.
 *
 * Returns the descriptor, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EBUSY` (a
 * call on it is in progress), or an error of the system's where it can't be made blocking, see
 * ioctl(2): then it is closed.
 *
 * Threads: any. Signals: not in a handler. Since 0.1.
 */
int64_t sk_into_fd(sk_handle s);

/**
 * A further handle for the same socket, with a life and limits of its own. The blocking mode of
 * the descriptors is one for all, see `sk_into_fd`.
 *
 * s: a socket.
 *
 * Returns a handle, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EMFILE` (no
 * descriptor or handle is left), `SK_ECLOSED` (closed meanwhile).
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See dup(2).
 */
sk_handle sk_dup(sk_handle s);

/**
 * Passes a copy of a socket to the process at the other end of a Unix socket, with one byte of
 * data, under the `SK_OPT_SEND_TIMEOUT` of `via`. The handle here stays what it is, but counts as
 * shared from here on: each copy is closed on its own, and `sk_abort` is no more than `sk_close`.
 *
 * via: a connected Unix socket. On a stream the byte has its place among the others that are sent.
 * s: the socket to pass, of any kind, in any condition: a listener, say.
 *
 * Returns `SK_OK`, or:
 * `SK_EBADHANDLE` one of them is not live; `SK_EOPNOTSUPP` via is no Unix socket, or s no socket;
 * `SK_ECLOSED` one of them was closed by another thread meanwhile;
 * `SK_EAGAIN`, `SK_ETIMEDOUT` the peer takes no more now: it would have to wait, the limit ran out;
 * `SK_ENOTCONN` via is not connected; `SK_EPIPE`, `SK_ECONNRESET`, `SK_ECONNREFUSED` the peer is gone;
 * `SK_EOTHER` with errno ETOOMANYREFS: too many are on their way and not yet received.
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See SCM_RIGHTS in unix(7).
 */
int sk_send_handle(sk_handle via, sk_handle s);

/**
 * Receives a socket that was passed, with the one byte of data that it came with, under the
 * `SK_OPT_RECV_TIMEOUT` of `via`. Any program can have sent it, with SCM_RIGHTS. Of several
 * that came with one byte the first is kept, the others are closed. `sk_recv` on `via` would
 * drop what comes with the data.
 *
 * via: a connected Unix socket.
 *
 * Returns a handle of its own with default limits, which counts as shared, or:
 * `SK_EBADHANDLE`, `SK_EOPNOTSUPP` via is no live Unix socket;
 * `SK_ENOENT` data came without a handle: one byte is consumed (of a datagram: all of it);
 * `SK_EEOF` the peer ended, or it was shut down for receiving;
 * `SK_ENOTSOCK` what came is no socket of a supported kind; it was closed;
 * `SK_EMFILE` no descriptor or handle is left; what came stays where it is, for a later call;
 * `SK_ECLOSED` via was closed by another thread meanwhile;
 * `SK_EAGAIN`, `SK_ETIMEDOUT` nothing came: it would have to wait, the limit ran out;
 * `SK_EINVAL`, `SK_ENOTCONN` via is not connected; `SK_ECONNRESET` the peer is gone.
 *
 * Threads: any; processes that receive from copies of one socket get one handle each. Signals:
 * not in a handler. Since 0.1. See SCM_RIGHTS in unix(7).
 */
sk_handle sk_recv_handle(sk_handle via);

/**
 * Who is at the other end of a Unix socket: the process that connected, on its listener's side; the
 * one that called `sk_listen`, on the client's; the one that made the pair. It is noted then
 * and does not change when the socket is passed on, or the process ends.
 *
 * s: a connected Unix stream or seqpacket socket, or one of a pair.
 * out: who it is.
 *
 * Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live Unix socket), `SK_EINVAL` (NULL),
 * `SK_ENOTCONN` (not connected, or a datagram socket that is not of a pair: of its peer
 * the system notes nothing).
 *
 * Threads: any. Signals: not in a handler. Since 0.1. See SO_PEERCRED in unix(7).
 */
int sk_peer_cred(sk_handle s, struct sk_cred *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SK_H */
