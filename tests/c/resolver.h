/* A resolver of the test's own, between the library and the C library's: it gives the addresses that
 * it is told, fails as it is told, and lets its callers wait as long as it is told. */
#ifndef RESOLVER_H
#define RESOLVER_H

#include "check.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <linux/futex.h>
#include <netdb.h>

static struct {
    int active;    /* 0: the C library's own */
    int fails;     /* with this EAI_ code, 0: no */
    int error;     /* and this errno */
    int64_t slow_us; /* takes so long */
    int blocked;   /* waits until this is 0, see `resolver_open` */
    const char *addresses[300];
    size_t count;
    /* What was seen: */
    int calls;   /* begun */
    int inside;  /* not ended */
    int lists;   /* given and not freed */
    int tid;     /* of the last caller, and */
    char thread_name[16];
    int blocks_signals; /* all that can be blocked */
    char host[300];
    int family;
} resolver;

static inline int resolver_seen(int *what)
{
    return __atomic_load_n(what, __ATOMIC_SEQ_CST);
}
static inline void resolver_block(void)
{
    __atomic_store_n(&resolver.blocked, 1, __ATOMIC_SEQ_CST);
}
static inline void resolver_open(void)
{
    __atomic_store_n(&resolver.blocked, 0, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &resolver.blocked, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}
/* Somebody waits in the resolver. */
static inline void resolver_await_caller(void)
{
    while (resolver_seen(&resolver.inside) == 0) sched_yield();
}
/* Everybody has left, and freed what he got. */
static inline void resolver_await_end(void)
{
    while (resolver_seen(&resolver.inside) != 0 || resolver_seen(&resolver.lists) != 0) sched_yield();
}
/* Gives these addresses, up to NULL, for every host. */
static inline void resolver_gives(const char *const *addresses)
{
    resolver.active = 1;
    resolver.fails = 0;
    resolver.count = 0;
    for (; *addresses != NULL; addresses++) resolver.addresses[resolver.count++] = *addresses;
}
#define RESOLVER_GIVES(...)                                                                        \
    resolver_gives((const char *const[]){__VA_ARGS__, NULL})

static inline struct addrinfo *resolver_entry(const char *text, int family)
{
    struct entry {
        struct addrinfo info;
        struct sockaddr_in6 address;
    } *e = calloc(1, sizeof *e);
    CHECK(e != NULL);
    e->info.ai_addr = (struct sockaddr *)&e->address;
    if (strchr(text, ':') != NULL) {
        char host[64];
        snprintf(host, sizeof host, "%s", text);
        char *zone = strchr(host, '%');
        if (zone != NULL) {
            *zone = '\0';
            e->address.sin6_scope_id = (uint32_t)atoi(zone + 1);
        }
        e->info.ai_family = AF_INET6;
        e->info.ai_addrlen = sizeof e->address;
        e->address.sin6_family = AF_INET6;
        CHECK_EQ(inet_pton(AF_INET6, host, &e->address.sin6_addr), 1);
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)&e->address;
        e->info.ai_family = AF_INET;
        e->info.ai_addrlen = sizeof *in;
        in->sin_family = AF_INET;
        CHECK_EQ(inet_pton(AF_INET, text, &in->sin_addr), 1);
    }
    if (family != AF_UNSPEC && family != e->info.ai_family) {
        free(e);
        return NULL;
    }
    return &e->info;
}

static inline void resolver_look_at_caller(const char *host, int family)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    sigset_t mask;
    CHECK_EQ(pthread_mutex_lock(&one_at_a_time), 0);
    resolver.tid = my_tid();
    resolver.family = family;
    snprintf(resolver.host, sizeof resolver.host, "%s", host);
    CHECK_EQ(pthread_getname_np(pthread_self(), resolver.thread_name, sizeof resolver.thread_name), 0);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    resolver.blocks_signals = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT) &&
                              sigismember(&mask, SIGALRM) && sigismember(&mask, SIGUSR1) &&
                              sigismember(&mask, SIGCHLD) && sigismember(&mask, SIGRTMAX);
    CHECK_EQ(pthread_mutex_unlock(&one_at_a_time), 0);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    if (!resolver.active) {
        int (*own)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
        *(void **)&own = dlsym(RTLD_NEXT, "getaddrinfo");
        return own(host, service, hints, out);
    }
    __atomic_add_fetch(&resolver.calls, 1, __ATOMIC_SEQ_CST);
    resolver_look_at_caller(host, hints->ai_family);
    __atomic_add_fetch(&resolver.inside, 1, __ATOMIC_SEQ_CST);
    while (resolver_seen(&resolver.blocked))
        syscall(SYS_futex, &resolver.blocked, FUTEX_WAIT, 1, NULL, NULL, 0);
    if (resolver.slow_us > 0) {
        struct timespec t = {(time_t)(resolver.slow_us / 1000000), (long)(resolver.slow_us % 1000000 * 1000)};
        nanosleep(&t, NULL);
    }
    struct addrinfo *first = NULL, **end = &first;
    for (size_t i = 0; resolver.fails == 0 && i < resolver.count; i++) {
        *end = resolver_entry(resolver.addresses[i], hints->ai_family);
        if (*end != NULL) end = &(*end)->ai_next;
    }
    int result = resolver.fails != 0 ? resolver.fails : first == NULL ? EAI_NONAME : 0;
    if (result == 0) {
        __atomic_add_fetch(&resolver.lists, 1, __ATOMIC_SEQ_CST);
        *out = first;
    }
    errno = resolver.error;
    __atomic_sub_fetch(&resolver.inside, 1, __ATOMIC_SEQ_CST);
    return result;
}

void freeaddrinfo(struct addrinfo *list)
{
    if (!resolver.active) {
        void (*own)(struct addrinfo *);
        *(void **)&own = dlsym(RTLD_NEXT, "freeaddrinfo");
        own(list);
        return;
    }
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
    __atomic_sub_fetch(&resolver.lists, 1, __ATOMIC_SEQ_CST);
}

#endif
