#include "journal.h"

#include <assert.h>
#include <stdlib.h>

#include "kafka.h"
#include "log.h"
#include "mem.h"
#include "waiting_metrics.h"
#include "wire.h"

enum {
    VALUE_MOST = 512, /* of fixed parts, the seed or its hash, and numbers */
    GIVE_UP_MS = 1000,
};

struct journal {
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    rd_kafka_queue_t *queue;
    void (*done)(void *arg, void *what, bool ok);
    void *done_arg;
    void (*wake)(void *arg);
    void *wake_arg;
    uint8_t wire[WIRE_HEADER];
    struct why said; /* the trouble that was logged last */
};

static const struct kafka_property properties[] = {
    {"acks", "all", KAFKA_FIXED},
    {"enable.idempotence", "true",
     KAFKA_FIXED}, /* a join that is sent again keeps its place before later ones */
    {"partitioner", "murmur2_random", KAFKA_FIXED},
    {"message.timeout.ms", "5000", KAFKA_DEFAULT}, /* somebody waits for it */
    /* A join waits this long for others to come along with it: at 30,000 a second for a hundred. */
    {"linger.ms", "3", KAFKA_DEFAULT},
    {"compression.type", "lz4", KAFKA_DEFAULT},
    {"queue.buffering.max.messages", "100000", KAFKA_DEFAULT},
    {"queue.buffering.max.kbytes", "65536", KAFKA_DEFAULT},
    {0},
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *record, void *opaque) {
    (void)rk;
    struct journal *j = opaque;
    bool ok = record->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (ok) {
        j->said = (struct why){0};
        metric_add(M_WAITING_WRITTEN, 1);
    } else {
        struct why now;
        why(&now, ST_FAILED, "Kafka did not take a record: %s", rd_kafka_err2str(record->err));
        if (log_news(&j->said, &now)) log_warn("journal", "%s", now.text);
        metric_add(M_WAITING_FAILED, 1);
    }
    if (record->_private != NULL) j->done(j->done_arg, record->_private, ok);
}

/* From a thread of librdkafka. */
static void on_reports(rd_kafka_t *rk, void *journal) {
    (void)rk;
    struct journal *j = journal;
    j->wake(j->wake_arg);
}

struct journal *journal_open(const char *brokers, void (*done)(void *arg, void *what, bool ok), void *arg,
                             struct why *w) {
    rd_kafka_conf_t *conf = kafka_conf(brokers, properties, w);
    if (conf == NULL) return NULL;
    struct journal *j = mem_alloc(sizeof *j);
    j->done = done;
    j->done_arg = arg;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, j);
    j->rk = kafka_client(RD_KAFKA_PRODUCER, conf, w);
    if (j->rk == NULL) {
        free(j);
        return NULL;
    }
    j->rkt = rd_kafka_topic_new(j->rk, topic_waiting.name, NULL);
    j->queue = rd_kafka_queue_get_main(j->rk);
    return j;
}

void journal_start(struct journal *j, int32_t schema_id, void (*wake)(void *arg), void *arg) {
    wire_header(j->wire, schema_id);
    j->wake = wake;
    j->wake_arg = arg;
    rd_kafka_queue_cb_event_enable(j->queue, on_reports, j);
}

bool journal_write(struct journal *j, const struct waiting_event *e, void *what) {
    uint8_t value[VALUE_MOST];
    char key[UUID_TEXT];
    const char *type = waiting_event_type_symbols[e->type];
    memcpy(value, j->wire, WIRE_HEADER);
    size_t n = topic_waiting.type->encode(e, value + WIRE_HEADER, VALUE_MOST - WIRE_HEADER);
    assert(n > 0);
    uuid_format(&e->show_id, key);
    int partition =
        rd_kafka_msg_partitioner_murmur2(j->rkt, key, sizeof key, topic_waiting.partitions, NULL, NULL);
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = j->rkt},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {key, sizeof key}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value, WIRE_HEADER + n}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = what},
        {.vtype = RD_KAFKA_VTYPE_HEADER, .u.header = {"type", type, (ssize_t)strlen(type)}},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(j->rk, parts, sizeof parts / sizeof *parts);
    if (error == NULL) return true;
    rd_kafka_error_destroy(error);
    metric_add(M_WAITING_FAILED, 1);
    return false;
}

void journal_poll(struct journal *j) {
    rd_kafka_poll(j->rk, 0);
}

void journal_flush(struct journal *j, int timeout_ms) {
    rd_kafka_queue_cb_event_enable(j->queue, NULL, NULL);
    if (rd_kafka_flush(j->rk, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    rd_kafka_purge(j->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(j->rk, GIVE_UP_MS);
}

void journal_free(struct journal *j) {
    rd_kafka_queue_destroy(j->queue);
    rd_kafka_topic_destroy(j->rkt);
    rd_kafka_destroy(j->rk);
    free(j);
}
