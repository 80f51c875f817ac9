#include "windows.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum {
    SLOTS_LEAST = 64,
    MINUTE_MS = 60000,
};

static const struct uuid none;

struct windows {
    struct ticket **slots; /* open addressing, linear, at most 3/4 full */
    uint32_t mask, swept;  /* up to here */
    struct ticket **changed;
    size_t nchanged, changed_cap;
    struct ticket **gone; /* no longer in slots */
    size_t ngone;
    uint32_t newest, keep; /* minute of the newest change; minutes */
    struct windows_size size;
};

struct windows *windows_new(uint32_t keep) {
    struct windows *w = mem_alloc(sizeof *w);
    w->keep = keep;
    w->mask = SLOTS_LEAST - 1;
    w->slots = mem_alloc(SLOTS_LEAST * sizeof *w->slots);
    return w;
}

static void ticket_free(struct ticket *t) {
    for (uint32_t i = 0; i < t->nwindows; i++)
        free(t->windows[i].counted);
    free(t->windows);
    free(t);
}

void windows_free(struct windows *w) {
    if (w == NULL) return;
    for (uint32_t i = 0; i <= w->mask; i++)
        if (w->slots[i] != NULL) ticket_free(w->slots[i]);
    windows_free_gone(w);
    free(w->slots);
    free(w->changed);
    free(w);
}

/* --- tickets --- */

/* Where it is, or the empty place where it belongs. */
static struct ticket **slot_of(struct ticket **slots, uint32_t mask, const struct uuid *id) {
    uint32_t at = uuid_hash(id) & mask;
    while (slots[at] != NULL && !uuid_eq(&slots[at]->id, id))
        at = (at + 1) & mask;
    return &slots[at];
}

static void grow(struct windows *w) {
    uint32_t mask = w->mask * 2 + 1;
    struct ticket **slots = mem_alloc(((size_t)mask + 1) * sizeof *slots);
    for (uint32_t i = 0; i <= w->mask; i++)
        if (w->slots[i] != NULL) *slot_of(slots, mask, &w->slots[i]->id) = w->slots[i];
    free(w->slots);
    w->slots = slots;
    w->mask = mask;
}

static struct ticket *ticket_of(struct windows *w, const struct uuid *id,
                                const char currency[CURRENCY_TEXT]) {
    struct ticket **slot = slot_of(w->slots, w->mask, id);
    if (*slot != NULL) return *slot;
    if (w->size.tickets + 1 > (w->mask + 1) / 4 * 3) {
        grow(w);
        slot = slot_of(w->slots, w->mask, id);
    }
    *slot = mem_alloc(sizeof **slot);
    (*slot)->id = *id;
    memcpy((*slot)->currency, currency, CURRENCY_TEXT);
    w->size.tickets++;
    return *slot;
}

/* Whoever is not at home, and would not be found behind an empty slot, moves into it. */
static struct ticket *take_out(struct windows *w, uint32_t at) {
    struct ticket *t = w->slots[at];
    w->slots[at] = NULL;
    for (uint32_t next = (at + 1) & w->mask; w->slots[next] != NULL; next = (next + 1) & w->mask) {
        uint32_t home = uuid_hash(&w->slots[next]->id) & w->mask;
        if (((next - home) & w->mask) < ((next - at) & w->mask)) continue;
        w->slots[at] = w->slots[next];
        w->slots[next] = NULL;
        at = next;
    }
    w->size.tickets--;
    w->size.windows -= t->nwindows;
    for (uint32_t i = 0; i < t->nwindows; i++)
        w->size.bytes -= t->windows[i].ncounted * sizeof *t->windows[i].counted;
    return t;
}

/* --- windows --- */

static struct window *window_of(struct windows *w, struct ticket *t, uint32_t minute) {
    uint32_t at = t->nwindows;
    while (at > 0 && t->windows[at - 1].minute > minute)
        at--;
    if (at > 0 && t->windows[at - 1].minute == minute) return &t->windows[at - 1];
    t->windows = mem_grow(t->windows, (t->nwindows + 1) * sizeof *t->windows);
    memmove(&t->windows[at + 1], &t->windows[at], (t->nwindows - at) * sizeof *t->windows);
    t->windows[at] = (struct window){.minute = minute};
    t->nwindows++;
    w->size.windows++;
    return &t->windows[at];
}

static bool has(const struct window *v, const struct counted *c) {
    for (uint32_t i = 0; i < v->ncounted; i++)
        if (v->counted[i].version_kind / SALE_KINDS == c->version_kind / SALE_KINDS &&
            uuid_eq(&v->counted[i].order, &c->order))
            return true;
    return false;
}

static void add(struct windows *w, struct window *v, const struct counted *c) {
    if ((v->ncounted & (v->ncounted - 1)) == 0) /* full: its room is a power of 2 */
        v->counted = mem_grow(v->counted, (v->ncounted == 0 ? 1 : v->ncounted * 2) * sizeof *c);
    v->counted[v->ncounted++] = *c;
    w->size.bytes += sizeof *c;
}

static void list(struct windows *w, struct ticket *t) {
    if (t->changed) return;
    t->changed = true;
    if (w->nchanged == w->changed_cap) {
        w->changed_cap = w->changed_cap == 0 ? 64 : w->changed_cap * 2;
        w->changed = mem_grow(w->changed, w->changed_cap * sizeof *w->changed);
    }
    w->changed[w->nchanged++] = t;
}

enum count_result windows_count(struct windows *w, const struct sale *sale) {
    if (sale->at_ms < 0 || sale->at_ms / MINUTE_MS > UINT32_MAX || sale->version < 0 ||
        sale->version > INT32_MAX / SALE_KINDS)
        return COUNT_REFUSED;
    if ((uint64_t)(sale->at_ms / MINUTE_MS) + w->keep < w->newest) return COUNT_OLD;
    struct ticket *t = ticket_of(w, &sale->ticket, sale->currency);
    if (memcmp(t->currency, sale->currency, CURRENCY_TEXT) != 0) return COUNT_REFUSED;
    if (!uuid_eq(&sale->show, &none)) t->show = sale->show;
    const struct counted c = {sale->order, (uint32_t)sale->version * SALE_KINDS + sale->kind};
    struct window *v = window_of(w, t, (uint32_t)(sale->at_ms / MINUTE_MS));
    if (has(v, &c)) return COUNT_KNOWN;
    add(w, v, &c);
    if (sale->kind == SALE_SOLD) v->revenue += sale->price;
    uint16_t ms = (uint16_t)(sale->at_ms % MINUTE_MS);
    if (ms > v->last_ms) v->last_ms = ms;
    v->changed = true;
    list(w, t);
    if (v->minute < w->newest) return COUNT_LATE;
    w->newest = v->minute;
    return COUNT_NEW;
}

const struct ticket *windows_find(const struct windows *w, const struct uuid *ticket) {
    return *slot_of(w->slots, w->mask, ticket);
}

void windows_each(const struct windows *w, void (*take)(void *arg, const struct ticket *t), void *arg) {
    for (uint32_t i = 0; i <= w->mask; i++)
        if (w->slots[i] != NULL) take(arg, w->slots[i]);
}

void windows_put(struct windows *w, const struct ticket *ticket, const struct window *window) {
    struct ticket *t = ticket_of(w, &ticket->id, ticket->currency);
    struct window *v = window_of(w, t, window->minute);
    t->show = ticket->show;
    w->size.bytes -= v->ncounted * sizeof *v->counted;
    v->ncounted = 0;
    for (uint32_t i = 0; i < window->ncounted; i++)
        add(w, v, &window->counted[i]);
    v->revenue = window->revenue;
    v->last_ms = window->last_ms;
    if (v->minute > w->newest) w->newest = v->minute;
}

void windows_take_changes(struct windows *w, void (*take)(void *arg, const struct ticket *t), void *arg) {
    for (size_t i = 0; i < w->nchanged; i++) {
        struct ticket *t = w->changed[i];
        take(arg, t);
        t->changed = false;
        for (uint32_t k = 0; k < t->nwindows; k++)
            t->windows[k].changed = t->windows[k].closing = false;
    }
    w->nchanged = 0;
}

/* How many windows are of these minutes; they close, if they shall. */
static size_t between(struct windows *w, uint32_t from, uint32_t until, bool close) {
    size_t n = 0;
    for (uint32_t i = 0; i <= w->mask; i++) {
        struct ticket *t = w->slots[i];
        for (uint32_t k = t == NULL ? 0 : t->nwindows; k > 0 && t->windows[k - 1].minute >= from; k--) {
            if (t->windows[k - 1].minute >= until) continue;
            n++;
            if (!close) continue;
            t->windows[k - 1].closing = true;
            list(w, t);
        }
    }
    return n;
}

uint32_t windows_close(struct windows *w, uint32_t from, uint32_t until, size_t most) {
    while (until - from > 1 && between(w, from, until, false) > most)
        until = from + (until - from) / 2;
    between(w, from, until, true);
    return until;
}

/* --- letting go --- */

static bool is_over(const struct windows *w, const struct ticket *t) {
    struct sums all = {0};
    if (t->changed || t->nwindows == 0) return false;
    if ((uint64_t)t->windows[t->nwindows - 1].minute + w->keep >= w->newest) return false;
    for (uint32_t i = 0; i < t->nwindows; i++)
        windows_sums_add(&all, &t->windows[i]);
    return all.sold > 0;
}

void windows_sweep(struct windows *w, uint32_t tickets) {
    for (uint32_t i = 0; i < tickets; i++) {
        uint32_t at = w->swept & w->mask;
        if (w->slots[at] == NULL || !is_over(w, w->slots[at])) {
            w->swept = at + 1;
            continue; /* else somebody else may have moved here */
        }
        w->gone = mem_grow(w->gone, (w->ngone + 1) * sizeof *w->gone);
        w->gone[w->ngone++] = take_out(w, at);
    }
}

bool windows_have_gone(const struct windows *w) {
    return w->ngone > 0;
}

void windows_take_gone(const struct windows *w, void (*take)(void *arg, const struct ticket *t), void *arg) {
    for (size_t i = 0; i < w->ngone; i++)
        take(arg, w->gone[i]);
}

void windows_free_gone(struct windows *w) {
    for (size_t i = 0; i < w->ngone; i++)
        ticket_free(w->gone[i]);
    free(w->gone);
    w->gone = NULL;
    w->ngone = 0;
}

void windows_drop(struct windows *w, const struct uuid *ticket) {
    struct ticket **slot = slot_of(w->slots, w->mask, ticket);
    if (*slot != NULL) ticket_free(take_out(w, (uint32_t)(slot - w->slots)));
}

void windows_sums_add(struct sums *s, const struct window *window) {
    for (uint32_t i = 0; i < window->ncounted; i++) {
        enum sale_kind kind = (enum sale_kind)(window->counted[i].version_kind % SALE_KINDS);
        s->placed += kind == SALE_PLACED;
        s->sold += kind == SALE_SOLD;
        s->cancelled += kind == SALE_CANCELLED || kind == SALE_EXPIRED;
        s->expired += kind == SALE_EXPIRED;
    }
    s->revenue += window->revenue;
}

uint32_t windows_newest(const struct windows *w) {
    return w->newest;
}

struct windows_size windows_size(const struct windows *w) {
    struct windows_size size = w->size;
    size.bytes += size.tickets * sizeof(struct ticket) + size.windows * sizeof(struct window) +
                  ((size_t)w->mask + 1) * sizeof *w->slots;
    return size;
}
