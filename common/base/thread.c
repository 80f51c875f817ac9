#include "thread.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

pthread_t thread_start(const char *name, void *(*run)(void *), void *arg) {
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, run, arg) != 0) abort(); /* out of memory, in effect */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setname_np(thread, name);
    return thread;
}

bool thread_join(pthread_t thread, int64_t until_us) {
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0;
}
