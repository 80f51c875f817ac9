/* room: the queue of one show for one phase, as its records on the topic `waiting` make it. No clock, no
 * Kafka: the same records make the same room, in each replica and in tools/verify-queue. It belongs to one
 * thread.
 *
 * Which records count:
 * - announced begins a later round when there is none, or the one before is closed. Of the round that is
 * there it changes when it closes and, before it is open, when it opens, unless it goes by an older version
 * of the show. For an hour a round that was closed goes on by it, with all its places, if it goes by a later
 * version of the show than the closing. The seed's hash of a round never changes.
 * - joined: the first of a user in the round. Another of his changes how many he wants, until his turn comes
 * or he is offered something.
 * - opened: once a round, not before its time, and only with the seed that the hash was of. From then on
 * there are places.
 * - serving: only more than before, and no more than there are people, until nothing was left.
 * - sold out: once a round that is open. From then on there are no turns, and who waits is on the waiting
 * list.
 * - offered: to somebody on the waiting list, once, and only if `offered`, the places of all offers, is as
 * many more than before as he wants. So of two that replicas write at the same moment one counts.
 * - closed: not before its time, unless by a later version of the show.
 *
 * So a record that comes twice, or that two replicas write at the same time, changes nothing the second time.
 */
#pragma once

#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>

#include "offers.h"
#include "places.h"
#include "uuid.h"
#include "waitlist.h"

enum { SEED_BYTES = 32 };
#define ROOM_KEPT_US (INT64_C(3600) * 1000000) /* after it was closed */

/* Those whose turn came by one record: behind the turn before, up to `serving`. Turns whose time has been
 * over for a minute become one, so that they take no memory for each. */
struct room_turn {
    uint32_t serving, bought;       /* bought: how many of them have */
    uint32_t unsaid, unsaid_bought; /* who did not say how many they want */
    int32_t
        owed; /* places that those who said may still take, and those of purchases that are not known whole */
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
    uint32_t unsaid_buyers, unsaid_places; /* what those have bought who did not say how many they want */
    bool sold_out;
    int64_t sold_out_us;
    struct waitlist list;
    struct offers offers;
    int64_t closed_us;
    int64_t opened_us;  /* by the clock of who wrote it; ours, if that was ahead */
    struct uuid writer; /* of the last record that was not somebody's joining */
};

void room_free(struct room *r);

/* Each returns whether the record counted. */
bool room_announce(struct room *r, const struct room_times *times, const uint8_t seed_hash[SEED_BYTES]);
bool room_join(struct room *r, int round, const struct uuid *user, int want); /* want: 0: he does not say */
bool room_want(struct room *r, int round, const struct uuid *user, int want); /* as room_may_want */
bool room_open(struct room *r, int round, const uint8_t seed[SEED_BYTES], int64_t at_us);
bool room_serve(struct room *r, int round, uint32_t serving, int64_t at_us, int64_t until_us);
bool room_sell_out(struct room *r, int round, int64_t at_us);
bool room_offer(struct room *r, int round, uint32_t offered, const struct offer *offer);
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
static inline uint32_t room_people(const struct room *r) {
    return r->places == NULL ? 0 : places_count(r->places);
}
size_t room_bytes(const struct room *r); /* of memory, for people and turns */
/* Up to which place it has been people's turn. */
static inline uint32_t room_serving(const struct room *r) {
    return r->nturns == 0 ? 0 : r->turns[r->nturns - 1].serving;
}
/* When that changed last, or an offer was given; or the opening. */
int64_t room_served_us(const struct room *r);
/* Whether he would want another number now, and can. */
bool room_may_want(const struct room *r, int round, const struct uuid *user, int want);
/* The turn of a place; NULL: not yet. */
const struct room_turn *room_turn_of(const struct room *r, uint32_t place);
/* An order is known, of a purchase of so many; of a person one purchase counts, when it was after his turn
 * came. false: his turn is not known yet. */
bool room_bought(struct room *r, const struct uuid *user, int64_t at_us, int size);
/* How many have not bought of those whose turn was over by a moment. */
uint32_t room_missed(const struct room *r, int64_t at_us);
/* How many may still buy whose turn has come: they have not bought, and have time. */
uint32_t room_buying(const struct room *r, int64_t now_us);
/* How many places they will take: as many as they said, and who did not, as others who did not. */
int64_t room_expected(const struct room *r, int64_t now_us);
/* How many places at most may be taken by those whose turn has come, and by those who were offered something.
 * Who did not say how many may take per_user, also after a purchase. */
int64_t room_owed(const struct room *r, int per_user, int64_t now_us);
/* How many of the next, and of `most`, so many places are enough for. */
uint32_t room_fitting(const struct room *r, uint32_t most, int64_t places);
