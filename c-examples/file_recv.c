/* file_recv: takes the files that file_send sends, one after the other, into one folder.
 * What a stranger sends is not trusted: not the name, not the length, not the checksum. A
 * file gets its name when all of it is on the disk and is what the sender read; not before. */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include <inttypes.h>
#include <sys/stat.h>

#include "common.h"
#include "file_transfer.h"

static const char usage[] =
    "usage: file_recv [--host ADDRESS] [--port N] [--folder PATH] [--once N] | --self-test\n"
    "Stores the files that file_send sends.\n"
    "  --host ADDRESS  where to listen (127.0.0.1; \"\": everywhere)\n"
    "  --port N        0 takes any free one and prints it (0)\n"
    "  --folder PATH   where to put the files (.)\n"
    "  --once N        end after N senders (0: only Ctrl-C ends it)\n";

enum { LIMIT_MS = 60000, TEST_LIMIT_MS = 5000, PATH_MOST = 1024 };

static volatile sk_handle listener, sender; /* the signal handler closes them */
static int limit = LIMIT_MS; /* a silent sender must not hold up the others */

/* Ctrl-C: closing a socket wakes the call that waits on it. */
static void on_ctrl_c(int signal_number) {
    int saved = errno;
    (void)signal_number;
    stopping = 1;
    sk_close(listener);
    sk_close(sender);
    errno = saved;
}

/* A file that is on its way. */
struct transfer {
    char name[NAME_MOST + 1];
    char path[PATH_MOST]; /* under which it will be known */
    char part[PATH_MOST]; /* under which it is written, until it is whole */
    int file;
    uint64_t length, came, sum;
};

/* A name is one word of a path and no more: no way out of the folder, no hidden file, nothing
 * that a terminal takes for a command. */
static int acceptable(const char *name, size_t length) {
    size_t i;
    for (i = 0; i < length; i++)
        if (name[i] == '/' || (unsigned char)name[i] < ' ' || name[i] == 127 ||
            (i > 0 && name[i - 1] == '\xc2' && (unsigned char)name[i] >= 0x80 && (unsigned char)name[i] < 0xa0))
            return 0;
    return length > 0 && name[0] != '.';
}

static int exists(const char *path) {
    struct stat about;
    return lstat(path, &about) == 0;
}

static enum verdict not_stored(const char *path) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return NOT_STORED;
}

/* Hears what is coming. 0: nothing is, not even something wrong. */
static int hear_header(struct transfer *t, enum verdict *verdict) {
    unsigned char header[HEADER];
    uint64_t name_length;
    if (check("sk_recv_all", sk_recv_all(sender, header, HEADER, NULL)) != SK_OK)
        return 0;
    name_length = get_number(header + 4, 4);
    t->length = get_number(header + 8, 8);
    *verdict = BAD_HEADER;
    if (memcmp(header, "SKF1", 4) != 0 || name_length > NAME_MOST || t->length > INT64_MAX)
        return 1;
    if (check("sk_recv_all", sk_recv_all(sender, t->name, (size_t)name_length, NULL)) != SK_OK)
        return 0;
    t->name[name_length] = '\0';
    *verdict = acceptable(t->name, (size_t)name_length) ? GO_ON : BAD_NAME;
    return 1;
}

/* Makes the file, under a name that nobody has. */
static enum verdict prepare(struct transfer *t, const char *folder) {
    int length = snprintf(t->path, sizeof t->path, "%s/%s", folder, t->name);
    if (length < 0 || (size_t)length >= sizeof t->path)
        return BAD_NAME;
    if (exists(t->path))
        return EXISTS;
    snprintf(t->part, sizeof t->part, "%s/.part-XXXXXX", folder);
    t->file = mkstemp(t->part);
    return t->file >= 0 ? GO_ON : not_stored(t->part);
}

/* Receives the bytes and writes them down. 0: the sender broke off. */
static int receive_bytes(struct transfer *t, enum verdict *verdict) {
    static unsigned char data[CHUNK];
    unsigned char trailer[8];
    show_progress(0, t->length);
    while (t->came < t->length) {
        int64_t got = check("sk_recv", sk_recv(sender, data, next_piece(t->length - t->came), 0));
        int64_t written = 0;
        if (got <= 0)
            return 0;
        while (written < got) {
            ssize_t n = write(t->file, data + written, (size_t)(got - written));
            if (n < 0 && errno != EINTR) {
                *verdict = not_stored(t->name);
                return 1;
            }
            written += n < 0 ? 0 : n;
        }
        t->sum = checksum(t->sum, data, (size_t)got);
        t->came += (uint64_t)got;
        show_progress(t->came, t->length);
    }
    if (check("sk_recv_all", sk_recv_all(sender, trailer, sizeof trailer, NULL)) != SK_OK)
        return 0;
    *verdict = get_number(trailer, 8) == t->sum ? WHOLE : DAMAGED;
    return 1;
}

/* What open would have given the file; mkstemp gives less. */
static mode_t usual_mode(void) {
    mode_t mask = umask(0);
    umask(mask);
    return (S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH) & ~mask;
}

/* A new name is safe when the folder that has it is on the disk too. */
static int sync_folder(const char *folder) {
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int good = at >= 0 && (fsync(at) == 0 || errno == EINVAL); /* some file systems can't */
    if (!good)
        perror(folder);
    if (at >= 0)
        close(at);
    return good;
}

/* Gives the file its name, unless somebody else was faster: link, not rename, which would
 * replace what is there. */
static enum verdict keep(const struct transfer *t, const char *folder) {
    if (fchmod(t->file, usual_mode()) == 0 && fsync(t->file) == 0 && link(t->part, t->path) == 0)
        return sync_folder(folder) ? WHOLE : NOT_STORED;
    return errno == EEXIST ? EXISTS : not_stored(t->path);
}

static int answer(const struct transfer *t, enum verdict verdict) {
    unsigned char bytes[ANSWER];
    put_number(bytes, verdict, 8);
    put_number(bytes + 8, t->came, 8);
    put_number(bytes + 16, t->sum, 8);
    return check("sk_send_all", sk_send_all(sender, bytes, sizeof bytes, NULL)) == SK_OK;
}

/* One sender, from its first byte to our last. */
static int receive(const char *folder) {
    static struct transfer t;
    enum verdict verdict = BAD_HEADER;
    int heard;
    memset(&t, 0, sizeof t);
    t.file = -1;
    heard = hear_header(&t, &verdict);
    if (heard && verdict == GO_ON)
        verdict = prepare(&t, folder);
    if (heard && verdict == GO_ON)
        heard = answer(&t, GO_ON) && receive_bytes(&t, &verdict);
    if (heard && verdict == WHOLE)
        verdict = keep(&t, folder);
    if (t.file >= 0) {
        close(t.file);
        if (unlink(t.part) != 0)
            perror(t.part);
    }
    end_progress(t.came, t.length);
    if (!heard)
        printf("recv:   broken off: %" PRIu64 " of %" PRIu64 " bytes came\n", t.came, t.length);
    else if (verdict == WHOLE)
        printf("recv:   %s, %" PRIu64 " bytes, checksum %016" PRIx64 "\n", t.name, t.came, t.sum);
    else
        printf("recv:   refused after %" PRIu64 " bytes: %s\n", t.came, in_words(verdict));
    heard = heard && answer(&t, verdict);
    /* Bytes that nobody read would turn a plain close into a reset, which could overtake our
     * answer: so let the sender end first. */
    return check("sk_finish", sk_finish(sender, limit)) == SK_OK && heard && verdict == WHOLE;
}

static int start(const char *host, long port) {
    char endpoint[300], text[SK_ADDR_STRLEN];
    sk_addr address;
    snprintf(endpoint, sizeof endpoint, strchr(host, ':') != NULL ? "tcp://[%s]:%ld" : "tcp://%s:%ld", host,
             port);
    listener = check("sk_serve", sk_serve(endpoint, 16));
    if (listener < 0 || check("sk_local_addr", sk_local_addr(listener, &address)) < 0 ||
        check("sk_addr_format", sk_addr_format(&address, text, sizeof text)) < 0)
        return 0;
    printf("bind:   waits for files at %s\n", text);
    return 1;
}

/* One sender after the other; how many files were stored. */
static long serve(const char *folder, long once) {
    long senders, stored = 0;
    for (senders = 0; !stopping && (once == 0 || senders < once); senders++) {
        sk_addr peer;
        char text[SK_ADDR_STRLEN];
        sk_handle accepted = check("sk_accept", sk_accept(listener, &peer));
        if (accepted < 0)
            break;
        sender = accepted;
        if (check("sk_addr_format", sk_addr_format(&peer, text, sizeof text)) >= 0)
            printf("accept: sender %ld is %s\n", senders + 1, text);
        if (!stopping && check("sk_set_timeout", sk_set_timeout(accepted, limit)) == SK_OK)
            stored += receive(folder);
        sk_close(accepted);
    }
    printf("end:    files stored: %ld\n", stored);
    return stored;
}

/* A sender for the self-test: announces a file of zeros, sends so many of them and a checksum.
 * The last verdict that it hears, or -1 where it hears none. */
static int play_sender(const sk_addr *to, const char *name, uint64_t length, uint64_t sent, uint64_t sum) {
    static unsigned char data[CHUNK]; /* zeros, but for its beginning */
    unsigned char heard[ANSWER];
    int good;
    sk_handle s = check("sk_socket", sk_socket(SK_INET, SK_STREAM, SK_PROTO_TCP));
    memcpy(data, "SKF1", 4);
    put_number(data + 4, strlen(name), 4);
    put_number(data + 8, length, 8);
    memcpy(data + HEADER, name, strlen(name));
    good = check("sk_set_timeout", sk_set_timeout(s, TEST_LIMIT_MS)) == SK_OK &&
           check("sk_connect_addr", sk_connect_addr(s, to)) == SK_OK &&
           check("sk_send_all", sk_send_all(s, data, HEADER + strlen(name), NULL)) == SK_OK &&
           check("sk_recv_all", sk_recv_all(s, heard, sizeof heard, NULL)) == SK_OK;
    memset(data, 0, HEADER + strlen(name));
    if (good && get_number(heard, 8) == (uint64_t)GO_ON) {
        for (; good && sent > 0; sent -= next_piece(sent))
            good = check("sk_send_all", sk_send_all(s, data, next_piece(sent), NULL)) == SK_OK;
        put_number(data, sum, 8);
        good = good && check("sk_send_all", sk_send_all(s, data, 8, NULL)) == SK_OK &&
               check("sk_shutdown", sk_shutdown(s, SK_SHUT_WRITE)) == SK_OK &&
               check("sk_recv_all", sk_recv_all(s, heard, sizeof heard, NULL)) == SK_OK;
        memset(data, 0, 8);
    }
    return sk_close(s) == SK_OK && good ? (int)get_number(heard, 8) : -1;
}

/* What senders of every kind are told. */
static int play_senders(const sk_addr *to) {
    unsigned char zeros[1000] = {0};
    uint64_t sum = checksum(0, zeros, sizeof zeros);
    return play_sender(to, "whole", 1000, 1000, sum) == WHOLE && play_sender(to, "empty", 0, 0, 0) == WHOLE &&
           play_sender(to, "whole", 1000, 1000, sum) == EXISTS &&
           play_sender(to, "bent", 1000, 1000, sum ^ 1) == DAMAGED &&
           play_sender(to, "../out", 1000, 1000, sum) == BAD_NAME &&
           play_sender(to, ".hidden", 1000, 1000, sum) == BAD_NAME &&
           play_sender(to, "endless", UINT64_MAX, 0, 0) == BAD_HEADER &&
           play_sender(to, "half", 1000000, 500000, sum) == -1;
}

static int self_test(void) {
    const char *temporary = getenv("TMPDIR");
    static const char *const stored[] = {"whole", "empty"};
    char folder[256], path[300];
    sk_addr address;
    int i, good;
    pid_t child = -1;
    limit = TEST_LIMIT_MS;
    snprintf(folder, sizeof folder, "%s/file_recv-XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 0;
    }
    good = start("127.0.0.1", 0) && check("sk_local_addr", sk_local_addr(listener, &address)) == SK_OK &&
           check("sk_set_timeout", sk_set_timeout(listener, limit)) == SK_OK;
    if (good && fflush(stdout) == 0 && (child = fork()) == 0) {
        sk_close(listener);
        _exit(play_senders(&address) ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    if (good && child < 0)
        perror("fork");
    good = good && child > 0 && serve(folder, 8) == 2;
    sk_close(listener); /* refuses the child what it may still try */
    good = has_succeeded(child) && good;
    for (i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, stored[i]);
        if (unlink(path) != 0) {
            perror(path);
            good = 0;
        }
    }
    if (rmdir(folder) == 0) /* nothing else was in it */
        return good;
    perror(folder);
    return 0;
}

int main(int argc, char **argv) {
    const char *host = "127.0.0.1", *folder = ".";
    long port = 0, once = 0;
    int i, good, status;
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--host") == 0)
            host = argv[i + 1];
        else if (strcmp(argv[i], "--folder") == 0)
            folder = argv[i + 1];
        else if (!option(argv + i, "--port", 0, 65535, &port) && !option(argv + i, "--once", 0, 65535, &once))
            break;
    }
    if (i < argc) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    /* kill, too, leaves no half file behind. */
    good = signal(SIGINT, on_ctrl_c) != SIG_ERR && signal(SIGTERM, on_ctrl_c) != SIG_ERR && start(host, port) && serve(folder, once) == once;
    sk_close(listener);
    return finish(good || stopping);
}
