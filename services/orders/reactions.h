/* reactions: what orders does on events of other services, as a table for the consumer. */
#pragma once

#include "consumer.h"

extern const struct reaction orders_reactions[];
