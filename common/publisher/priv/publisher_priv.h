/* publisher_internal: what the files of the publisher's thread share.
 *
 *   publisher.c            the thread, its state as others see it, trying again
 *   publisher_session.c    from logging in to owning the slot, or standing by
 *   publisher_republish.c  a new epoch: the whole log again
 *   publisher_stream.c     the steady state: one poll loop
 * Under these, each with a header of its own: replication, pgoutput, publisher_slot, _row, _producer, _acks,
 * published_tail, _expiry. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include <pthread.h>
#include <stdatomic.h>

#include "priv/published_tail.h"
#include "priv/publisher_expiry.h"
#include "priv/publisher_producer.h"
#include "priv/publisher_row.h"
#include "priv/publisher_slot.h"
#include "publisher.h"
#include "replication.h"

struct publisher {
    struct publisher_options options;
    pthread_t thread;
    int stop_fd;                /* readable once publisher_stop was called */
    _Atomic int64_t stop_by_us; /* monotonic; 0: not stopping */
    bool registered, settled;   /* the thread's own: have a schema id; was ready */
    int64_t given_up;           /* an epoch that cannot go on, although its slot may be there; -1: none */
    int32_t schema_id;
    pthread_mutex_t lock; /* of what follows */
    bool ready;
    struct why state;
};

/* Says how things are: to publisher_ready, and to the log when it is news. */
void publisher_say(struct publisher *p, bool ready, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool publisher_stopping(const struct publisher *p);
bool publisher_out_of_time(const struct publisher *p);
/* Waits, or less when it is to stop. */
void publisher_wait(const struct publisher *p, int ms);

/* One connection's life, all of it the thread's own. */
struct session {
    struct publisher *p;
    PGconn *sql; /* for all but the stream */
    struct replication *replication;
    struct slot_state slot;
    struct producer producer;
    struct published_tail *tail; /* NULL: all that comes is new to the topic */
    struct row_map row_map;
    uint32_t relation; /* its id in the stream; 0: not seen yet */
    void *event;
    struct log_position position; /* of the last event */
    int64_t told_us;              /* when Postgres last heard of us on the stream, by the monotonic clock */
};

/* Logs in, stands by until the slot is free, owns it, and streams, until something breaks or ST_STOPPED. */
enum status session_run(struct publisher *p, struct why *w);
/* Lets Postgres know that we are there, and up to where it may forget. ST_LOST also when we were away for too
 * long. */
enum status session_hold_slot(struct session *s, uint64_t confirmed, struct why *w);
enum status session_check_awake(const struct session *s, struct why *w);
/* Publishes a row, or skips it when the topic has it. ST_OK, ST_FULL as producer_send. A row that can't be
 * published ends the process with exit 70. */
enum status session_publish(struct session *s, const struct pgoutput_value *values, int n);

/* With the lock held and the new slot made: publishes what its snapshot shows of the log, and waits until
 * Kafka has it all. */
enum status session_republish(struct session *s, const char *snapshot, int64_t *count, struct why *w);

/* Owning the slot: streams until something breaks, or until all that was committed when it was told to stop
 * is out. */
enum status session_stream(struct session *s, struct why *w);
