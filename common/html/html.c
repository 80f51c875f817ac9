#include "html.h"

#include "clock.h"
#include "currency.h"
#include "language.h"
#include "utf8.h"

static void put(struct buf *out, struct str s) {
    buf_add(out, s.p, s.n);
}

#define REPLACEMENT STR("\xef\xbf\xbd")

/* --- text --- */

/* What stands for a byte below 0x80 that may not stand for itself; an empty one stands for itself. */
typedef const struct str substitutes[128];

#define REPLACED                                                                                             \
    { "\xef\xbf\xbd", 3 }
static substitutes entities = {
    [0 ... 8] = REPLACED, [0xb ... 0xc] = REPLACED, [0xe ... 0x1f] = REPLACED,
    [0x7f] = REPLACED,    ['&'] = {"&amp;", 5},     ['<'] = {"&lt;", 4},
    ['>'] = {"&gt;", 4},  ['"'] = {"&#34;", 5},     ['\''] = {"&#39;", 5},
};

#define ESCAPED(code)                                                                                        \
    { "\\u00" code, 6 }
static substitutes escapes = {
    [0x00] = ESCAPED("00"), [0x01] = ESCAPED("01"), [0x02] = ESCAPED("02"), [0x03] = ESCAPED("03"),
    [0x04] = ESCAPED("04"), [0x05] = ESCAPED("05"), [0x06] = ESCAPED("06"), [0x07] = ESCAPED("07"),
    [0x08] = ESCAPED("08"), [0x09] = ESCAPED("09"), [0x0a] = ESCAPED("0a"), [0x0b] = ESCAPED("0b"),
    [0x0c] = ESCAPED("0c"), [0x0d] = ESCAPED("0d"), [0x0e] = ESCAPED("0e"), [0x0f] = ESCAPED("0f"),
    [0x10] = ESCAPED("10"), [0x11] = ESCAPED("11"), [0x12] = ESCAPED("12"), [0x13] = ESCAPED("13"),
    [0x14] = ESCAPED("14"), [0x15] = ESCAPED("15"), [0x16] = ESCAPED("16"), [0x17] = ESCAPED("17"),
    [0x18] = ESCAPED("18"), [0x19] = ESCAPED("19"), [0x1a] = ESCAPED("1a"), [0x1b] = ESCAPED("1b"),
    [0x1c] = ESCAPED("1c"), [0x1d] = ESCAPED("1d"), [0x1e] = ESCAPED("1e"), [0x1f] = ESCAPED("1f"),
    [0x3c] = ESCAPED("3c"), [0x3e] = ESCAPED("3e"), [0x26] = ESCAPED("26"), [0x7f] = ESCAPED("7f"),
    ['"'] = {"\\\"", 2},    ['\\'] = {"\\\\", 2},
};

/* How many bytes at p stand for themselves. */
static size_t plain_run(const unsigned char *p, size_t n, substitutes table) {
    size_t i = 0;
    while (i < n) {
        size_t length = 1;
        if (p[i] >= 0x80)
            length = utf8_sequence(p + i, n - i);
        else if (table[p[i]].n > 0)
            length = 0;
        if (length == 0) break;
        i += length;
    }
    return i;
}

static void escape(struct buf *out, struct str v, substitutes table) {
    const unsigned char *p = (const unsigned char *)v.p;
    for (size_t left = v.n; left > 0;) {
        size_t run = plain_run(p, left, table);
        buf_add(out, p, run);
        if (run < left) {
            put(out, p[run] < 0x80 ? table[p[run]] : REPLACEMENT);
            run++;
        }
        p += run;
        left -= run;
    }
}

void html_text(struct buf *out, struct str v) {
    escape(out, v, entities);
}

void html_json(struct buf *out, struct str v) {
    html_literal(out, "\"");
    escape(out, v, escapes);
    html_literal(out, "\"");
}

/* --- URLs --- */

/* Without what browsers take out before they look, and what some take for a slash. */
static bool is_plain(struct str url) {
    for (size_t i = 0; i < url.n; i++) {
        unsigned char c = (unsigned char)url.p[i];
        if (c <= 0x20 || c == 0x7f || c == '\\') return false;
    }
    return true;
}

bool html_own_path(struct str url) {
    return url.n > 0 && url.p[0] == '/' && (url.n == 1 || url.p[1] != '/') && is_plain(url);
}

static bool begins(struct str s, struct str with) {
    return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

void html_link(struct buf *out, struct str v) {
    bool whole = begins(v, STR("https://")) || begins(v, STR("http://")) || begins(v, STR("otpauth://totp/"));
    html_text(out, whole && is_plain(v) ? v : STR("#"));
}

void html_url(struct buf *out, struct str v) {
    html_text(out, html_own_path(v) ? v : STR("#"));
}

/* --- numbers, times --- */

/* The digits of v before `end`, with a comma before each three when asked. Returns their start. */
static char *digits_before(char *end, uint64_t v, bool grouped) {
    int n = 0;
    do {
        if (grouped && n > 0 && n % 3 == 0) *--end = language_form()->thousands;
        *--end = (char)('0' + v % 10);
        n++;
    } while ((v /= 10) != 0);
    return end;
}

static uint64_t magnitude(int64_t v) {
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

void html_int(struct buf *out, int64_t v) {
    char text[24], *end = text + sizeof text, *p = digits_before(end, magnitude(v), false);
    if (v < 0) *--p = '-';
    buf_add(out, p, (size_t)(end - p));
}

void html_bool(struct buf *out, bool v) {
    put(out, v ? STR("true") : STR("false"));
}

void html_uuid(struct buf *out, const struct uuid *v) {
    char text[UUID_TEXT];
    uuid_format(v, text);
    buf_add(out, text, sizeof text);
}

static struct str code_of(const struct price *v) {
    return (struct str){v->currency, strnlen(v->currency, sizeof v->currency)};
}

static void put_amount(struct buf *out, const struct price *price, bool grouped) {
    char text[40], *end = text + sizeof text, *p = end;
    uint64_t v = magnitude(price->minor);
    int decimals = currency_decimals(code_of(price));
    for (int i = 0; i < decimals; i++, v /= 10)
        *--p = (char)('0' + v % 10);
    if (decimals > 0) *--p = (char)(grouped ? language_form()->point : '.');
    p = digits_before(p, v, grouped);
    buf_add(out, p, (size_t)(end - p));
}

static struct str symbol_of(const char *currency) {
    static const struct {
        char code[4];
        struct str symbol;
    } known[] = {{"USD", {"$", 1}}, {"EUR", {"€", 3}}, {"GBP", {"£", 2}}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].code, currency) == 0) return known[i].symbol;
    }
    return (struct str){0};
}

/* A space where no line breaks. */
static void put_space(struct buf *out) {
    html_literal(out, "\xc2\xa0");
}

void html_price(struct buf *out, const struct price *v) {
    struct str symbol = symbol_of(v->currency);
    bool behind = language_form()->currency_behind;
    if (v->minor < 0) html_literal(out, "-");
    if (!behind && symbol.n > 0) {
        put(out, symbol);
    } else if (!behind) {
        html_currency(out, v);
        put_space(out);
    }
    put_amount(out, v, true);
    if (!behind) return;
    put_space(out);
    if (symbol.n > 0)
        put(out, symbol);
    else
        html_currency(out, v);
}

void html_amount(struct buf *out, const struct price *v) {
    if (v->minor < 0) html_literal(out, "-");
    put_amount(out, v, false);
}

void html_currency(struct buf *out, const struct price *v) {
    html_text(out, code_of(v));
}

void html_iso(struct buf *out, int64_t unix_us) {
    char text[CLOCK_TEXT];
    clock_format(unix_us, text);
    buf_add(out, text, sizeof text);
}

void html_time(struct buf *out, int64_t unix_us) {
    html_local_time(out, unix_us);
    html_literal(out, " UTC");
}

void html_date(struct buf *out, int64_t utc_us) {
    char text[CLOCK_TEXT];
    clock_format(utc_us, text);
    buf_add(out, text, sizeof "2026-11-21" - 1);
}

/* 21 Nov 2026, of 2026-11-21T10:39:31.123Z */
static void put_day(struct buf *out, const char *t) {
    const struct language_form *form = language_form();
    int month = (t[5] - '0') * 10 + t[6] - '0';
    if (t[8] != '0') buf_add(out, t + 8, 1);
    buf_add(out, t + 9, 1);
    put(out, form->behind_day);
    put(out, form->months[month - 1]);
    html_literal(out, " ");
    buf_add(out, t, 4);
}

static void put_weekday(struct buf *out, int64_t us) {
    static const int64_t day_us = INT64_C(86400) * 1000000;
    enum { THURSDAY = 4 }; /* 1 January 1970 was one */
    const struct language_form *form = language_form();
    put(out, form->weekdays[(us / day_us + THURSDAY) % 7]);
    put(out, form->behind_weekday);
}

void html_day(struct buf *out, int64_t utc_us) {
    char t[CLOCK_TEXT];
    clock_format(utc_us, t);
    put_weekday(out, utc_us < 0 ? 0 : utc_us);
    put_day(out, t);
}

void html_local_time(struct buf *out, int64_t local_us) {
    const struct language_form *form = language_form();
    char t[CLOCK_TEXT];
    clock_format(local_us, t);
    put_day(out, t);
    html_literal(out, ", ");
    buf_add(out, t + 11, 5);
    put(out, form->behind_time);
}

void html_local_moment(struct buf *out, int64_t local_us) {
    put_weekday(out, local_us);
    html_local_time(out, local_us);
}
