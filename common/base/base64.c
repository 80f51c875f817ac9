#include "base64.h"

#include <sodium.h>

size_t base64_encode(const uint8_t *bytes, size_t n, char *out) {
    size_t room = sodium_base64_encoded_len(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_bin2base64(out, room, bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return room - 1;
}

/* libsodium 1.0.18 takes bytes from 0x80 on for letters where char is signed: 0xff is read as '_'. */
static bool is_ascii(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] >= 0x80) return false;
    return true;
}

bool base64_decode(struct str text, uint8_t *out, size_t cap, size_t *n) {
    const char *end = NULL;
    *n = 0;
    if (text.n == 0) return true; /* its pointer may be NULL */
    return is_ascii(text) &&
           sodium_base642bin(out, cap, text.p, text.n, NULL, n, &end,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           end == text.p + text.n;
}
