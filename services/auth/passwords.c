#include "passwords.h"

#include <sodium.h>
#include <stdlib.h>
#include <utf8proc.h>

enum { PIECE_BITS = 21, PIECES = 12 };
_Static_assert(1 << PIECE_BITS == COMMON_PASSWORDS_BYTES * 8, "a piece names a bit");

static bool is_ascii(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80) return false;
    return true;
}

struct str passwords_normal(struct arena *arena, struct str password) {
    utf8proc_uint8_t *text;
    if (is_ascii(password)) return password;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)password.p, (utf8proc_ssize_t)password.n,
                                      &text, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n < 0) return password; /* no text: it was looked at when it came in */
    struct str normal = arena_str(arena, (struct str){(const char *)text, (size_t)n});
    free(text);
    return normal;
}

/* The nth piece of a hash, from the left. */
static unsigned piece_of(const uint8_t hash[crypto_hash_sha256_BYTES], int n) {
    unsigned piece = 0;
    for (int bit = n * PIECE_BITS; bit < (n + 1) * PIECE_BITS; bit++)
        piece = piece << 1 | (hash[bit / 8] >> (7 - bit % 8) & 1u);
    return piece;
}

bool passwords_is_common(struct str normal) {
    crypto_hash_sha256_state state;
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < normal.n; i++) {
        char c = normal.p[i];
        uint8_t small = (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        crypto_hash_sha256_update(&state, &small, 1);
    }
    crypto_hash_sha256_final(&state, hash);
    for (int n = 0; n < PIECES; n++) {
        unsigned piece = piece_of(hash, n);
        if ((common_passwords[piece >> 3] >> (piece & 7) & 1) == 0) return false;
    }
    return true;
}
