#include "maps.h"

#include <stdlib.h>

#include "buf.h"
#include "clock.h"
#include "mem.h"

/* A thread's part takes 16 MiB at most. The largest seated area that fits a request has a map of 256 KiB or
 * so; standing areas of a million have more, and nobody looks at these. */
enum { SLOTS = 64, BODY_MOST = 256 * 1024, FRESH_US = 500 * 1000 };

struct slot {
    struct uuid show, area;
    int64_t until_us;
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
               struct str *body) {
    const struct slot *slot = slot_of(maps, thread, area);
    *body = buf_str(&slot->body);
    return clock_mono_us() < slot->until_us && uuid_eq(&slot->area, area) && uuid_eq(&slot->show, show);
}

void maps_keep(struct maps *maps, int thread, const struct uuid *show, const struct uuid *area,
               struct str body) {
    struct slot *slot = slot_of(maps, thread, area);
    if (body.n > BODY_MOST) return;
    slot->show = *show;
    slot->area = *area;
    slot->until_us = clock_mono_us() + FRESH_US;
    slot->body.len = 0;
    buf_add(&slot->body, body.p, body.n);
}
