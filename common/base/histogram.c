#include "histogram.h"

#include <stdatomic.h>

static const int64_t bounds_us[HISTOGRAM_BUCKETS] = {100,    200,     500,     1000,    2000,    5000,
                                                     10000,  20000,   50000,   100000,  150000,  200000,
                                                     500000, 1000000, 2000000, 5000000, 10000000};

void histogram_observe_us(struct histogram *h, int64_t us) {
    int i = 0;
    while (i < HISTOGRAM_BUCKETS && us > bounds_us[i])
        i++;
    atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}

void histogram_merge(struct histogram *into, const struct histogram *h) {
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
    into->sum_us += atomic_load_explicit(&h->sum_us, memory_order_relaxed);
}

static int64_t came(const struct histogram *before, const struct histogram *now, int i) {
    return atomic_load_explicit(&now->buckets[i], memory_order_relaxed) -
           atomic_load_explicit(&before->buckets[i], memory_order_relaxed);
}

int64_t histogram_quantile_us(const struct histogram *before, const struct histogram *now, double q) {
    int64_t total = 0, below = 0;
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
        total += came(before, now, i);
    if (total == 0) return 0;
    double rank = q * (double)total;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        int64_t n = came(before, now, i), from_us = i == 0 ? 0 : bounds_us[i - 1];
        if (n > 0 && (double)(below + n) >= rank)
            return from_us + (int64_t)((double)(bounds_us[i] - from_us) * (rank - (double)below) / (double)n);
        below += n;
    }
    return bounds_us[HISTOGRAM_BUCKETS - 1];
}

void histogram_write(struct buf *out, const struct histogram *h, const char *name, const char *labels) {
    const char *comma = *labels == '\0' ? "" : ",";
    const char *open = *labels == '\0' ? "" : "{", *close = *labels == '\0' ? "" : "}";
    int64_t sum_us = atomic_load_explicit(&h->sum_us, memory_order_relaxed), total = 0;
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        total += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        buf_printf(out, "%s_bucket{%s%sle=\"", name, labels, comma);
        if (i < HISTOGRAM_BUCKETS)
            buf_printf(out, "%g\"} %lld\n", (double)bounds_us[i] / 1e6, (long long)total);
        else
            buf_printf(out, "+Inf\"} %lld\n", (long long)total);
    }
    buf_printf(out, "%s_sum%s%s%s %.6f\n", name, open, labels, close, (double)sum_us / 1e6);
    buf_printf(out, "%s_count%s%s%s %lld\n", name, open, labels, close, (long long)total);
}
