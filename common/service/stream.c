#include "stream.h"

#include <stdlib.h>

#include "group_metrics.h"
#include "mem.h"

enum { LEAVE_MS = 3000 }; /* to leave the group */

void *stream_start(const struct stream_spec *spec, const struct stream_options *options, struct why *w) {
    struct topic_thread *thread = mem_alloc(spec->size);
    const struct topic_thread_options thread_options = {.name = options->name,
                                                        .group = options->name,
                                                        .instance = options->instance,
                                                        .brokers = options->brokers,
                                                        .topics = spec->topics,
                                                        .gather_ms = spec->gather_ms,
                                                        .leave_ms = LEAVE_MS,
                                                        .registry_url = options->registry_url};
    enum status st = topic_thread_init(thread, &thread_options, &spec->work, thread, w);
    if (st == ST_OK && (st = spec->open(thread, options, w)) != ST_OK) topic_thread_free(thread);
    if (st != ST_OK) {
        free(thread);
        return NULL;
    }
    metrics_register(group_metrics);
    topic_thread_start(thread);
    return thread;
}

bool stream_ready(void *thread, struct why *w) {
    return topic_thread_ready(thread, w);
}

void stream_stop(void *thread, int timeout_ms) {
    topic_thread_stop(thread, timeout_ms);
}
