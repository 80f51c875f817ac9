/* bench_expiration: writes the topic orders as the orders service would: COUNT orders, each OrderCreated, due
 * one after the other at an even pace over SPREAD_MS from FIRST_DUE_MS on (Unix milliseconds).
 *
 *     bench_expiration BROKERS SCHEMA_ID COUNT FIRST_DUE_MS SPREAD_MS
 *
 * Returns when Kafka has acknowledged them all. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "events.h"
#include "wire.h"

static int64_t failed;

static void die(const char *what) {
    fprintf(stderr, "bench_expiration: %s\n", what);
    exit(1);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *record, void *opaque) {
    (void)rk, (void)opaque;
    failed += record->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_t *producer(const char *brokers) {
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, reason, sizeof reason);
    rd_kafka_conf_set(conf, "enable.idempotence", "true", reason, sizeof reason);
    rd_kafka_conf_set(conf, "compression.type", "lz4", reason, sizeof reason);
    rd_kafka_conf_set(conf, "linger.ms", "5", reason, sizeof reason);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (rk == NULL) die(reason);
    return rk;
}

static struct order_event order(int64_t due_ms) {
    struct uuid someone = uuid_v7();
    return (struct order_event){.type = ORDER_CREATED,
                                .id = uuid_v7(),
                                .ticket_id = uuid_v7(),
                                .version = 1,
                                .occurred_at = clock_wall_us(),
                                .user_id = someone,
                                .seller_id = someone,
                                .status = ORDER_STATUS_CREATED,
                                .expires_at = due_ms * 1000,
                                .price = 2000,
                                .currency = STR("EUR"),
                                .title = STR("Row 7, seat 42"),
                                .ticket_version = 1};
}

static void write_order(rd_kafka_t *rk, rd_kafka_topic_t *topic, int32_t schema_id, int64_t due_ms) {
    uint8_t value[512];
    char key[UUID_TEXT];
    struct order_event event = order(due_ms);
    wire_header(value, schema_id);
    size_t n =
        WIRE_HEADER + topic_orders.type->encode(&event, value + WIRE_HEADER, sizeof value - WIRE_HEADER);
    uuid_format(&event.ticket_id, key);
    int partition =
        rd_kafka_msg_partitioner_murmur2(topic, key, sizeof key, topic_orders.partitions, NULL, NULL);
    while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, value, n, key, sizeof key, NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) die("cannot produce");
        rd_kafka_poll(rk, 10);
    }
}

int main(int argc, char **argv) {
    if (argc != 6) die("BROKERS SCHEMA_ID COUNT FIRST_DUE_MS SPREAD_MS");
    int64_t count = atoll(argv[3]), first = atoll(argv[4]), spread = atoll(argv[5]);
    rd_kafka_t *rk = producer(argv[1]);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, "orders", NULL);
    for (int64_t i = 0; i < count; i++) {
        write_order(rk, topic, atoi(argv[2]), first + spread * i / count);
        if (i % 1000 == 0) rd_kafka_poll(rk, 0);
    }
    if (rd_kafka_flush(rk, 60000) != 0 || failed > 0) die("not all were acknowledged");
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
    return 0;
}
