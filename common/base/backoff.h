/* backoff: how long to wait after failures in a row: a first pause, then twice that each time, up to a
 * longest one.
 *
 * Each pause is between half of that and all of it, by chance, so that threads and replicas that failed
 * together do not try again together. Not thread-safe: it belongs to the thread that tries. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct backoff {
    int first_ms, most_ms;
    int failures;     /* in a row */
    int64_t until_us; /* monotonic: when the pause is over */
};

/* One more failure: begins the next pause and returns how long it is. */
int backoff_fail(struct backoff *b);
bool backoff_over(const struct backoff *b);
void backoff_reset(struct backoff *b); /* after a success */

/* A pause by itself, for the failure of that number (0 is the first). */
int backoff_ms(int first_ms, int most_ms, int failures);
