#include "life.h"

#include <poll.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "thread.h"

enum { LOOK_MS = 100 }; /* how soon the end is noticed */

void life_init(struct life *l, const char *name, const char *waiting_for) {
    *l = (struct life){.name = name};
    pthread_mutex_init(&l->lock, NULL);
    life_say_waiting(l, waiting_for);
}

void life_free(struct life *l) {
    pthread_mutex_destroy(&l->lock);
}

void life_start(struct life *l, void *(*run)(void *), void *arg) {
    l->thread = thread_start(l->name, run, arg);
}

void life_wake(struct life *l) {
    pthread_mutex_lock(&l->lock);
    if (l->group != NULL) group_wake(l->group);
    pthread_mutex_unlock(&l->lock);
}

bool life_stop(struct life *l, int timeout_ms) {
    atomic_store(&l->stopping, true);
    life_wake(l);
    if (thread_join(l->thread, clock_mono_us() + timeout_ms * INT64_C(1000))) return true;
    log_warn(l->name, "did not stop within %d ms, leaving it behind", timeout_ms);
    return false;
}

bool life_stopping(const struct life *l) {
    return atomic_load(&l->stopping);
}

bool life_ready(struct life *l, struct why *w) {
    if (atomic_load(&l->ready)) return true;
    pthread_mutex_lock(&l->lock);
    why(w, ST_AGAIN, "%s", l->waiting_for.text);
    pthread_mutex_unlock(&l->lock);
    return false;
}

void life_say_ready(struct life *l) {
    atomic_store(&l->ready, true);
}

void life_say_waiting(struct life *l, const char *text) {
    pthread_mutex_lock(&l->lock);
    why(&l->waiting_for, ST_AGAIN, "%s", text);
    pthread_mutex_unlock(&l->lock);
}

void life_say_not_ready(struct life *l, const char *text) {
    life_say_waiting(l, text);
    atomic_store(&l->ready, false);
}

void life_set_back(struct life *l, enum status st, const struct why *w) {
    int delay = group_backoff_ms(l->setbacks);
    log_at(st == ST_INVALID || st == ST_FAILED ? LOG_ERROR : LOG_WARN, l->name, "%s; again in %d ms", w->text,
           delay);
    life_say_waiting(l, w->text);
    l->setbacks++;
    l->retry_at = clock_mono_us() + delay * INT64_C(1000);
}

bool life_may_try(const struct life *l) {
    return clock_mono_us() >= l->retry_at;
}

void life_went_well(struct life *l) {
    l->setbacks = 0;
}

bool life_register(struct life *l, struct registry *registry, const struct topic *topic, int32_t *id) {
    struct why w = {0};
    while (!life_stopping(l)) {
        if (!life_may_try(l)) {
            poll(NULL, 0, LOOK_MS);
            continue;
        }
        enum status st = registry_register_topic(registry, topic, id, &w);
        if (st == ST_OK) {
            life_went_well(l);
            return true;
        }
        life_set_back(l, st, &w);
    }
    return false;
}

static void put_group(struct life *l, struct group *g) {
    pthread_mutex_lock(&l->lock);
    l->group = g;
    pthread_mutex_unlock(&l->lock);
}

struct group *life_join(struct life *l, const struct group_options *options) {
    struct why w = {0};
    life_say_waiting(l, "Kafka has not answered yet");
    struct group *g = group_join(options, &w);
    if (g == NULL) {
        log_error(l->name, "ending the process: %s", w.text);
        _exit(EX_SOFTWARE);
    }
    put_group(l, g);
    return g;
}

void life_leave(struct life *l, int timeout_ms) {
    struct group *g = l->group;
    put_group(l, NULL);
    group_leave(g, timeout_ms);
}
