/* thread: the start and the end of a thread. Signals are the main thread's business: no other thread, nor
 * those that libraries start from it, is interrupted by one. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Named for `top -H` and debuggers: at most 15 characters. */
pthread_t thread_start(const char *name, void *(*run)(void *), void *arg);
/* false: it has not ended by then, by the monotonic clock. */
bool thread_join(pthread_t thread, int64_t until_us);
