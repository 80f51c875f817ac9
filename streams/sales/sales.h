/* sales: counts, from the topic orders, what was placed, sold and cancelled of each ticket, minute by minute,
 * onto the topic sales-by-minute. A thread of its own, no database.
 *
 * What makes it exact. The counts of a partition (streams/sales/windows.h), the rows made of them, and how
 * far orders is read change in one Kafka transaction: rows, the changed windows and the position on
 * sales-changelog, and the consumer group's position. So whoever owns a partition next finds all of that or
 * nothing of it, and a crash at any moment neither loses a change nor counts one twice. Beyond that:
 *
 * - A process that was paused, and whose partitions are somebody else's by now, cannot commit: it names
 * itself as the member, of the generation, that was given these partitions (group_membership), and Kafka
 * refuses it. Its transaction is void, so nothing of it is ever read; and what is older than that, its
 * successor has read.
 * - A successor waits until what its predecessor has committed can be seen: the group's position is not told
 * while a transaction may still change it, and the changelog is read until its own position has come up to
 * that. A changelog that never does is not the one that belongs to the group: it counts from the first record
 * on then.
 * - To count is to add to a set (windows.h). Orders read again, because the group's position was set back,
 * expired, or the topic was published again, change nothing; nor does the order in which changes come. A
 * change of a minute that is over corrects its row and those after it.
 * - After a commit that failed, what is in memory is worth nothing: it is made again from the changelog.
 *
 * So the rows are a function of the set of changes on orders alone, which is what the warehouse and the
 * services' own databases answer from. Who reads the topic as committed (librdkafka's default, not Java's)
 * sees each version of a row once; who does not may see some twice. */
#pragma once

#include "service.h"

extern const struct config_var sales_config[];
extern const struct service_stream sales_stream;
