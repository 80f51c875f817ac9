#include "wheel.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "mem.h"
#include "wheel_entries.h"
#include "wheel_index.h"
#include "wheel_offsets.h"
#include "wheel_slots.h"

enum { WORTH_SHRINKING = 1 << 16 }; /* entries: 4 MiB */

struct wheel {
    struct entries entries;
    struct index index;
    struct slots slots;
    struct offsets offsets;
    bool firing; /* fire is being called */
};

static int64_t within(int64_t x, int64_t least, int64_t most) {
    return x < least ? least : x > most ? most : x;
}

struct wheel *wheel_new(int64_t now_ms) {
    struct wheel *w = mem_alloc(sizeof *w);
    wheel_entries_init(&w->entries);
    wheel_index_init(&w->index);
    w->slots.now_ms = within(now_ms, 0, WHEEL_LAST_MS - 1);
    return w;
}

void wheel_free(struct wheel *w) {
    if (w == NULL) return;
    wheel_entries_free(&w->entries);
    wheel_index_free(&w->index);
    wheel_offsets_free(&w->offsets);
    free(w);
}

/* --- orders --- */

/* Its hold ends at another time than was known. */
static void move(struct wheel *w, uint32_t i, int64_t due_ms) {
    struct entry *e = &w->entries.at[i];
    if (e->due_ms == due_ms) return;
    e->due_ms = due_ms;
    e->attempt = 0;
    wheel_slots_leave(&w->slots, w->entries.at, i);
    wheel_slots_enter(&w->slots, w->entries.at, i, due_ms);
}

bool wheel_add(struct wheel *w, const struct uuid *order, const struct uuid *ticket, int64_t offset,
               int64_t due_ms) {
    assert(!w->firing);
    uint32_t hash = wheel_index_hash(&w->index, order),
             i = wheel_index_find(&w->index, hash, order, w->entries.at);
    due_ms = within(due_ms, 0, WHEEL_LAST_MS);
    if (i != 0) {
        move(w, i, due_ms);
        return false;
    }
    i = entries_take(&w->entries);
    struct entry *e = &w->entries.at[i];
    e->order = *order;
    e->ticket = *ticket;
    e->due_ms = due_ms;
    e->attempt = 0;
    e->span = wheel_offsets_enter(&w->offsets, offset);
    wheel_slots_enter(&w->slots, w->entries.at, i, e->due_ms);
    wheel_index_put(&w->index, hash, i);
    return true;
}

static void forget(struct wheel *w, uint32_t hash, uint32_t i) {
    wheel_slots_leave(&w->slots, w->entries.at, i);
    wheel_offsets_leave(&w->offsets, w->entries.at[i].span);
    wheel_index_delete(&w->index, hash, i);
    entries_give(&w->entries, i);
    if (w->entries.taken > 0 || w->entries.used < WORTH_SHRINKING) return;
    wheel_entries_shrink(&w->entries);
    wheel_index_clear(&w->index);
}

bool wheel_remove(struct wheel *w, const struct uuid *order) {
    assert(!w->firing);
    uint32_t hash = wheel_index_hash(&w->index, order),
             i = wheel_index_find(&w->index, hash, order, w->entries.at);
    if (i != 0) forget(w, hash, i);
    return i != 0;
}

/* In three rounds, each of which waits for all at once: what is found is where the next round looks. Of an
 * order that is not there, that is where it will be put: at the end of its slot. */
void wheel_prefetch(const struct wheel *w, const struct uuid *orders, const int64_t *due_ms, size_t n) {
    const struct entry *at = w->entries.at;
    uint32_t hash[WHEEL_PREFETCH], entry[WHEEL_PREFETCH];
    if (n > WHEEL_PREFETCH) n = WHEEL_PREFETCH;
    for (size_t i = 0; i < n; i++) {
        hash[i] = wheel_index_hash(&w->index, &orders[i]);
        wheel_index_prefetch(&w->index, hash[i]);
    }
    for (size_t i = 0; i < n; i++) {
        entry[i] = wheel_index_guess(&w->index, hash[i]);
        if (entry[i] == 0) entry[i] = wheel_slots_head(&w->slots, within(due_ms[i], 0, WHEEL_LAST_MS));
        __builtin_prefetch(&at[entry[i]], 1);
    }
    for (size_t i = 0; i < n; i++) {
        __builtin_prefetch(&at[at[entry[i]].prev], 1);
        __builtin_prefetch(&at[at[entry[i]].next], 1);
    }
}

/* --- time --- */

static void fire_one(struct wheel *w, uint32_t i, int64_t now_ms,
                     int64_t (*fire)(void *ctx, const struct wheel_timer *t), void *ctx) {
    struct entry *e = &w->entries.at[i];
    __builtin_prefetch(&w->entries.at[e->next], 1);
    struct wheel_timer t = {
        .order = e->order, .ticket = e->ticket, .due_ms = e->due_ms, .attempt = e->attempt};
    e->again_ms = within(fire(ctx, &t), now_ms + 1, now_ms + WHEEL_MAX_BACKOFF_MS);
    if (e->attempt < INT_MAX) e->attempt++;
    wheel_slots_leave(&w->slots, w->entries.at, i);
    wheel_slots_enter(&w->slots, w->entries.at, i, e->again_ms);
}

int wheel_expire(struct wheel *w, int64_t now_ms, int max,
                 int64_t (*fire)(void *ctx, const struct wheel_timer *t), void *ctx) {
    assert(!w->firing);
    int64_t start_ms;
    int fired = 0;
    uint32_t slot;
    now_ms = within(now_ms, 0, WHEEL_LAST_MS - 1);
    if (now_ms < w->slots.now_ms - WHEEL_SET_BACK_MS) wheel_slots_turn_back(&w->slots, w->entries.at, now_ms);
    w->firing = true;
    while (fired < max && wheel_slots_next(&w->slots, &slot, &start_ms) && start_ms <= now_ms) {
        w->slots.now_ms = start_ms;
        if (slot >= WHEEL_LEVEL_SLOTS) {
            wheel_slots_move_down(&w->slots, w->entries.at, slot);
        } else {
            for (; fired < max && !ring_is_empty(w->entries.at, slot); fired++)
                fire_one(w, w->entries.at[slot].next, now_ms, fire, ctx);
        }
    }
    w->firing = false;
    if (fired < max && now_ms > w->slots.now_ms) w->slots.now_ms = now_ms;
    return fired;
}

int64_t wheel_next_ms(const struct wheel *w) {
    uint32_t slot;
    int64_t start_ms;
    return wheel_slots_next(&w->slots, &slot, &start_ms) ? start_ms : INT64_MAX;
}

int64_t wheel_oldest_offset(const struct wheel *w) {
    return wheel_offsets_oldest(&w->offsets);
}

size_t wheel_count(const struct wheel *w) {
    return w->entries.taken;
}

size_t wheel_bytes(const struct wheel *w) {
    return sizeof *w + wheel_entries_bytes(&w->entries) + wheel_index_bytes(&w->index) +
           wheel_offsets_bytes(&w->offsets);
}
