#include "output.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "changelog.h"
#include "clock.h"
#include "log.h"
#include "mem.h"
#include "wire.h"

enum {
    INIT_MS = 2000,
    CALL_MS = 5000,         /* of one call; those that took longer are made again */
    GIVE_UP_MS = 60 * 1000, /* of all tries */
    FULL_MS = 10 * 1000,    /* for room in the queue */
    VALUE_MOST = 256,       /* of fixed parts, but for numbers of varying length: 150 at the most */
};

struct output {
    rd_kafka_t *rk;
    uint8_t wire[WIRE_HEADER];
};

struct output *output_open(const char *brokers, const char *instance, struct why *w) {
    char id[384];
    snprintf(id, sizeof id, "onsale-%s", instance);
    const struct kafka_property properties[] = {
        {"transactional.id", id, true},
        {"enable.idempotence", "true", true},
        {"acks", "all", true},
        /* What a killed process has left open holds up readers for so long, and up to 10 s more, unless its
           INSTANCE_ID comes back. */
        {"transaction.timeout.ms", "10000", false},
        {"compression.type", "lz4", false},
        {"queue.buffering.max.kbytes", "16384", false},
        {"linger.ms", "2", false}, /* a commit does not wait for it */
        {0},
    };
    rd_kafka_conf_t *conf = kafka_conf(brokers, properties, w);
    rd_kafka_t *rk = conf == NULL ? NULL : kafka_client(RD_KAFKA_PRODUCER, conf, w);
    if (rk == NULL) return NULL;
    struct output *o = mem_alloc(sizeof *o);
    o->rk = rk;
    return o;
}

void output_free(struct output *o) {
    rd_kafka_purge(o->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_destroy(o->rk);
    free(o);
}

void output_use_schema(struct output *o, int32_t schema_id) {
    wire_header(o->wire, schema_id);
}

void output_poll(struct output *o) {
    rd_kafka_poll(o->rk, 0);
}

/* --- what may go wrong --- */

/* Takes error. ST_OK, ST_AGAIN (the same call again), ST_FAILED (the transaction is void). */
static enum status judge(struct output *o, const char *what, rd_kafka_error_t *error, struct why *w) {
    if (error == NULL) return ST_OK;
    if (rd_kafka_error_is_fatal(error)) kafka_fatal(o->rk);
    enum status st = rd_kafka_error_is_retriable(error) && !rd_kafka_error_txn_requires_abort(error)
                         ? ST_AGAIN
                         : ST_FAILED;
    why(w, st, "cannot %s a transaction: %.180s", what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return st;
}

/* Whether a call that is to be made again may be. */
static void give_up_after(int64_t since_us, const struct why *w) {
    if (clock_mono_us() - since_us < GIVE_UP_MS * INT64_C(1000)) return;
    log_error("output", "ending the process: %s", w->text);
    _exit(EX_SOFTWARE);
}

enum status output_init(struct output *o, struct why *w) {
    return judge(o, "prepare for", rd_kafka_init_transactions(o->rk, INIT_MS), w) == ST_OK ? ST_OK : ST_AGAIN;
}

void output_abort(struct output *o) {
    struct why w = {0};
    for (int64_t since_us = clock_mono_us();; give_up_after(since_us, &w)) {
        enum status st = judge(o, "abort", rd_kafka_abort_transaction(o->rk, CALL_MS), &w);
        if (st == ST_OK) return;
        if (st == ST_FAILED) give_up_after(0, &w);
    }
}

/* --- a transaction --- */

enum status output_begin(struct output *o, struct why *w) {
    return judge(o, "begin", rd_kafka_begin_transaction(o->rk), w) == ST_OK ? ST_OK : ST_FAILED;
}

static enum status produce(struct output *o, const rd_kafka_vu_t *parts, size_t count, struct why *w) {
    for (int64_t since_us = clock_mono_us();;) {
        rd_kafka_error_t *error = rd_kafka_produceva(o->rk, parts, count);
        if (error == NULL) return ST_OK;
        bool full = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL;
        why(w, ST_FAILED, "cannot write: %.200s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        if (!full || clock_mono_us() - since_us > FULL_MS * INT64_C(1000)) return ST_FAILED;
        rd_kafka_poll(o->rk, 10);
    }
}

enum status output_row(struct output *o, int32_t partition, const struct sales_event *row, struct why *w) {
    uint8_t value[VALUE_MOST];
    memcpy(value, o->wire, WIRE_HEADER);
    size_t n = sales_event_avro.encode(row, value + WIRE_HEADER, sizeof value - WIRE_HEADER);
    if (n == 0) return why(w, ST_FAILED, "a row does not fit %d bytes", VALUE_MOST);
    char key[UUID_TEXT];
    uuid_format(&row->ticket_id, key);
    const char *type = sales_event_type_symbols[row->type];
    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic_sales_by_minute.name},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {key, sizeof key}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value, WIRE_HEADER + n}},
        {.vtype = RD_KAFKA_VTYPE_HEADER, .u.header = {"type", type, (ssize_t)strlen(type)}},
    };
    return produce(o, parts, sizeof parts / sizeof *parts, w);
}

enum status output_state(struct output *o, int32_t partition, struct str key, struct str value,
                         struct why *w) {
    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = changelog_topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key.p, key.n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value.p, value.n}},
    };
    return produce(o, parts, sizeof parts / sizeof *parts, w);
}

static enum status send_offsets(struct output *o, const rd_kafka_topic_partition_list_t *offsets,
                                const rd_kafka_consumer_group_metadata_t *member, struct why *w) {
    for (int64_t since_us = clock_mono_us();; give_up_after(since_us, w)) {
        enum status st = judge(o, "add positions to",
                               rd_kafka_send_offsets_to_transaction(o->rk, offsets, member, CALL_MS), w);
        if (st != ST_AGAIN) return st;
    }
}

/* Until it is known whether it is committed: who went on without knowing could count twice. */
static enum status commit(struct output *o, struct why *w) {
    for (int64_t since_us = clock_mono_us();; give_up_after(since_us, w)) {
        enum status st = judge(o, "commit", rd_kafka_commit_transaction(o->rk, CALL_MS), w);
        if (st != ST_AGAIN) return st;
    }
}

enum status output_commit(struct output *o, const rd_kafka_topic_partition_list_t *offsets,
                          const rd_kafka_consumer_group_metadata_t *member, struct why *w) {
    enum status st = send_offsets(o, offsets, member, w);
    if (st == ST_OK) st = commit(o, w);
    if (st != ST_OK) output_abort(o);
    return st;
}
