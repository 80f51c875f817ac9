#include "sealed.h"

#include <sodium.h>

_Static_assert(SEALED_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "of XChaCha20-Poly1305");
_Static_assert(SEALED_MAC == crypto_aead_xchacha20poly1305_ietf_ABYTES, "of XChaCha20-Poly1305");
_Static_assert(ADMISSION_MAC == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "of XChaCha20-Poly1305");

/* The last byte is the counter of HKDF. No letter's id is as long, so no link tells of it (link.h). */
static void make_key(const struct admission_keys *keys, int n, uint8_t out[ADMISSION_MAC]) {
    static const char about[] = "onsale: secrets of second factors\x01";
    admission_secret(keys, n, (const uint8_t *)about, sizeof about - 1, out);
}

void sealed_write(const struct admission_keys *keys, const struct uuid *user,
                  const uint8_t secret[TOTP_SECRET], uint8_t out[SEALED]) {
    uint8_t key[ADMISSION_MAC];
    make_key(keys, 0, key);
    randombytes_buf(out, SEALED_NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + SEALED_NONCE, NULL, secret, TOTP_SECRET, user->b,
                                               sizeof user->b, NULL, out, key);
    sodium_memzero(key, sizeof key);
}

static bool opens(const struct admission_keys *keys, int n, const struct uuid *user, const uint8_t *sealed,
                  uint8_t secret[TOTP_SECRET]) {
    uint8_t key[ADMISSION_MAC];
    make_key(keys, n, key);
    int st = crypto_aead_xchacha20poly1305_ietf_decrypt(secret, NULL, NULL, sealed + SEALED_NONCE,
                                                        SEALED - SEALED_NONCE, user->b, sizeof user->b,
                                                        sealed, key);
    sodium_memzero(key, sizeof key);
    return st == 0;
}

int sealed_read(const struct admission_keys *keys, const struct uuid *user, struct str sealed,
                uint8_t secret[TOTP_SECRET]) {
    if (sealed.n != SEALED) return -1;
    for (int n = 0; n < admission_keys_count(keys); n++)
        if (opens(keys, n, user, (const uint8_t *)sealed.p, secret)) return n;
    return -1;
}
