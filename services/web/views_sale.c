/* When a show is sold, of views.h. */
#include "buf.h"
#include "views.h"
#include "views_read.h"

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

bool view_offers(const struct sale *sale, const struct uuid *area) {
    if (sale->state != SALE_STATE_OPEN && sale->state != SALE_STATE_QUEUE) return false;
    return sale->phase == NULL || has_area(sale->phase, area);
}

int64_t view_sale_changes(const struct show *show, int64_t now_us) {
    for (size_t i = 0; i < show->phase_count; i++) { /* in the order of their times */
        if (now_us < show->phases[i].opens_at) return show->phases[i].opens_at;
        if (now_us < show->phases[i].closes_at) return show->phases[i].closes_at;
    }
    return 0;
}

/* --- a queue --- */

static int64_t get_number(const json_t *json, const char *key) {
    const json_t *number = json_object_get(json, key);
    return json_is_integer(number) ? json_integer_value(number) : -1;
}

static enum queue_state queue_state_of(const json_t *json) {
    static const char *const names[] = {"joined",   "waiting", "turn",  "missed",
                                        "waitlist", "offered", "taken", "lapsed"};
    static const enum queue_state states[] = {QUEUE_STATE_JOINED, QUEUE_STATE_QUEUED, QUEUE_STATE_TURN,
                                              QUEUE_STATE_MISSED, QUEUE_STATE_LISTED, QUEUE_STATE_OFFERED,
                                              QUEUE_STATE_TAKEN,  QUEUE_STATE_LAPSED};
    struct str status;
    int i = read_text(json, "status", &status) ? read_one_of(status, names, 8) : -1;
    return i < 0 ? QUEUE_STATE_OUTSIDE : states[i];
}

bool view_queue(const json_t *json, struct queue *out) {
    *out = (struct queue){.state = queue_state_of(json),
                          .open = json_is_true(json_object_get(json, "open")),
                          .place = json_integer_value(json_object_get(json, "place")),
                          .serving = json_integer_value(json_object_get(json, "serving")),
                          .people = json_integer_value(json_object_get(json, "people")),
                          .estimate_s = get_number(json, "estimate"),
                          .left = get_number(json, "left"),
                          .want = json_integer_value(json_object_get(json, "want")),
                          .waitlist = json_integer_value(json_object_get(json, "waitlist")),
                          .challenge = json_integer_value(json_object_get(json, "challenge")),
                          .sold_out = json_is_true(json_object_get(json, "soldOut"))};
    read_time(json, "closesAt", &out->closes_at);
    read_time(json, "until", &out->until);
    read_text(json, "admission", &out->admission);
    read_text(json, "seedHash", &out->seed_hash);
    return read_time(json, "opensAt", &out->opens_at);
}

bool view_sells(const struct sale *sale, const struct queue *his) {
    return sale->state == SALE_STATE_OPEN || (sale->state == SALE_STATE_QUEUE && his->admission.n > 0);
}

struct option_list view_quantities(int64_t most, struct str chosen, struct arena *arena) {
    static const struct str words[PURCHASE_MOST] = {STR("1"), STR("2"), STR("3"), STR("4"),
                                                    STR("5"), STR("6"), STR("7"), STR("8")};
    size_t n = most < PURCHASE_MOST ? (size_t)most : PURCHASE_MOST;
    struct option_view *options = arena_alloc(arena, sizeof *options * n);
    for (size_t i = 0; i < n; i++)
        options[i] = (struct option_view){words[i], words[i], str_eq(words[i], chosen)};
    return (struct option_list){options, n};
}

/* --- phases in words --- */

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
