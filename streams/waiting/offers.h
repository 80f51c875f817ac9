/* offers: what has been offered to people on the waiting list of a room, and what of it may still be bought.
 * It belongs to one room; one thread.
 *
 * An offer is for a number of places and a time. It is over when he has bought, and otherwise when its time
 * is over, and OFFERS_SLACK_US after that: what he bought at the last moment is known by then. Until it is
 * over it owes as many places as he may still take. */
#pragma once

#include "table.h"

enum { OFFERS_MOST = 8 }; /* places; as many as a purchase can have */
#define OFFERS_SLACK_US (INT64_C(5) * 1000000)

struct offer {
    struct uuid user; /* first, for the table */
    uint32_t place;
    int want;
    bool taken, over;
    int owed;
    int64_t at_us, until_us;
};

struct offers {
    struct table by_user;
    struct offer **all;          /* in the order in which they were given */
    uint32_t count, room, ended; /* ended: as many from the first on are over, or were not taken in time */
    uint32_t places;             /* of all: it never falls */
    uint32_t reached;            /* the last place of all that have had one */
    uint32_t taken, lapsed;
    int64_t owed;
};

void offers_free(struct offers *o);
/* To somebody who has had none. */
void offers_add(struct offers *o, const struct offer *offer);
struct offer *offers_find(const struct offers *o, const struct uuid *user); /* NULL: has had none */
/* He has bought, size places at once, and the first order of that is known; then each of the others. */
void offers_take(struct offers *o, struct offer *offer, int size);
void offers_take_more(struct offers *o, struct offer *offer);
/* Ends those whose time is over. */
void offers_lapse(struct offers *o, int64_t now_us);
