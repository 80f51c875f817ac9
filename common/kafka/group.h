/* group: membership of a Kafka consumer group. One thread owns a group and polls it; group_wake alone may be
 * called by any thread.
 *
 * Kafka says which partitions are ours, and the owner says where to read them from: the consumer knows it
 * from Postgres, a stream from what it committed to Kafka. So a partition is first *held*: the owner sets
 * `next` of each and calls group_fetch. group_hold goes back to that state without leaving the group, and
 * drops what was fetched and not used. An owner that cannot go on, as when its database is away, holds the
 * group and still polls it, so that it stays a member; later it sets `next` and fetches again.
 *
 * Records come one by one: librdkafka before 2.1 loses some when batches, pausing and resuming come together.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backoff.h"
#include "kafka.h"

struct group_options {
    const char *id; /* the group's name */
    /* A name that no other instance has, and that this one has again after a crash: then Kafka gives it its
     * partitions back at once. Without one (NULL or "") they are given away when the session of the process
     * that crashed has ended. If two have the same name, the process of the older one ends. */
    const char *instance;
    const char *brokers;
    const char *const *topics; /* end with NULL; the texts outlive the group */
    /* How long a record may wait at the broker for others: a small answer costs the broker and us as much as
     * a hundred records do. 0: none waits. */
    int gather_ms;
    /* Partitions are about to go: the last moment to look at them and to group_commit. Called from within
     * group_poll and group_leave. May be NULL. */
    void (*on_revoke)(void *arg);
    void *arg;
};

struct group_partition {
    int topic; /* place in options.topics */
    int32_t partition;
    int64_t next;          /* the owner's position: group_fetch begins with it, group_commit commits it */
    int64_t reached;       /* behind the last record taken, by the owner; group_fetch sets it to next */
    int64_t committed;     /* the position that was committed last */
    int64_t note;          /* a number that was committed with it, as its metadata; 0: none */
    struct backoff alone;  /* failures > 0: its next record cannot be used now (group_hold_one) */
    struct why alone_said; /* about that, the last time; for the owner's log */
    bool left_out;         /* group_fetch did not fetch it */
    bool gone;             /* Kafka has no record `next`: set by group_poll, which holds the group then */
    int64_t gone_offset;   /* which one that was the last time; the group's own */
};

enum group_state {
    GROUP_OUT,  /* nothing assigned: not joined yet, or being rebalanced */
    GROUP_HELD, /* partitions (perhaps none) are ours, nothing is fetched */
    GROUP_FETCHING,
};

struct group;

/* ST_INVALID: a Kafka property that the environment sets is wrong. */
enum status group_check(const struct group_options *options, struct why *w);
/* Joins in the background. NULL: why. */
struct group *group_join(const struct group_options *options, struct why *w);

/* The next record and its partition, or NULL: nothing came within timeout_ms, group_wake was called, or the
 * state changed (look at group_state: partitions got before are no longer valid then). The caller destroys
 * it. To be called at least every few minutes (max.poll.interval.ms), whatever the state. */
rd_kafka_message_t *group_poll(struct group *g, int timeout_ms, struct group_partition **from);
/* Calls `each` for the records that are there, at most so many, until one cannot be taken now. Waits only for
 * the first. *at: whose record could not be taken. */
typedef enum status group_take(void *arg, struct group_partition *from, const rd_kafka_message_t *m,
                               struct why *w);
enum status group_read(struct group *g, int wait_ms, int most, group_take *each, void *arg, int *records,
                       struct group_partition **at, struct why *w);
void group_wake(
    struct group *g); /* from any thread: ends group_poll early; if none is running, the next one */

enum group_state group_state(const struct group *g);
bool group_connected(struct group *g);               /* whether Kafka has ever answered; does not wait */
const char *group_last_error(const struct group *g); /* Kafka's last one; "" once records have come again */
struct group_partition *group_partitions(struct group *g, int *count);
/* Our membership with what is assigned now, for transactions that commit offsets: Kafka refuses them once
 * the partitions are no longer ours. To be asked for while the group is held, kept with the assignment, and
 * destroyed by `on_revoke` (one asked for later could be of no member, which Kafka does not check). NULL: the
 * partitions are being lost. */
rd_kafka_consumer_group_metadata_t *group_membership(struct group *g);

void group_fetch(struct group *g); /* fetches each partition from `next` */
void group_hold(struct group *g);
/* Holds the group because of one partition, whose next record cannot be used now. group_fetch leaves it out
 * until a pause is over, which is longer after each failure. Returns the pause, in milliseconds. */
int group_hold_one(struct group *g, struct group_partition *p);
bool group_one_due(
    const struct group *g); /* the pause of one that is left out is over: hold and fetch again */
int group_waiting(const struct group *g); /* how many have a record that cannot be used now */

/* Sets each partition's `next` to what was committed last, or to -1, and its note. ST_OK, or ST_LOST: no
 * answer within a few seconds. */
enum status group_committed(struct group *g, struct why *w);
/* Whether that was learned although Kafka holds a transaction open that must have ended. What that has put
 * aside may still be committed, unless positions are committed after it: those of all partitions are to be.
 */
bool group_hangs(const struct group *g);
/* Adds the positions that were committed, of the partitions that the list does not have. */
void group_add_committed(const struct group *g, rd_kafka_topic_partition_list_t *positions);
/* Where each partition ends at the moment; ends has room for all. ST_OK or ST_LOST. */
enum status group_ends(struct group *g, int64_t *ends, struct why *w);
/* The first offset Kafka has of a partition. ST_OK, or ST_LOST: no answer within a few seconds. */
enum status group_earliest(struct group *g, const struct group_partition *p, int64_t *offset, struct why *w);

/* The first offset of each partition whose record is of that time or later, or its end. ST_OK or ST_LOST. */
enum status group_offsets_for_time(struct group *g, int64_t unix_ms, int64_t *offsets, struct why *w);

int64_t group_lag(struct group *g); /* records behind `reached`, by Kafka's last answers */
void group_commit(struct group *g); /* commits each partition's `next`; does not wait for the answer */
/* The same, and waits for it. ST_OK, or ST_LOST: it is not known whether it is committed. */
enum status group_commit_wait(struct group *g, int timeout_ms, struct why *w);

/* Leaves and frees. If there is no answer within timeout_ms, our partitions are given to others only when the
 * session ends. */
void group_leave(struct group *g, int timeout_ms);
