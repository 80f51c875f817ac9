#include "teller.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "backoff.h"
#include "buf.h"
#include "clock.h"
#include "kafka.h"
#include "log.h"
#include "mem.h"
#include "registry.h"
#include "teller_metrics.h"
#include "thread.h"
#include "wire.h"

enum {
    SECOND_US = 1000000,
    BACKOFF_FIRST_MS = 50, /* of the registry */
    BACKOFF_MOST_MS = 5000,
    KEY_MOST = 100,
};

struct teller_topic {
    const struct tell *tell;
    rd_kafka_topic_t *rkt;
    uint8_t wire[WIRE_HEADER];
};

struct teller {
    struct teller_options options;
    struct teller_topic topics[TELLER_MAX];
    int count;
    const struct teller_topic *now; /* whose tell is called */
    rd_kafka_t *rk;
    struct registry *registry;
    struct buf value;
    struct why said; /* the trouble that was logged last */

    pthread_t thread;
    pthread_mutex_t lock; /* of these three */
    pthread_cond_t told_to_stop;
    bool stopping, left_behind;
    _Atomic int64_t flush_until_us;
};

/* No idempotence: it has errors that end the process, which no count is worth. */
static const struct kafka_property properties[] = {
    {"acks", "all", KAFKA_DEFAULT},
    {"partitioner", "murmur2_random", KAFKA_FIXED},
    {"linger.ms", "5", KAFKA_DEFAULT}, /* what is said at once goes together */
    {"compression.type", "lz4", KAFKA_DEFAULT},
    {"message.timeout.ms", "300000", KAFKA_DEFAULT}, /* brokers come back within minutes */
    {"queue.buffering.max.messages", "10000", KAFKA_DEFAULT},
    {"queue.buffering.max.kbytes", "4096", KAFKA_DEFAULT},
    {0},
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *record, void *opaque) {
    (void)rk;
    struct teller *t = opaque;
    if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        t->said = (struct why){0};
        metric_add(M_TOLD, 1);
        return;
    }
    struct why now;
    why(&now, ST_FAILED, "Kafka did not take a record of %s: %s", rd_kafka_topic_name(record->rkt),
        rd_kafka_err2str(record->err));
    if (log_news(&t->said, &now)) log_warn("teller", "%s", now.text);
    metric_add(M_UNTOLD, 1);
}

/* --- one record --- */

static const void *field(const struct topic *topic, int number, const void *event) {
    return (const uint8_t *)event + topic->type->fields[number].offset;
}

static size_t key_of(const struct topic *topic, const void *event, char key[KEY_MOST]) {
    const void *value = field(topic, topic->key_field, event);
    if (topic->type->fields[topic->key_field].kind == AVRO_UUID) {
        uuid_format(value, key);
        return UUID_TEXT;
    }
    const struct str *text = value;
    size_t n = text->n < KEY_MOST ? text->n : KEY_MOST;
    memcpy(key, text->p, n);
    return n;
}

static void encode(struct teller *t, const void *event) {
    const struct avro_type *type = t->now->tell->topic->type;
    size_t most = type->max_size(event);
    t->value.len = 0;
    buf_reserve(&t->value, WIRE_HEADER + most);
    memcpy(t->value.data, t->now->wire, WIRE_HEADER);
    t->value.len = WIRE_HEADER + type->encode(event, t->value.data + WIRE_HEADER, most);
}

void teller_send(struct teller *t, const void *event) {
    const struct topic *topic = t->now->tell->topic;
    char key[KEY_MOST];
    size_t n = key_of(topic, event, key);
    int kind = *(const int *)field(topic, topic->type_field, event);
    const char *type = topic->type->fields[topic->type_field].symbols[kind];
    encode(t, event);
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = t->now->rkt},
        {.vtype = RD_KAFKA_VTYPE_PARTITION,
         .u.i32 = rd_kafka_msg_partitioner_murmur2(t->now->rkt, key, n, topic->partitions, NULL, NULL)},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {key, n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {t->value.data, t->value.len}},
        {.vtype = RD_KAFKA_VTYPE_HEADER, .u.header = {"type", type, (ssize_t)strlen(type)}},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(t->rk, parts, sizeof parts / sizeof *parts);
    if (error == NULL) return;
    rd_kafka_error_destroy(error);
    metric_add(M_UNTOLD, 1);
}

/* --- the thread --- */

/* Until that moment of the wall clock, or the end: then false. */
static bool sleep_until(struct teller *t, int64_t wall_us) {
    int64_t until_us = clock_mono_us() + wall_us - clock_wall_us();
    pthread_mutex_lock(&t->lock);
    while (!t->stopping && thread_cond_wait(&t->told_to_stop, &t->lock, until_us))
        continue;
    bool stopping = t->stopping;
    pthread_mutex_unlock(&t->lock);
    return !stopping;
}

static bool register_topic(struct teller *t, struct teller_topic *topic, struct why *w) {
    int32_t id;
    if (registry_register_topic(t->registry, topic->tell->topic, &id, w) != ST_OK) return false;
    wire_header(topic->wire, id);
    return true;
}

/* False: the end came first. */
static bool register_all(struct teller *t) {
    struct backoff backoff = {.first_ms = BACKOFF_FIRST_MS, .most_ms = BACKOFF_MOST_MS};
    for (int i = 0; i < t->count;) {
        struct why w = {0};
        if (register_topic(t, &t->topics[i], &w)) {
            i++;
            continue;
        }
        int pause_ms = backoff_fail(&backoff);
        if (log_news(&t->said, &w)) log_warn("teller", "%s; again in %d ms", w.text, pause_ms);
        if (!sleep_until(t, clock_wall_us() + pause_ms * INT64_C(1000))) return false;
    }
    t->said = (struct why){0};
    return true;
}

static void tell_all(struct teller *t) {
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < t->count && !t->left_behind; i++) {
        t->now = &t->topics[i];
        t->now->tell->tell(t, t->options.state);
    }
    pthread_mutex_unlock(&t->lock);
    rd_kafka_poll(t->rk, 0);
}

static void *run(void *teller) {
    struct teller *t = teller;
    if (!register_all(t)) return NULL;
    do
        tell_all(t);
    while (sleep_until(t, (clock_wall_us() / SECOND_US + 1) * SECOND_US));
    tell_all(t);
    rd_kafka_flush(t->rk, clock_ms_until(t->flush_until_us));
    return NULL;
}

/* --- starting and stopping --- */

struct teller *teller_start(const struct teller_options *options, struct why *w) {
    rd_kafka_conf_t *conf = kafka_conf(options->brokers, properties, w);
    if (conf == NULL) return NULL;
    struct teller *t = mem_alloc(sizeof *t);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, t);
    t->rk = kafka_client(RD_KAFKA_PRODUCER, conf, w);
    if (t->rk == NULL) {
        free(t);
        return NULL;
    }
    t->options = *options;
    t->registry = registry_new(options->registry_url);
    for (const struct tell *tell = options->tells; tell->topic != NULL && t->count < TELLER_MAX; tell++)
        t->topics[t->count++] =
            (struct teller_topic){.tell = tell, .rkt = rd_kafka_topic_new(t->rk, tell->topic->name, NULL)};
    pthread_mutex_init(&t->lock, NULL);
    thread_cond_init(&t->told_to_stop);
    metrics_register(teller_metrics);
    t->thread = thread_start("teller", run, t);
    return t;
}

static void teller_free(struct teller *t) {
    int left = rd_kafka_outq_len(t->rk);
    if (left > 0) log_warn("teller", "Kafka did not take the last %d records", left);
    for (int i = 0; i < t->count; i++)
        rd_kafka_topic_destroy(t->topics[i].rkt);
    rd_kafka_purge(t->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(t->rk);
    registry_free(t->registry);
    buf_free(&t->value);
    pthread_cond_destroy(&t->told_to_stop);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static void say_stop(struct teller *t) {
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->told_to_stop);
    pthread_mutex_unlock(&t->lock);
}

void teller_stop(struct teller *t, int timeout_ms) {
    if (t == NULL) return;
    int64_t until_us = clock_mono_us() + timeout_ms * INT64_C(1000);
    t->flush_until_us = until_us;
    say_stop(t);
    if (thread_join(t->thread, until_us + SECOND_US / 4)) {
        teller_free(t);
        return;
    }
    log_warn("teller", "did not stop within %d ms, leaving it behind", timeout_ms);
    pthread_mutex_lock(&t->lock);
    t->left_behind = true;
    pthread_mutex_unlock(&t->lock);
}
