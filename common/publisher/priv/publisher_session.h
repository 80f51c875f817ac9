/* publisher_session: one connection: it logs in, stands by or takes the slot, and streams. All of it on the
 * publisher's thread.
 *
 * The files of this folder, from the top down. Each includes and calls those below it only. Results go up as
 * return values, or by a callback that the upper file gave.
 *
 *               publisher            the thread, and trying again
 *                   |
 *                session             one connection
 *               /        \
 *          stream      republish     the steady state: one poll loop | a new epoch: the whole logs again
 *          |     \        /
 *          |        emit             a row becomes an event at its position, or is skipped
 *          |      /  |   \
 *          | row_map |    \          a row's columns into the fields of the event
 *          |     producer  \         events into Kafka
 *          |         |      \
 *          |       acks      \       up to where all is acknowledged
 *          |         published_tail  what the topic has already
 *          |
 *  expiry, marker, watermark         deletes what is old and published | what the standby has | up to which
 *                                    time all is published
 *
 * Under stream and session: marker, hold (the stream's connection) and slot (the epoch and its slot, as SQL).
 * Under the four at the top: state (what /readyz says, and whether to stop). log_position is under all. The
 * names of session, stream, republish and state begin with publisher_. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include "priv/publisher_state.h"
#include "publisher.h"

/* Logs in, stands by until the slot is free, owns it, and streams, until something breaks or ST_STOPPED.
 * schema_ids: one a log, then those of audits and of watermarks, if there are such. *given_up: an epoch that
 * cannot go on, although its slot may be there; -1: none. It is kept from one session to the next. */
enum status publisher_session_run(const struct publisher_options *options, const int32_t *schema_ids,
                                  struct publisher_state *state, int64_t *given_up, struct why *w);
