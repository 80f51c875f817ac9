/* reactions: what payments does about others' events. */
#pragma once

#include "consumer.h"

extern const struct reaction payments_reactions[];
