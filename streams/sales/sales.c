#include "sales.h"

#include <stdlib.h>

#include "clock.h"
#include "group_metrics.h"
#include "log.h"
#include "sales_metrics.h"
#include "sales_state.h"
#include "wire.h"

METRICS_DEFINE(sales_metrics, SALES_METRICS);

enum {
    TICK_MS = 1000,  /* gauges */
    LOOK_MS = 100,   /* most time without a look around */
    GATHER_MS = 50,  /* records at the broker */
    SLICE = 1000,    /* records read before something else has its turn */
    NOTE_MS = 1000,  /* until a position is committed that nothing was counted for */
    LEAVE_MS = 3000, /* to leave the group */
};

static int64_t commit_ms, keep_ms;

const struct config_var sales_config[] = {
    {"COMMIT_INTERVAL", CONFIG_DURATION, &commit_ms, "100ms",
     "How long changes are gathered before their rows are published, in one transaction", 1, 10000},
    {"WINDOW_KEEP", CONFIG_DURATION, &keep_ms, "35d",
     "How long a sold ticket is kept in memory; a later change is not counted. Longer than topics are kept",
     60000, INT64_C(3650) * 86400 * 1000},
    {0},
};

const char *const sales_topics[] = {"orders", NULL};

/* Nothing in memory is of worth any more. */
static void forget(struct sales *x) {
    changelog_close(x->changelog);
    x->changelog = NULL;
    if (x->member != NULL) rd_kafka_consumer_group_metadata_destroy(x->member);
    x->member = NULL;
    partitions_free(&x->partitions);
    x->read = x->gathered = 0;
    x->due_at = INT64_MAX;
}

static void start_again(struct sales *x, enum status st, const struct why *w) {
    forget(x);
    group_hold(x->group);
    topic_thread_set_back(&x->thread, st, w);
}

/* A record cannot be judged now: nothing else is wrong. */
static void wait_with_it(struct sales *x, enum status st, const struct why *w) {
    group_hold(x->group);
    topic_thread_set_back(&x->thread, st, w);
}

static void commit_if_due(struct sales *x) {
    struct why w = {0};
    if (x->gathered < COMMIT_MOST && clock_mono_us() < x->due_at) return;
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
    struct group_partition *g = group_partitions(x->group, &count);
    if (x->member == NULL) return false;
    for (int i = 0; i < count; i++)
        if (g[i].gone) return false;
    for (int i = 0; i < count; i++)
        g[i].next = x->partitions.all[i].position;
    group_fetch(x->group);
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
    int64_t due = clock_mono_us() + INT64_C(1000) * NOTE_MS;
    if (counted == COUNT_NEW || counted == COUNT_LATE) {
        due = clock_mono_us() + INT64_C(1000) * commit_ms;
        x->came_ms[x->gathered++] = rd_kafka_message_timestamp(m, NULL);
        metric_add(M_SALES_COUNTED, 1);
        if (counted == COUNT_LATE) metric_add(M_SALES_LATE, 1);
    }
    if (due < x->due_at) x->due_at = due;
}

static void pass_over(const rd_kafka_message_t *m, const char *reason) {
    log_warn("sales", "orders/%d@%lld is passed over: %s", m->partition, (long long)m->offset, reason);
    metric_add(M_SALES_REFUSED, 1);
}

/* ST_OK, or why the record cannot be judged now. */
static enum status take(void *sales, struct group_partition *from, const rd_kafka_message_t *m,
                        struct why *w) {
    struct sales *x = sales;
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
    from->reached = m->offset + 1;
    return ST_OK;
}

static void read_orders(struct sales *x, int wait_ms) {
    struct why w = {0};
    int records, room = COMMIT_MOST - x->gathered;
    enum status st = group_read(x->group, wait_ms, room < SLICE ? room : SLICE, take, x, &records, &w);
    metric_add(M_SALES_READ, records);
    x->read += records;
    if (st != ST_OK) wait_with_it(x, st, &w);
}

/* --- the thread --- */

/* What need not be remembered, some of it each time. */
static void sweep(struct sales *x) {
    if (x->member == NULL) return;
    for (int i = 0; i < x->partitions.count; i++) {
        windows_sweep(x->partitions.all[i].windows, SLICE);
        if (windows_have_gone(x->partitions.all[i].windows) && x->due_at == INT64_MAX)
            x->due_at = clock_mono_us() + INT64_C(1000) * NOTE_MS;
    }
}

static void tick(struct sales *x) {
    if (clock_mono_us() < x->tick_at) return;
    x->tick_at = clock_mono_us() + TICK_MS * INT64_C(1000);
    partitions_measure(&x->partitions);
    sweep(x);
    metric_set(M_CONSUMER_LAG, group_lag(x->group));
    if (group_state(x->group) != GROUP_OUT) return;
    metric_set(M_CONSUMER_PARTITIONS, 0);
    if (group_last_error(x->group)[0] != '\0')
        topic_thread_say_waiting(&x->thread, group_last_error(x->group));
}

static int wait_ms(const struct sales *x) {
    if (x->changelog != NULL) return 0;
    int64_t left_us = x->due_at == INT64_MAX ? INT64_MAX : x->due_at - clock_mono_us();
    if (left_us >= LOOK_MS * 1000) return LOOK_MS;
    return left_us <= 0 ? 0 : (int)((left_us + 999) / 1000);
}

static void step(struct sales *x) {
    read_orders(x, wait_ms(x));
    if (group_state(x->group) == GROUP_HELD) try_to_fetch(x);
    commit_if_due(x);
    if (x->rebuilding) sales_look_at_rebuilding(x);
    output_poll(x->output);
    tick(x);
}

static bool prepare_output(struct sales *x) {
    struct why w = {0};
    topic_thread_say_waiting(&x->thread, "waiting for Kafka's leave to write transactions");
    while (!topic_thread_stopping(&x->thread)) {
        if (output_init(x->output, &w) == ST_OK) return true;
        output_poll(x->output);
        topic_thread_say_waiting(&x->thread, w.text);
    }
    return false;
}

/* All that can be waited for before joining is, so that no partition waits for us meanwhile. */
static void *run(void *sales) {
    struct sales *x = sales;
    int32_t schema_id;
    if (!topic_thread_register(&x->thread, x->registry, &topic_sales_by_minute, &schema_id)) return NULL;
    output_use_schema(x->output, schema_id);
    if (!prepare_output(x)) return NULL;
    x->group = topic_thread_join(&x->thread, &x->options);
    while (!topic_thread_stopping(&x->thread))
        step(x);
    topic_thread_leave(&x->thread, LEAVE_MS); /* which commits */
    return NULL;
}

/* --- starting and stopping --- */

static void sales_free(struct sales *x) {
    forget(x);
    output_free(x->output);
    wire_decoder_free(x->decoder);
    registry_free(x->registry);
    buf_free(&x->scratch);
    topic_thread_free(&x->thread);
    free(x);
}

/* Transactions are of an instance that comes back by its name, or of a stranger. */
static void name_owner(struct sales *x, const char *name, const char *instance) {
    if (instance != NULL && instance[0] != '\0') {
        snprintf(x->owner, sizeof x->owner, "%s-%s", name, instance);
        return;
    }
    char text[UUID_TEXT];
    struct uuid id = uuid_v7();
    uuid_format(&id, text);
    snprintf(x->owner, sizeof x->owner, "%s-%.*s", name, UUID_TEXT, text);
}

static void *start(const struct stream_options *options, struct why *w) {
    struct sales *x = mem_alloc(sizeof *x);
    snprintf(x->group_id, sizeof x->group_id, "onsale-%s", options->name);
    name_owner(x, options->name, options->instance);
    x->brokers = options->brokers;
    x->due_at = INT64_MAX;
    x->keep_minutes = (uint32_t)(keep_ms / 60000);
    x->options = (struct group_options){.id = x->group_id,
                                        .instance = options->instance,
                                        .brokers = options->brokers,
                                        .topics = sales_topics,
                                        .gather_ms = GATHER_MS,
                                        .on_revoke = on_revoke,
                                        .arg = x};
    if (group_check(&x->options, w) == ST_OK) x->output = output_open(options->brokers, x->owner, w);
    if (x->output == NULL) {
        free(x);
        return NULL;
    }
    topic_thread_init(&x->thread, options->name, "waiting for the schema registry");
    metrics_register(group_metrics);
    metrics_register(sales_metrics);
    x->registry = registry_new(options->registry_url);
    x->decoder = wire_decoder_new(x->registry, topic_orders.type);
    topic_thread_start(&x->thread, run, x);
    return x;
}

static bool is_ready(void *sales, struct why *w) {
    struct sales *x = sales;
    return topic_thread_ready(&x->thread, w);
}

static void stop(void *sales, int timeout_ms) {
    struct sales *x = sales;
    if (topic_thread_stop(&x->thread, timeout_ms)) sales_free(x);
}

const struct stream sales_stream = {start, is_ready, stop};
