/* teller: a thread that says on topics what this process has counted or measured, once a second.
 *
 * For what is about a second and not worth a row in a database. The seconds are those of the wall clock: it
 * says what it has at each second's beginning, about the second before. A record is sent without waiting for
 * Kafka; while Kafka is away records wait, for some minutes and up to a number, and what finds no room then
 * is dropped and counted. A record may come twice. Nothing is said before the schema registry has given the
 * ids of the schemas.
 *
 * The main thread makes it and stops it. `tell` is called on its thread, which nothing else uses, and not any
 * more once teller_stop has returned. */
#pragma once

#include <stdbool.h>

#include "avro.h"

struct teller;

/* What is said on a topic: tell calls teller_send for each record. The topic's key may be a text of 100
 * characters. */
struct tell {
    const struct topic *topic;
    void (*tell)(struct teller *t, void *state);
};

enum { TELLER_MAX = 4 };

struct teller_options {
    const char *brokers, *registry_url;
    const struct tell *tells; /* ends with {0}; they outlive the teller */
    void *state;              /* for tell */
};

/* NULL: a Kafka property is wrong; w says which. */
struct teller *teller_start(const struct teller_options *options, struct why *w);
/* From within tell, for its topic. The event is copied. */
void teller_send(struct teller *t, const void *event);
/* Says once more what there is, and gives Kafka the time to take it. Frees, unless the thread hangs: the
 * process is to end then. */
void teller_stop(struct teller *t, int timeout_ms);
