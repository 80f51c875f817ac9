#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "group_metrics.h"
#include "log.h"
#include "mem.h"
#include "priv/sales_priv.h"
#include "sales_metrics.h"

enum {
    SLICE = 1000, /* records read before something else has its turn */
    LOOK_MS = 100,
    RECENT_MS = 60 * 1000,
};

/* Our partitions of orders; the changelog's beside them are to be read. */
static int list_partitions(struct sales *x, const int64_t *ends, struct replay_part *parts) {
    int count, n = 0;
    const struct group_partition *g = group_partitions(x->thread.group, &count);
    for (int i = 0; i < count; i++)
        n += g[i].topic == TOPIC_ORDERS;
    partitions_begin(&x->partitions, n, x->keep_minutes);
    n = 0;
    for (int i = 0; i < count; i++) {
        if (g[i].topic != TOPIC_ORDERS) continue;
        struct partition *p = &x->partitions.all[n];
        p->number = g[i].partition;
        p->committed = g[i].next;
        p->end = ends[i];
        p->final = (uint32_t)g[i].note;
        parts[n++] = (struct replay_part){changelog_topic, topic_orders.partitions, p->number, 0};
    }
    return n;
}

static enum status begin_rebuilding(struct sales *x, struct why *w) {
    int count;
    group_partitions(x->thread.group, &count);
    int64_t *ends = mem_alloc((size_t)(count + 1) * sizeof *ends);
    struct replay_part *parts = mem_alloc((size_t)(count + 1) * sizeof *parts);
    enum status st = group_committed(x->thread.group, w);
    if (st == ST_OK) st = group_ends(x->thread.group, ends, w);
    int n = st == ST_OK ? list_partitions(x, ends, parts) : 0;
    if (st == ST_OK && (x->changelog = replay_open(x->brokers, parts, n, w)) == NULL) st = ST_FAILED;
    free(ends);
    free(parts);
    return st;
}

/* What is counted is known up to here; -1: not for certain. */
static int64_t go_on_from(const struct partition *p, const struct group_partition *g) {
    if (g->gone) {
        log_warn("sales",
                 "orders/%d does not have the record to go on from (any more): it is read from its first on",
                 p->number);
    } else if (p->committed < 0) {
        return -1; /* nobody has, or it was forgotten: the first time is no news */
    } else if (!partition_is_whole(p)) {
        log_warn("sales",
                 "sales-changelog/%d does not have what was counted: orders is read from its first record on",
                 p->number);
    } else {
        return p->committed;
    }
    metric_add(M_OFFSET_RESETS, 1);
    return -1;
}

static enum status place_orders(struct sales *x, struct group_partition *g, struct why *w) {
    struct partition *p = partition_of(&x->partitions, g->partition);
    g->next = go_on_from(p, g);
    if (g->next < 0) p->final = 0; /* its rows are all published again */
    enum status st = g->next < 0 ? group_earliest(x->thread.group, g, &g->next, w) : ST_OK;
    p->position = p->published = g->next;
    return st;
}

/* Promises come again and again: those of the last minute will do. */
static enum status place(struct sales *x, struct group_partition *g, int count, struct why *w) {
    int64_t *recent = mem_alloc((size_t)(count + 1) * sizeof *recent);
    enum status st = group_offsets_for_time(x->thread.group, clock_wall_us() / 1000 - RECENT_MS, recent, w);
    for (int i = 0; i < count && st == ST_OK; i++) {
        if (g[i].topic == TOPIC_ORDERS)
            st = place_orders(x, &g[i], w);
        else
            g[i].next = recent[i];
    }
    free(recent);
    return st;
}

static enum status begin_reading(struct sales *x, struct why *w) {
    int count;
    struct group_partition *g = group_partitions(x->thread.group, &count);
    x->member = group_membership(x->thread.group);
    if (x->member == NULL) return why(w, ST_AGAIN, "the place in the consumer group is being lost");
    enum status st = place(x, g, count, w);
    if (st != ST_OK) return st;
    for (int i = 0; i < count; i++)
        g[i].gone = false;
    replay_close(x->changelog);
    x->changelog = NULL;
    group_fetch(x->thread.group);
    metric_set(M_CONSUMER_PARTITIONS, x->partitions.count);
    return ST_OK;
}

static bool all_whole(const struct sales *x) {
    for (int i = 0; i < x->partitions.count; i++)
        if (!partition_is_whole(&x->partitions.all[i]) && !partition_is_lost(&x->partitions.all[i]))
            return false;
    return true;
}

static enum status read_changelog(struct sales *x, struct why *w) {
    enum status st = ST_OK;
    for (int i = 0; i < SLICE && st == ST_OK; i++) {
        rd_kafka_message_t *m = replay_next(x->changelog, i == 0 ? LOOK_MS : 0);
        if (m == NULL) break;
        if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            st = why(w, ST_LOST, "cannot read sales-changelog: %s", rd_kafka_message_errstr(m));
        else
            st = partitions_restore(&x->partitions, m, w);
        rd_kafka_message_destroy(m);
    }
    return st;
}

enum status sales_rebuild(struct sales *x, struct why *w) {
    if (x->changelog == NULL) {
        x->rebuilding = true;
        x->placed_at_us = clock_mono_us();
        enum status st = begin_rebuilding(x, w);
        if (st != ST_OK) return st;
    }
    enum status st = read_changelog(x, w);
    if (st == ST_OK && all_whole(x)) st = begin_reading(x, w);
    return st;
}

static int64_t left_to_read(const struct sales *x) {
    int64_t left = 0;
    for (int i = 0; i < x->partitions.count; i++) {
        const struct partition *p = &x->partitions.all[i];
        if (x->changelog != NULL)
            left += replay_left(x->changelog, changelog_topic, p->number, p->next);
        else if (p->position < p->end)
            left += p->end - p->position;
    }
    return left;
}

void sales_look_at_rebuilding(struct sales *x) {
    int64_t left = left_to_read(x);
    metric_set(M_SALES_REBUILD_LEFT, left);
    if (x->changelog != NULL || left > 0 || group_state(x->thread.group) != GROUP_FETCHING) {
        char text[80];
        snprintf(text, sizeof text, "reading %s, %lld records to go",
                 x->changelog != NULL ? changelog_topic : "orders", (long long)left);
        topic_thread_say_not_ready(&x->thread, text);
        return;
    }
    partitions_measure(&x->partitions);
    log_info("sales", "the counts of %d partitions are whole, of %lld tickets, after %lld ms",
             x->partitions.count, (long long)metric_value(M_SALES_TICKETS),
             (long long)(clock_mono_us() - x->placed_at_us) / 1000);
    x->rebuilding = false;
    topic_thread_say_ready(&x->thread);
}
