/* output: what sales writes, in transactions: rows to sales-by-minute, the state to sales-changelog, and to
 * the consumer group how far orders has been read. A transaction takes effect as a whole or not at all. One
 * owner thread; calls block.
 *
 * A transaction is open only while it is written. A process that was paused cannot overwrite what its
 * successor wrote, because Kafka refuses a commit of one that is no longer a member: see sales.h. A call that
 * fails for a reason that may pass is repeated for a minute (librdkafka itself waits for the group's
 * coordinator as long as it takes). After that, or when the producer is fenced, the process ends, and what
 * was not committed is void. */
#pragma once

#include "events.h"
#include "kafka.h"

struct output;

/* instance: the transactions' owner. Another process that opens one by the same name ends ours. NULL: a Kafka
 * property is wrong. */
struct output *output_open(const char *brokers, const char *instance, struct why *w);
void output_free(struct output *o);

/* Before anything else: voids what an earlier process of this name has left open. ST_OK, ST_AGAIN. */
enum status output_init(struct output *o, struct why *w);
void output_use_schema(struct output *o, int32_t schema_id);
void output_poll(struct output *o); /* ends the process on an error that does not pass */

/* A transaction: begin, any number of rows and states, commit. ST_FAILED of any: it is void. */
enum status output_begin(struct output *o, struct why *w);
enum status output_row(struct output *o, int32_t partition, const struct sales_event *row, struct why *w);
enum status output_state(struct output *o, int32_t partition, struct str key, struct str value,
                         struct why *w);
enum status output_commit(struct output *o, const rd_kafka_topic_partition_list_t *offsets,
                          const rd_kafka_consumer_group_metadata_t *member, struct why *w);
void output_abort(struct output *o); /* after ST_FAILED of any but commit, which has done it */
