/* exact: the loop of a stream that reads topics and writes others, so that each record counts once, whatever
 * happens to the process.
 *
 * What follows from the records, and how far they are read, is committed in one transaction (transactions.h).
 * When partitions come, the group's positions are asked for first: Kafka does not answer while a transaction
 * may still change them. Then the stream reads back what was written of these partitions (replay.h) until
 * all of it is there, and reads its topics from the positions on. After whatever failed, what is in memory is
 * worth nothing: it is forgotten, and read back.
 *
 * A struct exact is the beginning of its owner's memory, and begins with its thread. It owns the producer,
 * the place in the group and the replay; what was read back and what is gathered are the owner's. The owner
 * reads records in its `step`, says when what they change is to be committed, then calls exact_turn. All but
 * exact_open and exact_close is for the thread alone. */
#pragma once

#include "replay.h"
#include "topic_thread.h"
#include "transactions.h"

/* What the owner does; each function gets the owner. */
struct exact_work {
    const char *written, *topics; /* what is read back, and what then, for /readyz */
    /* What is in memory is worth nothing any more. */
    void (*forget)(void *owner);
    /* The partitions are ours; their `next` is the group's position, or -1. Fills in what is to be read back,
     * at most one part for each, and returns how many. */
    int (*list)(void *owner, const int64_t *ends, struct replay_part *parts);
    enum status (*restore)(void *owner, const rd_kafka_message_t *m, struct why *w); /* as replay_next */
    bool (*whole)(const void *owner);                                                /* all is read back */
    /* Sets `next` of each partition, from where it is read. */
    enum status (*place)(void *owner, struct why *w);
    int64_t (*left)(const void *owner); /* records to read until it is as far as when they became ours */
    /* Writes what follows from what is gathered, and adds the positions that go with it. */
    enum status (*write)(void *owner, rd_kafka_topic_partition_list_t *positions, struct why *w);
    void (*ended)(void *owner, enum status st); /* ST_OK: it is committed; else it is void */
};

struct exact {
    struct topic_thread thread;
    const struct exact_work *work;
    struct transactions *output;
    struct replay *replay;                      /* while it is read back */
    rd_kafka_consumer_group_metadata_t *member; /* NULL: the topics are not read */
    bool settle;                                /* the next commit is to hold all positions (group_hangs) */
    bool rebuilding;                            /* not yet as far as when the partitions became ours */
    int64_t placed_at_us;
    int read;          /* records since the last commit; the owner counts */
    int64_t due_at_us; /* to commit at the latest; INT64_MAX: nothing */
};

/* ST_INVALID: a Kafka property is wrong; there is nothing to close then. */
enum status exact_open(struct exact *x, const struct exact_work *work, struct why *w);
void exact_close(struct exact *x);

int exact_wait_ms(const struct exact *x); /* how long to wait for records */
void exact_due_within(struct exact *x, int64_t ms);
void exact_turn(struct exact *x);
void exact_on_revoke(void *owner); /* commits: it is the last moment for that */
