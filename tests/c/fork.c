/* fork and exec: the child owns copies, closing there changes nothing in the parent, nothing survives exec. */
#include "check.h"

struct blocked {
    sk_handle s;
    sk_addr to;
    int64_t result;
    char b[8];
};
static void do_accept(void *x) { ((struct blocked *)x)->result = sk_accept(((struct blocked *)x)->s, NULL); }
static void do_recv(void *x) { ((struct blocked *)x)->result = sk_recv(((struct blocked *)x)->s, ((struct blocked *)x)->b, 8, 0); }
static void do_wait(void *x) { ((struct blocked *)x)->result = sk_wait(((struct blocked *)x)->s, SK_READABLE, SK_FOREVER); }
static void do_connect(void *x) { ((struct blocked *)x)->result = sk_connect_addr(((struct blocked *)x)->s, &((struct blocked *)x)->to); }
static void do_send(void *x) { ((struct blocked *)x)->result = sk_send(((struct blocked *)x)->s, "x", 1, 0); }

struct family {
    sk_handle h[32];
    int n;
    int style;
};
static void close_all(void *argument)
{
    struct family *f = argument;
    int fds = open_fds();
    CHECK_GE(sk_open_count(), f->n);
    for (int i = 0; i < f->n; i++) {
        if (f->style == 0) CHECK_OK(sk_close(f->h[i]));
        else if (f->style == 1) CHECK_OK(sk_abort(f->h[i]));
        else if (sk_finish(f->h[i], 0) == SK_EOPNOTSUPP) CHECK_OK(sk_close(f->h[i]));
        CHECK_FAILS(sk_close(f->h[i]), SK_EBADHANDLE);
    }
    CHECK_LE(open_fds(), fds - f->n); /* descriptors of the library's own may go too */
}

/* While the parent's threads are blocked on them, a child closes its copies of everything. */
static void survives(int style)
{
    struct blocked x[8];
    struct thread t[8];
    struct family f;
    sk_handle p[5][2], q[2];
    sk_addr unix_at;
    memset(x, 0, sizeof x);
    memset(&f, 0, sizeof f);
    sk_handle l = tcp_listener(SK_INET, 4), u = unix_bound(SK_STREAM, 4, &unix_at);
    tcp_pair(SK_INET, p[0]);
    udp_pair(SK_INET, p[1]);
    unix_pair(SK_STREAM, p[2]);
    unix_pair(SK_DGRAM, p[3]);
    unix_pair(SK_SEQPACKET, p[4]);
    tcp_pair(SK_INET, q);
    x[0].s = l;
    x[1].s = u;
    thread_start(&t[0], do_accept, &x[0]);
    thread_start(&t[1], do_accept, &x[1]);
    for (int i = 0; i < 5; i++) {
        x[2 + i].s = p[i][0];
        thread_start(&t[2 + i], do_recv, &x[2 + i]);
    }
    x[7].s = q[0];
    thread_start(&t[7], do_wait, &x[7]);
    for (int i = 0; i < 8; i++) CHECK(wait_until_asleep(&t[i]));
    f.style = style;
    f.h[f.n++] = l;
    f.h[f.n++] = u;
    f.h[f.n++] = q[0];
    for (int i = 0; i < 5; i++) {
        f.h[f.n++] = p[i][0];
        f.h[f.n++] = p[i][1];
    }
    if (style == 2) f.n = 2; /* sk_finish ends a connection for every copy, as asked */
    int64_t open = sk_open_count();
    in_child(close_all, &f);
    CHECK_GIVES(sk_open_count(), open);
    for (int i = 0; i < 8; i++) CHECK(wait_until_asleep(&t[i])); /* nobody was woken */
    sk_handle c = MADE(sk_socket(SK_INET, SK_STREAM, 0)), d = MADE(sk_socket(SK_UNIX, SK_STREAM, 0));
    CHECK_OK(sk_connect(c, "127.0.0.1", port_of(l)));
    CHECK_OK(sk_connect_addr(d, &unix_at));
    for (int i = 0; i < 5; i++) CHECK_GIVES(sk_send(p[i][1], "after", 5, 0), 5);
    CHECK_GIVES(sk_send(q[1], "after", 5, 0), 5);
    for (int i = 0; i < 8; i++) thread_join(&t[i]);
    CHECK_GT(x[0].result, 0);
    CHECK_GT(x[1].result, 0);
    for (int i = 2; i < 7; i++) CHECK_EQ(x[i].result, 5);
    CHECK_EQ(x[7].result, 1);
    for (int i = 0; i < 5; i++) { /* the other direction too */
        char b[8];
        CHECK_GIVES(sk_send(p[i][0], "back", 4, 0), 4);
        CHECK_GIVES(sk_recv(p[i][1], b, 8, 0), 4);
    }
}
CASE(the_parent_survives_a_childs_closes) { survives(0); }
CASE(the_parent_survives_a_childs_aborts) { survives(1); }
CASE(the_parents_listeners_survive_a_childs_finish) { survives(2); }

/* Every function works in the child. */
static void use_everything(void *argument)
{
    struct family *f = argument;
    char b[8];
    size_t n;
    for (int i = 0; i < f->n; i += 2) {
        CHECK_GIVES(sk_send(f->h[i], "child", 5, 0), 5);
        CHECK_GIVES(sk_recv(f->h[i + 1], b, 8, 0), 5);
        CHECK_OK(sk_set_timeout(f->h[i], 20));
        CHECK_FAILS(sk_recv(f->h[i], b, 8, 0), SK_ETIMEDOUT);
        sk_addr a;
        CHECK_OK(sk_local_addr(f->h[i], &a));
    }
    sk_handle p[2];
    tcp_pair(SK_INET, p);
    CHECK_OK(sk_send_all(p[0], "all", 3, &n));
    CHECK_OK(sk_recv_all(p[1], b, 3, &n));
    sk_handle d = MADE(sk_dup(p[0]));
    CHECK_OK(sk_close(d));
    close_pair(p);
}
CASE(every_function_works_in_the_child)
{
    struct family f;
    memset(&f, 0, sizeof f);
    for (int k = 0; k < PAIR_KINDS; k++) {
        if (k == PAIR_TCP6 || k == PAIR_UDP6) continue;
        any_pair(k, f.h + f.n);
        f.n += 2;
    }
    for (int round = 0; round < 3; round++) in_child(use_everything, &f);
    int64_t v = 0;
    CHECK_OK(sk_get_option(f.h[0], SK_OPT_RECV_TIMEOUT, &v));
    CHECK_EQ(v, SK_FOREVER); /* the child's limits are the child's */
    char b;
    CHECK_GIVES(sk_send(f.h[0], "p", 1, 0), 1);
    CHECK_GIVES(sk_recv(f.h[1], &b, 1, 0), 1);
}

/* The parent's blocked threads do not exist in the child: closing there frees the descriptor at once. */
CASE(pins_of_threads_that_stayed_behind_do_not_count)
{
    struct blocked x;
    struct thread t;
    struct family f;
    sk_handle p[2];
    memset(&x, 0, sizeof x);
    memset(&f, 0, sizeof f);
    tcp_pair(SK_INET, p);
    x.s = f.h[0] = p[0];
    f.n = 1;
    thread_start(&t, do_recv, &x);
    CHECK(wait_until_asleep(&t));
    in_child(close_all, &f);
    CHECK_GIVES(sk_send(p[1], "x", 1, 0), 1);
    thread_join(&t);
    CHECK_EQ(x.result, 1);
}

/* After the fork the handle is shared, and close still wakes: a call that began before the fork and one after. */
static void just_end(void *argument) { (void)argument; }
struct child {
    pid_t pid;
    int hold[2];
};
static struct child child_that_holds_copies(void)
{
    struct child c;
    CHECK_EQ(pipe(c.hold), 0);
    fflush(NULL);
    c.pid = fork();
    CHECK(c.pid >= 0);
    if (c.pid == 0) {
        char b;
        alarm(15);
        close(c.hold[1]);
        if (read(c.hold[0], &b, 1) < 0) _exit(1); /* until the parent lets go */
        _exit(0);
    }
    close(c.hold[0]);
    return c;
}
static void child_let_go(struct child *c)
{
    int status = -1;
    close(c->hold[1]);
    CHECK_EQ(waitpid(c->pid, &status, 0), c->pid);
    CHECK_EQ(status, 0);
}
static void check_wakes(struct blocked *x, struct thread *t)
{
    int64_t start = now_us();
    CHECK_OK(sk_close(x->s));
    thread_join(t);
    CHECK_EQ(x->result, SK_ECLOSED);
    CHECK_LT(t->ended_us - start, 400000);
}
static void wakes_around_fork(int fork_first)
{
    void (*const block[])(void *) = {do_recv, do_recv, do_recv, do_recv, do_recv, do_accept, do_wait, do_send};
    for (int limited = 0; limited < 2; limited++) {
        struct blocked x[8];
        struct thread t[8];
        sk_handle p[2];
        static const int kinds[] = {PAIR_TCP4, PAIR_UDP4, PAIR_UNIX_STREAM, PAIR_UNIX_DGRAM, PAIR_UNIX_SEQPACKET};
        memset(x, 0, sizeof x);
        for (int i = 0; i < 5; i++) {
            any_pair(kinds[i], p);
            x[i].s = p[0];
        }
        x[5].s = tcp_listener(SK_INET, 1);
        x[6].s = udp_bound(SK_INET);
        tcp_pair(SK_INET, p);
        fill(p[0]);
        x[7].s = p[0];
        struct child c;
        if (fork_first) c = child_that_holds_copies();
        for (int i = 0; i < 8; i++) {
            if (limited) CHECK_OK(sk_set_timeout(x[i].s, 60000));
            thread_start(&t[i], block[i], &x[i]);
            while (!wait_until_asleep(&t[i])) { /* a sender may find a little room at first */
                CHECK_EQ(i, 7);
                thread_join(&t[i]);
                thread_start(&t[i], block[i], &x[i]);
            }
        }
        if (!fork_first) c = child_that_holds_copies();
        for (int i = 0; i < 8; i++) check_wakes(&x[i], &t[i]);
        child_let_go(&c);
    }
}
CASE(close_wakes_calls_that_began_before_a_fork) { wakes_around_fork(0); }
CASE(close_wakes_calls_that_began_after_a_fork) { wakes_around_fork(1); }

/* The parent closes; the child's copy of the connection lives. */
static void echo_one(void *argument)
{
    struct family *f = argument;
    char b[8];
    CHECK_GIVES(sk_recv(f->h[0], b, 8, 0), 4);
    CHECK_GIVES(sk_send(f->h[0], b, 4, 0), 4);
    CHECK_OK(sk_close(f->h[0]));
}
CASE(a_childs_copy_survives_the_parents_close)
{
    static const int kinds[] = {PAIR_TCP4, PAIR_UNIX_STREAM, PAIR_UNIX_SEQPACKET, PAIR_UNIX_DGRAM, PAIR_UDP4};
    for (int i = 0; i < 5; i++) {
        struct family f;
        char b[8];
        memset(&f, 0, sizeof f);
        any_pair(kinds[i], f.h);
        fflush(NULL);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            alarm(15);
            echo_one(&f);
            check_end(0);
        }
        CHECK_OK(sk_close(f.h[0])); /* a fork-server's way: the child serves it now */
        CHECK_GIVES(sk_send(f.h[1], "ping", 4, 0), 4);
        CHECK_OK(sk_set_timeout(f.h[1], 10000));
        CHECK_GIVES(sk_recv(f.h[1], b, 8, 0), 4);
        int status = -1;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
        CHECK_OK(sk_close(f.h[1]));
    }
}

/* A fork in the middle of calls and closes of other threads leaves a child that works. */
static int busy;
static void open_and_close(void *argument)
{
    (void)argument;
    while (__atomic_load_n(&busy, __ATOMIC_SEQ_CST)) {
        sk_handle p[2];
        char b;
        CHECK_EQ(sk_socketpair(SK_STREAM, p), SK_OK);
        CHECK_EQ(sk_send(p[0], "x", 1, 0), 1);
        CHECK_EQ(sk_recv(p[1], &b, 1, 0), 1);
        CHECK_EQ(sk_close(p[0]), SK_OK);
        CHECK_EQ(sk_close(p[1]), SK_OK);
    }
}
static void make_many(void *argument)
{
    struct family *f = argument;
    char b[8];
    for (int i = 0; i < 50; i++) {
        sk_handle p[2];
        unix_pair(SK_STREAM, p);
        CHECK_GIVES(sk_send(p[0], "x", 1, 0), 1);
        CHECK_GIVES(sk_recv(p[1], b, 1, 0), 1);
        close_pair(p);
    }
    CHECK_GIVES(sk_send(f->h[0], "hello", 5, 0), 5);
    CHECK_GIVES(sk_recv(f->h[1], b, 8, 0), 5);
    CHECK_OK(sk_close(f->h[0]));
    CHECK_OK(sk_close(f->h[1]));
}
CASE_WITHIN(fork_in_the_middle_of_everything, 60)
{
    struct thread t[4];
    struct family f;
    memset(&f, 0, sizeof f);
    unix_pair(SK_STREAM, f.h);
    busy = 1;
    for (int i = 0; i < 4; i++) thread_start(&t[i], open_and_close, NULL);
    for (int i = 0; i < 100; i++) in_child(make_many, &f);
    __atomic_store_n(&busy, 0, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 4; i++) thread_join(&t[i]);
    char b;
    CHECK_GIVES(sk_send(f.h[0], "p", 1, 0), 1);
    CHECK_GIVES(sk_recv(f.h[1], &b, 1, 0), 1);
    CHECK_GIVES(sk_open_count(), 2);
}

/* What sk_from_fd looks at and does not take is there in a child that was forked meanwhile. */
static void refuse(void *fd)
{
    while (__atomic_load_n(&busy, __ATOMIC_SEQ_CST)) CHECK_FAILS(sk_from_fd(*(int *)fd), SK_ENOTSOCK);
}
static void has_it(void *fd)
{
    CHECK(is_open_fd(*(int *)fd));
    CHECK_FAILS(sk_from_fd(*(int *)fd), SK_ENOTSOCK); /* and not SK_EEXIST */
}
CASE_WITHIN(a_child_has_a_descriptor_that_is_not_taken_over, 60)
{
    for (int used = 0; used < 2; used++) {
        sk_handle s = MADE(sk_socket(SK_INET, SK_DGRAM, 0));
        if (used) CHECK_OK(sk_close(s)); /* its number is the file's now */
        struct thread t;
        int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        busy = 1;
        thread_start(&t, refuse, &file);
        for (int i = 0; i < 100; i++) in_child(has_it, &file);
        __atomic_store_n(&busy, 0, __ATOMIC_SEQ_CST);
        thread_join(&t);
        CHECK_EQ(close(file), 0);
    }
}

/* New sockets in parent and child must not be mixed up, though their handles may be equal numbers. */
static void grandchildren(void *argument)
{
    struct family *f = argument;
    in_child(use_everything, f);
    in_child(close_all, f);
    use_everything(f);
}
CASE(a_child_may_fork_again)
{
    struct family f;
    memset(&f, 0, sizeof f);
    unix_pair(SK_STREAM, f.h);
    f.n = 2;
    in_child(grandchildren, &f);
    in_child(use_everything, &f);
    in_child(just_end, NULL);
}

CASE(fork_before_first_use)
{
    struct family f;
    memset(&f, 0, sizeof f);
    in_child(use_everything, &f);
    use_everything(&f);
}

/* A connection attempt goes on in the parent whatever the child closes. */
CASE(a_connect_in_progress_survives_a_childs_close)
{
    struct blocked x;
    struct thread t;
    struct family f;
    memset(&x, 0, sizeof x);
    memset(&f, 0, sizeof f);
    sk_handle l = tcp_listener(SK_INET, 1);
    CHECK_OK(sk_local_addr(l, &x.to));
    for (;;) {
        x.s = MADE(sk_socket(SK_INET, SK_STREAM, 0));
        CHECK_OK(sk_set_timeout(x.s, 100));
        int r = sk_connect_addr(x.s, &x.to);
        if (r == SK_ETIMEDOUT) break;
        CHECK_EQ(r, SK_OK);
    }
    CHECK_OK(sk_set_timeout(x.s, SK_FOREVER));
    thread_start(&t, do_connect, &x);
    CHECK(wait_until_asleep(&t));
    f.h[0] = x.s;
    f.n = 1;
    in_child(close_all, &f);
    CHECK_OK(sk_set_timeout(l, 0));
    while (sk_accept(l, NULL) > 0) continue;
    thread_join(&t);
    CHECK_EQ(x.result, SK_OK);
}

/* --- exec ------------------------------------------------------------------------------------------- */

/* Run by itself, or by the case below in a fresh image: there is no socket and no eventfd here. */
CASE(a_fresh_program_has_no_sockets)
{
    for (int fd = 3; fd < 1000; fd++) {
        char path[64], target[128];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n < 0) continue;
        target[n] = '\0';
        if (strncmp(target, "socket:", 7) == 0 || strncmp(target, "anon_inode:", 11) == 0)
            FAIL("descriptor %d is %s", fd, target);
    }
}

static void exec_self(void *argument)
{
    (void)argument;
    execl("/proc/self/exe", check_program, "a_fresh_program_has_no_sockets", (char *)NULL);
    _exit(1);
}
CASE(no_descriptor_survives_exec)
{
    need_ipv6();
    sk_handle p[PAIR_KINDS][2];
    struct blocked x;
    struct thread t;
    for (int k = 0; k < PAIR_KINDS; k++) any_pair(k, p[k]);
    sk_handle l = tcp_listener(SK_INET, 4);
    sk_handle d = MADE(sk_dup(p[0][0]));
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* taken over without close-on-exec */
    (void)MADE(sk_from_fd(fd));
    CHECK_OK(sk_connect(MADE(sk_socket(SK_INET, SK_STREAM, 0)), "127.0.0.1", port_of(l)));
    (void)MADE(sk_accept(l, NULL));
    CHECK_OK(sk_set_timeout(l, 5));
    CHECK_FAILS(sk_accept(l, NULL), SK_ETIMEDOUT);
    memset(&x, 0, sizeof x);
    x.s = d; /* waits the shared way, with whatever descriptors that takes */
    thread_start(&t, do_recv, &x);
    CHECK(wait_until_asleep(&t));
    in_child(exec_self, NULL);
    CHECK_OK(sk_close(d));
    thread_join(&t);
}
