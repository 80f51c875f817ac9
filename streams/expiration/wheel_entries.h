/* wheel_entries: the memory of the wheel's timers: one array that grows without ever moving, addressed by
 * 32-bit indexes.
 *
 * An entry is one cache line. It is a member of two rings: its slot of the wheel, and its partition in the
 * order of offsets. Each ring has a head in the same array, so that leaving a ring asks for nothing but the
 * neighbours: the first entries are heads. */
#pragma once

#include <stdint.h>

#include "uuid.h"
#include "wheel.h"

enum {
    WHEEL_DIGIT_BITS = 11, /* of the time, a level: one of 2048 slots */
    WHEEL_LEVELS = 4,
    WHEEL_LEVEL_SLOTS = 1 << WHEEL_DIGIT_BITS,
    WHEEL_SLOTS = WHEEL_LEVELS * WHEEL_LEVEL_SLOTS,
    WHEEL_AGAIN_BITS = 2 * WHEEL_DIGIT_BITS,
    ENTRIES_HEADS = WHEEL_SLOTS + WHEEL_PARTITIONS, /* of slots, then of partitions */
};

#define WHEEL_AGAIN_MASK ((INT64_C(1) << WHEEL_AGAIN_BITS) - 1)
#define WHEEL_LAST_OFFSET                                                                                      \
    ((INT64_C(1) << 42) - 1) /* 4 × 10¹²; what is above counts as this: a restart reads more than it has to \
                              */

enum ring { RING_SLOT, RING_PARTITION, RINGS };

struct entry {
    struct uuid order, ticket;
    struct {
        uint32_t prev, next;
    } ring[RINGS];
    uint64_t due : 42;
    uint64_t again
        : WHEEL_AGAIN_BITS; /* from the second attempt on: when, within a slot of the third level */
    uint64_t offset : 42;
    uint64_t partition : 12;
    uint64_t attempt : 10;
};
_Static_assert(sizeof(struct entry) == 64, "a cache line");
_Static_assert(WHEEL_LAST_MS < INT64_C(1) << 42 && WHEEL_PARTITIONS <= 1 << 12 &&
                   WHEEL_LAST_ATTEMPT < 1 << 10,
               "fits");

struct entries {
    struct entry *at;
    uint32_t used, granted; /* heads, and what was ever taken; how many have memory */
    uint32_t free;          /* the first of those given back, 0: none */
    uint32_t taken;
    void *reserved;
};

void entries_init(struct entries *e);
void entries_free(struct entries *e);
size_t entries_bytes(const struct entries *e);

void entries_grow(struct entries *e);
void entries_shrink(struct entries *e); /* when none is taken: gives all memory but the heads' back */

static inline uint32_t entries_take(struct entries *e) {
    uint32_t i = e->free;
    if (i != 0) {
        e->free = e->at[i].ring[RING_SLOT].next;
    } else {
        if (e->used == e->granted) entries_grow(e);
        i = e->used++;
    }
    e->taken++;
    return i;
}

static inline void entries_give(struct entries *e, uint32_t i) {
    e->at[i].ring[RING_SLOT].next = e->free;
    e->free = i;
    e->taken--;
}

/* --- rings --- */

static inline void ring_init(struct entry *at, enum ring ring, uint32_t head) {
    at[head].ring[ring].prev = at[head].ring[ring].next = head;
}

static inline bool ring_is_empty(const struct entry *at, enum ring ring, uint32_t head) {
    return at[head].ring[ring].next == head;
}

static inline void ring_insert(struct entry *at, enum ring ring, uint32_t behind, uint32_t i) {
    uint32_t next = at[behind].ring[ring].next;
    at[i].ring[ring].prev = behind;
    at[i].ring[ring].next = next;
    at[behind].ring[ring].next = at[next].ring[ring].prev = i;
}

static inline void ring_leave(struct entry *at, enum ring ring, uint32_t i) {
    uint32_t prev = at[i].ring[ring].prev, next = at[i].ring[ring].next;
    at[prev].ring[ring].next = next;
    at[next].ring[ring].prev = prev;
}

/* All members of one ring to the end of another; the first head is left as it was. */
static inline void ring_move(struct entry *at, enum ring ring, uint32_t from, uint32_t to) {
    uint32_t first = at[from].ring[ring].next, last = at[from].ring[ring].prev, end = at[to].ring[ring].prev;
    if (first == from) return;
    at[end].ring[ring].next = first;
    at[first].ring[ring].prev = end;
    at[last].ring[ring].next = to;
    at[to].ring[ring].prev = last;
}
