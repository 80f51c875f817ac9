/* state_priv: the state of the stream, for state.c (the loop), state_rebuild.c and state_commit.c. Only the
 * stream's thread uses it. */
#pragma once

#ifndef STATE_PRIV
#error "private to streams/state"
#endif

#include "buf.h"
#include "exact.h"
#include "tables.h"

enum {
    COMMIT_MOST = 8000,            /* copies in a transaction, which takes some 50 ms */
    VALUES_MOST = 4 * 1024 * 1024, /* or bytes of them: a show may have 16 KiB */
};

struct part { /* a partition of ours, in the order of group_partitions */
    struct table *table;
    int32_t number;
    int64_t position;  /* all before it is copied */
    int64_t published; /* where position was when it was committed last */
    int64_t end;       /* of the topic, when the partition became ours */
    int64_t next;      /* of the state, while that is read */
    bool whole;        /* it is read */
};

struct copy {
    const struct topic *to;
    const char *type;
    int32_t partition;
    struct uuid id;
    size_t at, size; /* in values */
    int64_t came_ms; /* the record, into Kafka */
};

struct state {
    struct exact exact;
    struct tables tables;

    struct part *parts;
    int nparts;

    struct copy copies[COMMIT_MOST]; /* gathered for the next transaction */
    int ncopies;
    struct buf values;
};

extern const struct exact_work state_work;

/* As in exact_work. */
enum status state_write(void *state, rd_kafka_topic_partition_list_t *positions, struct why *w);
void state_ended(void *state, enum status st);
