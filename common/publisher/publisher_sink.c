#include "priv/publisher_sink.h"

#include <assert.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "kafka.h"
#include "log.h"
#include "metrics.h"
#include "wire.h"

struct sink_producer {
    const struct topic *topic;
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    rd_kafka_queue_t *queue;
    int fd;
    bool closing;
    uint64_t most; /* events on their way at once, since memory was last given back */
    char epoch[24];
    uint8_t wire[WIRE_HEADER];
    /* the record being sent */
    bool kept_back;
    int partition;
    uint64_t number;
    char key[UUID_TEXT], position[POSITION_TEXT];
    int position_size;
    const char *type;
    char traceparent[64]; /* W3C's has 55 characters */
    size_t traceparent_size;
    struct buf value;
};

/* Events on their way at once that leave some megabytes behind. */
enum { BACKLOG = 5000 };

/* Chosen by bench/publisher.py, bench/write.py and bench/system.py: half a millisecond brings together what
 * one transaction wrote; waiting for more is publisher_stream.c's, which does so only when much comes. lz4
 * costs as little as none at all, where zstd and snappy halve the rate of a backlog and worse. */
static const struct kafka_property properties[] = {
    {"enable.idempotence", "true", true},
    {"acks", "all", true},
    {"message.timeout.ms", "0", true}, /* never gives up */
    {"partitioner", "murmur2_random", true},
    {"linger.ms", "0.5", false},
    {"compression.type", "lz4", false},
    /* Bounds the memory of events on their way; when it is reached, reading from Postgres stops. */
    {"queue.buffering.max.messages", "20000", false},
    {"queue.buffering.max.kbytes", "32768", false},
    {0},
};

enum status sink_check(const char *brokers, struct why *w) {
    rd_kafka_conf_t *conf = kafka_conf(brokers, properties, w);
    if (conf == NULL) return ST_INVALID;
    rd_kafka_conf_destroy(conf);
    return ST_OK;
}

static void die(const struct sink_producer *p, const char *error) {
    log_error("publisher", "Kafka refuses a record of topic %s for good, ending the process: %s",
              p->topic->name, error);
    _exit(EX_SOFTWARE);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *record, void *opaque) {
    (void)rk;
    struct sink *s = opaque;
    if (s->producer->closing) return;
    if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR) die(s->producer, rd_kafka_err2str(record->err));
    acks_acknowledged(&s->acks, (uint64_t)(uintptr_t)record->_private);
    metric_add(M_PUBLISHED, 1);
}

/* Makes fd readable when the producer's queue of reports stops being empty. */
static void watch(struct sink_producer *p) {
    static const uint64_t one = 1;
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(p->fd >= 0);
    p->queue = rd_kafka_queue_get_main(p->rk);
    rd_kafka_queue_io_event_enable(p->queue, p->fd, &one, sizeof one);
}

enum status sink_open(struct sink *s, const struct sink_options *options, struct why *w) {
    rd_kafka_conf_t *conf = kafka_conf(options->brokers, properties, w);
    if (conf == NULL) return ST_INVALID;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, s);
    rd_kafka_t *rk = kafka_client(RD_KAFKA_PRODUCER, conf, w);
    if (rk == NULL) return ST_INVALID;
    struct sink_producer *p = s->producer = mem_alloc(sizeof *p);
    p->topic = options->topic;
    p->rk = rk;
    p->rkt = rd_kafka_topic_new(rk, options->topic->name, NULL);
    snprintf(p->epoch, sizeof p->epoch, "%" PRId64, options->epoch);
    wire_header(p->wire, options->schema_id);
    watch(p);
    acks_init(&s->acks);
    return ST_OK;
}

void sink_close(struct sink *s) {
    struct sink_producer *p = s->producer;
    if (p == NULL) return;
    /* We may not own the slot any more: what waits here must not follow what its next owner publishes. */
    p->closing = true;
    rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(p->queue);
    rd_kafka_topic_destroy(p->rkt);
    rd_kafka_destroy(p->rk);
    close(p->fd);
    buf_free(&p->value);
    free(p);
    s->producer = NULL;
    acks_free(&s->acks);
}

static const void *field(const struct topic *topic, int i, const void *event) {
    return (const uint8_t *)event + topic->type->fields[i].offset;
}

static int partition_of(const struct sink_producer *p, const char key[UUID_TEXT]) {
    return rd_kafka_msg_partitioner_murmur2(p->rkt, key, UUID_TEXT, p->topic->partitions, NULL, NULL);
}

int sink_partition(const struct sink *s, const void *event) {
    char key[UUID_TEXT];
    uuid_format(field(s->producer->topic, s->producer->topic->key_field, event), key);
    return partition_of(s->producer, key);
}

static void encode(struct sink_producer *p, const void *event) {
    const struct avro_type *type = p->topic->type;
    size_t most = type->max_size(event);
    p->value.len = 0;
    buf_reserve(&p->value, WIRE_HEADER + most);
    memcpy(p->value.data, p->wire, WIRE_HEADER);
    size_t n = type->encode(event, p->value.data + WIRE_HEADER, most);
    assert(n > 0);
    p->value.len = WIRE_HEADER + n;
}

enum status sink_send(struct sink *s, const void *event, struct position position, struct str traceparent) {
    struct sink_producer *p = s->producer;
    const struct topic *topic = p->topic;
    assert(!p->kept_back);
    encode(p, event);
    uuid_format(field(topic, topic->key_field, event), p->key);
    p->partition = partition_of(p, p->key);
    p->position_size = position_format(position, p->position);
    int type = *(const int *)field(topic, topic->type_field, event);
    p->type = topic->type->fields[topic->type_field].symbols[type];
    p->traceparent_size = traceparent.n <= sizeof p->traceparent ? traceparent.n : 0;
    if (p->traceparent_size > 0) memcpy(p->traceparent, traceparent.p, traceparent.n);
    p->number = acks_event(&s->acks);
    p->kept_back = true;
    return sink_push(s);
}

static rd_kafka_vu_t header(const char *name, const char *value, size_t n) {
    return (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADER, .u.header = {name, value, (ssize_t)n}};
}

static rd_kafka_resp_err_t produce(struct sink_producer *p) {
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = p->rkt},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = p->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {p->key, sizeof p->key}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {p->value.data, p->value.len}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)p->number},
        header("epoch", p->epoch, strlen(p->epoch)),
        header("position", p->position, (size_t)p->position_size),
        header("type", p->type, strlen(p->type)),
        header("traceparent", p->traceparent, p->traceparent_size), /* last: left out when empty */
    };
    size_t n = sizeof parts / sizeof *parts - (p->traceparent_size == 0);
    rd_kafka_error_t *error = rd_kafka_produceva(p->rk, parts, n);
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

enum status sink_push(struct sink *s) {
    struct sink_producer *p = s->producer;
    if (!p->kept_back) return ST_OK;
    rd_kafka_resp_err_t code = produce(p);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return ST_FULL;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) die(p, rd_kafka_err2str(code));
    p->kept_back = false;
    return ST_OK;
}

int sink_fd(const struct sink *s) {
    return s->producer->fd;
}

/* A backlog leaves malloc with thousands of free records. When it is through, the memory goes back to the
 * system. */
static void give_back(struct sink *s) {
    struct sink_producer *p = s->producer;
    if (s->acks.unacked > p->most) p->most = s->acks.unacked;
    if (s->acks.unacked > 0 || p->most < BACKLOG) return;
    malloc_trim(0);
    p->most = 0;
}

void sink_poll(struct sink *s) {
    uint64_t count; /* emptied before the queue is, so that what comes meanwhile wakes us again */
    while (read(s->producer->fd, &count, sizeof count) > 0)
        continue;
    rd_kafka_poll(s->producer->rk, 0);
    metric_set(M_PUBLISHER_UNACKED, (int64_t)s->acks.unacked);
    give_back(s);
}
