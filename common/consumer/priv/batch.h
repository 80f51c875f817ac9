/* batch: the effects of some records, as set statements that keep the order of each key's records.
 *
 * A statement takes a set and may touch each row once, so one key's records must not meet in one statement,
 * and must take effect in their order. So the batch is cut into runs: a record goes into the first run that
 * is behind every earlier record of its key. Then there are as many runs as the busiest key has records,
 * however the keys are mixed; runs are sent in order, and in each the statements one after another.
 *
 * No Kafka, no database. It is used again for the next batch and keeps its memory. One owner thread. */
#pragma once

#ifndef CONSUMER_PRIV
#error "private to common/consumer"
#endif

#include "consumer.h"

struct batch_key; /* where the last record of a key went */

struct batch_statement {
    const struct sql *sql;
    struct sql_params *runs; /* one a run; may hold no items */
    int allocated;
};

struct batch {
    const struct reaction *reactions;
    struct batch_statement *statements; /* the different ones of reactions, in their order */
    int nstatements;
    int runs;
    struct batch_key *keys; /* open addressing; entries of an older round are free */
    uint32_t slots, round;
    struct sql_params dead_letters;
    int records, capacity;
    size_t bytes;
    int64_t *timestamps_ms; /* of each record */
};

void batch_init(struct batch *b, const struct reaction *reactions, int capacity);
void batch_free(struct batch *b);
void batch_reset(struct batch *b);
bool batch_full(const struct batch *b, int records);

/* Counts a record. Each record once, whatever else is done about it. */
void batch_record(struct batch *b, int64_t timestamp_ms, size_t bytes);

/* The effect of an event by its reaction, in the run that its key asks for. */
void batch_effect(struct batch *b, const struct reaction *r, struct str key, const void *event,
                  struct str traceparent);

struct batch_dead_letter {
    const char *topic;
    int32_t partition;
    int64_t offset;
    struct str key, value;
    bool null_key, null_value;
};
void batch_dead_letter(struct batch *b, const struct batch_dead_letter *letter, const char *reason);

/* Walks the statements to send, in order: call with *run = *statement = 0 at first, until NULL. */
struct sql_params *batch_next(struct batch *b, int *run, int *statement);
