/* local_time: moments as forms have them, by the clocks at a place: 2027-06-01T20:00. Any thread. */
#pragma once

#include <stdint.h>

#include "arena.h"
#include "str.h"

/* With or without seconds, as if it were UTC. false: it is no date and time of the calendar. */
bool local_time_read(struct str text, int64_t *local_us);
/* Of a zone that is not known: by UTC. */
struct str local_time_write(struct str zone, int64_t unix_us, struct arena *arena);
