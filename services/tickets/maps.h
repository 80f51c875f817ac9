/* maps: the maps of seats that were answered a moment ago. However many people look at one, each HTTP thread
 * asks the database for it twice a second. Only what everybody may see is kept. A thread uses its own part:
 * there are no locks. */
#pragma once

#include <stdbool.h>

#include "str.h"
#include "uuid.h"

struct maps;
struct maps *maps_new(int threads);
void maps_free(struct maps *maps);

/* The answer that this thread (from 0) kept not long ago; valid until its next call. false: there is none. */
bool maps_find(struct maps *maps, int thread, const struct uuid *show, const struct uuid *area,
               struct str *body);
void maps_keep(struct maps *maps, int thread, const struct uuid *show, const struct uuid *area,
               struct str body); /* copied; one that is too large is not kept */
