#include "table.h"

#include <stdlib.h>

#include "mem.h"

enum { FIRST = 16 };

/* Where it is, or the free slot where it belongs. */
static void **slot_of(const struct table *t, const struct uuid *id) {
    uint32_t i = uuid_hash(id) & (t->size - 1);
    while (t->slots[i] != NULL && !uuid_eq(t->slots[i], id))
        i = (i + 1) & (t->size - 1);
    return &t->slots[i];
}

void *table_find(const struct table *t, const struct uuid *id) {
    return t->size == 0 ? NULL : *slot_of(t, id);
}

static void grow(struct table *t) {
    struct table old = *t;
    t->size = old.size == 0 ? FIRST : 2 * old.size;
    t->slots = mem_alloc(t->size * sizeof *t->slots);
    for (uint32_t i = 0; i < old.size; i++)
        if (old.slots[i] != NULL) *slot_of(t, old.slots[i]) = old.slots[i];
    free(old.slots);
}

void table_add(struct table *t, void *thing) {
    if (t->count >= t->size / 2) grow(t);
    *slot_of(t, thing) = thing;
    t->count++;
}

void *table_next(const struct table *t, uint32_t *at) {
    while (*at < t->size)
        if (t->slots[(*at)++] != NULL) return t->slots[*at - 1];
    return NULL;
}

void table_free(struct table *t, void (*free_thing)(void *thing)) {
    uint32_t at = 0;
    for (void *thing; (thing = table_next(t, &at)) != NULL;)
        free_thing(thing);
    free(t->slots);
    *t = (struct table){0};
}
