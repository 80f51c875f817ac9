/* group_priv: a group, as group.c (membership and records) and group_offsets.c (what Kafka knows of offsets)
 * have it. */
#pragma once

#ifndef KAFKA_PRIV
#error "private to common/kafka"
#endif

#include <stdatomic.h>

#include "group.h"

struct group {
    struct group_options options;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* what consumer_poll reads */
    int fd;                  /* readable: look at the queue, or at woken */
    atomic_bool woken;
    enum group_state state;
    struct group_partition *partitions;
    int count, last; /* last: where the previous record came from, as the next one mostly does */
    bool read;       /* something, since fetch_on looked */
    int64_t fetch_on_at_us;
    int64_t undecided_since_us; /* Kafka answers, but not what is committed; 0: it does, or is away */
    bool hangs;                 /* what is committed was learned despite an open transaction */
    struct why trouble;         /* Kafka's last error; empty once records have come again */
};

const char *group_topic_name(const struct group *g, const struct group_partition *p);
/* The partitions from `first` on, as librdkafka takes them. */
rd_kafka_topic_partition_list_t *group_list(const struct group *g, const struct group_partition *first,
                                            int count, int64_t offset);
