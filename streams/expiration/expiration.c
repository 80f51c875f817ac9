#include "expiration.h"

#include <stdlib.h>

#include "clock.h"
#include "expiration_metrics.h"
#include "group.h"
#include "group_metrics.h"
#include "log.h"
#include "signals.h"
#include "timers.h"
#include "topic_thread.h"
#include "wire.h"

METRICS_DEFINE(expiration_metrics, EXPIRATION_METRICS);

enum {
    TICK_MS = 1000,          /* gauges, and the offsets that are committed */
    SLICE = 1000,            /* records read, or signals given, before the other's turn */
    LOOK_MS = 100,           /* most time without a look at the clock, which may have been set */
    PAUSED_US = 1000 * 1000, /* not run for so long: others may have moved on */
    GATHER_MS = 20,          /* records at the broker: a timer is minutes ahead */
    LEAVE_MS = 3000,         /* to leave the group */
    FLUSH_MS = 3000,         /* for signals that are on their way */
};

static int64_t again_ms, again_most_ms;

const struct config_var expiration_config[] = {
    {"SIGNAL_AGAIN", CONFIG_DURATION, &again_ms, "5s",
     "After this a signal without effect is repeated; then after twice that, and so on", 10, 3600000},
    {"SIGNAL_AGAIN_MOST", CONFIG_DURATION, &again_most_ms, "60s", "The longest pause that it doubles to", 10,
     3600000},
    {0},
};

static const char *const topics[] = {"orders", NULL};

struct expiration {
    struct topic_thread thread;
    struct group_options options;
    char group_id[64];
    struct group *group;
    struct signals *signals;
    struct registry *registry;
    struct wire_decoder *decoder;
    struct timers timers;
    int64_t now_us; /* of the slice that fires */

    int64_t tick_at, stepped_at, placed_at;
    bool rebuilding;
};

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
    enum status st = knows_all(x) ? ST_OK : group_committed(x->group, w);
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
    if (!topic_thread_may_try(&x->thread)) return;
    enum status st = place(x, &w);
    if (st != ST_OK) {
        topic_thread_set_back(&x->thread, st, &w);
        return;
    }
    int count;
    group_partitions(x->group, &count);
    metric_set(M_CONSUMER_PARTITIONS, count);
    topic_thread_went_well(&x->thread);
    x->rebuilding = true;
    x->placed_at = x->stepped_at = clock_mono_us();
}

static void go_on_rebuilding(struct expiration *x) {
    int64_t left = timers_release(&x->timers);
    metric_set(M_REBUILD_LEFT, left);
    if (left > 0) {
        char text[64];
        snprintf(text, sizeof text, "reading orders, %lld records to go", (long long)left);
        topic_thread_say_not_ready(&x->thread, text);
        return;
    }
    int count;
    group_partitions(x->group, &count);
    timers_measure(&x->timers);
    log_info("expiration", "the timers of %d partitions are whole, %lld are set, after %lld ms", count,
             (long long)metric_value(M_TIMERS), (long long)(clock_mono_us() - x->placed_at) / 1000);
    x->rebuilding = false;
    topic_thread_say_ready(&x->thread);
}

/* --- reading --- */

/* ST_OK, or why the record cannot be judged now. */
static enum status take(void *expiration, struct group_partition *p, const rd_kafka_message_t *m,
                        struct why *w) {
    struct expiration *x = expiration;
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

static void read_orders(struct expiration *x, int wait_ms) {
    struct why w = {0};
    int records;
    enum status st = group_read(x->group, wait_ms, SLICE, take, x, &records, &w);
    timers_apply(&x->timers);
    metric_add(M_ORDERS_READ, records);
    if (st == ST_OK) return;
    topic_thread_set_back(&x->thread, st, &w);
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
        p[i].next = t->wheel == NULL ? p[i].committed : timers_safe(t);
    }
    group_commit(x->group);
}

static void on_revoke(void *expiration) {
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
        if (group_last_error(x->group)[0] != '\0')
            topic_thread_say_waiting(&x->thread, group_last_error(x->group));
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

static void wake(void *expiration) {
    struct expiration *x = expiration;
    group_wake(x->group);
}

static void *run(void *expiration) {
    struct expiration *x = expiration;
    int32_t schema_id;
    /* Before joining, so that no partition waits for us meanwhile. */
    if (!topic_thread_register(&x->thread, x->registry, &topic_expirations, &schema_id)) return NULL;
    x->group = topic_thread_join(&x->thread, &x->options);
    signals_start(x->signals, schema_id, wake, x);
    x->stepped_at = clock_mono_us();
    while (!topic_thread_stopping(&x->thread))
        step(x);
    signals_flush(x->signals, FLUSH_MS);
    topic_thread_leave(&x->thread, LEAVE_MS);
    return NULL;
}

/* --- starting and stopping --- */

static void expiration_free(struct expiration *x) {
    signals_free(x->signals);
    wire_decoder_free(x->decoder);
    registry_free(x->registry);
    timers_free(&x->timers);
    topic_thread_free(&x->thread);
    free(x);
}

static void *start(const struct stream_options *options, struct why *w) {
    struct expiration *x = mem_alloc(sizeof *x);
    snprintf(x->group_id, sizeof x->group_id, "onsale-%s", options->name);
    x->options = (struct group_options){.id = x->group_id,
                                        .instance = options->instance,
                                        .brokers = options->brokers,
                                        .topics = topics,
                                        .gather_ms = GATHER_MS,
                                        .on_revoke = on_revoke,
                                        .arg = x};
    if (group_check(&x->options, w) == ST_OK) x->signals = signals_open(options->brokers, w);
    if (x->signals == NULL) {
        free(x);
        return NULL;
    }
    topic_thread_init(&x->thread, options->name, "waiting for the schema registry");
    metrics_register(group_metrics);
    metrics_register(expiration_metrics);
    x->registry = registry_new(options->registry_url);
    x->decoder = wire_decoder_new(x->registry, topic_orders.type);
    topic_thread_start(&x->thread, run, x);
    return x;
}

static bool is_ready(void *expiration, struct why *w) {
    struct expiration *x = expiration;
    return topic_thread_ready(&x->thread, w);
}

static void stop(void *expiration, int timeout_ms) {
    struct expiration *x = expiration;
    /* If not, the process is about to end; what the thread uses must stay until then. */
    if (topic_thread_stop(&x->thread, timeout_ms)) expiration_free(x);
}

const struct stream expiration_stream = {start, is_ready, stop};
