/* consumer: a service's reactions to events. A thread of its own.
 *
 * A batch of records becomes one transaction, sent in one round trip: the positions (advance_offsets: fails
 * unless they are where we left them, so a paused former owner cannot write), the effects as set statements,
 * undecodable records into dead_letters. The batch is cut into runs in which no key comes twice, so order a
 * key holds (consumer_batch.h). Positions come from Postgres. An error of the database or the registry is
 * retried with back-off, never skipped: also a record whose data a statement refuses. The log names it, what
 * comes before it is done, what comes after it waits. */
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
    const char *instance;             /* as consumer_group.h says */
    int gather_ms;                    /* likewise */
    const struct reaction *reactions; /* ends with a NULL topic */
    int batch_records;                /* most records of a transaction */
};

struct consumer;
/* The texts and the reactions stay the caller's, and outlive the consumer. A Kafka property that cannot be
 * had ends the process. */
struct consumer *consumer_start(const struct consumer_options *options);
/* Ready: Kafka has answered, and the database has what is needed. A place in the group may take until a dead
 * instance's session ends. Once ready it stays so. Requests are answered while a rebalance, or trouble with
 * Kafka, goes on; metrics tell of these. */
bool consumer_ready(struct consumer *c, struct why *w);
/* Finishes the batch at hand and leaves the group. What has not ended by then is left behind: the process is
 * to end. */
void consumer_stop(struct consumer *c, int timeout_ms);
