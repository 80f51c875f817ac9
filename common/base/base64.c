#include "base64.h"

#include <sodium.h>

size_t base64_encode(const uint8_t *bytes, size_t n, char *out) {
    size_t room = sodium_base64_encoded_len(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_bin2base64(out, room, bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return room - 1;
}

bool base64_decode(struct str text, uint8_t *out, size_t cap, size_t *n) {
    const char *end = NULL;
    return sodium_base642bin(out, cap, text.p, text.n, NULL, n, &end,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           end == text.p + text.n;
}
