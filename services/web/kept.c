#include "kept.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "base64.h"
#include "clock.h"
#include "csrf.h"

enum {
    KEPT_S = 600,
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    MAC = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    KEY = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
};

#define ABOUT STR("the password of who signs in")

/* The nonce, and what is sealed: until when it is good, and the password. */
struct str kept_write(struct req *rq, struct str password) {
    unsigned char key[KEY];
    int64_t until_s = clock_wall_us() / 1000000 + KEPT_S;
    size_t n = sizeof until_s + password.n;
    unsigned char *plain = req_alloc(rq, n), *sealed = req_alloc(rq, NONCE + n + MAC);
    char *text = req_alloc(rq, BASE64_TEXT(NONCE + n + MAC));
    memcpy(plain, &until_s, sizeof until_s);
    memcpy(plain + sizeof until_s, password.p, password.n);
    if (!csrf_key(rq, ABOUT, key)) return (struct str){0};
    randombytes_buf(sealed, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE, NULL, plain, n, NULL, 0, NULL, sealed, key);
    sodium_memzero(key, sizeof key);
    sodium_memzero(plain, n);
    base64_encode(sealed, NONCE + n + MAC, text);
    return str_of(text);
}

bool kept_read(struct req *rq, struct str text, struct str *password) {
    unsigned char key[KEY], *sealed = req_alloc(rq, text.n), *plain = req_alloc(rq, text.n);
    unsigned long long n;
    size_t bytes;
    int64_t until_s;
    if (!base64_decode(text, sealed, text.n, &bytes) || bytes < NONCE + MAC + sizeof until_s ||
        !csrf_key(rq, ABOUT, key))
        return false;
    int st = crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &n, NULL, sealed + NONCE, bytes - NONCE, NULL,
                                                        0, sealed, key);
    sodium_memzero(key, sizeof key);
    if (st != 0) return false;
    memcpy(&until_s, plain, sizeof until_s);
    *password = (struct str){(const char *)plain + sizeof until_s, n - sizeof until_s};
    return until_s > clock_wall_us() / 1000000;
}
