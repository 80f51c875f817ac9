#include "lead.h"

#include "clock.h"
#include "hex.h"
#include "waiting_metrics.h"

enum {
    WRITTEN_MS = 1000, /* that a record may take until we have read it, before it is written again */
};

static const struct uuid nobody;

struct control_settings lead_settings = {.rate = 1, .between_ms = 250};
struct rate_settings lead_rate_settings;

static void put_hex(const uint8_t bytes[SEED_BYTES], char digits[2 * SEED_BYTES], bool *has,
                    struct str *out) {
    hex_encode(bytes, SEED_BYTES, digits);
    *has = true;
    *out = (struct str){digits, 2 * SEED_BYTES};
}

static void announcement(struct lead *l, const struct queue *q, struct round *round,
                         const struct control *due, uint8_t hash[SEED_BYTES], struct waiting_event *e) {
    uint8_t seed[SEED_BYTES];
    e->has_nonce = true;
    if (due->round == round->room.round) {
        e->nonce = round->nonce;
        memcpy(hash, round->room.seed_hash, SEED_BYTES);
    } else {
        e->round = queues_newest(q) + 1;
        if (round->announced_in != e->round) round->announced = uuid_v7();
        round->announced_in = e->round;
        e->nonce = round->announced;
        queues_seed(l->queues, 0, &q->show, &e->nonce, seed);
        room_hash_seed(seed, hash);
    }
    e->has_opens_at = e->has_closes_at = true;
    e->opens_at = due->opens_us;
    e->closes_at = due->closes_us;
}

static void write_due(struct lead *l, const struct queue *q, struct round *round, const struct control *due,
                      int64_t now_us) {
    static const enum waiting_event_type types[] = {[CONTROL_ANNOUNCE] = QUEUE_ANNOUNCED,
                                                    [CONTROL_OPEN] = QUEUE_OPENED,
                                                    [CONTROL_SERVE] = QUEUE_SERVING,
                                                    [CONTROL_SELL_OUT] = QUEUE_SOLD_OUT,
                                                    [CONTROL_CLOSE] = QUEUE_CLOSED};
    struct waiting_event e = {.type = types[due->kind],
                              .show_id = q->show,
                              .round = due->round,
                              .occurred_at = now_us,
                              .has_show_version = due->kind == CONTROL_ANNOUNCE || due->kind == CONTROL_CLOSE,
                              .show_version = q->version,
                              .has_writer = true,
                              .writer = l->writer};
    char digits[2 * SEED_BYTES];
    uint8_t hash[SEED_BYTES];
    if (due->kind == CONTROL_ANNOUNCE) {
        announcement(l, q, round, due, hash, &e);
        put_hex(hash, digits, &e.has_seed_hash, &e.seed_hash);
    } else if (due->kind == CONTROL_OPEN) {
        put_hex(round->room.seed, digits, &e.has_seed, &e.seed);
    } else if (due->kind == CONTROL_SERVE) {
        e.has_serving = e.has_until = true;
        e.serving = (int32_t)due->serving;
        e.until = due->until_us;
    }
    journal_write(l->journal, &e, NULL);
}

/* To one after the other, as far as the places go. */
static void write_offers(struct lead *l, const struct queue *q, struct round *round,
                         const struct control *due, int64_t now_us) {
    const struct room *r = &round->room;
    struct waitlist list = r->list;
    int64_t places = due->places;
    uint32_t place;
    round->offered = r->offers.places;
    for (uint32_t n = 0; n < due->most && (place = waitlist_next(r, &list, places, now_us)) != 0; n++) {
        int want = waitlist_want(r, place);
        places -= want;
        round->offered += (uint32_t)want;
        const struct waiting_event e = {.type = QUEUE_OFFERED,
                                        .show_id = q->show,
                                        .round = due->round,
                                        .occurred_at = now_us,
                                        .has_user_id = true,
                                        .user_id = *places_user(r->places, place),
                                        .has_want = true,
                                        .want = want,
                                        .has_offered = true,
                                        .offered = (int32_t)round->offered,
                                        .has_until = true,
                                        .until = due->until_us,
                                        .has_writer = true,
                                        .writer = l->writer};
        journal_write(l->journal, &e, NULL);
    }
}

/* The next offers follow from those that we have read: not before we have read what we wrote, unless that is
 * lost. */
static bool is_being_offered(const struct round *round, int64_t mono_us) {
    return round->room.offers.places < round->offered &&
           mono_us - round->offered_us < WRITTEN_MS * INT64_C(1000);
}

/* Whether it is ours to write now: at once if we wrote last, later if nobody else does. */
static bool is_ours(const struct lead *l, struct round *round, int64_t patience_us, enum control_kind due,
                    int64_t mono_us) {
    bool lead = uuid_eq(&round->room.writer, &l->writer);
    if (due != round->due) {
        round->due = due;
        round->due_us = mono_us;
        round->wrote_us = 0;
    }
    if (round->wrote_us != 0 && mono_us - round->wrote_us < WRITTEN_MS * INT64_C(1000)) return false;
    if (!lead && mono_us - round->due_us < patience_us) return false;
    if (!lead && round->wrote_us == 0 && !uuid_eq(&round->room.writer, &nobody))
        metric_add(M_WAITING_STOOD_IN, 1);
    return true;
}

/* Somebody waits for whom a place is left. */
static bool is_served(const struct round *round, int64_t now_us) {
    const struct room *r = &round->room;
    return room_is_there(r) && r->open && !r->sold_out && room_people(r) > room_serving(r) &&
           (round->left < 0 || room_fitting(r, 1, round->left - room_expected(r, now_us)) > 0);
}

static void look_at(struct lead *l, struct queue *q, struct round *round, const struct phase *phase,
                    int64_t now_us) {
    int64_t mono_us = clock_mono_us();
    if (round->room.sold_out) {
        offers_lapse(&round->room.offers, now_us);
        waitlist_pass(&round->room, now_us);
    }
    round->left = phase == NULL ? -1 : stock_left(l->stock, &q->show, q->places, phase->areas, phase->nareas);
    l->served += is_served(round, now_us);
    struct control due = control_due(&round->room, phase, round->left, &lead_settings, now_us);
    if (due.kind == CONTROL_NOTHING || (due.kind == CONTROL_OPEN && !round->room.seed_known)) {
        round->due = CONTROL_NOTHING;
    } else if (due.kind == CONTROL_OFFER && is_being_offered(round, mono_us)) {
        return;
    } else if (is_ours(l, round, q->patience_us, due.kind, mono_us)) {
        round->wrote_us = mono_us;
        if (due.kind == CONTROL_OFFER) {
            round->offered_us = mono_us;
            write_offers(l, q, round, &due, now_us);
        } else {
            write_due(l, q, round, &due, now_us);
        }
    }
}

static void look_at_queue(struct lead *l, struct queue *q, int64_t now_us) {
    const struct phase *phase = phases_next(&q->phases, now_us);
    room_forget(&q->now.room, now_us);
    room_forget(&q->next.room, now_us);
    if (q->version < q->now.room.show_version || q->version < q->next.room.show_version)
        return; /* who wrote there knows more than we do */
    if (phase == NULL && !room_is_there(&q->now.room)) return;
    l->watches = true;
    look_at(l, q, &q->now, phase, now_us);
    if (queues_is_open(q) && (phase == NULL || phase->opens_us == q->now.room.opens_us))
        look_at(l, q, &q->next, phases_after(&q->phases, phase), now_us);
}

/* At least one a second comes in from each queue. */
static void share_rate(struct lead *l, int64_t mono_us) {
    int64_t fell_us = l->rate.fell_us;
    rate_look(&l->rate, &lead_rate_settings, l->served > 0, mono_us);
    metric_add(M_RATE_FALLS, l->rate.fell_us != fell_us);
    int64_t each = (int64_t)l->rate.people / (l->served > 1 ? l->served : 1);
    lead_settings.rate = each > 1 ? each : 1;
    l->served = 0;
}

void lead_look(struct lead *l) {
    int64_t now_us = clock_wall_us(), mono_us = clock_mono_us();
    if (mono_us - l->looked_us < LEAD_LOOK_MS * INT64_C(1000)) return;
    l->looked_us = mono_us;
    l->watches = false;
    share_rate(l, mono_us);
    queues_settle(l->queues);
    uint32_t at = 0;
    for (struct queue *q; (q = table_next(&l->queues->all, &at)) != NULL;)
        look_at_queue(l, q, now_us);
}

/* How long it should have opened, let somebody in, or made an offer; 0: it is as it should be. */
static int64_t overdue_us(const struct round *round, int64_t now_us) {
    const struct room *r = &round->room;
    if (!r->open) return now_us > r->opens_us ? now_us - r->opens_us : 0;
    if (r->sold_out) return round->due == CONTROL_OFFER ? clock_mono_us() - round->due_us : 0;
    return is_served(round, now_us) ? now_us - room_served_us(r) : 0;
}

struct measured {
    int64_t there, people, served, buying, left, bytes, leads, overdue_us;
    int64_t offered, taken, lapsed;
};

static void measure(const struct lead *l, const struct round *round, int64_t now_us, struct measured *m) {
    const struct room *r = &round->room;
    m->bytes += (int64_t)room_bytes(r);
    if (!room_is_there(r)) return;
    m->there++;
    m->people += room_people(r);
    m->served += room_serving(r);
    m->buying += room_buying(r, now_us);
    m->left += r->open && round->left > 0 ? round->left : 0;
    m->offered += r->offers.count;
    m->taken += r->offers.taken;
    m->lapsed += r->offers.lapsed;
    m->leads += uuid_eq(&r->writer, &l->writer);
    int64_t late_us = overdue_us(round, now_us);
    if (late_us > m->overdue_us) m->overdue_us = late_us;
}

void lead_measure(const struct lead *l) {
    int64_t now_us = clock_wall_us();
    struct measured m = {0};
    uint32_t at = 0;
    for (const struct queue *q; (q = table_next(&l->queues->all, &at)) != NULL;) {
        measure(l, &q->now, now_us, &m);
        measure(l, &q->next, now_us, &m);
    }
    metric_set(M_QUEUES, m.there);
    metric_set(M_QUEUE_PEOPLE, m.people);
    metric_set(M_QUEUE_SERVED, m.served);
    metric_set(M_QUEUE_BUYING, m.buying);
    metric_set(M_QUEUE_LEFT, m.left);
    metric_set(M_QUEUE_BYTES, m.bytes);
    metric_set(M_QUEUE_OVERDUE, m.overdue_us / 1000000);
    metric_set(M_QUEUE_LEADS, m.leads);
    metric_set(M_QUEUE_OFFERED, m.offered);
    metric_set(M_QUEUE_TAKEN, m.taken);
    metric_set(M_QUEUE_LAPSED, m.lapsed);
    metric_set(M_RATE, (int64_t)l->rate.people);
    metric_set(M_RATE_TOP, rate_top(&lead_rate_settings));
    metric_set(M_RATE_LIMIT, rate_limited_by(&l->rate, &lead_rate_settings));
    metric_set(M_ORDERS_HEARD, l->rate.count);
}

/* --- whose turn came, and who missed it --- */

/* Orders come by another topic: a purchase of the last moment may be read later. */
static const int64_t SETTLED_US = 5 * 1000000;

static void count(const struct lead *l, const struct uuid *show, enum demand_number what, uint32_t n) {
    const struct demand_key key = {.show = *show, .client = DEMAND_CLIENT_NONE};
    if (n > 0) demand_add(l->demand.demand, l->demand.slot, &key, what, (int)n);
}

/* Whoever wrote there last counts. What it did not see begin it leaves alone: another may have counted it. */
static void count_missed(const struct lead *l, const struct uuid *show, struct round *round, int64_t at_us) {
    uint32_t missed = room_missed(&round->room, at_us);
    bool seen = round->missed_in == round->room.round;
    if (seen && missed > round->missed && uuid_eq(&round->room.writer, &l->writer))
        count(l, show, DEMAND_MISSED, missed - round->missed);
    if (!seen || missed > round->missed) round->missed = missed;
    round->missed_in = round->room.round;
}

void lead_count_missed(struct lead *l) {
    uint32_t at = 0;
    for (struct queue *q; (q = table_next(&l->queues->all, &at)) != NULL;)
        if (room_is_there(&q->now.room)) count_missed(l, &q->show, &q->now, clock_wall_us() - SETTLED_US);
}

void lead_event(struct lead *l, int32_t partition, const struct waiting_event *e) {
    struct queue *q = NULL;
    uint32_t before = 0;
    if (e->has_writer && uuid_eq(&e->writer, &l->writer)) q = queues_find(l->queues, &e->show_id);
    if (q != NULL && e->type == QUEUE_SERVING) before = room_serving(&q->now.room);
    if (q != NULL && e->type == QUEUE_CLOSED && e->round == q->now.room.round)
        count_missed(l, &q->show, &q->now, q->now.room.closes_us); /* the room may be gone then */
    queues_event(l->queues, partition, e);
    if (q != NULL && e->type == QUEUE_SERVING && room_serving(&q->now.room) > before)
        count(l, &q->show, DEMAND_ADMITTED, room_serving(&q->now.room) - before);
}
