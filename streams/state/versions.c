#include "versions.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { SLOTS_LEAST = 64 };

struct entry {
    struct uuid id;
    int32_t version; /* 0: empty */
};
_Static_assert(sizeof(struct entry) == 20,
               "what an id takes, and a third to three fifths more for empty ones");

struct half {
    struct entry *slots; /* open addressing, linear, at most 3/4 full; NULL: none */
    uint32_t mask, count;
};

struct versions {
    struct half young, old;
    int64_t keep_ms, since_ms; /* the young one began; 0: with the first id */
};

struct versions *versions_new(int64_t keep_ms) {
    struct versions *v = mem_alloc(sizeof *v);
    v->keep_ms = keep_ms;
    return v;
}

void versions_free(struct versions *v) {
    if (v == NULL) return;
    free(v->young.slots);
    free(v->old.slots);
    free(v);
}

/* All bytes count: ids of places of a show differ in a few bits at their end. */
static uint32_t home_of(const struct uuid *id, uint32_t mask) {
    uint64_t part[2];
    memcpy(part, id->b, sizeof part);
    uint64_t h = (part[0] ^ part[0] >> 32) * UINT64_C(0x9e3779b97f4a7c15) ^ part[1];
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(h >> 32) & mask;
}

/* Where it is, or the empty place where it belongs. */
static struct entry *slot_of(const struct half *h, const struct uuid *id) {
    uint32_t at = home_of(id, h->mask);
    while (h->slots[at].version != 0 && !uuid_eq(&h->slots[at].id, id))
        at = (at + 1) & h->mask;
    return &h->slots[at];
}

static int32_t version_of(const struct half *h, const struct uuid *id) {
    return h->slots == NULL ? 0 : slot_of(h, id)->version;
}

static void grow(struct half *h) {
    struct half wider = {.mask = h->slots == NULL ? SLOTS_LEAST - 1 : h->mask * 2 + 1, .count = h->count};
    wider.slots = mem_alloc(((size_t)wider.mask + 1) * sizeof *wider.slots);
    for (uint32_t i = 0; h->slots != NULL && i <= h->mask; i++)
        if (h->slots[i].version != 0) *slot_of(&wider, &h->slots[i].id) = h->slots[i];
    free(h->slots);
    *h = wider;
}

static void put(struct half *h, const struct uuid *id, int32_t version) {
    if (h->slots == NULL || h->count + 1 > (h->mask + 1) / 4 * 3) grow(h);
    struct entry *slot = slot_of(h, id);
    if (slot->version == 0) h->count++;
    *slot = (struct entry){*id, version};
}

static void turn(struct versions *v, int64_t now_ms) {
    if (v->since_ms == 0) v->since_ms = now_ms;
    if (now_ms - v->since_ms < v->keep_ms) return;
    free(v->old.slots);
    v->old = v->young;
    v->young = (struct half){0};
    v->since_ms = now_ms;
}

bool versions_raise(struct versions *v, const struct uuid *id, int32_t version, int64_t now_ms) {
    turn(v, now_ms);
    if (version <= version_of(&v->young, id) || version <= version_of(&v->old, id)) return false;
    put(&v->young, id, version);
    return true;
}

size_t versions_count(const struct versions *v) {
    return (size_t)v->young.count + v->old.count;
}

static size_t bytes(const struct half *h) {
    return h->slots == NULL ? 0 : ((size_t)h->mask + 1) * sizeof *h->slots;
}

size_t versions_bytes(const struct versions *v) {
    return bytes(&v->young) + bytes(&v->old);
}
