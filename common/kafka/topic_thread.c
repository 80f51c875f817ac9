#include "topic_thread.h"

#include <poll.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "thread.h"

enum { LOOK_MS = 100 }; /* how soon the end is noticed */

void topic_thread_init(struct topic_thread *l, const char *name, const char *waiting_for) {
    *l = (struct topic_thread){.name = name};
    pthread_mutex_init(&l->lock, NULL);
    topic_thread_say_waiting(l, waiting_for);
}

void topic_thread_free(struct topic_thread *l) {
    pthread_mutex_destroy(&l->lock);
}

void topic_thread_start(struct topic_thread *l, void *(*run)(void *), void *arg) {
    l->thread = thread_start(l->name, run, arg);
}

void topic_thread_wake(struct topic_thread *l) {
    pthread_mutex_lock(&l->lock);
    if (l->group != NULL) group_wake(l->group);
    pthread_mutex_unlock(&l->lock);
}

bool topic_thread_stop(struct topic_thread *l, int timeout_ms) {
    atomic_store(&l->stopping, true);
    topic_thread_wake(l);
    if (thread_join(l->thread, clock_mono_us() + timeout_ms * INT64_C(1000))) return true;
    log_warn(l->name, "did not stop within %d ms, leaving it behind", timeout_ms);
    return false;
}

bool topic_thread_stopping(const struct topic_thread *l) {
    return atomic_load(&l->stopping);
}

bool topic_thread_ready(struct topic_thread *l, struct why *w) {
    if (atomic_load(&l->ready)) return true;
    pthread_mutex_lock(&l->lock);
    why(w, ST_AGAIN, "%s", l->waiting_for.text);
    pthread_mutex_unlock(&l->lock);
    return false;
}

void topic_thread_say_ready(struct topic_thread *l) {
    atomic_store(&l->ready, true);
}

void topic_thread_say_waiting(struct topic_thread *l, const char *text) {
    pthread_mutex_lock(&l->lock);
    why(&l->waiting_for, ST_AGAIN, "%s", text);
    pthread_mutex_unlock(&l->lock);
}

void topic_thread_say_not_ready(struct topic_thread *l, const char *text) {
    topic_thread_say_waiting(l, text);
    atomic_store(&l->ready, false);
}

void topic_thread_set_back(struct topic_thread *l, enum status st, const struct why *w) {
    int delay = group_backoff_ms(l->setbacks);
    log_at(st == ST_INVALID || st == ST_FAILED ? LOG_ERROR : LOG_WARN, l->name, "%s; again in %d ms", w->text,
           delay);
    topic_thread_say_waiting(l, w->text);
    l->setbacks++;
    l->retry_at = clock_mono_us() + delay * INT64_C(1000);
}

bool topic_thread_may_try(const struct topic_thread *l) {
    return clock_mono_us() >= l->retry_at;
}

void topic_thread_went_well(struct topic_thread *l) {
    l->setbacks = 0;
}

bool topic_thread_register(struct topic_thread *l, struct registry *registry, const struct topic *topic,
                           int32_t *id) {
    struct why w = {0};
    while (!topic_thread_stopping(l)) {
        if (!topic_thread_may_try(l)) {
            poll(NULL, 0, LOOK_MS);
            continue;
        }
        enum status st = registry_register_topic(registry, topic, id, &w);
        if (st == ST_OK) {
            topic_thread_went_well(l);
            return true;
        }
        topic_thread_set_back(l, st, &w);
    }
    return false;
}

static void put_group(struct topic_thread *l, struct group *g) {
    pthread_mutex_lock(&l->lock);
    l->group = g;
    pthread_mutex_unlock(&l->lock);
}

struct group *topic_thread_join(struct topic_thread *l, const struct group_options *options) {
    struct why w = {0};
    topic_thread_say_waiting(l, "Kafka has not answered yet");
    struct group *g = group_join(options, &w);
    if (g == NULL) {
        log_error(l->name, "ending the process: %s", w.text);
        _exit(EX_SOFTWARE);
    }
    put_group(l, g);
    return g;
}

void topic_thread_leave(struct topic_thread *l, int timeout_ms) {
    struct group *g = l->group;
    put_group(l, NULL);
    group_leave(g, timeout_ms);
}
