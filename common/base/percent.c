#include "percent.h"

#include <stdbool.h>

#include "arena.h"
#include "hex.h"

static bool stays(unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void percent_encode(struct buf *out, struct str text) {
    static const char digits[] = "0123456789ABCDEF";
    if (text.n == 0) return;
    buf_reserve(out, 3 * text.n);
    uint8_t *p = out->data + out->len;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (stays(c)) {
            *p++ = c;
        } else {
            *p++ = '%';
            *p++ = (uint8_t)digits[c >> 4];
            *p++ = (uint8_t)digits[c & 15];
        }
    }
    out->len = (size_t)(p - out->data);
}

struct str percent_decode(struct arena *arena, struct str text) {
    char *out = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '+')
            c = ' ';
        else if (c == '%' && i + 2 < text.n && hex_value(text.p[i + 1]) >= 0 &&
                 hex_value(text.p[i + 2]) >= 0) {
            c = (char)(hex_value(text.p[i + 1]) << 4 | hex_value(text.p[i + 2]));
            i += 2;
        }
        out[n++] = c;
    }
    return (struct str){out, n};
}
