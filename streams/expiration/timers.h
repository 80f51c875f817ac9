/* timers: the pending orders of each partition of the topic orders, and how far each partition was read.
 *
 * What is known of a partition follows from its records up to a position. So it stays true when another
 * instance gets the partition and we get it back: reading goes on where it ended. Timers fire only while the
 * partition is ours, and after it was read to where it ended when we got it. One owner thread. */
#pragma once

#include "events.h"
#include "log_mark.h"
#include "wheel.h"

struct timers_partition {
    struct wheel *wheel;    /* NULL: nothing is known */
    int64_t position;       /* behind the last record that is in the wheel */
    int64_t end;            /* of the partition, when it came to us */
    struct log_mark newest; /* of what was read */
    int64_t newest_at;      /* where that is */
    bool firing;
    bool old; /* what came behind the newest had been told before */
};

struct timers {
    struct timers_partition *all; /* by number */
    int count;
    int turn; /* who fires first the next time */
    /* what was read and waits to be put into a wheel, together */
    struct timers_change {
        struct uuid order, ticket;
        int32_t partition;
        bool live;
        int64_t offset, due_ms;
    } changes[WHEEL_PREFETCH];
    int nchanges;
};

void timers_free(struct timers *t);

/* What is known of a partition; valid until another is asked for. */
struct timers_partition *timers_of(struct timers *t, int32_t partition);
void timers_begin(struct timers_partition *p, int64_t position); /* forgets what is known */
/* Forgets the partitions of which keep(arg, partition) is false. */
void timers_keep(struct timers *t, bool (*keep)(void *arg, int32_t partition), void *arg);
void timers_hold(struct timers *t); /* nothing fires until timers_release */
/* Each partition that was read to its end may fire from now on. Returns how many records the others have
 * left. */
int64_t timers_release(struct timers *t);

/* A record, and what it says of an order: at most WHEEL_PREFETCH are kept until timers_apply. */
void timers_order(struct timers *t, int32_t partition, int64_t offset, const struct order_event *order);
void timers_passed(struct timers *t, int32_t partition, int64_t offset); /* a record that says nothing */
/* Whether a record's event was told before: it would set the timer of an order that is over since, for ever.
 * If so, it is passed. */
bool timers_told(struct timers *t, int32_t partition, int64_t offset, const struct log_mark *mark);
/* A record that was not, and was taken. */
void timers_newest(struct timers *t, int32_t partition, int64_t offset, const struct log_mark *mark);
void timers_apply(struct timers *t);

/* The offset from which on a restart has to read to find all that is pending. */
int64_t timers_safe(const struct timers_partition *p);
/* Fires at most `most` of what is due. */
void timers_fire(struct timers *t, int64_t now_ms, int most,
                 int64_t (*fire)(void *ctx, const struct wheel_timer *timer), void *ctx);
int64_t timers_next_ms(const struct timers *t); /* INT64_MAX: nothing will be due */
void timers_measure(const struct timers *t);    /* into the gauges */
