#include "demand.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "demand_metrics.h"
#include "mem.h"
#include "teller.h"

enum { SECOND_US = 1000000, TRIES = 1000 };

struct row {
    struct demand_key key;
    bool used;
    uint32_t numbers[DEMAND_NUMBERS];
};

/* Open addressing, at most half full. */
struct counts {
    uint32_t size, room, used; /* size: a power of two */
    struct row rows[];
};

/* Apart, so that threads don't share a line of the cache. */
struct slot {
    _Alignas(64) _Atomic(struct counts *) counts; /* NULL: its thread is counting at this moment */
};

struct demand {
    const char *service;
    struct uuid process;
    struct slot *slots;
    int nslots;
    /* the teller's thread's */
    struct counts *empty;
    struct counts *sum;
    int64_t said_us; /* the last second that was said */
};

static struct counts *counts_new(uint32_t room) {
    uint32_t size = 2;
    while (size < 2 * room)
        size *= 2;
    struct counts *c = mem_alloc(sizeof *c + size * sizeof c->rows[0]);
    c->size = size;
    c->room = room;
    return c;
}

static bool same_key(const struct demand_key *a, const struct demand_key *b) {
    return a->client == b->client && a->has_area == b->has_area && uuid_eq(&a->show, &b->show) &&
           (!a->has_area || uuid_eq(&a->area, &b->area));
}

static uint32_t hash(const struct demand_key *key) {
    return uuid_hash(&key->show) + 3 * (key->has_area ? uuid_hash(&key->area) : 0) + (uint32_t)key->client;
}

/* NULL: there is no room for it. */
static struct row *row_of(struct counts *c, const struct demand_key *key) {
    uint32_t at = hash(key) & (c->size - 1);
    while (c->rows[at].used && !same_key(&c->rows[at].key, key))
        at = (at + 1) & (c->size - 1);
    struct row *row = &c->rows[at];
    if (row->used) return row;
    if (c->used == c->room) return NULL;
    c->used++;
    row->used = true;
    row->key = *key;
    return row;
}

static void empty(struct counts *c) {
    if (c->used == 0) return;
    memset(c->rows, 0, c->size * sizeof c->rows[0]);
    c->used = 0;
}

/* --- counting --- */

static struct counts *take(struct slot *slot) {
    return atomic_exchange_explicit(&slot->counts, NULL, memory_order_acquire);
}

static void give_back(struct slot *slot, struct counts *c) {
    atomic_store_explicit(&slot->counts, c, memory_order_release);
}

void demand_add(struct demand *d, int slot, const struct demand_key *key, enum demand_number what, int n) {
    struct counts *c = take(&d->slots[slot]);
    struct row *row = row_of(c, key);
    if (row != NULL)
        row->numbers[what] += (uint32_t)n;
    else
        metric_add(M_DEMAND_UNCOUNTED, n);
    give_back(&d->slots[slot], c);
}

void demand_ask(struct demand *d, int slot, const struct demand_key *key, enum demand_number became,
                int places) {
    struct counts *c = take(&d->slots[slot]);
    struct row *row = row_of(c, key);
    if (row != NULL) {
        row->numbers[DEMAND_ASKED]++;
        row->numbers[DEMAND_ASKED_PLACES] += (uint32_t)places;
        row->numbers[became]++;
        if (became == DEMAND_PLACED) row->numbers[DEMAND_PLACED_PLACES] += (uint32_t)places;
    } else {
        metric_add(M_DEMAND_UNCOUNTED, 1);
    }
    give_back(&d->slots[slot], c);
}

enum demand_client demand_client_of(const struct req *rq) {
    struct str any;
    return req_header(rq, DEMAND_PAGE_HEADER, &any) ? DEMAND_CLIENT_PAGE : DEMAND_CLIENT_API;
}

/* --- telling --- */

/* The table of a slot, with an empty one left in its place. NULL: its thread was stopped while it counted; it
 * keeps what it has until the next time. */
static struct counts *collect(struct demand *d, struct slot *slot) {
    for (int i = 0; i < TRIES; i++) {
        struct counts *found = atomic_load_explicit(&slot->counts, memory_order_acquire);
        if (found != NULL && atomic_compare_exchange_strong_explicit(
                                 &slot->counts, &found, d->empty, memory_order_acq_rel, memory_order_relaxed))
            return found;
        sched_yield();
    }
    return NULL;
}

static void add_up(struct counts *sum, const struct counts *c) {
    for (uint32_t i = 0; i < c->size; i++) {
        if (!c->rows[i].used) continue;
        struct row *row = row_of(sum, &c->rows[i].key); /* there is room for the rows of all slots */
        for (int k = 0; k < DEMAND_NUMBERS; k++)
            row->numbers[k] += c->rows[i].numbers[k];
    }
}

static void add_slot(struct demand *d, struct slot *slot) {
    struct counts *full = collect(d, slot);
    if (full == NULL) return;
    if (full->used > 0) add_up(d->sum, full);
    empty(full);
    d->empty = full;
}

static void fill(const struct demand *d, const struct row *row, struct demand_event *e) {
    const struct demand_key *key = &row->key;
    *e = (struct demand_event){.type = DEMAND_COUNTED,
                               .id = uuid_v7(),
                               .show_id = key->show,
                               .has_area_id = key->has_area,
                               .area_id = key->area,
                               .occurred_at = d->said_us,
                               .client = key->client,
                               .service = str_of(d->service),
                               .process_id = d->process};
    for (int i = 0; i < DEMAND_NUMBERS; i++) {
        const struct avro_field *field =
            &demand_event_avro.fields[demand_event_avro.nfields - DEMAND_NUMBERS + i];
        memcpy((uint8_t *)e + field->offset, &row->numbers[i], sizeof row->numbers[i]);
    }
}

void demand_collect(struct demand *d, int64_t now_us, void (*say)(const struct demand_event *e, void *arg),
                    void *arg) {
    int64_t second_us = now_us / SECOND_US * SECOND_US - SECOND_US; /* it is over */
    d->said_us = second_us > d->said_us ? second_us : d->said_us + SECOND_US;
    for (int i = 0; i < d->nslots; i++)
        add_slot(d, &d->slots[i]);
    for (uint32_t i = 0; d->sum->used > 0 && i < d->sum->size; i++) {
        struct demand_event e;
        if (!d->sum->rows[i].used) continue;
        fill(d, &d->sum->rows[i], &e);
        say(&e, arg);
    }
    empty(d->sum);
}

static void say_by_teller(const struct demand_event *e, void *teller) {
    teller_send(teller, e);
}

void demand_tell(struct demand *d, struct teller *t) {
    demand_collect(d, clock_wall_us(), say_by_teller, t);
}

/* --- life --- */

struct demand *demand_new(const char *service, int slots) {
    struct demand *d = mem_alloc(sizeof *d);
    d->service = service;
    d->process = uuid_v7();
    d->nslots = slots;
    d->slots = aligned_alloc(_Alignof(struct slot), (size_t)slots * sizeof *d->slots);
    if (d->slots == NULL) abort();
    for (int i = 0; i < slots; i++)
        atomic_init(&d->slots[i].counts, counts_new(DEMAND_KEYS));
    d->empty = counts_new(DEMAND_KEYS);
    d->sum = counts_new(DEMAND_KEYS * (uint32_t)slots);
    metrics_register(demand_metrics);
    return d;
}

void demand_free(struct demand *d) {
    if (d == NULL) return;
    for (int i = 0; i < d->nslots; i++)
        free(take(&d->slots[i]));
    free(d->slots);
    free(d->empty);
    free(d->sum);
    free(d);
}
