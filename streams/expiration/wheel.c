#include "wheel.h"

#include <assert.h>
#include <stdlib.h>

#include "mem.h"
#include "wheel_entries.h"
#include "wheel_index.h"
#include "wheel_slots.h"

enum { WORTH_SHRINKING = 1 << 16 }; /* entries: 4 MiB */

struct wheel {
    struct entries entries;
    struct index index;
    struct slots slots;
    bool firing; /* fire is being called */
};

static int64_t within(int64_t x, int64_t least, int64_t most) {
    return x < least ? least : x > most ? most : x;
}

struct wheel *wheel_new(int64_t now_ms) {
    struct wheel *w = mem_alloc(sizeof *w);
    entries_init(&w->entries);
    index_init(&w->index);
    w->slots.now = within(now_ms, 0, WHEEL_LAST_MS - 1);
    return w;
}

void wheel_free(struct wheel *w) {
    if (w == NULL) return;
    entries_free(&w->entries);
    index_free(&w->index);
    free(w);
}

/* --- a partition's ring: its orders by offset --- */

static uint32_t partition_head(int partition) {
    assert(partition >= 0 && partition < WHEEL_PARTITIONS);
    return WHEEL_SLOTS + (uint32_t)partition;
}

static bool partition_is_new(const struct wheel *w, uint32_t head) {
    return w->entries.at[head].ring[RING_PARTITION].next == 0; /* which is a slot's head */
}

/* Records come in the order of offsets, so this looks at the last one only, unless some are read again. */
static void partition_enter(struct wheel *w, uint32_t i) {
    struct entry *at = w->entries.at;
    uint32_t head = partition_head(at[i].partition);
    if (partition_is_new(w, head)) ring_init(at, RING_PARTITION, head);
    uint32_t behind = at[head].ring[RING_PARTITION].prev;
    while (behind != head && at[behind].offset > at[i].offset)
        behind = at[behind].ring[RING_PARTITION].prev;
    ring_insert(at, RING_PARTITION, behind, i);
}

int64_t wheel_oldest_offset(const struct wheel *w, int partition) {
    uint32_t head = partition_head(partition), oldest = w->entries.at[head].ring[RING_PARTITION].next;
    return oldest == 0 || oldest == head ? -1 : (int64_t)w->entries.at[oldest].offset;
}

/* --- orders --- */

bool wheel_add(struct wheel *w, const struct uuid *order, const struct uuid *ticket, int partition,
               int64_t offset, int64_t due_ms) {
    assert(!w->firing && partition >= 0 && partition < WHEEL_PARTITIONS);
    uint32_t hash = index_hash(&w->index, order);
    if (index_find(&w->index, hash, order, w->entries.at) != 0) return false;
    uint32_t i = entries_take(&w->entries);
    struct entry *e = &w->entries.at[i];
    e->order = *order;
    e->ticket = *ticket;
    e->due = (uint64_t)within(due_ms, 0, WHEEL_LAST_MS) & WHEEL_LAST_MS;
    e->offset = (uint64_t)within(offset, 0, WHEEL_LAST_OFFSET) & WHEEL_LAST_OFFSET;
    e->partition = (unsigned)partition % WHEEL_PARTITIONS;
    e->attempt = 0;
    slots_enter(&w->slots, w->entries.at, i, (int64_t)e->due);
    partition_enter(w, i);
    index_put(&w->index, hash, i);
    return true;
}

static void forget(struct wheel *w, uint32_t hash, uint32_t i) {
    slots_leave(&w->slots, w->entries.at, i);
    ring_leave(w->entries.at, RING_PARTITION, i);
    index_delete(&w->index, hash, i);
    entries_give(&w->entries, i);
    if (w->entries.taken > 0 || w->entries.used < WORTH_SHRINKING) return;
    entries_shrink(&w->entries);
    index_clear(&w->index);
}

bool wheel_remove(struct wheel *w, const struct uuid *order) {
    assert(!w->firing);
    uint32_t hash = index_hash(&w->index, order), i = index_find(&w->index, hash, order, w->entries.at);
    if (i != 0) forget(w, hash, i);
    return i != 0;
}

void wheel_drop_partition(struct wheel *w, int partition) {
    assert(!w->firing);
    struct entry *at = w->entries.at;
    uint32_t head = partition_head(partition);
    if (partition_is_new(w, head)) return;
    for (uint32_t i = at[head].ring[RING_PARTITION].next, next; i != head; i = next) {
        next = at[i].ring[RING_PARTITION].next;
        forget(w, index_hash(&w->index, &at[i].order), i);
    }
}

/* In three rounds, each of which waits for all at once: what is found is where the next round looks. */
void wheel_prefetch(const struct wheel *w, const struct uuid *orders, size_t n) {
    const struct entry *at = w->entries.at;
    uint32_t hash[WHEEL_PREFETCH], entry[WHEEL_PREFETCH];
    if (n > WHEEL_PREFETCH) n = WHEEL_PREFETCH;
    for (size_t i = 0; i < n; i++) {
        hash[i] = index_hash(&w->index, &orders[i]);
        index_prefetch(&w->index, hash[i]);
    }
    for (size_t i = 0; i < n; i++) {
        entry[i] = index_guess(&w->index, hash[i]);
        if (entry[i] != 0) __builtin_prefetch(&at[entry[i]], 1);
    }
    for (size_t i = 0; i < n; i++) {
        for (int r = 0; r < RINGS && entry[i] != 0; r++) {
            __builtin_prefetch(&at[at[entry[i]].ring[r].prev], 1);
            __builtin_prefetch(&at[at[entry[i]].ring[r].next], 1);
        }
    }
}

/* --- time --- */

static void fire_one(struct wheel *w, uint32_t i, int64_t now,
                     int64_t (*fire)(void *ctx, const struct wheel_timer *t), void *ctx) {
    struct entry *e = &w->entries.at[i];
    __builtin_prefetch(&w->entries.at[e->ring[RING_SLOT].next], 1);
    struct wheel_timer t = {.order = e->order,
                            .ticket = e->ticket,
                            .due_ms = (int64_t)e->due,
                            .attempt = e->attempt,
                            .partition = e->partition};
    int64_t again = within(fire(ctx, &t), now + 1, now + WHEEL_MAX_BACKOFF_MS);
    slots_leave(&w->slots, w->entries.at, i);
    if (e->attempt < WHEEL_LAST_ATTEMPT) e->attempt++;
    e->again = (uint64_t)again & WHEEL_AGAIN_MASK;
    slots_enter(&w->slots, w->entries.at, i, again);
}

int wheel_expire(struct wheel *w, int64_t now_ms, int max,
                 int64_t (*fire)(void *ctx, const struct wheel_timer *t), void *ctx) {
    assert(!w->firing);
    int64_t now = within(now_ms, 0, WHEEL_LAST_MS - 1), start;
    int fired = 0;
    uint32_t slot;
    if (now < w->slots.now) slots_turn_back(&w->slots, w->entries.at, now);
    w->firing = true;
    while (fired < max && slots_next(&w->slots, &slot, &start) && start <= now) {
        w->slots.now = start;
        if (slot >= WHEEL_LEVEL_SLOTS) {
            slots_move_down(&w->slots, w->entries.at, slot);
        } else {
            for (; fired < max && !ring_is_empty(w->entries.at, RING_SLOT, slot); fired++)
                fire_one(w, w->entries.at[slot].ring[RING_SLOT].next, now, fire, ctx);
        }
    }
    w->firing = false;
    if (fired < max) w->slots.now = now;
    return fired;
}

int64_t wheel_next_ms(const struct wheel *w) {
    uint32_t slot;
    int64_t start;
    return slots_next(&w->slots, &slot, &start) ? start : INT64_MAX;
}

size_t wheel_count(const struct wheel *w) {
    return w->entries.taken;
}

size_t wheel_bytes(const struct wheel *w) {
    return sizeof *w + entries_bytes(&w->entries) + index_bytes(&w->index);
}
