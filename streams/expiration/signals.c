#include "signals.h"

#include <assert.h>
#include <stdlib.h>

#include "clock.h"
#include "events.h"
#include "expiration_metrics.h"
#include "kafka.h"
#include "log.h"
#include "mem.h"
#include "wire.h"

enum {
    MOST_UNACKED = 20000,
    STALLED_US = 2000 * 1000, /* without an acknowledgement: Kafka is away */
    VALUE_MOST = 256,         /* of fixed parts, but for numbers of varying length: 140 at the most */
};

struct signals {
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    rd_kafka_queue_t *queue;
    void (*wake)(void *arg);
    void *arg;
    uint8_t wire[WIRE_HEADER];
    int unacked;
    int64_t acked_us; /* by the monotonic clock: the last acknowledgement, or when none was awaited */
    struct why said;  /* the trouble that was logged last */
};

static const struct kafka_property properties[] = {
    {"enable.idempotence", "true", KAFKA_FIXED},
    {"acks", "all", KAFKA_FIXED},
    {"message.timeout.ms", "0", KAFKA_FIXED}, /* never gives up: what waits here is not given a second time */
    {"partitioner", "murmur2_random", KAFKA_FIXED},
    /* Each request is of one partition, so 10,000 signals a second would make about as many requests, and
     * some would wait for those before: the median is 2 ms later by this, the 99th percentile sooner. */
    {"linger.ms", "3", KAFKA_DEFAULT},
    {"compression.type", "lz4", KAFKA_DEFAULT},
    {"queue.buffering.max.messages", "20001", KAFKA_DEFAULT}, /* MOST_UNACKED bounds it */
    {"queue.buffering.max.kbytes", "32768", KAFKA_DEFAULT},
    {0},
};

/* Thousands of signals may meet the same trouble. */
static void say_once(struct signals *s, const char *what, const char *reason) {
    struct why now;
    why(&now, ST_FAILED, "%s: %s", what, reason);
    if (log_news(&s->said, &now)) log_warn("signals", "%s", now.text);
}

/* The opaque of a record is its first signal's expiresAt, in milliseconds; 0 for one that is repeated. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *record, void *opaque) {
    (void)rk;
    struct signals *s = opaque;
    int64_t due_ms = (int64_t)(intptr_t)record->_private;
    s->unacked--;
    s->acked_us = clock_mono_us();
    if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR) s->said = (struct why){0};
    if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        say_once(s, "Kafka refuses a signal, it will be given again", rd_kafka_err2str(record->err));
        metric_add(M_SIGNALS_FAILED, 1);
    } else if (due_ms != 0) {
        int64_t late_us = clock_wall_us() - due_ms * 1000;
        metric_add(M_SIGNALS, 1);
        metric_observe_us(M_LATENESS, late_us > 0 ? late_us : 0);
    } else {
        metric_add(M_SIGNALS_AGAIN, 1);
    }
}

/* From a thread of librdkafka. */
static void on_reports(rd_kafka_t *rk, void *signals) {
    (void)rk;
    struct signals *s = signals;
    s->wake(s->arg);
}

struct signals *signals_open(const char *brokers, struct why *w) {
    rd_kafka_conf_t *conf = kafka_conf(brokers, properties, w);
    if (conf == NULL) return NULL;
    struct signals *s = mem_alloc(sizeof *s);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, s);
    s->rk = kafka_client(RD_KAFKA_PRODUCER, conf, w);
    if (s->rk == NULL) {
        free(s);
        return NULL;
    }
    s->rkt = rd_kafka_topic_new(s->rk, topic_expirations.name, NULL);
    s->queue = rd_kafka_queue_get_main(s->rk);
    return s;
}

void signals_start(struct signals *s, int32_t schema_id, void (*wake)(void *arg), void *arg) {
    wire_header(s->wire, schema_id);
    s->wake = wake;
    s->arg = arg;
    rd_kafka_queue_cb_event_enable(s->queue, on_reports, s);
}

int signals_room(const struct signals *s) {
    bool stalled = s->unacked > 0 && clock_mono_us() - s->acked_us > STALLED_US;
    return stalled ? 0 : MOST_UNACKED - s->unacked;
}

/* Into value, in the wire format; its length. */
static size_t encode(const struct signals *s, const struct wheel_timer *timer, int64_t now_us,
                     uint8_t value[VALUE_MOST]) {
    const struct expiration_event event = {
        .type = ORDER_EXPIRED,
        .order_id = timer->order,
        .ticket_id = timer->ticket,
        .occurred_at = now_us,
        .expires_at = timer->due_ms * 1000,
        .attempt = timer->attempt + 1,
    };
    memcpy(value, s->wire, WIRE_HEADER);
    size_t n = topic_expirations.type->encode(&event, value + WIRE_HEADER, VALUE_MOST - WIRE_HEADER);
    assert(n > 0);
    return WIRE_HEADER + n;
}

bool signals_give(struct signals *s, const struct wheel_timer *timer, int64_t now_us) {
    uint8_t value[VALUE_MOST];
    char key[UUID_TEXT];
    const char *type = expiration_event_type_symbols[ORDER_EXPIRED];
    size_t n = encode(s, timer, now_us, value);
    uuid_format(&timer->ticket, key);
    int partition =
        rd_kafka_msg_partitioner_murmur2(s->rkt, key, sizeof key, topic_expirations.partitions, NULL, NULL);
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = s->rkt},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {key, sizeof key}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value, n}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE,
         .u.ptr = (void *)(intptr_t)(timer->attempt == 0 ? timer->due_ms : 0)},
        {.vtype = RD_KAFKA_VTYPE_HEADER, .u.header = {"type", type, (ssize_t)strlen(type)}},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(s->rk, parts, sizeof parts / sizeof *parts);
    if (error != NULL) {
        say_once(s, "a signal waits", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        metric_add(M_SIGNALS_FAILED, 1);
        return false;
    }
    if (s->unacked++ == 0) s->acked_us = clock_mono_us();
    return true;
}

void signals_poll(struct signals *s) {
    rd_kafka_poll(s->rk, 0);
    metric_set(M_SIGNALS_UNACKED, s->unacked);
}

void signals_flush(struct signals *s, int timeout_ms) {
    rd_kafka_queue_cb_event_enable(s->queue, NULL, NULL);
    rd_kafka_flush(s->rk, timeout_ms);
    if (s->unacked > 0) log_warn("signals", "%d signals are left behind", s->unacked);
}

void signals_free(struct signals *s) {
    rd_kafka_purge(s->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_queue_destroy(s->queue);
    rd_kafka_topic_destroy(s->rkt);
    rd_kafka_destroy(s->rk);
    free(s);
}
