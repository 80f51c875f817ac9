/* zone: the time of day at a place, by the name of its time zone, from the system's files of time zones.
 *
 * Any thread. A thread keeps the file that it read last, so changed files count after a restart. A time that
 * a file does not tell of is not known: Debian's files reach to 2037. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

/* Seconds ahead of UTC at that moment. false: there is no such zone, or its file does not reach there. */
bool zone_offset(struct str zone, int64_t unix_us, int64_t *seconds);

/* The moment at which clocks in the zone show local_us, given as if it were UTC. An hour that clocks skip
 * counts as the one behind it. */
bool zone_moment(struct str zone, int64_t local_us, int64_t *unix_us);
