/* published_tail: what of an epoch is on its topic already: the position of the last event in each partition.
 * One owner thread; reading it blocks.
 *
 * Read once by each new owner of the slot: Postgres shows again what the last owner had not confirmed, and of
 * that, what is on the topic is skipped. Within an epoch a partition has the first part of what the slot
 * gives for it, without a gap, because one idempotent producer at a time writes it in that order. So one
 * position for each partition is enough.
 *
 * What is guaranteed. An owner that died (kill -9, a crash) leaves produce requests, at most a handful, in
 * its connections. The broker still takes in those that had arrived, usually within milliseconds, but perhaps
 * after we have looked. So we look until nothing of this epoch has come for PUBLISHED_TAIL_QUIET_MS, and
 * longer where the broker is slow to answer us. After that one can only turn up if it lay at the broker for
 * longer than that, while our own requests there were answered. An owner that was paused and wakes up when
 * the slot is another's notices by the time that has passed, before it publishes anything more
 * (hold.h). But what it had handed to librdkafka before the pause and what was not sent yet, may
 * be sent before its thread gets to drop it. Kafka can't refuse that: fencing belongs to transactions, which
 * would cost every event several times the delay it has now. In these two cases events are on the topic
 * twice, the late ones behind newer ones. None is lost. Consumers skip by `version` what they have seen.
 */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include "avro.h"
#include "log_position.h"
#include "status.h"

enum { PUBLISHED_TAIL_QUIET_MS = 200 };

/* Whether the topic is there with the partitions that the schema says. ST_OK, ST_LOST (no answer within
 * timeout_ms), ST_NOT_FOUND, ST_FAILED, ST_INVALID (Kafka's properties). Asking does not create it.
 * *copies: how many copies of a record Kafka has at least when it acknowledges it; 0: it does not say. */
enum status published_tail_check_topic(const char *brokers, const struct topic *topic, int timeout_ms,
                                       int *copies, struct why *w);

struct published_tail_options {
    const char *brokers;
    const struct topic *topic;
    int64_t epoch;
    int64_t since_ms; /* the epoch began after this moment: what is older need not be looked at */
    /* Called at least every second while Kafka is waited for. Anything but ST_OK ends the reading with that.
     */
    enum status (*tick)(void *arg, struct why *w);
    void *arg;
};

struct published_tail;
enum status published_tail_read(struct published_tail **out, const struct published_tail_options *options,
                                struct why *w);
void published_tail_free(struct published_tail *t); /* NULL is fine */

/* Is the event there already? */
bool published_tail_have(const struct published_tail *t, int partition, struct log_position position);
bool published_tail_empty(const struct published_tail *t); /* nothing of the epoch is there */
/* The largest LSN: events of later ones are not there. */
uint64_t published_tail_end(const struct published_tail *t);
