/* expiration: reads the topic orders and writes a signal to the topic expirations when an order's time to pay
 * is over. One thread, no database: all state comes from the topic.
 *
 * An order is pending until the topic shows it completed or cancelled. While it is pending its signal is
 * repeated, less and less often, in case nobody acted on it. The offset committed for a partition is that of
 * its oldest pending order. A start reads on from there, and gives no signal of a partition before it has
 * read it to its end, so there is none for an order that is over already. */
#pragma once

#include "service.h"

extern const struct config_var expiration_config[];
extern const struct service_stream expiration_stream;
