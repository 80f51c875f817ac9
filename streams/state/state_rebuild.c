#include <stdlib.h>

#include "clock.h"
#include "group_metrics.h"
#include "log.h"
#include "mem.h"
#include "priv/state_priv.h"
#include "state_metrics.h"

static void forget(void *state) {
    struct state *x = state;
    tables_forget(&x->tables);
    free(x->parts);
    x->parts = NULL;
    x->nparts = x->ncopies = 0;
    x->values.len = 0;
}

/* --- the states --- */

static int list(void *state, const int64_t *ends, struct replay_part *states) {
    struct state *x = state;
    const struct group_partition *g = group_partitions(x->exact.thread.group, &x->nparts);
    x->parts = mem_alloc((size_t)(x->nparts + 1) * sizeof *x->parts);
    for (int i = 0; i < x->nparts; i++) {
        struct table *t = &x->tables.all[g[i].topic];
        x->parts[i] =
            (struct part){.table = t, .number = g[i].partition, .position = g[i].next, .end = ends[i]};
        states[i] = (struct replay_part){t->to->name, t->to->partitions, g[i].partition,
                                         clock_wall_us() / 1000 - x->tables.keep_ms};
    }
    return x->nparts;
}

static struct part *part_of(const struct state *x, const rd_kafka_message_t *m) {
    const char *topic = rd_kafka_topic_name(m->rkt);
    for (int i = 0; i < x->nparts; i++)
        if (x->parts[i].number == m->partition && strcmp(x->parts[i].table->to->name, topic) == 0)
            return &x->parts[i];
    return NULL;
}

/* Of a record that can never be read nothing is known. */
static enum status restore(void *state, const rd_kafka_message_t *m, struct why *w) {
    struct state *x = state;
    struct part *p = part_of(x, m);
    struct copied event;
    if (p == NULL) return ST_OK;
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        p->next = m->offset;
        p->whole = replay_left(x->exact.replay, p->table->to->name, p->number, p->next) == 0;
        return ST_OK;
    }
    enum status st = tables_read(&x->tables, p->table, m, &event, w);
    if (st == ST_OK) versions_raise(p->table->versions, &event.id, event.version, clock_wall_us() / 1000);
    p->next = m->offset + 1;
    return st == ST_INVALID ? ST_OK : st;
}

static bool whole(const void *state) {
    const struct state *x = state;
    for (int i = 0; i < x->nparts; i++)
        if (!x->parts[i].whole) return false;
    return true;
}

/* --- the topics --- */

/* Where to go on; ST_OK or ST_LOST. */
static enum status place_one(struct state *x, struct group_partition *g, struct part *p, struct why *w) {
    if (g->gone) {
        log_warn("state",
                 "%s/%d does not have the record to go on from (any more): it is read from its first on",
                 p->table->from->name, p->number);
        metric_add(M_OFFSET_RESETS, 1);
    }
    g->next = g->gone ? -1 : p->position;
    enum status st = g->next < 0 ? group_earliest(x->exact.thread.group, g, &g->next, w) : ST_OK;
    p->position = p->published = g->next;
    return st;
}

static enum status place(void *state, struct why *w) {
    struct state *x = state;
    struct group_partition *g = group_partitions(x->exact.thread.group, &x->nparts);
    enum status st = ST_OK;
    for (int i = 0; i < x->nparts && st == ST_OK; i++)
        st = place_one(x, &g[i], &x->parts[i], w);
    metric_set(M_CONSUMER_PARTITIONS, x->nparts);
    return st;
}

static int64_t left_to_read(const void *state) {
    const struct state *x = state;
    int64_t left = 0;
    for (int i = 0; i < x->nparts; i++) {
        const struct part *p = &x->parts[i];
        if (x->exact.replay != NULL)
            left += replay_left(x->exact.replay, p->table->to->name, p->number, p->next);
        else if (p->position < p->end)
            left += p->end - p->position;
    }
    metric_set(M_STATE_REBUILD_LEFT, left);
    return left;
}

const struct exact_work state_work = {
    .written = "the states",
    .topics = "the topics",
    .forget = forget,
    .list = list,
    .restore = restore,
    .whole = whole,
    .place = place,
    .left = left_to_read,
    .write = state_write,
    .ended = state_ended,
};
