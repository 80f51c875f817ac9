#include "expiration.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "consumer_group.h"
#include "log.h"
#include "metrics.h"
#include "registry.h"
#include "signals.h"
#include "timers.h"

enum {
    TICK_MS = 1000,          /* gauges, and the offsets that are committed */
    SLICE = 1000,            /* records read, or signals given, before the other's turn */
    LOOK_MS = 100,           /* most time without a look at the clock, which may have been set */
    PAUSED_US = 1000 * 1000, /* not run for so long: others may have moved on */
    BACKOFF_MS = 50,         /* after trouble with Kafka or the registry; doubles */
    BACKOFF_MOST_MS = 5000,
    LEAVE_MS = 3000, /* to leave the group */
    FLUSH_MS = 3000, /* for signals that are on their way */
};

static int64_t again_ms, again_most_ms;

const struct config_var expiration_config[] = {
    {"SIGNAL_AGAIN", CONFIG_DURATION, &again_ms, "5s",
     "When a signal that nobody acted on is given again; then after twice that, and so on", 10, 3600000},
    {"SIGNAL_AGAIN_MOST", CONFIG_DURATION, &again_most_ms, "60s", "The longest it doubles to", 10, 3600000},
    {0},
};

static const char *const topics[] = {"orders", NULL};

struct expiration {
    struct group_options options;
    char group_id[64];
    struct group *group;
    struct signals *signals;
    struct registry *registry;
    struct wire_decoder *decoder;
    struct timers timers;
    int64_t now_us; /* of the slice that fires */

    int setbacks; /* in a row */
    int64_t retry_at, tick_at, stepped_at, placed_at;
    bool rebuilding;

    pthread_t thread;
    atomic_bool stopping, ready;
    pthread_mutex_t lock;
    struct why waiting_for; /* while not ready; under lock */
};

static void say_waiting(struct expiration *x, const char *text) {
    pthread_mutex_lock(&x->lock);
    why(&x->waiting_for, ST_AGAIN, "%s", text);
    pthread_mutex_unlock(&x->lock);
}

static void set_back(struct expiration *x, const struct why *w) {
    int delay = x->setbacks < 7 ? BACKOFF_MS << x->setbacks : BACKOFF_MOST_MS;
    log_warn("expiration", "%s; again in %d ms", w->text, delay);
    say_waiting(x, w->text);
    x->setbacks++;
    x->retry_at = clock_mono_us() + delay * INT64_C(1000);
}

/* --- placing: where to read from, and up to where before anything may fire --- */

static struct group_partition *find(struct group *g, int32_t partition) {
    int count;
    struct group_partition *p = group_partitions(g, &count);
    for (int i = 0; i < count; i++)
        if (p[i].partition == partition) return &p[i];
    return NULL;
}

static bool is_ours(void *expiration, int32_t partition) {
    struct expiration *x = expiration;
    return find(x->group, partition) != NULL;
}

static bool knows_all(struct expiration *x) {
    int count;
    struct group_partition *p = group_partitions(x->group, &count);
    for (int i = 0; i < count; i++)
        if (p[i].gone || timers_of(&x->timers, p[i].partition)->wheel == NULL) return false;
    return true;
}

/* The topic was made anew, or records were deleted before they were read. */
static enum status start_over(struct expiration *x, struct group_partition *p, struct why *w) {
    int64_t earliest;
    enum status st = group_earliest(x->group, p, &earliest, w);
    if (st != ST_OK) return st;
    log_warn(
        "expiration",
        "orders/%d does not have the record to go on from (any more): its timers are made anew from %lld on",
        p->partition, (long long)earliest);
    metric_add(M_OFFSET_RESETS, 1);
    timers_begin(timers_of(&x->timers, p->partition), earliest);
    p->gone = false;
    return ST_OK;
}

static enum status begin(struct expiration *x, struct group_partition *p, struct why *w) {
    int64_t from = p->next; /* as committed */
    enum status st = from >= 0 ? ST_OK : group_earliest(x->group, p, &from, w);
    if (st == ST_OK) timers_begin(timers_of(&x->timers, p->partition), from);
    return st;
}

static enum status choose_positions(struct expiration *x, struct why *w) {
    int count;
    struct group_partition *p = group_partitions(x->group, &count);
    timers_keep(&x->timers, is_ours, x);
    enum status st = knows_all(x) ? ST_OK : group_noted(x->group, w);
    for (int i = 0; st == ST_OK && i < count; i++) {
        if (p[i].gone)
            st = start_over(x, &p[i], w);
        else if (timers_of(&x->timers, p[i].partition)->wheel == NULL)
            st = begin(x, &p[i], w);
    }
    return st;
}

static enum status place(struct expiration *x, struct why *w) {
    int count;
    struct group_partition *p = group_partitions(x->group, &count);
    int64_t *ends = mem_alloc((size_t)(count + 1) * sizeof *ends);
    enum status st = choose_positions(x, w);
    if (st == ST_OK) st = group_ends(x->group, ends, w);
    for (int i = 0; st == ST_OK && i < count; i++) {
        struct timers_partition *t = timers_of(&x->timers, p[i].partition);
        p[i].next = t->position;
        t->end = ends[i];
    }
    free(ends);
    if (st == ST_OK) group_fetch(x->group);
    return st;
}

static void try_place(struct expiration *x) {
    struct why w = {0};
    if (clock_mono_us() < x->retry_at) return;
    if (place(x, &w) != ST_OK) {
        set_back(x, &w);
        return;
    }
    int count;
    group_partitions(x->group, &count);
    metric_set(M_CONSUMER_PARTITIONS, count);
    x->setbacks = 0;
    x->rebuilding = true;
    x->placed_at = x->stepped_at = clock_mono_us();
}

static void go_on_rebuilding(struct expiration *x) {
    int64_t left = timers_release(&x->timers);
    metric_set(M_REBUILD_LEFT, left);
    if (left > 0) {
        char text[64];
        snprintf(text, sizeof text, "reading orders, %lld records to go", (long long)left);
        say_waiting(x, text);
        atomic_store(&x->ready, false);
        return;
    }
    int count;
    group_partitions(x->group, &count);
    timers_measure(&x->timers);
    log_info("expiration", "the timers of %d partitions are whole, %lld are set, after %lld ms", count,
             (long long)metric_value(M_TIMERS), (long long)(clock_mono_us() - x->placed_at) / 1000);
    x->rebuilding = false;
    atomic_store(&x->ready, true);
}

/* --- reading --- */

/* ST_OK, or why the record cannot be judged now. */
static enum status take(struct expiration *x, struct group_partition *p, const rd_kafka_message_t *m,
                        struct why *w) {
    struct order_event order;
    enum status st = wire_decode(x->decoder, m->payload, m->len, &order, w);
    if (st != ST_OK && st != ST_INVALID) return st;
    if (st == ST_OK) {
        timers_order(&x->timers, m->partition, m->offset, &order);
        if (x->timers.nchanges == WHEEL_PREFETCH) timers_apply(&x->timers);
    } else {
        log_warn("expiration", "orders/%d@%lld is passed over: %s", m->partition, (long long)m->offset,
                 w->text);
        metric_add(M_ORDERS_UNREADABLE, 1);
        timers_passed(&x->timers, m->partition, m->offset);
    }
    p->reached = m->offset + 1;
    return ST_OK;
}

/* What is at hand; waits only for the first. */
static void read_orders(struct expiration *x, int wait_ms) {
    enum status st = ST_OK;
    struct why w = {0};
    int records = 0;
    for (; st == ST_OK && records < SLICE; records++) {
        struct group_partition *p;
        rd_kafka_message_t *m = group_poll(x->group, records == 0 ? wait_ms : 0, &p);
        if (m == NULL) break;
        st = take(x, p, m, &w);
        rd_kafka_message_destroy(m);
    }
    timers_apply(&x->timers);
    metric_add(M_ORDERS_READ, records);
    if (st == ST_OK) return;
    set_back(x, &w);
    group_hold(x->group);
}

/* --- firing --- */

static int64_t fire(void *expiration, const struct wheel_timer *timer) {
    struct expiration *x = expiration;
    int64_t now_ms = x->now_us / 1000, wait = again_ms;
    if (!signals_give(x->signals, timer, x->now_us)) return now_ms + again_ms;
    for (int i = 0; i < timer->attempt && wait < again_most_ms; i++)
        wait *= 2;
    return now_ms + (wait < again_most_ms ? wait : again_most_ms);
}

static void fire_due(struct expiration *x) {
    int room = signals_room(x->signals);
    if (room > 0) timers_fire(&x->timers, x->now_us / 1000, room < SLICE ? room : SLICE, fire, x);
    signals_poll(x->signals);
}

/* How long nothing is to be done unless a record or an acknowledgement comes. */
static int idle_ms(const struct expiration *x) {
    int64_t next = timers_next_ms(&x->timers);
    if (next == INT64_MAX || signals_room(x->signals) == 0) return LOOK_MS;
    int64_t left_us = next * 1000 - clock_wall_us();
    if (left_us <= 0) return 0;
    return left_us < LOOK_MS * 1000 ? (int)((left_us + 999) / 1000) : LOOK_MS;
}

/* --- the thread --- */

static void commit(struct expiration *x) {
    int count;
    struct group_partition *p = group_partitions(x->group, &count);
    for (int i = 0; i < count; i++) {
        const struct timers_partition *t = timers_of(&x->timers, p[i].partition);
        p[i].next = t->wheel == NULL ? p[i].noted : timers_safe(t, p[i].partition);
    }
    group_note(x->group);
}

static void leaving(void *expiration) {
    struct expiration *x = expiration;
    commit(x);
    timers_hold(&x->timers);
}

static void tick(struct expiration *x) {
    if (clock_mono_us() < x->tick_at) return;
    x->tick_at = clock_mono_us() + TICK_MS * INT64_C(1000);
    timers_measure(&x->timers);
    metric_set(M_CONSUMER_LAG, group_lag(x->group));
    if (group_state(x->group) == GROUP_OUT) {
        metric_set(M_CONSUMER_PARTITIONS, 0);
        if (group_trouble(x->group)[0] != '\0') say_waiting(x, group_trouble(x->group));
    } else {
        commit(x);
    }
}

/* After a pause (a stopped process, a machine asleep) orders may be over of which we have not read, and our
 * partitions somebody else's: first read up to the end. The time that is fired by was taken before, so that
 * what came due in a pause from here on is not fired either. */
static void notice_pause(struct expiration *x) {
    int64_t now = clock_mono_us(), since = now - x->stepped_at;
    x->stepped_at = now;
    if (since < PAUSED_US || group_state(x->group) != GROUP_FETCHING) return;
    log_info("expiration", "did not run for %lld ms: reading up to the end first", (long long)since / 1000);
    timers_hold(&x->timers);
    group_hold(x->group);
}

static void step(struct expiration *x) {
    if (group_state(x->group) == GROUP_HELD) try_place(x);
    read_orders(x, idle_ms(x));
    x->now_us = clock_wall_us();
    notice_pause(x);
    if (x->rebuilding && group_state(x->group) == GROUP_FETCHING) go_on_rebuilding(x);
    fire_due(x);
    tick(x);
}

/* Before joining, so that no partition waits for us meanwhile. */
static bool register_schema(struct expiration *x, int32_t *id) {
    char subject[64];
    snprintf(subject, sizeof subject, "%s-value", topic_expirations.name);
    struct why w = {0};
    while (!atomic_load(&x->stopping)) {
        if (clock_mono_us() < x->retry_at) {
            poll(NULL, 0, LOOK_MS);
            continue;
        }
        if (registry_register(x->registry, subject, topic_expirations.type->schema, id, &w) == ST_OK) {
            x->setbacks = 0;
            return true;
        }
        set_back(x, &w);
    }
    return false;
}

static void join(struct expiration *x) {
    struct why w = {0};
    say_waiting(x, "waiting to join the consumer group");
    x->group = group_join(&x->options, &w);
    if (x->group != NULL) return;
    log_error("expiration", "ending the process: %s", w.text);
    _exit(EX_SOFTWARE);
}

static void wake(void *expiration) {
    struct expiration *x = expiration;
    group_wake(x->group);
}

static void *run(void *expiration) {
    struct expiration *x = expiration;
    int32_t schema_id;
    if (!register_schema(x, &schema_id)) return NULL;
    join(x);
    signals_start(x->signals, schema_id, wake, x);
    x->stepped_at = clock_mono_us();
    while (!atomic_load(&x->stopping))
        step(x);
    signals_flush(x->signals, FLUSH_MS);
    group_leave(x->group, LEAVE_MS);
    return NULL;
}

/* --- starting and stopping --- */

static void expiration_free(struct expiration *x) {
    signals_free(x->signals);
    wire_decoder_free(x->decoder);
    registry_free(x->registry);
    timers_free(&x->timers);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/* Signals are the main thread's, also of the threads that librdkafka starts. */
static void start_thread(struct expiration *x) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&x->thread, NULL, run, x);
    assert(failed == 0);
    pthread_setname_np(x->thread, "expiration");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void *start(const char *name, const char *brokers, const char *registry_url, struct why *w) {
    struct expiration *x = mem_alloc(sizeof *x);
    snprintf(x->group_id, sizeof x->group_id, "onsale-%s", name);
    x->options = (struct group_options){
        .id = x->group_id, .brokers = brokers, .topics = topics, .leaving = leaving, .arg = x};
    pthread_mutex_init(&x->lock, NULL);
    say_waiting(x, "waiting for the schema registry");
    if (group_check(&x->options, w) == ST_OK) x->signals = signals_open(brokers, w);
    if (x->signals == NULL) {
        free(x);
        return NULL;
    }
    x->registry = registry_new(registry_url);
    x->decoder = wire_decoder_new(x->registry, topic_orders.type);
    start_thread(x);
    return x;
}

static bool is_ready(void *expiration, struct why *w) {
    struct expiration *x = expiration;
    if (atomic_load(&x->ready)) return true;
    pthread_mutex_lock(&x->lock);
    why(w, ST_AGAIN, "%s", x->waiting_for.text);
    pthread_mutex_unlock(&x->lock);
    return false;
}

static void stop(void *expiration, int timeout_ms) {
    struct expiration *x = expiration;
    atomic_store(&x->stopping, true);
    int64_t at = clock_wall_us() + timeout_ms * INT64_C(1000);
    struct timespec until = {.tv_sec = at / 1000000, .tv_nsec = at % 1000000 * 1000};
    if (pthread_timedjoin_np(x->thread, NULL, &until) == 0)
        expiration_free(x);
    else /* the process is about to end; what the thread uses must stay until then */
        log_warn("expiration", "did not stop within %d ms, leaving it behind", timeout_ms);
}

const struct stream expiration_stream = {start, is_ready, stop};
