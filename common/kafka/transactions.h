/* transactions: a producer whose records take effect together with how far a consumer group has read: all of
 * a transaction or nothing. One owner thread; calls block.
 *
 * A transaction is open only while it is written. A process that was paused cannot add to what its successor
 * wrote, because Kafka refuses a commit of one that is no longer a member (group_membership). A call that
 * fails for a reason that may pass is repeated for a minute (librdkafka itself waits for the group's
 * coordinator as long as it takes). After that, or when the producer is fenced, the process ends, and what
 * was not committed is void. */
#pragma once

#include "kafka.h"
#include "str.h"
#include "topic_thread.h"

struct transactions;

/* Transactions are of an instance that comes back by its name, or of a stranger (instance NULL or "").
 * Another process that opens them by the same name ends ours. NULL: a Kafka property is wrong. */
struct transactions *transactions_open(const char *brokers, const char *name, const char *instance,
                                       struct why *w);
void transactions_free(struct transactions *t);

/* Before anything else: voids what an earlier process of this name has left open, trying until it is done.
 * False: the end came first. */
bool transactions_prepare(struct transactions *t, struct topic_thread *thread);
void transactions_poll(struct transactions *t); /* ends the process on an error that does not pass */

struct transactions_record {
    const char *topic;
    int32_t partition;
    struct str key, value; /* value with p NULL: a record without one */
    const char *type;      /* the header of that name; NULL: none */
};

/* Begin, any number of records, commit. ST_FAILED of any: it is void. */
enum status transactions_begin(struct transactions *t, struct why *w);
enum status transactions_write(struct transactions *t, const struct transactions_record *record,
                               struct why *w);
enum status transactions_commit(struct transactions *t, const rd_kafka_topic_partition_list_t *offsets,
                                const rd_kafka_consumer_group_metadata_t *member, struct why *w);
void transactions_abort(struct transactions *t); /* after ST_FAILED of any but commit, which has done it */
