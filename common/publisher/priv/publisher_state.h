/* publisher_state: how the publisher is, as its service and the metrics show it, and whether it is to stop.
 *
 * The publisher's thread says how things are, and waits; any thread asks (publisher_state_ready) and tells it
 * to stop. The owner is `struct publisher`. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "status.h"

struct publisher_state {
    int stop_fd;                /* readable once it is to stop */
    _Atomic int64_t stop_by_us; /* monotonic; 0: not stopping */
    bool settled;               /* the thread's own: was ready since this was last false */
    pthread_mutex_t lock;       /* of what follows */
    bool ready;
    struct why text;
};

void publisher_state_init(struct publisher_state *s);
void publisher_state_free(struct publisher_state *s);

/* Says how things are: to publisher_state_ready, and to the log when it is news. */
void publisher_state_say(struct publisher_state *s, bool ready, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* w may be NULL. */
bool publisher_state_ready(struct publisher_state *s, struct why *w);

void publisher_state_stop(struct publisher_state *s, int timeout_ms);
bool publisher_state_stopping(const struct publisher_state *s);
bool publisher_state_out_of_time(const struct publisher_state *s);
/* Waits, or less when it is to stop. */
void publisher_state_wait(const struct publisher_state *s, int ms);
