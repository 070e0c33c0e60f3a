/* NNG: its byte streams (nng_stream), not its protocols: the peer sees plain TCP. Everything is
 * asynchronous, done by threads of its own; a call starts it and waits. It sets TCP_NODELAY itself. */
#include "contender.h"

#include <fcntl.h>
#include <nng/nng.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

const struct contender contender = {.style = "threads of its own, asynchronous", .version = nng_version};

static void good(int result, const char *what) {
    if (result != 0) {
        fprintf(stderr, "%s: %s\n", what, nng_strerror(result));
        exit(EXIT_FAILURE);
    }
}

/* A listener or a connection. */
struct side {
    nng_stream_listener *listener;
    nng_stream *stream;
    nng_aio *aio;
};

static struct side *new_side(nng_stream *stream) {
    struct side *s = new_zeroed(sizeof *s);
    s->stream = stream;
    good(nng_aio_alloc(&s->aio, NULL, NULL), "nng_aio_alloc");
    return s;
}

static void wait_for(nng_aio *aio, const char *what) {
    nng_aio_wait(aio);
    good(nng_aio_result(aio), what);
}

/* --- TCP --------------------------------------------------------------------------------------- */

static end tcp_listen(uint16_t *port) {
    struct side *s = new_side(NULL);
    int bound;
    good(nng_stream_listener_alloc(&s->listener, "tcp://127.0.0.1:0"), "nng_stream_listener_alloc");
    good(nng_stream_listener_listen(s->listener), "nng_stream_listener_listen");
    good(nng_stream_listener_get_int(s->listener, NNG_OPT_TCP_BOUND_PORT, &bound), "NNG_OPT_TCP_BOUND_PORT");
    *port = (uint16_t)bound;
    return end_of(s);
}

static end tcp_connect(uint16_t port) {
    nng_stream_dialer *dialer;
    struct side *s = new_side(NULL);
    char url[32];
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", (unsigned)port);
    good(nng_stream_dialer_alloc(&dialer, url), "nng_stream_dialer_alloc");
    nng_stream_dialer_dial(dialer, s->aio);
    wait_for(s->aio, "nng_stream_dialer_dial");
    s->stream = nng_aio_get_output(s->aio, 0);
    nng_stream_dialer_free(dialer);
    return end_of(s);
}

static end tcp_accept(end e) {
    struct side *listener = object(e);
    nng_stream_listener_accept(listener->listener, listener->aio);
    wait_for(listener->aio, "nng_stream_listener_accept");
    return end_of(new_side(nng_aio_get_output(listener->aio, 0)));
}

static void tcp_send(end e, const char *data, size_t len) {
    struct side *s = object(e);
    while (len > 0) {
        nng_iov part = {(void *)data, len};
        nng_aio_set_iov(s->aio, 1, &part);
        nng_stream_send(s->stream, s->aio);
        wait_for(s->aio, "nng_stream_send");
        data += nng_aio_count(s->aio);
        len -= nng_aio_count(s->aio);
    }
}

static void tcp_send_parts(end e, const char *data, size_t len) {
    enum { MOST = 8 };
    struct side *s = object(e);
    for (size_t i = 0; i < PARTS; i += MOST) {
        nng_iov parts[MOST];
        for (size_t j = 0; j < MOST; j++)
            parts[j] = (nng_iov){(void *)(data + (i + j) * len), len};
        nng_aio_set_iov(s->aio, MOST, parts);
        nng_stream_send(s->stream, s->aio);
        wait_for(s->aio, "nng_stream_send");
        size_t sent = nng_aio_count(s->aio);
        tcp_send(e, data + i * len + sent, MOST * len - sent);
    }
}

static size_t tcp_recv(end e, char *data, size_t room) {
    struct side *s = object(e);
    nng_iov part = {data, room};
    nng_aio_set_iov(s->aio, 1, &part);
    nng_stream_recv(s->stream, s->aio);
    nng_aio_wait(s->aio);
    if (nng_aio_result(s->aio) == NNG_ECONNSHUT)
        return 0;
    good(nng_aio_result(s->aio), "nng_stream_recv");
    return nng_aio_count(s->aio);
}

/* It knows nothing of files. */
static void tcp_send_file(end e, const char *path, size_t len) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    check(file >= 0, path);
    char *data = mmap(NULL, len, PROT_READ, MAP_SHARED, file, 0);
    check(data != MAP_FAILED, "mmap");
    tcp_send(e, data, len);
    munmap(data, len);
    close(file);
}

static void tcp_close(end e) {
    struct side *s = object(e);
    if (s->listener != NULL)
        nng_stream_listener_free(s->listener);
    else
        nng_stream_free(s->stream);
    nng_aio_free(s->aio);
    free(s);
}

const struct tcp tcp = {
    .without = "no MSG_MORE",
    .listen = tcp_listen,
    .connect = tcp_connect,
    .accept = tcp_accept,
    .send = tcp_send,
    .send_parts = tcp_send_parts,
    .recv = tcp_recv,
    .send_file = tcp_send_file,
    .close = tcp_close,
};

const struct udp udp = {.without = "no calls for datagrams"};

/* --- Many -------------------------------------------------------------------------------------- */

/* A connection receives, sends that, and so on, each time called back by one of the threads. */
struct client {
    nng_stream *stream;
    nng_aio *aio;
    int sending;
    char data[4096];
};

static long connections_left;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_gone = PTHREAD_COND_INITIALIZER;

static void receive(struct client *c) {
    nng_iov part = {c->data, sizeof c->data};
    c->sending = 0;
    nng_aio_set_iov(c->aio, 1, &part);
    nng_stream_recv(c->stream, c->aio);
}

static void on_done(void *data) {
    struct client *c = data;
    if (nng_aio_result(c->aio) != 0) {
        nng_stream_close(c->stream);
        pthread_mutex_lock(&mutex);
        if (--connections_left == 0)
            pthread_cond_signal(&all_gone);
        pthread_mutex_unlock(&mutex);
    } else if (c->sending) {
        receive(c);
    } else {
        nng_iov part = {c->data, nng_aio_count(c->aio)};
        c->sending = 1;
        nng_aio_set_iov(c->aio, 1, &part);
        nng_stream_send(c->stream, c->aio);
    }
}

static void serve(long connections, void (*ready)(uint16_t port)) {
    uint16_t port;
    end listener = tcp_listen(&port);
    connections_left = connections;
    ready(port);
    for (long i = 0; i < connections; i++) {
        struct client *c = new_zeroed(sizeof *c);
        struct side *s = object(tcp_accept(listener));
        c->stream = s->stream;
        nng_aio_free(s->aio);
        free(s);
        good(nng_aio_alloc(&c->aio, on_done, c), "nng_aio_alloc");
        receive(c);
    }
    pthread_mutex_lock(&mutex);
    while (connections_left > 0)
        pthread_cond_wait(&all_gone, &mutex);
    pthread_mutex_unlock(&mutex);
    /* The threads may still be at the last of them. */
    exit(EXIT_SUCCESS);
}

const struct many many = {.serve = serve};
