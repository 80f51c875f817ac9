/* publisher_sink: events into Kafka, and the count of what is acknowledged. One owner thread.
 *
 * The producer is idempotent and never gives up: a broker that is away delays events, it does not lose them.
 * It lives as long as we own the slot, no longer. A record that Kafka refuses for good ends the process with
 * exit 70: passing it over would lose an event, and what follows it must not overtake it. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include "avro.h"
#include "priv/publisher_acks.h"
#include "priv/publisher_position.h"

struct sink_options {
    const char *brokers;
    const struct topic *topic;
    int32_t schema_id;
    int64_t epoch;
};

struct sink {
    struct acks acks;
    /* the rest is publisher_sink.c's */
    struct sink_producer *producer;
};

/* Whether the Kafka properties that the environment gives can be had. */
enum status sink_check(const char *brokers, struct why *w);

/* s must stay where it is until sink_close, which drops what is not acknowledged. */
enum status sink_open(struct sink *s, const struct sink_options *options, struct why *w);
void sink_close(struct sink *s);

/* The partition of an event, by its key. */
int sink_partition(const struct sink *s, const void *event);

/* Hands an event over, between acks_begin and acks_commit; it is copied. ST_OK; ST_FULL: it is kept back, and
 * nothing else may be sent, until sink_push says ST_OK. */
enum status sink_send(struct sink *s, const void *event, struct position position, struct str traceparent);
enum status sink_push(struct sink *s);

int sink_fd(const struct sink *s); /* readable when sink_poll has something to do */
void sink_poll(struct sink *s);    /* takes acknowledgements in */
