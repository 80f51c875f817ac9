#include "room.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { FIRST_TURNS = 16 };
static const int64_t minute_us = 60 * 1000000; /* by which clocks differ less */

static void empty(struct room *r) {
    places_free(r->places);
    offers_free(&r->offers);
    free(r->turns);
    r->places = NULL;
    r->turns = NULL;
    r->nturns = r->turns_room = 0;
    r->unsaid_buyers = r->unsaid_places = 0;
    r->open = r->seed_known = r->sold_out = false;
    sodium_memzero(r->seed, sizeof r->seed);
}

void room_free(struct room *r) {
    empty(r);
}

/* --- the seed --- */

void room_hash_seed(const uint8_t seed[SEED_BYTES], uint8_t hash[SEED_BYTES]) {
    crypto_hash_sha256(hash, seed, SEED_BYTES);
}

static bool is_seed(const struct room *r, const uint8_t seed[SEED_BYTES]) {
    uint8_t hash[SEED_BYTES];
    room_hash_seed(seed, hash);
    return memcmp(hash, r->seed_hash, sizeof hash) == 0;
}

void room_draw(const uint8_t seed[SEED_BYTES], const crypto_hash_sha256_state *joins,
               uint8_t draw[SEED_BYTES]) {
    uint8_t log[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state copy = *joins;
    crypto_hash_sha256_final(&copy, log);
    crypto_auth_hmacsha256(draw, log, sizeof log, seed);
}

uint64_t room_rank(const uint8_t draw[SEED_BYTES], const struct uuid *user) {
    uint8_t text[SEED_BYTES + sizeof user->b], hash[crypto_hash_sha256_BYTES];
    memcpy(text, draw, SEED_BYTES);
    memcpy(text + SEED_BYTES, user->b, sizeof user->b);
    crypto_hash_sha256(hash, text, sizeof text);
    uint64_t rank = 0;
    for (int i = 0; i < 8; i++)
        rank = rank << 8 | hash[i];
    return rank;
}

static uint64_t rank_of(const void *draw, const struct uuid *user) {
    return room_rank(draw, user);
}

bool room_know_seed(struct room *r, const uint8_t seed[SEED_BYTES]) {
    if (!room_is_there(r) || !is_seed(r, seed)) return false;
    memcpy(r->seed, seed, SEED_BYTES);
    return r->seed_known = true;
}

/* --- what the records say --- */

static bool is_newer(const struct room *r, const struct room_times *times) {
    if (!r->closed) return times->show_version >= r->show_version;
    return times->show_version > r->show_version && times->at_us < r->closed_us + ROOM_KEPT_US;
}

static bool may_change(const struct room *r, const struct room_times *times,
                       const uint8_t seed_hash[SEED_BYTES]) {
    return r->places != NULL && is_newer(r, times) && memcmp(r->seed_hash, seed_hash, SEED_BYTES) == 0 &&
           (!r->open || times->opens_us == r->opens_us);
}

static void begin(struct room *r, int round, const uint8_t seed_hash[SEED_BYTES]) {
    empty(r);
    r->round = round;
    memcpy(r->seed_hash, seed_hash, SEED_BYTES);
    r->places = places_new();
    crypto_hash_sha256_init(&r->joins);
}

bool room_announce(struct room *r, const struct room_times *times, const uint8_t seed_hash[SEED_BYTES]) {
    if (times->round > r->round && !room_is_there(r))
        begin(r, times->round, seed_hash);
    else if (times->round != r->round || !may_change(r, times, seed_hash))
        return false;
    r->closed = false;
    r->show_version = times->show_version;
    r->opens_us = times->opens_us;
    r->closes_us = times->closes_us;
    return true;
}

bool room_join(struct room *r, int round, const struct uuid *user, int want) {
    if (!room_is_there(r) || round != r->round) return false;
    if (!places_join(r->places, user)) return false;
    if (want > 0) places_say(r->places, user, want);
    if (!r->open) crypto_hash_sha256_update(&r->joins, user->b, sizeof user->b);
    return true;
}

bool room_may_want(const struct room *r, int round, const struct uuid *user, int want) {
    uint32_t place;
    return room_is_there(r) && round == r->round && want != 0 && want != places_want_of(r->places, user) &&
           places_may_say(r->places, user) && places_find(r->places, user, &place) &&
           (place == 0 || place > room_serving(r)) && offers_find(&r->offers, user) == NULL;
}

bool room_want(struct room *r, int round, const struct uuid *user, int want) {
    uint32_t place;
    if (!room_may_want(r, round, user, want)) return false;
    places_say(r->places, user, want);
    if (r->sold_out && places_find(r->places, user, &place)) waitlist_changed(r, place, want);
    return true;
}

bool room_open(struct room *r, int round, const uint8_t seed[SEED_BYTES], int64_t at_us) {
    if (!room_is_there(r) || round != r->round || r->open || at_us < r->opens_us || !is_seed(r, seed))
        return false;
    uint8_t draw[SEED_BYTES];
    memcpy(r->seed, seed, SEED_BYTES);
    room_draw(seed, &r->joins, draw);
    places_open(r->places, rank_of, draw);
    r->open = true;
    r->opened_us = at_us;
    return true;
}

/* Those whose time is over need no more than to be told so. */
static void merge_ended(struct room *r, int64_t now_us) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->nturns; i++) {
        struct room_turn turn = r->turns[i];
        bool ended = turn.until_us < now_us - minute_us;
        if (n > 0 && ended && r->turns[n - 1].until_us < now_us - minute_us) {
            const struct room_turn *before = &r->turns[--n];
            turn.bought += before->bought;
            turn.unsaid += before->unsaid;
            turn.unsaid_bought += before->unsaid_bought;
            turn.owed += before->owed;
        }
        r->turns[n++] = turn;
    }
    r->nturns = n;
}

static void make_room_for_turn(struct room *r, int64_t now_us) {
    if (r->nturns < r->turns_room) return;
    merge_ended(r, now_us);
    if (r->nturns < r->turns_room / 2) return;
    r->turns_room = r->turns_room == 0 ? FIRST_TURNS : 2 * r->turns_room;
    r->turns = mem_grow(r->turns, r->turns_room * sizeof *r->turns);
}

bool room_serve(struct room *r, int round, uint32_t serving, int64_t at_us, int64_t until_us) {
    if (!room_is_there(r) || round != r->round || !r->open || r->sold_out || serving <= room_serving(r) ||
        serving > room_people(r))
        return false;
    struct room_turn turn = {.serving = serving, .at_us = at_us, .until_us = until_us};
    for (uint32_t place = room_serving(r) + 1; place <= serving; place++) {
        int want = places_want(r->places, place);
        turn.owed += want;
        turn.unsaid += want == 0;
    }
    make_room_for_turn(r, at_us);
    r->turns[r->nturns++] = turn;
    return true;
}

bool room_sell_out(struct room *r, int round, int64_t at_us) {
    if (!room_is_there(r) || round != r->round || !r->open || r->sold_out) return false;
    r->sold_out = true;
    r->sold_out_us = at_us;
    waitlist_begin(r, at_us);
    return true;
}

bool room_offer(struct room *r, int round, uint32_t offered, const struct offer *offer) {
    struct offer given = *offer;
    if (!room_is_there(r) || round != r->round || !r->sold_out || offer->want < 1 ||
        offer->want > OFFERS_MOST || offered != r->offers.places + (uint32_t)offer->want ||
        !places_find(r->places, &offer->user, &given.place) || offers_find(&r->offers, &offer->user) != NULL)
        return false;
    offers_add(&r->offers, &given);
    return true;
}

bool room_close(struct room *r, int round, int32_t show_version, int64_t at_us) {
    if (!room_is_there(r) || round != r->round) return false;
    if (at_us < r->closes_us && show_version <= r->show_version) return false;
    if (show_version > r->show_version) r->show_version = show_version;
    r->closed = true;
    r->closed_us = at_us;
    return true;
}

/* Twice as long as it is kept by the rules, as clocks differ. */
void room_forget(struct room *r, int64_t now_us) {
    if (r->closed && r->places != NULL && now_us > r->closed_us + 2 * ROOM_KEPT_US) empty(r);
}

/* --- questions --- */

bool room_is_there(const struct room *r) {
    return r->round > 0 && !r->closed;
}

size_t room_bytes(const struct room *r) {
    return (r->places == NULL ? 0 : places_bytes(r->places)) + r->turns_room * sizeof *r->turns +
           r->offers.count * sizeof(struct offer) + r->offers.room * sizeof(struct offer *);
}

int64_t room_served_us(const struct room *r) {
    if (r->offers.count > 0) return r->offers.all[r->offers.count - 1]->at_us;
    return r->nturns == 0 ? r->opened_us : r->turns[r->nturns - 1].at_us;
}

static struct room_turn *turn_of(const struct room *r, uint32_t place) {
    uint32_t low = 0, high = r->nturns;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (r->turns[middle].serving < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low == r->nturns ? NULL : &r->turns[low];
}

const struct room_turn *room_turn_of(const struct room *r, uint32_t place) {
    return turn_of(r, place);
}

/* One purchase of each counts. */
static void count_order(struct room *r, struct room_turn *turn, const struct uuid *user, int size) {
    int want = places_want_of(r->places, user);
    if (places_note(r->places, user, size)) {
        turn->bought++;
        turn->owed += (size > 1 ? size - 1 : 0) - want;
        if (want > 0) return;
        turn->unsaid_bought++;
        r->unsaid_buyers++;
        r->unsaid_places += (uint32_t)(size > 1 ? size : 1);
    } else if (places_note_more(r->places, user)) {
        turn->owed--;
    }
}

static void count_offered(struct room *r, struct offer *offer, int size) {
    if (places_note(r->places, &offer->user, size))
        offers_take(&r->offers, offer, size);
    else if (places_note_more(r->places, &offer->user))
        offers_take_more(&r->offers, offer);
}

bool room_bought(struct room *r, const struct uuid *user, int64_t at_us, int size) {
    uint32_t place;
    if (r->places == NULL || !places_find(r->places, user, &place) || place == 0) return false;
    struct offer *offer = offers_find(&r->offers, user);
    if (offer != NULL) {
        if (at_us >= offer->at_us - minute_us) count_offered(r, offer, size);
        return true;
    }
    struct room_turn *turn = turn_of(r, place);
    if (turn != NULL && at_us >= turn->at_us) count_order(r, turn, user, size);
    return turn != NULL;
}

uint32_t room_buying(const struct room *r, int64_t now_us) {
    uint32_t buying = 0;
    for (uint32_t i = r->nturns; i > 0 && r->turns[i - 1].until_us > now_us; i--)
        buying += r->turns[i - 1].serving - (i == 1 ? 0 : r->turns[i - 2].serving) - r->turns[i - 1].bought;
    return buying;
}

/* How many somebody takes who did not say, rounded up. */
static int64_t usual(const struct room *r) {
    return r->unsaid_buyers == 0 ? 1 : (r->unsaid_places + r->unsaid_buyers - 1) / r->unsaid_buyers;
}

int64_t room_expected(const struct room *r, int64_t now_us) {
    int64_t expected = 0;
    for (uint32_t i = r->nturns; i > 0 && r->turns[i - 1].until_us > now_us; i--) {
        const struct room_turn *turn = &r->turns[i - 1];
        expected += turn->owed + (int64_t)(turn->unsaid - turn->unsaid_bought) * usual(r);
    }
    return expected;
}

int64_t room_owed(const struct room *r, int per_user, int64_t now_us) {
    int64_t owed = r->offers.owed;
    for (uint32_t i = r->nturns; i > 0 && r->turns[i - 1].until_us + OFFERS_SLACK_US > now_us; i--)
        owed += r->turns[i - 1].owed + (int64_t)r->turns[i - 1].unsaid * per_user;
    return owed;
}

uint32_t room_fitting(const struct room *r, uint32_t most, int64_t places) {
    uint32_t n = 0, serving = room_serving(r), people = room_people(r);
    for (; n < most && serving + n < people; n++) {
        int want = places_want(r->places, serving + n + 1);
        places -= want == 0 ? usual(r) : want;
        if (places < 0) break;
    }
    return n;
}

uint32_t room_missed(const struct room *r, int64_t at_us) {
    uint32_t missed = 0;
    for (uint32_t i = 0; i < r->nturns && r->turns[i].until_us <= at_us; i++)
        missed += r->turns[i].serving - (i == 0 ? 0 : r->turns[i - 1].serving) - r->turns[i].bought;
    return missed;
}
