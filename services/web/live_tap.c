#include "live_tap.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "live_metrics.h"
#include "log.h"
#include "topic_thread.h"
#include "wire.h"

enum {
    TICK_MS = 1000,     /* the threads are told the place at least so often */
    SLICE = 1000,       /* records of a batch */
    BUSY_MS = 2,        /* between looks at whether the threads have caught up */
    GATHER_MS = 20,     /* a batch for each order of an on-sale would cost a third of a core */
    PATIENCE_MS = 4000, /* of a question, while the topics are not read up to their end yet */
    OUT_MS = 50,        /* between looks, while nothing is fetched */
    LEAVE_MS = 2000,
    STOP_MS = 5000,
};
/* How far back it reads at its start: pages that lost their stream for less go on without being read again.
 */
static const int64_t window_ms = 5 * 60 * 1000;

enum { TICKETS, ORDERS };
static const char *const topics[] = {[TICKETS] = "tickets", [ORDERS] = "orders", NULL};

struct live_tap {
    struct topic_thread thread;
    struct live_tap_options options;
    struct group_options group_options;
    char group_id[64];
    struct group *group;
    struct registry *registry;
    struct wire_decoder *tickets, *orders;
    struct live_view *view;

    const struct live_item *items[SLICE]; /* of the batch to be told */
    size_t count;
    int listed;
    int64_t *ends; /* of each partition, as it was placed the first time; NULL: read up to there */
    bool caught_up;

    int64_t tick_at;

    pthread_mutex_t lock; /* of the next one */
    struct live_question *asked;
    struct live_question *waiting; /* the thread's */
};

void live_batch_unref(struct live_batch *batch) {
    if (atomic_fetch_sub(&batch->refs, 1) > 1) return;
    for (size_t i = 0; i < batch->count; i++)
        live_item_unref(batch->items[i]);
    free(batch->items);
    free(batch);
}

/* --- where to read from --- */

static enum status place(struct live_tap *tap, struct why *w) {
    int count;
    struct group_partition *p = group_partitions(tap->group, &count);
    int64_t *from = mem_alloc((size_t)(count + 1) * sizeof *from),
            *ends = mem_alloc((size_t)(count + 1) * sizeof *ends);
    enum status st = group_offsets_for_time(tap->group, clock_wall_us() / 1000 - window_ms, from, w);
    if (st == ST_OK) st = group_ends(tap->group, ends, w);
    for (int i = 0; st == ST_OK && i < count; i++)
        if (p[i].gone) st = group_earliest(tap->group, &p[i], &from[i], w);
    for (int i = 0; st == ST_OK && i < count; i++) {
        p[i].next = live_view_begin(tap->view, p[i].topic, p[i].partition, from[i], p[i].gone);
        p[i].gone = false;
    }
    free(from);
    free(tap->ends);
    tap->ends = ends;
    if (st == ST_OK) group_fetch(tap->group);
    return st;
}

static void try_place(struct live_tap *tap) {
    struct why w = {0};
    if (!topic_thread_may_try(&tap->thread)) return;
    enum status st = place(tap, &w);
    if (st != ST_OK)
        topic_thread_set_back(&tap->thread, st, &w);
    else
        topic_thread_went_well(&tap->thread);
}

static void look_whether_caught_up(struct live_tap *tap) {
    int count;
    struct group_partition *p = group_partitions(tap->group, &count);
    if (tap->caught_up || group_state(tap->group) != GROUP_FETCHING || count == 0) return;
    for (int i = 0; i < count; i++)
        if (p[i].reached < tap->ends[i]) return;
    tap->caught_up = true;
    log_info("live", "read up to the end of %d partitions, %zu tickets and orders are in mind", count,
             live_view_count(tap->view));
}

/* --- reading --- */

static const struct live_item *judge(struct live_tap *tap, const struct group_partition *p,
                                     const rd_kafka_message_t *m, enum status *st, struct why *w) {
    union {
        struct ticket_event ticket;
        struct order_event order;
    } e;
    bool ticket = p->topic == TICKETS;
    *st = wire_decode(ticket ? tap->tickets : tap->orders, m->payload, m->len, &e, w);
    if (*st != ST_OK) return NULL;
    if (ticket) return live_view_ticket(tap->view, TICKETS, m->partition, m->offset, &e.ticket);
    return live_view_order(tap->view, ORDERS, m->partition, m->offset, &e.order);
}

/* ST_OK, or why the record cannot be judged now. */
static enum status take(void *arg, struct group_partition *p, const rd_kafka_message_t *m, struct why *w) {
    struct live_tap *tap = arg;
    enum status st;
    const struct live_item *item = judge(tap, p, m, &st, w);
    if (st != ST_OK && st != ST_INVALID) return st;
    if (item != NULL) {
        tap->items[tap->count++] = live_item_ref(item);
        tap->listed += item->kind == LIVE_TICKET && item->created;
    }
    if (st == ST_INVALID) {
        log_warn("live", "%s/%d@%lld is passed over: %s", topics[p->topic], m->partition,
                 (long long)m->offset, w->text);
        metric_add(M_LIVE_UNREADABLE, 1);
        live_view_passed(tap->view, p->topic, m->partition, m->offset);
    }
    p->reached = m->offset + 1;
    return ST_OK;
}

static void read_topics(struct live_tap *tap, int wait_ms) {
    struct why w = {0};
    int records;
    enum status st = group_read(tap->group, wait_ms, SLICE, take, tap, &records, &w);
    metric_add(M_LIVE_RECORDS, records);
    if (st == ST_OK) return;
    topic_thread_set_back(&tap->thread, st, &w);
    group_hold(tap->group);
}

/* --- telling --- */

static struct live_batch *new_batch(struct live_tap *tap) {
    struct buf place_text = {0};
    live_view_place(tap->view, &place_text);
    struct live_batch *batch = mem_alloc(sizeof *batch + place_text.len);
    batch->refs = 1;
    batch->count = tap->count;
    batch->listed = tap->listed;
    batch->items = mem_alloc((tap->count + 1) * sizeof *batch->items);
    memcpy(batch->items, tap->items, tap->count * sizeof *batch->items);
    batch->place_n = place_text.len;
    if (place_text.len > 0) memcpy(batch->place, place_text.data, place_text.len);
    buf_free(&place_text);
    tap->count = 0;
    tap->listed = 0;
    return batch;
}

/* Kafka keeps what the threads cannot take yet. */
static void tell(struct live_tap *tap) {
    int64_t now = clock_mono_us();
    if (tap->count == 0 && now < tap->tick_at) return;
    tap->tick_at = now + TICK_MS * INT64_C(1000);
    metric_set(M_LIVE_ITEMS, (int64_t)live_view_count(tap->view));
    while (tap->options.busy(tap->options.arg) && !topic_thread_stopping(&tap->thread))
        poll(NULL, 0, BUSY_MS);
    struct live_batch *batch = new_batch(tap);
    tap->options.tell(tap->options.arg, batch);
    live_batch_unref(batch);
}

static void answer(struct live_tap *tap, struct live_question *q, enum status st) {
    q->st = st;
    q->reached = true;
    bool reaches = live_view_reaches(tap->view, q->since);
    for (int i = 0; st == ST_OK && i < q->count; i++) {
        const struct live_item *item = live_view_find(tap->view, &q->wants[i].id);
        if (item != NULL)
            q->found[i] = live_item_ref(item);
        else
            q->reached = reaches;
    }
    q->answer(q);
}

static void take_questions(struct live_tap *tap) {
    pthread_mutex_lock(&tap->lock);
    struct live_question *asked = tap->asked;
    tap->asked = NULL;
    pthread_mutex_unlock(&tap->lock);
    for (struct live_question *next; asked != NULL; asked = next) {
        next = asked->next;
        asked->next = tap->waiting;
        tap->waiting = asked;
    }
}

static void answer_questions(struct live_tap *tap) {
    take_questions(tap);
    struct live_question **at = &tap->waiting;
    int64_t late = clock_mono_us() - PATIENCE_MS * INT64_C(1000);
    bool stopping = topic_thread_stopping(&tap->thread);
    for (struct live_question *q; (q = *at) != NULL;) {
        if (!tap->caught_up && !stopping && q->asked_us > late) {
            at = &q->next;
            continue;
        }
        *at = q->next;
        answer(tap, q, tap->caught_up && !stopping ? ST_OK : ST_AGAIN);
    }
}

/* --- the thread --- */

static void *run(void *arg) {
    struct live_tap *tap = arg;
    tap->group = topic_thread_join(&tap->thread, &tap->group_options);
    while (!topic_thread_stopping(&tap->thread)) {
        if (group_state(tap->group) == GROUP_HELD) try_place(tap);
        read_topics(tap, group_state(tap->group) == GROUP_FETCHING ? TICK_MS : OUT_MS);
        look_whether_caught_up(tap);
        tell(tap);
        answer_questions(tap);
    }
    answer_questions(tap);
    topic_thread_leave(&tap->thread, LEAVE_MS);
    return NULL;
}

struct live_tap *live_tap_new(const struct live_tap_options *options, struct why *w) {
    struct live_tap *tap = mem_alloc(sizeof *tap);
    tap->options = *options;
    struct uuid id = uuid_v7();
    char text[UUID_TEXT];
    uuid_format(&id, text);
    snprintf(tap->group_id, sizeof tap->group_id, "onsale-web-%.*s", UUID_TEXT, text);
    tap->group_options = (struct group_options){
        .id = tap->group_id, .brokers = options->brokers, .topics = topics, .gather_ms = GATHER_MS};
    if (group_check(&tap->group_options, w) != ST_OK) {
        free(tap);
        return NULL;
    }
    topic_thread_init(&tap->thread, "live", "starting");
    pthread_mutex_init(&tap->lock, NULL);
    tap->registry = registry_new(options->registry_url);
    tap->tickets = wire_decoder_new(tap->registry, topic_tickets.type);
    tap->orders = wire_decoder_new(tap->registry, topic_orders.type);
    tap->view = live_view_new(options->items);
    return tap;
}

void live_tap_start(struct live_tap *tap) {
    topic_thread_start(&tap->thread, run, tap);
}

void live_tap_ask(struct live_tap *tap, struct live_question *q) {
    q->asked_us = clock_mono_us();
    pthread_mutex_lock(&tap->lock);
    bool first = tap->asked == NULL;
    q->next = tap->asked;
    tap->asked = q;
    pthread_mutex_unlock(&tap->lock);
    if (first) topic_thread_wake(&tap->thread);
}

void live_tap_stop(struct live_tap *tap) {
    if (!topic_thread_stop(&tap->thread, STOP_MS)) return; /* what the thread uses must stay */
    for (size_t i = 0; i < tap->count; i++)
        live_item_unref(tap->items[i]);
    free(tap->ends);
    live_view_free(tap->view);
    wire_decoder_free(tap->tickets);
    wire_decoder_free(tap->orders);
    registry_free(tap->registry);
    pthread_mutex_destroy(&tap->lock);
    topic_thread_free(&tap->thread);
    free(tap);
}
