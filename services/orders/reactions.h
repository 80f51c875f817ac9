/* reactions: what orders does about events of others. */
#pragma once

#include "consumer.h"

extern const struct reaction orders_reactions[];
