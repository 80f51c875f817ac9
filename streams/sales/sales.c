#include "sales.h"

#include <stdlib.h>

#include "group_metrics.h"
#include "log.h"
#include "priv/sales_priv.h"
#include "sales_metrics.h"
#include "stream.h"

enum {
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

/* --- reading --- */

static void gather(struct sales *x, const rd_kafka_message_t *m, enum count_result counted) {
    exact_due_within(&x->exact, NOTE_MS);
    if (counted != COUNT_NEW && counted != COUNT_LATE) return;
    x->came_ms[x->gathered++] = rd_kafka_message_timestamp(m, NULL);
    exact_due_within(&x->exact, x->gathered == COMMIT_MOST ? 0 : commit_ms);
    metric_add(M_SALES_COUNTED, 1);
    if (counted == COUNT_LATE) metric_add(M_SALES_LATE, 1);
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
    x->exact.read++;
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
    topic_thread_read(&x->exact.thread, wait_ms, room < SLICE ? room : SLICE, take);
}

/* Rows that have become final are to be published. */
static void look_for_final(struct sales *x) {
    for (int i = 0; i < x->partitions.count && x->exact.member != NULL; i++)
        if (partition_has_final(&x->partitions.all[i])) exact_due_within(&x->exact, commit_ms);
}

/* --- the thread --- */

/* What need not be remembered, some of it each time. */
static void sweep(struct sales *x) {
    if (x->exact.member == NULL) return;
    for (int i = 0; i < x->partitions.count; i++) {
        windows_sweep(x->partitions.all[i].windows, SLICE);
        partition_forget(&x->partitions.all[i], x->keep_minutes);
        if (windows_have_gone(x->partitions.all[i].windows)) exact_due_within(&x->exact, NOTE_MS);
    }
}

static void tick(struct sales *x) {
    if (!topic_thread_tick(&x->exact.thread)) return;
    partitions_measure(&x->partitions);
    sweep(x);
    topic_thread_measure(&x->exact.thread);
}

static void step(void *sales) {
    struct sales *x = sales;
    read_topics(x, exact_wait_ms(&x->exact));
    look_for_final(x);
    exact_turn(&x->exact);
    tick(x);
}

static bool prepare(void *sales) {
    struct sales *x = sales;
    int32_t schema_id;
    if (!topic_thread_register(&x->exact.thread, &topic_sales_by_minute, &schema_id)) return false;
    wire_header(x->output.wire, schema_id);
    if (!topic_thread_register(&x->exact.thread, &topic_show_sales, &schema_id)) return false;
    wire_header(x->output.area_wire, schema_id);
    return transactions_prepare(x->exact.output, &x->exact.thread);
}

/* --- starting and stopping --- */

static enum status sales_open(void *sales, const struct stream_options *options, struct why *w) {
    struct sales *x = sales;
    metrics_register(sales_metrics);
    if (exact_open(&x->exact, &sales_work, w) != ST_OK) return ST_INVALID;
    x->output.transactions = x->exact.output;
    x->keep_minutes = (uint32_t)(keep_ms / 60000);
    x->decoder = wire_decoder_new(x->exact.thread.registry, topic_orders.type, options->unreadable_wait_ms);
    x->promises =
        wire_decoder_new(x->exact.thread.registry, topic_watermarks.type, options->unreadable_wait_ms);
    return ST_OK;
}

static void sales_close(void *sales) {
    struct sales *x = sales;
    exact_close(&x->exact);
    wire_decoder_free(x->decoder);
    wire_decoder_free(x->promises);
    buf_free(&x->scratch);
    topic_thread_free(&x->exact.thread);
    free(x);
}

/* Leaving commits, by exact_on_revoke. */
static const struct stream_spec spec = {
    .size = sizeof(struct sales),
    .topics = sales_topics,
    .gather_ms = GATHER_MS,
    .work = {.prepare = prepare, .step = step, .on_revoke = exact_on_revoke, .close = sales_close},
    .open = sales_open,
};

static void *start(const struct stream_options *options, struct why *w) {
    return stream_start(&spec, options, w);
}

const struct service_stream sales_stream = {start, stream_ready, stream_stop};
