#include "state.h"

#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "priv/state_priv.h"
#include "state_metrics.h"
#include "stream.h"

enum {
    GATHER_MS = 50, /* records at the broker */
    SLICE = 1000,   /* records read before something else has its turn */
    NOTE_MS = 1000, /* until a position is committed that nothing was copied for */
};

static int64_t commit_ms, keep_ms;

const struct config_var state_config[] = {
    /* Each transaction costs the broker a batch and a marker in each partition that it writes to. */
    {"STATE_INTERVAL", CONFIG_DURATION, &commit_ms, "500ms",
     "How long changes are gathered before their copies are published, in one transaction", 1, 10000},
    {"STATE_KEEP", CONFIG_DURATION, &keep_ms, "35d",
     "How long the version of what changed is remembered. Longer than topics and event logs are kept", 60000,
     INT64_C(3650) * 86400 * 1000},
    {0},
};

/* --- reading --- */

static void gather(struct state *x, const struct part *p, const struct copied *event,
                   const rd_kafka_message_t *m) {
    x->copies[x->ncopies++] = (struct copy){.to = p->table->to,
                                            .type = event->type,
                                            .partition = p->number,
                                            .id = event->id,
                                            .at = x->values.len,
                                            .size = m->len,
                                            .came_ms = rd_kafka_message_timestamp(m, NULL)};
    buf_add(&x->values, m->payload, m->len);
    bool full = x->ncopies == COMMIT_MOST || x->values.len >= VALUES_MOST;
    exact_due_within(&x->exact, full ? 0 : commit_ms);
}

/* ST_OK, or why the record cannot be judged now. */
static enum status take(void *state, struct group_partition *from, const rd_kafka_message_t *m,
                        struct why *w) {
    struct state *x = state;
    struct copied event;
    int count;
    struct part *p = &x->parts[from - group_partitions(x->exact.thread.group, &count)];
    enum status st = tables_read(&x->tables, p->table, m, &event, w);
    if (st != ST_OK && st != ST_INVALID) return st;
    if (st == ST_INVALID) {
        log_warn("state", "%s/%d@%lld is passed over: %s", p->table->from->name, m->partition,
                 (long long)m->offset, w->text);
        metric_add(M_STATE_REFUSED, 1);
    } else if (versions_raise(p->table->versions, &event.id, event.version, clock_wall_us() / 1000)) {
        gather(x, p, &event, m);
    } else {
        metric_add(M_STATE_OLD, 1);
    }
    exact_due_within(&x->exact, NOTE_MS);
    p->position = from->reached = m->offset + 1;
    return ST_OK;
}

static void read_topics(struct state *x, int wait_ms) {
    int room = COMMIT_MOST - x->ncopies;
    int records = topic_thread_read(&x->exact.thread, wait_ms, room < SLICE ? room : SLICE, take);
    metric_add(M_STATE_READ, records);
    x->exact.read += records;
}

/* --- the thread --- */

static void tick(struct state *x) {
    if (!topic_thread_tick(&x->exact.thread)) return;
    tables_measure(&x->tables);
    topic_thread_measure(&x->exact.thread);
}

static void step(void *state) {
    struct state *x = state;
    read_topics(x, exact_wait_ms(&x->exact));
    exact_turn(&x->exact);
    tick(x);
}

/* What is copied has the schema that its writer registered for the other topic. Ours is registered for this
 * one, for those who look there. */
static bool prepare(void *state) {
    struct state *x = state;
    int32_t schema_id;
    for (int i = 0; i < TABLES; i++)
        if (!topic_thread_register(&x->exact.thread, x->tables.all[i].to, &schema_id)) return false;
    return transactions_prepare(x->exact.output, &x->exact.thread);
}

/* --- starting and stopping --- */

static enum status state_open(void *state, const struct stream_options *options, struct why *w) {
    struct state *x = state;
    metrics_register(state_metrics);
    if (exact_open(&x->exact, &state_work, w) != ST_OK) return ST_INVALID;
    tables_open(&x->tables, x->exact.thread.registry, options->unreadable_wait_ms, keep_ms);
    return ST_OK;
}

static void state_close(void *state) {
    struct state *x = state;
    exact_close(&x->exact);
    tables_close(&x->tables);
    buf_free(&x->values);
    topic_thread_free(&x->exact.thread);
    free(x);
}

/* Leaving commits, by exact_on_revoke. */
static const struct stream_spec spec = {
    .size = sizeof(struct state),
    .topics = tables_topics,
    .gather_ms = GATHER_MS,
    .work = {.prepare = prepare, .step = step, .on_revoke = exact_on_revoke, .close = state_close},
    .open = state_open,
};

static void *start(const struct stream_options *options, struct why *w) {
    return stream_start(&spec, options, w);
}

const struct service_stream state_stream = {start, stream_ready, stream_stop};
