#include "transactions.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "uuid.h"

enum {
    INIT_MS = 2000,
    CALL_MS = 5000,         /* of one call; those that took longer are made again */
    GIVE_UP_MS = 60 * 1000, /* of all tries */
    FULL_MS = 10 * 1000,    /* for room in the queue */
};

struct transactions {
    rd_kafka_t *rk;
};

/* "onsale-NAME-INSTANCE"; an INSTANCE_ID is 255 characters at the most: Kafka's own limit. */
static void name_owner(char *out, size_t n, const char *name, const char *instance) {
    char stranger[UUID_TEXT + 1] = {0};
    struct uuid id = uuid_v7();
    uuid_format(&id, stranger);
    snprintf(out, n, "onsale-%s-%s", name, instance != NULL && instance[0] != '\0' ? instance : stranger);
}

struct transactions *transactions_open(const char *brokers, const char *name, const char *instance,
                                       struct why *w) {
    char id[384];
    name_owner(id, sizeof id, name, instance);
    const struct kafka_property properties[] = {
        {"transactional.id", id, KAFKA_FIXED},
        {"enable.idempotence", "true", KAFKA_FIXED},
        {"acks", "all", KAFKA_FIXED},
        /* What a killed process has left open holds up readers for so long, and up to 10 s more, unless its
           INSTANCE_ID comes back. */
        {"transaction.timeout.ms", "10000", KAFKA_DEFAULT},
        {"compression.type", "lz4", KAFKA_DEFAULT},
        {"queue.buffering.max.kbytes", "16384", KAFKA_DEFAULT},
        {"linger.ms", "2", KAFKA_DEFAULT}, /* a commit does not wait for it */
        {0},
    };
    rd_kafka_conf_t *conf = kafka_conf(brokers, properties, w);
    rd_kafka_t *rk = conf == NULL ? NULL : kafka_client(RD_KAFKA_PRODUCER, conf, w);
    if (rk == NULL) return NULL;
    struct transactions *t = mem_alloc(sizeof *t);
    t->rk = rk;
    return t;
}

void transactions_free(struct transactions *t) {
    rd_kafka_purge(t->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_destroy(t->rk);
    free(t);
}

void transactions_poll(struct transactions *t) {
    rd_kafka_poll(t->rk, 0);
}

/* --- what may go wrong --- */

/* Takes error. ST_OK, ST_AGAIN (the same call again), ST_FAILED (the transaction is void). */
static enum status judge(struct transactions *t, const char *what, rd_kafka_error_t *error, struct why *w) {
    if (error == NULL) return ST_OK;
    if (rd_kafka_error_is_fatal(error)) kafka_fatal(t->rk);
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
    log_error("transactions", "ending the process: %s", w->text);
    _exit(EX_SOFTWARE);
}

bool transactions_prepare(struct transactions *t, struct topic_thread *thread) {
    struct why w = {0};
    topic_thread_say_waiting(thread, "waiting for Kafka's leave to write transactions");
    while (!topic_thread_stopping(thread)) {
        if (judge(t, "prepare for", rd_kafka_init_transactions(t->rk, INIT_MS), &w) == ST_OK) return true;
        transactions_poll(t);
        topic_thread_say_waiting(thread, w.text);
    }
    return false;
}

void transactions_abort(struct transactions *t) {
    struct why w = {0};
    for (int64_t since_us = clock_mono_us();; give_up_after(since_us, &w)) {
        enum status st = judge(t, "abort", rd_kafka_abort_transaction(t->rk, CALL_MS), &w);
        if (st == ST_OK) return;
        if (st == ST_FAILED) give_up_after(0, &w);
    }
}

/* --- a transaction --- */

enum status transactions_begin(struct transactions *t, struct why *w) {
    return judge(t, "begin", rd_kafka_begin_transaction(t->rk), w) == ST_OK ? ST_OK : ST_FAILED;
}

static enum status produce(struct transactions *t, const rd_kafka_vu_t *parts, size_t count, struct why *w) {
    for (int64_t since_us = clock_mono_us();;) {
        rd_kafka_error_t *error = rd_kafka_produceva(t->rk, parts, count);
        if (error == NULL) return ST_OK;
        bool full = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL;
        why(w, ST_FAILED, "cannot write: %.200s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        if (!full || clock_mono_us() - since_us > FULL_MS * INT64_C(1000)) return ST_FAILED;
        rd_kafka_poll(t->rk, 10);
    }
}

enum status transactions_write(struct transactions *t, const struct transactions_record *r, struct why *w) {
    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = r->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = r->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)r->key.p, r->key.n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)r->value.p, r->value.n}},
        {.vtype = RD_KAFKA_VTYPE_HEADER, .u.header = {"type", r->type, -1}}, /* last: left out when NULL */
    };
    return produce(t, parts, sizeof parts / sizeof *parts - (r->type == NULL), w);
}

static enum status send_offsets(struct transactions *t, const rd_kafka_topic_partition_list_t *offsets,
                                const rd_kafka_consumer_group_metadata_t *member, struct why *w) {
    for (int64_t since_us = clock_mono_us();; give_up_after(since_us, w)) {
        enum status st = judge(t, "add positions to",
                               rd_kafka_send_offsets_to_transaction(t->rk, offsets, member, CALL_MS), w);
        if (st != ST_AGAIN) return st;
    }
}

/* Until it is known whether it is committed: who went on without knowing could count twice. */
static enum status commit(struct transactions *t, struct why *w) {
    for (int64_t since_us = clock_mono_us();; give_up_after(since_us, w)) {
        enum status st = judge(t, "commit", rd_kafka_commit_transaction(t->rk, CALL_MS), w);
        if (st != ST_AGAIN) return st;
    }
}

enum status transactions_commit(struct transactions *t, const rd_kafka_topic_partition_list_t *offsets,
                                const rd_kafka_consumer_group_metadata_t *member, struct why *w) {
    enum status st = send_offsets(t, offsets, member, w);
    if (st == ST_OK) st = commit(t, w);
    if (st != ST_OK) transactions_abort(t);
    return st;
}
