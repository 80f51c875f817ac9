#include "encode.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

static void put_escaped(struct buf *out, struct str s) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~')
            buf_add(out, &c, 1);
        else
            buf_add(out, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
}

void encode_text(struct buf *out, const char *key, struct str value) {
    if (out->len > 0) buf_add(out, "&", 1);
    put_escaped(out, str_of(key));
    buf_add(out, "=", 1);
    put_escaped(out, value);
}

void encode_int(struct buf *out, const char *key, int64_t value) {
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRId64, value);
    encode_text(out, key, (struct str){text, (size_t)n});
}
