/* clock: the clocks that this code reads: the monotonic one for durations and deadlines, the one since boot
 * for how long we were away from others, wall time for what others read. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "str.h"

static inline int64_t clock_us(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline int64_t clock_mono_us(void) {
    return clock_us(CLOCK_MONOTONIC);
}

/* Goes on while the machine sleeps, where the monotonic one stands still. */
static inline int64_t clock_boot_us(void) {
    return clock_us(CLOCK_BOOTTIME);
}

static inline int64_t clock_wall_us(void) {
    return clock_us(CLOCK_REALTIME);
}

/* Milliseconds until a moment of the monotonic clock, rounded up: 0 when it has passed. */
int clock_ms_until(int64_t until_us);
/* Waits until fd can be read or until_us has passed; false: until_us has. fd -1: only waits for until_us. */
bool clock_wait(int fd, int64_t until_us);

enum { CLOCK_TEXT = 24 };

/* "2026-11-21T03:19:31.123Z", not terminated. Years 0 to 9999; what is outside is written as the nearest of
 * these. */
void clock_format(int64_t unix_us, char out[CLOCK_TEXT]);

/* Reads an RFC 3339 date and time ("2026-11-21T04:19:31.5+01:00"), or a date alone, which is its midnight in
 * UTC. false: it is neither, or no day of the calendar. */
bool clock_parse(struct str text, int64_t *unix_us);
