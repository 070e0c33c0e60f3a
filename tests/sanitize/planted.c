/* Mistakes on purpose: each tool must find those that it is there for, before the real programs are run.
 * Those named library_… are found only if the library, too, is seen by the tool. */
#include "../c/check.h"

static void *volatile hidden; /* the compiler forgets what it points to */

static void *hide(void *p)
{
    hidden = p;
    return hidden;
}

CASE(read_behind_the_end)
{
    char *p = hide(malloc(8));
    int sum = 0;
    for (int i = 0; i <= 8; i++) sum += p[i] = (char)i;
    printf("%d\n", sum);
    free(p);
}

CASE(forgotten_memory)
{
    CHECK(hide(malloc(100)) != NULL);
    hide(NULL);
}

CASE(too_large_a_number)
{
    volatile int large = INT32_MAX;
    printf("%d\n", large + 1);
}

CASE(unset_memory_decides)
{
    int *p = hide(malloc(sizeof *p));
    puts(*p == 7 ? "seven" : "another");
    free(p);
}

/* The text ends behind the place for it. */
CASE(library_writes_behind_the_end)
{
    sk_addr a;
    CHECK_OK(sk_addr_parse("127.0.0.1:80", &a));
    char *text = hide(malloc(4));
    sk_addr_format(&a, text, 64);
    free(text);
}

/* The kernel writes behind the place that a call gives it. */
CASE(library_receives_behind_the_end)
{
    sk_handle p[2];
    udp_pair(SK_INET, p);
    CHECK_GIVES(sk_send(p[0], "more than eight", 15, 0), 15);
    char *data = hide(malloc(8));
    sk_recv(p[1], data, 15, 0);
    free(data);
    close_pair(p);
}

CASE(library_sends_unset_memory)
{
    sk_handle p[2];
    udp_pair(SK_INET, p);
    char *data = hide(malloc(8));
    sk_send(p[0], data, 8, 0);
    free(data);
    close_pair(p);
}

/* --- Races --------------------------------------------------------------------------------- */

static int number;

static void count_to_1000(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++) number += 1;
}

CASE(race)
{
    struct thread t;
    thread_start(&t, count_to_1000, NULL);
    count_to_1000(NULL);
    thread_join(&t);
}

static char received[1500];
static sk_handle ends[2];

static void receive(void *unused)
{
    (void)unused;
    CHECK_GIVES(sk_recv(ends[1], received, sizeof received, 0), 1);
}

/* The library writes what another thread reads. */
CASE(library_races_with_the_program)
{
    struct thread t;
    udp_pair(SK_INET, ends);
    thread_start(&t, receive, NULL);
    CHECK_EQ(received[0], 0);
    CHECK_GIVES(sk_send(ends[0], "x", 1, 0), 1);
    thread_join(&t);
    close_pair(ends);
}

static int ready;

static void use_the_table(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&ready, __ATOMIC_RELAXED)) sched_yield();
    CHECK_EQ(sk_close(12345), SK_EBADHANDLE);
}

/* One thread makes the table, another one uses it: right as it is, and a race where the library was
 * built with atomics too weak for it. */
CASE(table_of_another_thread)
{
    struct thread t;
    thread_start(&t, use_the_table, NULL);
    sk_close(MADE(sk_socket(SK_INET, SK_DGRAM, 0)));
    __atomic_store_n(&ready, 1, __ATOMIC_RELAXED);
    thread_join(&t);
}
