#include "sales.h"

#include <stdlib.h>

#include "clock.h"
#include "group_metrics.h"
#include "log.h"
#include "priv/sales_priv.h"
#include "sales_metrics.h"
#include "stream.h"

enum {
    LOOK_MS = 100,  /* most time without a look around */
    GATHER_MS = 50, /* records at the broker */
    SLICE = 1000,   /* records read before something else has its turn */
    NOTE_MS = 1000, /* until a position is committed that nothing was counted for */
};

static int64_t commit_ms, keep_ms;

const struct config_var sales_config[] = {
    {"COMMIT_INTERVAL", CONFIG_DURATION, &commit_ms, "100ms",
     "How long changes are gathered before what follows from them is published, in one transaction", 1,
     10000},
    {"WINDOW_KEEP", CONFIG_DURATION, &keep_ms, "35d",
     "How long a sold ticket is kept in memory; a later change is not counted. Longer than topics are kept",
     60000, INT64_C(3650) * 86400 * 1000},
    {0},
};

/* Nothing in memory is of worth any more. */
static void forget(struct sales *x) {
    replay_close(x->changelog);
    x->changelog = NULL;
    if (x->member != NULL) rd_kafka_consumer_group_metadata_destroy(x->member);
    x->member = NULL;
    partitions_free(&x->partitions);
    x->read = x->gathered = 0;
    x->due_at_us = INT64_MAX;
}

static void start_again(struct sales *x, enum status st, const struct why *w) {
    forget(x);
    topic_thread_set_back(&x->thread, st, w);
}

static void commit_if_due(struct sales *x) {
    struct why w = {0};
    if (x->gathered < COMMIT_MOST && clock_mono_us() < x->due_at_us) return;
    enum status st = sales_commit(x, &w);
    if (st != ST_OK)
        start_again(x, st, &w);
    else
        topic_thread_went_well(&x->thread);
}

/* The last moment at which what is gathered can be committed. */
static void on_revoke(void *sales) {
    struct sales *x = sales;
    struct why w = {0};
    if (sales_commit(x, &w) != ST_OK)
        log_warn("sales", "%s: whoever has the partitions next counts it again", w.text);
    forget(x);
}

/* After a record that could not be judged: where we are. */
static bool go_on(struct sales *x) {
    int count;
    struct group_partition *g = group_partitions(x->thread.group, &count);
    if (x->member == NULL) return false;
    for (int i = 0; i < count; i++)
        if (g[i].gone) return false;
    for (int i = 0; i < count; i++)
        g[i].next = g[i].topic == TOPIC_ORDERS ? partition_of(&x->partitions, g[i].partition)->position
                                               : g[i].reached;
    group_fetch(x->thread.group);
    return true;
}

static void try_to_fetch(struct sales *x) {
    struct why w = {0};
    if (!topic_thread_may_try(&x->thread) || go_on(x)) return;
    if (x->changelog == NULL) forget(x);
    enum status st = sales_rebuild(x, &w);
    if (st != ST_OK) start_again(x, st, &w);
}

/* --- reading --- */

static void gather(struct sales *x, const rd_kafka_message_t *m, enum count_result counted) {
    int64_t due_us = clock_mono_us() + INT64_C(1000) * NOTE_MS;
    if (counted == COUNT_NEW || counted == COUNT_LATE) {
        due_us = clock_mono_us() + INT64_C(1000) * commit_ms;
        x->came_ms[x->gathered++] = rd_kafka_message_timestamp(m, NULL);
        metric_add(M_SALES_COUNTED, 1);
        if (counted == COUNT_LATE) metric_add(M_SALES_LATE, 1);
    }
    if (due_us < x->due_at_us) x->due_at_us = due_us;
}

static void pass_over(const rd_kafka_message_t *m, const char *reason) {
    log_warn("sales", "%s/%d@%lld is passed over: %s", rd_kafka_topic_name(m->rkt), m->partition,
             (long long)m->offset, reason);
    metric_add(M_SALES_REFUSED, 1);
}

/* A promise about another topic, or about a partition that is not ours, is none. */
static enum status take_promise(struct sales *x, struct group_partition *from, const rd_kafka_message_t *m,
                                struct why *w) {
    struct watermark_event promise;
    enum status st = wire_decode(x->promises, m->payload, m->len, &promise, w);
    if (st != ST_OK && st != ST_INVALID) return st;
    if (st == ST_INVALID) pass_over(m, w->text);
    struct partition *p = st == ST_OK && str_eq(promise.topic, str_of(sales_topics[TOPIC_ORDERS]))
                              ? partition_of(&x->partitions, promise.partition)
                              : NULL;
    if (p != NULL) partition_promise(p, &promise);
    metric_add(M_CONSUMED, 1);
    from->reached = m->offset + 1;
    return ST_OK;
}

static enum status take_order(struct sales *x, struct group_partition *from, const rd_kafka_message_t *m,
                              struct why *w) {
    struct order_event order;
    struct partition *p = partition_of(&x->partitions, m->partition);
    enum status st = wire_decode(x->decoder, m->payload, m->len, &order, w);
    if (st != ST_OK && st != ST_INVALID) return st;
    enum count_result counted = COUNT_REFUSED;
    if (st == ST_OK)
        counted = partition_count(p, &order, m->offset, rd_kafka_message_timestamp(m, NULL));
    else
        p->position = m->offset + 1;
    if (counted == COUNT_REFUSED)
        pass_over(m, st == ST_OK ? "its time, version or currency cannot be" : w->text);
    if (counted == COUNT_OLD) metric_add(M_SALES_OLD, 1);
    gather(x, m, counted);
    metric_add(M_SALES_READ, 1);
    x->read++;
    from->reached = m->offset + 1;
    return ST_OK;
}

/* ST_OK, or why the record cannot be judged now. */
static enum status take(void *sales, struct group_partition *from, const rd_kafka_message_t *m,
                        struct why *w) {
    return from->topic == TOPIC_ORDERS ? take_order(sales, from, m, w) : take_promise(sales, from, m, w);
}

static void read_topics(struct sales *x, int wait_ms) {
    int room = COMMIT_MOST - x->gathered;
    topic_thread_read(&x->thread, wait_ms, room < SLICE ? room : SLICE, take);
}

/* Rows that have become final are to be published. */
static void look_for_final(struct sales *x) {
    int64_t due_us = clock_mono_us() + INT64_C(1000) * commit_ms;
    for (int i = 0; i < x->partitions.count && x->member != NULL; i++)
        if (due_us < x->due_at_us && partition_has_final(&x->partitions.all[i])) x->due_at_us = due_us;
}

/* --- the thread --- */

/* What need not be remembered, some of it each time. */
static void sweep(struct sales *x) {
    if (x->member == NULL) return;
    for (int i = 0; i < x->partitions.count; i++) {
        windows_sweep(x->partitions.all[i].windows, SLICE);
        if (windows_have_gone(x->partitions.all[i].windows) && x->due_at_us == INT64_MAX)
            x->due_at_us = clock_mono_us() + INT64_C(1000) * NOTE_MS;
    }
}

static void tick(struct sales *x) {
    if (!topic_thread_tick(&x->thread)) return;
    partitions_measure(&x->partitions);
    sweep(x);
    topic_thread_measure(&x->thread);
}

static int wait_ms(const struct sales *x) {
    if (x->changelog != NULL) return 0;
    int due_ms = clock_ms_until(x->due_at_us);
    return due_ms < LOOK_MS ? due_ms : LOOK_MS;
}

static void step(void *sales) {
    struct sales *x = sales;
    read_topics(x, wait_ms(x));
    look_for_final(x);
    if (group_state(x->thread.group) == GROUP_HELD) try_to_fetch(x);
    commit_if_due(x);
    if (x->rebuilding) sales_look_at_rebuilding(x);
    transactions_poll(x->output.transactions);
    tick(x);
}

static bool prepare(void *sales) {
    struct sales *x = sales;
    int32_t schema_id;
    if (!topic_thread_register(&x->thread, &topic_sales_by_minute, &schema_id)) return false;
    wire_header(x->output.wire, schema_id);
    return transactions_prepare(x->output.transactions, &x->thread);
}

/* --- starting and stopping --- */

static enum status sales_open(void *sales, const struct stream_options *options, struct why *w) {
    struct sales *x = sales;
    metrics_register(sales_metrics);
    x->output.transactions = transactions_open(options->brokers, options->name, options->instance, w);
    if (x->output.transactions == NULL) return ST_INVALID;
    x->brokers = options->brokers;
    x->due_at_us = INT64_MAX;
    x->keep_minutes = (uint32_t)(keep_ms / 60000);
    x->decoder = wire_decoder_new(x->thread.registry, topic_orders.type, options->unreadable_wait_ms);
    x->promises = wire_decoder_new(x->thread.registry, topic_watermarks.type, options->unreadable_wait_ms);
    return ST_OK;
}

static void sales_close(void *sales) {
    struct sales *x = sales;
    forget(x);
    transactions_free(x->output.transactions);
    wire_decoder_free(x->decoder);
    wire_decoder_free(x->promises);
    buf_free(&x->scratch);
    topic_thread_free(&x->thread);
    free(x);
}

/* Leaving commits, by on_revoke. */
static const struct stream_spec spec = {
    .size = sizeof(struct sales),
    .topics = sales_topics,
    .gather_ms = GATHER_MS,
    .work = {.prepare = prepare, .step = step, .on_revoke = on_revoke, .close = sales_close},
    .open = sales_open,
};

static void *start(const struct stream_options *options, struct why *w) {
    return stream_start(&spec, options, w);
}

const struct service_stream sales_stream = {start, stream_ready, stream_stop};
