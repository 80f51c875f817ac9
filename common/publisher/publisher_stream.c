#include "priv/publisher_stream.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "pg.h"
#include "priv/expiry.h"
#include "priv/slot.h"

/* A confirmation costs both sides a system call or two and Postgres sometimes a write: 10 a second are prompt
 * enough for WAL to go and for a restart to have little to look through. Without news one a second keeps the
 * slot (replication.h). */
static const int64_t CONFIRM_NEWS_US = 100 * 1000, CONFIRM_ANYWAY_US = 1000 * 1000;

/* Frames between two looks at Kafka's acknowledgements: about a millisecond's. */
enum { BURST = 512 };

/* librdkafka sends a request a partition, and the consumers fetch behind each: what comes one by one costs
 * the broker ten times what comes together. So when much comes, it is let gather before more is read: a fifth
 * of a millisecond an event, which is nothing below 5,000 a second, and a third less CPU of the broker's
 * above. Longer gains little more. A backlog comes in large pieces anyway, and is not slowed down. */
enum { REST_US_AN_EVENT = 200, LEAST_REST_US = 1000, LONGEST_REST_US = 10 * 1000, BACKLOG = 1000 };

enum { LEAVE_MS = 1000 };

enum { FD_STREAM, FD_PRODUCER, FD_SQL, FD_STOP, FDS };

struct stream {
    const struct publisher_state *state;
    PGconn *sql;
    struct hold *hold;
    struct emit *emit;
    uint32_t relation; /* the table's id in the stream; 0: not seen yet */
    struct expiry expiry;
    struct pollfd fds[FDS];
    bool full;    /* Kafka's queue is: an event is kept back, and nothing is read meanwhile */
    bool drained; /* libpq has no more frames */
    int fresh;    /* events since there was nothing to be read */
    int64_t rest_until_us;
    uint64_t told_lsn;
    uint64_t horizon; /* when it stops: publish up to here; 0: not stopping */
};

static enum status on_relation(struct stream *t, const struct pgoutput_message *m, struct why *w) {
    if (strcmp(m->name, t->emit->table) != 0) return ST_OK;
    t->relation = m->relation;
    return emit_columns(t->emit, m->columns, m->ncolumns, w);
}

static enum status on_message(struct stream *t, const struct pgoutput_frame *frame, struct why *w) {
    struct pgoutput_message m;
    enum status st = pgoutput_read(frame->message, frame->n, &m, w);
    if (st != ST_OK) return st;
    switch (m.kind) {
    case PGOUTPUT_BEGIN:
        emit_begin(t->emit, m.lsn, m.committed_us);
        return ST_OK;
    case PGOUTPUT_COMMIT:
        emit_commit(t->emit, m.lsn);
        return ST_OK;
    case PGOUTPUT_RELATION:
        return on_relation(t, &m, w);
    case PGOUTPUT_INSERT:
        if (m.relation != t->relation) return ST_OK;
        t->fresh++;
        t->full = emit_row(t->emit, m.values, m.ncolumns) == ST_FULL;
        return ST_OK;
    case PGOUTPUT_OTHER:
        return ST_OK;
    }
    return ST_OK;
}

static enum status tell(struct stream *t, struct why *w) {
    t->told_lsn = t->emit->producer.acks.confirmed;
    return hold_confirm(t->hold, t->told_lsn, w);
}

static enum status on_frame(struct stream *t, const struct pgoutput_frame *frame, struct why *w) {
    if (frame->kind == FRAME_DATA) return on_message(t, frame, w);
    acks_passed(&t->emit->producer.acks, frame->wal_end);
    return frame->reply_now ? tell(t, w) : ST_OK;
}

static enum status read_burst(struct stream *t, struct why *w) {
    enum status st = hold_check_awake(t->hold, w);
    if (st == ST_OK) t->full = producer_push(&t->emit->producer) == ST_FULL;
    for (int i = 0; i < BURST && !t->full && st == ST_OK; i++) {
        struct pgoutput_frame frame;
        st = replication_next(t->hold->replication, &frame, w);
        if (st == ST_OK) st = hold_check_awake(t->hold, w); /* a pause can come between any two */
        t->drained = st == ST_AGAIN;
        if (st == ST_OK) st = on_frame(t, &frame, w);
    }
    return st == ST_AGAIN ? ST_OK : st;
}

static int64_t rest_us(const struct stream *t) {
    int64_t us = t->fresh * (int64_t)REST_US_AN_EVENT;
    if (us < LEAST_REST_US || t->fresh >= BACKLOG || !t->drained || t->horizon != 0) return 0;
    return us < LONGEST_REST_US ? us : LONGEST_REST_US;
}

/* Nothing more is there to be read at the moment. */
static void rest(struct stream *t) {
    if (rest_us(t) > 0) t->rest_until_us = clock_mono_us() + rest_us(t);
    t->fresh = 0;
}

static bool resting(const struct stream *t) {
    return clock_mono_us() < t->rest_until_us;
}

static int64_t confirmation_due_us(const struct stream *t) {
    bool news = t->emit->producer.acks.confirmed > t->told_lsn;
    return t->hold->told_us + (news ? CONFIRM_NEWS_US : CONFIRM_ANYWAY_US);
}

/* When to act if no descriptor becomes ready; monotonic. */
static int64_t next_due_us(const struct stream *t) {
    if (t->drained == false && !t->full) return 0;
    int64_t due_us = confirmation_due_us(t);
    if (resting(t) && t->rest_until_us < due_us) due_us = t->rest_until_us;
    if (t->horizon != 0) return due_us < t->state->stop_by_us ? due_us : t->state->stop_by_us;
    bool choosing = !t->expiry.asked && t->expiry.chosen == NULL;
    return choosing && t->expiry.due_us < due_us ? t->expiry.due_us : due_us;
}

static int wait_ms(const struct stream *t) {
    return rest_us(t) > 0 ? 0 : clock_ms_until(next_due_us(t));
}

static enum status wait(struct stream *t, struct why *w) {
    t->fds[FD_STREAM].events = t->full || resting(t) ? 0 : POLLIN;
    t->fds[FD_STOP].events = t->horizon == 0 ? POLLIN : 0;
    poll(t->fds, FDS, wait_ms(t));
    if (t->fds[FD_STREAM].revents == 0) rest(t);
    if (t->fds[FD_SQL].revents != 0 && PQconsumeInput(t->sql) != 1) return pg_status(t->sql, NULL, w);
    /* With nothing asked for, only an end of the connection is reported. */
    return t->fds[FD_STREAM].revents != 0 ? replication_receive(t->hold->replication, w) : ST_OK;
}

static enum status set_horizon(struct stream *t, struct why *w) {
    expiry_pause(&t->expiry);
    return slot_commit_horizon(t->sql, &t->horizon, w);
}

/* ST_STOPPED: all is published, or the time is over. */
static enum status check_stop(struct stream *t, struct why *w) {
    const struct acks *acks = &t->emit->producer.acks;
    if (!publisher_state_stopping(t->state)) return ST_OK;
    enum status st = t->horizon == 0 ? set_horizon(t, w) : ST_OK;
    if (st != ST_OK) return st;
    bool done = acks->confirmed >= t->horizon;
    if (!done && !publisher_state_out_of_time(t->state)) return ST_OK;
    if (!done) log_warn("publisher", "stops with events not published: they follow after the next start");
    tell(t, w);
    producer_close(&t->emit->producer); /* before the slot can be another's */
    replication_end(t->hold->replication, LEAVE_MS);
    return ST_STOPPED;
}

static enum status turn(struct stream *t, struct why *w) {
    enum status st = wait(t, w);
    if (st == ST_OK) st = read_burst(t, w);
    producer_poll(&t->emit->producer);
    if (st == ST_OK && clock_mono_us() >= confirmation_due_us(t)) st = tell(t, w);
    if (st == ST_OK && t->horizon == 0) st = expiry_step(&t->expiry, t->emit->producer.acks.confirmed, w);
    return st == ST_OK ? check_stop(t, w) : st;
}

static const char *time_column(const struct avro_type *type) {
    for (int i = 0; i < type->nfields; i++)
        if (strcmp(type->fields[i].name, "occurredAt") == 0) return type->fields[i].column;
    abort(); /* every schema of ours has it */
}

enum status publisher_stream_run(const struct publisher_state *state, PGconn *sql, struct hold *hold,
                                 struct emit *emit, int64_t retention_ms, struct why *w) {
    struct stream t = {
        .state = state,
        .sql = sql,
        .hold = hold,
        .emit = emit,
        .fds = {[FD_STREAM] = {.fd = replication_socket(hold->replication)},
                [FD_PRODUCER] = {.fd = producer_fd(&emit->producer), .events = POLLIN},
                [FD_SQL] = {.fd = PQsocket(sql), .events = POLLIN},
                [FD_STOP] = {.fd = state->stop_fd}},
    };
    expiry_init(&t.expiry, sql, emit->table, time_column(emit->topic->type), retention_ms);
    enum status st = ST_OK;
    while (st == ST_OK)
        st = turn(&t, w);
    expiry_free(&t.expiry);
    return st;
}
