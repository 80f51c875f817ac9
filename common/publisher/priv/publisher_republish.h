/* publisher_republish: publishes the whole logs again, for a new epoch: one after the other, as each topic
 * is in order by itself. The publisher's thread. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include <libpq-fe.h>

#include "priv/emit.h"
#include "priv/publisher_state.h"

/* With the lock held and the new slot made: publishes what its snapshot shows of the logs, and waits until
 * Kafka has it all. ST_STOPPED: the time was over before. */
enum status publisher_republish(const struct publisher_state *state, PGconn *sql, const char *snapshot,
                                struct emit *emit, int64_t *count, struct why *w);
