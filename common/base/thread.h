/* thread: starts a thread, and waits for its end. All signals are blocked in it, and so in the threads that
 * libraries start from it: only the main thread gets signals. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The name is for `top -H` and debuggers: at most 15 characters. */
pthread_t thread_start(const char *name, void *(*run)(void *), void *arg);
/* A condition whose waits go by the monotonic clock. */
void thread_cond_init(pthread_cond_t *cond);
/* Waits for a signal, with the lock held as pthread_cond_wait wants it: false when until_us (monotonic) comes
 * first. */
bool thread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_us);
/* false: it has not ended by then, by the monotonic clock. */
bool thread_join(pthread_t thread, int64_t until_us);
