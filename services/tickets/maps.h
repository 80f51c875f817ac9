/* maps: the maps of seats that were answered a moment ago. However many people look at one, each HTTP thread
 * asks the database for it about twice a second, and one request waits for it. Only what everybody may see is
 * kept. A thread uses its own part: there are no locks. Times are clock_mono_us(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "str.h"
#include "uuid.h"

struct maps;
struct maps *maps_new(int threads);
void maps_free(struct maps *maps);

/* The answer that this thread (from 0) kept less than a second ago; valid until its next call. false: there
 * is none, or it is for the caller to get a new one. */
bool maps_find(struct maps *maps, int thread, const struct uuid *show, const struct uuid *area,
               int64_t now_us, struct str *body);
void maps_keep(struct maps *maps, int thread, const struct uuid *show, const struct uuid *area,
               int64_t now_us, struct str body); /* copied; one that is too large is not kept */
