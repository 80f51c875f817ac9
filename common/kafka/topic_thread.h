/* life: of a thread that reads topics, what every such has: its start and end, whether it is ready and what
 * it waits for if not, and how long it waits after trouble with Kafka, the registry or the database.
 *
 * topic_thread_ready and topic_thread_wake are any thread's; topic_thread_start and topic_thread_stop, and
 * what comes before and after them, are the main thread's; the rest is the thread's own. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "group.h"
#include "registry.h"
#include "status.h"

struct topic_thread {
    const char *name; /* as logs have it */
    pthread_t thread;
    atomic_bool stopping, ready;
    pthread_mutex_t lock;   /* of these two */
    struct why waiting_for; /* while not ready */
    struct group *group;    /* NULL: not yet, or not any more */
    int setbacks;           /* in a row */
    int64_t retry_at;
};

void topic_thread_init(struct topic_thread *l, const char *name, const char *waiting_for);
void topic_thread_free(struct topic_thread *l);

void topic_thread_start(struct topic_thread *l, void *(*run)(void *), void *arg);
/* Ends a wait for records. */
void topic_thread_wake(struct topic_thread *l);
/* Asks it to end. False: it did not within timeout_ms; what it uses must stay until the process has ended. */
bool topic_thread_stop(struct topic_thread *l, int timeout_ms);
bool topic_thread_stopping(const struct topic_thread *l);

/* For /readyz. */
bool topic_thread_ready(struct topic_thread *l, struct why *w);
void topic_thread_say_ready(struct topic_thread *l);
void topic_thread_say_waiting(struct topic_thread *l,
                              const char *text); /* does not change whether it is ready */
void topic_thread_say_not_ready(struct topic_thread *l, const char *text);

/* Trouble: to be tried again after 50 ms, then after twice that, and so on up to 5 s. What time alone does
 * not mend (ST_INVALID, ST_FAILED) is logged as an error. */
void topic_thread_set_back(struct topic_thread *l, enum status st, const struct why *w);
bool topic_thread_may_try(const struct topic_thread *l);
void topic_thread_went_well(struct topic_thread *l);

/* Registers a topic's schema, trying again until it is done. False: the end came first. */
bool topic_thread_register(struct topic_thread *l, struct registry *registry, const struct topic *topic,
                           int32_t *id);

/* Joins its consumer group, whose wait topic_thread_wake and topic_thread_stop end; what is refused now that
 * group_check let pass ends the process. */
struct group *topic_thread_join(struct topic_thread *l, const struct group_options *options);
void topic_thread_leave(struct topic_thread *l, int timeout_ms);
