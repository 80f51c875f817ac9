/* Reads and checks what people say of phases; declared in phases.h. */
#include "phases.h"

#include "clock.h"
#include "fields.h"
#include "json.h"
#include "show_fields.h"

enum { PHASE_NAME_MAX = 80 };

static const char *read_name(const json_t *value, void *out, struct arena *arena) {
    return fields_name(value, PHASE_NAME_MAX, out, arena);
}

/* Answers tell times in milliseconds, so no finer ones are kept. The databases cannot read all years that a
 * text can have. */
static const char *read_moment(const json_t *value, void *out, struct arena *arena) {
    static const int64_t ten_years_us = INT64_C(3653) * 86400 * 1000000;
    int64_t at_us, now_us = clock_wall_us();
    (void)arena;
    if (json_string_length(value) < 20 || /* no string, or a date alone */
        !clock_parse((struct str){json_string_value(value), json_string_length(value)}, &at_us))
        return "must be a date and time like 2027-06-01T20:00:00+02:00";
    if (at_us < now_us - ten_years_us || at_us > now_us + ten_years_us)
        return "must be within ten years of today";
    *(int64_t *)out = at_us / 1000 * 1000;
    return NULL;
}

static const char *read_areas(const json_t *value, void *out, struct arena *arena) {
    struct body_list *areas = out;
    size_t n = json_array_size(value); /* 0 when it is no array */
    if (n < 1 || n > MOST_PHASE_AREAS)
        return body_message(arena, "must be a list of 1 to %d areas", MOST_PHASE_AREAS);
    *areas = (struct body_list){arena_alloc(arena, n * sizeof(struct uuid)), (int)n};
    for (size_t i = 0; i < n; i++)
        if (body_uuid(json_array_get(value, i), (struct uuid *)areas->items + i, arena) != NULL)
            return "must be a list of UUIDs";
    return NULL;
}

static const struct body_field phase_fields[] = {
    {"name", read_name, offsetof(struct phase_input, name), true},
    {"opensAt", read_moment, offsetof(struct phase_input, opens_at), true},
    {"closesAt", read_moment, offsetof(struct phase_input, closes_at), true},
    {"areas", read_areas, offsetof(struct phase_input, areas), false},
    {"perUser", show_per_user, offsetof(struct phase_input, per_user), true},
    {"queue", show_flag, offsetof(struct phase_input, queue), false},
    {"codes", show_flag, offsetof(struct phase_input, codes), false},
    {0},
};

static const char *read_phases(const json_t *value, void *out, struct arena *arena) {
    if (json_is_array(value) && json_array_size(value) == 0) return NULL; /* none */
    return body_objects(value, phase_fields, sizeof(struct phase_input), MOST_PHASES, out, arena);
}

const struct body_field phases_fields[] = {
    {"phases", read_phases, offsetof(struct phases_input, phases), true},
    {0},
};

const char *phases_check(const struct phases_input *in, struct arena *arena) {
    const struct phase_input *phases = in->phases.items;
    for (int i = 0; i < in->phases.count; i++) {
        if (phases[i].closes_at <= phases[i].opens_at)
            return body_message(arena, "number %d must not close before it opens", i + 1);
        if (i > 0 && phases[i].opens_at < phases[i - 1].closes_at)
            return body_message(arena, "number %d must not open before the one before it closes", i + 1);
    }
    return NULL;
}

static void write_phase(struct json *out, const struct phase_input *phase) {
    const struct uuid *areas = phase->areas.items;
    json_open(out, '{');
    json_put_text(out, "name", phase->name);
    json_key(out, "opensAt");
    json_time(out, phase->opens_at);
    json_key(out, "closesAt");
    json_time(out, phase->closes_at);
    if (phase->areas.count > 0) {
        json_key(out, "areas");
        json_open(out, '[');
        for (int i = 0; i < phase->areas.count; i++)
            json_uuid(out, &areas[i]);
        json_close(out, ']');
    }
    json_put_int(out, "perUser", phase->per_user);
    json_key(out, "queue");
    json_bool(out, phase->queue);
    json_key(out, "codes");
    json_bool(out, phase->codes);
    json_close(out, '}');
}

struct str phases_text(const struct phases_input *in, struct arena *arena) {
    const struct phase_input *phases = in->phases.items;
    if (in->phases.count == 0) return (struct str){0};
    struct json out = {0};
    json_open(&out, '[');
    for (int i = 0; i < in->phases.count; i++)
        write_phase(&out, &phases[i]);
    json_close(&out, ']');
    struct str text = arena_str(arena, buf_str(&out.out));
    buf_free(&out.out);
    return text;
}
