/* watermark: a time before which nothing will be committed any more that is not committed by now. On a
 * connection that it shares; it never blocks. One owner thread.
 *
 * An event's time is its transaction's beginning, or later, and events come in the order of commits. So once
 * in an interval, a second at least, it looks which transactions of this role are open, and then where the
 * log ends. Whatever commits behind that end was open at the look, or began after it. The time is that of the
 * oldest one that was open; with none, that of the look *before*: a transaction takes its time a moment
 * before it can be seen, and has the interval for that. When all up to the log's end is acknowledged by
 * Kafka, the time can be told.
 *
 * What it takes on trust: whoever writes events does it as this role, a session of Postgres does not stand
 * still for a second between taking a transaction's time and showing it, and the server's clock is not set
 * back. An event that comes late all the same is counted (emit.c), as long as the same process publishes. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "status.h"

struct watermark {
    PGconn *conn;
    int64_t interval_us;    /* between two looks */
    bool asked;             /* an answer is on its way */
    int64_t due_us;         /* to look again, by the monotonic clock */
    int64_t since_us;       /* the server's clock at the first look */
    int64_t looked_us;      /* and at the last one; 0: there was none */
    int64_t looked_mono_us; /* that one by the monotonic clock */
    int64_t next_us;        /* what can be told once lsn is acknowledged; 0: nothing */
    uint64_t lsn;
    int64_t told_us; /* the last that was told; 0: none */
};

void watermark_init(struct watermark *m, PGconn *conn, int64_t interval_us);

/* Takes in the answer that has come (after PQconsumeInput). ST_OK, ST_LOST, ST_FAILED. */
enum status watermark_take(struct watermark *m, struct why *w);
/* Looks, if it is due. The connection must be free. ST_OK, ST_LOST. */
enum status watermark_ask(struct watermark *m, struct why *w);

/* Whether there is a time to be told now, later than the last one: then it is in told_us. */
bool watermark_reached(struct watermark *m, uint64_t confirmed_lsn);
/* True once in an interval while a time waits for longer than that: on a server where nothing happens, the
 * end of the log may not have been sent. A marker moves it (marker.h). */
bool watermark_stuck(struct watermark *m);
