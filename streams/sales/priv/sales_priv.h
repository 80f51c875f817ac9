/* sales_priv: the state of the stream, for sales.c (the loop), sales_rebuild.c and sales_commit.c. Only the
 * stream's thread uses it. */
#pragma once

#ifndef SALES_PRIV
#error "private to streams/sales"
#endif

#include "buf.h"
#include "output.h"
#include "partitions.h"
#include "replay.h"
#include "topic_thread.h"

enum {
    COMMIT_MOST = 8000
}; /* changes in a transaction, which takes some 50 ms; in librdkafka's queue they take 7 MiB */

struct sales {
    struct topic_thread thread;
    const char *brokers;
    struct output output;
    struct wire_decoder *decoder, *promises; /* of orders and of watermarks */

    struct partitions partitions;
    uint32_t keep_minutes;
    struct replay *changelog; /* while it is being read */
    rd_kafka_consumer_group_metadata_t *member;
    bool rebuilding; /* not yet where orders ended when its partitions became ours */
    int64_t placed_at_us;

    struct buf scratch;
    int read;     /* records since the last commit */
    int gathered; /* of these, changes, and when they came into Kafka */
    int64_t came_ms[COMMIT_MOST];
    int64_t due_at_us; /* to commit at the latest; INT64_MAX: nothing */
};

enum { TOPIC_ORDERS, TOPIC_WATERMARKS };
extern const char *const sales_topics[];

/* Commits what is gathered, in one transaction. Not ST_OK: it is void, and what is in memory is worth
 * nothing. */
enum status sales_commit(struct sales *x, struct why *w);

/* To be called until it fetches, while the partitions are ours and nothing is known of them; goes on where it
 * was. Not ST_OK: what is in memory is to be forgotten, then it begins again. */
enum status sales_rebuild(struct sales *x, struct why *w);
void sales_look_at_rebuilding(struct sales *x); /* says how far it is, and when all is counted */
