/* Everything at once, for minutes: all kinds of sockets, threads, forks, closes, signals, descriptors
 * that run short. Invariants are checked all the time: no byte comes from somebody else's
 * connection, no call takes a second longer than it may, what is closed stays closed, and descriptors
 * and memory come back to where they were. The first broken one ends the run with status 1.
 *
 *   soak --minutes 20 | --seconds 10
 */
#include "soak.h"
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

atomic_int stopping, shortage;
static struct worker workers[WORKERS];
static atomic_int paused, at_rest;
static atomic_llong interrupts;
static rlim_t most;
static _Thread_local struct worker *me;

long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint32_t dice(struct worker *w, uint32_t sides)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->random >> 33) % sides;
}

void broken(const char *file, int line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "\nBROKEN at %s:%d, %s: ", file, line, me == NULL ? "watching" : me->job);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    for (int i = 0; i < WORKERS; i++) {
        const char *call = workers[i].call;
        fprintf(stderr, "  %s: %s for %lld ms\n", workers[i].job, call == NULL ? "in no call" : call,
                call == NULL ? 0 : now_ms() - workers[i].since_ms);
    }
    fprintf(stderr, "soak: FAILED\n");
    _exit(1);
}

void enter(struct worker *w, const char *call, long long limit)
{
    long long now = now_ms();
    w->since_ms = now;
    w->until_ms = now + limit + HANG_MS;
    w->call = call;
}

int64_t leave(struct worker *w, int64_t result)
{
    long long took = now_ms() - w->since_ms;
    w->call = NULL;
    if (took > w->worst_ms) w->worst_ms = took;
    w->operations++;
    if (result < 0 && result > -ERRORS) w->errors[-result]++;
    return result;
}

int is_shortage(int64_t result)
{
    return shortage != 0 && (result == SK_EMFILE || result == SK_ENFILE);
}

/* --- Watching -------------------------------------------------------------------------------- */

static void count_interrupt(int signal_number)
{
    (void)signal_number;
    interrupts++;
}

/* A storm of signals, without SA_RESTART. */
static void start_storm(void)
{
    struct sigaction action;
    struct itimerval every = {{0, 2000}, {0, 2000}};
    memset(&action, 0, sizeof action);
    action.sa_handler = count_interrupt;
    MUST(sigaction(SIGALRM, &action, NULL) == 0);
    MUST(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void look_for_hangs(void)
{
    long long now = now_ms();
    for (int i = 0; i < WORKERS; i++) {
        const char *call = workers[i].call;
        if (call != NULL && now > workers[i].until_ms && call == workers[i].call)
            BROKEN("%s hangs in %s", workers[i].job, call);
    }
}

static int open_fds(void)
{
    int count = -3; /* ".", ".." and the folder itself */
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) return -1;
    while (readdir(folder) != NULL) count++;
    closedir(folder);
    return count;
}

static long memory_kib(void)
{
    char line[200];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    if (file != NULL) fclose(file);
    return kib;
}

static void set_descriptors(rlim_t limit)
{
    struct rlimit r;
    MUST(getrlimit(RLIMIT_NOFILE, &r) == 0);
    r.rlim_cur = limit;
    MUST(setrlimit(RLIMIT_NOFILE, &r) == 0);
}

/* Lets every worker finish what it is at, and close it. */
static void rest(void)
{
    long long until = now_ms() + 20000;
    paused = 1;
    while (at_rest < WORKERS) {
        if (now_ms() > until) BROKEN("only %d of %d workers come to rest", at_rest, WORKERS);
        look_for_hangs();
        usleep(1000);
    }
}

static void go_on(void)
{
    paused = 0;
    while (at_rest > 0) usleep(1000);
}

static void *work(void *argument)
{
    struct worker *w = me = argument;
    while (!stopping) {
        if (paused) {
            at_rest++;
            while (paused && !stopping) usleep(1000);
            at_rest--;
        }
        w->run(w);
    }
    return NULL;
}

/* --- Telling --------------------------------------------------------------------------------- */

static long long sum_operations(void)
{
    long long sum = 0;
    for (int i = 0; i < WORKERS; i++) sum += workers[i].operations;
    return sum;
}

static void tell_errors(void)
{
    for (int code = 1; code < ERRORS; code++) {
        long long sum = 0;
        for (int i = 0; i < WORKERS; i++) sum += workers[i].errors[code];
        if (sum > 0) printf(" %s %lld", sk_error_name(-code) + 3, sum);
    }
}

static long long worst(void)
{
    long long most_ms = 0;
    for (int i = 0; i < WORKERS; i++)
        if (workers[i].worst_ms > most_ms) most_ms = workers[i].worst_ms;
    return most_ms;
}

static void tell(long long second)
{
    printf("%5lld s %9lld calls %5lld handles %5d fds %6ld KiB worst %4lld ms%s |", second, sum_operations(),
           (long long)sk_open_count(), open_fds(), memory_kib(), worst(), shortage ? " SHORT" : "");
    tell_errors();
    putchar('\n');
    fflush(stdout);
}

/* --- The run --------------------------------------------------------------------------------- */

struct level {
    int fds;
    long kib;
    int64_t handles;
};

static struct level level(void)
{
    struct level here;
    here.handles = sk_open_count();
    here.fds = open_fds();
    here.kib = memory_kib();
    return here;
}

static void must_be_flat(struct level then, struct level now)
{
    if (now.handles != then.handles) BROKEN("handles: %lld, now %lld", (long long)then.handles, (long long)now.handles);
    if (now.fds != then.fds) BROKEN("descriptors: %d, now %d", then.fds, now.fds);
    /* The C library keeps arenas and stacks of threads: a leak grows beyond any such. */
    if (now.kib > then.kib + 4096) BROKEN("memory: %ld KiB, now %ld KiB", then.kib, now.kib);
}

int main(int argc, char **argv)
{
    long long seconds = 0, begin, second = 0;
    struct level warm = {0, 0, 0};
    int is_warm = 0;
    if (argc == 3 && strcmp(argv[1], "--minutes") == 0) seconds = atoll(argv[2]) * 60;
    if (argc == 3 && strcmp(argv[1], "--seconds") == 0) seconds = atoll(argv[2]);
    if (seconds <= 0) {
        fprintf(stderr, "usage: %s --minutes N | --seconds N\n", argv[0]);
        return 2;
    }
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    most = limit.rlim_cur;
    MUST(sk_init(NULL) == SK_OK);
    start_storm();
    begin = now_ms();
    sigset_t alarm_only;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    for (int i = 0; i < WORKERS; i++) {
        workers[i].number = i;
        workers[i].random = (uint64_t)begin * 31 + (uint64_t)i;
        workers[i].job = jobs[i % job_count].name;
        workers[i].run = jobs[i % job_count].run;
        MUST(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    /* The kernel would give them all to this thread. */
    MUST(pthread_sigmask(SIG_BLOCK, &alarm_only, NULL) == 0);
    while (now_ms() < begin + seconds * 1000) {
        usleep(20000);
        look_for_hangs();
        if (now_ms() < begin + (second + 1) * 1000) continue;
        second++;
        /* Short for 3 s of every 10: so few that some calls get none. */
        if (second % 10 == 4) {
            shortage = 1;
            set_descriptors(34);
        } else if (second % 10 == 7) {
            set_descriptors(most);
            /* What began when they were short may still say so. */
        } else if (second % 10 == 8) {
            rest();
            shortage = 0;
            if (!is_warm) warm = level();
            else must_be_flat(warm, level());
            is_warm = 1;
            go_on();
        }
        tell(second);
    }
    set_descriptors(most);
    rest();
    if (is_warm) must_be_flat(warm, level());
    tell(second);
    stopping = 1;
    for (int i = 0; i < WORKERS; i++) MUST(pthread_join(workers[i].thread, NULL) == 0);
    MUST(sk_open_count() == 0);
    printf("\n%lld calls in %lld s, %lld interrupts, worst call %lld ms\n", sum_operations(), seconds,
           (long long)interrupts, worst());
    for (int i = 0; i < WORKERS; i++)
        printf("  %-12s %10lld calls, worst %lld ms\n", workers[i].job, (long long)workers[i].operations,
               (long long)workers[i].worst_ms);
    printf("errors, each of them one that was allowed:");
    tell_errors();
    printf("\nsoak: passed\n");
    return 0;
}
