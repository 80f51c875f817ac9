/* thread: starts a thread, and waits for its end. All signals are blocked in it, and so in the threads that
 * libraries start from it: only the main thread gets signals. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The name is for `top -H` and debuggers: at most 15 characters. */
pthread_t thread_start(const char *name, void *(*run)(void *), void *arg);
/* false: it has not ended by then, by the monotonic clock. */
bool thread_join(pthread_t thread, int64_t until_us);
