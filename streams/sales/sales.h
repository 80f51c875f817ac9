/* sales: counts, from the topic orders, what was placed, sold and cancelled of each ticket, minute by minute,
 * onto the topic sales-by-minute, and of each area of a show onto show-sales. A thread of its own, no
 * database.
 *
 * What makes it exact. The counts of a partition (windows.h), the rows made of them, and how far orders is
 * read change in one Kafka transaction: rows, the changed windows and the position on sales-changelog, and
 * the consumer group's position. So the next owner of a partition finds all of that or none of it, and a
 * crash at any moment neither loses a change nor counts one twice. Beyond that:
 *
 * - A process that was paused, and whose partitions are another's by now, cannot commit: its transaction
 *   names the member and the generation that were given these partitions (group_membership), and Kafka
 *   refuses it. A refused transaction is void, so nothing of it is ever read; its successor has read what was
 *   committed before.
 * - A successor waits until it can see what its predecessor committed: Kafka does not answer with the group's
 *   position while a transaction may still change it, and the changelog is read until its own position has
 *   come up to that. If it never does, it is not the changelog of this group, and orders is counted from its
 *   first record on.
 * - To count is to add to a set (windows.h). Changes that are read again (the group's position was set back
 *   or expired, or the topic was published again) change nothing; nor does the order in which changes come. A
 *   change in a minute that is over corrects that minute's row and those after it.
 * - After a commit that failed, the state in memory is dropped and made again from the changelog.
 *
 * So the rows follow from the set of changes on orders alone, from which the warehouse and the services' own
 * databases answer, too. A consumer that reads committed records only (librdkafka's default, not Java's) sees
 * each version of a row once; others may see some twice. */
#pragma once

#include "service.h"

extern const struct config_var sales_config[];
extern const struct service_stream sales_stream;
