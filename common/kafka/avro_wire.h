/* avro_wire: Avro's binary encoding, value by value, for the generated code and for avro_plan.
 *
 * Every get takes where the value starts and where the record ends, and answers where the value ends, or NULL
 * when it is malformed; nothing behind the end is ever read. Every put takes where to write, answers where it
 * stopped, and trusts the caller that there is room. Inline, so that a record becomes straight-line code with
 * its cursor in a register.
 *
 * Stricter than Avro where nothing that writes correctly is refused:
 * - a number is written in as few bytes as it needs (one value has one encoding);
 * - a string is text as utf8.h has it, a uuid is the text of one, a time lies in the years 1 to 9999:
 * Postgres or JSON would refuse anything else, and an error there fails the whole batch of records; one
 * refused here is a single dead letter. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "utf8.h"
#include "uuid.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "text is handled in words whose first byte is the lowest");

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

AVRO_INLINE uint64_t avro_load64(const void *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

AVRO_INLINE uint32_t avro_load32(const void *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* --- numbers: zigzag (small either way becomes small), then 7 bits a byte, lowest first --- */

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

/* A number of 2 to 8 bytes, where there are 8 to read: all at once, the low 7 bits of each drawn together in
 * three steps (a time has 6 bytes: 1 ns less than one by one). Answers its length, or 0 if it is longer. */
AVRO_INLINE int avro_get_word(const uint8_t *p, uint64_t *out) {
    uint64_t w = avro_load64(p), stops = ~w & 0x8080808080808080;
    if (stops == 0) return 0;
    w &= (stops ^ (stops - 1)) & 0x7f7f7f7f7f7f7f7f; /* nothing behind the first byte that has no 0x80 */
    w = (w & 0x007f007f007f007f) | (w & 0x7f007f007f007f00) >> 1;
    w = (w & 0x00003fff00003fff) | (w & 0x3fff00003fff0000) >> 2;
    *out = (w & 0x000000000fffffff) | (w & 0x0fffffff00000000) >> 4;
    return __builtin_ctzll(stops) / 8 + 1;
}

AVRO_INLINE const uint8_t *avro_get_long(const uint8_t *p, const uint8_t *end, int64_t *out) {
    uint64_t v;
    const uint8_t *next;
    int n;
    if (p != end && *p < 0x80) {
        v = *p;
        next = p + 1;
    } else if (end - p >= 8 && (n = avro_get_word(p, &v)) != 0) {
        next = p + n;
    } else if ((next = avro_get_varint(p, end, &v)) == NULL)
        return NULL;
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

/* --- uuids: a string of 36 characters, 16 of its 32 digits at a time in a vector (SSE2, NEON: the compiler's
 * choice) --- */

typedef uint8_t avro_v16u8 __attribute__((vector_size(16)));
typedef int8_t avro_v16i8 __attribute__((vector_size(16)));
typedef uint16_t avro_v8u16 __attribute__((vector_size(16)));
typedef uint8_t avro_v8u8 __attribute__((vector_size(8)));
typedef uint64_t avro_v2u64 __attribute__((vector_size(16)));

/* 16 hexadecimal digits, in either case, to 8 bytes; *bad gets a bit for anything that is none. */
AVRO_INLINE uint64_t avro_unhex(uint64_t first, uint64_t second, avro_v2u64 *bad) {
    avro_v16u8 c = (avro_v16u8)(avro_v2u64){first, second};
    avro_v16u8 digit = c - '0', letter = (c | 0x20) - 'a';
    avro_v16i8 is_digit = digit <= 9, is_letter = letter <= 5;
    *bad |= (avro_v2u64) ~(is_digit | is_letter);
    avro_v16u8 nibble = (digit & (avro_v16u8)is_digit) | ((letter + 10) & (avro_v16u8)is_letter);
    avro_v8u16 pair =
        (avro_v8u16)nibble; /* the digit that comes first is the low byte, and the high nibble */
    pair = (pair << 4 | pair >> 8) & 0xff;
    return (uint64_t) __builtin_convertvector(pair, avro_v8u8);
}

/* 8 bytes to 16 hexadecimal digits in lower case. */
AVRO_INLINE avro_v2u64 avro_hex(uint64_t bytes) {
    avro_v8u16 pair = __builtin_convertvector((avro_v8u8)bytes, avro_v8u16);
    avro_v16u8 nibble = (avro_v16u8)((pair >> 4 | pair << 8) & 0x0f0f);
    avro_v16u8 above = (avro_v16u8)(nibble > 9);
    return (avro_v2u64)(nibble + '0' + (above & ('a' - '0' - 10)));
}

AVRO_INLINE bool avro_uuid_parse(const uint8_t *t, struct uuid *out) {
    uint64_t words[4] = {
        avro_load64(t), /* 8-4-4-4-12 */
        avro_load32(t + 9) | (uint64_t)avro_load32(t + 14) << 32,
        avro_load32(t + 19) | (uint64_t)avro_load32(t + 24) << 32,
        avro_load64(t + 28),
    };
    avro_v2u64 bad = {0, 0};
    uint64_t halves[2] = {avro_unhex(words[0], words[1], &bad), avro_unhex(words[2], words[3], &bad)};
    int hyphens = (t[8] ^ '-') | (t[13] ^ '-') | (t[18] ^ '-') | (t[23] ^ '-');
    memcpy(out->b, halves, sizeof out->b);
    return (bad[0] | bad[1] | (uint64_t)hyphens) == 0;
}

AVRO_INLINE void avro_uuid_format(const struct uuid *v, uint8_t *o) {
    avro_v2u64 first = avro_hex(avro_load64(v->b)), second = avro_hex(avro_load64(v->b + 8));
    uint64_t words[4] = {first[0], first[1], second[0], second[1]};
    memcpy(o, &words[0], 8);
    memcpy(o + 9, &words[1], 4);
    memcpy(o + 14, (uint8_t *)&words[1] + 4, 4);
    memcpy(o + 19, &words[2], 4);
    memcpy(o + 24, (uint8_t *)&words[2] + 4, 4);
    memcpy(o + 28, &words[3], 8);
    o[8] = o[13] = o[18] = o[23] = '-';
}

AVRO_INLINE const uint8_t *avro_get_uuid(const uint8_t *p, const uint8_t *end, struct uuid *out) {
    if (end - p < AVRO_UUID_MAX || *p != 2 * UUID_TEXT) return NULL;
    return avro_uuid_parse(p + 1, out) ? p + AVRO_UUID_MAX : NULL;
}

AVRO_INLINE uint8_t *avro_put_uuid(uint8_t *o, const struct uuid *v) {
    *o = 2 * UUID_TEXT;
    avro_uuid_format(v, o + 1);
    return o + AVRO_UUID_MAX;
}
