/* Loaded before a program (LD_PRELOAD), it counts what is taken from malloc and its kin, and says
 * how often at the end. For glibc, whose own functions it calls. */
#include <stddef.h>
#include <stdio.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static unsigned long taken;

static void count(void) { __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED); }

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}
void *calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}
void *realloc(void *old, size_t size) {
    count();
    return __libc_realloc(old, size);
}

__attribute__((destructor)) static void tell(void) { fprintf(stderr, "allocations: %lu\n", taken); }
