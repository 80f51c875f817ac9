/* places: who waits for a show, each once, and in which place. It belongs to one room; one thread.
 *
 * Before the opening nobody has a place. The opening gives each a rank, a random number, and sorts by that;
 * equal ranks, of which there is one in a million rooms of a million people, by user id. Who comes later is
 * placed behind, in the order in which they come.
 *
 * In memory a person is 24 bytes, in an array in the order in which they joined, 4 bytes of an index by user
 * id, which is at most three quarters full, and after the opening 4 bytes of the order of places. The array
 * grows by half and the index to twice its size, so a person takes 34 bytes to 51 bytes; for a moment, while
 * places are given, 56. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uuid.h"

enum {
    PLACES_BYTES = 64, /* a person takes no more, from some hundred people on */
    PLACES_SAYS = 20,  /* times that somebody can say how many he wants, each of which is a record */
};

struct places;
struct places *places_new(void);
void places_free(struct places *p);

/* Somebody joins. false: has joined before, nothing changes. */
bool places_join(struct places *p, const struct uuid *user);
/* Gives places 1, 2, … by rank. */
void places_open(struct places *p, uint64_t (*rank)(const void *arg, const struct uuid *user),
                 const void *arg);

uint32_t places_count(const struct places *p); /* of people; after the opening also the last place */
/* false: has not joined. *place is 0 before the opening. */
bool places_find(const struct places *p, const struct uuid *user, uint32_t *place);
/* How many he wants, 1 to 8, as he said; 0: he did not. */
void places_say(struct places *p, const struct uuid *user, int want);
int places_want_of(const struct places *p, const struct uuid *user);
bool places_may_say(const struct places *p, const struct uuid *user); /* not too often */

/* After the opening, of a place from 1 to the last. */
const struct uuid *places_user(const struct places *p, uint32_t place);
int places_want(const struct places *p, uint32_t place);
bool places_has_bought(const struct places *p, uint32_t place);

/* Notes that somebody has bought so many at once, of which an order is known. false: has no place, or it was
 * noted before. */
bool places_note(struct places *p, const struct uuid *user, int size);
/* Another order of what was noted. false: all of them are known. */
bool places_note_more(struct places *p, const struct uuid *user);
size_t places_bytes(const struct places *p);
