#include "priv/producer.h"

#include <assert.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "events.h"
#include "kafka.h"
#include "log.h"
#include "mem.h"
#include "priv/cloudevents.h"
#include "priv/publisher_metrics.h"
#include "wire.h"

/* A broker that does not know this producer on a partition takes whatever sequence comes first. So when the
 * first request is refused because the leader moves, the second one can be taken in its place, and librdkafka
 * then counts the first as delivered (KAFKA-15591): its events are lost. So the first event of a partition
 * goes alone, until it is acknowledged. Brokers forget a producer that was silent for a day
 * (producer.id.expiration.ms). */
struct producer_partition {
    bool first_sent;
    int64_t known_us; /* the last acknowledgement, by the monotonic clock; 0: none */
    int64_t end;      /* behind the last event that was acknowledged */
    bool end_known;
};
static const int64_t FORGOTTEN_US = 3600 * INT64_C(1000000); /* much less than that day: it costs nothing */

struct producer_topic {
    const struct topic *topic;
    struct producer_partition *partitions;
    rd_kafka_topic_t *rkt;
    uint8_t wire[WIRE_HEADER];
};

struct producer_kafka {
    struct producer_topic topics[PUBLISHER_MAX_TOPICS];
    int ntopics;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    int fd;
    bool closing;
    uint64_t most; /* events on their way at once, since memory was last given back */
    char epoch[24];
    int64_t epoch_number;
    rd_kafka_topic_t *watermarks; /* NULL: none are told */
    int watermarks_partitions;
    uint8_t watermarks_wire[WIRE_HEADER];
    int watermarks_unacked;
    bool watermarks_refused; /* the last one was, and it is logged */
    /* the record being sent */
    bool kept_back;
    struct producer_topic *to;
    int partition;
    uint64_t number;
    char key[UUID_TEXT], position[LOG_POSITION_TEXT];
    int position_size;
    const char *type;
    char traceparent[64]; /* W3C's has 55 characters */
    size_t traceparent_size;
    bool described; /* by a cloudevent, too */
    struct cloudevent cloudevent;
    struct buf value;
    bool tombstone; /* and no value */
};

/* Events on their way at once that leave some megabytes behind. */
enum { BACKLOG = 5000 };

/* Chosen by bench/publisher.py, bench/write.py and bench/system.py: half a millisecond brings together what
 * one transaction wrote; waiting for more is publisher_stream.c's, which does so only when much comes. lz4
 * costs as little as none at all, where zstd and snappy halve the rate of a backlog and worse. */
static const struct kafka_property properties[] = {
    {"enable.idempotence", "true", KAFKA_FIXED},
    {"acks", "all", KAFKA_FIXED},
    {"message.timeout.ms", "0", KAFKA_FIXED}, /* never gives up */
    {"partitioner", "murmur2_random", KAFKA_FIXED},
    {"isolation.level", "read_uncommitted",
     KAFKA_FIXED}, /* of ends: a foreign transaction that hangs is not one */
    {"linger.ms", "0.5", KAFKA_DEFAULT},
    {"compression.type", "lz4", KAFKA_DEFAULT},
    /* Bounds the memory of events on their way; when it is reached, reading from Postgres stops. */
    {"queue.buffering.max.messages", "20000", KAFKA_DEFAULT},
    {"queue.buffering.max.kbytes", "32768", KAFKA_DEFAULT},
    {0},
};

enum status producer_check(const char *brokers, struct why *w) {
    rd_kafka_conf_t *conf = kafka_conf(brokers, properties, w);
    if (conf == NULL) return ST_INVALID;
    rd_kafka_conf_destroy(conf);
    return ST_OK;
}

static void die(const struct producer_topic *t, const char *error) {
    log_error("publisher", "Kafka refuses a record of topic %s for good, ending the process: %s",
              t->topic->name, error);
    _exit(EX_SOFTWARE);
}

static bool given_up(const struct producer_kafka *k) {
    return rd_kafka_fatal_error(k->rk, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The next one makes good what is lost. */
static void on_watermark(struct producer_kafka *k, rd_kafka_resp_err_t err) {
    bool refused = err != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (refused && !k->watermarks_refused)
        log_error("publisher", "Kafka refuses records of topic %s: %s", rd_kafka_topic_name(k->watermarks),
                  rd_kafka_err2str(err));
    k->watermarks_refused = refused;
    k->watermarks_unacked--;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *record, void *opaque) {
    (void)rk;
    struct producer *p = opaque;
    if (p->kafka->closing || given_up(p->kafka)) return;
    struct producer_topic *t = rd_kafka_topic_opaque(record->rkt);
    if (t == NULL) {
        on_watermark(p->kafka, record->err);
        return;
    }
    if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR) die(t, rd_kafka_err2str(record->err));
    struct producer_partition *partition = &t->partitions[record->partition];
    *partition = (struct producer_partition){.known_us = clock_mono_us(), .end = partition->end};
    /* Of a repeated request that the broker knew already it does not say the offset. */
    partition->end_known = record->offset >= 0;
    if (record->offset >= partition->end) partition->end = record->offset + 1;
    acks_acknowledged(&p->acks, (uint64_t)(uintptr_t)record->_private);
    metric_add(M_PUBLISHED, 1);
}

/* Makes fd readable when the producer's queue of reports stops being empty. */
static void watch(struct producer_kafka *k) {
    static const uint64_t one = 1;
    k->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(k->fd >= 0);
    k->queue = rd_kafka_queue_get_main(k->rk);
    rd_kafka_queue_io_event_enable(k->queue, k->fd, &one, sizeof one);
}

static void open_topic(struct producer_kafka *k, struct producer_topic *t, const struct topic *topic,
                       int32_t schema_id) {
    t->topic = topic;
    t->partitions = mem_alloc((size_t)topic->partitions * sizeof *t->partitions);
    wire_header(t->wire, schema_id);
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(k->rk);
    rd_kafka_topic_conf_set_opaque(conf, t); /* a record that comes back is known by it */
    t->rkt = rd_kafka_topic_new(k->rk, topic->name, conf);
}

static void close_topic(struct producer_topic *t) {
    rd_kafka_topic_destroy(t->rkt);
    free(t->partitions);
}

static void open_watermarks(struct producer_kafka *k, const struct producer_options *options) {
    k->watermarks = rd_kafka_topic_new(k->rk, options->watermarks->name, NULL);
    k->watermarks_partitions = options->watermarks->partitions;
    wire_header(k->watermarks_wire, options->watermarks_schema_id);
}

enum status producer_open(struct producer *p, const struct producer_options *options, struct why *w) {
    rd_kafka_conf_t *conf = kafka_conf(options->brokers, properties, w);
    if (conf == NULL) return ST_INVALID;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, p);
    kafka_outlive(conf);
    rd_kafka_t *rk = kafka_client(RD_KAFKA_PRODUCER, conf, w);
    if (rk == NULL) return ST_INVALID;
    struct producer_kafka *k = p->kafka = mem_alloc(sizeof *k);
    k->rk = rk;
    for (; options->topics[k->ntopics] != NULL; k->ntopics++)
        open_topic(k, &k->topics[k->ntopics], options->topics[k->ntopics], options->schema_ids[k->ntopics]);
    snprintf(k->epoch, sizeof k->epoch, "%" PRId64, options->epoch);
    k->epoch_number = options->epoch;
    k->described = options->cloudevents;
    if (options->watermarks != NULL) open_watermarks(k, options);
    watch(k);
    acks_init(&p->acks);
    return ST_OK;
}

void producer_close(struct producer *p) {
    struct producer_kafka *k = p->kafka;
    if (k == NULL) return;
    /* The slot may have another owner now: what waits here must not come after what that one publishes. */
    k->closing = true;
    rd_kafka_purge(k->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_queue_io_event_enable(k->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(k->queue);
    for (int i = 0; i < k->ntopics; i++)
        close_topic(&k->topics[i]);
    if (k->watermarks != NULL) rd_kafka_topic_destroy(k->watermarks);
    rd_kafka_destroy(k->rk);
    close(k->fd);
    buf_free(&k->value);
    free(k);
    p->kafka = NULL;
    acks_free(&p->acks);
}

static const void *field(const struct topic *topic, int i, const void *event) {
    return (const uint8_t *)event + topic->type->fields[i].offset;
}

static int partition_of(const struct producer_topic *t, const char key[UUID_TEXT]) {
    return rd_kafka_msg_partitioner_murmur2(t->rkt, key, UUID_TEXT, t->topic->partitions, NULL, NULL);
}

int producer_partition(const struct producer *p, int number, const void *event) {
    const struct producer_topic *t = &p->kafka->topics[number];
    char key[UUID_TEXT];
    uuid_format(field(t->topic, t->topic->key_field, event), key);
    return partition_of(t, key);
}

static void encode(struct producer_kafka *k, const void *event) {
    const struct avro_type *type = k->to->topic->type;
    size_t most = type->max_size(event);
    k->value.len = 0;
    buf_reserve(&k->value, WIRE_HEADER + most);
    memcpy(k->value.data, k->to->wire, WIRE_HEADER);
    size_t n = type->encode(event, k->value.data + WIRE_HEADER, most);
    assert(n > 0);
    k->value.len = WIRE_HEADER + n;
}

enum status producer_send(struct producer *p, int number, const void *event, struct log_position position,
                          const struct row_beside *beside) {
    struct producer_kafka *k = p->kafka;
    assert(!k->kept_back);
    k->to = &k->topics[number];
    const struct topic *topic = k->to->topic;
    encode(k, event);
    k->tombstone = beside->tombstone;
    uuid_format(field(topic, topic->key_field, event), k->key);
    k->partition = partition_of(k->to, k->key);
    k->position_size = log_position_format(position, k->position);
    int type = *(const int *)field(topic, topic->type_field, event);
    k->type = topic->type->fields[topic->type_field].symbols[type];
    struct str trace = beside->traceparent;
    k->traceparent_size = trace.n <= sizeof k->traceparent ? trace.n : 0;
    if (k->traceparent_size > 0) memcpy(k->traceparent, trace.p, trace.n);
    if (k->described) cloudevent_fill(&k->cloudevent, topic, event);
    k->number = acks_event(&p->acks);
    k->kept_back = true;
    return producer_push(p);
}

static rd_kafka_vu_t header(const char *name, const char *value, size_t n) {
    return (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADER, .u.header = {name, value, (ssize_t)n}};
}

enum { CLOUDEVENT_HEADERS = 6 };

static size_t describe(const struct cloudevent *c, rd_kafka_vu_t parts[CLOUDEVENT_HEADERS]) {
    static const char version[] = "1.0", content[] = "application/vnd.apache.avro+binary";
    parts[0] = header("ce_specversion", version, sizeof version - 1);
    parts[1] = header("ce_id", c->id, strlen(c->id));
    parts[2] = header("ce_source", c->source, strlen(c->source));
    parts[3] = header("ce_type", c->type, strlen(c->type));
    parts[4] = header("ce_time", c->time, sizeof c->time);
    parts[5] = header("content-type", content, sizeof content - 1);
    return CLOUDEVENT_HEADERS;
}

static rd_kafka_resp_err_t produce(struct producer_kafka *k) {
    enum { OURS = 10 };
    rd_kafka_vu_t parts[OURS + CLOUDEVENT_HEADERS] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = k->to->rkt},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = k->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {k->key, sizeof k->key}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {k->tombstone ? NULL : k->value.data, k->tombstone ? 0 : k->value.len}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)k->number},
        header("epoch", k->epoch, strlen(k->epoch)),
        header("position", k->position, (size_t)k->position_size),
        header("type", k->type, strlen(k->type)),
        header("traceparent", k->traceparent, k->traceparent_size), /* last: left out when empty */
    };
    size_t n = OURS - (k->traceparent_size == 0);
    if (k->described) n += describe(&k->cloudevent, parts + n);
    rd_kafka_error_t *error = rd_kafka_produceva(k->rk, parts, n);
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

static bool known(const struct producer_partition *partition) {
    return partition->known_us != 0 && clock_mono_us() - partition->known_us < FORGOTTEN_US;
}

enum status producer_push(struct producer *p) {
    struct producer_kafka *k = p->kafka;
    if (!k->kept_back) return ST_OK;
    struct producer_partition *partition = &k->to->partitions[k->partition];
    bool first = !known(partition);
    if (first && partition->first_sent) return ST_FULL;
    rd_kafka_resp_err_t code = produce(k);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return ST_FULL;
    if (given_up(k)) return ST_FULL; /* producer_poll tells */
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) die(k->to, rd_kafka_err2str(code));
    k->kept_back = false;
    partition->first_sent = first;
    return ST_OK;
}

/* --- watermarks --- */

/* UNACKED_MOST: a fraction of the queue, as those that wait for a partition may not take the room of events.
 */
enum { ENDS_MS = 500, WATERMARK_MOST = 512, UNACKED_MOST = 1000 };

static void take_ends(struct producer_topic *t, const rd_kafka_topic_partition_list_t *ends) {
    for (int i = 0; i < ends->cnt; i++) {
        struct producer_partition *partition = &t->partitions[ends->elems[i].partition];
        if (ends->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR || ends->elems[i].offset < 0) continue;
        if (ends->elems[i].offset > partition->end) partition->end = ends->elems[i].offset;
        partition->end_known = true;
    }
}

static void learn_ends(struct producer_kafka *k, struct producer_topic *t) {
    rd_kafka_topic_partition_list_t *unsure = rd_kafka_topic_partition_list_new(t->topic->partitions);
    for (int i = 0; i < t->topic->partitions; i++)
        if (!t->partitions[i].end_known)
            rd_kafka_topic_partition_list_add(unsure, t->topic->name, i)->offset = RD_KAFKA_OFFSET_END;
    if (unsure->cnt > 0 && rd_kafka_offsets_for_times(k->rk, unsure, ENDS_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        take_ends(t, unsure);
    rd_kafka_topic_partition_list_destroy(unsure);
}

void producer_learn_ends(struct producer *p) {
    struct producer_kafka *k = p->kafka;
    if (k->watermarks == NULL) return;
    for (int i = 0; i < k->ntopics; i++)
        learn_ends(k, &k->topics[i]);
}

static void tell(struct producer_kafka *k, const struct watermark_event *told) {
    uint8_t value[WATERMARK_MOST];
    memcpy(value, k->watermarks_wire, WIRE_HEADER);
    size_t n = watermark_event_avro.encode(told, value + WIRE_HEADER, sizeof value - WIRE_HEADER);
    assert(n > 0);
    const char *type = watermark_event_type_symbols[told->type];
    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = k->watermarks},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = told->partition % k->watermarks_partitions},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)told->source.p, told->source.n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value, WIRE_HEADER + n}},
        header("type", type, strlen(type)),
    };
    rd_kafka_error_t *error = rd_kafka_produceva(k->rk, parts, sizeof parts / sizeof *parts);
    k->watermarks_unacked += error == NULL;
    rd_kafka_error_destroy(error);
}

void producer_tell_watermark(struct producer *p, int number, int64_t time_us) {
    struct producer_kafka *k = p->kafka;
    const struct producer_topic *t = &k->topics[number];
    if (k->watermarks == NULL || k->watermarks_unacked > UNACKED_MOST) return;
    for (int32_t partition = 0; partition < t->topic->partitions; partition++) {
        char source[300]; /* a topic's name has 249 characters at the most */
        if (!t->partitions[partition].end_known) continue;
        snprintf(source, sizeof source, "%s/%d", t->topic->name, partition);
        tell(k, &(struct watermark_event){.type = WATERMARK_REACHED,
                                          .source = str_of(source),
                                          .topic = str_of(t->topic->name),
                                          .partition = partition,
                                          .occurred_at = time_us,
                                          .offset = t->partitions[partition].end,
                                          .epoch = k->epoch_number});
    }
}

int producer_fd(const struct producer *p) {
    return p->kafka->fd;
}

/* A backlog leaves malloc with thousands of free records. When it is through, the memory goes back to the
 * system. */
static void give_back(struct producer *p) {
    struct producer_kafka *k = p->kafka;
    if (p->acks.unacked > k->most) k->most = p->acks.unacked;
    if (p->acks.unacked > 0 || k->most < BACKLOG) return;
    malloc_trim(0);
    k->most = 0;
}

/* librdkafka gives an idempotent producer up when it and a broker do not agree on what came last, as happens
 * where brokers come and go: another one, which begins behind what the topic has, goes on. Everything else
 * would come again. */
static enum status tell_given_up(const struct producer_kafka *k, struct why *w) {
    char reason[160] = "";
    rd_kafka_resp_err_t cause = rd_kafka_fatal_error(k->rk, reason, sizeof reason);
    if (cause != RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER &&
        cause != RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID && cause != RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH)
        kafka_fatal(k->rk);
    return why(w, ST_LOST, "Kafka and the producer do not agree on what came last, a new one goes on: %s",
               reason);
}

enum status producer_poll(struct producer *p, struct why *w) {
    uint64_t count; /* emptied before the queue is, so that what comes meanwhile wakes us again */
    while (read(p->kafka->fd, &count, sizeof count) > 0)
        continue;
    rd_kafka_poll(p->kafka->rk, 0);
    metric_set(M_PUBLISHER_UNACKED, (int64_t)p->acks.unacked);
    give_back(p);
    return given_up(p->kafka) ? tell_given_up(p->kafka, w) : ST_OK;
}
