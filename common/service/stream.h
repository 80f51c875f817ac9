/* stream: what every stream of streams/ has in common: a process whose one thread reads topics and writes
 * topics, with no database and no API.
 *
 * A stream says in a stream_spec what is its own. Its state begins with a struct topic_thread; the main
 * thread makes it and stops it, everything in between is done by that thread. Its table for service.h is
 * {start, stream_ready, stream_stop}, where `start` is stream_start with its spec. */
#pragma once

#include "service.h"
#include "topic_thread.h"

struct stream_spec {
    size_t size; /* of the state */
    const char *const *topics;
    int gather_ms; /* as in group_options */
    struct topic_thread_work work;
    /* Fills in the state, which is zero but for its topic_thread. Not ST_OK: a Kafka property is wrong, and
     * nothing is left to free. */
    enum status (*open)(void *state, const struct stream_options *options, struct why *w);
};

/* The stream's topic_thread, or NULL. */
void *stream_start(const struct stream_spec *spec, const struct stream_options *options, struct why *w);
bool stream_ready(void *thread, struct why *w);
void stream_stop(void *thread, int timeout_ms);
