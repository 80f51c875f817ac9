#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "metrics.h"
#include "pg.h"
#include "priv/publisher_priv.h"

/* A standby looks for a free slot this often: most of the time a take-over takes. */
enum { STANDBY_MS = 200, ANSWER_MS = 2000, STATEMENT_MS = 30 * 1000 };

/* When we have said nothing for so long (the process was stopped, the machine paused), Postgres is about to
 * give the slot to another, or has: what lies in our buffers is not ours to publish any more. */
static const int64_t PAUSED_US = (REPLICATION_TIMEOUT_S - 1) * 1000 * 1000;

static enum status describe_table(struct session *s, struct why *w) {
    char text[128];
    snprintf(text, sizeof text, "select * from \"%s\" limit 0", s->p->options.table);
    PGresult *res = PQexec(s->sql, text);
    enum status st = pg_status(s->sql, res, w);
    struct pgoutput_column columns[PGOUTPUT_MAX_COLUMNS];
    int n = PQnfields(res);
    if (st == ST_OK && n > PGOUTPUT_MAX_COLUMNS)
        st = why(w, ST_INVALID, "%s has too many columns", s->p->options.table);
    for (int i = 0; i < n && st == ST_OK; i++)
        columns[i] = (struct pgoutput_column){PQfname(res, i), PQftype(res, i)};
    if (st == ST_OK) st = row_map_set(&s->row_map, s->p->options.topic, columns, n, w);
    PQclear(res);
    return st;
}

static enum status log_in(struct session *s, struct why *w) {
    const struct publisher_options *o = &s->p->options;
    s->sql = pg_open(o->database_url, "publisher", STATEMENT_MS, w);
    if (s->sql == NULL) return ST_LOST;
    enum status st = describe_table(s, w);
    return st == ST_OK ? published_tail_check_topic(o->brokers, o->topic, ANSWER_MS, w) : st;
}

static enum status open_replication(struct session *s, struct why *w) {
    if (s->replication == NULL)
        s->replication = replication_open(s->p->options.database_url, "publisher-stream", w);
    return s->replication == NULL ? ST_LOST : ST_OK;
}

static enum status open_producer(struct session *s, struct why *w) {
    const struct publisher_options *o = &s->p->options;
    return producer_open(&s->producer,
                         &(struct producer_options){o->brokers, o->topic, s->p->schema_id, s->slot.epoch}, w);
}

static void own(struct session *s) {
    metric_set(M_PUBLISHER_ACTIVE, 1);
    publisher_say(s->p, true, "publishing %s to topic %s, epoch %" PRId64, s->p->options.table,
                  s->p->options.topic->name, s->slot.epoch);
}

enum status session_check_awake(const struct session *s, struct why *w) {
    if (clock_mono_us() - s->told_us < PAUSED_US) return ST_OK;
    return why(w, ST_LOST, "was paused, and the slot may be another's by now");
}

enum status session_hold_slot(struct session *s, uint64_t confirmed, struct why *w) {
    enum status st = session_check_awake(s, w);
    if (st != ST_OK) return st;
    s->told_us = clock_mono_us();
    return replication_confirm(s->replication, confirmed, w);
}

static enum status hold_slot(void *arg, struct why *w) {
    struct session *s = arg;
    return publisher_out_of_time(s->p) ? ST_STOPPED : session_hold_slot(s, 0, w);
}

static enum status start_stream(struct session *s, const char *slot, struct why *w) {
    s->told_us = clock_mono_us();
    return replication_start(s->replication, slot, PUBLICATION, w);
}

static enum status read_tail(struct session *s, struct why *w) {
    const struct publisher_options *o = &s->p->options;
    const struct published_tail_options options = {o->brokers,       o->topic,  s->slot.epoch,
                                                   s->slot.since_ms, hold_slot, s};
    return published_tail_read(&s->tail, &options, w);
}

/* The topic may not be ahead of the database. If it is, a copy of the database was put in place of a newer
 * one, slot and all: its next events would take positions that count as published. */
static enum status check_not_behind(struct session *s, struct why *w) {
    PGresult *res = PQexec(s->sql, "select (pg_current_wal_insert_lsn() - '0/0')::bigint");
    enum status st = pg_status(s->sql, res, w);
    uint64_t now = st == ST_OK ? strtoull(PQgetvalue(res, 0, 0), NULL, 10) : 0;
    PQclear(res);
    if (st != ST_OK || published_tail_end(s->tail) <= now) return st;
    s->p->given_up = s->slot.epoch;
    return why(w, ST_FAILED,
               "topic %s is ahead of the database, which must be an older copy: the log is published again",
               s->p->options.topic->name);
}

/* ST_AGAIN: another replica was faster. */
static enum status take_slot(struct session *s, struct why *w) {
    char name[SLOT_NAME];
    slot_name(s->p->options.service, s->slot.epoch, name);
    enum status st = open_replication(s, w);
    if (st == ST_OK) st = start_stream(s, name, w);
    if (st == ST_NOT_FOUND) s->p->given_up = s->slot.epoch;
    if (st != ST_OK) return st;
    own(s);
    st = open_producer(s, w);
    if (st == ST_OK) st = read_tail(s, w);
    if (st == ST_OK) st = check_not_behind(s, w);
    if (st == ST_OK) st = slot_drop_others(s->sql, s->p->options.service, s->slot.epoch, w);
    return st;
}

static void tell_new_epoch(const struct session *s, const struct slot_state *was) {
    if (was->epoch == 0)
        log_info("publisher", "epoch %" PRId64 " begins: the first of this database", s->slot.epoch);
    else
        log_warn("publisher",
                 "epoch %" PRId64
                 " cannot go on (slot %s, publication %s, log %s, timeline %s): epoch %" PRId64
                 " begins, and the whole log is published again",
                 was->epoch, was->exists ? "there" : "gone or lost", was->published ? "there" : "changed",
                 was->republished ? "published" : "not published to its end",
                 was->same_timeline ? "the same" : "another", s->slot.epoch);
}

/* With the lock held. */
static enum status begin_epoch(struct session *s, struct why *w) {
    const struct publisher_options *o = &s->p->options;
    struct slot_state was = s->slot;
    char name[SLOT_NAME], snapshot[REPLICATION_SNAPSHOT];
    int64_t count = 0;
    enum status st = slot_new_epoch(s->sql, o->service, o->table, &s->slot, w);
    if (st != ST_OK) return st;
    tell_new_epoch(s, &was);
    slot_name(o->service, s->slot.epoch, name);
    st = open_replication(s, w);
    if (st == ST_OK) st = replication_create_slot(s->replication, name, snapshot, w);
    if (st == ST_OK) st = open_producer(s, w);
    if (st == ST_OK) own(s); /* however long the log is: the service can do its work meanwhile */
    if (st == ST_OK) st = session_republish(s, snapshot, &count, w);
    if (st == ST_OK) st = slot_mark_republished(s->sql, s->slot.epoch, w);
    if (st == ST_OK) st = start_stream(s, name, w);
    if (st == ST_AGAIN)
        return why(w, ST_LOST, "another replica was faster to take the new slot"); /* begin afresh */
    if (st == ST_OK) st = slot_unlock(s->sql, w);
    if (st != ST_OK) return st;
    log_at(was.epoch == 0 ? LOG_INFO : LOG_WARN, "publisher", "published %" PRId64 " events from the log",
           count);
    return ST_OK;
}

static bool can_go_on(const struct session *s) {
    return slot_usable(&s->slot) && s->slot.epoch != s->p->given_up;
}

/* ST_AGAIN: another replica is about it, or has done it. */
static enum status begin_epoch_locked(struct session *s, struct why *w) {
    const struct publisher_options *o = &s->p->options;
    enum status st = slot_lock(s->sql, w);
    if (st != ST_OK) return st;
    st = slot_read(s->sql, o->service, o->table, &s->slot, w);
    if (st != ST_OK) return st;
    if (!can_go_on(s)) return begin_epoch(s, w);
    st = slot_unlock(s->sql, w);
    return st == ST_OK ? ST_AGAIN : st;
}

/* ST_AGAIN: another replica is at it. */
static enum status try_to_own(struct session *s, struct why *w) {
    const struct publisher_options *o = &s->p->options;
    enum status st = slot_read(s->sql, o->service, o->table, &s->slot, w);
    if (st != ST_OK) return st;
    if (!can_go_on(s)) return begin_epoch_locked(s, w);
    return s->slot.active ? ST_AGAIN : take_slot(s, w);
}

static enum status stand_by_and_own(struct session *s, struct why *w) {
    enum status st;
    while ((st = try_to_own(s, w)) == ST_AGAIN) {
        /* A connection for replication is one of a few: a standby keeps none. */
        replication_close(s->replication);
        s->replication = NULL;
        publisher_say(s->p, true, "standing by: another replica publishes %s", s->p->options.table);
        publisher_wait(s->p, STANDBY_MS);
        if (publisher_stopping(s->p)) return ST_STOPPED;
    }
    return st;
}

enum status session_publish(struct session *s, const struct pgoutput_value *values, int n) {
    struct why w;
    struct str traceparent;
    if (row_map_fill(&s->row_map, values, n, s->event, &traceparent, &w) != ST_OK) {
        /* Passing it over would lose an event. A newer build of this service, perhaps waiting already, may
         * know it. */
        log_error("publisher", "cannot publish a row of %s, ending the process: %s", s->p->options.table,
                  w.text);
        _exit(EX_SOFTWARE);
    }
    s->position.ordinal++;
    if (s->tail != NULL &&
        published_tail_have(s->tail, producer_partition(&s->producer, s->event), s->position)) {
        metric_add(M_PUBLISH_SKIPPED, 1);
        return ST_OK;
    }
    return producer_send(&s->producer, s->event, s->position, traceparent);
}

enum status session_run(struct publisher *p, struct why *w) {
    struct session s = {.p = p, .event = mem_alloc(p->options.topic->type->size)};
    enum status st = log_in(&s, w);
    if (st == ST_OK) st = stand_by_and_own(&s, w);
    if (st == ST_OK) st = session_stream(&s, w);
    metric_set(M_PUBLISHER_ACTIVE, 0);
    metric_set(M_PUBLISHER_LAG, 0);
    metric_set(M_PUBLISHER_UNACKED, 0);
    producer_close(&s.producer); /* first: from now on the slot may be another's */
    replication_close(s.replication);
    published_tail_free(s.tail);
    PQfinish(s.sql);
    free(s.event);
    return st;
}
