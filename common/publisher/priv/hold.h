/* hold: the hold on the slot: the connection that streams it, and when Postgres last heard from us
 * there. One owner thread.
 *
 * When we have said nothing for a while (the process was stopped, the machine paused), Postgres is about to
 * give the slot to another, or has: what lies in our buffers is not ours to publish any more. So ask
 * hold_check_awake before each event that goes out. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include "replication.h"

struct hold {
    struct replication *replication; /* NULL: not connected */
    int64_t told_us; /* when Postgres last heard of us on the stream, by the monotonic clock */
};

/* Connects, when it is not connected. ST_LOST. */
enum status hold_open(struct hold *h, const char *database_url, struct why *w);
void hold_close(struct hold *h);

/* Takes the slot: as replication_start. */
enum status hold_start(struct hold *h, const char *slot, struct why *w);
/* Lets Postgres know that we are there, and up to where it may forget (0: nothing new). ST_LOST also when we
 * were away for too long. */
enum status hold_confirm(struct hold *h, uint64_t confirmed, struct why *w);
/* ST_LOST: we were away for too long. */
enum status hold_check_awake(const struct hold *h, struct why *w);
