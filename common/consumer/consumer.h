/* consumer: carries out a service's reactions to events, on a thread of its own.
 *
 * A batch of records becomes one transaction, sent in one round trip: the positions (they are moved only if
 * they are where this consumer left them, so a paused former owner cannot write), the effects as set
 * statements, and records that cannot be decoded into dead_letters. The batch is cut into runs in which no
 * key comes twice, so the records of a key take effect in their order (batch.h); a statement to which the
 * order is the same (any_order, sql.h) gets all at once. Positions are kept in Postgres.
 *
 * After an error of the database the same records are tried again, with longer and longer pauses; none is
 * skipped. A record that a statement refuses, or that cannot be decoded now but may be later, holds up its
 * own partition alone; the log names it. */
#pragma once

#include "avro.h"
#include "migrate.h"
#include "sql.h"

/* Its tables: positions, dead letters. */
extern const struct migrate_set consumer_schema;

/* What a service does about one type of event: the statement, and how an event becomes an item of it. */
struct reaction {
    const struct topic *topic;
    int type; /* symbol of the event's `type` enum */
    const struct sql *sql;
    /* traceparent: of the record's header, empty without one; goes into the events that the effect makes. */
    void (*bind)(struct sql_params *item, const void *event, struct str traceparent);
};

struct consumer_options {
    const char *service; /* the group is onsale-SERVICE */
    const char *database_url;
    const char *brokers, *registry_url;
    const char *instance;             /* as in group_options */
    int gather_ms;                    /* likewise */
    const struct reaction *reactions; /* ends with a NULL topic */
    int batch_records;                /* most records of a transaction */
    int64_t unreadable_wait_ms;       /* the patience of wire.h */
};

struct consumer;
/* The texts and the reactions stay the caller's, and outlive the consumer. NULL: a Kafka property is wrong.
 */
struct consumer *consumer_start(const struct consumer_options *options, struct why *w);
/* Ready: Kafka has answered, and the database has what is needed. Partitions are not waited for: after a
 * crash they come only when the session of the process that crashed has ended. Once ready it stays so:
 * requests are answered during a rebalance or trouble with Kafka, which metrics show. */
bool consumer_ready(struct consumer *c, struct why *w);
/* Finishes the batch at hand, leaves the group, and frees. If that takes longer, the thread is left behind:
 * the process is to end. */
void consumer_stop(struct consumer *c, int timeout_ms);
