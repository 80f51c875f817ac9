#include "show_fields.h"

#include <stdlib.h>

#include "buf.h"
#include "clock.h"
#include "currency.h"
#include "fields.h"
#include "json.h"
#include "utf8.h"

enum {
    NAME_MAX = FIELDS_NAME_MAX,
    CITY_MAX = FIELDS_CITY_MAX,
    AREA_NAME_MAX = 80,
    ROW_NAME_MAX = 20,
    DESCRIPTION_MAX = 4000,
    PER_USER_MAX = 1000,
    RANK_MAX = 8000, /* with the number of a block behind it, it fits an int */
    SEAT_MAX = 999999,
    ROWS_MAX = 4000, /* more than fit a body of 64 KiB */
};

/* --- shows --- */

static const char *read_name(const json_t *value, void *out, struct arena *arena) {
    return fields_name(value, NAME_MAX, out, arena);
}

static const char *read_city(const json_t *value, void *out, struct arena *arena) {
    return fields_name(value, CITY_MAX, out, arena);
}

static const char *read_description(const json_t *value, void *out, struct arena *arena) {
    struct str text;
    const char *error = body_text(value, &text, arena);
    if (error != NULL) return error;
    if (utf8_length(text) > DESCRIPTION_MAX)
        return body_message(arena, "must have at most %d characters", DESCRIPTION_MAX);
    *(struct str *)out = text;
    return NULL;
}

/* Who sells it. An empty one is none. */
static const char *read_organizer(const json_t *value, void *out, struct arena *arena) {
    return fields_optional_name(value, NAME_MAX, out, arena);
}

static const char *read_start(const json_t *value, void *out, struct arena *arena) {
    static const int64_t ten_years_us = INT64_C(3653) * 86400 * 1000000;
    int64_t now_us = clock_wall_us(), at_us;
    (void)arena;
    if (json_string_length(value) < 20 || /* no string, or a date alone */
        !clock_parse((struct str){json_string_value(value), json_string_length(value)}, &at_us))
        return "must be a date and time like 2027-06-01T20:00:00+02:00";
    if (at_us <= now_us) return "must be in the future";
    if (at_us > now_us + ten_years_us) return "must be within the next ten years";
    *(int64_t *)out = at_us;
    return NULL;
}

static const char *read_currency(const json_t *value, void *out, struct arena *arena) {
    struct str code;
    const char *error = body_text(value, &code, arena);
    if (error != NULL) return error;
    if (!currency_known(code) || currency_decimals(code) > 2)
        return "must be a currency with at most two decimals, by its code of ISO 4217, like USD";
    *(struct str *)out = code;
    return NULL;
}

const char *show_per_user(const json_t *value, void *out, struct arena *arena) {
    return body_whole(value, 1, PER_USER_MAX, out)
               ? NULL
               : body_message(arena, "must be a whole number from 1 to %d", PER_USER_MAX);
}

const struct body_field show_fields[] = {
    {"title", read_name, offsetof(struct show_input, title), true},
    {"venue", read_name, offsetof(struct show_input, venue), true},
    {"city", read_city, offsetof(struct show_input, city), true},
    {"startsAt", read_start, offsetof(struct show_input, starts_at), true},
    {"timeZone", body_text, offsetof(struct show_input, time_zone), true},
    {"description", read_description, offsetof(struct show_input, description), false},
    {"organizer", read_organizer, offsetof(struct show_input, organizer), false},
    {"currency", read_currency, offsetof(struct show_input, currency), false},
    {"perUser", show_per_user, offsetof(struct show_input, per_user), false},
    {0},
};

/* --- areas --- */

static const char *read_area_name(const json_t *value, void *out, struct arena *arena) {
    return fields_name(value, AREA_NAME_MAX, out, arena);
}

static const char *read_row_name(const json_t *value, void *out, struct arena *arena) {
    return fields_name(value, ROW_NAME_MAX, out, arena);
}

static const char *read_seat(const json_t *value, void *out, struct arena *arena) {
    return body_whole(value, 0, SEAT_MAX, out)
               ? NULL
               : body_message(arena, "must be a whole number from 0 to %d", SEAT_MAX);
}

static const struct body_field row_fields[] = {
    {"name", read_row_name, offsetof(struct area_row, name), true},
    {"from", read_seat, offsetof(struct area_row, from), true},
    {"to", read_seat, offsetof(struct area_row, to), true},
    {0},
};

static const char *read_rows(const json_t *value, void *out, struct arena *arena) {
    return body_objects(value, row_fields, sizeof(struct area_row), ROWS_MAX, out, arena);
}

static const char *read_places(const json_t *value, void *out, struct arena *arena) {
    return body_whole(value, 1, MOST_PLACES, out)
               ? NULL
               : body_message(arena, "must be a whole number from 1 to %d", MOST_PLACES);
}

static const char *read_rank(const json_t *value, void *out, struct arena *arena) {
    return body_whole(value, 0, RANK_MAX, out)
               ? NULL
               : body_message(arena, "must be a whole number from 0 to %d", RANK_MAX);
}

const char *show_flag(const json_t *value, void *out, struct arena *arena) {
    (void)arena;
    if (!json_is_boolean(value)) return "must be true or false";
    *(bool *)out = json_is_true(value);
    return NULL;
}

const struct body_field area_fields[] = {
    {"name", read_area_name, offsetof(struct area_input, name), true},
    {"price", fields_hundredths, offsetof(struct area_input, hundredths), true},
    {"rows", read_rows, offsetof(struct area_input, rows), false},
    {"places", read_places, offsetof(struct area_input, places), false},
    {"rank", read_rank, offsetof(struct area_input, rank), false},
    {"accessible", show_flag, offsetof(struct area_input, accessible), false},
    {0},
};

static int compare_rows(const void *a, const void *b) {
    const struct area_row *x = *(const struct area_row *const *)a, *y = *(const struct area_row *const *)b;
    size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
    int order = memcmp(x->name.p, y->name.p, n);
    if (order == 0) order = (x->name.n > y->name.n) - (x->name.n < y->name.n);
    return order != 0 ? order : (x->from > y->from) - (x->from < y->from);
}

/* Rows of one name, in the order of their seats, are neighbours: then no seat may be in two of them. */
static const char *check_overlaps(const struct body_list *rows, struct arena *arena) {
    const struct area_row *all = rows->items;
    const struct area_row **sorted = arena_alloc(arena, (size_t)rows->count * sizeof(struct area_row *));
    for (int i = 0; i < rows->count; i++)
        sorted[i] = &all[i];
    qsort(sorted, (size_t)rows->count, sizeof *sorted, compare_rows);
    for (int i = 1; i < rows->count; i++)
        if (str_eq(sorted[i - 1]->name, sorted[i]->name) && sorted[i]->from <= sorted[i - 1]->to)
            return body_message(arena, "must not have seat %lld of row %.*s twice",
                                (long long)sorted[i]->from, (int)sorted[i]->name.n, sorted[i]->name.p);
    return NULL;
}

static const char *check_rows(struct area_input *area, struct arena *arena) {
    const struct area_row *rows = area->rows.items;
    for (int i = 0; i < area->rows.count; i++) {
        int64_t places = rows[i].to - rows[i].from + 1;
        if (places < 1) return body_message(arena, "number %d must not end before its first seat", i + 1);
        if (places > MOST_IN_ROW)
            return body_message(arena, "number %d has %lld seats, and a row has at most %d: split it", i + 1,
                                (long long)places, MOST_IN_ROW);
        area->places += places;
    }
    return check_overlaps(&area->rows, arena);
}

const char *area_check(struct area_input *area, int *blocks, const char **field, struct arena *arena) {
    *field = NULL;
    if ((area->rows.count > 0) == (area->places > 0))
        return "must have either rows, for numbered seats, or places, for standing";
    *field = "rows";
    *blocks = area->rows.count;
    if (area->rows.count > 0) return check_rows(area, arena);
    *blocks = (int)((area->places + MOST_IN_ROW - 1) / MOST_IN_ROW);
    return NULL;
}

struct str area_rows_text(const struct area_input *area, struct arena *arena) {
    const struct area_row *rows = area->rows.items;
    struct json out = {0};
    json_open(&out, '[');
    for (int i = 0; i < area->rows.count; i++) {
        json_open(&out, '{');
        json_put_text(&out, "n", rows[i].name);
        json_put_int(&out, "f", rows[i].from);
        json_put_int(&out, "p", rows[i].to - rows[i].from + 1);
        json_close(&out, '}');
    }
    json_close(&out, ']');
    struct str text = arena_str(arena, buf_str(&out.out));
    buf_free(&out.out);
    return text;
}
