#include "maps.h"

#include <stdlib.h>

#include "buf.h"
#include "mem.h"

/* A thread's part takes 16 MiB at most. The largest seated area that fits a request has a map of 256 KiB or
 * so; standing areas of a million have more, and nobody looks at these. */
enum { SLOTS = 64, BODY_MOST = 256 * 1024 };

/* For FRESH_US a map is answered as it is. After that the first who asks gets a new one from the database;
 * the others get the old one meanwhile, but none that is older than a second in all. */
enum { FRESH_US = 500 * 1000, LAST_US = 900 * 1000, WAIT_US = 200 * 1000 };

struct slot {
    struct uuid show, area;
    int64_t kept_us, asked_us;
    struct buf body;
};

struct maps {
    int threads;
    struct slot slots[]; /* SLOTS a thread */
};

struct maps *maps_new(int threads) {
    struct maps *maps = mem_alloc(sizeof *maps + (size_t)threads * SLOTS * sizeof(struct slot));
    maps->threads = threads;
    return maps;
}

void maps_free(struct maps *maps) {
    for (int i = 0; i < maps->threads * SLOTS; i++)
        buf_free(&maps->slots[i].body);
    free(maps);
}

/* The byte is one of chance: a UUIDv7 begins with the time, and an area's ends with zeros. */
static struct slot *slot_of(struct maps *maps, int thread, const struct uuid *area) {
    return &maps->slots[thread * SLOTS + area->b[12] % SLOTS];
}

bool maps_find(struct maps *maps, int thread, const struct uuid *show, const struct uuid *area,
               int64_t now_us, struct str *body) {
    struct slot *slot = slot_of(maps, thread, area);
    if (slot->body.len == 0 || !uuid_eq(&slot->area, area) || !uuid_eq(&slot->show, show)) return false;
    *body = buf_str(&slot->body);
    int64_t age_us = now_us - slot->kept_us;
    if (age_us < FRESH_US || (age_us < LAST_US && now_us - slot->asked_us < WAIT_US)) return true;
    slot->asked_us = now_us;
    return false;
}

void maps_keep(struct maps *maps, int thread, const struct uuid *show, const struct uuid *area,
               int64_t now_us, struct str body) {
    struct slot *slot = slot_of(maps, thread, area);
    if (body.n > BODY_MOST) return;
    slot->show = *show;
    slot->area = *area;
    slot->kept_us = now_us;
    slot->asked_us = 0;
    slot->body.len = 0;
    buf_add(&slot->body, body.p, body.n);
}
