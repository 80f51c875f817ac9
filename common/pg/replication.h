/* replication: a connection that reads a logical replication slot. It never blocks while it streams. One
 * owner thread.
 *
 * When nothing has come from the reader for REPLICATION_TIMEOUT_S, the server ends the connection and frees
 * the slot. So a reader whose network is gone cannot keep the slot from the next one for longer. The owner
 * has to call replication_confirm at least once a second, also while it does not read. */
#pragma once

#include "pgoutput.h"
#include "status.h"

enum { REPLICATION_TIMEOUT_S = 4 };

struct replication;

struct replication *replication_open(const char *url, const char *name, struct why *w);
void replication_close(struct replication *r); /* NULL is fine; the slot is free a moment later */

/* Makes the slot. The snapshot's name goes with `set transaction snapshot`, until the next call: it shows
 * what had committed when the slot was made, and the slot shows all that commits after. */
enum { REPLICATION_SNAPSHOT = 64 };
enum status replication_create_slot(struct replication *r, const char *slot,
                                    char snapshot[REPLICATION_SNAPSHOT], struct why *w);

/* Starts to stream from where the slot's last reader confirmed. ST_AGAIN: another reader has it.
 * ST_NOT_FOUND: the slot, or what its WAL needs, is gone for good. ST_LOST, ST_FAILED. */
enum status replication_start(struct replication *r, const char *slot, const char *publication,
                              struct why *w);

int replication_socket(const struct replication *r);

/* Takes in what has arrived on the socket. ST_OK, ST_LOST. */
enum status replication_receive(struct replication *r, struct why *w);
/* The next frame that has arrived; valid until the next call. ST_OK, ST_AGAIN (none), ST_LOST, ST_INVALID. */
enum status replication_next(struct replication *r, struct pgoutput_frame *out, struct why *w);
/* Confirms to the server that everything before lsn is stored elsewhere (0: nothing new). ST_OK, ST_LOST. */
enum status replication_confirm(struct replication *r, uint64_t lsn, struct why *w);

/* Ends the stream. When it returns, the slot has the last confirmation and is free, unless that took longer
 * than timeout_ms. */
void replication_end(struct replication *r, int timeout_ms);
