/* Sending a file: limits, signals, SIGPIPE, closing, and the error that comes after some bytes. */
#include "send_file.h"

/* --- Between the library and the system ------------------------------------------------------ */

static int refusal;                            /* 0, or what every sendfile fails with */
static int (*instead)(int out, ssize_t *sent); /* plays a call: 0 = sent so much, else errno */
static int sends;

#ifndef SYS_sendfile64 /* the one of 32 bits that goes beyond 2 GiB */
#define SYS_sendfile64 SYS_sendfile
#endif
ssize_t sendfile64(int out, int in, off64_t *offset, size_t count)
{
    ssize_t sent = 0;
    __atomic_fetch_add(&sends, 1, __ATOMIC_SEQ_CST);
    int error = refusal != 0 ? refusal : instead != NULL ? instead(out, &sent) : 0;
    if (error != 0) {
        errno = error;
        return -1;
    }
    return sent != 0 ? sent : syscall(SYS_sendfile64, out, in, offset, count);
}

/* --- Limits ---------------------------------------------------------------------------------- */

static void limit_holds(int which, int64_t limit, int code)
{
    sk_handle p[2];
    char b;
    int file = file_of(LENGTH);
    narrow_pair(which, p);
    CHECK_OK(sk_set_option(p[0], SK_OPT_SEND_TIMEOUT, limit));
    struct sender sender = {p[0], file, 0, -1, 0, 0};
    int64_t total = 0;
    for (;;) { /* on TCP a probe may make a little room */
        int64_t start = now_us();
        sender.offset = total;
        send_it(&sender);
        CHECK_GE(now_us() - start, sender.result == code || total == 0 ? limit * 1000 : 0);
        CHECK_LT(now_us() - start, limit * 1000 + 5000000);
        if (sender.result <= 0) break;
        CHECK_EQ(sender.error, ERRNO_UNTOUCHED);
        total += sender.result;
    }
    CHECK_EQ(sender.result, code);
    CHECK_EQ(sender.error, check_errno_of(code));
    CHECK_GT(total, 0);
    CHECK_LT(total, LENGTH);
    struct sink sink = {.s = p[1], .most = total};
    drain(&sink);
    CHECK_FAILS(sk_recv(p[1], &b, 1, SK_DONTWAIT), SK_EAGAIN);
    CHECK_GIVES(sk_send_file(p[0], file, 1, 1), 1); /* the handle stays usable */
    CHECK_GIVES(sk_recv(p[1], &b, 1, 0), 1);
    close(file);
    close_pair(p);
}
CASE_WITHIN(limits, 60)
{
    for (int copied = 0; copied < 2; copied++) {
        refusal = copied ? EINVAL : 0;
        for (int k = 0; k < STREAMS; k++) {
            limit_holds(k, 0, SK_EAGAIN);
            limit_holds(k, 50, SK_ETIMEDOUT);
        }
    }
}

/* A descriptor that was made non-blocking for a limit is no reason not to wait. */
CASE(it_waits_again_once_the_limit_is_gone)
{
    static char bytes[100000];
    int file = file_of(LENGTH);
    for (int k = 0; k < STREAMS; k++) {
        sk_handle p[2];
        struct thread t;
        narrow_pair(k, p);
        CHECK_OK(sk_set_timeout(p[0], 0));
        CHECK_GIVES(sk_send_file(p[0], file, 0, 1), 1);
        CHECK_OK(sk_set_timeout(p[0], SK_FOREVER));
        struct sink sink = {.s = p[1]};
        thread_start(&t, drain, &sink);
        CHECK_GIVES(sk_send_file(p[0], file, 1, -1), LENGTH - 1);
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)byte_at(LENGTH + (int64_t)i);
        CHECK_OK(sk_send_all(p[0], bytes, sizeof bytes, NULL));
        CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
        thread_join(&t);
        CHECK_EQ(sink.received, LENGTH + sizeof bytes);
        close_pair(p);
    }
}

static int always_some(int out, ssize_t *sent)
{
    (void)out;
    *sent = 1000;
    return 0;
}
/* With a receiver so fast that there is always room, too. */
CASE_WITHIN(the_limit_is_over_the_whole, 60)
{
    int file = file_of(1);
    for (int k = 0; k < STREAMS; k++) {
        sk_handle p[2];
        stream_pair(k, p);
        CHECK_OK(sk_set_timeout(p[0], 50));
        instead = always_some;
        int64_t start = now_us();
        CHECK_GT(sk_send_file(p[0], file, 0, -1), 0);
        CHECK_GE(now_us() - start, 50000);
        CHECK_LT(now_us() - start, 5050000);
        instead = NULL;
        CHECK_GIVES(sk_send_file(p[0], file, 0, -1), 1);
        close_pair(p);
    }
}

static void drop_all(void *argument)
{
    static char b[1 << 20];
    while (sk_recv(*(sk_handle *)argument, b, sizeof b, 0) > 0) continue;
}
CASE(a_fast_receiver_does_not_stretch_the_limit)
{
    sk_handle p[2];
    struct thread t;
    int file = memfd_create("holes", MFD_CLOEXEC);
    CHECK_EQ(ftruncate(file, INT64_C(1) << 45), 0);
    stream_pair(0, p);
    CHECK_OK(sk_set_timeout(p[0], 100));
    thread_start(&t, drop_all, &p[1]);
    int64_t start = now_us();
    CHECK_GT(sk_send_file(p[0], file, 0, -1), 0);
    CHECK_GE(now_us() - start, 100000);
    CHECK_LT(now_us() - start, 5100000);
    CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
    thread_join(&t);
    close_pair(p);
}

/* --- Closing --------------------------------------------------------------------------------- */

enum { PLAINLY, LIMITED, DUPLICATED, FORKED, COPIED_MEANWHILE, WAYS };

static pid_t sleeping_child(void)
{
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    while (pid == 0) pause();
    return pid;
}
static void close_wakes(int which, int way, int some)
{
    sk_handle p[2], copy = SK_INVALID_HANDLE;
    struct thread t;
    pid_t child = 0;
    int file = file_of(LENGTH);
    narrow_pair(which, p);
    if (!some) fill(p[0]);
    if (way == LIMITED) CHECK_OK(sk_set_timeout(p[0], 15000));
    if (way == DUPLICATED) copy = MADE(sk_dup(p[0]));
    if (way == FORKED) child = sleeping_child();
    struct sender sender = {p[0], file, 0, -1, 0, 0};
    thread_start(&t, send_it, &sender);
    CHECK(wait_until_asleep(&t));
    if (way == COPIED_MEANWHILE) copy = MADE(sk_dup(p[0]));
    int64_t start = now_us();
    CHECK_OK(sk_close(p[0]));
    thread_join(&t);
    CHECK_LT(t.ended_us - start, 2000000);
    /* On TCP a probe may have made a little room: then the bytes are reported. */
    if (some || (sender.result > 0 && which != 1)) {
        CHECK_GT(sender.result, 0);
        CHECK_LT(sender.result, LENGTH);
        CHECK_EQ(sender.error, ERRNO_UNTOUCHED);
    } else {
        CHECK_EQ(sender.result, SK_ECLOSED);
        CHECK_EQ(sender.error, ECANCELED);
    }
    CHECK_FAILS(sk_send_file(p[0], file, 0, 1), SK_EBADHANDLE);
    if (some && (copy != SK_INVALID_HANDLE || child != 0) && way != COPIED_MEANWHILE) {
        struct sink sink = {.s = p[1], .most = sender.result}; /* exactly what was reported has gone */
        char b;
        drain(&sink);
        CHECK_FAILS(sk_recv(p[1], &b, 1, SK_DONTWAIT), SK_EAGAIN);
        if (copy != SK_INVALID_HANDLE) CHECK_GIVES(sk_send_file(copy, file, 0, 1), 1);
        if (copy != SK_INVALID_HANDLE) CHECK_GIVES(sk_recv(p[1], &b, 1, 0), 1);
    }
    if (copy != SK_INVALID_HANDLE) CHECK_OK(sk_close(copy));
    if (child != 0) {
        CHECK_EQ(kill(child, SIGKILL), 0);
        CHECK_EQ(waitpid(child, NULL, 0), child);
    }
    CHECK_OK(sk_close(p[1]));
    close(file);
}
CASE_WITHIN(close_wakes_it_when_nothing_went, 60)
{
    for (int k = 0; k < STREAMS; k++) {
        for (int way = 0; way < WAYS; way++) close_wakes(k, way, 0);
    }
}
CASE_WITHIN(close_wakes_it_when_some_went, 60)
{
    for (int copied = 0; copied < 2; copied++) {
        refusal = copied ? EINVAL : 0;
        for (int k = 0; k < STREAMS; k++) {
            for (int way = 0; way < WAYS; way++) close_wakes(k, way, 1);
        }
    }
}

/* A call that never has to sleep ends too. */
CASE(close_ends_it_while_it_moves)
{
    for (int k = 0; k < STREAMS; k++) {
        for (int way = 0; way < FORKED; way++) {
            sk_handle p[2], copy = SK_INVALID_HANDLE;
            struct thread t;
            stream_pair(k, p);
            if (way == LIMITED) CHECK_OK(sk_set_timeout(p[0], 15000));
            if (way == DUPLICATED) copy = MADE(sk_dup(p[0]));
            instead = always_some;
            struct sender sender = {p[0], file_of(1), 0, -1, 0, 0};
            __atomic_store_n(&sends, 0, __ATOMIC_SEQ_CST);
            thread_start(&t, send_it, &sender);
            while (__atomic_load_n(&sends, __ATOMIC_SEQ_CST) < 3) sched_yield();
            CHECK_OK(sk_close(p[0]));
            thread_join(&t);
            CHECK_GE(sender.result, 3000);
            CHECK_EQ(sender.error, ERRNO_UNTOUCHED);
            instead = NULL;
            if (copy != SK_INVALID_HANDLE) CHECK_OK(sk_close(copy));
            CHECK_OK(sk_close(p[1]));
        }
    }
}

/* --- The error after some bytes -------------------------------------------------------------- */

static int turns;
static int some_then_a_reset(int out, ssize_t *sent)
{
    turns += 1;
    if (turns == 2) return ECONNRESET;
    *sent = send(out, "abc", 3, 0);
    return 0;
}
CASE(the_error_after_some_bytes_comes_with_the_next_call)
{
    int file = file_of(LENGTH);
    for (int which_next = 0; which_next < 3; which_next++) {
        sk_handle p[2];
        char b[4];
        unix_pair(SK_STREAM, p);
        turns = 0;
        instead = some_then_a_reset;
        CHECK_GIVES(sk_send_file(p[0], file, 0, -1), 3);
        instead = NULL;
        CHECK_GIVES(sk_wait(p[0], SK_WRITABLE, 0), 1);
        if (which_next == 0) CHECK_FAILS(sk_send_file(p[0], file, 0, 1), SK_ECONNRESET);
        if (which_next == 1) CHECK_FAILS(sk_send(p[0], "x", 1, 0), SK_ECONNRESET);
        if (which_next == 2) CHECK_FAILS(sk_send_all(p[0], "x", 1, NULL), SK_ECONNRESET);
        CHECK_OK(sk_recv_all(p[1], b, 3, NULL));
        CHECK_FAILS(sk_recv(p[1], b, 1, SK_DONTWAIT), SK_EAGAIN);
        CHECK_GIVES(sk_send_file(p[0], file, 0, 1), 1); /* told once */
        close_pair(p);
    }
}

CASE(a_reset_after_some_bytes_comes_with_the_next_call)
{
    int file = file_of(LENGTH);
    for (int way = 0; way < DUPLICATED; way++) {
        for (int k = 0; k < STREAMS; k++) {
            sk_handle p[2];
            struct thread t;
            narrow_pair(k, p);
            if (way == LIMITED) CHECK_OK(sk_set_timeout(p[0], 15000));
            struct sender sender = {p[0], file, 0, -1, 0, 0};
            thread_start(&t, send_it, &sender);
            CHECK(wait_until_asleep(&t));
            CHECK_OK(sk_abort(p[1]));
            thread_join(&t);
            CHECK_GT(sender.result, 0);
            CHECK_LT(sender.result, LENGTH);
            CHECK_EQ(sender.error, ERRNO_UNTOUCHED);
            int64_t r = sk_send_file(p[0], file, 0, 1);
            CHECK(r == SK_ECONNRESET || r == SK_EPIPE); /* sendfile may have used the first one up */
            CHECK_FAILS(sk_send_file(p[0], file, 0, 1), SK_EPIPE);
            CHECK_OK(sk_close(p[0]));
        }
    }
}

static int some_then_no_input(int out, ssize_t *sent)
{
    turns += 1;
    *sent = turns == 1 ? send(out, "abc", 3, 0) : 0;
    return turns == 1 ? 0 : EIO;
}
CASE(what_is_wrong_with_the_file_is_the_files)
{
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    int file = file_of(10);
    turns = 0;
    instead = some_then_no_input;
    CHECK_GIVES(sk_send_file(p[0], file, 0, -1), 3);
    instead = NULL;
    CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1); /* the connection is not to blame */
    CHECK_GIVES(sk_send_file(p[0], file, 0, -1), 10);
}

/* --- Signals --------------------------------------------------------------------------------- */

static void on_signal(int number) { (void)number; }
static void handle(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal; /* without SA_RESTART */
    CHECK_EQ(sigaction(number, &action, NULL), 0);
}

CASE_WITHIN(signals_do_not_end_it, 60)
{
    int file = file_of(LENGTH);
    handle(SIGUSR1);
    for (int copied = 0; copied < 2; copied++) {
        for (int way = 0; way < FORKED; way++) {
            for (int k = 0; k < STREAMS; k++) {
                sk_handle p[2];
                struct thread t;
                refusal = copied ? EINVAL : 0;
                narrow_pair(k, p);
                if (way == LIMITED) CHECK_OK(sk_set_timeout(p[0], 15000));
                sk_handle copy = way == DUPLICATED ? MADE(sk_dup(p[0])) : SK_INVALID_HANDLE;
                struct sender sender = {p[0], file, 0, -1, 0, 0};
                thread_start(&t, send_it, &sender);
                struct sink sink = {.s = p[1]};
                for (int i = 0; i < 10; i++) {
                    CHECK(wait_until_asleep(&t));
                    CHECK_EQ(pthread_kill(t.id, SIGUSR1), 0);
                    sink.most += 90000;
                    drain(&sink);
                }
                sink.most = LENGTH;
                drain(&sink);
                thread_join(&t);
                CHECK_EQ(sender.result, LENGTH);
                CHECK_EQ(sender.error, ERRNO_UNTOUCHED);
                if (copy != SK_INVALID_HANDLE) CHECK_OK(sk_close(copy));
                close_pair(p);
            }
        }
    }
}

static int interrupted_then_some(int out, ssize_t *sent)
{
    turns += 1;
    if (turns % 3 != 0) return EINTR;
    *sent = send(out, "ab", 2, 0);
    return 0;
}
CASE(an_interruption_is_tried_again)
{
    sk_handle p[2];
    unix_pair(SK_STREAM, p);
    for (int limit = -1; limit < 2; limit++) {
        CHECK_OK(sk_set_timeout(p[0], limit));
        turns = 0;
        instead = interrupted_then_some;
        CHECK_GIVES(sk_send_file(p[0], file_of(6), 0, 6), 6);
        CHECK_EQ(turns, 9);
    }
}

/* --- SIGPIPE --------------------------------------------------------------------------------- */

static int is_in(int (*get)(sigset_t *))
{
    sigset_t set;
    CHECK_EQ(get(&set), 0);
    return sigismember(&set, SIGPIPE);
}
static int blocked_now(sigset_t *set) { return pthread_sigmask(SIG_BLOCK, NULL, set); }
static int is_blocked(void) { return is_in(blocked_now); }
static int is_pending(void) { return is_in(sigpending); }
static void block_pipe(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

/* Into nothing, in every way that makes the kernel send a SIGPIPE. */
static void send_into_nothing(void)
{
    int file = file_of(LENGTH);
    for (int k = 0; k < STREAMS; k++) {
        for (int limit = -1; limit < 2; limit++) {
            sk_handle p[2];
            stream_pair(k, p);
            CHECK_OK(sk_set_timeout(p[0], limit));
            CHECK_OK(k == 1 ? sk_close(p[1]) : sk_abort(p[1]));
            for (int i = 0; i < 3; i++) {
                int64_t r = sk_send_file(p[0], file, 0, -1);
                CHECK(r == SK_EPIPE || (i == 0 && r == SK_ECONNRESET));
            }
            CHECK_OK(sk_close(p[0]));
            stream_pair(k, p);
            CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
            CHECK_FAILS(sk_send_file(p[0], file, 0, -1), SK_EPIPE);
            close_pair(p);
        }
        sk_handle p[2]; /* the peer goes, or our side is shut, after some bytes */
        for (int how = 0; how < 2; how++) {
            struct thread t;
            narrow_pair(k, p);
            struct sender sender = {p[0], file, 0, -1, 0, 0};
            thread_start(&t, send_it, &sender);
            CHECK(wait_until_asleep(&t));
            if (how == 0) CHECK_OK(sk_close(p[1]));
            else CHECK_OK(sk_shutdown(p[0], SK_SHUT_WRITE));
            thread_join(&t);
            CHECK_GT(sender.result, 0);
            if (how == 1) CHECK_OK(sk_close(p[1]));
            CHECK_OK(sk_close(p[0]));
        }
    }
    close(file);
}
static void by_default(void *argument)
{
    (void)argument;
    signal(SIGPIPE, SIG_DFL);
    send_into_nothing();
    CHECK(!is_blocked() && !is_pending());
}
CASE(sigpipe_never_kills) { in_child(by_default, NULL); }

static volatile sig_atomic_t pipes;
static void on_pipe(int number)
{
    (void)number;
    pipes += 1;
}
CASE(sigpipe_never_comes)
{
    signal(SIGPIPE, on_pipe);
    send_into_nothing();
    CHECK(!is_blocked() && !is_pending());
    CHECK_EQ(pipes, 0);
    signal(SIGPIPE, SIG_IGN);
    send_into_nothing();
    CHECK(!is_blocked() && !is_pending());
}
CASE(sigpipe_that_the_caller_has_blocked_stays_so)
{
    signal(SIGPIPE, on_pipe);
    block_pipe();
    send_into_nothing();
    CHECK(is_blocked() && !is_pending());
    CHECK_EQ(pipes, 0);
}
CASE(a_sigpipe_of_the_callers_stays_pending)
{
    for (int whole_process = 0; whole_process < 2; whole_process++) {
        signal(SIGPIPE, on_pipe);
        block_pipe();
        pipes = 0;
        CHECK_EQ(whole_process ? kill(getpid(), SIGPIPE) : raise(SIGPIPE), 0);
        CHECK(is_pending());
        send_into_nothing();
        CHECK(is_blocked() && is_pending());
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGPIPE);
        CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
        CHECK_EQ(pipes, 1);
        CHECK(!is_pending());
    }
}

/* The kernel reports the bytes of a sendfile that raised it, and another error than EPIPE then, or
 * the limit is over before it is asked again. */
static int some_and_a_sigpipe_then_a_reset(int out, ssize_t *sent)
{
    if (some_then_a_reset(out, sent) != 0) return ECONNRESET;
    CHECK_EQ(raise(SIGPIPE), 0);
    return 0;
}
static int some_and_a_sigpipe_after_the_limit(int out, ssize_t *sent)
{
    turns += 1;
    *sent = send(out, "abc", 3, 0);
    int64_t start = now_us();
    while (now_us() - start < 2000) continue;
    if (turns == 3) CHECK_EQ(raise(SIGPIPE), 0);
    return 0;
}
CASE(a_sigpipe_beside_some_bytes)
{
    sk_handle p[2];
    int file = file_of(1000);
    signal(SIGPIPE, on_pipe);
    unix_pair(SK_STREAM, p);
    turns = 0;
    instead = some_and_a_sigpipe_then_a_reset;
    CHECK_GIVES(sk_send_file(p[0], file, 0, -1), 3);
    CHECK_EQ(pipes, 0);
    CHECK(!is_blocked() && !is_pending());
    instead = NULL;
    CHECK_FAILS(sk_send(p[0], "x", 1, 0), SK_ECONNRESET);
    CHECK_OK(sk_set_timeout(p[0], 3));
    turns = 0;
    instead = some_and_a_sigpipe_after_the_limit;
    CHECK_GT(sk_send_file(p[0], file, 0, -1), 0);
    CHECK_EQ(pipes, 0);
    CHECK(!is_blocked() && !is_pending());
}
