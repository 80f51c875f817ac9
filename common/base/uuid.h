/* uuid: ids are UUIDv7 (RFC 9562): 48 bits of milliseconds, then random bits, so they sort by age in every
 * index. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hex.h"

struct uuid {
    uint8_t b[16];
};

enum { UUID_TEXT = 36 };

struct uuid uuid_v7(void); /* thread-safe; ascending within a thread */

/* Where the two digits of each byte stand: 8-4-4-4-12. */
static const uint8_t uuid_places[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

/* Digits of either case, hyphens in their places, nothing else. Inline and without a branch for each digit,
 * as the next two are: they are half of the time that decoding an event takes. */
static inline bool uuid_parse(struct str text, struct uuid *out) {
    const char *t = text.p;
    if (text.n != UUID_TEXT) return false;
    int digits = 0; /* negative: one of them is none */
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        int byte = hex_value(t[uuid_places[i]]) * 16 | hex_value(t[uuid_places[i] + 1]);
        digits |= byte;
        out->b[i] = (uint8_t)byte;
    }
    return digits >= 0 && t[8] == '-' && t[13] == '-' && t[18] == '-' && t[23] == '-';
}

/* 8 bytes to 16 digits in lower case, all at once (SSE2, NEON: the compiler's choice). With it, encoding an
 * event takes a third less time than with a loop over the digits. */
typedef uint8_t uuid_digits __attribute__((vector_size(16)));
static inline uuid_digits uuid_digits_of(const uint8_t bytes[8]) {
    typedef uint8_t v8u8 __attribute__((vector_size(8)));
    typedef uint16_t v8u16 __attribute__((vector_size(16)));
    v8u8 eight;
    memcpy(&eight, bytes, sizeof eight);
    v8u16 pair = __builtin_convertvector(eight, v8u16);
    uuid_digits nibble = (uuid_digits)((pair >> 4 | pair << 8) & 0x0f0f);
    return nibble + '0' + ((uuid_digits)(nibble > 9) & ('a' - '0' - 10));
}

/* Not terminated. */
static inline void uuid_format(const struct uuid *id, char out[UUID_TEXT]) {
    uuid_digits digits[2] = {uuid_digits_of(id->b), uuid_digits_of(id->b + 8)};
    const char *d = (const char *)digits;
    memcpy(out, d, 8);
    memcpy(out + 9, d + 8, 4);
    memcpy(out + 14, d + 12, 4);
    memcpy(out + 19, d + 16, 4);
    memcpy(out + 24, d + 20, 4);
    memcpy(out + 28, d + 24, 8);
    out[8] = out[13] = out[18] = out[23] = '-';
}

/* When it was made, by the clock of whoever made it; ids that are not of version 7 have any time. */
static inline int64_t uuid_ms(const struct uuid *id) {
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id->b[i];
    return ms;
}

/* For tables of ids that services make: nobody can choose them to collide. Of the second half, which is
 * random; seats of an area differ in its last three bytes alone, so each byte reaches all bits. */
static inline uint32_t uuid_hash(const struct uuid *id) {
    uint64_t half;
    memcpy(&half, id->b + 8, sizeof half);
    half = (half ^ half >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)((half ^ half >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static inline bool uuid_eq(const struct uuid *a, const struct uuid *b) {
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}
