/* libsk for C++11 and later: sk.h with objects that close themselves, error codes or exceptions,
 * std::chrono for limits, and buffers that know their size. Header only, on the exported
 * functions alone; what each call does, returns and promises stands in sk.h.
 *
 * Errors. Each function that can fail has two forms: one throws std::system_error, the other
 * takes a std::error_code& at the end, which it sets (and clears on success). The codes are those
 * of enum sk_error, and compare with std::errc too: ec == SK_ETIMEDOUT, ec == std::errc::timed_out.
 *
 * Threads. Any member may be called from any thread at any time, but what takes the handle from an
 * object: moving, swapping and destroying it, release() and into_fd(). Nothing else may run on the
 * object beside these. close() wakes every thread that is inside a call on the same object, and
 * leaves the number of the handle where it is: no value is ever issued twice, so a call that comes
 * later gets SK_EBADHANDLE.
 */
#ifndef SK_HPP
#define SK_HPP

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ratio>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <sk.h>

namespace std {
template <>
struct is_error_code_enum<sk_error> : true_type {};
} // namespace std

namespace sk {

/* --- Errors -------------------------------------------------------------------------------- */

/* The category of sk_error codes. */
class error_category : public std::error_category {
public:
    const char *name() const noexcept override { return "sk"; }
    std::string message(int code) const override { return sk_strerror(code); }

    /* The portable condition with the same meaning, where there is one. */
    std::error_condition default_error_condition(int code) const noexcept override {
        switch (code) {
        case SK_EINVAL:
        case SK_EADDRFORMAT: return std::errc::invalid_argument;
        case SK_EBADHANDLE: return std::errc::bad_file_descriptor;
        case SK_ECLOSED: return std::errc::operation_canceled;
        case SK_EAGAIN: return std::errc::resource_unavailable_try_again;
        case SK_ETIMEDOUT: return std::errc::timed_out;
        case SK_EINPROGRESS: return std::errc::operation_in_progress;
        case SK_ECONNREFUSED: return std::errc::connection_refused;
        case SK_ECONNRESET: return std::errc::connection_reset;
        case SK_ECONNABORTED: return std::errc::connection_aborted;
        case SK_EPIPE: return std::errc::broken_pipe;
        case SK_ENOTCONN: return std::errc::not_connected;
        case SK_EISCONN: return std::errc::already_connected;
        case SK_EALREADY: return std::errc::connection_already_in_progress;
        case SK_EADDRINUSE: return std::errc::address_in_use;
        case SK_EADDRNOTAVAIL: return std::errc::address_not_available;
        case SK_ENETUNREACH: return std::errc::network_unreachable;
        case SK_EHOSTUNREACH: return std::errc::host_unreachable;
        case SK_ENETDOWN: return std::errc::network_down;
        case SK_EMSGSIZE: return std::errc::message_size;
        case SK_EDESTADDRREQ: return std::errc::destination_address_required;
        case SK_EAFNOSUPPORT: return std::errc::address_family_not_supported;
        case SK_EPROTONOSUPPORT: return std::errc::protocol_not_supported;
        case SK_EOPNOTSUPP: return std::errc::operation_not_supported;
        case SK_ENOPROTOOPT: return std::errc::no_protocol_option;
        case SK_EACCES: return std::errc::permission_denied;
        case SK_EMFILE: return std::errc::too_many_files_open;
        case SK_ENFILE: return std::errc::too_many_files_open_in_system;
        case SK_ENOBUFS: return std::errc::no_buffer_space;
        case SK_ENOMEM: return std::errc::not_enough_memory;
        case SK_ENOENT: return std::errc::no_such_file_or_directory;
        case SK_EEXIST: return std::errc::file_exists;
        case SK_ENOTSOCK: return std::errc::not_a_socket;
        case SK_ENAMETOOLONG: return std::errc::filename_too_long;
        case SK_EBUSY: return std::errc::device_or_resource_busy;
        case SK_ENOSYS: return std::errc::function_not_supported;
        default: return std::error_condition(code, *this);
        }
    }
};

inline const std::error_category &category() noexcept {
    static const error_category instance;
    return instance;
}

} // namespace sk

/* Found by argument-dependent look-up: sk_error is a type of the C header. */
inline std::error_code make_error_code(sk_error code) noexcept {
    return std::error_code(static_cast<int>(code), sk::category());
}

namespace sk {
namespace detail {

/* The result of a C function, with its failure put where the caller wants it. */
inline std::int64_t told(std::int64_t result, std::error_code &error) noexcept {
    if (result < 0) {
        error.assign(static_cast<int>(result), category());
    } else {
        error.clear();
    }
    return result;
}

inline void check(const std::error_code &error, const char *call) {
    if (error) throw std::system_error(error, call);
}

inline std::int64_t checked(std::int64_t result, const char *call) {
    if (result < 0) throw std::system_error(static_cast<int>(result), category(), call);
    return result;
}

/* A count, which is never negative here. */
inline std::size_t count(std::int64_t result) noexcept {
    return result < 0 ? 0 : static_cast<std::size_t>(result);
}

/* The results where a text can't be handed to C whole. */
constexpr std::int64_t bad_address = SK_EADDRFORMAT;
constexpr std::int64_t bad_text = SK_EINVAL;

} // namespace detail

/* --- Texts --------------------------------------------------------------------------------- */

/* A text that a function takes: a literal, a pointer to one with a NUL at its end, or a std::string.
 * A std::string with a NUL inside, where C would take it to end, is refused: as an address that is
 * none (SK_EADDRFORMAT), or else with SK_EINVAL. */
class c_string {
public:
    c_string(const char *text) noexcept : text_(text), whole_(true) {}
    c_string(const std::string &text) noexcept : text_(text.c_str()), whole_(text.find('\0') == std::string::npos) {}

    const char *get() const noexcept { return text_; }
    /* Whether C sees all of it. */
    bool whole() const noexcept { return whole_; }

private:
    const char *text_;
    bool whole_;
};

/* --- Time ---------------------------------------------------------------------------------- */

/* A limit: any std::chrono duration, rounded up to milliseconds. */
class limit {
public:
    template <class Rep, class Period>
    limit(std::chrono::duration<Rep, Period> time) noexcept : ms_(round_up(time)) {}

    static limit forever() noexcept { return limit(SK_FOREVER); }

    std::int64_t ms() const noexcept { return ms_; }

private:
    explicit limit(std::int64_t ms) noexcept : ms_(ms) {}

    template <class Rep, class Period>
    static std::int64_t round_up(std::chrono::duration<Rep, Period> time) noexcept {
        /* Not "<= zero", which is false for what is not a number. */
        if (!(time > time.zero())) return 0;
        return round_up(time, std::integral_constant<bool, std::chrono::treat_as_floating_point<Rep>::value>());
    }

    template <class Rep, class Period>
    static std::int64_t round_up(std::chrono::duration<Rep, Period> time, std::true_type) noexcept {
        const Rep ms = std::chrono::duration<Rep, std::milli>(time).count();
        if (ms >= static_cast<Rep>(9223372036854775808.0)) return INT64_MAX;
        const std::int64_t whole = static_cast<std::int64_t>(ms);
        return whole + (static_cast<Rep>(whole) < ms ? 1 : 0);
    }

    /* By whole periods and what is left of one, so that no product runs over. */
    template <class Rep, class Period>
    static std::int64_t round_up(std::chrono::duration<Rep, Period> time, std::false_type) noexcept {
        using ratio = std::ratio_divide<Period, std::milli>;
        const std::uint64_t num = ratio::num, den = ratio::den, most = INT64_MAX;
        const std::uint64_t count = static_cast<std::uint64_t>(time.count());
        const std::uint64_t rest = (count % den * num + den - 1) / den;
        return count / den > (most - rest) / num ? INT64_MAX : static_cast<std::int64_t>(count / den * num + rest);
    }

    std::int64_t ms_;
};

/* --- Buffers ------------------------------------------------------------------------------- */

namespace detail {

/* What has data() only points to its bytes, as std::string_view and const_buffer do. */
template <class T>
auto has_data(int) -> decltype(std::declval<const T &>().data(), std::true_type());
template <class T>
std::false_type has_data(long);

/* What is sent and received as it lies in memory. A list of pieces is no bytes, nor are pointers. */
template <class T>
struct is_plain_element
    : std::integral_constant<bool, std::is_trivially_copyable<T>::value && !std::is_pointer<T>::value &&
                                       !std::is_same<T, sk_buf>::value && !std::is_same<T, sk_dgram>::value &&
                                       !decltype(has_data<T>(0))::value> {};
template <class T>
struct is_plain : is_plain_element<typename std::remove_cv<typename std::remove_all_extents<T>::type>::type> {};
template <class T, std::size_t N>
struct is_plain_element<std::array<T, N>> : is_plain<T> {};

/* The elements of what has data(). */
template <class Range>
using element = typename std::remove_pointer<decltype(std::declval<Range>().data())>::type;

/* Those to receive into. What owns them must outlive the call; of what passes by they are const then. */
template <class Range>
using room = element<typename std::conditional<std::is_lvalue_reference<Range>::value, Range, const Range &>::type>;

/* The bytes of an array: of characters a text, which ends before its first NUL, if there is one. */
template <class Element>
std::size_t length(const Element *, std::size_t size) noexcept {
    return size;
}
inline std::size_t length(const char *array, std::size_t size) noexcept {
    const void *nul = std::memchr(array, 0, size);
    return nul ? static_cast<std::size_t>(static_cast<const char *>(nul) - array) : size;
}
#ifdef __cpp_char8_t
inline std::size_t length(const char8_t *array, std::size_t size) noexcept {
    return length(reinterpret_cast<const char *>(array), size);
}
#endif

} // namespace detail

/* Bytes to send: from a pointer and a length; from anything with data() and size() whose elements
 * are plain bytes in memory (std::string, std::vector, std::array, std::span); or from an array. One
 * of char is a text, "hello" has 5 bytes, and any other is sent whole. A pointer alone has no size:
 * {pointer, size}. */
class const_buffer {
public:
    const_buffer(const void *data, std::size_t size) noexcept : data_(data), size_(size) {}

    template <class Element, std::size_t N, class = typename std::enable_if<detail::is_plain<Element>::value>::type>
    const_buffer(const Element (&array)[N]) noexcept : data_(array), size_(detail::length(array, sizeof array)) {}

    template <class Range, class Element = detail::element<const Range &>,
              class = typename std::enable_if<detail::is_plain<Element>::value>::type>
    const_buffer(const Range &range) noexcept : data_(range.data()), size_(range.size() * sizeof(Element)) {}

    const void *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

private:
    const void *data_;
    std::size_t size_;
};

/* Room to receive into: from a pointer and a length, an array, or anything with data() and size(). */
class mutable_buffer {
public:
    mutable_buffer(void *data, std::size_t size) noexcept : data_(data), size_(size) {}

    template <class Element, std::size_t N,
              class = typename std::enable_if<detail::is_plain<Element>::value && !std::is_const<Element>::value>::type>
    mutable_buffer(Element (&array)[N]) noexcept : data_(array), size_(sizeof array) {}

    template <class Range, class Element = detail::room<Range>,
              class = typename std::enable_if<detail::is_plain<Element>::value && !std::is_const<Element>::value>::type>
    mutable_buffer(Range &&range) noexcept : data_(range.data()), size_(range.size() * sizeof(Element)) {}

    operator const_buffer() const noexcept { return const_buffer(data_, size_); }

    void *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

private:
    void *data_;
    std::size_t size_;
};

/* --- Addresses ----------------------------------------------------------------------------- */

/* An address: sk_addr as a value with comparison and text. */
class address {
public:
    address() noexcept : addr_() {}
    address(const sk_addr &addr) noexcept : addr_(addr) {}

    /* "127.0.0.1:80", "[::1]:80", "unix:/run/a.sock", … see sk_addr_parse. */
    explicit address(c_string text) : addr_() { detail::checked(parse(text), "sk_addr_parse"); }
    address(c_string text, std::error_code &error) noexcept : addr_() { detail::told(parse(text), error); }

    int family() const noexcept { return addr_.family; }
    std::uint16_t port() const noexcept { return addr_.port; }
    void port(std::uint16_t port) noexcept { addr_.port = port; }

    std::string to_string() const {
        char text[SK_ADDR_STRLEN];
        detail::checked(sk_addr_format(&addr_, text, sizeof text), "sk_addr_format");
        return text;
    }

    const sk_addr *get() const noexcept { return &addr_; }
    sk_addr *get() noexcept { return &addr_; }

    friend bool operator==(const address &a, const address &b) noexcept { return sk_addr_equal(&a.addr_, &b.addr_) == 1; }
    friend bool operator!=(const address &a, const address &b) noexcept { return !(a == b); }

private:
    std::int64_t parse(c_string text) noexcept {
        return text.whole() ? sk_addr_parse(text.get(), &addr_) : detail::bad_address;
    }

    sk_addr addr_;
};

/* The addresses of a host, at most 64, in the system's order of preference: see sk_resolve. */
inline std::vector<address> resolve(c_string host, std::uint16_t port, int family, limit time, std::error_code &error) {
    sk_addr found[64];
    const std::int64_t count = host.whole() ? sk_resolve(host.get(), port, family, time.ms(), found, 64) : detail::bad_address;
    return std::vector<address>(found, found + detail::count(detail::told(count, error)));
}

inline std::vector<address> resolve(c_string host, std::uint16_t port, int family = SK_UNSPEC, limit time = limit::forever()) {
    std::error_code error;
    std::vector<address> found = resolve(host, port, family, time, error);
    detail::check(error, "sk_resolve");
    return found;
}

/* --- Handles ------------------------------------------------------------------------------- */

/* What socket and poller share: the handle, owned. */
class handle {
public:
    handle() noexcept : handle_(SK_INVALID_HANDLE) {}
    /* Takes a handle over from the C interface. */
    explicit handle(sk_handle taken) noexcept : handle_(taken) {}
    handle(handle &&other) noexcept : handle_(other.release()) {}
    handle &operator=(handle &&other) noexcept {
        if (this != &other) {
            reset();
            handle_ = other.release();
        }
        return *this;
    }
    handle(const handle &) = delete;
    handle &operator=(const handle &) = delete;
    ~handle() { reset(); }

    /* The handle for the C interface, still owned here. */
    sk_handle get() const noexcept { return handle_; }
    /* Gives the handle up to the caller. */
    sk_handle release() noexcept {
        const sk_handle given = handle_;
        handle_ = SK_INVALID_HANDLE;
        return given;
    }
    /* Whether there is a handle. It may have been closed meanwhile. */
    explicit operator bool() const noexcept { return handle_ > 0; }

    void close() const { detail::checked(sk_close(handle_), "sk_close"); }
    void close(std::error_code &error) const noexcept { detail::told(sk_close(handle_), error); }

private:
    void reset() noexcept {
        if (handle_ > 0) {
            /* Somebody may have closed it already, which is no error of the caller's. */
            const int before = errno;
            sk_close(handle_);
            errno = before;
        }
        handle_ = SK_INVALID_HANDLE;
    }

    sk_handle handle_;
};

/* A socket. Its constructor makes one; dial, serve, accept and others give one. */
class socket : public handle {
public:
    socket() noexcept {}
    explicit socket(sk_handle taken) noexcept : handle(taken) {}
    /* A descriptor is no handle (from_fd takes one), and a family alone makes no socket. */
    explicit socket(int) = delete;
    socket(int family, int type, int protocol = SK_PROTO_DEFAULT)
        : handle(detail::checked(sk_socket(family, type, protocol), "sk_socket")) {}
    socket(int family, int type, int protocol, std::error_code &error) noexcept
        : handle(made(sk_socket(family, type, protocol), error)) {}

    /* Two SK_UNIX sockets that are connected to each other. */
    static std::pair<socket, socket> pair(int type = SK_STREAM) {
        sk_handle both[2];
        detail::checked(sk_socketpair(type, both), "sk_socketpair");
        return std::pair<socket, socket>(socket(both[0]), socket(both[1]));
    }

    /* Takes a descriptor over. On failure it stays the caller's. */
    static socket from_fd(std::int64_t fd) { return socket(detail::checked(sk_from_fd(fd), "sk_from_fd")); }
    static socket from_fd(std::int64_t fd, std::error_code &error) noexcept { return socket(made(sk_from_fd(fd), error)); }

    /* The near end. */
    void bind(c_string host, std::uint16_t port) { detail::checked(bind_text(host, port), "sk_bind"); }
    void bind(c_string host, std::uint16_t port, std::error_code &error) noexcept { detail::told(bind_text(host, port), error); }
    void bind(const address &to) { detail::checked(sk_bind_addr(get(), to.get()), "sk_bind_addr"); }
    void bind(const address &to, std::error_code &error) noexcept { detail::told(sk_bind_addr(get(), to.get()), error); }

    void listen(int backlog = 0) { detail::checked(sk_listen(get(), backlog), "sk_listen"); }
    void listen(int backlog, std::error_code &error) noexcept { detail::told(sk_listen(get(), backlog), error); }

    socket accept(address *peer = nullptr) const {
        return socket(detail::checked(sk_accept(get(), peer ? peer->get() : nullptr), "sk_accept"));
    }
    socket accept(std::error_code &error) const noexcept { return accept(nullptr, error); }
    socket accept(address *peer, std::error_code &error) const noexcept {
        return socket(made(sk_accept(get(), peer ? peer->get() : nullptr), error));
    }

    /* The far end. */
    void connect(c_string host, std::uint16_t port) { detail::checked(connect_text(host, port), "sk_connect"); }
    void connect(c_string host, std::uint16_t port, std::error_code &error) noexcept { detail::told(connect_text(host, port), error); }
    void connect(const address &to) { detail::checked(sk_connect_addr(get(), to.get()), "sk_connect_addr"); }
    void connect(const address &to, std::error_code &error) noexcept { detail::told(sk_connect_addr(get(), to.get()), error); }

    address local_address() const {
        address own;
        detail::checked(sk_local_addr(get(), own.get()), "sk_local_addr");
        return own;
    }
    address local_address(std::error_code &error) const noexcept {
        address own;
        detail::told(sk_local_addr(get(), own.get()), error);
        return own;
    }
    address peer_address() const {
        address peer;
        detail::checked(sk_peer_addr(get(), peer.get()), "sk_peer_addr");
        return peer;
    }
    address peer_address(std::error_code &error) const noexcept {
        address peer;
        detail::told(sk_peer_addr(get(), peer.get()), error);
        return peer;
    }

    /* Moving bytes. The counts are those of the C functions. */
    std::size_t send(const_buffer data, int flags = 0) const {
        return detail::count(detail::checked(sk_send(get(), data.data(), data.size(), flags), "sk_send"));
    }
    std::size_t send(const_buffer data, int flags, std::error_code &error) const noexcept {
        return detail::count(detail::told(sk_send(get(), data.data(), data.size(), flags), error));
    }
    std::size_t recv(mutable_buffer data, int flags = 0) const {
        return detail::count(detail::checked(sk_recv(get(), data.data(), data.size(), flags), "sk_recv"));
    }
    std::size_t recv(mutable_buffer data, int flags, std::error_code &error) const noexcept {
        return detail::count(detail::told(sk_recv(get(), data.data(), data.size(), flags), error));
    }
    /* A buffer knows its size: one that is told beside it, as in C, would be taken for flags. */
    std::size_t send(const_buffer, std::size_t) const = delete;
    std::size_t send(const_buffer, std::size_t, std::error_code &) const = delete;
    std::size_t recv(mutable_buffer, std::size_t) const = delete;
    std::size_t recv(mutable_buffer, std::size_t, std::error_code &) const = delete;
    std::size_t send_to(const_buffer data, const address &to, int flags = 0) const {
        return detail::count(detail::checked(sk_send_to(get(), data.data(), data.size(), flags, to.get()), "sk_send_to"));
    }
    std::size_t send_to(const_buffer data, const address &to, int flags, std::error_code &error) const noexcept {
        return detail::count(detail::told(sk_send_to(get(), data.data(), data.size(), flags, to.get()), error));
    }
    std::size_t recv_from(mutable_buffer data, address &from, int flags = 0) const {
        return detail::count(detail::checked(sk_recv_from(get(), data.data(), data.size(), flags, from.get()), "sk_recv_from"));
    }
    std::size_t recv_from(mutable_buffer data, address &from, int flags, std::error_code &error) const noexcept {
        return detail::count(detail::told(sk_recv_from(get(), data.data(), data.size(), flags, from.get()), error));
    }

    /* All of it. How far a failure came is what the form with an error code returns. */
    void send_all(const_buffer data) const { detail::checked(sk_send_all(get(), data.data(), data.size(), nullptr), "sk_send_all"); }
    std::size_t send_all(const_buffer data, std::error_code &error) const noexcept {
        std::size_t sent = 0;
        detail::told(sk_send_all(get(), data.data(), data.size(), &sent), error);
        return sent;
    }
    void recv_all(mutable_buffer data) const { detail::checked(sk_recv_all(get(), data.data(), data.size(), nullptr), "sk_recv_all"); }
    std::size_t recv_all(mutable_buffer data, std::error_code &error) const noexcept {
        std::size_t received = 0;
        detail::told(sk_recv_all(get(), data.data(), data.size(), &received), error);
        return received;
    }

    /* Several pieces, several datagrams, files. */
    std::size_t send(const sk_buf *pieces, std::size_t count, int flags = 0) const {
        return detail::count(detail::checked(sk_sendv(get(), pieces, count, flags), "sk_sendv"));
    }
    std::size_t send(const sk_buf *pieces, std::size_t count, int flags, std::error_code &error) const noexcept {
        return detail::count(detail::told(sk_sendv(get(), pieces, count, flags), error));
    }
    std::size_t recv(const sk_buf *pieces, std::size_t count, int flags = 0) const {
        return detail::count(detail::checked(sk_recvv(get(), pieces, count, flags), "sk_recvv"));
    }
    std::size_t recv(const sk_buf *pieces, std::size_t count, int flags, std::error_code &error) const noexcept {
        return detail::count(detail::told(sk_recvv(get(), pieces, count, flags), error));
    }
    std::size_t send_batch(const sk_dgram *messages, std::size_t count, int flags = 0) const {
        return detail::count(detail::checked(sk_send_batch(get(), messages, count, flags), "sk_send_batch"));
    }
    std::size_t send_batch(const sk_dgram *messages, std::size_t count, int flags, std::error_code &error) const noexcept {
        return detail::count(detail::told(sk_send_batch(get(), messages, count, flags), error));
    }
    std::size_t recv_batch(sk_dgram *messages, std::size_t count, int flags = 0) const {
        return detail::count(detail::checked(sk_recv_batch(get(), messages, count, flags), "sk_recv_batch"));
    }
    std::size_t recv_batch(sk_dgram *messages, std::size_t count, int flags, std::error_code &error) const noexcept {
        return detail::count(detail::told(sk_recv_batch(get(), messages, count, flags), error));
    }
    std::int64_t send_file(int file, std::int64_t offset = 0, std::int64_t count = -1) const {
        return detail::checked(sk_send_file(get(), file, offset, count), "sk_send_file");
    }
    std::int64_t send_file(int file, std::int64_t offset, std::int64_t count, std::error_code &error) const noexcept {
        return detail::told(sk_send_file(get(), file, offset, count), error);
    }

    /* Ends. close() is the base's. */
    void shutdown(int how) const { detail::checked(sk_shutdown(get(), how), "sk_shutdown"); }
    void shutdown(int how, std::error_code &error) const noexcept { detail::told(sk_shutdown(get(), how), error); }
    void finish(limit time) const { detail::checked(sk_finish(get(), time.ms()), "sk_finish"); }
    void finish(limit time, std::error_code &error) const noexcept { detail::told(sk_finish(get(), time.ms()), error); }
    void abort() const { detail::checked(sk_abort(get()), "sk_abort"); }
    void abort(std::error_code &error) const noexcept { detail::told(sk_abort(get()), error); }

    /* Options and limits. */
    void set_option(int option, std::int64_t value) { detail::checked(sk_set_option(get(), option, value), "sk_set_option"); }
    void set_option(int option, std::int64_t value, std::error_code &error) noexcept {
        detail::told(sk_set_option(get(), option, value), error);
    }
    std::int64_t option(int option) const {
        std::int64_t value = 0;
        detail::checked(sk_get_option(get(), option, &value), "sk_get_option");
        return value;
    }
    std::int64_t option(int option, std::error_code &error) const noexcept {
        std::int64_t value = 0;
        detail::told(sk_get_option(get(), option, &value), error);
        return value;
    }
    void set_option_text(int option, c_string value) { detail::checked(set_text(option, value), "sk_set_option_text"); }
    void set_option_text(int option, c_string value, std::error_code &error) noexcept { detail::told(set_text(option, value), error); }
    std::string option_text(int option) const {
        std::error_code error;
        std::string text = option_text(option, error);
        detail::check(error, "sk_get_option_text");
        return text;
    }
    std::string option_text(int option, std::error_code &error) const {
        char text[64];
        return detail::told(sk_get_option_text(get(), option, text, sizeof text), error) < 0 ? std::string() : std::string(text);
    }
    void set_timeout(limit time) { detail::checked(sk_set_timeout(get(), time.ms()), "sk_set_timeout"); }
    void set_timeout(limit time, std::error_code &error) noexcept { detail::told(sk_set_timeout(get(), time.ms()), error); }

    /* Whether one of the events came within the limit. */
    bool wait(std::uint32_t events, limit time) const { return detail::checked(sk_wait(get(), events, time.ms()), "sk_wait") == 1; }
    bool wait(std::uint32_t events, limit time, std::error_code &error) const noexcept {
        return detail::told(sk_wait(get(), events, time.ms()), error) == 1;
    }

    /* Groups. */
    void join_group(const address &group, const address *source = nullptr, c_string interface_name = nullptr) {
        detail::checked(join_text(group, source, interface_name), "sk_join_group");
    }
    void join_group(const address &group, const address *source, c_string interface_name, std::error_code &error) noexcept {
        detail::told(join_text(group, source, interface_name), error);
    }
    void leave_group(const address &group, const address *source = nullptr, c_string interface_name = nullptr) {
        detail::checked(leave_text(group, source, interface_name), "sk_leave_group");
    }
    void leave_group(const address &group, const address *source, c_string interface_name, std::error_code &error) noexcept {
        detail::told(leave_text(group, source, interface_name), error);
    }

    /* Descriptors and processes. */
    std::int64_t fd() const { return detail::checked(sk_fd(get()), "sk_fd"); }
    std::int64_t fd(std::error_code &error) const noexcept { return detail::told(sk_fd(get()), error); }
    /* Gives the descriptor up to the caller; this object has no socket any more. */
    std::int64_t into_fd() {
        const std::int64_t given = detail::checked(sk_into_fd(get()), "sk_into_fd");
        release();
        return given;
    }
    std::int64_t into_fd(std::error_code &error) noexcept {
        const std::int64_t given = detail::told(sk_into_fd(get()), error);
        if (given >= 0) release();
        return given;
    }
    socket dup() const { return socket(detail::checked(sk_dup(get()), "sk_dup")); }
    socket dup(std::error_code &error) const noexcept { return socket(made(sk_dup(get()), error)); }
    void send_handle(const handle &passed) const { detail::checked(sk_send_handle(get(), passed.get()), "sk_send_handle"); }
    void send_handle(const handle &passed, std::error_code &error) const noexcept {
        detail::told(sk_send_handle(get(), passed.get()), error);
    }
    socket recv_handle() const { return socket(detail::checked(sk_recv_handle(get()), "sk_recv_handle")); }
    socket recv_handle(std::error_code &error) const noexcept { return socket(made(sk_recv_handle(get()), error)); }
    sk_cred peer_cred() const {
        sk_cred who = sk_cred();
        detail::checked(sk_peer_cred(get(), &who), "sk_peer_cred");
        return who;
    }
    sk_cred peer_cred(std::error_code &error) const noexcept {
        sk_cred who = sk_cred();
        detail::told(sk_peer_cred(get(), &who), error);
        return who;
    }

private:
    /* A handle, or none with the error told. */
    static sk_handle made(std::int64_t result, std::error_code &error) noexcept {
        return detail::told(result, error) < 0 ? SK_INVALID_HANDLE : result;
    }

    /* The calls that take a text, for both forms. */
    std::int64_t bind_text(c_string host, std::uint16_t port) noexcept {
        return host.whole() ? sk_bind(get(), host.get(), port) : detail::bad_address;
    }
    std::int64_t connect_text(c_string host, std::uint16_t port) noexcept {
        return host.whole() ? sk_connect(get(), host.get(), port) : detail::bad_address;
    }
    std::int64_t set_text(int option, c_string value) noexcept {
        return value.whole() ? sk_set_option_text(get(), option, value.get()) : detail::bad_text;
    }
    std::int64_t join_text(const address &group, const address *source, c_string name) noexcept {
        return name.whole() ? sk_join_group(get(), group.get(), source ? source->get() : nullptr, name.get()) : detail::bad_text;
    }
    std::int64_t leave_text(const address &group, const address *source, c_string name) noexcept {
        return name.whole() ? sk_leave_group(get(), group.get(), source ? source->get() : nullptr, name.get()) : detail::bad_text;
    }

    friend socket dial(c_string, limit, std::error_code &) noexcept;
    friend socket serve(c_string, int, std::error_code &) noexcept;
};

/* Connected to "tcp://example.org:80", "udp://…", "unix:///run/a.sock", … see sk_dial. */
inline socket dial(c_string endpoint, limit time, std::error_code &error) noexcept {
    return socket(socket::made(endpoint.whole() ? sk_dial(endpoint.get(), time.ms()) : detail::bad_address, error));
}
inline socket dial(c_string endpoint, limit time = limit::forever()) {
    return socket(detail::checked(endpoint.whole() ? sk_dial(endpoint.get(), time.ms()) : detail::bad_address, "sk_dial"));
}

/* Serving "tcp://:8080", … see sk_serve. */
inline socket serve(c_string endpoint, int backlog, std::error_code &error) noexcept {
    return socket(socket::made(endpoint.whole() ? sk_serve(endpoint.get(), backlog) : detail::bad_address, error));
}
inline socket serve(c_string endpoint, int backlog = 0) {
    return socket(detail::checked(endpoint.whole() ? sk_serve(endpoint.get(), backlog) : detail::bad_address, "sk_serve"));
}

/* --- Waiting for many ---------------------------------------------------------------------- */

/* Waits for sockets, which it knows by a number of the caller's choice, or by a pointer that
 * poller::pointer<T>(event) gives back. */
class poller : public handle {
public:
    poller() : handle(detail::checked(sk_poller(), "sk_poller")) {}
    explicit poller(std::error_code &error) noexcept : handle(sk_poller()) {
        if (detail::told(get(), error) < 0) release();
    }

    void add(const socket &s, std::uint32_t events, std::uint64_t data = 0) {
        detail::checked(sk_poller_add(get(), s.get(), events, data), "sk_poller_add");
    }
    void add(const socket &s, std::uint32_t events, std::uint64_t data, std::error_code &error) noexcept {
        detail::told(sk_poller_add(get(), s.get(), events, data), error);
    }
    template <class T>
    void add(const socket &s, std::uint32_t events, T *data) {
        add(s, events, number(data));
    }
    template <class T>
    void add(const socket &s, std::uint32_t events, T *data, std::error_code &error) noexcept {
        add(s, events, number(data), error);
    }
    void modify(const socket &s, std::uint32_t events, std::uint64_t data = 0) {
        detail::checked(sk_poller_modify(get(), s.get(), events, data), "sk_poller_modify");
    }
    void modify(const socket &s, std::uint32_t events, std::uint64_t data, std::error_code &error) noexcept {
        detail::told(sk_poller_modify(get(), s.get(), events, data), error);
    }
    template <class T>
    void modify(const socket &s, std::uint32_t events, T *data) {
        modify(s, events, number(data));
    }
    template <class T>
    void modify(const socket &s, std::uint32_t events, T *data, std::error_code &error) noexcept {
        modify(s, events, number(data), error);
    }
    void remove(const socket &s) { detail::checked(sk_poller_remove(get(), s.get()), "sk_poller_remove"); }
    void remove(const socket &s, std::error_code &error) noexcept { detail::told(sk_poller_remove(get(), s.get()), error); }

    /* How many events came within the limit; 0: time is up. */
    std::size_t wait(sk_event *events, std::size_t capacity, limit time = limit::forever()) const {
        return detail::count(detail::checked(sk_poller_wait(get(), events, capacity, time.ms()), "sk_poller_wait"));
    }
    std::size_t wait(sk_event *events, std::size_t capacity, limit time, std::error_code &error) const noexcept {
        return detail::count(detail::told(sk_poller_wait(get(), events, capacity, time.ms()), error));
    }

    /* The pointer that the socket was added with, of the same type; of a wake it is nullptr. */
    template <class T>
    static T *pointer(const sk_event &event) noexcept {
        return reinterpret_cast<T *>(static_cast<std::uintptr_t>(event.data));
    }

    /* Lets one waiter return with an event of handle 0. */
    void wake() const { detail::checked(sk_poller_wake(get()), "sk_poller_wake"); }
    void wake(std::error_code &error) const noexcept { detail::told(sk_poller_wake(get()), error); }

private:
    template <class T>
    static std::uint64_t number(T *data) noexcept {
        return reinterpret_cast<std::uintptr_t>(data);
    }
};

} // namespace sk

#endif
