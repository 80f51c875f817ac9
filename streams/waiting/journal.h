/* journal: writes to the topic `waiting`. One owner thread.
 *
 * Many records are on their way at a time; Kafka acknowledges them in batches, and one wake-up takes all
 * acknowledgements that are there. A record that is not acknowledged in time may be on the topic all the
 * same; that does no harm, as one that comes twice changes nothing. */
#pragma once

#include "events.h"
#include "status.h"

struct journal;

/* done(arg, what, ok): what a record was given has been acknowledged, or has failed. Called from within
 * journal_poll and journal_flush, for each record with something. NULL: a Kafka property is wrong. */
struct journal *journal_open(const char *brokers, void (*done)(void *arg, void *what, bool ok), void *arg,
                             struct why *w);
/* Before the first is written. schema_id: the registry's. wake(arg) is called, from any thread, when
 * journal_poll has something to do. */
void journal_start(struct journal *j, int32_t schema_id, void (*wake)(void *arg), void *arg);
/* false: too many are on their way. */
bool journal_write(struct journal *j, const struct waiting_event *e, void *what);
void journal_poll(struct journal *j);

/* The end: waits for what is on its way, then gives it up, and does not wake any more. */
void journal_flush(struct journal *j, int timeout_ms);
void journal_free(struct journal *j);
