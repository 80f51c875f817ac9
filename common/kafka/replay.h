/* replay: reads partitions of topics from their beginning, or from a time, to their end, and what is written
 * meanwhile: how a stream reads what it wrote, when it starts. Of transactions those that were committed
 * alone. It has a Kafka client of its own, whose memory is given back when it is closed. One owner thread. */
#pragma once

#include "kafka.h"

struct replay;

struct replay_part {
    const char *topic; /* the text outlives the replay */
    int partitions;    /* that the topic must have */
    int32_t partition;
    int64_t since_ms; /* the first record of that time or later; 0: the first that there is */
};

/* NULL: Kafka is away, a topic is not as it must be, or a Kafka property is wrong. */
struct replay *replay_open(const char *brokers, const struct replay_part *parts, int count, struct why *w);
void replay_close(struct replay *r); /* NULL is fine */

/* The next record, or with err RD_KAFKA_RESP_ERR__PARTITION_EOF that there is none (now) from its offset on,
 * or with another err what is wrong; NULL: nothing came in time. The caller destroys it. */
rd_kafka_message_t *replay_next(struct replay *r, int timeout_ms);

/* How many records are still to be read from `next` on, those of open transactions, too, as far as Kafka's
 * last answer tells. */
int64_t replay_left(const struct replay *r, const char *topic, int32_t partition, int64_t next);
