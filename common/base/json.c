#include "json.h"

#include "clock.h"
#include "utf8.h"

static void put(struct json *j, const char *p, size_t n) {
    buf_add(&j->out, p, n);
}

static void separate(struct json *j) {
    if (j->comma) put(j, ",", 1);
    j->comma = true;
}

void json_open(struct json *j, char bracket) {
    separate(j);
    put(j, &bracket, 1);
    j->comma = false;
}

void json_close(struct json *j, char bracket) {
    put(j, &bracket, 1);
    j->comma = true;
}

void json_key(struct json *j, const char *key) {
    separate(j);
    put(j, "\"", 1);
    put(j, key, strlen(key));
    put(j, "\":", 2);
    j->comma = false;
}

/* 0: stands for itself; 1: written as \u00XX; otherwise the letter behind the backslash. From 0x80 on: see
 * text_run. */
static const char escapes[128] = {
    1, 1, 1, 1, 1, 1, 1, 1, 'b', 't', 'n', 1, 'f',         'r',           1,          1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1,   1,   1,   1, ['"'] = '"', ['\\'] = '\\', [0x7f] = 1,
};

/* The length of the leading part of p that is written as it is. */
static size_t text_run(const unsigned char *p, size_t n) {
    size_t i = 0;
    while (i < n) {
        if (p[i] < 0x80) {
            if (escapes[p[i]] != 0) break;
            i++;
        } else {
            size_t length = utf8_sequence(p + i, n - i);
            if (length == 0) break;
            i += length;
        }
    }
    return i;
}

static void put_escaped(struct json *j, unsigned char c) {
    if (c >= 0x80)
        put(j, "\xef\xbf\xbd", 3);
    else if (escapes[c] == 1)
        buf_printf(&j->out, "\\u%04x", c);
    else
        put(j, (char[]){'\\', escapes[c]}, 2);
}

void json_text(struct json *j, struct str v) {
    separate(j);
    put(j, "\"", 1);
    const unsigned char *p = (const unsigned char *)v.p;
    for (size_t left = v.n; left > 0;) {
        size_t run = text_run(p, left);
        put(j, (const char *)p, run);
        if (run < left) put_escaped(j, p[run++]);
        p += run;
        left -= run;
    }
    put(j, "\"", 1);
}

void json_uuid(struct json *j, const struct uuid *v) {
    char text[UUID_TEXT + 2];
    text[0] = text[UUID_TEXT + 1] = '"';
    uuid_format(v, text + 1);
    json_raw(j, (struct str){text, sizeof text});
}

/* Writes the digits of v so that they end before `end`; returns their start. */
static char *digits_before(char *end, uint64_t v) {
    do
        *--end = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    return end;
}

static uint64_t magnitude(int64_t v) {
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

void json_int(struct json *j, int64_t v) {
    char text[24], *end = text + sizeof text, *p = digits_before(end, magnitude(v));
    if (v < 0) *--p = '-';
    json_raw(j, (struct str){p, (size_t)(end - p)});
}

void json_bool(struct json *j, bool v) {
    json_raw(j, v ? STR("true") : STR("false"));
}

void json_nil(struct json *j) {
    json_raw(j, STR("null"));
}

void json_minor(struct json *j, int64_t minor, int decimals) {
    char text[48], *end = text + sizeof text, *p = end;
    uint64_t v = magnitude(minor);
    bool fraction = false;
    for (; decimals > 0; decimals--, v /= 10) {
        if (!fraction && v % 10 == 0) continue; /* no zeros at the end */
        fraction = true;
        *--p = (char)('0' + v % 10);
    }
    if (fraction) *--p = '.';
    p = digits_before(p, v);
    if (minor < 0) *--p = '-';
    json_raw(j, (struct str){p, (size_t)(end - p)});
}

void json_time(struct json *j, int64_t unix_us) {
    char text[CLOCK_TEXT + 2];
    text[0] = text[CLOCK_TEXT + 1] = '"';
    clock_format(unix_us, text + 1);
    json_raw(j, (struct str){text, sizeof text});
}

void json_raw(struct json *j, struct str v) {
    separate(j);
    put(j, v.p, v.n);
}

void json_put_text(struct json *j, const char *key, struct str v) {
    json_key(j, key);
    json_text(j, v);
}

void json_put_uuid(struct json *j, const char *key, struct uuid v) {
    json_key(j, key);
    json_uuid(j, &v);
}

void json_put_int(struct json *j, const char *key, int64_t v) {
    json_key(j, key);
    json_int(j, v);
}
