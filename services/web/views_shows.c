/* Shows, of views.h. */
#include "buf.h"
#include "cover.h"
#include "html.h"
#include "texts.h"
#include "views.h"
#include "views_read.h"
#include "zone.h"

enum { CARD_WIDTH = 640, HEAD_WIDTH = 1280 }; /* of pictures: as wide as they are shown on fine screens */
static const char *const states[] = {"draft", "announced", "cancelled"}; /* enum show_state */

struct str view_local_time(struct str zone, int64_t unix_us, struct arena *arena) {
    int64_t offset_s = 0;
    bool known = zone_offset(zone, unix_us, &offset_s);
    struct buf text = {0};
    html_local_moment(&text, unix_us + offset_s * 1000000);
    if (!known) html_literal(&text, " UTC");
    struct str kept = arena_str(arena, buf_str(&text));
    buf_free(&text);
    return kept;
}

struct str view_in(int64_t us, struct arena *arena) {
    int64_t minutes = us < 0 ? 0 : (us + 59999999) / 60000000, hours = minutes / 60, days = hours / 24;
    struct text_hole holes[] = {{"days", text_number(arena, days)},
                                {"hours", text_number(arena, days > 0 ? hours % 24 : hours)},
                                {"minutes", text_number(arena, minutes % 60)},
                                {0}};
    return text_fill(arena,
                     days > 1    ? TEXT_IN_DAYS
                     : days > 0  ? TEXT_IN_DAY
                     : hours > 0 ? TEXT_IN_HOURS
                                 : TEXT_IN_MINUTES,
                     holes);
}

static bool get_head(const json_t *json, struct arena *arena, struct show_head_view *out) {
    if (!read_text(json, "title", &out->title) || !read_text(json, "venue", &out->venue) ||
        !read_text(json, "city", &out->city) || !read_text(json, "timeZone", &out->zone) ||
        !read_time(json, "startsAt", &out->starts_at) || out->starts_at < 0)
        return false;
    read_text(json, "description", &out->description);
    read_text(json, "organizer", &out->organizer);
    out->starts = view_local_time(out->zone, out->starts_at, arena);
    return true;
}

static int64_t get_count(const json_t *json, const char *key) {
    return json_integer_value(json_object_get(json, key));
}

enum supply view_supply(int64_t free, int64_t places) {
    enum { FEW = 10, FEW_OF_100 = 5 };
    if (free <= 0) return SUPPLY_NONE;
    return free <= FEW || free * 100 <= places * FEW_OF_100 ? SUPPLY_FEW : SUPPLY_PLENTY;
}

struct str view_left(int64_t free, struct arena *arena) {
    if (free <= 0) return text_of(TEXT_LEFT_NONE);
    struct text_hole holes[] = {{"free", text_number(arena, free)}, {0}};
    return text_fill(arena, TEXT_LEFT_SOME, holes);
}

/* A service of the version before does not say it. */
static bool get_supply(const json_t *show, struct arena *arena, struct show_card_view *out) {
    struct str currency;
    if (json_object_get(show, "free") == NULL) return true;
    int64_t free = get_count(show, "free");
    out->supply = view_supply(free, get_count(show, "places"));
    out->left = out->supply == SUPPLY_FEW && free > 10 ? text_of(TEXT_LEFT_FEW) : view_left(free, arena);
    return json_object_get(show, "fromPrice") == NULL ||
           (read_text(show, "currency", &currency) && read_amount(show, "fromPrice", currency, &out->from));
}

bool view_over(int64_t starts_at, int64_t now_us) {
    static const int64_t longest_us = INT64_C(12) * 3600 * 1000000;
    return starts_at + longest_us < now_us;
}

/* Until when it is not on sale yet, if it has phases. */
static void get_sale(const json_t *show, int64_t now_us, struct arena *arena, struct show_card_view *out) {
    out->ended = json_is_true(json_object_get(show, "saleOver"));
    if (read_time(show, "opensAt", &out->opens_at) && out->opens_at > now_us)
        out->opens = view_in(out->opens_at - now_us, arena);
}

bool view_shows(const json_t *json, int64_t now_us, struct arena *arena, struct show_card_list *out) {
    size_t n = json_array_size(json);
    struct show_card_view *cards = arena_alloc(arena, n * sizeof *cards);
    for (size_t i = 0; i < n; i++) {
        const json_t *show = json_array_get(json, i);
        struct show_head_view head;
        if (!read_uuid(show, "id", &cards[i].id) || !get_head(show, arena, &head)) return false;
        cards[i] = (struct show_card_view){.id = cards[i].id,
                                           .cover = cover_of(&cards[i].id, arena),
                                           .title = head.title,
                                           .venue = head.venue,
                                           .city = head.city,
                                           .starts = head.starts,
                                           .starts_at = head.starts_at,
                                           .zone = head.zone};
        cover_use_picture(&cards[i].cover, json_object_get(show, "picture"), CARD_WIDTH);
        if (!get_supply(show, arena, &cards[i])) return false;
        get_sale(show, now_us, arena, &cards[i]);
    }
    *out = (struct show_card_list){cards, n};
    return json_is_array(json);
}

bool view_own_shows(const json_t *json, int64_t now_us, struct arena *arena, struct own_show_list *out) {
    struct show_card_list cards;
    if (!view_shows(json, now_us, arena, &cards)) return false;
    struct own_show_view *shows = arena_alloc(arena, cards.count * sizeof *shows);
    size_t n = 0;
    for (size_t i = 0; i < cards.count; i++) {
        const json_t *show = json_array_get(json, i);
        const struct show_card_view *card = &cards.items[i];
        struct str status;
        int state = read_text(show, "status", &status) ? read_one_of(status, states, 3) : -1;
        if (state < 0) return false;
        if (state == SHOW_STATE_CANCELLED) continue; /* a draft that was deleted */
        shows[n] = (struct own_show_view){.id = card->id,
                                          .title = card->title,
                                          .venue = card->venue,
                                          .city = card->city,
                                          .starts = card->starts,
                                          .starts_at = card->starts_at,
                                          .zone = card->zone,
                                          .state = (enum show_state)state,
                                          .over = view_over(card->starts_at, now_us),
                                          .opens = card->opens,
                                          .ended = card->ended,
                                          .free = get_count(show, "free"),
                                          .places = get_count(show, "places")};
        shows[n].taken = shows[n].places - shows[n].free;
        n++;
    }
    *out = (struct own_show_list){shows, n};
    return true;
}

/* --- one, with its areas --- */

static bool get_area(const json_t *json, const struct show *show, struct draft_area_view *out) {
    *out = (struct draft_area_view){.seated = json_is_true(json_object_get(json, "seated")),
                                    .accessible = json_is_true(json_object_get(json, "accessible")),
                                    .places = get_count(json, "places")};
    return read_text(json, "name", &out->name) && read_amount(json, "price", show->currency, &out->price);
}

/* Of how many lower prices there are. Colours tell so many apart. */
static void add_tiers(struct show_area_view *areas, size_t n) {
    enum { TIERS = 5 };
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            bool first = true; /* of its price */
            for (size_t j = 0; j < k && first; j++)
                first = areas[j].price.minor != areas[k].price.minor;
            bool lower = areas[k].price.minor < areas[i].price.minor;
            if (lower && first && areas[i].tier < TIERS - 1) areas[i].tier++;
        }
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
        int64_t free = get_count(area, "free");
        areas[i] = (struct show_area_view){.id = id,
                                           .name = d->name,
                                           .price = d->price,
                                           .seated = d->seated,
                                           .accessible = d->accessible,
                                           .free = free,
                                           .supply = view_supply(free, d->places),
                                           .left = view_left(free, arena)};
        out->free += areas[i].free;
        out->places += d->places;
        out->made += get_count(area, "made");
        out->known += get_count(area, "known");
    }
    add_tiers(areas, n);
    out->areas = (struct show_area_list){areas, n};
    out->drafts = (struct draft_area_list){drafts, n};
    return json_is_array(json);
}

static bool get_phase(const json_t *json, struct phase *out) {
    *out = (struct phase){.json = json,
                          .areas = json_object_get(json, "areas"),
                          .per_user = json_integer_value(json_object_get(json, "perUser")),
                          .queue = json_is_true(json_object_get(json, "queue")),
                          .codes = json_is_true(json_object_get(json, "codes"))};
    return read_text(json, "name", &out->name) && read_time(json, "opensAt", &out->opens_at) &&
           read_time(json, "closesAt", &out->closes_at);
}

static bool get_phases(const json_t *json, struct arena *arena, struct show *out) {
    size_t n = json_array_size(json);
    struct phase *phases = arena_alloc(arena, n * sizeof *phases);
    for (size_t i = 0; i < n; i++)
        if (!get_phase(json_array_get(json, i), &phases[i])) return false;
    out->phases = phases;
    out->phase_count = n;
    return true;
}

bool view_show(const json_t *json, struct arena *arena, struct show *out) {
    struct str status;
    *out = (struct show){0};
    if (!read_uuid(json, "id", &out->id) || !read_uuid(json, "userId", &out->seller) ||
        !get_head(json, arena, &out->head) || !read_text(json, "currency", &out->currency) ||
        !read_text(json, "status", &status))
        return false;
    int state = read_one_of(status, states, 3);
    out->state = (enum show_state)state;
    out->per_user = get_count(json, "perUser");
    out->version = get_count(json, "version");
    out->head.cover = cover_of(&out->id, arena);
    out->head.cover.first = true;
    cover_use_picture(&out->head.cover, json_object_get(json, "picture"), HEAD_WIDTH);
    return state >= 0 && get_phases(json_object_get(json, "phases"), arena, out) &&
           get_areas(json_object_get(json, "areas"), arena, out);
}

/* --- the seats of an area --- */

/* The ticket of a place: the area's id, with the block and the place in its last 24 bits. */
static struct uuid ticket_of(const struct uuid *area, int64_t block, size_t place) {
    struct uuid id = *area;
    int64_t number = block * 64 + (int64_t)place;
    for (int i = 0; i < 3; i++)
        id.b[15 - i] = (uint8_t)(number >> 8 * i);
    return id;
}

static struct str seat_label(struct str row, int64_t number, struct arena *arena) {
    struct text_hole holes[] = {{"row", row}, {"seat", text_number(arena, number)}, {0}};
    return text_fill(arena, TEXT_LEFT_SEAT, holes);
}

bool view_seat_row(const json_t *json, const struct uuid *area, struct arena *arena,
                   struct seat_row_view *out) {
    struct str free;
    *out = (struct seat_row_view){0};
    if (!read_text(json, "free", &free) || !read_text(json, "name", &out->name)) return false;
    int64_t first = get_count(json, "first"), block = get_count(json, "block");
    struct seat_view *seats = arena_alloc(arena, free.n * sizeof *seats);
    for (size_t i = 0; i < free.n; i++)
        seats[i] = (struct seat_view){.id = ticket_of(area, block, i),
                                      .number = first + (int64_t)i,
                                      .free = free.p[i] == '1',
                                      .label = seat_label(out->name, first + (int64_t)i, arena)};
    out->seats = (struct seat_list){seats, free.n};
    return true;
}
