/* room: the queue of one show for one phase, as its records on the topic `waiting` make it. No clock, no
 * Kafka: the same records make the same room, in each replica and in tools/verify-queue. It belongs to one
 * thread.
 *
 * Which records count:
 * - announced begins a later round when there is none, or the one before is closed. Of the round that is
 * there it changes when it closes and, before it is open, when it opens, unless it goes by an older version
 * of the show. For an hour a round that was closed goes on by it, with all its places, if it goes by a later
 * version of the show than the closing. The seed's hash of a round never changes.
 * - joined: the first of a user in the round.
 * - opened: once a round, not before its time, and only with the seed that the hash was of. From then on
 * there are places.
 * - serving: only more than before, and no more than there are people.
 * - closed: not before its time, unless by a later version of the show.
 *
 * So a record that comes twice, or that two replicas write at the same time, changes nothing the second time.
 */
#pragma once

#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>

#include "places.h"
#include "uuid.h"

enum { SEED_BYTES = 32 };
#define ROOM_KEPT_US (INT64_C(3600) * 1000000) /* after it was closed */

/* Those whose turn came by one record: behind the turn before, up to `serving`. Turns whose time has been
 * over for a minute become one, so that they take no memory for each. */
struct room_turn {
    uint32_t serving, bought; /* bought: how many of them have */
    int64_t at_us, until_us;
};

/* What is announced of a round. */
struct room_times {
    int round;
    int32_t show_version; /* that it goes by */
    int64_t opens_us, closes_us;
    int64_t at_us; /* when it was written */
};

struct room {
    struct uuid show;
    int round;
    bool open, closed;
    int32_t show_version;
    int64_t opens_us, closes_us;
    uint8_t seed_hash[SEED_BYTES];
    bool seed_known; /* before the opening: we could make it */
    uint8_t seed[SEED_BYTES];
    crypto_hash_sha256_state joins; /* of the ids of all who joined before the opening, in their order */
    struct places *places;

    struct room_turn *turns;
    uint32_t nturns, turns_room;
    int64_t closed_us;
    int64_t opened_us;  /* by the clock of who wrote it; ours, if that was ahead */
    struct uuid writer; /* of the last record that was not somebody's joining */
};

void room_free(struct room *r);

/* Each returns whether the record counted. */
bool room_announce(struct room *r, const struct room_times *times, const uint8_t seed_hash[SEED_BYTES]);
bool room_join(struct room *r, int round, const struct uuid *user);
bool room_open(struct room *r, int round, const uint8_t seed[SEED_BYTES], int64_t at_us);
bool room_serve(struct room *r, int round, uint32_t serving, int64_t at_us, int64_t until_us);
bool room_close(struct room *r, int round, int32_t show_version, int64_t at_us);
/* Gives up the places of a round that was closed so long ago that no record can let it go on. */
void room_forget(struct room *r, int64_t now_us);

/* The seed of a round that is announced, if we can make it. false: it is of another hash. */
bool room_know_seed(struct room *r, const uint8_t seed[SEED_BYTES]);
void room_hash_seed(const uint8_t seed[SEED_BYTES], uint8_t hash[SEED_BYTES]);

/* By what places are drawn: HMAC-SHA256(seed, SHA-256(the ids of all who joined before the opening, 16 bytes
 * each, in the order of the log)). So before the last of them has joined nobody knows it, whoever has the
 * seed. */
void room_draw(const uint8_t seed[SEED_BYTES], const crypto_hash_sha256_state *joins,
               uint8_t draw[SEED_BYTES]);
/* The first 8 bytes of SHA-256(draw, the 16 bytes of the user id), big endian. */
uint64_t room_rank(const uint8_t draw[SEED_BYTES], const struct uuid *user);

bool room_is_there(const struct room *r); /* announced and not closed */
uint32_t room_people(const struct room *r);
size_t room_bytes(const struct room *r);      /* of memory, for people and turns */
uint32_t room_serving(const struct room *r);  /* up to which place it has been people's turn */
int64_t room_served_us(const struct room *r); /* when that changed last, or the opening */
/* The turn of a place; NULL: not yet. */
const struct room_turn *room_turn_of(const struct room *r, uint32_t place);
/* Somebody has bought; it counts once a person, and when it was after his turn came. false: his turn is not
 * known yet. */
bool room_bought(struct room *r, const struct uuid *user, int64_t at_us);
/* How many have not bought of those whose turn was over by a moment. */
uint32_t room_missed(const struct room *r, int64_t at_us);
/* How many may still buy whose turn has come: they have not bought, and have time. */
uint32_t room_buying(const struct room *r, int64_t now_us);
