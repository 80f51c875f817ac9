/* publisher_stream: the poll loop of the slot's owner: the stream, Kafka's acknowledgements, the
 * synchronous standby, the expiry of old events, and the request to stop. The publisher's thread. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include "priv/emit.h"
#include "priv/hold.h"
#include "priv/marker.h"
#include "priv/publisher_state.h"
#include "publisher.h"

/* Streams until something breaks, or until all that was committed when it was asked to stop is published
 * (ST_STOPPED: the slot is free then). ST_NOT_FOUND: the slot, or what its WAL needs, is gone for good. */
enum status publisher_stream_run(const struct publisher_state *state, struct marker *marker,
                                 struct hold *hold, struct emit *emit,
                                 const struct publisher_options *options, struct why *w);
