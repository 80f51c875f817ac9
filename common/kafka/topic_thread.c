#include "topic_thread.h"

#include <stdio.h>

#include "clock.h"
#include "group_metrics.h"
#include "log.h"
#include "thread.h"

enum {
    LOOK_MS = 100, /* how soon the end is noticed outside of the group */
    TICK_MS = 1000,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MOST_MS = 5000,
};

/* --- whether it is ready --- */

bool topic_thread_ready(struct topic_thread *t, struct why *w) {
    if (atomic_load(&t->ready)) return true;
    pthread_mutex_lock(&t->lock);
    why(w, ST_AGAIN, "%s", t->waiting_for.text);
    pthread_mutex_unlock(&t->lock);
    return false;
}

void topic_thread_say_ready(struct topic_thread *t) {
    atomic_store(&t->ready, true);
}

void topic_thread_say_waiting(struct topic_thread *t, const char *text) {
    pthread_mutex_lock(&t->lock);
    why(&t->waiting_for, ST_AGAIN, "%s", text);
    pthread_mutex_unlock(&t->lock);
}

void topic_thread_say_not_ready(struct topic_thread *t, const char *text) {
    topic_thread_say_waiting(t, text);
    atomic_store(&t->ready, false);
}

/* --- setbacks --- */

void topic_thread_set_back(struct topic_thread *t, enum status st, const struct why *w) {
    int pause_ms = backoff_fail(&t->backoff);
    if (log_news(&t->said, w))
        log_at(st == ST_INVALID || st == ST_FAILED ? LOG_ERROR : LOG_WARN, t->options.name,
               "%s; again in %d ms", w->text, pause_ms);
    topic_thread_say_waiting(t, w->text);
    if (t->group != NULL) group_hold(t->group);
}

bool topic_thread_may_try(const struct topic_thread *t) {
    return backoff_over(&t->backoff);
}

void topic_thread_went_well(struct topic_thread *t) {
    if (t->backoff.failures > 0) log_info(t->options.name, "going on after %d setbacks", t->backoff.failures);
    backoff_reset(&t->backoff);
    t->said = (struct why){0};
}

/* The pause after a setback, outside of the group; less when the end comes. */
static void rest(const struct topic_thread *t) {
    while (!topic_thread_stopping(t) && !topic_thread_may_try(t))
        clock_wait(-1, clock_mono_us() + LOOK_MS * INT64_C(1000));
}

bool topic_thread_register(struct topic_thread *t, const struct topic *topic, int32_t *id) {
    topic_thread_say_waiting(t, "waiting for the schema registry");
    for (; !topic_thread_stopping(t); rest(t)) {
        struct why w = {0};
        enum status st = registry_register_topic(t->registry, topic, id, &w);
        if (st == ST_OK) {
            topic_thread_went_well(t);
            return true;
        }
        topic_thread_set_back(t, st, &w);
    }
    return false;
}

/* --- in the group --- */

bool topic_thread_tick(struct topic_thread *t) {
    int64_t now_us = clock_mono_us(), tick_us = TICK_MS * INT64_C(1000);
    if (now_us < t->tick_at_us) return false;
    t->tick_at_us = now_us + tick_us;
    enum group_state state = group_state(t->group);
    if (state == GROUP_FETCHING && now_us - t->backoff.until_us > tick_us) topic_thread_went_well(t);
    if (state == GROUP_OUT && group_last_error(t->group)[0] != '\0')
        topic_thread_say_waiting(t, group_last_error(t->group));
    return true;
}

void topic_thread_measure(struct topic_thread *t) {
    metric_set(M_CONSUMER_LAG, group_lag(t->group));
    metric_set(M_PARTITIONS_WAITING, group_waiting(t->group));
    if (group_state(t->group) == GROUP_OUT) metric_set(M_CONSUMER_PARTITIONS, 0);
}

bool topic_thread_place(struct topic_thread *t, enum status (*place)(void *owner, struct why *w)) {
    struct why w = {0};
    if (!topic_thread_may_try(t)) return false;
    enum status st = place(t->owner, &w);
    if (st != ST_OK) topic_thread_set_back(t, st, &w);
    return st == ST_OK;
}

void topic_thread_hold_one(struct topic_thread *t, struct group_partition *p, enum status st,
                           const struct why *w) {
    struct why all;
    why(&all, st, "%s/%d@%lld waits: %s", t->options.topics[p->topic], p->partition, (long long)p->reached,
        w->text);
    int pause_ms = group_hold_one(t->group, p);
    if (log_news(&p->alone_said, &all))
        log_at(st == ST_INVALID ? LOG_ERROR : LOG_WARN, t->options.name, "%s; again in %d ms", all.text,
               pause_ms);
}

int topic_thread_read(struct topic_thread *t, int wait_ms, int most, group_take *take) {
    struct why w = {0};
    int records;
    struct group_partition *at;
    if (group_one_due(t->group)) group_hold(t->group);
    enum status st = group_read(t->group, wait_ms, most, take, t->owner, &records, &at, &w);
    if (st == ST_LOST)
        topic_thread_hold_one(t, at, st, &w);
    else if (st != ST_OK)
        topic_thread_set_back(t, st, &w);
    return records;
}

/* --- the thread --- */

static void set_wakeable(struct topic_thread *t, bool wakeable) {
    pthread_mutex_lock(&t->lock);
    t->wakeable = wakeable;
    pthread_mutex_unlock(&t->lock);
}

/* False: the end came first. */
static bool join(struct topic_thread *t) {
    topic_thread_say_waiting(t, "Kafka has not answered yet");
    for (; !topic_thread_stopping(t); rest(t)) {
        struct why w = {0};
        t->group = group_join(&t->group_options, &w);
        if (t->group != NULL) {
            set_wakeable(t, true);
            return true;
        }
        topic_thread_set_back(t, ST_FAILED, &w);
    }
    return false;
}

static void *run(void *topic_thread) {
    struct topic_thread *t = topic_thread;
    const struct topic_thread_work *work = t->work;
    if (work->prepare != NULL && !work->prepare(t->owner)) return NULL;
    if (!join(t)) return NULL;
    while (!topic_thread_stopping(t))
        work->step(t->owner);
    if (work->finish != NULL) work->finish(t->owner);
    set_wakeable(t, false);
    group_leave(t->group, t->options.leave_ms);
    return NULL;
}

/* --- starting and stopping --- */

enum status topic_thread_init(struct topic_thread *t, const struct topic_thread_options *options,
                              const struct topic_thread_work *work, void *owner, struct why *w) {
    *t = (struct topic_thread){
        .options = *options,
        .work = work,
        .owner = owner,
        .group_options = {.id = t->group_id,
                          .instance = options->instance,
                          .brokers = options->brokers,
                          .topics = options->topics,
                          .gather_ms = options->gather_ms,
                          .on_revoke = work->on_revoke,
                          .arg = owner},
        .backoff = {.first_ms = BACKOFF_FIRST_MS, .most_ms = BACKOFF_MOST_MS},
    };
    snprintf(t->group_id, sizeof t->group_id, "onsale-%s", options->group);
    enum status st = group_check(&t->group_options, w);
    if (st != ST_OK) return st;
    t->registry = registry_new(options->registry_url);
    pthread_mutex_init(&t->lock, NULL);
    topic_thread_say_waiting(t, "starting");
    return ST_OK;
}

void topic_thread_free(struct topic_thread *t) {
    registry_free(t->registry);
    pthread_mutex_destroy(&t->lock);
}

void topic_thread_start(struct topic_thread *t) {
    t->thread = thread_start(t->options.name, run, t);
}

void topic_thread_wake(struct topic_thread *t) {
    pthread_mutex_lock(&t->lock);
    if (t->wakeable) group_wake(t->group);
    pthread_mutex_unlock(&t->lock);
}

void topic_thread_stop(struct topic_thread *t, int timeout_ms) {
    atomic_store(&t->stopping, true);
    topic_thread_wake(t);
    if (thread_join(t->thread, clock_mono_us() + timeout_ms * INT64_C(1000)))
        t->work->close(t->owner);
    else
        log_warn(t->options.name, "did not stop within %d ms, leaving it behind", timeout_ms);
}

bool topic_thread_stopping(const struct topic_thread *t) {
    return atomic_load(&t->stopping);
}
