/* avro_random: events of any generated type, made up and compared by their field tables. The same ones at
 * each run. */
#pragma once

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "avro.h"
#include "avro_wire.h"

struct dice {
    uint64_t state;
    struct arena arena; /* of the strings */
};

static inline uint64_t roll(struct dice *d) { /* splitmix64 */
    uint64_t z = d->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Every length of number is about as frequent as any other. */
static inline int64_t roll_long(struct dice *d) {
    return (int64_t)roll(d) >> roll(d) % 64;
}

static inline struct str roll_text(struct dice *d) {
    static const char *const pieces[] = {"",     "a",    "usd",  "Björk ", "演唱会",
                                         "🎟", "\x01", "\x7f", "\"\\",   "twelve chars"};
    char text[256];
    size_t n = 0;
    for (uint64_t i = roll(d) % 12; i > 0; i--)
        n += (size_t)sprintf(text + n, "%s", pieces[roll(d) % 10]);
    return arena_str(&d->arena, (struct str){text, n});
}

static inline void roll_value(struct dice *d, const struct avro_field *field, uint8_t *at) {
    int symbols = 0;
    switch (field->kind) {
    case AVRO_STRING:
        *(struct str *)at = roll_text(d);
        break;
    case AVRO_UUID:
        for (int i = 0; i < 16; i++)
            at[i] = (uint8_t)roll(d);
        break;
    case AVRO_LONG:
        *(int64_t *)at = roll_long(d);
        break;
    case AVRO_INT:
        *(int32_t *)at = (int32_t)(roll_long(d) >> 32);
        break;
    case AVRO_BOOL:
        *(bool *)at = roll(d) & 1;
        break;
    case AVRO_DOUBLE:
        *(double *)at = (double)roll_long(d) / 1024;
        break;
    case AVRO_TIME:
        *(int64_t *)at = roll_long(d) % (AVRO_TIME_LAST + 1) / 5 * 1000;
        break;
    case AVRO_ENUM:
        while (field->symbols[symbols] != NULL)
            symbols++;
        assert(symbols > 0);
        *(int *)at = (int)(roll(d) % (uint64_t)symbols);
        break;
    }
}

/* Fills a zeroed event of the type. */
static inline void roll_event(struct dice *d, const struct avro_type *type, void *event) {
    for (int i = 0; i < type->nfields; i++) {
        const struct avro_field *field = &type->fields[i];
        bool *has = (bool *)((uint8_t *)event + field->has_offset);
        if (field->nullable && !(*has = roll(d) & 1)) continue;
        roll_value(d, field, (uint8_t *)event + field->offset);
    }
}

static inline bool same_value(const struct avro_field *field, const uint8_t *a, const uint8_t *b) {
    switch (field->kind) {
    case AVRO_STRING:
        return str_eq(*(const struct str *)a, *(const struct str *)b);
    case AVRO_UUID:
        return uuid_eq((const struct uuid *)a, (const struct uuid *)b);
    case AVRO_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case AVRO_INT:
    case AVRO_ENUM:
        return *(const int32_t *)a == *(const int32_t *)b;
    case AVRO_LONG:
    case AVRO_TIME:
    case AVRO_DOUBLE:
        return memcmp(a, b, 8) == 0;
    }
    return false;
}

/* NULL, or the first field that differs. */
static inline const char *differing_field(const struct avro_type *type, const void *a, const void *b) {
    const uint8_t *x = a, *y = b;
    for (int i = 0; i < type->nfields; i++) {
        const struct avro_field *field = &type->fields[i];
        if (field->nullable && x[field->has_offset] != y[field->has_offset]) return field->name;
        if (field->nullable && !x[field->has_offset]) continue;
        if (!same_value(field, x + field->offset, y + field->offset)) return field->name;
    }
    return NULL;
}

/* A copy of exactly n bytes on the heap, so that ASan sees a read behind them. free() it. */
static inline uint8_t *exact_copy(const uint8_t *bytes, size_t n) {
    /* NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI): ASan knows a piece of no bytes */
    uint8_t *copy = malloc(n);
    if (n > 0) memcpy(copy, bytes, n);
    return copy;
}
