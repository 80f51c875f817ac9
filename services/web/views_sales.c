#include "views_sales.h"

#include <string.h>

#include "buf.h"
#include "charts.h"
#include "views.h"
#include "views_read.h"
#include "zone.h"

static int64_t get_count(const json_t *json, const char *key) {
    return json_integer_value(json_object_get(json, key));
}

static bool read_areas(const json_t *json, struct str currency, struct arena *arena, struct sales *out) {
    size_t n = json_array_size(json);
    struct sales_area_view *areas = arena_alloc(arena, n * sizeof *areas);
    for (size_t i = 0; i < n; i++) {
        const json_t *area = json_array_get(json, i);
        struct sales_area_view *a = &areas[i];
        *a = (struct sales_area_view){.sold = get_count(area, "sold"),
                                      .held = get_count(area, "held"),
                                      .free = get_count(area, "free")};
        if (!read_text(area, "name", &a->name) || !read_amount(area, "revenue", currency, &a->revenue))
            return false;
        int64_t places = get_count(area, "places");
        a->sold_bar = chart_part(0, a->sold, places, arena);
        a->held_bar = chart_part(a->sold, a->sold + a->held, places, arena);
        out->places += places;
        out->sold += a->sold;
        out->held += a->held;
        out->free += a->free;
        out->revenue.minor += a->revenue.minor;
    }
    out->areas = (struct sales_area_list){areas, n};
    return json_is_array(json);
}

/* A day, or a moment. */
static struct str words_of(int64_t begins, enum sales_per per, struct str zone, struct arena *arena) {
    if (per != SALES_PER_DAY) return view_local_time(zone, begins, arena);
    struct buf text = {0};
    int64_t offset_s = 0;
    zone_offset(zone, begins, &offset_s);
    html_day(&text, begins + offset_s * 1000000);
    struct str kept = arena_str(arena, buf_str(&text));
    buf_free(&text);
    return kept;
}

static int64_t positive(int64_t n) {
    return n > 0 ? n : 0;
}

/* What was held and free at the end of each step: from what is now, back. */
static void add_levels(const struct sales *sales, struct sales_step_view *steps, size_t n) {
    int64_t held = sales->held, free = sales->free, sold = sales->sold;
    for (size_t i = n; i-- > 0;) {
        steps[i].held = positive(held);
        steps[i].free = positive(free);
        steps[i].sold_so_far = positive(sold);
        held -= steps[i].placed - steps[i].returned - steps[i].sold;
        free += steps[i].placed - steps[i].returned;
        sold -= steps[i].sold;
    }
}

static bool read_steps(const json_t *json, struct str currency, struct str zone, struct arena *arena,
                       struct sales *out) {
    size_t n = json_array_size(json);
    struct sales_step_view *steps = arena_alloc(arena, n * sizeof *steps);
    int64_t *begins = arena_alloc(arena, n * sizeof *begins);
    for (size_t i = 0; i < n; i++) {
        const json_t *step = json_array_get(json, i);
        steps[i] = (struct sales_step_view){.placed = get_count(step, "placed"),
                                            .sold = get_count(step, "sold"),
                                            .returned = get_count(step, "returned")};
        if (!read_time(step, "begins", &begins[i]) ||
            !read_amount(step, "revenue", currency, &steps[i].revenue))
            return false;
        steps[i].words = words_of(begins[i], out->per, zone, arena);
    }
    add_levels(out, steps, n);
    out->begins = begins;
    out->steps = (struct sales_step_list){steps, n};
    return json_is_array(json);
}

bool view_sales(const json_t *json, struct str zone, struct arena *arena, struct sales *out) {
    static const char *const lengths[] = {"minute", "hour", "day"}; /* the order of enum sales_per */
    struct str currency, per;
    *out = (struct sales){0};
    if (!read_text(json, "currency", &currency) || currency.n != 3 || !read_text(json, "per", &per))
        return false;
    memcpy(out->revenue.currency, currency.p, 3);
    int length = read_one_of(per, lengths, 3);
    out->per = (enum sales_per)length;
    return length >= 0 && read_areas(json_object_get(json, "areas"), currency, arena, out) &&
           read_steps(json_object_get(json, "steps"), currency, zone, arena, out);
}

/* --- drawn --- */

static int64_t slot_of(const struct sales *sales, size_t i) {
    static const int64_t lengths_s[] = {60, 3600, 86400};
    int64_t us = lengths_s[sales->per] * 1000000;
    return (sales->begins[i] - sales->begins[0] + us / 2) / us; /* a day may have 23 hours */
}

void view_sales_charts(const struct sales *sales, struct arena *arena, struct sales_chart_view *out) {
    size_t n = sales->steps.count;
    *out = (struct sales_chart_view){0};
    if (n == 0) return;
    struct chart_bar *placed = arena_alloc(arena, 4 * n * sizeof *placed), *sold = placed + n,
                     *all = sold + n, *held = all + n;
    int64_t most = 0, slots = slot_of(sales, n - 1) + 1;
    for (size_t i = 0; i < n; i++) {
        const struct sales_step_view *s = &sales->steps.items[i];
        int64_t slot = slot_of(sales, i), next = i + 1 < n ? slot_of(sales, i + 1) : slots;
        if (s->placed > most) most = s->placed;
        if (s->sold > most) most = s->sold;
        placed[i] = (struct chart_bar){slot, 1, 0, s->placed};
        sold[i] = (struct chart_bar){slot, 1, 0, s->sold};
        /* It stays so until something happens. */
        all[i] = (struct chart_bar){slot, next - slot, 0, s->sold_so_far};
        held[i] = (struct chart_bar){slot, next - slot, s->sold_so_far, s->sold_so_far + s->held};
    }
    *out = (struct sales_chart_view){.most = most,
                                     .places = sales->places,
                                     .from = sales->steps.items[0].words,
                                     .upto = sales->steps.items[n - 1].words,
                                     .placed = chart_bars(placed, n, slots, most, 90, arena),
                                     .sold = chart_bars(sold, n, slots, most, 45, arena),
                                     .sold_so_far = chart_bars(all, n, slots, sales->places, 100, arena),
                                     .held = chart_bars(held, n, slots, sales->places, 100, arena)};
}

/* --- comma-separated (RFC 4180) --- */

static void put_name(struct buf *out, const char *text) {
    html_literal(out, "\"");
    for (const char *c = text == NULL ? "" : text; *c != '\0'; c++) {
        if (*c == '"') html_literal(out, "\"");
        buf_add(out, c, 1);
    }
    html_literal(out, "\"");
}

static const char *member(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));
    return text == NULL ? "" : text;
}

static void put_revenue(struct buf *out, const json_t *row, struct str currency) {
    struct price revenue = {0};
    read_amount(row, "revenue", currency, &revenue);
    html_amount(out, &revenue);
    buf_printf(out, ",%.*s\r\n", (int)currency.n, currency.p);
}

static const char *name_of(const json_t *areas, const char *id) {
    for (size_t i = 0; i < json_array_size(areas); i++)
        if (strcmp(member(json_array_get(areas, i), "id"), id) == 0)
            return member(json_array_get(areas, i), "name");
    return "";
}

void view_sales_csv_steps(const json_t *json, struct buf *out) {
    const json_t *areas = json_object_get(json, "areas"), *step;
    struct str currency = str_of(member(json, "currency"));
    size_t i;
    html_literal(out, "begins,area_id,area,ordered,paid,returned,revenue,currency\r\n");
    json_array_foreach(json_object_get(json, "steps"), i, step) {
        const char *id = member(step, "areaId");
        buf_printf(out, "%s,%s,", member(step, "begins"), id);
        put_name(out, name_of(areas, id));
        buf_printf(out, ",%lld,%lld,%lld,", (long long)get_count(step, "placed"),
                   (long long)get_count(step, "sold"), (long long)get_count(step, "returned"));
        put_revenue(out, step, currency);
    }
}

void view_sales_csv_areas(const json_t *json, struct buf *out) {
    const json_t *area;
    struct str currency = str_of(member(json, "currency"));
    size_t i;
    html_literal(out, "area_id,area,places,sold,held,free,revenue,currency\r\n");
    json_array_foreach(json_object_get(json, "areas"), i, area) {
        buf_printf(out, "%s,", member(area, "id"));
        put_name(out, member(area, "name"));
        buf_printf(out, ",%lld,%lld,%lld,%lld,", (long long)get_count(area, "places"),
                   (long long)get_count(area, "sold"), (long long)get_count(area, "held"),
                   (long long)get_count(area, "free"));
        put_revenue(out, area, currency);
    }
}
