#include "fields.h"

#include <ctype.h>
#include <math.h>

#include "arena.h"
#include "clock.h"
#include "currency.h"
#include "utf8.h"

enum { TITLE_MAX = 200, PRICE_MIN = 50, PRICE_MAX = 99999999 };

/* What a price looks like, in minor units. */
struct price_form {
    int decimals;
    int64_t scale, most; /* minor units of one; of the highest price */
    const char *message;
};
static const struct price_form two_decimals = {2, 100, PRICE_MAX, FIELDS_PRICE_TWO_DECIMALS};
static const struct price_form no_decimals = {0, 1, PRICE_MAX, FIELDS_PRICE_NO_DECIMALS};
/* Of either kind: a show knows its currency. */
static const struct price_form any_decimals = {2, 100, PRICE_MAX *INT64_C(100), FIELDS_PRICE_ANY_DECIMALS};

/* Of the currency that tickets' prices are in; set before the threads start, and never again. */
static const struct price_form *ticket_form = &two_decimals;

void fields_use_currency(struct str code) {
    if (currency_decimals(code) == 0) ticket_form = &no_decimals;
}

/* --- titles --- */

/* The White_Space property of Unicode (and the byte order mark, which looks like nothing too), as UTF-8. */
static const struct str spaces[] = {
    {" ", 1},      {"\t", 1},     {"\n", 1},     {"\v", 1},     {"\f", 1},     {"\r", 1},     {"\xc2\x85", 2},
    {"\u00a0", 2}, {"\u1680", 3}, {"\u2000", 3}, {"\u2001", 3}, {"\u2002", 3}, {"\u2003", 3}, {"\u2004", 3},
    {"\u2005", 3}, {"\u2006", 3}, {"\u2007", 3}, {"\u2008", 3}, {"\u2009", 3}, {"\u200a", 3}, {"\u2028", 3},
    {"\u2029", 3}, {"\u202f", 3}, {"\u205f", 3}, {"\u3000", 3}, {"\ufeff", 3},
};

static size_t space_at(const char *p, size_t n, bool at_end) {
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        struct str space = spaces[i];
        if (n >= space.n && memcmp(at_end ? p + n - space.n : p, space.p, space.n) == 0) return space.n;
    }
    return 0;
}

struct str fields_trim(struct str s) {
    size_t n;
    while ((n = space_at(s.p, s.n, false)) > 0)
        s = (struct str){s.p + n, s.n - n};
    while ((n = space_at(s.p, s.n, true)) > 0)
        s.n -= n;
    return s;
}

const char *fields_name(const json_t *value, int most, void *out, struct arena *arena) {
    struct str name;
    const char *error = body_text(value, &name, arena);
    if (error != NULL) return error;
    name = fields_trim(name);
    size_t length = utf8_length(name);
    if (length < 1 || length > (size_t)most) return body_message(arena, "must have 1 to %d characters", most);
    *(struct str *)out = name;
    return NULL;
}

const char *fields_optional_name(const json_t *value, int most, void *out, struct arena *arena) {
    struct str name;
    const char *error = body_text(value, &name, arena);
    if (error != NULL) return error;
    name = fields_trim(name);
    if (utf8_length(name) > (size_t)most) return body_message(arena, "must have at most %d characters", most);
    *(struct str *)out = name;
    return NULL;
}

static const char *read_title(const json_t *value, void *out, struct arena *arena) {
    return fields_name(value, TITLE_MAX, out, arena);
}

/* --- prices --- */

/* Digits with at most as many decimals as the currency has, as people write them: "20", "20.5", "20.00". */
static bool parse_price(struct str s, const struct price_form *form, int64_t *minor) {
    size_t i = 0;
    int64_t v = 0;
    for (; i < s.n && isdigit((unsigned char)s.p[i]); i++)
        if ((v = v * 10 + (s.p[i] - '0')) > form->most) return false;
    if (i == 0) return false;
    int given = 0;
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && isdigit((unsigned char)s.p[i]) && given < form->decimals; i++, given++)
            v = v * 10 + (s.p[i] - '0');
    if (i != s.n || (s.p[s.n - 1] == '.')) return false;
    for (; given < form->decimals; given++)
        v *= 10;
    *minor = v;
    return true;
}

static const char *read_price_of(const struct price_form *form, const json_t *value, int64_t *out) {
    int64_t minor = 0;
    if (json_is_string(value)) {
        if (!parse_price((struct str){json_string_value(value), json_string_length(value)}, form, &minor))
            return form->message;
    } else if (json_is_number(value)) {
        double v = json_number_value(value), scale = (double)form->scale;
        if (!(v > 0 && v * scale <= (double)(form->most + 1))) return form->message;
        minor = llround(v * scale);
        /* A text of so many decimals reads as the double nearest to minor/scale, which is what this division
         * gives. */
        if (v != (double)minor / scale) return form->message;
    } else {
        return form->message;
    }
    if (minor < PRICE_MIN || minor > form->most) return form->message;
    *out = minor;
    return NULL;
}

static const char *read_price(const json_t *value, void *out, struct arena *arena) {
    (void)arena;
    return read_price_of(ticket_form, value, out);
}

const char *fields_hundredths(const json_t *value, void *out, struct arena *arena) {
    (void)arena;
    return read_price_of(&any_decimals, value, out);
}

/* --- when and where --- */

static const char *read_venue(const json_t *value, void *out, struct arena *arena) {
    return fields_optional_name(value, FIELDS_NAME_MAX, out, arena);
}

static const char *read_city(const json_t *value, void *out, struct arena *arena) {
    return fields_optional_name(value, FIELDS_CITY_MAX, out, arena);
}

/* A day by the clocks at the place, which may be 12 hours behind UTC. */
static const char *read_date(const json_t *value, void *out, struct arena *arena) {
    static const int64_t day_us = INT64_C(86400) * 1000000;
    struct str text;
    int64_t at_us, now_us = clock_wall_us();
    const char *error = body_text(value, &text, arena);
    if (error != NULL) return error;
    if (!fields_day(text, &at_us)) return "must be a date like 2027-06-01";
    if (at_us + day_us + day_us / 2 <= now_us) return "must be today or later";
    if (at_us > now_us + 3653 * day_us) return "must be within the next ten years";
    *(struct str *)out = text;
    return NULL;
}

const struct body_field ticket_fields[] = {
    {"title", read_title, offsetof(struct ticket_input, title), true},
    {"price", read_price, offsetof(struct ticket_input, price), true},
    {"date", read_date, offsetof(struct ticket_input, date), false},
    {"venue", read_venue, offsetof(struct ticket_input, venue), false},
    {"city", read_city, offsetof(struct ticket_input, city), false},
    {0},
};

/* --- headers and queries --- */

bool fields_day(struct str s, int64_t *us) {
    return s.n == sizeof "2027-06-01" - 1 && clock_parse(s, us);
}

bool fields_parse_if_match(struct str s, int32_t *version) {
    if (str_eq(s, STR("*"))) {
        *version = -1;
        return true;
    }
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"') s = (struct str){s.p + 1, s.n - 2};
    if (s.n < 1 || s.n > 9) return false;
    int32_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!isdigit((unsigned char)s.p[i])) return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *version = v;
    return true;
}

struct str fields_ilike_pattern(struct arena *arena, struct str q) {
    char *out = arena_alloc(arena, 2 * q.n + 2);
    size_t n = 0;
    out[n++] = '%';
    for (size_t i = 0; i < q.n; i++) {
        if (q.p[i] == '%' || q.p[i] == '_' || q.p[i] == '\\') out[n++] = '\\';
        out[n++] = q.p[i];
    }
    out[n++] = '%';
    return (struct str){out, n};
}
