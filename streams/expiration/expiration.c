#include "expiration.h"

#include <stdlib.h>

#include "clock.h"
#include "expiration_metrics.h"
#include "group_metrics.h"
#include "log.h"
#include "mem.h"
#include "signals.h"
#include "stream.h"
#include "timers.h"
#include "wire.h"

enum {
    SLICE = 1000,            /* records read, or signals given, before the other's turn */
    LOOK_MS = 100,           /* most time without a look at the clock, which may have been set */
    PAUSED_US = 1000 * 1000, /* not run for so long: others may have moved on */
    GATHER_MS = 20,          /* records at the broker: a timer is minutes ahead */
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
    struct signals *signals;
    struct wire_decoder *decoder;
    struct timers timers;
    int64_t now_us; /* of the slice that fires */

    int64_t placed_at_us;
    int64_t stepped_boot_us; /* since boot: a sleep of the machine counts */
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
    return find(x->thread.group, partition) != NULL;
}

static bool knows_all(struct expiration *x) {
    int count;
    struct group_partition *p = group_partitions(x->thread.group, &count);
    for (int i = 0; i < count; i++)
        if (p[i].gone || timers_of(&x->timers, p[i].partition)->wheel == NULL) return false;
    return true;
}

/* The topic was made anew, or records were deleted before they were read. */
static enum status start_over(struct expiration *x, struct group_partition *p, struct why *w) {
    int64_t earliest;
    enum status st = group_earliest(x->thread.group, p, &earliest, w);
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
    enum status st = from >= 0 ? ST_OK : group_earliest(x->thread.group, p, &from, w);
    if (st == ST_OK) timers_begin(timers_of(&x->timers, p->partition), from);
    return st;
}

static enum status choose_positions(struct expiration *x, struct why *w) {
    int count;
    struct group_partition *p = group_partitions(x->thread.group, &count);
    timers_keep(&x->timers, is_ours, x);
    enum status st = knows_all(x) ? ST_OK : group_committed(x->thread.group, w);
    for (int i = 0; st == ST_OK && i < count; i++) {
        if (p[i].gone)
            st = start_over(x, &p[i], w);
        else if (timers_of(&x->timers, p[i].partition)->wheel == NULL)
            st = begin(x, &p[i], w);
    }
    return st;
}

static enum status place(void *expiration, struct why *w) {
    struct expiration *x = expiration;
    int count;
    struct group_partition *p = group_partitions(x->thread.group, &count);
    int64_t *ends = mem_alloc((size_t)(count + 1) * sizeof *ends);
    enum status st = choose_positions(x, w);
    if (st == ST_OK) st = group_ends(x->thread.group, ends, w);
    for (int i = 0; st == ST_OK && i < count; i++) {
        struct timers_partition *t = timers_of(&x->timers, p[i].partition);
        p[i].next = t->position;
        t->end = ends[i];
    }
    free(ends);
    if (st == ST_OK) group_fetch(x->thread.group);
    return st;
}

static void try_place(struct expiration *x) {
    if (!topic_thread_place(&x->thread, place)) return;
    int count;
    group_partitions(x->thread.group, &count);
    metric_set(M_CONSUMER_PARTITIONS, count);
    x->rebuilding = true;
    x->placed_at_us = clock_mono_us();
    x->stepped_boot_us = clock_boot_us();
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
    group_partitions(x->thread.group, &count);
    timers_measure(&x->timers);
    log_info("expiration", "the timers of %d partitions are whole, %lld are set, after %lld ms", count,
             (long long)metric_value(M_TIMERS), (long long)(clock_mono_us() - x->placed_at_us) / 1000);
    x->rebuilding = false;
    topic_thread_say_ready(&x->thread);
}

/* --- reading --- */

/* ST_OK, or why the record cannot be judged now. */
static enum status judge(struct expiration *x, const rd_kafka_message_t *m, struct why *w) {
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
    return ST_OK;
}

static enum status take(void *expiration, struct group_partition *p, const rd_kafka_message_t *m,
                        struct why *w) {
    struct expiration *x = expiration;
    struct log_mark mark = log_mark_of(m);
    if (!timers_told(&x->timers, m->partition, m->offset, &mark)) {
        enum status st = judge(x, m, w);
        if (st != ST_OK) return st;
        timers_newest(&x->timers, m->partition, m->offset, &mark);
    }
    p->reached = m->offset + 1;
    return ST_OK;
}

static void read_orders(struct expiration *x, int wait_ms) {
    int records = topic_thread_read(&x->thread, wait_ms, SLICE, take);
    metric_add(M_CONSUMED, records);
    timers_apply(&x->timers);
    metric_add(M_ORDERS_READ, records);
}

/* --- firing --- */

static int64_t fire(void *expiration, const struct wheel_timer *timer) {
    struct expiration *x = expiration;
    int64_t now_ms = x->now_us / 1000, wait_ms = again_ms;
    if (!signals_give(x->signals, timer, x->now_us)) return now_ms + again_ms;
    for (int i = 0; i < timer->attempt && wait_ms < again_most_ms; i++)
        wait_ms *= 2;
    return now_ms + (wait_ms < again_most_ms ? wait_ms : again_most_ms);
}

static void fire_due(struct expiration *x) {
    int room = signals_room(x->signals);
    if (room > 0) timers_fire(&x->timers, x->now_us / 1000, room < SLICE ? room : SLICE, fire, x);
    signals_poll(x->signals);
}

/* How long nothing is to be done unless a record or an acknowledgement comes. */
static int idle_ms(const struct expiration *x) {
    int64_t next_ms = timers_next_ms(&x->timers);
    if (next_ms == INT64_MAX || signals_room(x->signals) == 0) return LOOK_MS;
    int64_t left_us = next_ms * 1000 - clock_wall_us();
    if (left_us <= 0) return 0;
    return left_us < LOOK_MS * 1000 ? (int)((left_us + 999) / 1000) : LOOK_MS;
}

/* --- the thread --- */

static void commit(struct expiration *x) {
    int count;
    struct group_partition *p = group_partitions(x->thread.group, &count);
    for (int i = 0; i < count; i++) {
        const struct timers_partition *t = timers_of(&x->timers, p[i].partition);
        p[i].next = t->wheel == NULL ? p[i].committed : timers_safe(t);
    }
    group_commit(x->thread.group);
}

static void on_revoke(void *expiration) {
    struct expiration *x = expiration;
    commit(x);
    timers_hold(&x->timers);
}

static void tick(struct expiration *x) {
    if (!topic_thread_tick(&x->thread)) return;
    timers_measure(&x->timers);
    topic_thread_measure(&x->thread);
    if (group_state(x->thread.group) != GROUP_OUT) commit(x);
}

/* After a pause (a stopped process, a machine asleep) orders may be over of which we have not read, and our
 * partitions somebody else's: first read up to the end. The time that is fired by was taken before, so that
 * what came due in a pause from here on is not fired either. */
static void notice_pause(struct expiration *x) {
    int64_t now_us = clock_boot_us(), since_us = now_us - x->stepped_boot_us;
    x->stepped_boot_us = now_us;
    if (since_us < PAUSED_US || group_state(x->thread.group) != GROUP_FETCHING) return;
    log_info("expiration", "did not run for %lld ms: reading up to the end first",
             (long long)since_us / 1000);
    timers_hold(&x->timers);
    group_hold(x->thread.group);
}

static void step(void *expiration) {
    struct expiration *x = expiration;
    if (group_state(x->thread.group) == GROUP_HELD) try_place(x);
    read_orders(x, idle_ms(x));
    x->now_us = clock_wall_us();
    notice_pause(x);
    if (x->rebuilding && group_state(x->thread.group) == GROUP_FETCHING) go_on_rebuilding(x);
    fire_due(x);
    tick(x);
}

static void wake(void *expiration) {
    struct expiration *x = expiration;
    topic_thread_wake(&x->thread);
}

static bool prepare(void *expiration) {
    struct expiration *x = expiration;
    int32_t schema_id;
    if (!topic_thread_register(&x->thread, &topic_expirations, &schema_id)) return false;
    signals_start(x->signals, schema_id, wake, x);
    x->stepped_boot_us = clock_boot_us();
    return true;
}

static void finish(void *expiration) {
    struct expiration *x = expiration;
    signals_flush(x->signals, FLUSH_MS);
}

/* --- starting and stopping --- */

static enum status expiration_open(void *expiration, const struct stream_options *options, struct why *w) {
    struct expiration *x = expiration;
    metrics_register(expiration_metrics);
    x->signals = signals_open(options->brokers, w);
    if (x->signals == NULL) return ST_INVALID;
    x->decoder = wire_decoder_new(x->thread.registry, topic_orders.type, options->unreadable_wait_ms);
    return ST_OK;
}

static void expiration_close(void *expiration) {
    struct expiration *x = expiration;
    signals_free(x->signals);
    wire_decoder_free(x->decoder);
    timers_free(&x->timers);
    topic_thread_free(&x->thread);
    free(x);
}

static const struct stream_spec spec = {
    .size = sizeof(struct expiration),
    .topics = topics,
    .gather_ms = GATHER_MS,
    .work = {.prepare = prepare,
             .step = step,
             .finish = finish,
             .on_revoke = on_revoke,
             .close = expiration_close},
    .open = expiration_open,
};

static void *start(const struct stream_options *options, struct why *w) {
    return stream_start(&spec, options, w);
}

const struct service_stream expiration_stream = {start, stream_ready, stream_stop};
