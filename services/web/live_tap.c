#include "live_tap.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "live_metrics.h"
#include "log.h"
#include "mem.h"
#include "topic_thread.h"
#include "wire.h"

enum {
    TICK_MS = 1000,       /* the threads are told the place at least so often */
    SLICE = 1000,         /* records of a batch */
    BUSY_MS = 2,          /* between looks at whether the threads have caught up */
    GATHER_MS = 20,       /* a batch for each order of an on-sale would cost a third of a core */
    UNREADABLE_MS = 1000, /* the patience of wire.h: the next event shows the whole state again */
    PATIENCE_MS = 4000,   /* of a question, while the topics are not read up to their end yet */
    OUT_MS = 50,          /* between looks, while nothing is fetched */
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
    char group[64];
    struct wire_decoder *tickets, *orders;
    struct live_view *view;

    const struct live_item *items[SLICE]; /* of the batch to be told */
    size_t count;
    int listed;
    int64_t *ends; /* of each partition, as it was placed the first time; NULL: read up to there */
    bool caught_up;

    int64_t told_at_us;

    struct inbox asked;
    struct inbox_item *waiting; /* of these, what cannot be answered yet */
};

void live_batch_unref(struct live_batch *batch) {
    if (atomic_fetch_sub(&batch->refs, 1) > 1) return;
    for (size_t i = 0; i < batch->count; i++)
        live_item_unref(batch->items[i]);
    free(batch->items);
    free(batch);
}

/* --- where to read from --- */

static enum status place(void *arg, struct why *w) {
    struct live_tap *tap = arg;
    int count;
    struct group_partition *p = group_partitions(tap->thread.group, &count);
    int64_t *from = mem_alloc((size_t)(count + 1) * sizeof *from),
            *ends = mem_alloc((size_t)(count + 1) * sizeof *ends);
    enum status st = group_offsets_for_time(tap->thread.group, clock_wall_us() / 1000 - window_ms, from, w);
    if (st == ST_OK) st = group_ends(tap->thread.group, ends, w);
    for (int i = 0; st == ST_OK && i < count; i++)
        if (p[i].gone) st = group_earliest(tap->thread.group, &p[i], &from[i], w);
    for (int i = 0; st == ST_OK && i < count; i++) {
        p[i].next = live_view_begin(tap->view, p[i].topic, p[i].partition, from[i], p[i].gone);
        p[i].gone = false;
    }
    free(from);
    free(tap->ends);
    tap->ends = ends;
    if (st == ST_OK) group_fetch(tap->thread.group);
    return st;
}

static void look_whether_caught_up(struct live_tap *tap) {
    int count;
    struct group_partition *p = group_partitions(tap->thread.group, &count);
    if (tap->caught_up || group_state(tap->thread.group) != GROUP_FETCHING || count == 0) return;
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
    int64_t now_us = clock_mono_us();
    if (tap->count == 0 && now_us - tap->told_at_us < TICK_MS * INT64_C(1000)) return;
    tap->told_at_us = now_us;
    metric_set(M_LIVE_ITEMS, (int64_t)live_view_count(tap->view));
    while (tap->options.busy(tap->options.arg) && !topic_thread_stopping(&tap->thread))
        clock_wait(-1, clock_mono_us() + BUSY_MS * INT64_C(1000));
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
    struct inbox_item **last = &tap->waiting;
    while (*last != NULL)
        last = &(*last)->next;
    *last = inbox_take(&tap->asked);
}

static void answer_questions(struct live_tap *tap) {
    take_questions(tap);
    struct inbox_item **at = &tap->waiting;
    int64_t late_us = clock_mono_us() - PATIENCE_MS * INT64_C(1000);
    bool stopping = topic_thread_stopping(&tap->thread);
    while (*at != NULL) {
        struct live_question *q = (struct live_question *)*at;
        if (!tap->caught_up && !stopping && q->asked_us > late_us) {
            at = &q->item.next;
            continue;
        }
        *at = q->item.next;
        answer(tap, q, tap->caught_up && !stopping ? ST_OK : ST_AGAIN);
    }
}

/* --- the thread --- */

static void step(void *arg) {
    struct live_tap *tap = arg;
    struct topic_thread *thread = &tap->thread;
    if (group_state(thread->group) == GROUP_HELD) topic_thread_place(thread, place);
    int wait_ms = group_state(thread->group) == GROUP_FETCHING ? TICK_MS : OUT_MS;
    metric_add(M_LIVE_RECORDS, topic_thread_read(thread, wait_ms, SLICE, take));
    look_whether_caught_up(tap);
    tell(tap);
    answer_questions(tap);
    topic_thread_tick(thread);
}

/* Answers who still asks, before it takes the time to leave. */
static void finish(void *arg) {
    answer_questions(arg);
}

static void live_tap_close(void *arg) {
    struct live_tap *tap = arg;
    answer_questions(tap);
    for (size_t i = 0; i < tap->count; i++)
        live_item_unref(tap->items[i]);
    free(tap->ends);
    live_view_free(tap->view);
    wire_decoder_free(tap->tickets);
    wire_decoder_free(tap->orders);
    inbox_destroy(&tap->asked);
    topic_thread_free(&tap->thread);
    free(tap);
}

static const struct topic_thread_work work = {.step = step, .finish = finish, .close = live_tap_close};

static void wake(void *arg) {
    struct live_tap *tap = arg;
    topic_thread_wake(&tap->thread);
}

struct live_tap *live_tap_new(const struct live_tap_options *options, struct why *w) {
    struct live_tap *tap = mem_alloc(sizeof *tap);
    struct uuid id = uuid_v7();
    char text[UUID_TEXT];
    uuid_format(&id, text);
    snprintf(tap->group, sizeof tap->group, "web-%.*s", UUID_TEXT, text);
    const struct topic_thread_options thread = {.name = "live",
                                                .group = tap->group,
                                                .brokers = options->brokers,
                                                .topics = topics,
                                                .gather_ms = GATHER_MS,
                                                .leave_ms = LEAVE_MS,
                                                .registry_url = options->registry_url};
    if (topic_thread_init(&tap->thread, &thread, &work, tap, w) != ST_OK) {
        free(tap);
        return NULL;
    }
    tap->options = *options;
    inbox_init(&tap->asked, wake, tap);
    tap->tickets = wire_decoder_new(tap->thread.registry, topic_tickets.type, UNREADABLE_MS);
    tap->orders = wire_decoder_new(tap->thread.registry, topic_orders.type, UNREADABLE_MS);
    tap->view = live_view_new(options->items);
    return tap;
}

void live_tap_start(struct live_tap *tap) {
    topic_thread_start(&tap->thread);
}

void live_tap_ask(struct live_tap *tap, struct live_question *q) {
    q->asked_us = clock_mono_us();
    inbox_put(&tap->asked, &q->item);
}

void live_tap_stop(struct live_tap *tap) {
    topic_thread_stop(&tap->thread, STOP_MS);
}
