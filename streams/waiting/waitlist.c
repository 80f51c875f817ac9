#include "waitlist.h"

#include <string.h>

#include "room.h"

/* Purchases older than that are not read at a start (queues.c), so nobody knows who has bought by his turn.
 */
static const int64_t KNOWN_US = INT64_C(86400) * 1000000;

static uint32_t first_behind(const struct room *r) {
    return room_serving(r) + 1;
}

/* In one go, as there may be a million people. */
static void find_first(const struct room *r, uint32_t next[WAITLIST_WANTS], uint32_t from, uint32_t end) {
    int missing = WAITLIST_WANTS - 1;
    memset(next, 0, WAITLIST_WANTS * sizeof *next);
    for (uint32_t place = from; place <= end && missing > 0; place++) {
        uint32_t *first = &next[waitlist_want(r, place)];
        if (*first != 0) continue;
        *first = place;
        missing--;
    }
    next[WAITLIST_ANY] = from;
    for (int want = 1; want < WAITLIST_WANTS; want++)
        if (next[want] == 0) next[want] = end + 1;
}

void waitlist_begin(struct room *r, int64_t at_us) {
    uint32_t from = first_behind(r);
    r->list.since_us = at_us;
    for (uint32_t i = r->nturns; i > 0 && r->turns[i - 1].until_us > at_us; i--) {
        from = i == 1 ? 1 : r->turns[i - 2].serving + 1;
        r->list.since_us = r->turns[i - 1].at_us;
    }
    r->list.from = from;
    find_first(r, r->list.next[0], from, room_serving(r));
    find_first(r, r->list.next[1], first_behind(r), room_people(r));
}

void waitlist_changed(struct room *r, uint32_t place, int want) {
    uint32_t *next = &r->list.next[1][want];
    if (place < *next) *next = place;
}

int waitlist_want(const struct room *r, uint32_t place) {
    int want = places_want(r->places, place);
    return want == 0 ? 1 : want;
}

static bool waits(const struct room *r, uint32_t place) {
    return !places_has_bought(r->places, place) &&
           offers_find(&r->offers, places_user(r->places, place)) == NULL;
}

static bool suits(const struct room *r, uint32_t place, int want) {
    return (want == WAITLIST_ANY || waitlist_want(r, place) == want) && waits(r, place);
}

/* 0: nobody up to `end`. */
static uint32_t look(const struct room *r, uint32_t *next, int want, uint32_t end) {
    while (*next <= end && !suits(r, *next, want))
        ++*next;
    return *next <= end ? *next : 0;
}

/* The last of those whose turn had come and who may be offered something. */
static uint32_t last_turn(const struct room *r, int64_t now_us) {
    if (now_us > r->list.since_us + KNOWN_US) return 0;
    for (uint32_t i = r->nturns; i > 0; i--)
        if (r->turns[i - 1].until_us + OFFERS_SLACK_US <= now_us) return r->turns[i - 1].serving;
    return 0;
}

uint32_t waitlist_next(const struct room *r, struct waitlist *list, int64_t places, int64_t now_us) {
    const uint32_t ends[] = {last_turn(r, now_us), room_people(r)};
    for (int part = 0; part < 2; part++) {
        uint32_t first = 0;
        int its = 0;
        for (int want = 1; want < WAITLIST_WANTS && want <= places; want++) {
            uint32_t place = look(r, &list->next[part][want], want, ends[part]);
            if (place != 0 && (first == 0 || place < first)) {
                first = place;
                its = want;
            }
        }
        if (first == 0) continue;
        list->next[part][its]++;
        return first;
    }
    return 0;
}

void waitlist_pass(struct room *r, int64_t now_us) {
    const uint32_t ends[] = {last_turn(r, now_us), room_people(r)};
    for (int part = 0; part < 2; part++)
        for (int want = 0; want < WAITLIST_WANTS; want++)
            look(r, &r->list.next[part][want], want, ends[part]);
}

bool waitlist_has(const struct room *r, uint32_t place) {
    return r->sold_out && place >= r->list.from && waits(r, place);
}

uint32_t waitlist_number(const struct room *r, uint32_t place) {
    uint32_t first = r->list.next[place > room_serving(r)][WAITLIST_ANY];
    return first <= place ? place - first + 1 : 1;
}
