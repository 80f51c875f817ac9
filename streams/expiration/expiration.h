/* expiration: from the topic orders, through the wheel, to the topic expirations. A thread of its own.
 *
 * There is no database: the state is the topic. An order stays pending until the topic shows it completed or
 * cancelled, so a signal that nobody acted on is given again, less and less often. The offset committed for a
 * partition is that of its oldest pending order; a start reads on from there, and nothing of a partition
 * fires before it is read to its end: an order that is over already is not signalled. */
#pragma once

#include "service.h"

extern const struct config_var expiration_config[];
extern const struct service_stream expiration_stream;
