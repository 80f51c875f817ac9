/* histogram: counts durations in buckets whose bounds go 1-2-5 from 100 us to 10 s, and 150 ms, above which
 * placing is slow. Any thread; an update is two relaxed atomic adds. */
#pragma once

#include <stdint.h>

#include "buf.h"

enum { HISTOGRAM_BUCKETS = 17 };
struct histogram {
    _Atomic int64_t buckets[HISTOGRAM_BUCKETS + 1], sum_us;
};

void histogram_observe_us(struct histogram *h, int64_t us);
/* Adds h to `into`, which no other thread uses meanwhile. */
void histogram_merge(struct histogram *into, const struct histogram *h);
/* The duration that the part q (0 to 1) of what came between the two looks did not exceed: within its bucket
 * evenly, behind the last bound that bound. 0: nothing came. */
int64_t histogram_quantile_us(const struct histogram *before, const struct histogram *now, double q);
/* labels: `route="/path"`, or "" */
void histogram_write(struct buf *out, const struct histogram *h, const char *name, const char *labels);
