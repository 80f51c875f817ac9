/* changelog: reads partitions of the topic sales-changelog from their beginning to their end, and what is
 * written meanwhile. It has a Kafka client of its own, whose memory is given back when it is closed. One
 * owner thread. */
#pragma once

#include "kafka.h"

struct changelog;

/* NULL: a Kafka property is wrong. */
struct changelog *changelog_open(const char *brokers, const int32_t *partitions, int count, struct why *w);
void changelog_close(struct changelog *c); /* NULL is fine */

/* The next record, or with err RD_KAFKA_RESP_ERR__PARTITION_EOF that there is none (now) from its offset on,
 * or with another err what is wrong; NULL: nothing came in time. The caller destroys it. Of transactions
 * those that were committed alone. */
rd_kafka_message_t *changelog_next(struct changelog *c, int timeout_ms);

/* How many records are still to be read from `next` on, as far as Kafka's last answer tells. */
int64_t changelog_left(const struct changelog *c, int32_t partition, int64_t next);

extern const char changelog_topic[];
