/* hex: bytes as hexadecimal digits. Writes lower case, reads both. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

static const char hex_digits[] = "0123456789abcdef";

/* The value of each character; -1: not a digit. A table, because ids are read in every record and request. */
extern const int8_t hex_values[256];

static inline int hex_value(char digit) {
    return hex_values[(unsigned char)digit];
}

/* Returns where the 2 * n digits end; not terminated. */
static inline char *hex_encode(const uint8_t *bytes, size_t n, char *out) {
    for (size_t i = 0; i < n; i++) {
        *out++ = hex_digits[bytes[i] >> 4];
        *out++ = hex_digits[bytes[i] & 15];
    }
    return out;
}

/* The last `digits` digits of v; returns where they end. */
static inline char *hex_number(char *out, uint64_t v, int digits) {
    for (int i = digits - 1; i >= 0; i--, v >>= 4)
        out[i] = hex_digits[v & 15];
    return out + digits;
}

/* false: text is not 2 * n digits. */
static inline bool hex_decode(struct str text, uint8_t *out, size_t n) {
    if (text.n != 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
