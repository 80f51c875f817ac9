/* partitions: what is known of each of our partitions of orders: its windows, how far it is counted, and,
 * while these are rebuilt from the changelog, whether they are complete. No I/O; one owner thread. */
#pragma once

#include "areas.h"
#include "buf.h"
#include "events.h"
#include "kafka.h"
#include "state.h"
#include "windows.h"

struct partition {
    int32_t number;
    struct windows *windows;
    struct areas *areas; /* what windows come to; made when they are whole */
    int64_t position;    /* all of orders before it is counted */
    int64_t published;   /* where position was when it was committed last */
    int64_t kept;        /* the changelog's position, -1: none */
    uint64_t nkept;      /* and its number of windows */
    int64_t committed;   /* the consumer group's, -1: none */
    int64_t end;         /* of orders, when the partition became ours */
    int64_t next;        /* of the changelog */
    /* The promise that counts, or waits until position has come to its offset. */
    int64_t promised_ms, promised_offset, promised_epoch;
    uint32_t final;    /* the rows of all minutes before it were published as final */
    uint32_t closing;  /* and of those before this one they are now; 0: of no others */
    int64_t at_end_us; /* since when the changelog has no more, 0: it has */
};

struct partitions {
    struct partition *all;
    int count;
    struct buf scratch;
};

void partitions_begin(struct partitions *ps, int count, uint32_t keep); /* forgets what was there */
void partitions_free(struct partitions *ps);
struct partition *partition_of(struct partitions *ps, int32_t number);

/* A record of the changelog, or its end. ST_OK or ST_INVALID. */
enum status partitions_restore(struct partitions *ps, const rd_kafka_message_t *m, struct why *w);
/* All that was committed has been read. A transaction's positions may be seen before its records are, so the
 * end alone does not say it, but the changelog's own position does. Nor does that, if records before it are
 * lost, but their number does. */
bool partition_is_whole(const struct partition *p);
/* The changelog has no more, and for longer than any transaction lasts: it was deleted, or cut. */
bool partition_is_lost(const struct partition *p);

/* The windows are whole: what they come to of each area. */
void partition_add_up(struct partition *p);

/* The next event, told at that time. Not a change that counts: COUNT_KNOWN. */
enum count_result partition_count(struct partition *p, const struct order_event *order, int64_t offset,
                                  int64_t told_ms);

void partition_promise(struct partition *p, const struct watermark_event *promise);
/* Rows that become final by the promise that counts: whether there may be any, and, if so, closes the windows
 * of the oldest. Of all at once there may be too many for one transaction: what was counted for weeks, after
 * the place in orders was lost. */
bool partition_has_final(const struct partition *p);
void partition_close(struct partition *p);

/* The rows of a ticket that a change leaves different (of the minute of the first and all later ones), and
 * those of windows that close; oldest first. Of minutes before `final` they are final. */
void partition_ticket_rows(const struct ticket *t, uint32_t final,
                           void (*row)(void *arg, const struct sales_event *row), void *arg);

/* The row of an area's minute. */
struct show_sales_event partition_area_row(const struct partition *p, const struct area *area,
                                           const struct area_minute *m);

/* Minutes of areas of which nothing is counted any more. */
void partition_forget(struct partition *p, uint32_t keep);

void partitions_measure(const struct partitions *ps);
