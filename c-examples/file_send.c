/* file_send: a file of any size, over one connection. TCP brings every byte, once and in
 * order, or says that it can't go on. It does not say how far the receiver came or what it
 * did with the bytes: so the receiver answers, and only its answer counts. */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "common.h"
#include "file_transfer.h"

static const char usage[] =
    "usage: file_send HOST PORT FILE | --self-test\n"
    "Sends a file to file_recv, which waits at that host and port, and shows what it answers.\n";

enum { LIMIT_MS = 60000, TEST_LIMIT_MS = 5000 }; /* for every step, not for the whole file */

static volatile sk_handle connection; /* the signal handler closes it */

/* Ctrl-C: closing a socket wakes the call that waits on it. The program fails then: somebody may
 * have written "file_send ... && rm". */
static void on_ctrl_c(int signal_number) {
    int saved = errno;
    (void)signal_number;
    if (connection <= 0)
        _Exit(EXIT_FAILURE); /* nothing has begun */
    stopping = 1;
    sk_close(connection);
    errno = saved;
}

static int complain(const char *path, const char *what) {
    fprintf(stderr, "%s: %s\n", path, what);
    return 0;
}

/* Waits for an answer and looks whether it is the one that is hoped for. */
static int hear(enum verdict hoped, uint64_t *came, uint64_t *sum) {
    unsigned char answer[ANSWER];
    int result = sk_recv_all(connection, answer, sizeof answer, NULL);
    uint64_t verdict;
    if (result == SK_EEOF && !stopping)
        fputs("the receiver ended the connection without an answer\n", stderr);
    else if (check("sk_recv_all", result) == SK_OK) {
        verdict = get_number(answer, 8);
        *came = get_number(answer + 8, 8);
        *sum = get_number(answer + 16, 8);
        if (verdict == (uint64_t)hoped)
            return 1;
        fprintf(stderr, "the receiver says, after %" PRIu64 " bytes: %s\n", *came, in_words(verdict));
    }
    return 0;
}

/* Says what is coming. */
static int announce(const char *path, uint64_t length) {
    unsigned char header[HEADER + NAME_MOST];
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    size_t name_length = strlen(name);
    uint64_t came, sum;
    if (name_length > NAME_MOST)
        return complain(path, "its name is too long");
    memcpy(header, "SKF1", 4);
    put_number(header + 4, name_length, 4);
    put_number(header + 8, length, 8);
    memcpy(header + HEADER, name, name_length);
    return check("sk_send_all", sk_send_all(connection, header, HEADER + name_length, NULL)) == SK_OK &&
           hear(GO_ON, &came, &sum);
}

/* Sends the bytes of the file, which go from the system's memory to the network without
 * passing through here. They are read only for the checksum. */
static int send_bytes(const char *path, int file, uint64_t length, uint64_t *done, uint64_t *sum) {
    static unsigned char data[CHUNK];
    show_progress(0, length);
    while (*done < length) {
        ssize_t got = pread(file, data, next_piece(length - *done), (off_t)*done);
        int64_t sent, speaks;
        if (got < 0)
            return complain(path, strerror(errno));
        /* A receiver that speaks now gives up: its answer says why. */
        speaks = check("sk_wait", sk_wait(connection, SK_READABLE, 0));
        if (speaks != 0)
            return speaks > 0 && hear(WHOLE, done, sum);
        sent = got > 0 ? sk_send_file(connection, file, (int64_t)*done, got) : 0;
        if (check("sk_send_file", sent) < 0)
            return 0;
        if (sent == 0)
            return complain(path, "it became shorter while it was sent");
        *sum = checksum(*sum, data, (size_t)sent);
        *done += (uint64_t)sent;
        show_progress(*done, length);
    }
    return 1;
}

static int send_file(const char *path) {
    struct stat about;
    unsigned char trailer[8];
    uint64_t length, done = 0, sum = 0, came = 0, their_sum = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC), good = 0;
    if (file < 0 || fstat(file, &about) != 0)
        complain(path, strerror(errno));
    else if (!S_ISREG(about.st_mode))
        complain(path, "only a plain file can be sent");
    else {
        length = (uint64_t)about.st_size;
        if (announce(path, length) && send_bytes(path, file, length, &done, &sum)) {
            put_number(trailer, sum, 8);
            good = check("sk_send_all", sk_send_all(connection, trailer, sizeof trailer, NULL)) == SK_OK &&
                   hear(WHOLE, &came, &their_sum) && came == length && their_sum == sum;
        }
        end_progress(done, length);
        if (good)
            printf("%s: %" PRIu64 " bytes arrived, checksum %016" PRIx64 " at both ends\n", path, came, sum);
        else
            fprintf(stopping ? stdout : stderr,
                    "%s: not transferred: %" PRIu64 " of %" PRIu64 " bytes were sent\n", path, done, length);
    }
    if (file >= 0)
        close(file);
    return good;
}

static int start(const char *host, int port, int limit) {
    char endpoint[300];
    snprintf(endpoint, sizeof endpoint, strchr(host, ':') != NULL ? "tcp://[%s]:%d" : "tcp://%s:%d", host,
             port);
    connection = sk_dial(endpoint, limit);
    if (connection == SK_ECONNREFUSED)
        fprintf(stderr, "%s refused the connection: nobody waits for a file on port %d\n", host, port);
    else if (check("sk_dial", connection) > 0)
        return check("sk_set_timeout", sk_set_timeout(connection, limit)) == SK_OK;
    return 0;
}

/* The other end, for the self-test: takes so many bytes and gives an answer, or breaks off. */
static int play_receiver(sk_handle listener, uint64_t length, enum verdict verdict) {
    static unsigned char data[CHUNK];
    unsigned char answer[ANSWER] = {0}; /* all zero: GO_ON */
    uint64_t sum = 0, came = 0;
    sk_handle s = check("sk_accept", sk_accept(listener, NULL));
    int good = check("sk_set_timeout", sk_set_timeout(s, TEST_LIMIT_MS)) == SK_OK &&
               check("sk_recv_all", sk_recv_all(s, data, HEADER, NULL)) == SK_OK &&
               check("sk_recv_all", sk_recv_all(s, data, (size_t)get_number(data + 4, 4), NULL)) == SK_OK &&
               check("sk_send_all", sk_send_all(s, answer, sizeof answer, NULL)) == SK_OK;
    while (good && came < length) {
        int64_t got = check("sk_recv", sk_recv(s, data, next_piece(length - came), 0));
        good = got > 0;
        sum = checksum(sum, data, good ? (size_t)got : 0);
        came += good ? (uint64_t)got : 0;
    }
    put_number(answer, verdict, 8);
    put_number(answer + 8, came, 8);
    put_number(answer + 16, sum, 8);
    if (verdict == GO_ON || !good)
        return sk_abort(s) == SK_OK && good;
    good = check("sk_send_all", sk_send_all(s, answer, sizeof answer, NULL)) == SK_OK;
    return check("sk_finish", sk_finish(s, TEST_LIMIT_MS)) == SK_OK && good;
}

/* Sends the file to a receiver in a process of its own; whether it says that it arrived. */
static int rehearse(const char *path, uint64_t length, enum verdict verdict, int *well) {
    sk_handle listener = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP));
    sk_addr address;
    pid_t child = -1;
    int arrived = 0;
    if (check("sk_bind", sk_bind(listener, "127.0.0.1", 0)) == SK_OK &&
        check("sk_listen", sk_listen(listener, 1)) == SK_OK &&
        check("sk_set_timeout", sk_set_timeout(listener, TEST_LIMIT_MS)) == SK_OK &&
        check("sk_local_addr", sk_local_addr(listener, &address)) == SK_OK) {
        child = fork();
        if (child == 0) {
            int good = play_receiver(listener, length, verdict);
            sk_close(listener);
            _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        if (child > 0)
            arrived = start("127.0.0.1", address.port, TEST_LIMIT_MS) && send_file(path);
        else
            perror("fork");
    }
    sk_close(connection);
    sk_close(listener);
    *well = has_succeeded(child);
    return arrived;
}

static int self_test(void) {
    enum { LENGTH = 1000003 };
    static unsigned char data[LENGTH];
    const char *folder = getenv("TMPDIR");
    char path[256];
    int i, file, well, good = checksum(0, (const unsigned char *)"123456789", 9) == 0x995dc9bbdf1939fau;
    for (i = 0; i < LENGTH; i++)
        data[i] = (unsigned char)(i * 7 / 3);
    snprintf(path, sizeof path, "%s/file_send-XXXXXX", folder != NULL ? folder : "/tmp");
    file = mkstemp(path);
    if (file < 0 || write(file, data, LENGTH) != LENGTH || close(file) != 0)
        good = complain(path, strerror(errno));

    puts("-- a receiver that takes all of it");
    good = good && rehearse(path, LENGTH, WHOLE, &well) && well;
    puts("-- a receiver whose checksum is another");
    good = good && !rehearse(path, LENGTH, DAMAGED, &well) && well;
    puts("-- a receiver that breaks off in the middle");
    good = good && !rehearse(path, LENGTH / 2, GO_ON, &well) && well;

    if (file >= 0 && unlink(path) != 0)
        good = complain(path, strerror(errno));
    return good;
}

int main(int argc, char **argv) {
    long port;
    int good, status;
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    if (argc != 4 || !number(argv[2], 1, 65535, &port)) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    good = signal(SIGINT, on_ctrl_c) != SIG_ERR && start(argv[1], (int)port, LIMIT_MS) && send_file(argv[3]);
    sk_close(connection);
    return finish(good);
}
