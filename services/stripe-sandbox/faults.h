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
    X(ERROR_BEFORE, "error_before", "500 before anything began: nothing is kept")                            \
    X(ERROR_KEPT, "error_kept", "500 instead of acting, kept for its idempotency key")                       \
    X(ERROR_AFTER, "error_after", "500 after it acted, kept for its idempotency key")                        \
    X(RATE_LIMIT, "rate_limit", "429 instead of acting")                                                     \
    X(DROP_BEFORE, "drop_before", "the connection ends before it acted")                                     \
    X(DROP_AFTER, "drop_after", "the connection ends after it acted, without an answer")                     \
    X(WEBHOOK_DUPLICATE, "webhook_duplicate", "an event is delivered twice")                                 \
    X(REFUND_REFUSED, "refund_refused", "a refund is refused: the balance is too small")                     \
    X(REFUND_PENDING, "refund_pending", "a refund is pending until POST /sandbox/refunds says how it ended") \
    X(SEARCH_OLD, "search_old", "a search shows payment intents as they were before their last state")
#define DELAY_TABLE(X)                                                                                       \
    X(LATENCY, "latency_ms", 0, 60000, "of a request: half of it before it acts, half before it answers")    \
    X(WEBHOOK_DELAY, "webhook_delay_ms", 0, 600000, "from acting to the delivery of its event")              \
    X(WEBHOOK_SHUFFLE, "webhook_shuffle_ms", 0, 600000, "at most so much more, at random: events overtake")  \
    X(WEBHOOK_RETRY, "webhook_retry_ms", 1000, 600000,                                                       \
      "from a failed delivery to the next; doubles each time")                                               \
    X(SEARCH_LAG, "search_lag_ms", 0, 3600000, "from a payment intent's creation until a search finds it")   \
    X(REQUESTS, "requests_per_second", 0, 1000000, "answered; further ones get 429. 0: all")

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
    _Atomic int64_t second, requests; /* of that second */
};

extern const char *const faults_names[FAULTS], *const faults_delay_names[DELAYS];

void faults_reset(struct faults *faults);
bool faults_strike(struct faults *faults, enum fault fault); /* whether it happens now */
int64_t faults_delay(const struct faults *faults, enum delay delay);
int64_t faults_random(int64_t most);         /* 0 to most */
bool faults_too_many(struct faults *faults); /* counts a request */
/* Sets "drop_after", "drop_after_next" or "latency_ms". NULL, or what is wrong ("must be ..."); *kept:
 * whether it is one to keep. */
const char *faults_set(struct faults *faults, struct str name, double value, bool *kept);
