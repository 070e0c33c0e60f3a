// sk.hpp: both forms of the calls, owning objects, codes, limits and buffers. Ends with 0, or says
// which line failed.

#include <sk.hpp>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>
#include <vector>
#if __cplusplus >= 201703L
#include <string_view>
#endif
#if __cplusplus >= 202002L
#include <span>
#endif

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            std::exit(1);                                                                  \
        }                                                                                  \
    } while (0)

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

static_assert(!std::is_copy_constructible<sk::socket>::value, "a socket has one owner");
static_assert(std::is_nothrow_move_constructible<sk::socket>::value, "and can change it");
static_assert(!std::is_constructible<sk::socket, int>::value && !std::is_constructible<sk::socket, sk_family>::value, "a descriptor or a family is no handle");
static_assert(std::is_constructible<sk::socket, sk_handle>::value && std::is_constructible<sk::socket, sk_family, sk_type>::value, "but this is");
static_assert(!std::is_copy_assignable<sk::poller>::value, "so has a poller");
static_assert(std::is_nothrow_move_assignable<sk::poller>::value, "which can change it too");

// Whether send and recv take such arguments.
template <class... Arguments>
static auto sends(int) -> decltype(std::declval<sk::socket &>().send(std::declval<Arguments>()...), std::true_type());
template <class... Arguments>
static std::false_type sends(long);
template <class... Arguments>
static auto receives(int) -> decltype(std::declval<sk::socket &>().recv(std::declval<Arguments>()...), std::true_type());
template <class... Arguments>
static std::false_type receives(long);

#define SENDS(...) decltype(sends<__VA_ARGS__>(0))::value
#define RECEIVES(...) decltype(receives<__VA_ARGS__>(0))::value

using letters = char[8];
using bytes = unsigned char[8];
using pieces = sk_buf[2];
using pointers = const char *[2];
struct points {
    const char *at;
    const char *data() const { return at; }
    std::size_t size() const { return 1; }
};
static_assert(SENDS(const char (&)[6]) && SENDS(letters &) && SENDS(bytes &) && SENDS(const bytes &), "arrays");
static_assert(SENDS(std::string) && SENDS(sk::const_buffer) && SENDS(sk::mutable_buffer) && SENDS(sk::const_buffer, int), "and others");
static_assert(RECEIVES(letters &) && RECEIVES(bytes &) && RECEIVES(sk::mutable_buffer, int), "have a size");
static_assert(!RECEIVES(const letters &) && !RECEIVES(const bytes &) && !RECEIVES(const std::string &), "but no room");
static_assert(!RECEIVES(std::vector<char>) && !RECEIVES(std::string) && !RECEIVES(std::array<char, 4>), "nor has what is gone after the call");
#if __cplusplus >= 202002L
static_assert(RECEIVES(std::span<char>) && RECEIVES(const std::span<char> &) && !RECEIVES(std::span<const char>), "but through a view");
#endif
static_assert(!SENDS(const char *) && !SENDS(char *) && !SENDS(const void *) && !SENDS(unsigned char *), "a pointer has none");
static_assert(!SENDS(const char *, int) && !SENDS(char *, std::size_t) && !SENDS(const void *, int), "not even with what C takes for it");
static_assert(!SENDS(const char *, int, std::error_code &) && !RECEIVES(char *, int), "in neither form");
static_assert(!SENDS(letters &, std::size_t) && !RECEIVES(letters &, std::size_t), "a length is no flags");
static_assert(!SENDS(letters &, std::size_t, std::error_code &) && !RECEIVES(letters &, long), "of any type");
static_assert(SENDS(pieces &, int) && RECEIVES(pieces &, int) && SENDS(pieces &, std::size_t), "pieces are a list,");
static_assert(!SENDS(pieces &) && !SENDS(std::vector<sk_buf>) && !RECEIVES(std::vector<sk_buf> &), "not bytes,");
static_assert(!SENDS(std::vector<sk::const_buffer>) && !RECEIVES(std::vector<sk::mutable_buffer> &), "of either kind,");
static_assert(!SENDS(std::vector<points>) && !SENDS(std::vector<std::array<points, 2>>), "nor what points to them,");
static_assert(SENDS(std::vector<std::array<char, 2>>) && RECEIVES(std::array<std::array<int, 2>, 2> &), "as an array does not,");
#if __cplusplus >= 201703L
static_assert(!SENDS(std::vector<std::string_view>) && SENDS(std::string_view), "nor texts elsewhere,");
#endif
static_assert(!SENDS(pointers &) && !RECEIVES(pointers &) && !SENDS(std::vector<const char *>), "nor are pointers");

template <class Call>
static std::error_code thrown(Call call) {
    try {
        call();
    } catch (const std::system_error &error) {
        return error.code();
    }
    return std::error_code();
}

static std::pair<sk::socket, sk::socket> tcp_pair() {
    sk::socket listener = sk::serve("tcp://127.0.0.1:0");
    sk::socket client(SK_INET, SK_STREAM);
    client.connect(listener.local_address());
    return std::make_pair(std::move(client), listener.accept());
}

static void handles_have_one_owner() {
    const std::int64_t before = sk_open_count();
    {
        sk::socket a(SK_INET, SK_DGRAM);
        CHECK(a && sk_open_count() == before + 1);
        sk::socket b(std::move(a));
        CHECK(!a && b && sk_open_count() == before + 1);
        a = std::move(b);
        CHECK(a && !b);
        a = sk::socket(SK_INET6, SK_DGRAM);
        CHECK(sk_open_count() == before + 1);
        sk::socket &same = a;
        a = std::move(same);
        CHECK(a);
        const sk_handle given = a.release();
        CHECK(!a && given > 0);
        sk::socket again(given);
        CHECK(again.get() == given);
    }
    CHECK(sk_open_count() == before);

    // An object that ends is no call that failed.
    {
        sk::socket closed(SK_INET, SK_DGRAM), assigned(SK_INET, SK_DGRAM);
        closed.close();
        assigned.close();
        errno = ERANGE;
        assigned = sk::socket();
    }
    CHECK(errno == ERANGE);
}

static void errors_are_codes_or_exceptions() {
    std::error_code error;
    sk::socket none(SK_INET, 77, SK_PROTO_DEFAULT, error);
    CHECK(!none && error == SK_EINVAL && error.category() == sk::category());
    CHECK(error == std::errc::invalid_argument);
    CHECK(error.message() == sk_strerror(SK_EINVAL));
    CHECK(thrown([] { sk::socket(SK_INET, 77); }) == SK_EINVAL);

    sk::socket s(SK_INET, SK_STREAM);
    s.bind("127.0.0.1", 0, error);
    CHECK(!error);
    s.bind("no address", 0, error);
    CHECK(error == SK_EADDRFORMAT && error == std::errc::invalid_argument && error != SK_EINVAL);
    s.set_timeout(milliseconds(20), error);
    CHECK(!error);
    CHECK(thrown([&] { s.recv(sk::mutable_buffer(nullptr, 0)); }) == std::errc::not_connected);
    s.close();
    CHECK(thrown([&] { s.close(); }) == SK_EBADHANDLE);
    CHECK(thrown([&] { s.local_address(); }) == std::errc::bad_file_descriptor);
    s.close(error);
    CHECK(error == SK_EBADHANDLE);
}

static void limits_round_up() {
    CHECK(sk::limit(milliseconds(5)).ms() == 5);
    CHECK(sk::limit(microseconds(5001)).ms() == 6);
    CHECK(sk::limit(microseconds(1)).ms() == 1);
    CHECK(sk::limit(std::chrono::duration<double>(0.0125)).ms() == 13);
    CHECK(sk::limit(seconds(-1)).ms() == 0);
    CHECK(sk::limit(hours::max()).ms() == INT64_MAX);
    CHECK(sk::limit(seconds::max()).ms() == INT64_MAX);
    CHECK(sk::limit(std::chrono::nanoseconds::max()).ms() == 9223372036855);
    CHECK(sk::limit::forever().ms() == SK_FOREVER);

    using real = std::chrono::duration<double>;
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK(sk::limit(real(std::nan(""))).ms() == 0);
    CHECK(sk::limit(real(-infinity)).ms() == 0);
    CHECK(sk::limit(real(infinity)).ms() == INT64_MAX);
    CHECK(sk::limit(real(-1e300)).ms() == 0);
    CHECK(sk::limit(real::max()).ms() == INT64_MAX);
    CHECK(sk::limit(real(1e-300)).ms() == 1);
    CHECK(sk::limit(std::chrono::duration<double, std::milli>(9223372036854775808.0)).ms() == INT64_MAX);
    CHECK(sk::limit(std::chrono::duration<double, std::milli>(9223372036854774784.0)).ms() == 9223372036854774784);
    CHECK(sk::limit(std::chrono::duration<float>(0.1F)).ms() == 100);
    CHECK(sk::limit(std::chrono::duration<float, std::ratio<3600>>(3e38F)).ms() == INT64_MAX);
    CHECK(sk::limit(std::chrono::duration<long double>::max()).ms() == INT64_MAX);

    CHECK(sk::limit(milliseconds::max()).ms() == INT64_MAX);
    CHECK(sk::limit(std::chrono::duration<std::uint64_t, std::milli>::max()).ms() == INT64_MAX);
    CHECK(sk::limit(std::chrono::duration<std::uint64_t, std::nano>::max()).ms() == 18446744073710);
    CHECK(sk::limit(std::chrono::duration<signed char>(1)).ms() == 1000);
    // Frames: neither one is a multiple of the other.
    using frames = std::chrono::duration<std::int64_t, std::ratio<1, 60>>;
    CHECK(sk::limit(frames(1)).ms() == 17 && sk::limit(frames(3)).ms() == 50);
    CHECK(sk::limit(frames(540000000000000000)).ms() == 9000000000000000000);
    CHECK(sk::limit(frames::max()).ms() == INT64_MAX);
}

static void buffers_know_their_size() {
    std::pair<sk::socket, sk::socket> both = tcp_pair();
    sk::socket &a = both.first, &b = both.second;
    std::array<char, 4> four;
    char plain[5];
    std::vector<std::uint16_t> numbers(2);
    std::string text("hello");

    a.set_option_text(SK_OPT_CONGESTION, "reno");
    CHECK(a.option_text(SK_OPT_CONGESTION) == "reno");
    CHECK(a.send("four") == 4 && b.recv(four) == 4 && std::string(four.data(), 4) == "four");
    CHECK(a.send(text) == 5 && b.recv(plain) == 5 && std::string(plain, 5) == "hello");
    a.send_all(std::vector<std::uint16_t>{1, 2});
    b.recv_all(numbers);
    CHECK(numbers[0] == 1 && numbers[1] == 2);
#if __cplusplus >= 202002L
    std::span<const char> some(text.data(), 2);
    CHECK(a.send(some) == 2 && b.recv(std::span<char>(plain)) == 2 && plain[1] == 'e');
#endif

    char left[2], right[3];
    sk_buf pieces[] = {{left, sizeof left}, {right, sizeof right}};
    a.send_all("hello");
    CHECK(b.recv(pieces, 2, SK_WAITALL) == 5 && right[2] == 'o');
    CHECK(b.send(pieces, 2) == 5 && a.recv(plain, SK_WAITALL) == 5);

    std::error_code error;
    char word[8] = "word";
    const char full[4] = {'f', 'u', 'l', 'l'};
    const char *const pointer = word;
    unsigned char raw[4] = {1, 0, 2, 0};
    const std::uint16_t wide[2] = {3, 4};
    CHECK(a.send(word) == 4 && b.recv(plain) == 4 && std::string(plain, 4) == "word");
    CHECK(a.send(full, 0, error) == 4 && b.recv(plain) == 4 && std::string(plain, 4) == "full");
    CHECK(a.send({pointer, 2}) == 2 && b.recv(plain) == 2 && std::string(plain, 2) == "wo");
    CHECK(a.send(sk::const_buffer(pointer, 3), 0) == 3 && b.recv({plain, 5}) == 3 && plain[2] == 'r');
    CHECK(a.send(raw) == 4 && b.recv(raw) == 4 && raw[2] == 2);
    CHECK(a.send(wide) == 4 && b.recv(numbers) == 4 && numbers[1] == 4);
    CHECK(a.send(pieces, 2) == 5 && b.recv(pieces, 2) == 5);
    CHECK(a.send("") == 0);
#ifdef __cpp_lib_byte
    const std::byte byte[3] = {};
    CHECK(a.send(byte) == 3 && b.recv(plain) == 3 && plain[2] == 0);
#endif
#ifdef __cpp_char8_t
    CHECK(a.send(u8"text") == 4 && b.recv(plain) == 4 && plain[3] == 't');
#endif
    a.shutdown(SK_SHUT_WRITE);
    CHECK(b.recv_all(plain, error) == 0 && error == SK_EEOF);
    b.close();
    a.finish(seconds(5));
    CHECK(thrown([&] { a.send("x"); }) == SK_EBADHANDLE);
}

static void addresses_are_values() {
    sk::address a("127.0.0.1:80"), b("127.0.0.1:80");
    CHECK(a == b && a.port() == 80 && a.family() == SK_INET && a.to_string() == "127.0.0.1:80");
    b.port(81);
    CHECK(a != b && b.to_string() == "127.0.0.1:81");
    CHECK(sk::address() == sk::address() && sk::address().to_string().empty());
    std::error_code error;
    sk::address bad("127.1", error);
    CHECK(error == SK_EADDRFORMAT && thrown([] { sk::address("nowhere:port"); }) == SK_EADDRFORMAT);
    CHECK(sk::resolve("127.0.0.1", 7).at(0) == sk::address("127.0.0.1:7"));
    CHECK(sk::resolve("127.0.0.1", 7, SK_INET, seconds(1), error).size() == 1 && !error);
    CHECK(sk::resolve("no host.", 7, SK_INET, milliseconds(0), error).empty() && error);
}

// To C a string would end at a NUL inside, and name something else than the caller meant.
static void texts_with_a_nul_inside_are_refused() {
    const std::string nul(1, '\0');
    std::error_code error;
    sk::address bad("127.0.0.1:80" + nul + "1", error);
    CHECK(error == SK_EADDRFORMAT && bad == sk::address());
    CHECK(thrown([&] { sk::address("127.0.0.1:80" + nul); }) == SK_EADDRFORMAT);
    CHECK(sk::resolve("127.0.0.1" + nul, 7, SK_INET, seconds(1), error).empty() && error == SK_EADDRFORMAT);
    CHECK(thrown([&] { sk::resolve("127.0.0.1" + nul + ".example", 7); }) == SK_EADDRFORMAT);

    sk::socket server = sk::serve("tcp://127.0.0.1:0");
    const std::string endpoint = "tcp://" + server.local_address().to_string();
    CHECK(!sk::dial(endpoint + nul, seconds(1), error) && error == SK_EADDRFORMAT);
    CHECK(thrown([&] { sk::dial(endpoint + nul + "0"); }) == SK_EADDRFORMAT);
    CHECK(!sk::serve("tcp://127.0.0.1:0" + nul, 0, error) && error == SK_EADDRFORMAT);
    CHECK(thrown([&] { sk::serve("tcp://127.0.0.1:0" + nul); }) == SK_EADDRFORMAT);

    const std::string host = "127.0.0.1";
    const std::uint16_t port = server.local_address().port();
    sk::socket s(SK_INET, SK_STREAM);
    s.bind(host + nul, 0, error);
    CHECK(error == SK_EADDRFORMAT && thrown([&] { s.bind(host + nul, 0); }) == SK_EADDRFORMAT);
    s.connect(host + nul, port, error);
    CHECK(error == SK_EADDRFORMAT && thrown([&] { s.connect(host + nul, port); }) == SK_EADDRFORMAT);
    s.set_option_text(SK_OPT_CONGESTION, "reno" + nul, error);
    CHECK(error == SK_EINVAL && thrown([&] { s.set_option_text(SK_OPT_CONGESTION, "reno" + nul); }) == SK_EINVAL);
    s.bind(host, 0);
    s.connect(host, port);
    s.set_option_text(SK_OPT_CONGESTION, std::string("reno"));

    sk::socket member(SK_INET, SK_DGRAM);
    const sk::address group("239.1.2.3");
    member.join_group(group, nullptr, "lo" + nul, error);
    CHECK(error == SK_EINVAL && thrown([&] { member.join_group(group, nullptr, "lo" + nul); }) == SK_EINVAL);
    member.leave_group(group, nullptr, "lo" + nul, error);
    CHECK(error == SK_EINVAL && thrown([&] { member.leave_group(group, nullptr, "lo" + nul); }) == SK_EINVAL);

    // What is no text at all is for the C function to answer.
    CHECK(!sk::dial(nullptr, seconds(1), error) && error == SK_EINVAL);
    sk::socket any(SK_INET, SK_DGRAM);
    any.bind(nullptr, 0);
    CHECK(any.local_address().port() != 0);
}

static void datagrams_go_and_come() {
    sk::socket a = sk::serve("udp://127.0.0.1:0"), b = sk::dial("udp://" + a.local_address().to_string());
    a.set_timeout(seconds(5));
    b.set_timeout(seconds(5));
    char data[8];
    sk::address from;
    CHECK(b.send("one") == 3 && a.recv_from(data, from) == 3 && from == b.local_address());
    CHECK(a.send_to("two", from) == 3 && b.recv(data) == 3);

    sk_dgram out[2] = {}, in[2] = {};
    char words[] = "threefour", room[16];
    out[0].data = words;
    out[0].len = 5;
    out[1].data = words + 5;
    out[1].len = 4;
    CHECK(b.send_batch(out, 2) == 2);
    in[0].data = room;
    in[1].data = room + 8;
    in[0].room = in[1].room = 8;
    std::size_t got = a.recv_batch(in, 2);
    while (got < 2) got += a.recv_batch(in + got, 2 - got);
    CHECK(in[0].len == 5 && in[1].len == 4);
    b.set_option(SK_OPT_TTL, 9);
    CHECK(b.option(SK_OPT_TTL) == 9 && a.option(SK_OPT_TYPE) == SK_DGRAM);
}

static void a_poller_tells_who_is_ready() {
    std::pair<sk::socket, sk::socket> both = sk::socket::pair();
    sk::poller poller;
    poller.add(both.first, SK_READABLE, 7);
    sk_event event;
    CHECK(poller.wait(&event, 1, milliseconds(0)) == 0);
    both.second.send("x");
    CHECK(poller.wait(&event, 1) == 1 && event.data == 7 && event.handle == both.first.get());
    poller.modify(both.first, SK_WRITABLE, 8);
    CHECK(poller.wait(&event, 1, seconds(5)) == 1 && event.data == 8 && event.events == SK_WRITABLE);
    poller.remove(both.first);
    CHECK(thrown([&] { poller.remove(both.first); }) == SK_ENOENT);
    std::thread other([&] { poller.wake(); });
    CHECK(poller.wait(&event, 1) == 1 && event.handle == SK_INVALID_HANDLE);
    other.join();
    CHECK(sk::poller::pointer<sk::socket>(event) == nullptr);
    poller.add(both.first, SK_READABLE, &both);
    CHECK(poller.wait(&event, 1) == 1 && (sk::poller::pointer<std::pair<sk::socket, sk::socket>>(event)) == &both);
    const char *const name = "first";
    std::error_code error;
    poller.modify(both.first, SK_READABLE, name, error);
    CHECK(!error && poller.wait(&event, 1) == 1 && sk::poller::pointer<const char>(event) == name);
    poller.modify(both.first, SK_READABLE, 0);
    CHECK(poller.wait(&event, 1) == 1 && event.data == 0);
    CHECK(both.first.wait(SK_READABLE, milliseconds(0)) && !both.second.wait(SK_READABLE, milliseconds(0)));
}

static void close_wakes_another_thread() {
    std::pair<sk::socket, sk::socket> both = tcp_pair();
    std::error_code seen;
    std::thread sleeper([&] {
        char byte[1];
        both.first.recv(byte, 0, seen);
    });
    both.first.close();
    sleeper.join();
    // It may have come too late to sleep.
    CHECK(seen == SK_ECLOSED || seen == SK_EBADHANDLE);
}

static void handles_travel() {
    std::pair<sk::socket, sk::socket> road = sk::socket::pair();
    sk::socket passed(SK_INET, SK_DGRAM);
    passed.bind("127.0.0.1", 0);
    road.first.send_handle(passed);
    sk::socket received = road.second.recv_handle();
    CHECK(received.local_address() == passed.local_address());
    CHECK(road.first.peer_cred().pid > 0);
    sk::socket copy = received.dup();
    CHECK(copy.local_address() == passed.local_address() && copy.get() != received.get());
    sk::socket back = sk::socket::from_fd(copy.into_fd());
    CHECK(!copy && back.local_address() == passed.local_address());
}

int main() {
    handles_have_one_owner();
    errors_are_codes_or_exceptions();
    limits_round_up();
    buffers_know_their_size();
    addresses_are_values();
    texts_with_a_nul_inside_are_refused();
    datagrams_go_and_come();
    a_poller_tells_who_is_ready();
    close_wakes_another_thread();
    handles_travel();
    CHECK(sk_open_count() == 0);
    std::puts("all good");
    return 0;
}
