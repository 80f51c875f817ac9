#include "live_index.h"

#include <stdlib.h>
#include <sys/random.h>

#include "mem.h"

enum { FIRST_BUCKETS = 256 };

/* Clients choose the ids they ask for, so which of them meet in a bucket must not be theirs to know. */
static struct live_want **bucket_of(const struct live_index *index, const struct uuid *id) {
    uint64_t halves[2];
    memcpy(halves, id->b, sizeof halves);
    uint64_t hash = (halves[0] ^ index->seed) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 32 ^ halves[1]) * (index->seed | 1);
    return &index->buckets[hash >> 32 & (index->nbuckets - 1)];
}

static void put(struct live_index *index, struct live_want *want) {
    struct live_want **bucket = bucket_of(index, &want->id);
    want->next = *bucket;
    want->at = bucket;
    if (want->next != NULL) want->next->at = &want->next;
    *bucket = want;
}

static void grow(struct live_index *index) {
    struct live_want **old = index->buckets;
    size_t n = index->nbuckets;
    if (n == 0 && getrandom(&index->seed, sizeof index->seed, 0) != sizeof index->seed) abort();
    index->nbuckets = n == 0 ? FIRST_BUCKETS : 2 * n;
    index->buckets = mem_alloc(index->nbuckets * sizeof *index->buckets);
    for (size_t i = 0; i < n; i++)
        for (struct live_want *want = old[i], *next; want != NULL; want = next) {
            next = want->next;
            put(index, want);
        }
    free(old);
}

void live_index_add(struct live_index *index, struct live_want *want) {
    if (index->count == index->nbuckets) grow(index);
    put(index, want);
    index->count++;
}

void live_index_remove(struct live_index *index, struct live_want *want) {
    if (want->at == NULL) return;
    *want->at = want->next;
    if (want->next != NULL) want->next->at = want->at;
    want->at = NULL;
    index->count--;
}

static struct live_want *same(struct live_want *from, const struct uuid *id) {
    while (from != NULL && !uuid_eq(&from->id, id))
        from = from->next;
    return from;
}

struct live_want *live_index_find(const struct live_index *index, const struct uuid *id) {
    return index->nbuckets == 0 ? NULL : same(*bucket_of(index, id), id);
}

struct live_want *live_index_next(const struct live_want *want) {
    return same(want->next, &want->id);
}

void live_index_free(struct live_index *index) {
    free(index->buckets);
    *index = (struct live_index){0};
}
