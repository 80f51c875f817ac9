/* fetch_blocking: outgoing HTTP(S) for a thread that may wait, one request at a time.
 *
 * It belongs to one thread, which makes the requests and waits; fetch_blocking_wake and fetch_blocking_stop
 * may be called by any thread. A request is sent once, with the exception that fetch.h names. */
#pragma once

#include <stdint.h>

#include "fetch.h"

struct fetch_blocking;

struct fetch_blocking *fetch_blocking_new(const struct fetch_options *options); /* `connections` is 1 */
void fetch_blocking_free(struct fetch_blocking *b);                             /* NULL: nothing */

/* The answer lives until the next call. */
struct fetch_answer fetch_blocking_perform(struct fetch_blocking *b, const struct fetch_request *request);
/* Waits until until_us of the monotonic clock, or until fetch_blocking_wake. A wake during a request may not
 * end the next wait, so check the reason for the wake before each wait. false: stopped. */
bool fetch_blocking_wait(struct fetch_blocking *b, int64_t until_us);

/* From any thread. */
void fetch_blocking_wake(struct fetch_blocking *b); /* ends a wait, or the next one; not a request */
void fetch_blocking_stop(struct fetch_blocking *b); /* ends a request (ST_STOPPED) and waits, now and later */
