#include "waiting.h"

#include <stdio.h>
#include <stdlib.h>

#include "challenge.h"
#include "clock.h"
#include "group_metrics.h"
#include "journal.h"
#include "lead.h"
#include "log.h"
#include "log_mark.h"
#include "mem.h"
#include "queues.h"
#include "topic_thread.h"
#include "waiting_metrics.h"
#include "wire.h"

enum {
    SLICE = 1000,            /* records before questions have their turn */
    IDLE_MS = 1000,          /* the longest wait; records, questions and acknowledgements end it */
    GATHER_MS = 10,          /* records at the broker */
    PAUSED_US = 3000 * 1000, /* not run for so long: others may have moved on */
    READ_MS = 2000, /* from Kafka's having it to our having read it; later than that something is wrong */
    FLUSH_MS = 3000,
    LEAVE_MS = 2000,
};

enum topics { WAITING, SHOWS, STOCK, ORDERS, LOAD, TOPICS };
static const char *const topics[] = {[WAITING] = "waiting", [SHOWS] = "shows", [STOCK] = "stock",
                                     [ORDERS] = "orders",   [LOAD] = "load",   [TOPICS] = NULL};

/* How far a topic has been read, by partition. */
struct cursors {
    struct cursor {
        int64_t next;           /* -1: not at all */
        struct log_mark newest; /* of what was read */
    } * all;
    int count;
};

struct waiting {
    struct topic_thread thread;
    char group[64];
    struct wire_decoder *decoders[TOPICS];
    struct journal *journal;
    struct queues queues;
    struct stock stock;
    struct lead lead;

    struct cursors cursors[TOPICS];
    int64_t *ends; /* of each partition, as it was placed */
    bool caught_up;
    int64_t placed_us, stepped_boot_us;

    struct inbox asked;
    struct inbox_item *written; /* who joined, and waits until we have read it */
};

/* --- where to read from --- */

static struct cursor *cursor(struct waiting *x, int topic, int32_t partition) {
    struct cursors *c = &x->cursors[topic];
    if (partition >= c->count) {
        c->all = mem_grow(c->all, (size_t)(partition + 1) * sizeof *c->all);
        for (; c->count <= partition; c->count++)
            c->all[c->count] = (struct cursor){.next = -1};
    }
    return &c->all[partition];
}

static void forget_all(struct waiting *x) {
    queues_free(&x->queues);
    stock_free(&x->stock);
    for (int i = 0; i < TOPICS; i++) {
        free(x->cursors[i].all);
        x->cursors[i] = (struct cursors){0};
    }
}

/* A topic was made anew, or has lost what we have not read. */
static void start_over_if_gone(struct waiting *x, struct group_partition *p, int count) {
    bool gone = false;
    for (int i = 0; i < count; i++) {
        if (p[i].gone && p[i].topic != LOAD)
            log_warn("waiting", "%s/%d does not have the record to go on from: all is read again",
                     topics[p[i].topic], p[i].partition);
        gone = gone || (p[i].gone && p[i].topic != LOAD);
        p[i].gone = false;
    }
    if (gone) forget_all(x);
}

static enum status place(void *waiting, struct why *w) {
    struct waiting *x = waiting;
    int count;
    struct group_partition *p = group_partitions(x->thread.group, &count);
    int64_t *from = mem_alloc((size_t)(count + 1) * sizeof *from);
    int64_t *ends = mem_alloc((size_t)(count + 1) * sizeof *ends);
    enum status st = group_offsets_for_time(x->thread.group, 0, from, w);
    if (st == ST_OK) st = group_ends(x->thread.group, ends, w);
    if (st == ST_OK) start_over_if_gone(x, p, count);
    for (int i = 0; st == ST_OK && i < count; i++) {
        int64_t *next = &cursor(x, p[i].topic, p[i].partition)->next;
        if (*next < 0) *next = from[i];
        if (p[i].topic == LOAD) *next = ends[i]; /* what was said before is no news */
        p[i].next = *next;
    }
    free(from);
    free(x->ends);
    x->ends = ends;
    if (st == ST_OK) group_fetch(x->thread.group);
    return st;
}

static void try_place(struct waiting *x) {
    if (!topic_thread_place(&x->thread, place)) return;
    int count;
    group_partitions(x->thread.group, &count);
    metric_set(M_CONSUMER_PARTITIONS, count);
    x->caught_up = false; /* what came meanwhile may be more than what we have */
    x->placed_us = clock_mono_us();
    x->stepped_boot_us = clock_boot_us();
}

static void look_whether_caught_up(struct waiting *x) {
    int count;
    struct group_partition *p = group_partitions(x->thread.group, &count);
    if (x->caught_up || group_state(x->thread.group) != GROUP_FETCHING || count == 0) return;
    int64_t left = 0;
    for (int i = 0; i < count; i++)
        left += p[i].reached < x->ends[i] ? x->ends[i] - p[i].reached : 0;
    if (left > 0) {
        char text[64];
        snprintf(text, sizeof text, "reading the topics, %lld records to go", (long long)left);
        topic_thread_say_not_ready(&x->thread, text);
        return;
    }
    x->caught_up = true;
    log_info("waiting", "%u shows are known, after %lld ms", x->queues.all.count,
             (long long)(clock_mono_us() - x->placed_us) / 1000);
    topic_thread_say_ready(&x->thread);
}

/* Whatever has made us stop reading, others may have moved on: nobody is answered, and nothing written, until
 * all is read again. So a replica that is cut off from Kafka says so when its membership ends. */
static void notice_loss(struct waiting *x) {
    if (!x->caught_up || group_state(x->thread.group) == GROUP_FETCHING) return;
    x->caught_up = false;
    topic_thread_say_not_ready(&x->thread, "is about to read the topics to their ends again");
}

/* After a pause (a stopped process, a machine asleep) shows may have other phases: first read up to the end.
 */
static void notice_pause(struct waiting *x) {
    int64_t now_us = clock_boot_us(), since_us = now_us - x->stepped_boot_us;
    x->stepped_boot_us = now_us;
    if (since_us < PAUSED_US || group_state(x->thread.group) != GROUP_FETCHING || !x->caught_up) return;
    log_info("waiting", "did not run for %lld ms: reading up to the end first", (long long)since_us / 1000);
    group_hold(x->thread.group);
}

/* --- reading --- */

/* Of an order that was cancelled more may be told later, as that its money went back: the place is another's
 * by then. */
static void take_order(struct waiting *x, const struct order_event *e) {
    bool is_over = e->type == ORDER_UPDATED && e->status == ORDER_STATUS_CANCELLED;
    if (!e->has_show_id || is_over) return;
    if (stock_order(&x->stock, &e->ticket_id, &e->show_id, e->status != ORDER_STATUS_CANCELLED))
        queues_bought(&x->queues, e); /* so each order counts once */
}

static enum status judge(struct waiting *x, const struct group_partition *p, const rd_kafka_message_t *m,
                         struct why *w) {
    union {
        struct waiting_event waiting;
        struct show_event show;
        struct stock_event stock;
        struct order_event order;
        struct load_event load;
    } e;
    enum status st = wire_decode(x->decoders[p->topic], m->payload, m->len, &e, w);
    if (st != ST_OK) return st;
    if (p->topic == WAITING)
        lead_event(&x->lead, p->partition, &e.waiting);
    else if (p->topic == SHOWS)
        queues_show(&x->queues, &e.show);
    else if (p->topic == STOCK)
        stock_area(&x->stock, &e.stock.id, &e.stock.show_id, e.stock.places, e.stock.accessible);
    else if (p->topic == LOAD)
        rate_hear(&x->lead.rate, &lead_rate_settings, &e.load, clock_mono_us());
    else
        take_order(x, &e.order);
    return ST_OK;
}

/* ST_OK, or why the record cannot be judged now. */
static enum status take_new(struct waiting *x, const struct group_partition *p, const rd_kafka_message_t *m,
                            struct why *w) {
    enum status st = judge(x, p, m, w);
    if (st != ST_INVALID) return st;
    log_warn("waiting", "%s/%d@%lld is passed over: %s", topics[p->topic], m->partition, (long long)m->offset,
             w->text);
    metric_add(M_WAITING_UNREADABLE, 1);
    return ST_OK;
}

/* What was told before is passed over: a place that was given back since would be taken for ever. */
static enum status take(void *waiting, struct group_partition *p, const rd_kafka_message_t *m,
                        struct why *w) {
    struct cursor *c = cursor(waiting, p->topic, p->partition);
    struct log_mark mark = log_mark_of(m);
    if (!log_mark_is_old(&mark, &c->newest)) {
        enum status st = take_new(waiting, p, m, w);
        if (st != ST_OK) return st;
        if (mark.known) c->newest = mark;
    }
    p->reached = c->next = m->offset + 1;
    return ST_OK;
}

/* --- answering --- */

/* Of somebody who has a place, or will have one. */
static void write_his(const struct room *r, struct ask *ask) {
    struct ask_answer *a = &ask->answer;
    const struct room_turn *turn = a->place == 0 ? NULL : room_turn_of(r, a->place);
    const struct offer *offer = offers_find(&r->offers, &ask->user);
    a->want = places_want_of(r->places, &ask->user);
    a->has_turn = turn != NULL;
    a->has_offer = offer != NULL;
    if (turn != NULL) {
        a->until_us = turn->until_us;
        a->taken = a->want > 0 && places_has_bought(r->places, a->place);
    }
    if (a->place != 0 && waitlist_has(r, a->place)) a->waitlist = waitlist_number(r, a->place);
    if (offer == NULL) return;
    a->taken = offer->taken;
    a->want = offer->want;
    a->until_us = offer->until_us;
}

static void write_answer(const struct round *round, struct ask *ask, int64_t now_us) {
    const struct room *r = &round->room;
    struct ask_answer *a = &ask->answer;
    a->open = r->open;
    a->people = room_people(r);
    a->serving = room_serving(r);
    a->left = round->left;
    a->opens_us = r->opens_us;
    a->closes_us = r->closes_us;
    a->pace = control_pace(r, &lead_settings, now_us);
    memcpy(a->seed_hash, r->seed_hash, sizeof a->seed_hash);
    if (r->open) memcpy(a->seed, r->seed, sizeof a->seed);
    a->sold_out = r->sold_out;
    a->offered = r->offers.reached;
    if (ask->kind == ASK_PLACE) write_his(r, ask);
}

static void end_ask(struct ask *ask, enum ask_result result) {
    ask->result = result;
    ask->answered(ask);
}

/* He is there, and wants as many as he said now; or that can't be changed any more. */
static bool is_as_asked(const struct round *round, struct ask *ask) {
    const struct room *r = &round->room;
    return places_find(r->places, &ask->user, &ask->answer.place) &&
           !room_may_want(r, ask->round, &ask->user, ask->want);
}

/* Whether it can be said now; then it is. */
static bool settle(struct waiting *x, struct ask *ask, bool stopping) {
    const struct queue *q = queues_find(&x->queues, &ask->show);
    const struct round *round = q == NULL ? NULL : queues_round(q, ask->round);
    if (round != NULL && is_as_asked(round, ask))
        end_ask(ask, ASK_DONE);
    else if (stopping || clock_mono_us() - ask->written_us > READ_MS * INT64_C(1000))
        end_ask(ask, round != NULL ? ASK_AWAY : ASK_NO_QUEUE);
    else
        return false;
    return true;
}

/* Kafka has it. It counts when we have read it, which may be so already. */
static void on_written(void *waiting, void *what, bool ok) {
    struct waiting *x = waiting;
    struct ask *ask = what;
    if (!ok) return end_ask(ask, ASK_AWAY);
    ask->written_us = clock_mono_us();
    if (settle(x, ask, false)) return;
    ask->item.next = x->written;
    x->written = &ask->item;
}

static void settle_all(struct waiting *x, bool stopping) {
    struct inbox_item **at = &x->written;
    while (*at != NULL) {
        struct inbox_item *item = *at, *next = item->next;
        if (settle(x, (struct ask *)item, stopping))
            *at = next;
        else
            at = &item->next;
    }
}

static void say_join(struct waiting *x, struct ask *ask, int64_t now_us) {
    const struct waiting_event e = {.type = QUEUE_JOINED,
                                    .show_id = ask->show,
                                    .round = ask->round,
                                    .occurred_at = now_us,
                                    .has_user_id = true,
                                    .user_id = ask->user,
                                    .has_want = ask->want > 0,
                                    .want = ask->want};
    if (!journal_write(x->journal, &e, ask)) end_ask(ask, ASK_AWAY);
}

/* Nobody wants more than he can have. */
static void join(struct waiting *x, const struct queue *q, const struct room *r, struct ask *ask,
                 int64_t now_us) {
    const struct phase *phase = phases_next(&q->phases, now_us);
    if (ask->next) phase = phases_after(&q->phases, phase);
    if (phase != NULL && ask->want > phase->per_user) ask->want = phase->per_user;
    if (places_find(r->places, &ask->user, &ask->answer.place)) {
        if (!room_may_want(r, ask->round, &ask->user, ask->want)) return end_ask(ask, ASK_DONE);
        ask->again = true;
    } else if (!challenge_is_met(r->seed_hash, &ask->user, ask->proof)) {
        return end_ask(ask, ASK_CHALLENGE);
    } else if (phase != NULL && phase->codes && !ask->has_code) {
        return end_ask(ask, ASK_CODE_REQUIRED);
    }
    say_join(x, ask, now_us);
}

static void answer(struct waiting *x, struct ask *ask, int64_t now_us) {
    const struct queue *q = queues_find(&x->queues, &ask->show);
    if (!x->caught_up || topic_thread_stopping(&x->thread)) return end_ask(ask, ASK_AWAY);
    const struct round *round = q == NULL ? NULL : ask->next ? &q->next : &q->now;
    if (round == NULL || !room_is_there(&round->room)) return end_ask(ask, ASK_NO_QUEUE);
    ask->round = round->room.round;
    if (ask->kind == ASK_JOIN) return join(x, q, &round->room, ask, now_us);
    bool joined = ask->kind == ASK_PLACE && places_find(round->room.places, &ask->user, &ask->answer.place);
    if (ask->kind == ASK_PLACE && !joined) return end_ask(ask, ASK_NOT_JOINED);
    write_answer(round, ask, now_us);
    end_ask(ask, ASK_DONE);
}

static void answer_all(struct waiting *x) {
    int64_t now_us = clock_wall_us();
    for (struct inbox_item *item = inbox_take(&x->asked), *next; item != NULL; item = next) {
        next = item->next;
        answer(x, (struct ask *)item, now_us);
    }
}

/* --- the thread --- */

static void step(void *waiting) {
    struct waiting *x = waiting;
    if (group_state(x->thread.group) == GROUP_HELD) try_place(x);
    x->queues.live = x->caught_up;
    int wait_ms = x->caught_up && !x->lead.watches ? IDLE_MS : LEAD_LOOK_MS;
    int records = topic_thread_read(&x->thread, wait_ms, SLICE, take);
    metric_add(M_WAITING_READ, records);
    metric_add(M_CONSUMED, records);
    notice_pause(x);
    notice_loss(x);
    look_whether_caught_up(x);
    answer_all(x);
    if (records > 0) settle_all(x, false);
    if (x->caught_up) lead_look(&x->lead);
    journal_poll(x->journal);
    if (!topic_thread_tick(&x->thread)) return;
    settle_all(x, false); /* some may have waited too long */
    topic_thread_measure(&x->thread);
    lead_measure(&x->lead);
    if (x->caught_up) lead_count_missed(&x->lead);
}

static void wake(void *waiting) {
    struct waiting *x = waiting;
    topic_thread_wake(&x->thread);
}

static bool prepare(void *waiting) {
    struct waiting *x = waiting;
    int32_t schema_id;
    if (!topic_thread_register(&x->thread, &topic_waiting, &schema_id)) return false;
    journal_start(x->journal, schema_id, wake, x);
    x->stepped_boot_us = clock_boot_us();
    return true;
}

/* Answers who still asks, before it takes the time to leave. */
static void finish(void *waiting) {
    struct waiting *x = waiting;
    answer_all(x);
    journal_flush(x->journal, FLUSH_MS);
    settle_all(x, true);
}

/* --- starting and stopping --- */

static void waiting_close(void *waiting) {
    struct waiting *x = waiting;
    answer_all(x);
    journal_free(x->journal);
    forget_all(x);
    rate_free(&x->lead.rate);
    free(x->ends);
    for (int i = 0; i < TOPICS; i++)
        wire_decoder_free(x->decoders[i]);
    inbox_destroy(&x->asked);
    topic_thread_free(&x->thread);
    free(x);
}

static const struct topic_thread_work work = {
    .prepare = prepare, .step = step, .finish = finish, .close = waiting_close};

/* Each process reads everything, so each is a group of its own. */
static enum status init_thread(struct waiting *x, const struct stream_options *options, struct why *w) {
    char text[UUID_TEXT];
    uuid_format(&x->lead.writer, text);
    snprintf(x->group, sizeof x->group, "waiting-%.*s", UUID_TEXT, text);
    return topic_thread_init(&x->thread,
                             &(struct topic_thread_options){.name = options->name,
                                                            .group = x->group,
                                                            .brokers = options->brokers,
                                                            .topics = topics,
                                                            .gather_ms = GATHER_MS,
                                                            .leave_ms = LEAVE_MS,
                                                            .registry_url = options->registry_url},
                             &work, x, w);
}

struct waiting *waiting_new(const struct admission_keys *seeds, const struct demand_slot *demand,
                            const struct stream_options *options, struct why *w) {
    static const struct topic *const read[] = {[WAITING] = &topic_waiting,
                                               [SHOWS] = &topic_shows,
                                               [STOCK] = &topic_stock,
                                               [ORDERS] = &topic_orders,
                                               [LOAD] = &topic_load};
    struct waiting *x = mem_alloc(sizeof *x);
    x->lead = (struct lead){.queues = &x->queues, .stock = &x->stock, .demand = *demand, .writer = uuid_v7()};
    x->queues.keys = seeds;
    if (init_thread(x, options, w) != ST_OK) {
        free(x);
        return NULL;
    }
    x->journal = journal_open(options->brokers, on_written, x, w);
    if (x->journal == NULL) {
        topic_thread_free(&x->thread);
        free(x);
        return NULL;
    }
    x->lead.journal = x->journal;
    inbox_init(&x->asked, wake, x);
    for (int i = 0; i < TOPICS; i++) /* stock, orders and load are hints, for which no queue waits */
        x->decoders[i] = wire_decoder_new(x->thread.registry, read[i]->type,
                                          i == WAITING || i == SHOWS ? options->unreadable_wait_ms : 0);
    metrics_register(waiting_metrics);
    metrics_register(group_metrics);
    return x;
}

void waiting_start(struct waiting *x) {
    topic_thread_start(&x->thread);
}

void waiting_ask(struct waiting *x, struct ask *ask) {
    inbox_put(&x->asked, &ask->item);
}

bool waiting_ready(void *waiting, struct why *w) {
    struct waiting *x = waiting;
    return topic_thread_ready(&x->thread, w);
}

void waiting_stop(void *waiting, int timeout_ms) {
    struct waiting *x = waiting;
    topic_thread_stop(&x->thread, timeout_ms);
}
