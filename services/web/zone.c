#include "zone.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ZONES "/usr/share/zoneinfo/"

enum { MAX_NAME = 64, MAX_FILE = 16 * 1024, HEADER = 44, MAX_COUNT = 4096 };

/* --- a file --- */

struct zone_file {
    char name[MAX_NAME]; /* "" before the first */
    size_t n;            /* 0: there is no such file */
    uint8_t bytes[MAX_FILE];
};

/* Letters, digits and what names of zones have between them; nothing that leads out of the folder. */
static bool is_name(struct str name) {
    if (name.n == 0 || name.n >= MAX_NAME || name.p[0] == '/') return false;
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && memchr("_+-/", name.p[i], 4) == NULL) return false;
    return true;
}

static const struct zone_file *file_of(struct str name) {
    static _Thread_local struct zone_file file;
    char path[sizeof ZONES + MAX_NAME];
    if (!is_name(name)) return NULL;
    if (!str_eq(str_of(file.name), name)) {
        memcpy(file.name, name.p, name.n);
        file.name[name.n] = '\0';
        file.n = 0;
        snprintf(path, sizeof path, ZONES "%s", file.name);
        FILE *f = fopen(path, "re");
        if (f == NULL) return NULL;
        file.n = fread(file.bytes, 1, sizeof file.bytes, f);
        fclose(f);
    }
    return file.n == 0 ? NULL : &file;
}

/* --- its form (RFC 9636): a block with times of 4 bytes, which is passed over, one with times of 8, a rule
 * for what comes later --- */

struct counts {
    int64_t uts, standards, leaps, times, types, chars;
};

static int64_t big_endian(const uint8_t *p, int n) {
    uint64_t v = (p[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

static bool read_header(const uint8_t **p, const uint8_t *end, struct counts *c) {
    int64_t *all[] = {&c->uts, &c->standards, &c->leaps, &c->times, &c->types, &c->chars};
    if (end - *p < HEADER || memcmp(*p, "TZif", 4) != 0) return false;
    for (int i = 0; i < 6; i++) {
        *all[i] = big_endian(*p + 20 + 4 * i, 4);
        if (*all[i] < 0 || *all[i] > MAX_COUNT) return false;
    }
    *p += HEADER;
    return true;
}

static int64_t block_size(const struct counts *c, int time_size) {
    return c->times * (time_size + 1) + c->types * 6 + c->chars + c->leaps * (time_size + 4) + c->standards +
           c->uts;
}

static bool find_offset(const struct zone_file *file, int64_t unix_s, int64_t *seconds) {
    const uint8_t *p = file->bytes, *end = p + file->n;
    struct counts c;
    if (!read_header(&p, end, &c) || end - p < block_size(&c, 4)) return false;
    p += block_size(&c, 4);
    if (!read_header(&p, end, &c) || end - p < block_size(&c, 8)) return false;
    const uint8_t *kinds = p + c.times * 8, *types = kinds + c.times, *rule = p + block_size(&c, 8);
    int64_t n = c.times;
    while (n > 0 && big_endian(p + (n - 1) * 8, 8) > unix_s)
        n--;
    /* A rule with a comma has a summer time, which nothing here reads. */
    if (n == c.times && memchr(rule, ',', (size_t)(end - rule)) != NULL) return false;
    int64_t type = n == 0 ? 0 : kinds[n - 1];
    if (type >= c.types) return false;
    *seconds = big_endian(types + type * 6, 4);
    return true;
}

bool zone_offset(struct str zone, int64_t unix_us, int64_t *seconds) {
    const struct zone_file *file = file_of(zone);
    return file != NULL && find_offset(file, unix_us / 1000000, seconds);
}

bool zone_moment(struct str zone, int64_t local_us, int64_t *unix_us) {
    int64_t s;
    if (!zone_offset(zone, local_us, &s) || !zone_offset(zone, local_us - s * 1000000, &s)) return false;
    *unix_us = local_us - s * 1000000;
    return true;
}
