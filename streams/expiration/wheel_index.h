/* wheel_index: which entry an order has. A hash table of buckets of a cache line: 7 times (hash, entry), at
 * most 3/4 full.
 *
 * An order whose bucket is full goes into the next one that has room, and each bucket that it passed counts
 * it. So a search ends at the first bucket that nothing has passed, which is mostly the order's own; deleting
 * takes it out of the counts again. The hash beside the entry's number spares a cache miss: an entry is
 * looked at only when the hash is equal, and neither growing nor deleting looks at any. The table grows a
 * little with each addition, while two tables are in use, so no addition waits for millions to move. The hash
 * has a secret key: whoever can choose ids cannot make them collide. */
#pragma once

#include "wheel_entries.h"

enum { INDEX_BUCKET = 7 };

struct index_bucket {
    uint32_t hash[INDEX_BUCKET];
    uint32_t entry[INDEX_BUCKET]; /* 0: empty */
    uint32_t passed;              /* how many went on from here */
    uint32_t unused;
};
_Static_assert(sizeof(struct index_bucket) == 64, "a cache line");

struct index_table {
    struct index_bucket *buckets;
    uint32_t mask;
};

struct index {
    struct index_table table, old; /* old has no buckets but while growing */
    uint32_t moved;                /* this many buckets of old are empty for good */
    uint32_t count;
    uint64_t key[2];
};

void wheel_index_init(struct index *x);
void wheel_index_free(struct index *x);
size_t wheel_index_bytes(const struct index *x);

uint32_t wheel_index_hash(const struct index *x, const struct uuid *order);
void wheel_index_put(struct index *x, uint32_t hash, uint32_t entry);    /* one that is not there */
void wheel_index_delete(struct index *x, uint32_t hash, uint32_t entry); /* one that is */
void wheel_index_clear(struct index *x);                                 /* all, and gives the memory back */

uint32_t wheel_index_find(const struct index *x, uint32_t hash, const struct uuid *order,
                          const struct entry *at); /* 0: none */

/* Two steps of getting ready for one that is probably there: its bucket into the cache, then its entry's
 * number out of it. */
void wheel_index_prefetch(const struct index *x, uint32_t hash);
uint32_t wheel_index_guess(const struct index *x, uint32_t hash);
