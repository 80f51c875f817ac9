#include "queues.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "hex.h"
#include "log.h"
#include "mem.h"
#include "waiting_metrics.h"

/* Longer than any turn: ADMIT_TIME. Who bought before that is not among those who may still buy. */
static const int64_t TURN_MOST_US = INT64_C(86400) * 1000000;

static void free_queue(void *queue) {
    struct queue *q = queue;
    room_free(&q->now.room);
    room_free(&q->next.room);
    phases_free(&q->phases);
    free(q);
}

void queues_free(struct queues *q) {
    table_free(&q->all, free_queue);
    buyers_free(&q->buyers);
}

struct queue *queues_find(const struct queues *q, const struct uuid *show) {
    return table_find(&q->all, show);
}

static struct queue *queue_of(struct queues *q, const struct uuid *show) {
    struct queue *found = queues_find(q, show);
    if (found != NULL) return found;
    found = mem_alloc(sizeof *found);
    found->show = *show;
    found->now.left = found->next.left = -1;
    /* Not the same for all replicas, so that mostly one stands in. */
    found->patience_us = 500 * 1000 + randombytes_uniform(500 * 1000);
    table_add(&q->all, found);
    return found;
}

const struct round *queues_round(const struct queue *queue, int number) {
    const struct round *round = number == queue->now.room.round ? &queue->now : &queue->next;
    return number == round->room.round && room_is_there(&round->room) ? round : NULL;
}

bool queues_is_open(const struct queue *queue) {
    return room_is_there(&queue->now.room) && queue->now.room.open;
}

int queues_newest(const struct queue *queue) {
    int now = queue->now.room.round, next = queue->next.room.round;
    return now > next ? now : next;
}

/* --- seeds --- */

void queues_seed(const struct queues *q, int key, const struct uuid *show, const struct uuid *nonce,
                 uint8_t seed[SEED_BYTES]) {
    uint8_t about[16 + 16];
    memcpy(about, show->b, 16);
    memcpy(about + 16, nonce->b, 16);
    admission_secret(q->keys, key, about, sizeof about, seed);
}

static void find_seed(struct queues *q, const struct queue *queue, struct round *round) {
    uint8_t seed[SEED_BYTES];
    for (int i = 0; i < admission_keys_count(q->keys); i++) {
        queues_seed(q, i, &queue->show, &round->nonce, seed);
        if (room_know_seed(&round->room, seed)) return;
    }
    char show[UUID_TEXT];
    uuid_format(&queue->show, show);
    log_error(
        "waiting",
        "none of WAITING_SEED_KEYS makes the seed of show %.*s: its queue can't be opened without the key "
        "that it was announced with",
        UUID_TEXT, show);
}

/* --- records of `waiting` --- */

static bool announce(struct queues *q, struct queue *queue, struct round *round,
                     const struct waiting_event *e) {
    uint8_t hash[SEED_BYTES];
    bool begins = e->round != round->room.round;
    const struct room_times times = {e->round, e->show_version, e->opens_at, e->closes_at, e->occurred_at};
    if (!e->has_seed_hash || !hex_decode(e->seed_hash, hash, sizeof hash) || !e->has_nonce ||
        !e->has_opens_at || !e->has_closes_at || (begins && e->round <= queues_newest(queue)) ||
        !room_announce(&round->room, &times, hash))
        return false;
    if (!begins) return true;
    round->nonce = e->nonce;
    find_seed(q, queue, round);
    return true;
}

/* The pace goes by when turns came. A writer whose clock is ahead does not hold up those who come after him.
 */
static int64_t earlier(int64_t at_us, int64_t now_us) {
    return at_us < now_us ? at_us : now_us;
}

static bool open_room(const struct queues *q, struct room *r, const struct waiting_event *e) {
    uint8_t seed[SEED_BYTES];
    if (!e->has_seed || !hex_decode(e->seed, seed, sizeof seed) ||
        !room_open(r, e->round, seed, e->occurred_at))
        return false;
    int64_t now_us = clock_wall_us(), late_us = now_us - r->opens_us;
    r->opened_us = earlier(r->opened_us, now_us);
    if (q->live) metric_observe_us(M_WAITING_OPENING, late_us > 0 ? late_us : 0);
    return true;
}

static bool serve(struct room *r, const struct waiting_event *e) {
    return e->has_serving && e->serving > 0 && e->has_until &&
           room_serve(r, e->round, (uint32_t)e->serving, earlier(e->occurred_at, clock_wall_us()), e->until);
}

static bool join(struct room *r, const struct waiting_event *e) {
    int want = e->has_want && e->want >= 1 && e->want <= OFFERS_MOST ? e->want : 0;
    if (!e->has_user_id) return false;
    if (!room_join(r, e->round, &e->user_id, want)) return room_want(r, e->round, &e->user_id, want);
    metric_add(M_WAITING_JOINS, 1);
    return true;
}

static bool offer(struct room *r, const struct waiting_event *e) {
    return e->has_user_id && e->has_want && e->has_offered && e->has_until &&
           room_offer(r, e->round, (uint32_t)e->offered,
                      &(struct offer){.user = e->user_id,
                                      .want = e->want,
                                      .at_us = earlier(e->occurred_at, clock_wall_us()),
                                      .until_us = e->until});
}

/* What a record is about; the next round is not opened before it takes the place of the one that is there. */
static struct round *round_of(struct queue *queue, int number) {
    return queues_is_open(queue) && number > queue->now.room.round ? &queue->next : &queue->now;
}

static bool apply(struct queues *q, struct queue *queue, struct round *round, const struct waiting_event *e) {
    switch (e->type) {
    case QUEUE_ANNOUNCED:
        return announce(q, queue, round, e);
    case QUEUE_JOINED:
        return join(&round->room, e);
    case QUEUE_OPENED:
        return round == &queue->now && open_room(q, &round->room, e);
    case QUEUE_SERVING:
        return round == &queue->now && serve(&round->room, e);
    case QUEUE_SOLD_OUT:
        return round == &queue->now && room_sell_out(&round->room, e->round, e->occurred_at);
    case QUEUE_OFFERED:
        return round == &queue->now && offer(&round->room, e);
    case QUEUE_CLOSED:
        return room_close(&round->room, e->round, e->show_version, e->occurred_at);
    }
    return false;
}

/* Also while the topic is read from its beginning not all rounds of half a year are kept: by the time of the
 * log itself, which is one in each partition. */
static void forget(struct queues *q, int32_t partition, int64_t log_us) {
    uint32_t at = 0;
    for (struct queue *queue; (queue = table_next(&q->all, &at)) != NULL;)
        if (queue->partition == partition) {
            room_forget(&queue->now.room, log_us);
            room_forget(&queue->next.room, log_us);
        }
}

/* One has closed. */
static void go_on(struct queue *queue) {
    if (room_is_there(&queue->now.room) || !room_is_there(&queue->next.room)) return;
    room_free(&queue->now.room);
    queue->now = queue->next;
    queue->next = (struct round){.left = -1};
}

void queues_event(struct queues *q, int32_t partition, const struct waiting_event *e) {
    struct queue *queue = queue_of(q, &e->show_id);
    struct round *round = round_of(queue, e->round);
    queue->partition = partition;
    if (!apply(q, queue, round, e)) {
        metric_add(M_WAITING_VOID, 1);
    } else if (e->type != QUEUE_JOINED) {
        round->room.writer = e->has_writer ? e->writer : (struct uuid){{0}};
        round->due = CONTROL_NOTHING;
        round->wrote_us = 0;
        if (e->type != QUEUE_CLOSED) return;
        go_on(queue);
        forget(q, partition, e->occurred_at);
    }
}

/* --- records of other topics --- */

void queues_show(struct queues *q, const struct show_event *e) {
    bool sells = e->status == SHOW_STATUS_ANNOUNCED;
    struct queue *queue = queues_find(q, &e->id);
    if (queue == NULL && !sells) return;
    if (queue == NULL) queue = queue_of(q, &e->id);
    if (e->version <= queue->version) return;
    queue->version = e->version;
    queue->places = e->has_places ? e->places : 0;
    phases_read(&queue->phases, sells ? e->phases : (struct str){0});
}

void queues_bought(struct queues *q, const struct order_event *e) {
    if (e->type != ORDER_CREATED || !e->has_show_id || e->occurred_at < clock_wall_us() - TURN_MOST_US)
        return;
    buyers_add(&q->buyers, &(struct buyer){.show = e->show_id,
                                           .user = e->user_id,
                                           .size = e->purchase_size,
                                           .at_us = e->occurred_at,
                                           .read_us = clock_mono_us()});
}

/* Nobody waits for the turn of an order that was placed when there was no queue, or before it opened. */
static bool settle(void *queues, const struct buyer *buyer) {
    const struct queues *q = queues;
    struct queue *queue = queues_find(q, &buyer->show);
    return queue == NULL || !queue->now.room.open ||
           room_bought(&queue->now.room, &buyer->user, buyer->at_us, buyer->size);
}

void queues_settle(struct queues *q) {
    buyers_settle(&q->buyers, settle, q);
}
