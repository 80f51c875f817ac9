#include "priv/publisher_stream.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "pg.h"
#include "priv/expiry.h"
#include "priv/slot.h"
#include "priv/watermark.h"

/* A confirmation costs both sides a system call or two and Postgres sometimes a write: 10 a second are prompt
 * enough for WAL to go and for a restart to have little to look through. Without news one a second keeps the
 * slot (replication.h). */
static const int64_t CONFIRM_NEWS_US = 100 * 1000, CONFIRM_ANYWAY_US = 1000 * 1000;

/* Frames between two looks at Kafka's acknowledgements: about a millisecond's. */
enum { BURST = 512 };

/* librdkafka sends a request a partition, and the consumers fetch behind each: what comes one by one costs
 * the broker ten times what comes together. So when much comes, it is let gather before more is read: three
 * tenths of a millisecond an event, which is nothing below 3,300 a second, and above it up to 20 ms. At 3,000
 * orders a second that is a third less of the broker's CPU than with 0.2 ms and 10 ms. A backlog comes in
 * large pieces anyway, and is not slowed down. */
enum { REST_US_AN_EVENT = 300, LEAST_REST_US = 1500, LONGEST_REST_US = 20 * 1000, BACKLOG = 1000 };

enum { LEAVE_MS = 1000 };

enum { FD_STREAM, FD_PRODUCER, FD_SQL, FD_STOP, FDS };

struct stream {
    const struct publisher_state *state;
    struct marker *marker;
    struct hold *hold;
    struct emit *emit;
    uint32_t relations[PUBLISHER_MAX_LOGS]; /* the logs' tables' ids in the stream; 0: not seen yet */
    struct watermark watermark;
    struct expiry expiry[PUBLISHER_MAX_LOGS];
    int expiry_turn; /* whose it is to ask next */
    struct pollfd fds[FDS];
    bool full;    /* Kafka's queue is: an event is kept back, and nothing is read meanwhile */
    bool drained; /* libpq has no more frames */
    bool held;    /* an event waits for the standby, and nothing is read meanwhile */
    struct pgoutput_frame held_frame;
    int fresh; /* events since there was nothing to be read */
    int64_t rest_until_us;
    uint64_t told_lsn;
    bool leaving;       /* it is to stop, and publishes what is committed */
    uint64_t last_mark; /* the number of a marker that was asked for before it left */
};

/* Its rows come next. One that is not known is of a newer version of the service: to go on would confirm them
 * unpublished. */
static enum status on_relation(struct stream *t, const struct pgoutput_message *m, struct why *w) {
    for (int i = 0; i < t->emit->nlogs; i++) {
        if (strcmp(m->name, t->emit->logs[i].table) != 0) continue;
        t->relations[i] = m->relation;
        return emit_columns(t->emit, i, m->columns, m->ncolumns, w);
    }
    return why(w, ST_FAILED, "there are rows of %s, which a newer version of this service has to publish",
               m->name);
}

static int log_of(const struct stream *t, uint32_t relation) {
    int i = 0;
    while (i < t->emit->nlogs && t->relations[i] != relation)
        i++;
    return i;
}

static enum status on_insert(struct stream *t, const struct pgoutput_frame *frame,
                             const struct pgoutput_message *m, struct why *w) {
    int log = log_of(t, m->relation);
    if (log == t->emit->nlogs) return why(w, ST_FAILED, "a row came of a table that was not described");
    t->held = !marker_covers(t->marker, t->emit->position.lsn);
    if (t->held) {
        t->held_frame = *frame; /* its bytes stay until the next frame is read */
        return ST_OK;
    }
    t->fresh++;
    t->full = emit_row(t->emit, log, m->values, m->ncolumns) == ST_FULL;
    return ST_OK;
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
        return on_insert(t, frame, &m, w);
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

static bool waits_for_standby(const struct stream *t) {
    return t->held && !marker_covers(t->marker, t->emit->position.lsn);
}

static bool may_read(const struct stream *t) {
    return !t->full && !waits_for_standby(t);
}

static enum status read_burst(struct stream *t, struct why *w) {
    enum status st = hold_check_awake(t->hold, w);
    if (st == ST_OK) t->full = emit_push(t->emit) == ST_FULL;
    if (st == ST_OK && t->held && may_read(t)) st = on_message(t, &t->held_frame, w);
    for (int i = 0; i < BURST && may_read(t) && st == ST_OK; i++) {
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
    if (us < LEAST_REST_US || t->fresh >= BACKLOG || !t->drained || t->leaving) return 0;
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

static int64_t sooner(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static bool expiry_asked(const struct stream *t) {
    for (int i = 0; i < t->emit->nlogs; i++)
        if (t->expiry[i].asked) return true;
    return false;
}

/* When there is something to ask on the shared connection. */
static int64_t question_due_us(const struct stream *t) {
    if (t->marker->asked || t->watermark.asked || expiry_asked(t)) return INT64_MAX;
    int64_t due_us = t->marker->due_us;
    if (!t->leaving) due_us = sooner(due_us, t->watermark.due_us);
    for (int i = 0; i < t->emit->nlogs && !t->leaving; i++)
        if (t->expiry[i].chosen == NULL) due_us = sooner(due_us, t->expiry[i].due_us);
    return due_us;
}

/* When to act if no descriptor becomes ready; monotonic. */
static int64_t next_due_us(const struct stream *t) {
    if (!t->drained && may_read(t)) return 0;
    int64_t due_us = sooner(confirmation_due_us(t), question_due_us(t));
    if (resting(t)) due_us = sooner(due_us, t->rest_until_us);
    return t->leaving ? sooner(due_us, t->state->stop_by_us) : due_us;
}

static int wait_ms(const struct stream *t) {
    return rest_us(t) > 0 ? 0 : clock_ms_until(next_due_us(t));
}

static enum status wait(struct stream *t, struct why *w) {
    t->fds[FD_STREAM].events = may_read(t) && !resting(t) ? POLLIN : 0;
    t->fds[FD_STOP].events = t->leaving ? 0 : POLLIN;
    poll(t->fds, FDS, wait_ms(t));
    if (t->fds[FD_STREAM].revents == 0) rest(t);
    if (t->fds[FD_SQL].revents != 0 && PQconsumeInput(t->marker->conn) != 1)
        return pg_status(t->marker->conn, NULL, w);
    /* With nothing asked for, only an end of the connection is reported. */
    return t->fds[FD_STREAM].revents != 0 ? replication_receive(t->hold->replication, w) : ST_OK;
}

static enum status take_expiry(struct stream *t, uint64_t confirmed, struct why *w) {
    enum status st = ST_OK;
    for (int i = 0; i < t->emit->nlogs && st == ST_OK; i++)
        st = expiry_take(&t->expiry[i], confirmed, w);
    return st;
}

/* In turn, so that a log with much to delete leaves the connection to the others. */
static enum status ask_expiry(struct stream *t, uint64_t confirmed, struct why *w) {
    enum status st = ST_OK;
    for (int i = 0; i < t->emit->nlogs && st == ST_OK && !expiry_asked(t); i++) {
        st = expiry_ask(&t->expiry[t->expiry_turn], confirmed, w);
        t->expiry_turn = (t->expiry_turn + 1) % t->emit->nlogs;
    }
    return st;
}

static enum status take_answers(struct stream *t, uint64_t confirmed, struct why *w) {
    enum status st = marker_take(t->marker, w);
    if (st == ST_OK) st = watermark_take(&t->watermark, w);
    return st == ST_OK ? take_expiry(t, confirmed, w) : st;
}

/* The shared connection carries one question at a time. Markers go first, as events wait for them. */
static enum status ask(struct stream *t, struct why *w) {
    uint64_t confirmed = t->emit->producer.acks.confirmed;
    bool wanted = waits_for_standby(t) || (t->leaving && t->marker->came <= t->last_mark) ||
                  watermark_stuck(&t->watermark);
    enum status st = take_answers(t, confirmed, w);
    if (st != ST_OK || t->watermark.asked || expiry_asked(t)) return st;
    st = marker_ask(t->marker, wanted, w);
    if (st != ST_OK || t->marker->asked || t->leaving) return st;
    st = watermark_ask(&t->watermark, w);
    return st == ST_OK && !t->watermark.asked ? ask_expiry(t, confirmed, w) : st;
}

/* ST_STOPPED: all that was committed is published, or the time is over. */
static enum status check_stop(struct stream *t, struct why *w) {
    if (!publisher_state_stopping(t->state)) return ST_OK;
    if (!t->leaving) t->last_mark = t->marker->sent;
    t->leaving = true;
    /* A marker flushes the log up to itself, so the stream is sure to get past it. */
    bool done = t->marker->came > t->last_mark && t->emit->producer.acks.confirmed >= t->marker->lsn;
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
    if (st == ST_OK) st = producer_poll(&t->emit->producer, w);
    if (st == ST_OK && watermark_reached(&t->watermark, t->emit->producer.acks.confirmed))
        emit_watermark(t->emit, t->watermark.told_us);
    if (st == ST_OK && clock_mono_us() >= confirmation_due_us(t)) st = tell(t, w);
    if (st == ST_OK) st = check_stop(t, w);
    return st == ST_OK ? ask(t, w) : st;
}

static const char *time_column(const struct avro_type *type) {
    for (int i = 0; i < type->nfields; i++)
        if (strcmp(type->fields[i].name, "occurredAt") == 0) return type->fields[i].column;
    abort(); /* every schema of ours has it */
}

enum status publisher_stream_run(const struct publisher_state *state, struct marker *marker,
                                 struct hold *hold, struct emit *emit,
                                 const struct publisher_options *options, struct why *w) {
    struct stream t = {
        .state = state,
        .marker = marker,
        .hold = hold,
        .emit = emit,
        .fds = {[FD_STREAM] = {.fd = replication_socket(hold->replication)},
                [FD_PRODUCER] = {.fd = producer_fd(&emit->producer), .events = POLLIN},
                [FD_SQL] = {.fd = PQsocket(marker->conn), .events = POLLIN},
                [FD_STOP] = {.fd = state->stop_fd}},
    };
    watermark_init(&t.watermark, marker->conn, options->watermark_ms * 1000);
    producer_learn_ends(&emit->producer);
    for (int i = 0; i < emit->nlogs; i++)
        expiry_init(&t.expiry[i], marker->conn, emit->logs[i].table, time_column(emit->topics[i].topic->type),
                    options->retention_ms);
    enum status st = ST_OK;
    while (st == ST_OK)
        st = turn(&t, w);
    for (int i = 0; i < emit->nlogs; i++)
        expiry_free(&t.expiry[i]);
    return st;
}
