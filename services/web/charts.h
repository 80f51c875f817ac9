/* charts: bars as paths of SVG, for templates that place them in a viewBox of CHART_WIDE by CHART_HIGH. On
 * the request's thread. */
#pragma once

#include <stdint.h>

#include "arena.h"
#include "str.h"

enum { CHART_WIDE = 1200, CHART_HIGH = 100 };

struct chart_bar {
    int64_t slot, wide; /* from the left, from 0; of how many slots */
    int64_t from, upto; /* of `most` */
};

/* They stand side by side in so many slots; `percent`: how much of its slots each fills, in their middle. */
struct str chart_bars(const struct chart_bar *bars, size_t n, int64_t slots, int64_t most, int percent,
                      struct arena *arena);
/* One that lies, from one part of `all` to another. */
struct str chart_part(int64_t from, int64_t upto, int64_t all, struct arena *arena);
