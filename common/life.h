/* life: of a thread that reads topics, what every such has: its start and end, whether it is ready and what
 * it waits for if not, and how long it waits after trouble with Kafka, the registry or the database.
 *
 * life_ready and life_wake are any thread's; life_start and life_stop, and what comes before and after them,
 * are the main thread's; the rest is the thread's own. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "consumer_group.h"
#include "registry.h"
#include "status.h"

struct life {
    const char *name; /* as logs have it */
    pthread_t thread;
    atomic_bool stopping, ready;
    pthread_mutex_t lock;   /* of these two */
    struct why waiting_for; /* while not ready */
    struct group *group;    /* NULL: not yet, or not any more */
    int setbacks;           /* in a row */
    int64_t retry_at;
};

void life_init(struct life *l, const char *name, const char *waiting_for);
void life_free(struct life *l);

void life_start(struct life *l, void *(*run)(void *), void *arg);
/* Ends a wait for records. */
void life_wake(struct life *l);
/* Asks it to end. False: it did not within timeout_ms; what it uses must stay until the process has ended. */
bool life_stop(struct life *l, int timeout_ms);
bool life_stopping(const struct life *l);

/* For /readyz. */
bool life_ready(struct life *l, struct why *w);
void life_say_ready(struct life *l);
void life_say_waiting(struct life *l, const char *text); /* does not change whether it is ready */
void life_say_not_ready(struct life *l, const char *text);

/* Trouble: to be tried again after 50 ms, then after twice that, and so on up to 5 s. What time alone does
 * not mend (ST_INVALID, ST_FAILED) is logged as an error. */
void life_set_back(struct life *l, enum status st, const struct why *w);
bool life_may_try(const struct life *l);
void life_went_well(struct life *l);

/* Registers a topic's schema, trying again until it is done. False: the end came first. */
bool life_register(struct life *l, struct registry *registry, const struct topic *topic, int32_t *id);

/* Joins its consumer group, whose wait life_wake and life_stop end; what is refused now that group_check let
 * pass ends the process. */
struct group *life_join(struct life *l, const struct group_options *options);
void life_leave(struct life *l, int timeout_ms);
