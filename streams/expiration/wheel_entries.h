/* wheel_entries: the memory of the wheel's timers: one array that grows without ever moving, addressed by
 * 32-bit indexes.
 *
 * An entry is one cache line, and a member of a ring: its slot of the wheel. Each ring has a head in the same
 * array (the first entries are heads), so to leave a ring only the two next to it have to be changed. */
#pragma once

#include <stdint.h>

#include "uuid.h"
#include "wheel.h"

enum {
    WHEEL_DIGIT_BITS = 11, /* of the time, a level: one of 2048 slots */
    WHEEL_LEVELS = 4,
    WHEEL_LEVEL_SLOTS = 1 << WHEEL_DIGIT_BITS,
    WHEEL_SLOTS = WHEEL_LEVELS * WHEEL_LEVEL_SLOTS,
    ENTRIES_LIMBO = WHEEL_SLOTS,       /* the head of those that are between two slots */
    ENTRIES_HEADS = ENTRIES_LIMBO + 1, /* of slots, and this one */
};

struct entry {
    struct uuid order, ticket;
    int64_t due_ms, again_ms; /* again_ms: when to fire, from the second attempt on */
    uint32_t prev, next;
    uint32_t span; /* of offsets (wheel_offsets.h) */
    int attempt;
};
_Static_assert(sizeof(struct entry) == 64, "a cache line");

struct entries {
    struct entry *at;
    uint32_t used, granted; /* heads, and what was ever taken; how many have memory */
    uint32_t free;          /* the first of those given back, 0: none */
    uint32_t taken;
    void *reserved;
};

void wheel_entries_init(struct entries *e);
void wheel_entries_free(struct entries *e);
size_t wheel_entries_bytes(const struct entries *e);

void wheel_entries_grow(struct entries *e);
void wheel_entries_shrink(struct entries *e); /* when none is taken: gives all memory but the heads' back */

static inline uint32_t entries_take(struct entries *e) {
    uint32_t i = e->free;
    if (i != 0) {
        e->free = e->at[i].next;
    } else {
        if (e->used == e->granted) wheel_entries_grow(e);
        i = e->used++;
    }
    e->taken++;
    return i;
}

static inline void entries_give(struct entries *e, uint32_t i) {
    e->at[i].next = e->free;
    e->free = i;
    e->taken--;
}

/* --- rings --- */

static inline void ring_init(struct entry *at, uint32_t head) {
    at[head].prev = at[head].next = head;
}

static inline bool ring_is_empty(const struct entry *at, uint32_t head) {
    return at[head].next == head;
}

static inline void ring_insert(struct entry *at, uint32_t behind, uint32_t i) {
    uint32_t next = at[behind].next;
    at[i].prev = behind;
    at[i].next = next;
    at[behind].next = at[next].prev = i;
}

static inline void ring_leave(struct entry *at, uint32_t i) {
    uint32_t prev = at[i].prev, next = at[i].next;
    at[prev].next = next;
    at[next].prev = prev;
}

/* All members of one ring, of which there are some, to the end of another; the first head is left as it was.
 */
static inline void ring_move(struct entry *at, uint32_t from, uint32_t to) {
    uint32_t first = at[from].next, last = at[from].prev, end = at[to].prev;
    at[end].next = first;
    at[first].prev = end;
    at[last].next = to;
    at[to].prev = last;
}
