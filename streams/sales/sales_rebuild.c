#include <stdlib.h>

#include "clock.h"
#include "group_metrics.h"
#include "log.h"
#include "mem.h"
#include "priv/sales_priv.h"
#include "sales_metrics.h"

enum { RECENT_MS = 60 * 1000 };

static void forget(void *sales) {
    struct sales *x = sales;
    partitions_free(&x->partitions);
    x->gathered = 0;
}

/* --- the changelog --- */

/* Our partitions of orders; the changelog's beside them are to be read. */
static int list(void *sales, const int64_t *ends, struct replay_part *parts) {
    struct sales *x = sales;
    int count, n = 0;
    const struct group_partition *g = group_partitions(x->exact.thread.group, &count);
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

static enum status restore(void *sales, const rd_kafka_message_t *m, struct why *w) {
    struct sales *x = sales;
    return partitions_restore(&x->partitions, m, w);
}

static bool whole(const void *sales) {
    const struct sales *x = sales;
    for (int i = 0; i < x->partitions.count; i++)
        if (!partition_is_whole(&x->partitions.all[i]) && !partition_is_lost(&x->partitions.all[i]))
            return false;
    return true;
}

/* --- orders --- */

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
    enum status st = g->next < 0 ? group_earliest(x->exact.thread.group, g, &g->next, w) : ST_OK;
    p->position = p->published = g->next;
    partition_add_up(p);
    return st;
}

/* Promises come again and again: those of the last minute will do. */
static enum status place(void *sales, struct why *w) {
    struct sales *x = sales;
    int count;
    struct group_partition *g = group_partitions(x->exact.thread.group, &count);
    int64_t *recent = mem_alloc((size_t)(count + 1) * sizeof *recent);
    enum status st =
        group_offsets_for_time(x->exact.thread.group, clock_wall_us() / 1000 - RECENT_MS, recent, w);
    for (int i = 0; i < count && st == ST_OK; i++) {
        if (g[i].topic == TOPIC_ORDERS)
            st = place_orders(x, &g[i], w);
        else
            g[i].next = recent[i];
    }
    free(recent);
    metric_set(M_CONSUMER_PARTITIONS, x->partitions.count);
    return st;
}

static int64_t left_to_read(const void *sales) {
    const struct sales *x = sales;
    int64_t left = 0;
    for (int i = 0; i < x->partitions.count; i++) {
        const struct partition *p = &x->partitions.all[i];
        if (x->exact.replay != NULL)
            left += replay_left(x->exact.replay, changelog_topic, p->number, p->next);
        else if (p->position < p->end)
            left += p->end - p->position;
    }
    metric_set(M_SALES_REBUILD_LEFT, left);
    if (left == 0) partitions_measure(&x->partitions); /* before it says that it is ready */
    return left;
}

const struct exact_work sales_work = {
    .written = changelog_topic,
    .topics = "orders",
    .forget = forget,
    .list = list,
    .restore = restore,
    .whole = whole,
    .place = place,
    .left = left_to_read,
    .write = sales_write,
    .ended = sales_ended,
};
