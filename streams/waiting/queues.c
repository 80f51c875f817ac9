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
    room_free(&q->room);
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
    found->left = -1;
    /* Not the same for all replicas, so that mostly one stands in. */
    found->patience_us = 500 * 1000 + randombytes_uniform(500 * 1000);
    table_add(&q->all, found);
    return found;
}

/* --- seeds --- */

void queues_seed(const struct queues *q, int key, const struct uuid *show, const struct uuid *nonce,
                 uint8_t seed[SEED_BYTES]) {
    uint8_t about[16 + 16];
    memcpy(about, show->b, 16);
    memcpy(about + 16, nonce->b, 16);
    admission_secret(q->keys, key, about, sizeof about, seed);
}

static void find_seed(struct queues *q, struct queue *queue) {
    uint8_t seed[SEED_BYTES];
    for (int i = 0; i < admission_keys_count(q->keys); i++) {
        queues_seed(q, i, &queue->show, &queue->nonce, seed);
        if (room_know_seed(&queue->room, seed)) return;
    }
    char show[UUID_TEXT];
    uuid_format(&queue->show, show);
    log_error("waiting",
              "none of WAITING_SEED_KEYS makes the seed of show %.*s: its queue can't be opened without the key "
              "that it was announced with",
              UUID_TEXT, show);
}

/* --- records of `waiting` --- */

static bool announce(struct queues *q, struct queue *queue, const struct waiting_event *e) {
    uint8_t hash[SEED_BYTES];
    int round = queue->room.round;
    const struct room_times times = {e->round, e->show_version, e->opens_at, e->closes_at, e->occurred_at};
    if (!e->has_seed_hash || !hex_decode(e->seed_hash, hash, sizeof hash) || !e->has_nonce ||
        !e->has_opens_at || !e->has_closes_at || !room_announce(&queue->room, &times, hash))
        return false;
    if (queue->room.round == round) return true;
    queue->nonce = e->nonce;
    find_seed(q, queue);
    return true;
}

/* The pace goes by when turns came. A writer whose clock is ahead does not hold up those who come after him. */
static int64_t earlier(int64_t at_us, int64_t now_us) {
    return at_us < now_us ? at_us : now_us;
}

static bool open_room(struct queue *queue, const struct waiting_event *e) {
    uint8_t seed[SEED_BYTES];
    if (!e->has_seed || !hex_decode(e->seed, seed, sizeof seed) ||
        !room_open(&queue->room, e->round, seed, e->occurred_at))
        return false;
    int64_t now_us = clock_wall_us(), late_us = now_us - queue->room.opens_us;
    queue->room.opened_us = earlier(queue->room.opened_us, now_us);
    metric_observe_us(M_WAITING_OPENING, late_us > 0 ? late_us : 0);
    return true;
}

static bool serve(struct queue *queue, const struct waiting_event *e) {
    return e->has_serving && e->serving > 0 && e->has_until &&
           room_serve(&queue->room, e->round, (uint32_t)e->serving, earlier(e->occurred_at, clock_wall_us()),
                      e->until);
}

static bool join(struct queue *queue, const struct waiting_event *e) {
    if (!e->has_user_id || !room_join(&queue->room, e->round, &e->user_id)) return false;
    metric_add(M_WAITING_JOINS, 1);
    return true;
}

static bool apply(struct queues *q, struct queue *queue, const struct waiting_event *e) {
    switch (e->type) {
    case QUEUE_ANNOUNCED:
        return announce(q, queue, e);
    case QUEUE_JOINED:
        return join(queue, e);
    case QUEUE_OPENED:
        return open_room(queue, e);
    case QUEUE_SERVING:
        return serve(queue, e);
    case QUEUE_CLOSED:
        return room_close(&queue->room, e->round, e->show_version, e->occurred_at);
    }
    return false;
}

/* Also while the topic is read from its beginning not all rounds of half a year are kept: by the time of the
 * log itself, which is one in each partition. */
static void forget(struct queues *q, int32_t partition, int64_t log_us) {
    uint32_t at = 0;
    for (struct queue *queue; (queue = table_next(&q->all, &at)) != NULL;)
        if (queue->partition == partition) room_forget(&queue->room, log_us);
}

void queues_event(struct queues *q, int32_t partition, const struct waiting_event *e) {
    struct queue *queue = queue_of(q, &e->show_id);
    queue->partition = partition;
    if (!apply(q, queue, e)) {
        metric_add(M_WAITING_VOID, 1);
    } else if (e->type != QUEUE_JOINED) {
        queue->room.writer = e->has_writer ? e->writer : (struct uuid){{0}};
        queue->due = CONTROL_NOTHING;
        queue->wrote_us = 0;
        if (e->type == QUEUE_CLOSED) forget(q, partition, e->occurred_at);
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
    phases_read(&queue->phases, sells ? e->phases : (struct str){0});
}

void queues_bought(struct queues *q, const struct order_event *e) {
    if (e->type != ORDER_CREATED || !e->has_show_id || e->occurred_at < clock_wall_us() - TURN_MOST_US) return;
    buyers_add(&q->buyers, &(struct buyer){.show = e->show_id,
                                           .user = e->user_id,
                                           .at_us = e->occurred_at,
                                           .read_us = clock_mono_us()});
}

/* Nobody waits for the turn of an order that was placed when there was no queue, or before it opened. */
static bool settle(void *queues, const struct buyer *buyer) {
    const struct queues *q = queues;
    struct queue *queue = queues_find(q, &buyer->show);
    return queue == NULL || !queue->room.open || room_bought(&queue->room, &buyer->user, buyer->at_us);
}

void queues_settle(struct queues *q) {
    buyers_settle(&q->buyers, settle, q);
}
