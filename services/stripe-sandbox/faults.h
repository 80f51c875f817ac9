/* faults: what goes wrong on purpose, and how often. Set at run time by the control routes, read by every
 * request; atomics, any thread.
 *
 * A SHARE is a part of 1 and has a counter beside it, NAME_next, that makes it happen the next so many times
 * for sure. Shares and times are kept in the database, so that they outlive the process; counters are not. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "str.h"

#define FAULT_TABLE(X)                                                                                       \
    X(ERROR_BEFORE, "error_before", "500 instead of acting")                                                 \
    X(ERROR_AFTER, "error_after", "500 after it acted")                                                      \
    X(RATE_LIMIT, "rate_limit", "429 instead of acting")                                                     \
    X(DROP_BEFORE, "drop_before", "the connection ends before it acted")                                     \
    X(DROP_AFTER, "drop_after", "the connection ends after it acted, without an answer")                     \
    X(WEBHOOK_DUPLICATE, "webhook_duplicate", "an event is delivered twice")
#define DELAY_TABLE(X)                                                                                       \
    X(LATENCY, "latency_ms", 0, 60000, "of a request: half of it before it acts, half before it answers")    \
    X(WEBHOOK_DELAY, "webhook_delay_ms", 0, 600000, "from acting to the delivery of its event")              \
    X(WEBHOOK_SHUFFLE, "webhook_shuffle_ms", 0, 600000, "at most so much more, at random: events overtake")  \
    X(WEBHOOK_RETRY, "webhook_retry_ms", 1000, 600000,                                                       \
      "from a failed delivery to the next; doubles each time")

enum fault {
#define X(name, text, help) FAULT_##name,
    FAULT_TABLE(X)
#undef X
        FAULTS
};
enum delay {
#define X(name, text, first, most, help) DELAY_##name,
    DELAY_TABLE(X)
#undef X
        DELAYS
};

struct faults {
    _Atomic double shares[FAULTS];
    _Atomic int64_t next[FAULTS];
    _Atomic int64_t delays[DELAYS];
};

extern const char *const faults_names[FAULTS], *const faults_delay_names[DELAYS];

void faults_reset(struct faults *faults);
bool faults_strike(struct faults *faults, enum fault fault); /* whether it happens now */
int64_t faults_delay(const struct faults *faults, enum delay delay);
int64_t faults_random(int64_t most); /* 0 to most */
/* Sets "drop_after", "drop_after_next" or "latency_ms". NULL, or what is wrong ("must be ..."); *kept:
 * whether it is one to keep. */
const char *faults_set(struct faults *faults, struct str name, double value, bool *kept);
