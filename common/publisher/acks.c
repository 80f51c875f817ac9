#include "priv/acks.h"

#include <assert.h>
#include <stdlib.h>

#include "clock.h"
#include "mem.h"
#include "priv/publisher_metrics.h"

/* At most one entry an event on its way (an empty transaction takes none), so the ring's size is bounded by
 * that of librdkafka's queue. It starts small and doubles. */
enum { FIRST_CAPACITY = 64 };

void acks_init(struct acks *a) {
    *a = (struct acks){.capacity = FIRST_CAPACITY, .ring = mem_alloc(FIRST_CAPACITY * sizeof *a->ring)};
}

void acks_free(struct acks *a) {
    free(a->ring);
    *a = (struct acks){0};
}

static struct acks_entry *entry(const struct acks *a, uint64_t number) {
    return &a->ring[number & (a->capacity - 1)];
}

static void grow(struct acks *a) {
    struct acks wider = *a;
    wider.capacity = 2 * a->capacity;
    wider.ring = mem_alloc(wider.capacity * sizeof *wider.ring);
    for (uint64_t n = a->head; n < a->next; n++)
        *entry(&wider, n) = *entry(a, n);
    free(a->ring);
    *a = wider;
}

void acks_begin(struct acks *a, int64_t committed_us) {
    assert(!a->open);
    a->open = true;
    a->entered = false;
    a->committed_us = committed_us;
}

uint64_t acks_event(struct acks *a) {
    assert(a->open);
    if (!a->entered) {
        if (a->next - a->head == a->capacity) grow(a);
        *entry(a, a->next++) = (struct acks_entry){.committed_us = a->committed_us};
        a->entered = true;
    }
    entry(a, a->next - 1)->pending++;
    a->unacked++;
    return a->next - 1;
}

static void observe(const struct acks_entry *e) {
    int64_t delay = clock_wall_us() - e->committed_us; /* by two machines' clocks: may come out below 0 */
    if (e->committed_us != 0) metric_observe_us(M_PUBLISH_TIME, delay > 0 ? delay : 0);
}

static void settle(struct acks *a) {
    uint64_t closed = a->open && a->entered ? a->next - 1 : a->next;
    while (a->head < closed && entry(a, a->head)->pending == 0) {
        observe(entry(a, a->head));
        a->confirmed = entry(a, a->head++)->end_lsn;
    }
}

/* Nothing was sent since the last entry (or commit): the LSN is as good as the one that waits there. */
static void pass(struct acks *a, uint64_t lsn) {
    uint64_t *waits = a->head == a->next ? &a->confirmed : &entry(a, a->next - 1)->end_lsn;
    if (lsn > *waits) *waits = lsn;
}

void acks_commit(struct acks *a, uint64_t end_lsn) {
    assert(a->open);
    a->open = false;
    if (!a->entered) {
        pass(a, end_lsn);
        return;
    }
    entry(a, a->next - 1)->end_lsn = end_lsn;
    settle(a);
}

void acks_passed(struct acks *a, uint64_t lsn) {
    if (!a->open) pass(a, lsn);
}

void acks_acknowledged(struct acks *a, uint64_t number) {
    assert(number >= a->head && number < a->next);
    struct acks_entry *e = entry(a, number);
    assert(e->pending > 0);
    a->unacked--;
    if (--e->pending == 0) settle(a);
}
