/* lead: writes what is due in the queues (control.h). Whoever wrote last in a queue writes at once; others
 * when it has not been written for a while. Part of the waiting thread. */
#pragma once

#include "demand.h"
#include "journal.h"
#include "queues.h"

enum { LEAD_LOOK_MS = 50 }; /* between looks at what is due */

struct lead {
    struct queues *queues;
    const struct stock *stock;
    struct journal *journal;
    struct uuid writer; /* we */
    int64_t looked_us;
    struct demand_slot demand;
    bool watches; /* there are queues, or phases that will have one: to be looked at often */
};

extern struct control_settings lead_settings; /* the process's */

void lead_look(struct lead *l); /* only when all topics were read to their ends */
void lead_measure(const struct lead *l);
/* Takes in a record of `waiting`, and counts what we wrote in it: whose turn came, and who missed it. */
void lead_event(struct lead *l, int32_t partition, const struct waiting_event *e);
/* Counts whose turn is over and who has not bought; to be called now and then. */
void lead_count_missed(struct lead *l);
