/* producer: sends events to Kafka, each to its topic, and counts what is acknowledged. One owner thread.
 *
 * The producer is idempotent and tries for ever: while a broker is away events wait, none is lost. It exists
 * only while this process owns the slot. When librdkafka gives it up the owner opens another one. A record
 * that Kafka refuses for good ends the process with exit 70, because without it an event would be lost, or
 * come after later ones. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include "avro.h"
#include "log_position.h"
#include "priv/acks.h"
#include "priv/row_map.h"
#include "publisher.h"

struct producer_options {
    const char *brokers;
    const struct topic *topics[PUBLISHER_MAX_TOPICS + 1]; /* ends with NULL */
    const int32_t *schema_ids;                            /* one a topic */
    int64_t epoch;
    bool cloudevents;
    const struct topic *watermarks; /* NULL: none are told */
    int32_t watermarks_schema_id;
};

struct producer {
    struct acks acks;
    /* the rest is producer.c's */
    struct producer_kafka *kafka;
};

/* Whether the Kafka properties in the environment are valid. */
enum status producer_check(const char *brokers, struct why *w);

/* p must stay where it is until producer_close, which drops what is not acknowledged. */
enum status producer_open(struct producer *p, const struct producer_options *options, struct why *w);
void producer_close(struct producer *p);

/* The partition of an event, by its key. number: its topic's, as everywhere here. */
int producer_partition(const struct producer *p, int number, const void *event);

/* Sends an event, or for a tombstone a record with its key and no value, between acks_begin and acks_commit;
 * it is copied. ST_OK; ST_FULL: it waits here (the queue is full, or it has to wait for its partition's first
 * event), and nothing else may be sent until producer_push returns ST_OK. */
enum status producer_send(struct producer *p, int number, const void *event, struct log_position position,
                          const struct row_beside *beside);
enum status producer_push(struct producer *p);

/* Asks Kafka where partitions end that this producer is not sure of; waits for a moment at most. */
void producer_learn_ends(struct producer *p);
/* Tells of each partition of a topic that it has all events that occurred before this time (unix
 * microseconds), when they are acknowledged. Nothing is told of one whose end is not known, nor while Kafka
 * takes no watermarks. Not waited for: what is lost of it is told again. */
void producer_tell_watermark(struct producer *p, int number, int64_t time_us);

int producer_fd(const struct producer *p); /* readable when producer_poll has something to do */
/* Takes acknowledgements in. ST_LOST: the producer can send no more, and has to be opened anew. */
enum status producer_poll(struct producer *p, struct why *w);
