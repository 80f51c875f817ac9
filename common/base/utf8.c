#include "utf8.h"

#include <stdint.h>

/* The range of the second byte excludes overlong forms, surrogates and what is past U+10FFFF. */
size_t utf8_sequence(const unsigned char *p, size_t n) {
    unsigned char low = 0x80, high = 0xbf;
    size_t length;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        length = 2;
    else if ((p[0] & 0xf0) == 0xe0) {
        length = 3;
        if (p[0] == 0xe0) low = 0xa0;
        if (p[0] == 0xed) high = 0x9f;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        length = 4;
        if (p[0] == 0xf0) low = 0x90;
        if (p[0] == 0xf4) high = 0x8f;
    } else
        return 0;
    if (n < length || p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return length;
}

/* Eight bytes of ASCII without NUL: nearly all text, so nearly all of the time is spent here. */
static bool plain8(const unsigned char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return ((v | (v - 0x0101010101010101u)) & 0x8080808080808080u) == 0;
}

bool utf8_valid(struct str s) {
    if (s.n == 0) return true; /* s.p may be NULL */
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
    while (p < end) {
        if (end - p >= 8 && plain8(p))
            p += 8;
        else if (*p >= 1 && *p < 0x80)
            p++;
        else {
            size_t n = utf8_sequence(p, (size_t)(end - p));
            if (n == 0) return false;
            p += n;
        }
    }
    return true;
}

size_t utf8_length(struct str valid) {
    size_t n = 0;
    for (size_t i = 0; i < valid.n; i++)
        n += ((unsigned char)valid.p[i] & 0xc0) != 0x80;
    return n;
}
