#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "group_metrics.h"
#include "log.h"
#include "mem.h"
#include "priv/state_priv.h"
#include "state_metrics.h"

enum {
    SLICE = 1000, /* records read before something else has its turn */
    LOOK_MS = 100,
};

/* The group's positions first: all that a transaction wrote which they are of is in the states by now. */
static enum status begin_rebuilding(struct state *x, struct why *w) {
    int count;
    struct group_partition *g = group_partitions(x->thread.group, &count);
    int64_t *ends = mem_alloc((size_t)(count + 1) * sizeof *ends);
    struct replay_part *states = mem_alloc((size_t)(count + 1) * sizeof *states);
    enum status st = group_committed(x->thread.group, w);
    if (st == ST_OK) st = group_ends(x->thread.group, ends, w);
    x->parts = mem_alloc((size_t)(count + 1) * sizeof *x->parts);
    x->nparts = count;
    for (int i = 0; i < count; i++) {
        struct table *t = &x->tables.all[g[i].topic];
        x->parts[i] =
            (struct part){.table = t, .number = g[i].partition, .position = g[i].next, .end = ends[i]};
        states[i] = (struct replay_part){t->to->name, t->to->partitions, g[i].partition,
                                         clock_wall_us() / 1000 - x->tables.keep_ms};
    }
    if (st == ST_OK && (x->replay = replay_open(x->brokers, states, count, w)) == NULL) st = ST_FAILED;
    free(ends);
    free(states);
    return st;
}

/* --- the states --- */

static struct part *part_of(const struct state *x, const rd_kafka_message_t *m) {
    const char *topic = rd_kafka_topic_name(m->rkt);
    for (int i = 0; i < x->nparts; i++)
        if (x->parts[i].number == m->partition && strcmp(x->parts[i].table->to->name, topic) == 0)
            return &x->parts[i];
    return NULL;
}

/* Of a record that can never be read nothing is known. */
static enum status restore(struct state *x, const rd_kafka_message_t *m, struct why *w) {
    struct part *p = part_of(x, m);
    struct copied event;
    if (p == NULL) return ST_OK;
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        p->next = m->offset;
        p->whole = replay_left(x->replay, p->table->to->name, p->number, p->next) == 0;
        return ST_OK;
    }
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return why(w, ST_LOST, "cannot read %s: %s", p->table->to->name, rd_kafka_message_errstr(m));
    enum status st = tables_read(&x->tables, p->table, m, &event, w);
    if (st == ST_OK) versions_raise(p->table->versions, &event.id, event.version, clock_wall_us() / 1000);
    p->next = m->offset + 1;
    return st == ST_INVALID ? ST_OK : st;
}

static enum status read_states(struct state *x, struct why *w) {
    enum status st = ST_OK;
    for (int i = 0; i < SLICE && st == ST_OK; i++) {
        rd_kafka_message_t *m = replay_next(x->replay, i == 0 ? LOOK_MS : 0);
        if (m == NULL) break;
        st = restore(x, m, w);
        rd_kafka_message_destroy(m);
    }
    return st;
}

static bool all_whole(const struct state *x) {
    for (int i = 0; i < x->nparts; i++)
        if (!x->parts[i].whole) return false;
    return true;
}

/* --- the topics --- */

/* Where to go on; ST_OK or ST_LOST. */
static enum status place(struct state *x, struct group_partition *g, struct part *p, struct why *w) {
    if (g->gone) {
        log_warn("state",
                 "%s/%d does not have the record to go on from (any more): it is read from its first on",
                 p->table->from->name, p->number);
        metric_add(M_OFFSET_RESETS, 1);
    }
    g->next = g->gone ? -1 : p->position;
    enum status st = g->next < 0 ? group_earliest(x->thread.group, g, &g->next, w) : ST_OK;
    p->position = p->published = g->next;
    return st;
}

static enum status begin_reading(struct state *x, struct why *w) {
    int count;
    struct group_partition *g = group_partitions(x->thread.group, &count);
    x->member = group_membership(x->thread.group);
    if (x->member == NULL) return why(w, ST_AGAIN, "the place in the consumer group is being lost");
    for (int i = 0; i < count; i++) {
        enum status st = place(x, &g[i], &x->parts[i], w);
        if (st != ST_OK) return st;
    }
    for (int i = 0; i < count; i++)
        g[i].gone = false;
    replay_close(x->replay);
    x->replay = NULL;
    group_fetch(x->thread.group);
    metric_set(M_CONSUMER_PARTITIONS, count);
    return ST_OK;
}

enum status state_rebuild(struct state *x, struct why *w) {
    if (x->replay == NULL) {
        x->rebuilding = true;
        x->placed_at_us = clock_mono_us();
        enum status st = begin_rebuilding(x, w);
        if (st != ST_OK) return st;
    }
    enum status st = read_states(x, w);
    if (st == ST_OK && all_whole(x)) st = begin_reading(x, w);
    return st;
}

/* --- how far it is --- */

static int64_t left_to_read(const struct state *x) {
    int64_t left = 0;
    for (int i = 0; i < x->nparts; i++) {
        const struct part *p = &x->parts[i];
        if (x->replay != NULL)
            left += replay_left(x->replay, p->table->to->name, p->number, p->next);
        else if (p->position < p->end)
            left += p->end - p->position;
    }
    return left;
}

void state_look_at_rebuilding(struct state *x) {
    int64_t left = left_to_read(x);
    metric_set(M_STATE_REBUILD_LEFT, left);
    if (x->replay != NULL || left > 0 || group_state(x->thread.group) != GROUP_FETCHING) {
        char text[80];
        snprintf(text, sizeof text, "reading %s, %lld records to go",
                 x->replay != NULL ? "the states" : "the topics", (long long)left);
        topic_thread_say_not_ready(&x->thread, text);
        return;
    }
    log_info("state", "the states of %d partitions are whole, after %lld ms", x->nparts,
             (long long)(clock_mono_us() - x->placed_at_us) / 1000);
    x->rebuilding = false;
    topic_thread_say_ready(&x->thread);
}
