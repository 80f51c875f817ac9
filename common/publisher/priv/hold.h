/* hold: the connection that streams the slot, and when this process last confirmed on it. One owner thread.
 *
 * When it has confirmed nothing for a while (the process was stopped, the machine paused), Postgres has given
 * the slot to another process, or is about to. What is in our buffers must not be published any more. So call
 * hold_check_awake before each event that is sent. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include "replication.h"

struct hold {
    struct replication *replication; /* NULL: not connected */
    int64_t told_us;                 /* when the last confirmation was sent, by the monotonic clock */
    int64_t told_boot_us;            /* the same, by the clock since boot: a sleep of the machine counts */
};

/* Connects, when it is not connected. ST_LOST. */
enum status hold_open(struct hold *h, const char *replication_url, struct why *w);
void hold_close(struct hold *h);

/* Takes the slot: as replication_start. */
enum status hold_start(struct hold *h, const char *slot, struct why *w);
/* Confirms to Postgres up to an LSN (0: nothing new); that also keeps the slot. ST_LOST: also when the pause
 * before it was too long. */
enum status hold_confirm(struct hold *h, uint64_t confirmed, struct why *w);
/* ST_LOST: the last confirmation was too long ago. */
enum status hold_check_awake(const struct hold *h, struct why *w);
