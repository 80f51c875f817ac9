#include "priv/session_priv.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_encode(const uint8_t *bytes, size_t n, char *out) {
    char *o = out;
    size_t i = 0;
    for (; i + 3 <= n; i += 3) {
        uint32_t v = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *o++ = alphabet[v >> shift & 63];
    }
    if (n - i == 1) {
        *o++ = alphabet[bytes[i] >> 2];
        *o++ = alphabet[(bytes[i] & 3) << 4];
    } else if (n - i == 2) {
        *o++ = alphabet[bytes[i] >> 2];
        *o++ = alphabet[(bytes[i] & 3) << 4 | bytes[i + 1] >> 4];
        *o++ = alphabet[(bytes[i + 1] & 15) << 2];
    }
    return (size_t)(o - out);
}

static int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    if (c == '_') return 63;
    return -1;
}

bool base64url_decode(struct str text, uint8_t *out, size_t cap, size_t *n) {
    size_t length = text.n / 4 * 3 + (text.n % 4 == 0 ? 0 : text.n % 4 - 1);
    if (text.n % 4 == 1 || length > cap) return false;
    uint32_t bits = 0;
    int held = 0; /* bits read and not written */
    size_t o = 0;
    for (size_t i = 0; i < text.n; i++) {
        int v = value_of(text.p[i]);
        if (v < 0) return false;
        bits = bits << 6 | (uint32_t)v;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[o++] = (uint8_t)(bits >> held);
        }
    }
    if ((bits & ((1U << held) - 1)) != 0) return false;
    *n = o;
    return true;
}
