/* sales_priv: the state of the stream, for sales.c (the loop), sales_rebuild.c and sales_commit.c. Only the
 * stream's thread uses it. */
#pragma once

#ifndef SALES_PRIV
#error "private to streams/sales"
#endif

#include "buf.h"
#include "exact.h"
#include "output.h"
#include "partitions.h"

enum {
    COMMIT_MOST = 8000
}; /* changes in a transaction, which takes some 50 ms; in librdkafka's queue they take 7 MiB */

struct sales {
    struct exact exact;
    struct output output;
    struct wire_decoder *decoder, *promises; /* of orders and of watermarks */

    struct partitions partitions;
    uint32_t keep_minutes;

    struct buf scratch;
    int rows;     /* of the transaction that is written */
    int gathered; /* changes since the last commit, and when they came into Kafka */
    int64_t came_ms[COMMIT_MOST];
};

enum { TOPIC_ORDERS, TOPIC_WATERMARKS };
extern const char *const sales_topics[];

extern const struct exact_work sales_work;

/* As in exact_work. */
enum status sales_write(void *sales, rd_kafka_topic_partition_list_t *positions, struct why *w);
void sales_ended(void *sales, enum status st);
