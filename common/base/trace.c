#include "trace.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#include "hex.h"

enum { TRACE_AT = 3, TRACE_N = 32, SPAN_AT = 36, SPAN_N = 16, FLAGS_AT = 53 };

/* Ids need to differ, not to be secret: xorshift64* from a random start. */
static uint64_t random_bits(void) {
    static _Thread_local uint64_t x;
    while (x == 0)
        if (getrandom(&x, sizeof x, 0) != (ssize_t)sizeof x) abort();
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    return x * 0x2545f4914f6cdd1du;
}

/* The standard has them in lower case only. */
static bool is_hex(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (hex_value(p[i]) < 0 || (p[i] >= 'A' && p[i] <= 'F')) return false;
    return true;
}

static bool all_zero(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != '0') return false;
    return true;
}

/* A later version may have more behind; what it has in front is read like version 00. */
bool trace_valid(struct str s) {
    if (s.n < TRACE_TEXT || !is_hex(s.p, 2) || memcmp(s.p, "ff", 2) == 0) return false;
    if (s.n > TRACE_TEXT && (memcmp(s.p, "00", 2) == 0 || s.p[TRACE_TEXT] != '-')) return false;
    return s.p[2] == '-' && s.p[SPAN_AT - 1] == '-' && s.p[FLAGS_AT - 1] == '-' &&
           is_hex(s.p + TRACE_AT, TRACE_N) && is_hex(s.p + SPAN_AT, SPAN_N) && is_hex(s.p + FLAGS_AT, 2) &&
           !all_zero(s.p + TRACE_AT, TRACE_N) && !all_zero(s.p + SPAN_AT, SPAN_N);
}

void trace_start(struct str caller, char out[TRACE_TEXT]) {
    memcpy(out, "00-", 3);
    if (trace_valid(caller)) {
        memcpy(out + TRACE_AT, caller.p + TRACE_AT, TRACE_N);
        memcpy(out + FLAGS_AT, caller.p + FLAGS_AT, 2);
    } else {
        hex_number(out + TRACE_AT, random_bits(), 16);
        hex_number(out + TRACE_AT + 16, random_bits(), 16);
        memcpy(out + FLAGS_AT, "01", 2);
    }
    hex_number(out + SPAN_AT, random_bits(), SPAN_N);
    out[SPAN_AT - 1] = out[FLAGS_AT - 1] = '-';
}
