/* avro_wire: Avro's binary encoding, value by value, for the generated code and for avro_plan.
 *
 * A get function takes where the value starts and where the record ends, and returns where the value ends, or
 * NULL when it is malformed; it reads nothing behind the end of the record. A put function takes where to
 * write, and returns where it stopped; the caller makes sure that there is room. All are inline, so that a
 * record becomes straight-line code with its cursor in a register. Any thread.
 *
 * Stricter than Avro, but not for what a correct writer writes:
 * - a number is written in as few bytes as it needs (one value has one encoding);
 * - a string is text as in utf8.h, a uuid is the text of one, a time is in the years 1 to 9999. Postgres or
 *   JSON would refuse anything else, and an error there fails the whole batch of records; one refused here is
 *   one dead letter. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "utf8.h"
#include "uuid.h"

#define AVRO_INLINE static inline __attribute__((always_inline))

enum {
    AVRO_LONG_MAX = 10, /* bytes of the longest long: 64 bits, 7 a byte */
    AVRO_INT_MAX = 5,
    AVRO_TIME_MAX = 7, /* milliseconds up to the year 9999 are below 2^48, one more bit for the sign */
    AVRO_UUID_MAX = 1 + UUID_TEXT,
};

/* Milliseconds of 0001-01-01 and 9999-12-31T23:59:59.999. */
#define AVRO_TIME_FIRST (-62135596800000)
#define AVRO_TIME_LAST  253402300799999

/* --- numbers: zigzag (numbers near 0 become small), then 7 bits a byte, lowest first --- */

/* At most 10 bytes, the tenth holding the one bit that is left. */
AVRO_INLINE const uint8_t *avro_get_varint(const uint8_t *p, const uint8_t *end, uint64_t *out) {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (p == end) return NULL;
        uint8_t byte = *p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte >= 0x80) continue;
        if (shift == 63 && byte > 1) return NULL;
        *out = v;
        return p;
    }
    return NULL;
}

AVRO_INLINE const uint8_t *avro_get_long(const uint8_t *p, const uint8_t *end, int64_t *out) {
    uint64_t v;
    const uint8_t *next = avro_get_varint(p, end, &v);
    if (next == NULL) return NULL;
    if (next[-1] == 0 && next - p > 1) return NULL; /* padded with zero bits */
    *out = (int64_t)(v >> 1 ^ -(v & 1));
    return next;
}

AVRO_INLINE const uint8_t *avro_get_int(const uint8_t *p, const uint8_t *end, int32_t *out) {
    int64_t v;
    p = avro_get_long(p, end, &v);
    if (p == NULL || v < INT32_MIN || v > INT32_MAX) return NULL;
    *out = (int32_t)v;
    return p;
}

AVRO_INLINE size_t avro_long_size(int64_t v) {
    uint64_t z = (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
    return (size_t)(70 - __builtin_clzll(z | 1)) / 7;
}

AVRO_INLINE uint8_t *avro_put_long(uint8_t *o, int64_t v) {
    uint64_t z = (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
    while (z >= 0x80) {
        *o++ = (uint8_t)(z | 0x80);
        z >>= 7;
    }
    *o++ = (uint8_t)z;
    return o;
}

AVRO_INLINE uint8_t *avro_put_int(uint8_t *o, int32_t v) {
    return avro_put_long(o, v);
}

/* --- times: milliseconds on the wire, microseconds (Postgres's precision) in the struct --- */

AVRO_INLINE const uint8_t *avro_get_time(const uint8_t *p, const uint8_t *end, int64_t *unix_us) {
    int64_t ms;
    p = avro_get_long(p, end, &ms);
    if (p == NULL || ms < AVRO_TIME_FIRST || ms > AVRO_TIME_LAST) return NULL;
    *unix_us = ms * 1000;
    return p;
}

/* Rounds down, also before 1970, so that times keep their order. */
AVRO_INLINE int64_t avro_time_ms(int64_t unix_us) {
    int64_t ms = unix_us / 1000 - (unix_us % 1000 < 0);
    if (ms < AVRO_TIME_FIRST || ms > AVRO_TIME_LAST) abort(); /* no reader would take it */
    return ms;
}

AVRO_INLINE uint8_t *avro_put_time(uint8_t *o, int64_t unix_us) {
    return avro_put_long(o, avro_time_ms(unix_us));
}

/* --- booleans, enums and the branch of a union with null --- */

AVRO_INLINE const uint8_t *avro_get_bool(const uint8_t *p, const uint8_t *end, bool *out) {
    if (p == end || *p > 1) return NULL;
    *out = *p == 1;
    return p + 1;
}

AVRO_INLINE uint8_t *avro_put_bool(uint8_t *o, bool v) {
    *o = v;
    return o + 1;
}

/* One of `count` symbols or branches. */
AVRO_INLINE const uint8_t *avro_get_index(const uint8_t *p, const uint8_t *end, int count, int *out) {
    int64_t v;
    p = avro_get_long(p, end, &v);
    if (p == NULL || v < 0 || v >= count) return NULL;
    *out = (int)v;
    return p;
}

AVRO_INLINE uint8_t *avro_put_index(uint8_t *o, int index, int count) {
    if ((unsigned)index >= (unsigned)count) abort(); /* not a value of its enum: a bug of the caller */
    return avro_put_long(o, index);
}

/* --- doubles --- */

AVRO_INLINE const uint8_t *avro_get_double(const uint8_t *p, const uint8_t *end, double *out) {
    if (end - p < (ptrdiff_t)sizeof *out) return NULL;
    memcpy(out, p, sizeof *out);
    return p + sizeof *out;
}

AVRO_INLINE uint8_t *avro_put_double(uint8_t *o, double v) {
    memcpy(o, &v, sizeof v);
    return o + sizeof v;
}

/* --- strings: a length, then UTF-8 --- */

/* The str points into the record. */
AVRO_INLINE const uint8_t *avro_get_string(const uint8_t *p, const uint8_t *end, struct str *out) {
    int64_t n;
    p = avro_get_long(p, end, &n);
    if (p == NULL || n < 0 || n > end - p) return NULL;
    *out = (struct str){(const char *)p, (size_t)n};
    return utf8_valid(*out) ? p + n : NULL;
}

AVRO_INLINE uint8_t *avro_put_string(uint8_t *o, struct str v) {
    o = avro_put_long(o, (int64_t)v.n);
    if (v.n > 0) memcpy(o, v.p, v.n); /* the pointer of an empty one may be NULL */
    return o + v.n;
}

/* --- uuids: a string of 36 characters --- */

AVRO_INLINE const uint8_t *avro_get_uuid(const uint8_t *p, const uint8_t *end, struct uuid *out) {
    if (end - p < AVRO_UUID_MAX || *p != 2 * UUID_TEXT) return NULL;
    return uuid_parse((struct str){(const char *)p + 1, UUID_TEXT}, out) ? p + AVRO_UUID_MAX : NULL;
}

AVRO_INLINE uint8_t *avro_put_uuid(uint8_t *o, const struct uuid *v) {
    *o = 2 * UUID_TEXT;
    uuid_format(v, (char *)o + 1);
    return o + AVRO_UUID_MAX;
}
