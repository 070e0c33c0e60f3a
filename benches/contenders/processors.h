/* Where a process runs. */
#ifndef PROCESSORS_H
#define PROCESSORS_H

#include "contender.h"

#include <sched.h>

/* The first or second processor that this program may use; where there is one, that. */
static inline void on_processor(int which) {
    cpu_set_t all, one;
    check(sched_getaffinity(0, sizeof all, &all) == 0, "sched_getaffinity");
    which %= CPU_COUNT(&all);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && which-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            check(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
        }
}

#endif
