/* along: the queue of one show, read along from the topic `waiting` as each replica of waiting does. One
 * thread. */
#pragma once

#include "room.h"

struct along;
struct along *along_open(const char *brokers, const struct uuid *show);
/* Takes the records that have come. Returns how many. */
int along_read(struct along *a);
const struct room *along_room(const struct along *a);
