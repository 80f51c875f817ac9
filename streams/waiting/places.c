#include "places.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "table.h"

enum { FIRST_PEOPLE = 16, FIRST_SLOTS = 32 };

struct person {
    struct uuid user;
    union {
        uint64_t rank; /* while places are given */
        struct {
            uint32_t place;
            uint8_t want;   /* 0: he did not say */
            uint8_t unread; /* of what he has bought, orders that are not known yet */
            uint8_t said;   /* how often */
            bool noted;     /* he has bought */
        };
    };
};
static_assert(sizeof(struct person) == 24, "as places.h says");

struct places {
    struct person *people; /* in the order in which they joined */
    uint32_t *slots;       /* by user id: the number of a person from 1; 0 is free */
    uint32_t *order;       /* of the places given by the opening: people's numbers from 0 */
    uint32_t count, room, mask, opened;
    bool open;
};

/* The most that both arrays take, each just grown: 1.5 * 24 + 4 / (0.75 / 2) = 46.7; then 9 to open. */
static_assert(3 * sizeof(struct person) / 2 + 11 + 9 <= PLACES_BYTES, "as places.h says");

struct places *places_new(void) {
    struct places *p = mem_alloc(sizeof *p);
    p->room = FIRST_PEOPLE;
    p->mask = FIRST_SLOTS - 1;
    p->people = mem_alloc(FIRST_PEOPLE * sizeof *p->people);
    p->slots = mem_alloc(FIRST_SLOTS * sizeof *p->slots);
    return p;
}

void places_free(struct places *p) {
    if (p == NULL) return;
    free(p->people);
    free(p->slots);
    free(p->order);
    free(p);
}

/* --- by user id --- */

/* The slot that has this user, or the free one where he belongs. */
static uint32_t *slot_of(const struct places *p, const struct uuid *user) {
    uint32_t i = uuid_hash(user) & p->mask;
    while (p->slots[i] != 0 && !uuid_eq(&p->people[p->slots[i] - 1].user, user))
        i = (i + 1) & p->mask;
    return &p->slots[i];
}

static void grow_index(struct places *p) {
    free(p->slots);
    p->mask = 2 * p->mask + 1;
    p->slots = mem_alloc(((size_t)p->mask + 1) * sizeof *p->slots);
    for (uint32_t i = 0; i < p->count; i++)
        *slot_of(p, &p->people[i].user) = i + 1;
}

static void grow(struct places *p) {
    if (p->count == p->room) {
        assert(p->room < UINT32_MAX / 2);
        p->room += p->room / 2;
        p->people = mem_grow(p->people, p->room * sizeof *p->people);
    }
    if (p->count >= (p->mask + 1) / 4 * 3) grow_index(p);
}

static struct person *find(const struct places *p, const struct uuid *user) {
    uint32_t n = *slot_of(p, user);
    return n == 0 ? NULL : &p->people[n - 1];
}

bool places_join(struct places *p, const struct uuid *user) {
    if (*slot_of(p, user) != 0) return false;
    grow(p);
    struct person *person = &p->people[p->count++];
    *person = (struct person){.user = *user};
    if (p->open) person->place = p->count;
    *slot_of(p, user) = p->count;
    return true;
}

/* --- the opening: ranks are evenly spread, so a bucket for each of their first bits has one or two --- */

static bool is_before(const struct person *a, const struct person *b) {
    if (a->rank != b->rank) return a->rank < b->rank;
    return memcmp(a->user.b, b->user.b, sizeof a->user.b) < 0;
}

static void sort_bucket(const struct places *p, uint32_t *order, uint32_t n) {
    for (uint32_t i = 1; i < n; i++) {
        uint32_t who = order[i], at = i;
        for (; at > 0 && is_before(&p->people[who], &p->people[order[at - 1]]); at--)
            order[at] = order[at - 1];
        order[at] = who;
    }
}

/* As many buckets as people, to the next power of two below. */
static int bucket_bits(uint32_t count) {
    return count < 2 ? 1 : 31 - __builtin_clz(count);
}

/* The numbers of people by rank. starts becomes where each bucket ends. */
static void sort(const struct places *p, uint32_t *order, uint32_t *starts, int bits) {
    size_t buckets = (size_t)1 << bits;
    int shift = 64 - bits;
    for (uint32_t i = 0; i < p->count; i++)
        starts[p->people[i].rank >> shift]++;
    uint32_t start = 0;
    for (size_t b = 0; b < buckets; b++) {
        uint32_t n = starts[b];
        starts[b] = start;
        start += n;
    }
    for (uint32_t i = 0; i < p->count; i++)
        order[starts[p->people[i].rank >> shift]++] = i;
    for (size_t b = 0; b < buckets; b++) {
        uint32_t from = b == 0 ? 0 : starts[b - 1];
        sort_bucket(p, order + from, starts[b] - from);
    }
}

/* Ranks take the memory in which it was. */
static uint8_t *put_wants_aside(const struct places *p) {
    uint8_t *wants = mem_alloc(p->count + 1);
    for (uint32_t i = 0; i < p->count; i++)
        wants[i] = p->people[i].want;
    return wants;
}

void places_open(struct places *p, uint64_t (*rank)(const void *arg, const struct uuid *user),
                 const void *arg) {
    assert(!p->open);
    uint8_t *wants = put_wants_aside(p);
    for (uint32_t i = 0; i < p->count; i++)
        p->people[i].rank = rank(arg, &p->people[i].user);
    int bits = bucket_bits(p->count);
    uint32_t *order = mem_alloc((p->count + 1) * sizeof *order);
    uint32_t *starts = mem_alloc(((size_t)1 << bits) * sizeof *starts);
    sort(p, order, starts, bits);
    free(starts);
    for (uint32_t i = 0; i < p->count; i++) {
        struct person *person = &p->people[order[i]];
        person->rank = 0;
        person->place = i + 1;
        person->want = wants[order[i]];
    }
    free(wants);
    p->order = order;
    p->opened = p->count;
    p->open = true;
}

/* --- questions --- */

uint32_t places_count(const struct places *p) {
    return p->count;
}

bool places_find(const struct places *p, const struct uuid *user, uint32_t *place) {
    const struct person *person = find(p, user);
    *place = person != NULL && p->open ? person->place : 0;
    return person != NULL;
}

void places_say(struct places *p, const struct uuid *user, int want) {
    struct person *person = find(p, user);
    if (person == NULL) return;
    person->want = (uint8_t)want;
    person->said++;
}

bool places_may_say(const struct places *p, const struct uuid *user) {
    const struct person *person = find(p, user);
    return person != NULL && person->said < PLACES_SAYS;
}

int places_want_of(const struct places *p, const struct uuid *user) {
    const struct person *person = find(p, user);
    return person == NULL ? 0 : person->want;
}

static const struct person *person_at(const struct places *p, uint32_t place) {
    return &p->people[place <= p->opened ? p->order[place - 1] : place - 1];
}

const struct uuid *places_user(const struct places *p, uint32_t place) {
    return &person_at(p, place)->user;
}

int places_want(const struct places *p, uint32_t place) {
    return person_at(p, place)->want;
}

bool places_has_bought(const struct places *p, uint32_t place) {
    return person_at(p, place)->noted;
}

bool places_note(struct places *p, const struct uuid *user, int size) {
    struct person *person = p->open ? find(p, user) : NULL;
    if (person == NULL || person->noted) return false;
    person->unread = size > 1 ? (uint8_t)(size - 1) : 0;
    return person->noted = true;
}

bool places_note_more(struct places *p, const struct uuid *user) {
    struct person *person = p->open ? find(p, user) : NULL;
    if (person == NULL || person->unread == 0) return false;
    person->unread--;
    return true;
}

size_t places_bytes(const struct places *p) {
    return sizeof *p + p->room * sizeof *p->people + ((size_t)p->mask + 1 + p->opened) * sizeof *p->slots;
}
