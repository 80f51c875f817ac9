/* plan: where the areas of a show are, as a drawing: rings around the stage, the best ones nearest. Areas say
 * no more of their place than their rank. Any thread; what it returns lives in the arena. */
#pragma once

#include "views.h"

/* None for a single area, or for so many that nobody could tell them apart. */
struct plan_area_list plan_of(const struct show *show, struct arena *arena);
