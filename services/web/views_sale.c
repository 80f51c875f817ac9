/* When a show is sold, of views.h. */
#include "buf.h"
#include "views.h"

static enum phase_state state_of(const struct phase *phase, int64_t now_us) {
    if (now_us >= phase->closes_at) return PHASE_STATE_PAST;
    return now_us >= phase->opens_at ? PHASE_STATE_OPEN : PHASE_STATE_LATER;
}

struct sale view_sale(const struct show *show, int64_t now_us) {
    if (show->phase_count == 0) return (struct sale){.state = SALE_STATE_OPEN};
    for (size_t i = 0; i < show->phase_count; i++) { /* in the order of their times */
        const struct phase *phase = &show->phases[i];
        if (now_us >= phase->closes_at) continue;
        enum sale_state state = now_us < phase->opens_at ? SALE_STATE_LATER
                                : phase->queue           ? SALE_STATE_QUEUE
                                                         : SALE_STATE_OPEN;
        return (struct sale){state, phase};
    }
    return (struct sale){.state = SALE_STATE_OVER};
}

static bool has_area(const struct phase *phase, const struct uuid *area) {
    size_t n = json_array_size(phase->areas);
    for (size_t i = 0; i < n; i++) {
        struct uuid id;
        if (uuid_parse(str_of(json_string_value(json_array_get(phase->areas, i))), &id) && uuid_eq(&id, area))
            return true;
    }
    return phase->areas == NULL;
}

bool view_sells(const struct sale *sale, const struct uuid *area) {
    return sale->state == SALE_STATE_OPEN && (sale->phase == NULL || has_area(sale->phase, area));
}

/* Its areas in words; empty: all. */
static struct str areas_of(const struct show *show, const struct phase *phase, struct arena *arena) {
    struct buf text = {0};
    for (size_t i = 0; i < show->areas.count && phase->areas != NULL; i++) {
        const struct show_area_view *area = &show->areas.items[i];
        if (!has_area(phase, &area->id)) continue;
        buf_printf(&text, "%s%.*s", text.len > 0 ? ", " : "", (int)area->name.n, area->name.p);
    }
    struct str kept = arena_str(arena, buf_str(&text));
    buf_free(&text);
    return kept;
}

struct phase_line_list view_phase_lines(const struct show *show, int64_t now_us, struct arena *arena) {
    struct phase_line_view *lines = arena_alloc(arena, show->phase_count * sizeof *lines);
    struct str zone = show->head.zone;
    for (size_t i = 0; i < show->phase_count; i++) {
        const struct phase *phase = &show->phases[i];
        lines[i] = (struct phase_line_view){.name = phase->name,
                                            .state = state_of(phase, now_us),
                                            .opens = view_local_time(zone, phase->opens_at, arena),
                                            .opens_at = phase->opens_at,
                                            .closes = view_local_time(zone, phase->closes_at, arena),
                                            .closes_at = phase->closes_at,
                                            .zone = zone,
                                            .areas = areas_of(show, phase, arena),
                                            .per_user = phase->per_user,
                                            .queue = phase->queue,
                                            .codes = phase->codes};
    }
    return (struct phase_line_list){lines, show->phase_count};
}
