/* publisher: reads a service's event logs by logical replication and writes each to its Kafka topic, on a
 * thread of its own.
 *
 * The statement that changes state also inserts the event into the log's table (ARCHITECTURE.md). The request
 * threads and this one share nothing but the database. Events of all logs are written in the order of
 * commits, with the topic's key. There is one slot for all, and one position: it is confirmed up to where
 * Kafka has acknowledged everything on all topics. Each record has the headers `epoch`, `position`
 * (COMMIT-LSN/ORDINAL, hex), `type`, and `traceparent` when the row has one.
 *
 * The slot is named onsale_SERVICE_EPOCH. It admits one reader; a second replica stands by, and when it takes
 * over it reads the end of each partition to see what is there already. When the slot is gone or lost, a new
 * epoch begins: all retained logs are published again, from the snapshot that made the new slot.
 *
 * A log that a newer version of the service adds joins the epoch that is there (slot.h). */
#pragma once

#include "avro.h"
#include "migrate.h"
#include "status.h"

/* Its table: the epoch. */
extern const struct migrate_set publisher_schema;

enum { PUBLISHER_MAX_LOGS = 8, PUBLISHER_MAX_TOPICS = PUBLISHER_MAX_LOGS + 1 };

/* A table of events, and the topic that they go to. */
struct publisher_log {
    const char *table;
    const struct topic *topic;
    int early_ms; /* most by which an event's time is before its transaction's beginning */
    /* May be NULL. Called on the publisher's thread with each event that is sent, but for those that a new
     * epoch sends again. */
    void (*sent)(const void *event);
};

struct publisher_options {
    const char *service;
    const char *database_url;    /* a role that reads and writes the logs */
    const char *replication_url; /* one with REPLICATION, which reads no table; NULL or empty: the same one */
    const char *brokers, *registry_url;
    const struct publisher_log *logs; /* ends with {0}; at least one; they outlive the publisher */
    int64_t retention_ms;             /* of each */
    const struct topic *audit; /* where rows of all logs are told of a second time, if they say from which
                                  `address` they were asked for; NULL: nowhere */
    const struct topic *watermarks; /* where it tells up to which time all is published (watermark.h); NULL:
                                       nowhere */
    int64_t watermark_ms;           /* how often; a second at least */
    bool cloudevents;               /* records have the headers of CloudEvents, too (priv/cloudevents.h) */
    int copies;                     /* fewer copies of an acknowledged event in Kafka are worth a warning */
};

struct publisher;
/* NULL: a Kafka property in the environment is wrong; w says which. */
struct publisher *publisher_start(const struct publisher_options *options, struct why *w);
/* Ready: it publishes, or stands by for a replica that does. That needs Kafka and the registry to have
 * answered once. When Kafka is away later it stays ready: the events are safe in the log, and the service can
 * do its work. */
bool publisher_ready(struct publisher *p, struct why *w);
/* Publishes what is committed when it is called, within the time, then ends the thread. One that does not
 * have the slot leaves that to who takes it next. */
void publisher_stop(struct publisher *p, int timeout_ms);
