/* publisher_state: whether the publisher is ready, why not, and whether it is to stop. Part of `struct
 * publisher`.
 *
 * The publisher's thread calls publisher_state_say and _wait; any thread may call all others. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "publisher.h"
#include "status.h"

struct publisher_state {
    int stop_fd;                      /* readable once it is to stop */
    _Atomic int64_t stop_by_us;       /* monotonic; 0: not stopping */
    bool settled;                     /* the thread's own: was ready since this was last false */
    int copies[PUBLISHER_MAX_TOPICS]; /* the thread's own: that Kafka has of an event of each topic, as was
                                       said last; 0: nothing was */
    pthread_mutex_t lock;             /* of what follows */
    bool ready;
    struct why text;
};

void publisher_state_init(struct publisher_state *s);
void publisher_state_free(struct publisher_state *s);

/* Sets what publisher_state_ready returns, and logs it if it differs from what was said last. */
void publisher_state_say(struct publisher_state *s, bool ready, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* w may be NULL. */
bool publisher_state_ready(struct publisher_state *s, struct why *w);

void publisher_state_stop(struct publisher_state *s, int timeout_ms);
bool publisher_state_stopping(const struct publisher_state *s);
bool publisher_state_out_of_time(const struct publisher_state *s);
/* Waits for ms; less when it is to stop. */
void publisher_state_wait(const struct publisher_state *s, int ms);
