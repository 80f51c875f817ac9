#include "charts.h"

#include "buf.h"

static struct str kept(struct buf *path, struct arena *arena) {
    struct str text = arena_str(arena, buf_str(path));
    buf_free(path);
    return text;
}

static double part_of(int64_t n, int64_t all) {
    return all > 0 ? (double)n / (double)all : 0;
}

struct str chart_bars(const struct chart_bar *bars, size_t n, int64_t slots, int64_t most, int percent,
                      struct arena *arena) {
    struct buf path = {0};
    double each = CHART_WIDE / (double)(slots > 0 ? slots : 1);
    for (size_t i = 0; i < n; i++) {
        const struct chart_bar *bar = &bars[i];
        double room = each * (double)bar->wide, wide = room * percent / 100;
        double top = CHART_HIGH * (1 - part_of(bar->upto, most));
        double high = CHART_HIGH * part_of(bar->upto - bar->from, most);
        if (high <= 0) continue;
        buf_printf(&path, "M%.1f %.1fh%.1fv%.1fh-%.1fz", each * (double)bar->slot + (room - wide) / 2, top,
                   wide, high, wide);
    }
    return kept(&path, arena);
}

struct str chart_part(int64_t from, int64_t upto, int64_t all, struct arena *arena) {
    struct buf path = {0};
    double begins = CHART_WIDE * part_of(from, all), wide = CHART_WIDE * part_of(upto - from, all);
    if (wide > 0) buf_printf(&path, "M%.1f 0h%.1fv%dh-%.1fz", begins, wide, CHART_HIGH, wide);
    return kept(&path, arena);
}
