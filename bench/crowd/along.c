#include "along.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "events.h"
#include "mem.h"

enum { SLICE = 5000, WIRE_HEAD = 5 }; /* a byte 0 and the schema's id: it is ours */

struct along {
    rd_kafka_t *rk;
    struct uuid show;
    struct room room;
};

static void die(const char *why) {
    fprintf(stderr, "the topic waiting cannot be read: %s\n", why);
    exit(1);
}

struct along *along_open(const char *brokers, const struct uuid *show) {
    char text[512];
    struct along *a = mem_alloc(sizeof *a);
    a->show = *show;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "group.id", "crowd", text, sizeof text) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "enable.auto.commit", "false", text, sizeof text) != RD_KAFKA_CONF_OK ||
        (a->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text)) == NULL)
        die(text);
    rd_kafka_poll_set_consumer(a->rk);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(topic_waiting.partitions);
    for (int i = 0; i < topic_waiting.partitions; i++)
        rd_kafka_topic_partition_list_add(all, topic_waiting.name, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_resp_err_t err = rd_kafka_assign(a->rk, all);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) die(rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(all);
    return a;
}

static void apply(struct room *r, const struct waiting_event *e) {
    uint8_t bytes[SEED_BYTES];
    const struct room_times times = {e->round, e->show_version, e->opens_at, e->closes_at, e->occurred_at};
    switch (e->type) {
    case QUEUE_ANNOUNCED:
        if (hex_decode(e->seed_hash, bytes, sizeof bytes)) room_announce(r, &times, bytes);
        break;
    case QUEUE_JOINED:
        if (!room_join(r, e->round, &e->user_id, e->has_want ? e->want : 0))
            room_want(r, e->round, &e->user_id, e->has_want ? e->want : 0);
        break;
    case QUEUE_OPENED:
        if (hex_decode(e->seed, bytes, sizeof bytes)) room_open(r, e->round, bytes, e->occurred_at);
        break;
    case QUEUE_SERVING:
        room_serve(r, e->round, (uint32_t)e->serving, e->occurred_at, e->until);
        break;
    case QUEUE_SOLD_OUT:
        room_sell_out(r, e->round, e->occurred_at);
        break;
    case QUEUE_OFFERED:
        room_offer(r, e->round, (uint32_t)e->offered,
                   &(struct offer){
                       .user = e->user_id, .want = e->want, .at_us = e->occurred_at, .until_us = e->until});
        break;
    case QUEUE_CLOSED:
        room_close(r, e->round, e->show_version, e->occurred_at);
        break;
    }
}

static void take(struct along *a, const rd_kafka_message_t *m) {
    struct waiting_event e;
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) return; /* it goes on by itself when the broker is back */
    const uint8_t *value = m->payload;
    if (m->len > WIRE_HEAD &&
        topic_waiting.type->decode(value + WIRE_HEAD, m->len - WIRE_HEAD, &e) == ST_OK &&
        uuid_eq(&e.show_id, &a->show))
        apply(&a->room, &e);
}

int along_read(struct along *a) {
    int n = 0;
    for (rd_kafka_message_t *m; n < SLICE && (m = rd_kafka_consumer_poll(a->rk, 0)) != NULL; n++) {
        take(a, m);
        rd_kafka_message_destroy(m);
    }
    return n;
}

const struct room *along_room(const struct along *a) {
    return &a->room;
}
