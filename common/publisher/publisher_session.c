#include "priv/publisher_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "pg.h"
#include "priv/publisher_metrics.h"
#include "priv/publisher_republish.h"
#include "priv/publisher_stream.h"
#include "priv/slot.h"

/* How long to wait for the synchronous standby before looking whether to stop. */
enum { LOOK_MS = 500 };

/* A standby looks for a free slot this often: most of the time a take-over takes. */
enum { STANDBY_MS = 200, ANSWER_MS = 2000, STATEMENT_MS = 30 * 1000 };

struct session {
    const struct publisher_options *options;
    const int32_t *schema_ids;
    char tables[128]; /* for messages */
    struct publisher_state *state;
    int64_t *given_up;
    PGconn *sql;          /* for all but the stream and the slots */
    struct marker marker; /* on sql */
    struct slot_state slot;
    struct hold hold;
    struct emit emit;
};

static enum status describe_table(struct session *s, int log, struct why *w) {
    const char *table = s->emit.logs[log].table;
    char text[128];
    snprintf(text, sizeof text, "select * from \"%s\" limit 0", table);
    PGresult *res = PQexec(s->sql, text);
    enum status st = pg_status(s->sql, res, w);
    struct pgoutput_column columns[PGOUTPUT_MAX_COLUMNS];
    int n = PQnfields(res);
    if (st == ST_OK && n > PGOUTPUT_MAX_COLUMNS) st = why(w, ST_INVALID, "%s has too many columns", table);
    for (int i = 0; i < n && st == ST_OK; i++)
        columns[i] = (struct pgoutput_column){PQfname(res, i), PQftype(res, i)};
    if (st == ST_OK) st = emit_columns(&s->emit, log, columns, n, w);
    PQclear(res);
    return st;
}

/* With acks=all an event counts as published when all replicas that are in sync have it: that may be one. */
static void tell_copies(struct session *s, int topic, int copies) {
    if (copies != 0 && copies < s->options->copies && copies != s->state->copies[topic])
        log_warn("publisher",
                 "Kafka takes events of topic %s with %d in-sync replicas, EVENT_COPIES asks for %d: see its"
                 " min.insync.replicas and its replicas",
                 s->emit.topics[topic].topic->name, copies, s->options->copies);
    s->state->copies[topic] = copies;
}

static enum status check_topic(struct session *s, int topic, struct why *w) {
    int copies = 0;
    enum status st =
        published_tail_check_topic(s->options->brokers, s->emit.topics[topic].topic, ANSWER_MS, &copies, w);
    if (st == ST_OK) tell_copies(s, topic, copies);
    return st;
}

/* Of the topic that has the fewest; not known if it is not of one. */
static int fewest_copies(const struct session *s) {
    int fewest = s->state->copies[0];
    for (int i = 1; i < s->emit.ntopics; i++)
        if (s->state->copies[i] < fewest) fewest = s->state->copies[i];
    return fewest;
}

static enum status log_in(struct session *s, struct why *w) {
    const struct publisher_options *o = s->options;
    s->sql = pg_open(o->database_url, "publisher", STATEMENT_MS, w);
    if (s->sql == NULL) return ST_LOST;
    enum status st = marker_open(&s->marker, s->sql, w);
    for (int i = 0; i < s->emit.nlogs && st == ST_OK; i++)
        st = describe_table(s, i, w);
    for (int i = 0; i < s->emit.ntopics && st == ST_OK; i++)
        st = publisher_state_stopping(s->state) ? ST_STOPPED : check_topic(s, i, w);
    if (st == ST_OK) metric_set(M_PUBLISHER_COPIES, fewest_copies(s));
    return st;
}

static enum status open_producer(struct session *s, struct why *w) {
    const struct publisher_options *o = s->options;
    struct producer_options options = {.brokers = o->brokers,
                                       .schema_ids = s->schema_ids,
                                       .epoch = s->slot.epoch,
                                       .cloudevents = o->cloudevents,
                                       .watermarks = o->watermarks,
                                       .watermarks_schema_id = s->schema_ids[s->emit.ntopics]};
    for (int i = 0; i < s->emit.ntopics; i++)
        options.topics[i] = s->emit.topics[i].topic;
    return producer_open(&s->emit.producer, &options, w);
}

static void own(struct session *s) {
    metric_set(M_PUBLISHER_ACTIVE, 1);
    publisher_state_say(s->state, true, "publishing %s, epoch %" PRId64, s->tables, s->slot.epoch);
}

static enum status hold_slot(void *arg, struct why *w) {
    struct session *s = arg;
    return publisher_state_out_of_time(s->state) ? ST_STOPPED : hold_confirm(&s->hold, 0, w);
}

/* One topic after the other: a quarter of a second each, most of it to see that nothing comes any more. */
static enum status read_tails(struct session *s, struct why *w) {
    enum status st = ST_OK;
    for (int i = 0; i < s->emit.ntopics && st == ST_OK; i++) {
        struct emit_topic *t = &s->emit.topics[i];
        const struct published_tail_options options = {s->options->brokers, t->topic,  s->slot.epoch,
                                                       s->slot.since_ms,    hold_slot, s};
        st = published_tail_read(&t->tail, &options, w);
    }
    return st;
}

/* No topic may be ahead of the database. If one is, a copy of the database was put in place of a newer one,
 * slot and all: its next events would take positions that count as published. */
static enum status check_not_behind(struct session *s, struct why *w) {
    PGresult *res = PQexec(s->sql, "select (pg_current_wal_insert_lsn() - '0/0')::bigint");
    enum status st = pg_status(s->sql, res, w);
    uint64_t now = st == ST_OK ? strtoull(PQgetvalue(res, 0, 0), NULL, 10) : 0;
    PQclear(res);
    for (int i = 0; i < s->emit.ntopics && st == ST_OK; i++) {
        const struct emit_topic *t = &s->emit.topics[i];
        if (published_tail_end(t->tail) <= now) continue;
        *s->given_up = s->slot.epoch;
        st = why(w, ST_FAILED,
                 "topic %s is ahead of the database, which must be an older copy: the log is published again",
                 t->topic->name);
    }
    return st;
}

/* A table that the publication lacks is new, or was taken out of it by hand. In this case its topic may have
 * events of this epoch, and others went by. */
static enum status add_table(struct session *s, int log, struct why *w) {
    const char *table = s->emit.logs[log].table;
    if (!published_tail_empty(s->emit.topics[log].tail)) {
        *s->given_up = s->slot.epoch;
        return why(w, ST_FAILED, "%s was taken out of the publication: the log is published again", table);
    }
    enum status st = hold_slot(s, w);
    if (st == ST_OK) st = slot_add_table(s->sql, table, w);
    if (st == ST_OK) log_info("publisher", "%s joins epoch %" PRId64, table, s->slot.epoch);
    return st == ST_OK ? hold_slot(s, w) : st;
}

static enum status add_missing_tables(struct session *s, struct why *w) {
    enum status st = ST_OK;
    for (int i = 0; i < s->emit.nlogs && st == ST_OK; i++) {
        bool has;
        st = slot_has_table(s->sql, s->emit.logs[i].table, &has, w);
        if (st == ST_OK && !has) st = add_table(s, i, w);
    }
    return st;
}

/* Drops slots: those of other epochs than this, or all of them, also if somebody reads one. The connection
 * that streams takes no statements, and this is done once: it has one of its own. */
static enum status drop_slots(const struct session *s, bool all, struct why *w) {
    const struct publisher_options *o = s->options;
    PGconn *conn = pg_open(o->replication_url, "publisher-slots", STATEMENT_MS, w);
    if (conn == NULL) return ST_LOST;
    enum status st =
        all ? slot_drop_all(conn, o->service, w) : slot_drop_others(conn, o->service, s->slot.epoch, w);
    PQfinish(conn);
    return st;
}

/* ST_AGAIN: another replica was faster. */
static enum status take_slot(struct session *s, struct why *w) {
    const struct publisher_options *o = s->options;
    char name[SLOT_NAME];
    slot_name(o->service, s->slot.epoch, name);
    enum status st = hold_open(&s->hold, o->replication_url, w);
    if (st == ST_OK) st = hold_start(&s->hold, name, w);
    if (st == ST_NOT_FOUND) *s->given_up = s->slot.epoch;
    if (st != ST_OK) return st;
    own(s);
    st = slot_end_waiters(s->sql, w);
    if (st == ST_OK) st = marker_look(&s->marker, w);
    if (st == ST_OK) st = open_producer(s, w);
    if (st == ST_OK) st = read_tails(s, w);
    if (st == ST_OK) st = check_not_behind(s, w);
    if (st == ST_OK) st = add_missing_tables(s, w);
    if (st == ST_OK) st = drop_slots(s, false, w);
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

/* Until the standby has all that the snapshot shows. Whoever made it saw commits that still wait. */
static enum status await_standby(struct session *s, struct why *w) {
    uint64_t last = s->marker.sent;
    enum status st = marker_look(&s->marker, w);
    while (st == ST_OK && s->marker.synchronous && s->marker.came <= last) {
        if (publisher_state_out_of_time(s->state)) return ST_STOPPED;
        st = marker_ask(&s->marker, true, w);
        if (st == ST_OK) clock_wait(PQsocket(s->sql), clock_mono_us() + LOOK_MS * INT64_C(1000));
        if (st == ST_OK && PQconsumeInput(s->sql) != 1) st = pg_status(s->sql, NULL, w);
        if (st == ST_OK) st = marker_take(&s->marker, w);
    }
    return st;
}

/* With the lock held. */
static enum status begin_epoch(struct session *s, struct why *w) {
    const struct publisher_options *o = s->options;
    struct slot_state was = s->slot;
    char name[SLOT_NAME], snapshot[REPLICATION_SNAPSHOT];
    int64_t count = 0;
    enum status st = slot_end_waiters(s->sql, w);
    if (st == ST_OK) st = drop_slots(s, true, w);
    if (st == ST_OK) st = slot_new_epoch(s->sql, o->service, o->logs, &s->slot, w);
    if (st != ST_OK) return st;
    tell_new_epoch(s, &was);
    slot_name(o->service, s->slot.epoch, name);
    st = hold_open(&s->hold, o->replication_url, w);
    if (st == ST_OK) st = replication_create_slot(s->hold.replication, name, snapshot, w);
    if (st == ST_OK) st = await_standby(s, w);
    if (st == ST_OK) st = open_producer(s, w);
    if (st == ST_OK) own(s); /* however long the log is: the service can do its work meanwhile */
    if (st == ST_OK) st = publisher_republish(s->state, s->sql, snapshot, &s->emit, &count, w);
    if (st == ST_OK) st = slot_mark_republished(s->sql, s->slot.epoch, w);
    if (st == ST_OK) st = hold_start(&s->hold, name, w);
    if (st == ST_AGAIN)
        return why(w, ST_LOST, "another replica was faster to take the new slot"); /* begin afresh */
    if (st == ST_OK) st = slot_unlock(s->sql, w);
    if (st != ST_OK) return st;
    log_at(was.epoch == 0 ? LOG_INFO : LOG_WARN, "publisher", "published %" PRId64 " events from the log",
           count);
    return ST_OK;
}

static bool can_go_on(const struct session *s) {
    return slot_usable(&s->slot) && s->slot.epoch != *s->given_up;
}

/* ST_AGAIN: another replica is doing it, or has done it. */
static enum status begin_epoch_locked(struct session *s, struct why *w) {
    const struct publisher_options *o = s->options;
    enum status st = slot_lock(s->sql, w);
    if (st != ST_OK) return st;
    st = slot_read(s->sql, o->service, o->logs, &s->slot, w);
    if (st != ST_OK) return st;
    if (!can_go_on(s)) return begin_epoch(s, w);
    st = slot_unlock(s->sql, w);
    return st == ST_OK ? ST_AGAIN : st;
}

/* ST_AGAIN: another replica has the slot. */
static enum status try_to_own(struct session *s, struct why *w) {
    const struct publisher_options *o = s->options;
    enum status st = slot_read(s->sql, o->service, o->logs, &s->slot, w);
    if (st != ST_OK) return st;
    if (!can_go_on(s)) return begin_epoch_locked(s, w);
    return s->slot.active ? ST_AGAIN : take_slot(s, w);
}

/* ST_STOPPED: it was to stop before. It does not take the slot then, as it may take seconds to read what the
 * topics have; what is committed is published by who takes it next. */
static enum status stand_by_and_own(struct session *s, struct why *w) {
    while (!publisher_state_stopping(s->state)) {
        enum status st = try_to_own(s, w);
        if (st != ST_AGAIN) return st;
        /* A connection for replication is one of a few: a standby keeps none. */
        hold_close(&s->hold);
        publisher_state_say(s->state, true, "standing by: another replica publishes %s", s->tables);
        publisher_state_wait(s->state, STANDBY_MS);
    }
    return ST_STOPPED;
}

static enum status stream(struct session *s, struct why *w) {
    enum status st = publisher_stream_run(s->state, &s->marker, &s->hold, &s->emit, s->options, w);
    if (st == ST_NOT_FOUND) *s->given_up = s->slot.epoch;
    return st;
}

static void name_tables(struct session *s) {
    for (int i = 0, n = 0; i < s->emit.nlogs && n < (int)sizeof s->tables; i++)
        n += snprintf(s->tables + n, sizeof s->tables - (size_t)n, "%s%s", i == 0 ? "" : ", ",
                      s->emit.logs[i].table);
}

enum status publisher_session_run(const struct publisher_options *options, const int32_t *schema_ids,
                                  struct publisher_state *state, int64_t *given_up, struct why *w) {
    struct session s = {.options = options, .schema_ids = schema_ids, .state = state, .given_up = given_up};
    emit_init(&s.emit, options->logs, options->audit);
    name_tables(&s);
    enum status st = log_in(&s, w);
    if (st == ST_OK) st = stand_by_and_own(&s, w);
    if (st == ST_OK) st = stream(&s, w);
    metric_set(M_PUBLISHER_ACTIVE, 0);
    metric_set(M_PUBLISHER_LAG, 0);
    metric_set(M_PUBLISHER_AWAITS, 0);
    metric_set(M_PUBLISHER_UNACKED, 0);
    metric_set(M_WATERMARK_AGE, 0);
    emit_free(&s.emit); /* first: from now on the slot may be another's */
    hold_close(&s.hold);
    PQfinish(s.sql);
    return st;
}
