/* GLib: GSocket with blocking calls, which wait with poll; its main loop for many. */
#include "contender.h"

#include <gio/gio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

static const char *version(void) {
    static char text[32];
    snprintf(text, sizeof text, "%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version);
    return text;
}

const struct contender contender = {.style = "blocking calls; main loop for many", .version = version};

static void good(int fine, const GError *error) {
    if (!fine) {
        fprintf(stderr, "%s\n", error != NULL ? error->message : "GLib");
        exit(EXIT_FAILURE);
    }
}

static GSocketAddress *loopback(uint16_t port) { return g_inet_socket_address_new_from_string("127.0.0.1", port); }

static GSocket *new_socket(GSocketType type) {
    GError *error = NULL;
    GSocket *s = g_socket_new(G_SOCKET_FAMILY_IPV4, type, G_SOCKET_PROTOCOL_DEFAULT, &error);
    good(s != NULL, error);
    return s;
}

static GSocketAddress *bind_socket(GSocket *s) {
    GError *error = NULL;
    GSocketAddress *any = loopback(0);
    good(g_socket_bind(s, any, TRUE, &error), error);
    g_object_unref(any);
    GSocketAddress *own = g_socket_get_local_address(s, &error);
    good(own != NULL, error);
    return own;
}

static void set(GSocket *s, int level, int option, int value) {
    GError *error = NULL;
    good(g_socket_set_option(s, level, option, value, &error), error);
}

/* --- TCP --------------------------------------------------------------------------------------- */

static end tcp_listen(uint16_t *port) {
    GError *error = NULL;
    GSocket *s = new_socket(G_SOCKET_TYPE_STREAM);
    GSocketAddress *own = bind_socket(s);
    *port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(own));
    g_object_unref(own);
    g_socket_set_listen_backlog(s, 4096);
    good(g_socket_listen(s, &error), error);
    return end_of(s);
}

static end tcp_connect(uint16_t port) {
    GError *error = NULL;
    GSocket *s = new_socket(G_SOCKET_TYPE_STREAM);
    GSocketAddress *address = loopback(port);
    set(s, IPPROTO_TCP, TCP_NODELAY, 1);
    good(g_socket_connect(s, address, NULL, &error), error);
    g_object_unref(address);
    return end_of(s);
}

static end tcp_accept(end listener) {
    GError *error = NULL;
    GSocket *s = g_socket_accept(object(listener), NULL, &error);
    good(s != NULL, error);
    set(s, IPPROTO_TCP, TCP_NODELAY, 1);
    return end_of(s);
}

static void tcp_send(end e, const char *data, size_t len) {
    GError *error = NULL;
    while (len > 0) {
        gssize now = g_socket_send(object(e), data, len, NULL, &error);
        good(now > 0, error);
        data += now;
        len -= (size_t)now;
    }
}

static gssize send_message(end e, GOutputVector *parts, int count, int flags) {
    GError *error = NULL;
    gssize sent = g_socket_send_message(object(e), NULL, parts, count, NULL, 0, flags, NULL, &error);
    good(sent > 0, error);
    return sent;
}

static void tcp_send_more(end e, const char *data, size_t len) {
    GOutputVector part = {data, len};
    gssize sent = send_message(e, &part, 1, MSG_MORE);
    tcp_send(e, data + sent, len - (size_t)sent);
}

static void tcp_send_parts(end e, const char *data, size_t len) {
    GOutputVector parts[PARTS];
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = (GOutputVector){data + i * len, len};
    gssize sent = send_message(e, parts, PARTS, 0);
    tcp_send(e, data + sent, PARTS * len - (size_t)sent);
}

static size_t tcp_recv(end e, char *data, size_t room) {
    GError *error = NULL;
    gssize got = g_socket_receive(object(e), data, room, NULL, &error);
    good(got >= 0, error);
    return (size_t)got;
}

/* It has no sendfile; g_output_stream_splice copies 8 KiB at a time. */
static void tcp_send_file(end e, const char *path, size_t len) {
    GError *error = NULL;
    GMappedFile *file = g_mapped_file_new(path, FALSE, &error);
    good(file != NULL, error);
    tcp_send(e, g_mapped_file_get_contents(file), len);
    g_mapped_file_unref(file);
}

static void tcp_close(end e) {
    GError *error = NULL;
    good(g_socket_close(object(e), &error), error);
    g_object_unref(object(e));
}

const struct tcp tcp = {
    .listen = tcp_listen,
    .connect = tcp_connect,
    .accept = tcp_accept,
    .send = tcp_send,
    .send_more = tcp_send_more,
    .send_parts = tcp_send_parts,
    .recv = tcp_recv,
    .send_file = tcp_send_file,
    .close = tcp_close,
};

/* --- UDP: segmentation as an option of the socket --------------------------------------------------- */

static const struct datagrams *plan;
static GSocket *sender, *receiver;
static GSocketAddress *target;
static GOutputVector outs[MOST_MESSAGES];
static GInputVector ins[MOST_MESSAGES];
static GOutputMessage out[MOST_MESSAGES];
static GInputMessage in[MOST_MESSAGES];

static void udp_open(const struct datagrams *d) {
    plan = d;
    receiver = new_socket(G_SOCKET_TYPE_DATAGRAM);
    sender = new_socket(G_SOCKET_TYPE_DATAGRAM);
    set(receiver, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    if (d->segment > 0) {
        set(receiver, SOL_UDP, UDP_GRO, 1);
        set(sender, SOL_UDP, UDP_SEGMENT, (int)d->segment);
    }
    target = bind_socket(receiver);
    for (size_t i = 0; i < d->count; i++) {
        outs[i] = (GOutputVector){d->space + i * MESSAGE_ROOM, d->len};
        ins[i] = (GInputVector){d->room + i * MESSAGE_ROOM, MESSAGE_ROOM};
        out[i] = (GOutputMessage){.address = target, .vectors = &outs[i], .num_vectors = 1};
        in[i] = (GInputMessage){.vectors = &ins[i], .num_vectors = 1};
    }
}

static long udp_send(long first) {
    GError *error = NULL;
    if (!plan->batched) {
        good(g_socket_send_to(sender, target, plan->space + first * MESSAGE_ROOM, plan->len, NULL, &error) > 0, error);
        return 1;
    }
    gint sent = g_socket_send_messages(sender, out + first, (guint)(plan->count - (size_t)first), 0, NULL, &error);
    good(sent > 0, error);
    return sent;
}

/* Who it came from is asked for, as by the others. */
static long udp_recv(long first, size_t *bytes) {
    GError *error = NULL;
    GSocketAddress *from[MOST_MESSAGES] = {NULL};
    if (!plan->batched) {
        gssize got = g_socket_receive_from(receiver, from, plan->room + first * MESSAGE_ROOM, MESSAGE_ROOM, NULL, &error);
        good(got >= 0, error);
        g_object_unref(from[0]);
        *bytes += (size_t)got;
        return 1;
    }
    for (size_t i = (size_t)first; i < plan->count; i++)
        in[i].address = &from[i];
    gint n = g_socket_receive_messages(receiver, in + first, (guint)(plan->count - (size_t)first), 0, NULL, &error);
    good(n > 0, error);
    for (long i = first; i < first + n; i++) {
        *bytes += in[i].bytes_received;
        g_object_unref(from[i]);
    }
    return n;
}

const struct udp udp = {.singles = 1, .batches = 1, .segments = 1, .open = udp_open, .send = udp_send, .recv = udp_recv};

/* --- Many -------------------------------------------------------------------------------------- */

static long connections_left;
static GMainLoop *loop;

static gboolean echo(GSocket *s, GIOCondition ready, gpointer unused) {
    static char data[4096];
    (void)ready, (void)unused;
    size_t got = tcp_recv(end_of(s), data, sizeof data);
    if (got > 0) {
        tcp_send(end_of(s), data, got);
        return G_SOURCE_CONTINUE;
    }
    tcp_close(end_of(s));
    if (--connections_left == 0)
        g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static void serve(long connections, void (*ready)(uint16_t port)) {
    uint16_t port;
    end listener = tcp_listen(&port);
    connections_left = connections;
    loop = g_main_loop_new(NULL, FALSE);
    ready(port);
    for (long i = 0; i < connections; i++) {
        GSource *source = g_socket_create_source(object(tcp_accept(listener)), G_IO_IN, NULL);
        g_source_set_callback(source, G_SOURCE_FUNC(echo), NULL, NULL);
        g_source_attach(source, NULL);
        g_source_unref(source);
    }
    g_main_loop_run(loop);
}

const struct many many = {.serve = serve};
