/* topic_thread: a thread that reads topics as a member of a consumer group.
 *
 * It joins, calls its owner's `step` again and again, and leaves. It keeps what each such thread needs: the
 * place in the group, a client of the schema registry, whether it is ready and what it waits for if not, and
 * how long it waits after an error of Kafka, the registry or the database.
 *
 * A topic_thread is a part of its owner's memory. topic_thread_ready and topic_thread_wake may be called by
 * any thread; _init, _start, _stop and _free by the one that owns it, mostly the main thread; all others, and
 * `group`, `registry` and `backoff`, are the thread's own. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backoff.h"
#include "group.h"
#include "registry.h"
#include "status.h"

/* What the owner does. Each function gets the owner; all but `close` are called on the thread. */
struct topic_thread_work {
    /* May be NULL. Before it joins, so that no partition waits meanwhile. False: the end came first. */
    bool (*prepare)(void *owner);
    void (*step)(void *owner);      /* a turn of the loop; waits for something to do, for a second at most */
    void (*finish)(void *owner);    /* may be NULL: before it leaves */
    void (*on_revoke)(void *owner); /* as in group_options */
    void (*close)(void *owner);     /* after its end, on the thread that stopped it: frees the owner */
};

/* The texts outlive the thread. */
struct topic_thread_options {
    const char *name;               /* in logs */
    const char *group;              /* the group is onsale-GROUP */
    const char *instance, *brokers; /* as in group_options, also the next two */
    const char *const *topics;
    int gather_ms;
    int leave_ms; /* most time to leave the group */
    const char *registry_url;
};

struct topic_thread {
    struct topic_thread_options options;
    const struct topic_thread_work *work;
    void *owner;
    struct group_options group_options;
    char group_id[96];

    struct group *group; /* from joining to leaving */
    struct registry *registry;
    struct backoff backoff; /* after setbacks */
    struct why said;        /* the setback that was logged last */
    int64_t tick_at_us;

    pthread_t thread;
    atomic_bool stopping, ready;
    pthread_mutex_t lock;   /* of these two */
    struct why waiting_for; /* while not ready */
    bool wakeable;          /* the group is there */
};

/* ST_INVALID: a Kafka property is wrong; there is nothing to free then. */
enum status topic_thread_init(struct topic_thread *t, const struct topic_thread_options *options,
                              const struct topic_thread_work *work, void *owner, struct why *w);
void topic_thread_free(struct topic_thread *t);

void topic_thread_start(struct topic_thread *t);
/* Ends a wait for records. */
void topic_thread_wake(struct topic_thread *t);
/* Asks it to end, and frees it by `close`. If it has not ended within timeout_ms it is left behind with all
 * that it uses: the process is to end. */
void topic_thread_stop(struct topic_thread *t, int timeout_ms);
bool topic_thread_stopping(const struct topic_thread *t);

/* For /readyz. */
bool topic_thread_ready(struct topic_thread *t, struct why *w);
void topic_thread_say_ready(struct topic_thread *t);
/* What it waits for; does not change whether it is ready. */
void topic_thread_say_waiting(struct topic_thread *t, const char *text);
void topic_thread_say_not_ready(struct topic_thread *t, const char *text);

/* Trouble: the group is held, and the next try is after 50 ms, then after twice that, and so on up to 5 s.
 * Logged if it differs from what was logged last; as an error if it does not pass by itself (ST_INVALID,
 * ST_FAILED). */
void topic_thread_set_back(struct topic_thread *t, enum status st, const struct why *w);
bool topic_thread_may_try(const struct topic_thread *t);
void topic_thread_went_well(struct topic_thread *t);

/* True once a second, for what is done that often. Calls topic_thread_went_well when records are fetched and
 * the last setback's pause has been over for a second. */
bool topic_thread_tick(struct topic_thread *t);
void topic_thread_measure(struct topic_thread *t); /* the gauges of the group */

/* Registers a topic's schema, trying again until it is done. False: the end came first. */
bool topic_thread_register(struct topic_thread *t, const struct topic *topic, int32_t *id);
/* To be called while the group is held: calls `place`, which has the group fetch, when the last setback's
 * pause is over. True: it did. */
bool topic_thread_place(struct topic_thread *t, enum status (*place)(void *owner, struct why *w));
/* One partition's next record cannot be used now: it is tried again after a pause, and the others go on once
 * the owner has placed them again. Logged when it is news. */
void topic_thread_hold_one(struct topic_thread *t, struct group_partition *p, enum status st,
                           const struct why *w);
/* As group_read, with the owner as arg. A record that is lost for now (ST_LOST) holds up its partition; any
 * other error is a setback. Returns how many records there were. */
int topic_thread_read(struct topic_thread *t, int wait_ms, int most, group_take *take);
