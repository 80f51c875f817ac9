#include "offers.h"

#include <stdlib.h>

#include "mem.h"

enum { FIRST = 16 };

void offers_free(struct offers *o) {
    table_free(&o->by_user, free);
    free(o->all);
    *o = (struct offers){0};
}

void offers_add(struct offers *o, const struct offer *offer) {
    struct offer *added = mem_alloc(sizeof *added);
    *added = *offer;
    added->owed = added->want;
    if (o->count == o->room) {
        o->room = o->room == 0 ? FIRST : 2 * o->room;
        o->all = mem_grow(o->all, o->room * sizeof(struct offer *));
    }
    o->all[o->count++] = added;
    table_add(&o->by_user, added);
    o->places += (uint32_t)added->want;
    o->owed += added->owed;
    if (added->place > o->reached) o->reached = added->place;
}

struct offer *offers_find(const struct offers *o, const struct uuid *user) {
    return table_find(&o->by_user, user);
}

static void owe(struct offers *o, struct offer *offer, int places) {
    if (offer->over) return;
    o->owed += places - offer->owed;
    offer->owed = places;
}

/* Known so late that it has been counted as not taken: there is nothing that it owes. */
void offers_take(struct offers *o, struct offer *offer, int size) {
    if (offer->taken) return;
    offer->taken = true;
    o->taken++;
    if (offer->over) o->lapsed--;
    owe(o, offer, size > 1 ? size - 1 : 0);
}

void offers_take_more(struct offers *o, struct offer *offer) {
    if (offer->owed > 0) owe(o, offer, offer->owed - 1);
}

/* All have as much time, but for the end of the phase: so the first is over first. */
void offers_lapse(struct offers *o, int64_t now_us) {
    for (; o->ended < o->count; o->ended++) {
        struct offer *offer = o->all[o->ended];
        if (now_us < offer->until_us + OFFERS_SLACK_US) return;
        if (!offer->taken) o->lapsed++;
        owe(o, offer, 0);
        offer->over = true;
    }
}
