#include <stdlib.h>

#include "mem.h"
#include "priv/session_priv.h"

/* Open addressing, at most half full. What has passed is left out when it grows. */
enum { LEAST_PLACES = 64 };

static const struct uuid no_id;

struct session_ended {
    struct session_end *places; /* an id of zeros: free */
    size_t size, used;          /* size: a power of two */
};

struct session_ended *ended_new(void) {
    return mem_alloc(sizeof(struct session_ended));
}

void ended_free(struct session_ended *ended) {
    free(ended->places);
    free(ended);
}

/* The place of that id, or the free one where it belongs. */
static struct session_end *place_of(const struct session_ended *ended, const struct uuid *id) {
    for (size_t at = uuid_hash(id);; at++) {
        struct session_end *place = &ended->places[at & (ended->size - 1)];
        if (uuid_eq(&place->id, id) || uuid_eq(&place->id, &no_id)) return place;
    }
}

static void put(struct session_ended *ended, const struct session_end *end) {
    struct session_end *place = place_of(ended, &end->id);
    bool fresh = uuid_eq(&place->id, &no_id);
    if (!fresh && place->version >= end->version) return;
    ended->used += fresh;
    *place = *end;
}

static void grow(struct session_ended *ended, int64_t now_s) {
    struct session_ended before = *ended;
    size_t left = 0;
    for (size_t i = 0; i < before.size; i++)
        left += before.places[i].until_s > now_s;
    ended->size = LEAST_PLACES;
    while (ended->size < 4 * left)
        ended->size *= 2;
    ended->used = 0;
    ended->places = mem_alloc(ended->size * sizeof *ended->places);
    for (size_t i = 0; i < before.size; i++)
        if (before.places[i].until_s > now_s) put(ended, &before.places[i]);
    free(before.places);
}

void ended_add(struct session_ended *ended, const struct session_end *end, int64_t now_s) {
    if (end->until_s <= now_s) return;
    if (2 * (ended->used + 1) > ended->size) grow(ended, now_s);
    put(ended, end);
}

/* One that has passed says nothing wrong: what it ends has expired. */
bool ended_has(const struct session_ended *ended, const struct identity *id) {
    if (ended->used == 0) return false;
    const struct session_end *user = place_of(ended, &id->user), *session = place_of(ended, &id->session);
    if (id->version < user->version && uuid_eq(&user->id, &id->user)) return true;
    return !uuid_eq(&id->session, &no_id) && uuid_eq(&session->id, &id->session);
}

size_t ended_places(const struct session_ended *ended) {
    return ended->size;
}
