#include "state.h"

#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "priv/state_priv.h"
#include "state_metrics.h"
#include "stream.h"

enum {
    LOOK_MS = 100,  /* most time without a look around */
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

/* Nothing in memory is of worth any more. */
static void forget(struct state *x) {
    replay_close(x->replay);
    x->replay = NULL;
    if (x->member != NULL) rd_kafka_consumer_group_metadata_destroy(x->member);
    x->member = NULL;
    tables_forget(&x->tables);
    free(x->parts);
    x->parts = NULL;
    x->nparts = x->ncopies = x->read = 0;
    x->values.len = 0;
    x->due_at_us = INT64_MAX;
}

static void start_again(struct state *x, enum status st, const struct why *w) {
    forget(x);
    topic_thread_set_back(&x->thread, st, w);
}

static void commit_if_due(struct state *x) {
    struct why w = {0};
    bool full = x->ncopies == COMMIT_MOST || x->values.len >= VALUES_MOST;
    if (!full && clock_mono_us() < x->due_at_us) return;
    enum status st = state_commit(x, &w);
    if (st != ST_OK)
        start_again(x, st, &w);
    else
        topic_thread_went_well(&x->thread);
}

/* The last moment at which what is gathered can be committed. */
static void on_revoke(void *state) {
    struct state *x = state;
    struct why w = {0};
    if (state_commit(x, &w) != ST_OK)
        log_warn("state", "%s: whoever has the partitions next copies it again", w.text);
    forget(x);
}

/* After a record that could not be judged: where we are. */
static bool go_on(struct state *x) {
    int count;
    struct group_partition *g = group_partitions(x->thread.group, &count);
    if (x->member == NULL) return false;
    for (int i = 0; i < count; i++)
        if (g[i].gone) return false;
    for (int i = 0; i < count; i++)
        g[i].next = x->parts[i].position;
    group_fetch(x->thread.group);
    return true;
}

static void try_to_fetch(struct state *x) {
    struct why w = {0};
    if (!topic_thread_may_try(&x->thread) || go_on(x)) return;
    if (x->replay == NULL) forget(x);
    enum status st = state_rebuild(x, &w);
    if (st != ST_OK) start_again(x, st, &w);
}

/* --- reading --- */

static void due_within(struct state *x, int64_t ms) {
    int64_t due_us = clock_mono_us() + INT64_C(1000) * ms;
    if (due_us < x->due_at_us) x->due_at_us = due_us;
}

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
    due_within(x, commit_ms);
}

/* ST_OK, or why the record cannot be judged now. */
static enum status take(void *state, struct group_partition *from, const rd_kafka_message_t *m,
                        struct why *w) {
    struct state *x = state;
    struct copied event;
    int count;
    struct part *p = &x->parts[from - group_partitions(x->thread.group, &count)];
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
    due_within(x, NOTE_MS);
    p->position = from->reached = m->offset + 1;
    return ST_OK;
}

static void read_topics(struct state *x, int wait_ms) {
    int room = COMMIT_MOST - x->ncopies;
    int records = topic_thread_read(&x->thread, wait_ms, room < SLICE ? room : SLICE, take);
    metric_add(M_STATE_READ, records);
    x->read += records;
}

/* --- the thread --- */

static void tick(struct state *x) {
    if (!topic_thread_tick(&x->thread)) return;
    tables_measure(&x->tables);
    topic_thread_measure(&x->thread);
}

static int wait_ms(const struct state *x) {
    if (x->replay != NULL) return 0;
    int due_ms = clock_ms_until(x->due_at_us);
    return due_ms < LOOK_MS ? due_ms : LOOK_MS;
}

static void step(void *state) {
    struct state *x = state;
    read_topics(x, wait_ms(x));
    if (group_state(x->thread.group) == GROUP_HELD) try_to_fetch(x);
    commit_if_due(x);
    if (x->rebuilding) state_look_at_rebuilding(x);
    transactions_poll(x->output);
    tick(x);
}

/* What is copied has the schema that its writer registered for the other topic. Ours is registered for this
 * one, for those who look there. */
static bool prepare(void *state) {
    struct state *x = state;
    int32_t schema_id;
    for (int i = 0; i < TABLES; i++)
        if (!topic_thread_register(&x->thread, x->tables.all[i].to, &schema_id)) return false;
    return transactions_prepare(x->output, &x->thread);
}

/* --- starting and stopping --- */

static enum status state_open(void *state, const struct stream_options *options, struct why *w) {
    struct state *x = state;
    metrics_register(state_metrics);
    x->output = transactions_open(options->brokers, options->name, options->instance, w);
    if (x->output == NULL) return ST_INVALID;
    x->brokers = options->brokers;
    tables_open(&x->tables, x->thread.registry, options->unreadable_wait_ms, keep_ms);
    forget(x);
    return ST_OK;
}

static void state_close(void *state) {
    struct state *x = state;
    forget(x);
    transactions_free(x->output);
    tables_close(&x->tables);
    buf_free(&x->values);
    topic_thread_free(&x->thread);
    free(x);
}

/* Leaving commits, by on_revoke. */
static const struct stream_spec spec = {
    .size = sizeof(struct state),
    .topics = tables_topics,
    .gather_ms = GATHER_MS,
    .work = {.prepare = prepare, .step = step, .on_revoke = on_revoke, .close = state_close},
    .open = state_open,
};

static void *start(const struct stream_options *options, struct why *w) {
    return stream_start(&spec, options, w);
}

const struct service_stream state_stream = {start, stream_ready, stream_stop};
