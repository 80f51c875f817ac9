/* wheel_index: which entry an order has. An open-addressing hash table of (hash, entry), 8 bytes a slot, at
 * most 3/4 full.
 *
 * The hash beside the entry's number spares a cache miss: an entry is looked at only when the hash is equal,
 * and neither growing nor deleting looks at any. What is deleted leaves no mark: those behind it move up. It
 * grows a little with each addition, while two tables are in use, so that no addition waits for millions to
 * move. The hash has a secret key: who can choose ids can't make them collide. */
#pragma once

#include "wheel_entries.h"

struct index_slot {
    uint32_t hash;
    uint32_t entry; /* 0: empty */
};

struct index_table {
    struct index_slot *slots;
    uint32_t mask;
};

struct index {
    struct index_table table, old; /* old has no slots but while growing */
    uint32_t moved;                /* this many slots of old are empty for good */
    uint32_t count;
    uint64_t key[2];
};

void index_init(struct index *x);
void index_free(struct index *x);
size_t index_bytes(const struct index *x);

uint32_t index_hash(const struct index *x, const struct uuid *order);
void index_put(struct index *x, uint32_t hash, uint32_t entry);    /* one that is not there */
void index_delete(struct index *x, uint32_t hash, uint32_t entry); /* one that is */
void index_clear(struct index *x);                                 /* all, and gives the memory back */

uint32_t index_find(const struct index *x, uint32_t hash, const struct uuid *order,
                    const struct entry *at); /* 0: none */

/* Two steps of getting ready for one that is probably there: its slot into the cache, then its entry's number
 * out of it. */
void index_prefetch(const struct index *x, uint32_t hash);
uint32_t index_guess(const struct index *x, uint32_t hash);
