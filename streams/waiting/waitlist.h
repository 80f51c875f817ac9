/* waitlist: who is next on the waiting list of a room in which nothing was left. Part of the room; one
 * thread.
 *
 * On it are those whose turn has not come, and before them those whose turn was not over when nothing was
 * left, from when it is over, unless they have bought. What comes back is offered to the first for whom it is
 * enough. Nobody is offered anything twice.
 *
 * For each number of places it is noted up to where nobody waits any more who wants so many: each place is
 * looked at once for each number. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct room;

enum { WAITLIST_ANY = 0, WAITLIST_WANTS = 9 }; /* by how many they want, 1 to 8 */

/* Where to look on, by the number of places: [0] among those whose turn had come, [1] behind them. */
struct waitlist {
    uint32_t from;    /* the first place that may be on it */
    int64_t since_us; /* when the first turn came that was not over when nothing was left */
    uint32_t next[2][WAITLIST_WANTS];
};

/* When nothing is left. */
void waitlist_begin(struct room *r, int64_t at_us);
/* Somebody behind the turns wants another number than before. */
void waitlist_changed(struct room *r, uint32_t place, int want);
/* Passes those by who wait no more. To be called now and then, so that the next is found at once. */
void waitlist_pass(struct room *r, int64_t now_us);
/* The place of the first for whom so many are enough; 0: of nobody. `list` is the room's or a copy, and goes
 * on behind him. */
uint32_t waitlist_next(const struct room *r, struct waitlist *list, int64_t places, int64_t now_us);
/* How many each is offered who did not say. */
int waitlist_want(const struct room *r, uint32_t place);
/* Whether he may be offered something, now or later. */
bool waitlist_has(const struct room *r, uint32_t place);
/* The number of somebody on it, from 1: from the first who waits, by places: so some between them may not
 * wait any more. */
uint32_t waitlist_number(const struct room *r, uint32_t place);
