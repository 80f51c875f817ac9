/* fetch_blocking: outgoing HTTP(S) for a thread that may wait, one request at a time.
 *
 * It belongs to one thread, which makes the requests and the waits; fetch_blocking_wake and
 * fetch_blocking_stop may be called from any other. Nothing is tried twice, but as with fetch. */
#pragma once

#include <stdint.h>

#include "fetch.h"

struct fetch_blocking;

struct fetch_blocking *fetch_blocking_new(const struct fetch_options *options); /* `connections` is 1 */
void fetch_blocking_free(struct fetch_blocking *b);                             /* NULL: nothing */

/* The answer lives until the next call. */
struct fetch_answer fetch_blocking_perform(struct fetch_blocking *b, const struct fetch_request *request);
/* Waits for a moment of the monotonic clock, or less: until the next fetch_blocking_wake. One that came
 * during a request may be spent on that: look before what the wait is for. false: stopped. */
bool fetch_blocking_wait(struct fetch_blocking *b, int64_t until_us);

/* From any thread. */
void fetch_blocking_wake(struct fetch_blocking *b); /* ends the wait, or the next one; not a request */
void fetch_blocking_stop(struct fetch_blocking *b); /* ends a request (ST_STOPPED) and waits, now and later */
