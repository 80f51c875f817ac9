#include "timers.h"

#include <assert.h>
#include <stdlib.h>

#include "clock.h"
#include "expiration_metrics.h"
#include "mem.h"

static void forget(struct timers_partition *p) {
    wheel_free(p->wheel);
    *p = (struct timers_partition){0};
}

void timers_free(struct timers *t) {
    for (int i = 0; i < t->count; i++)
        forget(&t->all[i]);
    free(t->all);
    *t = (struct timers){0};
}

struct timers_partition *timers_of(struct timers *t, int32_t partition) {
    if (partition >= t->count) {
        t->all = mem_grow(t->all, (size_t)(partition + 1) * sizeof *t->all);
        memset(t->all + t->count, 0, (size_t)(partition + 1 - t->count) * sizeof *t->all);
        t->count = partition + 1;
    }
    return &t->all[partition];
}

void timers_begin(struct timers_partition *p, int64_t position) {
    forget(p);
    p->wheel = wheel_new(clock_wall_us() / 1000);
    p->position = position;
}

void timers_keep(struct timers *t, bool (*keep)(void *arg, int32_t partition), void *arg) {
    for (int i = 0; i < t->count; i++)
        if (!keep(arg, i)) forget(&t->all[i]);
}

void timers_hold(struct timers *t) {
    for (int i = 0; i < t->count; i++)
        t->all[i].firing = false;
}

int64_t timers_release(struct timers *t) {
    int64_t left = 0;
    for (int i = 0; i < t->count; i++) {
        struct timers_partition *p = &t->all[i];
        if (p->wheel == NULL) continue;
        p->firing = p->firing || p->position >= p->end;
        if (!p->firing) left += p->end - p->position;
    }
    return left;
}

/* --- what the topic says --- */

static struct timers_change *next_change(struct timers *t, int32_t partition, int64_t offset) {
    assert(t->nchanges < WHEEL_PREFETCH);
    struct timers_change *c = &t->changes[t->nchanges++];
    c->partition = partition;
    c->offset = offset;
    return c;
}

/* The whole state is in every event, so its type does not matter: a log that begins in the middle of an
 * order's life, or is repeated from there on, gives the same. */
void timers_order(struct timers *t, int32_t partition, int64_t offset, const struct order_event *order) {
    struct timers_change *c = next_change(t, partition, offset);
    c->order = order->id;
    c->ticket = order->ticket_id;
    c->due_ms = order->expires_at / 1000;
    c->live = order->status == ORDER_STATUS_CREATED || order->status == ORDER_STATUS_AWAITING_PAYMENT;
}

static void apply(struct timers_partition *p, const struct timers_change *c) {
    if (c->live)
        wheel_add(p->wheel, &c->order, &c->ticket, c->offset, c->due_ms);
    else
        wheel_remove(p->wheel, &c->order);
    p->position = c->offset + 1;
}

void timers_apply(struct timers *t) {
    struct uuid orders[WHEEL_PREFETCH];
    int64_t due_ms[WHEEL_PREFETCH];
    for (int i = 0; i < t->nchanges;) {
        int first = i, n = 0;
        int32_t partition = t->changes[i].partition;
        for (; i < t->nchanges && t->changes[i].partition == partition; i++) {
            orders[n] = t->changes[i].order;
            due_ms[n++] = t->changes[i].due_ms;
        }
        wheel_prefetch(t->all[partition].wheel, orders, due_ms, (size_t)n);
        for (int k = first; k < i; k++)
            apply(&t->all[partition], &t->changes[k]);
    }
    t->nchanges = 0;
}

void timers_passed(struct timers *t, int32_t partition, int64_t offset) {
    timers_apply(t); /* positions move in the order of records */
    t->all[partition].position = offset + 1;
}

bool timers_told(struct timers *t, int32_t partition, int64_t offset, const struct log_mark *mark) {
    struct timers_partition *p = &t->all[partition];
    if (!log_mark_is_old(mark, &p->newest)) return false;
    timers_passed(t, partition, offset);
    p->old = true;
    return true;
}

void timers_newest(struct timers *t, int32_t partition, int64_t offset, const struct log_mark *mark) {
    struct timers_partition *p = &t->all[partition];
    if (!mark->known) return;
    p->newest = *mark;
    p->newest_at = offset;
    p->old = false;
}

/* --- what they are for --- */

/* Not behind the newest, if old ones follow it: who begins there would not know them. */
int64_t timers_safe(const struct timers_partition *p) {
    int64_t oldest = wheel_oldest_offset(p->wheel), safe = oldest >= 0 ? oldest : p->position;
    return p->old && p->newest_at < safe ? p->newest_at : safe;
}

void timers_fire(struct timers *t, int64_t now_ms, int most,
                 int64_t (*fire)(void *ctx, const struct wheel_timer *timer), void *ctx) {
    enum { AT_ONCE = 256 }; /* of one partition, before it is another's turn */
    for (int i = 0; i < t->count && most > 0; i++) {
        struct timers_partition *p = &t->all[(t->turn + i) % t->count];
        if (!p->firing) continue;
        most -= wheel_expire(p->wheel, now_ms, most < AT_ONCE ? most : AT_ONCE, fire, ctx);
    }
    if (t->count > 0) t->turn = (t->turn + 1) % t->count;
}

int64_t timers_next_ms(const struct timers *t) {
    int64_t next_ms = INT64_MAX;
    for (int i = 0; i < t->count; i++) {
        if (!t->all[i].firing) continue;
        int64_t due_ms = wheel_next_ms(t->all[i].wheel);
        if (due_ms < next_ms) next_ms = due_ms;
    }
    return next_ms;
}

void timers_measure(const struct timers *t) {
    size_t count = 0, bytes = 0;
    for (int i = 0; i < t->count; i++) {
        if (t->all[i].wheel == NULL) continue;
        count += wheel_count(t->all[i].wheel);
        bytes += wheel_bytes(t->all[i].wheel);
    }
    metric_set(M_TIMERS, (int64_t)count);
    metric_set(M_TIMER_BYTES, (int64_t)bytes);
}
