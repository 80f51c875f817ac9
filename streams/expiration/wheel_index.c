#include "wheel_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

enum {
    SMALLEST = 1024, /* slots: two pages */
    HUGE_PAGE = 2 << 20,
    MOVE_STEP = 16, /* slots of old that an addition empties: all, long before the new table is full */
};

static void fatal(const char *what) {
    perror(what);
    abort();
}

/* --- one table --- */

static size_t table_bytes(const struct index_table *t) {
    return t->slots == NULL ? 0 : ((size_t)t->mask + 1) * sizeof *t->slots;
}

static struct index_table table_new(size_t slots) {
    size_t bytes = slots * sizeof(struct index_slot);
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fatal("wheel: out of memory");
    if (bytes >= HUGE_PAGE) madvise(p, bytes, MADV_HUGEPAGE);
    return (struct index_table){p, (uint32_t)(slots - 1)};
}

static void table_free(struct index_table *t) {
    if (t->slots != NULL) munmap(t->slots, table_bytes(t));
    *t = (struct index_table){0};
}

static void table_put(struct index_table *t, struct index_slot slot) {
    uint32_t i = slot.hash & t->mask;
    while (t->slots[i].entry != 0)
        i = (i + 1) & t->mask;
    t->slots[i] = slot;
}

/* Closes the hole: whoever behind it would not be found any more moves into it and leaves the next. */
static void table_close(struct index_table *t, uint32_t hole) {
    for (uint32_t i = (hole + 1) & t->mask; t->slots[i].entry != 0; i = (i + 1) & t->mask) {
        uint32_t from_home = (i - t->slots[i].hash) & t->mask, from_hole = (i - hole) & t->mask;
        if (from_home < from_hole) continue;
        t->slots[hole] = t->slots[i];
        hole = i;
    }
    t->slots[hole] = (struct index_slot){0};
}

static bool table_delete(struct index_table *t, uint32_t hash, uint32_t entry) {
    if (t->slots == NULL) return false;
    for (uint32_t i = hash & t->mask; t->slots[i].entry != 0; i = (i + 1) & t->mask) {
        if (t->slots[i].entry != entry) continue;
        table_close(t, i);
        return true;
    }
    return false;
}

static uint32_t table_find(const struct index_table *t, uint32_t hash, const struct uuid *order,
                           const struct entry *at) {
    if (t->slots == NULL) return 0;
    for (uint32_t i = hash & t->mask; t->slots[i].entry != 0; i = (i + 1) & t->mask)
        if (t->slots[i].hash == hash && uuid_eq(&at[t->slots[i].entry].order, order))
            return t->slots[i].entry;
    return 0;
}

static uint32_t table_guess(const struct index_table *t, uint32_t hash) {
    if (t->slots == NULL) return 0;
    for (uint32_t i = hash & t->mask; t->slots[i].entry != 0; i = (i + 1) & t->mask)
        if (t->slots[i].hash == hash) return t->slots[i].entry;
    return 0;
}

/* --- growing --- */

/* Some slots, and on to the next empty one: a run of full slots moves as a whole, so that those left are
 * still found. */
static void move_some(struct index *x) {
    struct index_table *old = &x->old;
    uint32_t end = x->moved + MOVE_STEP;
    for (; x->moved <= old->mask && (x->moved < end || old->slots[x->moved].entry != 0); x->moved++) {
        if (old->slots[x->moved].entry == 0) continue;
        table_put(&x->table, old->slots[x->moved]);
        old->slots[x->moved] = (struct index_slot){0};
    }
    if (x->moved > old->mask) table_free(old);
}

/* Where the old table is not moved yet it still takes what belongs there: so the new one's memory is first
 * used in order, not all over at once, which would be a page fault an addition. Not around its end: the
 * beginning has moved. */
static bool put_in_old(struct index *x, struct index_slot slot) {
    uint32_t i = slot.hash & x->old.mask;
    if (i < x->moved) return false;
    while (i <= x->old.mask && x->old.slots[i].entry != 0)
        i++;
    if (i > x->old.mask) return false;
    x->old.slots[i] = slot;
    return true;
}

static void grow_if_full(struct index *x) {
    if (x->old.slots != NULL || x->count < (x->table.mask / 4 + 1) * 3) return;
    x->old = x->table;
    x->table = table_new(((size_t)x->old.mask + 1) * 2);
    x->moved = 0;
}

/* --- the index --- */

void index_init(struct index *x) {
    *x = (struct index){.table = table_new(SMALLEST)};
    while (getrandom(x->key, sizeof x->key, 0) != sizeof x->key)
        if (errno != EINTR) fatal("wheel: getrandom");
}

void index_free(struct index *x) {
    table_free(&x->table);
    table_free(&x->old);
}

size_t index_bytes(const struct index *x) {
    return table_bytes(&x->table) + table_bytes(&x->old);
}

/* The halves of a product of 128 bits, folded: each bit of the id reaches all bits of the hash in one
 * multiplication. */
uint32_t index_hash(const struct index *x, const struct uuid *order) {
    uint64_t half[2];
    memcpy(half, order->b, sizeof half);
    unsigned __int128 product = (unsigned __int128)(half[0] ^ x->key[0]) * (half[1] ^ x->key[1]);
    uint64_t folded = (uint64_t)product ^ (uint64_t)(product >> 64);
    return (uint32_t)(folded ^ folded >> 32);
}

void index_put(struct index *x, uint32_t hash, uint32_t entry) {
    struct index_slot slot = {hash, entry};
    grow_if_full(x);
    if (x->old.slots != NULL) move_some(x);
    if (x->old.slots == NULL || !put_in_old(x, slot)) table_put(&x->table, slot);
    x->count++;
}

void index_delete(struct index *x, uint32_t hash, uint32_t entry) {
    if (!table_delete(&x->table, hash, entry)) table_delete(&x->old, hash, entry);
    x->count--;
}

void index_clear(struct index *x) {
    index_free(x);
    x->table = table_new(SMALLEST);
    x->count = 0;
}

uint32_t index_find(const struct index *x, uint32_t hash, const struct uuid *order, const struct entry *at) {
    uint32_t entry = table_find(&x->table, hash, order, at);
    return entry != 0 ? entry : table_find(&x->old, hash, order, at);
}

void index_prefetch(const struct index *x, uint32_t hash) {
    __builtin_prefetch(&x->table.slots[hash & x->table.mask]);
    if (x->old.slots != NULL) __builtin_prefetch(&x->old.slots[hash & x->old.mask]);
}

uint32_t index_guess(const struct index *x, uint32_t hash) {
    uint32_t entry = table_guess(&x->table, hash);
    return entry != 0 ? entry : table_guess(&x->old, hash);
}
