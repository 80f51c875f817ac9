/* state_priv: the state of the stream, for state.c (the loop), state_rebuild.c and state_commit.c. Only the
 * stream's thread uses it. */
#pragma once

#ifndef STATE_PRIV
#error "private to streams/state"
#endif

#include "buf.h"
#include "replay.h"
#include "tables.h"
#include "topic_thread.h"
#include "transactions.h"

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
    struct topic_thread thread;
    const char *brokers;
    struct transactions *output;
    struct tables tables;

    struct part *parts;
    int nparts;
    struct replay *replay; /* while the states are read */
    rd_kafka_consumer_group_metadata_t *member;
    bool rebuilding; /* not yet where the topics ended when their partitions became ours */
    int64_t placed_at_us;

    struct copy copies[COMMIT_MOST]; /* gathered for the next transaction */
    int ncopies;
    struct buf values;
    int read;          /* records since the last commit */
    int64_t due_at_us; /* to commit at the latest; INT64_MAX: nothing */
};

/* Commits what is gathered, in one transaction. Not ST_OK: it is void, and what is in memory is worth
 * nothing. */
enum status state_commit(struct state *x, struct why *w);

/* To be called until it fetches, while the partitions are ours and nothing is known of them; goes on where it
 * was. Not ST_OK: what is in memory is to be forgotten, then it begins again. */
enum status state_rebuild(struct state *x, struct why *w);
void state_look_at_rebuilding(struct state *x); /* says how far it is, and when all is copied */
