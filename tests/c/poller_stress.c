/* Pollers under races: what is closed stays unseen, who is in is told, no wake is lost, nobody sleeps on. */
#include "poller.h"

#include <sys/prctl.h>

static int load(int *n) { return __atomic_load_n(n, __ATOMIC_SEQ_CST); }
static void store(int *n, int value) { __atomic_store_n(n, value, __ATOMIC_SEQ_CST); }
static int add_to(int *n) { return __atomic_add_fetch(n, 1, __ATOMIC_SEQ_CST); }

/* Nothing in the system's set is ready either: what it reports for nothing would make a wait spin. */
static void still(sk_handle p) { CHECK_GIVES(sk_wait(p, SK_READABLE, 0), 0); }

/* So many rounds, or, on a busy machine, as many as a few seconds have room for. */
static int64_t begun_us;
static int go_on(int round, int rounds)
{
    if (begun_us == 0) begun_us = now_us();
    return round < rounds && now_us() - begun_us < 4000000;
}

/* All threads of a round begin it together. */
struct gate {
    int parties, arrived, round;
};
static void meet(struct gate *g)
{
    int round = load(&g->round);
    if (add_to(&g->arrived) == g->parties) {
        store(&g->arrived, 0);
        add_to(&g->round);
    }
    while (load(&g->round) == round) sched_yield();
}

/* --- No wait that began after sk_close returned reports it --------------------------------------- */

enum { CHURNERS = 3, WATCHERS = 3, LIVES = 4000, KEEP = 8, CHILDREN = 3, FORKS = 30 };
static struct churn {
    sk_handle p;
    int clock, over, next;
    sk_handle handle[CHURNERS * LIVES];
    int closed_at[CHURNERS * LIVES]; /* by the clock, after sk_close returned */
} churn;

/* Handles are born, are ready, and are closed, while copies of them live on, ready. */
static void churn_handles(void *unused)
{
    sk_handle far[KEEP] = {0}, copy[KEEP] = {0};
    int raw[KEEP];
    (void)unused;
    for (int i = 0; i < KEEP; i++) raw[i] = -1;
    for (int i = 0, lives = LIVES; i < lives + KEEP; i++) {
        int k = i % KEEP;
        if (i < lives && !go_on(i, LIVES)) lives = i;
        if (far[k]) CHECK_EQ(sk_close(far[k]), SK_OK);
        if (copy[k]) CHECK_EQ(sk_close(copy[k]), SK_OK);
        if (raw[k] >= 0) close(raw[k]);
        far[k] = copy[k] = 0;
        raw[k] = -1;
        if (i >= lives) continue;
        sk_handle s[2];
        CHECK_EQ(sk_socketpair(SK_STREAM, s), SK_OK);
        int id = add_to(&churn.next) - 1;
        churn.handle[id] = s[1];
        far[k] = s[0];
        if (i % 3 == 1) copy[k] = MADE(sk_dup(s[1]));
        if (i % 3 == 2) raw[k] = dup((int)sk_fd(s[1]));
        CHECK_EQ(sk_send(s[0], "x", 1, 0), 1);
        CHECK_EQ(sk_poller_add(churn.p, s[1], SK_READABLE, (uint64_t)id), SK_OK);
        if (i % 2) sched_yield();
        CHECK_EQ(sk_close(s[1]), SK_OK);
        store(&churn.closed_at[id], add_to(&churn.clock));
    }
}
static void watch(void *unused)
{
    (void)unused;
    while (!load(&churn.over)) {
        sk_event e[16];
        int begin = load(&churn.clock);
        int64_t n = sk_poller_wait(churn.p, e, 16, 1000);
        CHECK_GE(n, 0);
        for (int64_t i = 0; i < n; i++) {
            if (e[i].handle == 0) continue;
            CHECK_LT(e[i].data, CHURNERS * LIVES);
            CHECK_EQ(e[i].handle, churn.handle[e[i].data]);
            int closed = load(&churn.closed_at[e[i].data]);
            if (closed != 0 && closed <= begin) FAIL("closed at %d, reported by a wait from %d", closed, begin);
        }
    }
}
CASE_WITHIN(what_is_closed_is_not_reported, 60)
{
    struct thread c[CHURNERS], w[WATCHERS];
    pid_t child[CHILDREN] = {0};
    churn.p = MADE(sk_poller());
    CHECK(go_on(0, 1));
    for (int i = 0; i < CHURNERS; i++) thread_start(&c[i], churn_handles, NULL);
    for (int i = 0; i < WATCHERS; i++) thread_start(&w[i], watch, NULL);
    for (int i = 0; i < FORKS + CHILDREN; i++) { /* children, with copies of whatever was open */
        pid_t *place = &child[i % CHILDREN];
        if (*place > 0) {
            kill(*place, SIGKILL);
            CHECK_EQ(waitpid(*place, NULL, 0), *place);
        }
        int upto = load(&churn.next) + CHURNERS * LIVES / (FORKS + 1);
        *place = i < FORKS ? fork() : 0;
        if (i < FORKS && *place == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;) pause();
        }
        while (i < FORKS && go_on(load(&churn.next), upto)) sched_yield();
    }
    for (int i = 0; i < CHURNERS; i++) thread_join(&c[i]);
    store(&churn.over, 1);
    for (int i = 0; i < WATCHERS; i++) {
        CHECK_OK(sk_poller_wake(churn.p));
        thread_join(&w[i]);
    }
    sk_event e;
    while (sk_poller_wait(churn.p, &e, 1, 0) == 1) CHECK_EQ(e.handle, 0); /* a wake too many */
    still(churn.p);
    CHECK_OK(sk_close(churn.p));
    CHECK_GIVES(sk_open_count(), 0);
}

/* --- Who is in ---------------------------------------------------------------------------------- */

enum { CHANGERS = 3, CHANGES = 4000 };
static struct change {
    struct gate begin, end;
    sk_handle p[2], s;
    int over;
} change;

/* Lets the threads go, which wait for the next round. */
static void finish_changes(void)
{
    change.over = 1;
    meet(&change.begin);
}

/* Every thread does something else to the same socket. */
static void change_it(void *argument)
{
    unsigned me = *(unsigned *)argument, seed = me * 7919 + 1;
    for (;;) {
        meet(&change.begin);
        if (change.over) return;
        for (int k = 0; k < 2; k++) {
            seed = seed * 1103515245 + 12345;
            sk_handle p = change.p[seed >> 16 & 1];
            int r;
            switch ((seed >> 18) % 3) {
            case 0:
                r = sk_poller_add(p, change.s, SK_READABLE, 1);
                CHECK(r == SK_OK || r == SK_EEXIST || r == SK_EBUSY);
                break;
            case 1:
                r = sk_poller_modify(p, change.s, SK_READABLE, 1);
                CHECK(r == SK_OK || r == SK_ENOENT);
                break;
            default:
                r = sk_poller_remove(p, change.s);
                CHECK(r == SK_OK || r == SK_ENOENT);
                break;
            }
        }
        meet(&change.end);
    }
}
CASE_WITHIN(who_is_in_is_told_and_nobody_else, 60)
{
    struct thread t[CHANGERS];
    unsigned number[CHANGERS];
    sk_handle s[2];
    int in[3] = {0};
    for (int i = 0; i < 2; i++) change.p[i] = MADE(sk_poller());
    unix_pair(SK_STREAM, s);
    send_x(s[0]); /* always ready */
    change.s = s[1];
    change.begin.parties = change.end.parties = CHANGERS + 1;
    for (int i = 0; i < CHANGERS; i++) {
        number[i] = (unsigned)i;
        thread_start(&t[i], change_it, &number[i]);
    }
    for (int i = 0; go_on(i, CHANGES); i++) {
        meet(&change.begin);
        meet(&change.end);
        int members = 0;
        for (int k = 0; k < 2; k++) {
            int r = sk_poller_modify(change.p[k], s[1], SK_READABLE, 2);
            CHECK(r == SK_OK || r == SK_ENOENT);
            if (r == SK_OK) only(change.p[k], s[1], 2, SK_READABLE);
            else still(change.p[k]);
            members += r == SK_OK;
        }
        CHECK_LE(members, 1);
        in[members] += 1;
    }
    finish_changes();
    for (int i = 0; i < CHANGERS; i++) thread_join(&t[i]);
    CHECK_GT(in[0], 0); /* both were seen */
    CHECK_GT(in[1], 0);
}

/* A remove and an add of the same handle at once: whichever was last, the poller knows. */
static void take_it_out(void *unused)
{
    (void)unused;
    for (;;) {
        meet(&change.begin);
        if (change.over) return;
        CHECK_EQ(sk_poller_remove(change.p[0], change.s), SK_OK);
        meet(&change.end);
    }
}
CASE_WITHIN(an_add_beside_a_remove, 60)
{
    struct thread t;
    sk_handle s[2];
    change.p[0] = MADE(sk_poller());
    unix_pair(SK_STREAM, s);
    send_x(s[0]);
    change.s = s[1];
    change.begin.parties = change.end.parties = 2;
    CHECK_OK(sk_poller_add(change.p[0], s[1], SK_READABLE, 1));
    thread_start(&t, take_it_out, NULL);
    for (int i = 0; go_on(i, CHANGES); i++) {
        meet(&change.begin);
        int r;
        while ((r = sk_poller_add(change.p[0], s[1], SK_READABLE, 1)) == SK_EEXIST) continue; /* until it is out */
        CHECK_EQ(r, SK_OK);
        meet(&change.end);
        only(change.p[0], s[1], 1, SK_READABLE);
    }
    finish_changes();
    thread_join(&t);
}

enum { CLOSES = 1500 };
/* The handle is closed while others add, change and remove it, and a copy stays ready. */
static void handle_it(void *argument)
{
    int me = *(int *)argument;
    for (int i = 0;; i++) {
        meet(&change.begin);
        if (change.over) return;
        for (int r = SK_OK; r != SK_EBADHANDLE && r != SK_ECLOSED;) {
            r = me == 0 ? sk_poller_add(change.p[0], change.s, SK_READABLE, 1)
                : i % 2 ? sk_poller_remove(change.p[0], change.s)
                        : sk_poller_modify(change.p[0], change.s, SK_READABLE, 2);
        }
        meet(&change.end);
    }
}
CASE_WITHIN(a_close_beside_all_that, 60)
{
    struct thread t[2];
    int number[2] = {0, 1};
    change.p[0] = MADE(sk_poller());
    change.begin.parties = change.end.parties = 3;
    for (int i = 0; i < 2; i++) thread_start(&t[i], handle_it, &number[i]);
    for (int i = 0; go_on(i, CLOSES); i++) {
        sk_handle s[2];
        unix_pair(SK_STREAM, s);
        send_x(s[0]);
        int copy = dup((int)sk_fd(s[1]));
        change.s = s[1];
        meet(&change.begin);
        for (int k = i % 8; k > 0; k--) sched_yield();
        CHECK_OK(sk_close(s[1]));
        none(change.p[0]);
        meet(&change.end);
        still(change.p[0]);
        close(copy);
        CHECK_OK(sk_close(s[0]));
    }
    finish_changes();
    for (int i = 0; i < 2; i++) thread_join(&t[i]);
}

/* --- Waking ------------------------------------------------------------------------------------- */

enum { HANDSHAKES = 10000 };
static struct shake {
    sk_handle p;
    int asked, seen, over;
} shake;
static void answer(void *unused)
{
    (void)unused;
    while (!load(&shake.over)) {
        sk_event e;
        int asked = load(&shake.asked);
        CHECK_EQ(sk_poller_wait(shake.p, &e, 1, SK_FOREVER), 1);
        if (e.handle != 0) continue;
        asked = load(&shake.asked);
        for (int seen = load(&shake.seen); seen < asked;) {
            if (__atomic_compare_exchange_n(&shake.seen, &seen, asked, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) break;
        }
    }
}
static void no_wake_is_lost(int others)
{
    struct thread t[2];
    sk_handle s[3][2];
    shake.p = MADE(sk_poller());
    for (int i = 0; i < others; i++) {
        unix_pair(SK_STREAM, s[i]);
        send_x(s[i][0]);
        CHECK_OK(sk_poller_add(shake.p, s[i][1], SK_READABLE, 0));
    }
    for (int i = 0; i < 2; i++) thread_start(&t[i], answer, NULL);
    for (int i = 1; go_on(i, HANDSHAKES); i++) {
        store(&shake.asked, i);
        CHECK_OK(sk_poller_wake(shake.p));
        while (load(&shake.seen) < i) sched_yield();
    }
    store(&shake.over, 1);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(sk_poller_wake(shake.p));
        if (i == 0) { /* two may fold: one for each */
            while (__atomic_load_n(&t[0].ended_us, __ATOMIC_SEQ_CST) == 0 && __atomic_load_n(&t[1].ended_us, __ATOMIC_SEQ_CST) == 0) sched_yield();
        }
    }
    for (int i = 0; i < 2; i++) thread_join(&t[i]);
}
CASE_WITHIN(no_wake_is_lost_by_sleepers, 60) { no_wake_is_lost(0); }
CASE_WITHIN(no_wake_is_lost_among_the_ready, 60) { no_wake_is_lost(3); }

/* Wakes right before the close, which must end every wait all the same. */
static void wait_to_the_end(void *unused)
{
    int64_t r;
    sk_event e;
    (void)unused;
    while ((r = sk_poller_wait(shake.p, &e, 1, SK_FOREVER)) == 1) CHECK_EQ(e.handle, 0);
    CHECK(r == SK_ECLOSED || r == SK_EBADHANDLE);
}
static void wake_to_the_end(void *unused)
{
    (void)unused;
    while (sk_poller_wake(shake.p) == SK_OK) continue;
}
CASE_WITHIN(a_close_ends_every_wait_beside_wakes, 60)
{
    enum { WAITERS = 3 };
    for (int i = 0; go_on(i, 800); i++) {
        struct thread t[WAITERS + 1];
        shake.p = MADE(sk_poller());
        for (int k = 0; k < WAITERS; k++) thread_start(&t[k], wait_to_the_end, NULL);
        thread_start(&t[WAITERS], wake_to_the_end, NULL);
        for (int k = i % 16; k > 0; k--) sched_yield();
        CHECK_OK(sk_close(shake.p));
        for (int k = 0; k <= WAITERS; k++) thread_join(&t[k]);
    }
}

/* --- One thread at a time ------------------------------------------------------------------------ */

enum { SOCKETS = 8, BYTES = 2000 };
static struct shots {
    sk_handle p, s[SOCKETS][2];
    int busy[SOCKETS], received[SOCKETS], over;
} shots;
static void shoot(void *unused)
{
    (void)unused;
    while (!load(&shots.over)) {
        sk_event e[4];
        int64_t n = sk_poller_wait(shots.p, e, 4, SK_FOREVER);
        for (int64_t i = 0; i < n; i++) {
            char b;
            if (e[i].handle == 0) continue;
            CHECK_EQ(add_to(&shots.busy[e[i].data]), 1);
            CHECK_EQ(sk_recv(e[i].handle, &b, 1, SK_DONTWAIT), 1);
            store(&shots.busy[e[i].data], 0);
            add_to(&shots.received[e[i].data]);
            CHECK_EQ(sk_poller_modify(shots.p, e[i].handle, SK_READABLE | SK_ONESHOT, e[i].data), SK_OK);
        }
    }
}
CASE_WITHIN(one_shot_is_one_threads, 60)
{
    enum { THREADS = 3 };
    struct thread t[THREADS];
    shots.p = MADE(sk_poller());
    for (uint64_t i = 0; i < SOCKETS; i++) {
        unix_pair(SK_STREAM, shots.s[i]);
        CHECK_OK(sk_poller_add(shots.p, shots.s[i][1], SK_READABLE | SK_ONESHOT, i));
    }
    for (int i = 0; i < THREADS; i++) thread_start(&t[i], shoot, NULL);
    for (int b = 0; b < BYTES; b++) {
        for (int i = 0; i < SOCKETS; i++) send_x(shots.s[i][0]);
    }
    for (int i = 0; i < SOCKETS; i++) {
        while (load(&shots.received[i]) < BYTES) sched_yield();
    }
    store(&shots.over, 1);
    for (int i = 0; i < THREADS; i++) {
        int ended = 0;
        CHECK_OK(sk_poller_wake(shots.p));
        while (ended <= i) {
            ended = 0;
            for (int k = 0; k < THREADS; k++) ended += __atomic_load_n(&t[k].ended_us, __ATOMIC_SEQ_CST) != 0;
        }
    }
    for (int i = 0; i < THREADS; i++) thread_join(&t[i]);
}

/* --- Pollers that go ----------------------------------------------------------------------------- */

static void add_until_it_is_closed(void *argument)
{
    sk_handle *s = argument;
    int r = SK_OK;
    for (int i = 0; r == SK_OK || r == SK_ENOENT || r == SK_EBUSY; i = (i + 1) % 8) {
        r = sk_poller_add(shake.p, s[i], SK_READABLE, (uint64_t)i);
        if (r == SK_OK) r = sk_poller_remove(shake.p, s[i]);
        if (r == SK_OK) r = sk_poller_add(shake.p, s[i], SK_READABLE, (uint64_t)i);
        if (r == SK_EEXIST) r = sk_poller_remove(shake.p, s[i]);
    }
    CHECK_EQ(r, SK_EBADHANDLE);
}
CASE_WITHIN(a_poller_that_is_closed_frees_its_handles, 60)
{
    sk_handle pair[8][2], s[8];
    for (int i = 0; i < 8; i++) {
        unix_pair(SK_STREAM, pair[i]);
        send_x(pair[i][0]);
        s[i] = pair[i][1];
    }
    for (int round = 0; go_on(round, 400); round++) {
        struct thread t[2];
        sk_event e[9];
        shake.p = MADE(sk_poller());
        thread_start(&t[0], add_until_it_is_closed, s);
        sk_handle old = shake.p, p = MADE(sk_poller());
        for (int k = round % 16; k > 0; k--) sched_yield();
        CHECK_OK(sk_close(old));
        /* Taken at once; the other thread, whose calls fail from now on, has no say any more. */
        for (int i = 0; i < 8; i++) CHECK_OK(sk_poller_add(p, s[i], SK_READABLE, 9));
        thread_join(&t[0]);
        CHECK_GIVES(sk_poller_wait(p, e, 9, 0), 8);
        CHECK_OK(sk_close(p));
    }
}
