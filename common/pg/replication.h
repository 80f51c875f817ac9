/* replication: a connection that reads a logical replication slot. Never blocks while it streams; one owner
 * thread.
 *
 * The server ends a connection that it hears nothing from for REPLICATION_TIMEOUT_S, and frees the slot: that
 * bounds how long a reader that vanished with its network keeps the slot from the next one. So the owner
 * calls replication_confirm at least every second, also while it does not read. */
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
/* Tells the server that everything before lsn (0: nothing new) is safe elsewhere. ST_OK, ST_LOST. */
enum status replication_confirm(struct replication *r, uint64_t lsn, struct why *w);

/* Leaves the stream in good order: the last confirmation is in the slot, and the slot is free, when this
 * returns. Waits for timeout_ms at most. */
void replication_end(struct replication *r, int timeout_ms);
