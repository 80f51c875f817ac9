/* places: who waits for a show, each once, and in which place. It belongs to one room; one thread.
 *
 * Before the opening nobody has a place. The opening gives each a rank, a random number, and sorts by that;
 * equal ranks, of which there is one in a million rooms of a million people, by user id. Who comes later is
 * placed behind, in the order in which they come.
 *
 * In memory a person is 24 bytes, in an array in the order in which they joined, and 4 bytes of an index by
 * user id, which is at most three quarters full. The array grows by half and the index to twice its size, so
 * a person takes 34 bytes to 47 bytes; for a moment, while places are given, 55. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uuid.h"

enum { PLACES_BYTES = 64 }; /* a person takes no more, from some hundred people on */

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
/* Notes that somebody has bought. false: has no place, or it was noted before. */
bool places_note(struct places *p, const struct uuid *user);
size_t places_bytes(const struct places *p);
