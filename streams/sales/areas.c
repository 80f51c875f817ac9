#include "areas.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum {
    SLOTS_LEAST = 64,
    MINUTE_MS = 60000,
    NUMBER_BYTES = 3, /* of a ticket's id, within its area: there the area's id is zero */
};

struct areas {
    struct area **slots; /* open addressing, linear, at most 3/4 full */
    uint32_t mask, count;
    struct area **changed;
    uint32_t nchanged, changed_cap;
};

struct areas *areas_new(void) {
    struct areas *as = mem_alloc(sizeof *as);
    as->mask = SLOTS_LEAST - 1;
    as->slots = mem_alloc(SLOTS_LEAST * sizeof(struct area *));
    return as;
}

void areas_free(struct areas *as) {
    if (as == NULL) return;
    for (uint32_t i = 0; i <= as->mask; i++) {
        if (as->slots[i] == NULL) continue;
        free(as->slots[i]->minutes);
        free(as->slots[i]);
    }
    free(as->slots);
    free(as->changed);
    free(as);
}

/* --- areas --- */

static struct area **slot_of(struct area **slots, uint32_t mask, const struct uuid *id) {
    uint32_t at = uuid_hash(id) & mask;
    while (slots[at] != NULL && !uuid_eq(&slots[at]->id, id))
        at = (at + 1) & mask;
    return &slots[at];
}

static void grow(struct areas *as) {
    uint32_t mask = as->mask * 2 + 1;
    struct area **slots = mem_alloc(((size_t)mask + 1) * sizeof(struct area *));
    for (uint32_t i = 0; i <= as->mask; i++)
        if (as->slots[i] != NULL) *slot_of(slots, mask, &as->slots[i]->id) = as->slots[i];
    free(as->slots);
    as->slots = slots;
    as->mask = mask;
}

static struct area *area_of(struct areas *as, const struct uuid *ticket, const struct uuid *show,
                            const char currency[CURRENCY_TEXT]) {
    struct uuid id = *ticket;
    memset(id.b + sizeof id.b - NUMBER_BYTES, 0, NUMBER_BYTES);
    struct area **slot = slot_of(as->slots, as->mask, &id);
    if (*slot != NULL) return *slot;
    if (as->count + 1 > (as->mask + 1) / 4 * 3) {
        grow(as);
        slot = slot_of(as->slots, as->mask, &id);
    }
    *slot = mem_alloc(sizeof **slot);
    (*slot)->id = id;
    (*slot)->show = *show;
    memcpy((*slot)->currency, currency, CURRENCY_TEXT);
    as->count++;
    return *slot;
}

static void list(struct areas *as, struct area *a) {
    if (a->listed) return;
    a->listed = true;
    if (as->nchanged == as->changed_cap) {
        as->changed_cap = as->changed_cap == 0 ? 64 : as->changed_cap * 2;
        as->changed = mem_grow(as->changed, as->changed_cap * sizeof(struct area *));
    }
    as->changed[as->nchanged++] = a;
}

/* --- their minutes --- */

static struct area_minute *minute_of(struct area *a, uint32_t minute) {
    uint32_t at = a->nminutes;
    while (at > 0 && a->minutes[at - 1].minute > minute)
        at--;
    if (at > 0 && a->minutes[at - 1].minute == minute) return &a->minutes[at - 1];
    if ((a->nminutes & (a->nminutes - 1)) == 0) /* full: its room is a power of 2 */
        a->minutes = mem_grow(a->minutes, (a->nminutes == 0 ? 1 : a->nminutes * 2) * sizeof *a->minutes);
    memmove(&a->minutes[at + 1], &a->minutes[at], (a->nminutes - at) * sizeof *a->minutes);
    a->minutes[at] = (struct area_minute){.minute = minute};
    a->nminutes++;
    return &a->minutes[at];
}

static void note(struct areas *as, struct area *a, struct area_minute *m, uint16_t ms, bool changed) {
    if (ms > m->last_ms) m->last_ms = ms;
    if (!changed) return;
    m->changed = true;
    list(as, a);
}

void areas_add_ticket(struct areas *as, const struct ticket *t, bool changed) {
    struct area *a = area_of(as, &t->id, &t->show, t->currency);
    for (uint32_t i = 0; i < t->nwindows; i++) {
        struct area_minute *m = minute_of(a, t->windows[i].minute);
        windows_sums_add(&m->sums, &t->windows[i]);
        note(as, a, m, t->windows[i].last_ms, changed);
    }
}

void areas_add_sale(struct areas *as, const struct sale *sale) {
    struct area *a = area_of(as, &sale->ticket, &sale->show, sale->currency);
    struct area_minute *m = minute_of(a, (uint32_t)(sale->at_ms / MINUTE_MS));
    m->sums.placed += sale->kind == SALE_PLACED;
    m->sums.sold += sale->kind == SALE_SOLD;
    m->sums.cancelled += sale->kind == SALE_CANCELLED || sale->kind == SALE_EXPIRED;
    m->sums.expired += sale->kind == SALE_EXPIRED;
    m->sums.revenue += sale->kind == SALE_SOLD ? sale->price : 0;
    note(as, a, m, (uint16_t)(sale->at_ms % MINUTE_MS), true);
}

void areas_close(struct areas *as, uint32_t from, uint32_t until) {
    for (uint32_t i = 0; i <= as->mask; i++) {
        struct area *a = as->slots[i];
        for (uint32_t k = a == NULL ? 0 : a->nminutes; k > 0 && a->minutes[k - 1].minute >= from; k--) {
            if (a->minutes[k - 1].minute >= until) continue;
            a->minutes[k - 1].closing = true;
            list(as, a);
        }
    }
}

void areas_take_changes(struct areas *as,
                        void (*take)(void *arg, const struct area *area, const struct area_minute *m),
                        void *arg) {
    for (uint32_t i = 0; i < as->nchanged; i++) {
        struct area *a = as->changed[i];
        a->listed = false;
        for (uint32_t k = 0; k < a->nminutes; k++) {
            struct area_minute *m = &a->minutes[k];
            if (m->changed || m->closing) take(arg, a, m);
            m->changed = m->closing = false;
        }
    }
    as->nchanged = 0;
}

void areas_forget(struct areas *as, uint32_t before) {
    for (uint32_t i = 0; i <= as->mask; i++) {
        struct area *a = as->slots[i];
        uint32_t gone = 0;
        while (a != NULL && gone < a->nminutes && a->minutes[gone].minute < before &&
               !a->minutes[gone].changed)
            gone++;
        if (gone == 0) continue;
        a->nminutes -= gone;
        memmove(a->minutes, a->minutes + gone, a->nminutes * sizeof *a->minutes);
    }
}
