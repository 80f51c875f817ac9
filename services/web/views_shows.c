/* Shows, of views.h. */
#include "buf.h"
#include "html.h"
#include "views.h"
#include "views_read.h"
#include "zone.h"

enum { UTC_TAIL = 4 }; /* " UTC" */

struct str view_local_time(struct str zone, int64_t unix_us, struct arena *arena) {
    static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* 1 January 1970 was a Thursday */
    static const int64_t day_us = INT64_C(86400) * 1000000;
    int64_t offset_s = 0;
    bool known = zone_offset(zone, unix_us, &offset_s);
    int64_t local_us = unix_us + offset_s * 1000000;
    struct buf text = {0};
    buf_printf(&text, "%.3s ", weekdays + 3 * (local_us / day_us % 7));
    html_time(&text, local_us);
    if (known) text.len -= UTC_TAIL;
    struct str kept = arena_str(arena, buf_str(&text));
    buf_free(&text);
    return kept;
}

static bool get_head(const json_t *json, struct arena *arena, struct show_head_view *out) {
    if (!read_text(json, "title", &out->title) || !read_text(json, "venue", &out->venue) ||
        !read_text(json, "city", &out->city) || !read_text(json, "timeZone", &out->zone) ||
        !read_time(json, "startsAt", &out->starts_at) || out->starts_at < 0)
        return false;
    read_text(json, "description", &out->description);
    out->starts = view_local_time(out->zone, out->starts_at, arena);
    return true;
}

bool view_shows(const json_t *json, struct arena *arena, struct show_card_list *out) {
    size_t n = json_array_size(json);
    struct show_card_view *cards = arena_alloc(arena, n * sizeof *cards);
    for (size_t i = 0; i < n; i++) {
        const json_t *show = json_array_get(json, i);
        struct show_head_view head;
        if (!read_uuid(show, "id", &cards[i].id) || !get_head(show, arena, &head)) return false;
        cards[i] = (struct show_card_view){.id = cards[i].id,
                                           .title = head.title,
                                           .venue = head.venue,
                                           .city = head.city,
                                           .starts = head.starts,
                                           .starts_at = head.starts_at,
                                           .zone = head.zone};
    }
    *out = (struct show_card_list){cards, n};
    return json_is_array(json);
}

/* --- one, with its areas --- */

static int64_t get_count(const json_t *json, const char *key) {
    return json_integer_value(json_object_get(json, key));
}

static bool get_area(const json_t *json, const struct show *show, struct draft_area_view *out) {
    *out = (struct draft_area_view){.seated = json_is_true(json_object_get(json, "seated")),
                                    .accessible = json_is_true(json_object_get(json, "accessible")),
                                    .places = get_count(json, "places"),
                                    .made = get_count(json, "made"),
                                    .known = get_count(json, "known")};
    return read_text(json, "name", &out->name) && read_amount(json, "price", show->currency, &out->price);
}

static bool get_areas(const json_t *json, struct arena *arena, struct show *out) {
    size_t n = json_array_size(json);
    struct show_area_view *areas = arena_alloc(arena, n * sizeof *areas);
    struct draft_area_view *drafts = arena_alloc(arena, n * sizeof *drafts);
    for (size_t i = 0; i < n; i++) {
        const json_t *area = json_array_get(json, i);
        struct draft_area_view *d = &drafts[i];
        struct uuid id;
        if (!read_uuid(area, "id", &id) || !get_area(area, out, d)) return false;
        areas[i] = (struct show_area_view){.id = id,
                                           .name = d->name,
                                           .price = d->price,
                                           .accessible = d->accessible,
                                           .free = get_count(area, "free")};
        out->free += areas[i].free;
        out->places += d->places;
        out->made += d->made;
        out->known += d->known;
    }
    out->areas = (struct show_area_list){areas, n};
    out->drafts = (struct draft_area_list){drafts, n};
    return json_is_array(json);
}

bool view_show(const json_t *json, struct arena *arena, struct show *out) {
    static const char *const states[] = {"draft", "announced", "cancelled"}; /* enum show_state */
    struct str status;
    *out = (struct show){0};
    if (!read_uuid(json, "id", &out->id) || !read_uuid(json, "userId", &out->seller) ||
        !get_head(json, arena, &out->head) || !read_text(json, "currency", &out->currency) ||
        !read_text(json, "status", &status))
        return false;
    int state = read_one_of(status, states, 3);
    out->state = (enum show_state)state;
    return state >= 0 && get_areas(json_object_get(json, "areas"), arena, out);
}
