#include "presale.h"

#include <sodium.h>

enum { DIGITS = 16, GROUP = 4 };

/* Without I, L, O and U (Crockford's). */
static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void presale_make(const struct uuid *salt, struct str key, int nth, char out[PRESALE_TEXT]) {
    uint8_t number[4] = {(uint8_t)(nth >> 24), (uint8_t)(nth >> 16), (uint8_t)(nth >> 8), (uint8_t)nth};
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, salt->b, sizeof salt->b);
    crypto_auth_hmacsha256_update(&state, number, sizeof number);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)key.p, key.n);
    crypto_auth_hmacsha256_final(&state, mac);
    for (int i = 0; i < DIGITS; i++) {
        if (i > 0 && i % GROUP == 0) *out++ = '-';
        *out++ = digits[mac[i] & 31];
    }
}

static char digit_of(char c) {
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    if (c == 'O') return '0';
    if (c == 'I' || c == 'L') return '1';
    if (c == '\0' || strchr(digits, c) == NULL) return '\0';
    return c;
}

static struct uuid hash_of(struct str text) {
    uint8_t hash[crypto_hash_sha256_BYTES];
    struct uuid id;
    crypto_hash_sha256(hash, (const uint8_t *)text.p, text.n);
    memcpy(id.b, hash, sizeof id.b);
    return id;
}

bool presale_hash(struct str text, struct uuid *out) {
    char code[DIGITS];
    int n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '-' || text.p[i] == ' ') continue;
        char digit = digit_of(text.p[i]);
        if (digit == '\0' || n == DIGITS) return false;
        code[n++] = digit;
    }
    if (n < DIGITS) return false;
    *out = hash_of((struct str){code, DIGITS});
    return true;
}

struct uuid presale_key_hash(struct str key) {
    return hash_of(key);
}
