#include "stock.h"

#include <stdlib.h>

#include "mem.h"

struct area {
    struct uuid id;
    struct area *next; /* of the show */
    int32_t places;
    bool accessible;
    uint32_t taken;
    uint64_t *blocks; /* by the number of the block, a bit a place */
    uint32_t nblocks;
};

/* The areas of a show. */
struct areas {
    struct uuid show;
    struct area *first;
};

static void free_area(void *area) {
    struct area *a = area;
    free(a->blocks);
    free(a);
}

void stock_free(struct stock *s) {
    table_free(&s->areas, free_area);
    table_free(&s->shows, free);
}

static struct area *area_of(struct stock *s, const struct uuid *id, const struct uuid *show) {
    struct area *a = table_find(&s->areas, id);
    if (a != NULL) return a;
    struct areas *all = table_find(&s->shows, show);
    if (all == NULL) {
        all = mem_alloc(sizeof *all);
        all->show = *show;
        table_add(&s->shows, all);
    }
    a = mem_alloc(sizeof *a);
    a->id = *id;
    a->next = all->first;
    all->first = a;
    table_add(&s->areas, a);
    return a;
}

void stock_area(struct stock *s, const struct uuid *area, const struct uuid *show, int32_t places,
                bool accessible) {
    struct area *a = area_of(s, area, show);
    a->places = places;
    a->accessible = accessible;
}

/* A ticket's id is its area's, with its number in the last 24 bits: the block, and 6 bits of the place. */
bool stock_order(struct stock *s, const struct uuid *ticket, const struct uuid *show, bool taken) {
    struct uuid id = *ticket;
    uint32_t number = (uint32_t)id.b[13] << 16 | (uint32_t)id.b[14] << 8 | id.b[15];
    uint32_t block = number >> 6;
    uint64_t bit = UINT64_C(1) << (number & 63);
    id.b[13] = id.b[14] = id.b[15] = 0;
    struct area *a = area_of(s, &id, show);
    if (block >= a->nblocks) {
        uint32_t n = block + block / 2 + 1;
        a->blocks = mem_grow(a->blocks, n * sizeof *a->blocks);
        memset(a->blocks + a->nblocks, 0, (n - a->nblocks) * sizeof *a->blocks);
        a->nblocks = n;
    }
    if (((a->blocks[block] & bit) != 0) == taken) return false;
    a->blocks[block] ^= bit;
    a->taken += taken ? 1 : UINT32_MAX; /* one less */
    return true;
}

static bool is_among(const struct uuid *id, const struct uuid *ids, int n) {
    for (int i = 0; i < n; i++)
        if (uuid_eq(id, &ids[i])) return true;
    return n == 0;
}

int64_t stock_left(const struct stock *s, const struct uuid *show, int32_t places, const struct uuid *areas,
                   int nareas) {
    int64_t left = 0, known = 0;
    bool any = false;
    const struct areas *all = table_find(&s->shows, show);
    for (const struct area *a = all == NULL ? NULL : all->first; a != NULL; a = a->next) {
        known += a->places;
        if (a->places == 0 || !is_among(&a->id, areas, nareas)) continue;
        any = true;
        if (a->accessible) continue;
        left += a->places > (int64_t)a->taken ? a->places - (int64_t)a->taken : 0;
    }
    return any && known >= places ? left : -1;
}
