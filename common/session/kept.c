#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "priv/session_priv.h"

/* Sets of eight, so that a look-up is at most eight compares. There are more of them when one is full, up to
 * 131,072 places of 96 bytes: room for 50,000 users at once (they leave 4 sets in 1,000 without a place),
 * while an idle service has next to nothing. */
enum { WAYS = 8, LEAST_SETS = 64, MOST_SETS = 16384 };

struct entry {
    struct session_digest digest;
    uint64_t used;            /* when, in calls; 0: free */
    struct identity identity; /* its email is the entry's own */
};

struct session_kept {
    struct entry *entries; /* sets * WAYS */
    size_t sets;
    uint64_t calls;
};

struct session_kept *kept_new(void) {
    struct session_kept *kept = mem_alloc(sizeof *kept);
    kept->sets = LEAST_SETS;
    kept->entries = mem_alloc(LEAST_SETS * WAYS * sizeof(struct entry));
    return kept;
}

static void drop(struct entry *e) {
    free((char *)e->identity.email.p);
    *e = (struct entry){0};
}

void kept_drop_all(struct session_kept *kept) {
    for (size_t i = 0; i < kept->sets * WAYS; i++)
        drop(&kept->entries[i]);
}

void kept_free(struct session_kept *kept) {
    kept_drop_all(kept);
    free(kept->entries);
    free(kept);
}

static struct entry *set_of(struct session_kept *kept, const struct session_digest *digest) {
    return &kept->entries[(digest->a & (kept->sets - 1)) * WAYS];
}

static struct entry *find(struct session_kept *kept, const struct session_digest *digest) {
    struct entry *set = set_of(kept, digest);
    for (int i = 0; i < WAYS; i++)
        if (set[i].digest.a == digest->a && set[i].digest.b == digest->b && set[i].used > 0) return &set[i];
    return NULL;
}

const struct identity *kept_find(struct session_kept *kept, const struct session_digest *digest) {
    struct entry *e = find(kept, digest);
    if (e == NULL) return NULL;
    e->used = ++kept->calls;
    return &e->identity;
}

void kept_drop(struct session_kept *kept, const struct session_digest *digest) {
    struct entry *e = find(kept, digest);
    if (e != NULL) drop(e);
}

/* The one of the set that was not used for longest; free ones never were. */
static struct entry *oldest(struct entry *set) {
    struct entry *place = set;
    for (int i = 1; i < WAYS; i++)
        if (set[i].used < place->used) place = &set[i];
    return place;
}

/* Twice as many sets: what was in one is in either of two now, so there is a place for each. */
static void grow(struct session_kept *kept) {
    struct entry *before = kept->entries;
    size_t count = kept->sets * WAYS;
    kept->sets *= 2;
    kept->entries = mem_alloc(kept->sets * WAYS * sizeof *before);
    for (size_t i = 0; i < count; i++)
        if (before[i].used > 0) *oldest(set_of(kept, &before[i].digest)) = before[i];
    free(before);
}

const struct identity *kept_add(struct session_kept *kept, const struct session_digest *digest,
                                const struct identity *id) {
    struct entry *place = oldest(set_of(kept, digest));
    while (place->used > 0 && kept->sets < MOST_SETS) {
        grow(kept);
        place = oldest(set_of(kept, digest));
    }
    drop(place);
    char *email = mem_alloc(id->email.n + 1);
    memcpy(email, id->email.p, id->email.n);
    *place = (struct entry){.digest = *digest, .used = ++kept->calls, .identity = *id};
    place->identity.email.p = email;
    return &place->identity;
}

size_t kept_places(const struct session_kept *kept) {
    return kept->sets * WAYS;
}
