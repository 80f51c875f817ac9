/* state: copies the topics tickets, orders and shows onto tickets-state, orders-state and shows-state, which
 * are compacted: the newest record of each id is what it is now, however old. A thread of its own, no
 * database.
 *
 * A record is copied byte for byte, by the id as its key, and into the partition of its number: so all of a
 * ticket stays in partitions of one number, its orders, too. A record whose version is not higher than what
 * the state has is left out: a topic that is published or read again never takes the state back.
 *
 * What makes it exact. Copies and how far the topics are read change in one Kafka transaction
 * (transactions.h). The next owner of a partition goes on from there, with the versions that the state itself
 * has (replay.h). Kafka does not answer with the group's position while a transaction may still change it,
 * and by then all that the transaction wrote can be read, or will be.
 *
 * Versions are remembered for STATE_KEEP, and read from the state for as long: longer than topics and event
 * logs are kept, what is older cannot come again. If it does (EVENT_RETENTION is longer, and a new epoch
 * began), the state goes through the old versions again, and ends with the newest. */
#pragma once

#include "service.h"

extern const struct config_var state_config[];
extern const struct service_stream state_stream;
