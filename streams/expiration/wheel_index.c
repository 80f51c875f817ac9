#include "wheel_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

enum {
    SMALLEST = 64, /* buckets: a page */
    HUGE_PAGE = 2 << 20,
    MOVE_STEP = 2, /* buckets of old that an addition empties: all, long before the new table is full */
};

static void fatal(const char *what) {
    perror(what);
    abort();
}

/* --- one table --- */

static size_t table_bytes(const struct index_table *t) {
    return t->buckets == NULL ? 0 : ((size_t)t->mask + 1) * sizeof *t->buckets;
}

static struct index_table table_new(size_t buckets) {
    size_t bytes = buckets * sizeof(struct index_bucket);
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fatal("wheel: out of memory");
    if (bytes >= HUGE_PAGE) madvise(p, bytes, MADV_HUGEPAGE);
    return (struct index_table){p, (uint32_t)(buckets - 1)};
}

static void table_free(struct index_table *t) {
    if (t->buckets != NULL) munmap(t->buckets, table_bytes(t));
    *t = (struct index_table){0};
}

/* A bit for each place that has this value. Without a branch for each, none of which could be foreseen, and
 * without a loop around them, which takes longer than they do. */
static unsigned places(const uint32_t values[INDEX_BUCKET], uint32_t value) {
    unsigned found = 0;
#pragma GCC unroll 8
    for (int i = 0; i < INDEX_BUCKET; i++)
        found |= (unsigned)(values[i] == value) << i;
    return found;
}

static void table_put(struct index_table *t, uint32_t hash, uint32_t entry) {
    uint32_t i = hash & t->mask;
    unsigned empty;
    for (; (empty = places(t->buckets[i].entry, 0)) == 0; i = (i + 1) & t->mask)
        t->buckets[i].passed++;
    int place = __builtin_ctz(empty);
    t->buckets[i].hash[place] = hash;
    t->buckets[i].entry[place] = entry;
}

static void table_clear(struct index_table *t, uint32_t bucket, int place) {
    t->buckets[bucket].entry[place] = 0;
    for (uint32_t i = t->buckets[bucket].hash[place] & t->mask; i != bucket; i = (i + 1) & t->mask)
        t->buckets[i].passed--;
}

static bool table_delete(struct index_table *t, uint32_t hash, uint32_t entry) {
    if (t->buckets == NULL) return false;
    for (uint32_t i = hash & t->mask;; i = (i + 1) & t->mask) {
        unsigned found = places(t->buckets[i].entry, entry);
        if (found != 0) {
            table_clear(t, i, __builtin_ctz(found));
            return true;
        }
        if (t->buckets[i].passed == 0) return false;
    }
}

/* at NULL: the first that has this hash. */
static uint32_t table_find(const struct index_table *t, uint32_t hash, const struct uuid *order,
                           const struct entry *at) {
    if (t->buckets == NULL) return 0;
    for (uint32_t i = hash & t->mask;; i = (i + 1) & t->mask) {
        const struct index_bucket *b = &t->buckets[i];
        for (unsigned found = places(b->hash, hash); found != 0; found &= found - 1) {
            uint32_t entry = b->entry[__builtin_ctz(found)];
            if (entry != 0 && (at == NULL || uuid_eq(&at[entry].order, order))) return entry;
        }
        if (b->passed == 0) return 0;
    }
}

/* --- growing --- */

static void move_some(struct index *x) {
    struct index_table *old = &x->old;
    for (int n = 0; n < MOVE_STEP && x->moved <= old->mask; n++, x->moved++) {
        const struct index_bucket *b = &old->buckets[x->moved];
        for (int i = 0; i < INDEX_BUCKET; i++) {
            if (b->entry[i] == 0) continue;
            table_put(&x->table, b->hash[i], b->entry[i]);
            table_clear(old, x->moved, i);
        }
    }
    if (x->moved > old->mask) table_free(old);
}

/* Where the old table is not moved yet it still takes what fits there: so the new one's memory is first used
 * in order, not all over at once, which would be a page fault an addition. */
static bool fits_old(const struct index *x, uint32_t hash) {
    if (x->old.buckets == NULL) return false;
    uint32_t i = hash & x->old.mask;
    return i >= x->moved && places(x->old.buckets[i].entry, 0) != 0;
}

static void grow_if_full(struct index *x) {
    if (x->old.buckets != NULL || x->count < (x->table.mask + 1) / 4 * 3 * INDEX_BUCKET) return;
    x->old = x->table;
    x->table = table_new(((size_t)x->old.mask + 1) * 2);
    x->moved = 0;
}

/* --- the index --- */

void wheel_index_init(struct index *x) {
    *x = (struct index){.table = table_new(SMALLEST)};
    while (getrandom(x->key, sizeof x->key, 0) != sizeof x->key)
        if (errno != EINTR) fatal("wheel: getrandom");
}

void wheel_index_free(struct index *x) {
    table_free(&x->table);
    table_free(&x->old);
}

size_t wheel_index_bytes(const struct index *x) {
    return table_bytes(&x->table) + table_bytes(&x->old);
}

/* The halves of a product of 128 bits, folded: each bit of the id reaches all bits of it. Of ids in a row
 * they are in a row too, more or less, and may crowd: what a second multiplication scatters. */
uint32_t wheel_index_hash(const struct index *x, const struct uuid *order) {
    uint64_t half[2];
    memcpy(half, order->b, sizeof half);
    unsigned __int128 product = (unsigned __int128)(half[0] ^ x->key[0]) * (half[1] ^ x->key[1]);
    uint64_t folded = (uint64_t)product ^ (uint64_t)(product >> 64);
    folded ^= folded >> 32;
    return (uint32_t)(folded * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

void wheel_index_put(struct index *x, uint32_t hash, uint32_t entry) {
    grow_if_full(x);
    if (x->old.buckets != NULL) move_some(x);
    table_put(fits_old(x, hash) ? &x->old : &x->table, hash, entry);
    x->count++;
}

void wheel_index_delete(struct index *x, uint32_t hash, uint32_t entry) {
    if (!table_delete(&x->table, hash, entry)) table_delete(&x->old, hash, entry);
    x->count--;
}

void wheel_index_clear(struct index *x) {
    wheel_index_free(x);
    x->table = table_new(SMALLEST);
    x->count = 0;
}

uint32_t wheel_index_find(const struct index *x, uint32_t hash, const struct uuid *order,
                          const struct entry *at) {
    uint32_t entry = table_find(&x->table, hash, order, at);
    return entry != 0 ? entry : table_find(&x->old, hash, order, at);
}

void wheel_index_prefetch(const struct index *x, uint32_t hash) {
    __builtin_prefetch(&x->table.buckets[hash & x->table.mask], 1);
    if (x->old.buckets != NULL) __builtin_prefetch(&x->old.buckets[hash & x->old.mask], 1);
}

uint32_t wheel_index_guess(const struct index *x, uint32_t hash) {
    return wheel_index_find(x, hash, NULL, NULL);
}
