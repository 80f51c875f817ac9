#include "recovery.h"

#include <ctype.h>
#include <sodium.h>

enum { LETTERS = 16, GROUP = 4 };

/* Of base32 (RFC 4648): none looks like another. */
static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

void recovery_make(char out[RECOVERY_TEXT]) {
    char *end = out;
    for (int i = 0; i < LETTERS; i++) {
        if (i > 0 && i % GROUP == 0) *end++ = '-';
        *end++ = letters[randombytes_uniform(sizeof letters - 1)];
    }
    *end = '\0';
}

bool recovery_hash(const struct uuid *user, struct str typed, uint8_t out[RECOVERY_HASH]) {
    char code[LETTERS];
    size_t n = 0;
    for (size_t i = 0; i < typed.n; i++) {
        int c = tolower((unsigned char)typed.p[i]);
        if (c == '-' || c == ' ') continue;
        if (n == LETTERS || c == '\0' || strchr(letters, c) == NULL) return false;
        code[n++] = (char)c;
    }
    if (n < LETTERS) return false;
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, user->b, sizeof user->b);
    crypto_hash_sha256_update(&state, (const unsigned char *)code, sizeof code);
    crypto_hash_sha256_final(&state, out);
    sodium_memzero(code, sizeof code);
    return true;
}
