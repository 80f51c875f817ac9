/* histogram: counts durations in buckets whose bounds go 1-2-5 from 100 us to 10 s. Any thread; an update is
 * two relaxed atomic adds. */
#pragma once

#include <stdint.h>

#include "buf.h"

enum { HISTOGRAM_BUCKETS = 16 };
struct histogram {
    _Atomic int64_t buckets[HISTOGRAM_BUCKETS + 1], sum_us;
};

void histogram_observe_us(struct histogram *h, int64_t us);
/* Adds h to `into`, which no other thread uses meanwhile. */
void histogram_merge(struct histogram *into, const struct histogram *h);
/* labels: `route="/path"`, or "" */
void histogram_write(struct buf *out, const struct histogram *h, const char *name, const char *labels);
