/* pthread_clockjoin_np for ThreadSanitizer, which knows only its older sister: without this it takes a joined
 * thread for one that still runs, and dies when the next is made of the same memory. */
#include <pthread.h>
#include <time.h>

enum { NS_PER_S = 1000000000 };

static struct timespec now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t;
}

/* From one clock to the other: good as long as nobody sets the time meanwhile. */
int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock, const struct timespec *until) {
    struct timespec here = now(clock), there = now(CLOCK_REALTIME);
    there.tv_sec += until->tv_sec - here.tv_sec;
    there.tv_nsec += until->tv_nsec - here.tv_nsec;
    while (there.tv_nsec < 0)
        there.tv_nsec += NS_PER_S, there.tv_sec--;
    while (there.tv_nsec >= NS_PER_S)
        there.tv_nsec -= NS_PER_S, there.tv_sec++;
    return pthread_timedjoin_np(thread, result, &there);
}
