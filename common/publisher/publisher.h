/* publisher: a service's event log, read by logical replication, onto its Kafka topic. A thread of its own.
 *
 * The statement that changes state inserts into TABLE (see ARCHITECTURE.md); Postgres is all that is between
 * the request threads and this one. Order: commit order. Every event is produced, keyed by its ticket (user)
 * id; the replication position is confirmed only up to where everything is acknowledged by Kafka. Every
 * record carries the headers `epoch`, `position` (COMMIT-LSN/ORDINAL, hex), `type`, and `traceparent` when
 * the row has one. On taking over, the tail of each partition says what is there already. The slot is named
 * onsale_SERVICE_EPOCH: the slot is the epoch. One reader a slot: a second replica stands by. A slot that is
 * gone or lost starts a new epoch: the whole retained log is published again from the snapshot that made the
 * slot. */
#pragma once

#include "avro.h"
#include "migrate.h"
#include "status.h"

/* Its table: the epoch. */
extern const struct migrate_set publisher_schema;

struct publisher_options {
    const char *service;
    const char *database_url; /* a role with REPLICATION */
    const char *brokers, *registry_url;
    const struct topic *topic;
    const char *table; /* "ticket_events" */
    int64_t retention_ms;
};

struct publisher;
/* NULL: a Kafka property in the environment cannot be had; w says which. */
struct publisher *publisher_start(const struct publisher_options *options, struct why *w);
/* Ready: publishing, or standing by for another replica that does. Not before Kafka and the registry have
 * answered once; that Kafka goes away later does not count: the events are safe in the log, and the service
 * can do its work. */
bool publisher_ready(struct publisher *p, struct why *w);
/* Publishes what is committed when it is called, within the time, then ends the thread. */
void publisher_stop(struct publisher *p, int timeout_ms);
