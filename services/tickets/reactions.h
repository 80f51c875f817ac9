/* reactions: what tickets does about events of others. */
#pragma once

#include "consumer.h"

extern const struct reaction tickets_reactions[];
