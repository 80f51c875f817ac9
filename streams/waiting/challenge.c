#include "challenge.h"

#include <sodium.h>

int64_t challenge_bits;

static int zero_bits(const uint8_t hash[32]) {
    int bits = 0;
    while (bits < 8 * 32 && (hash[bits / 8] >> (7 - bits % 8) & 1) == 0)
        bits++;
    return bits;
}

bool challenge_is_met(const uint8_t seed_hash[32], const struct uuid *user, struct str proof) {
    uint8_t hash[32];
    crypto_hash_sha256_state state;
    if (challenge_bits == 0) return true;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, seed_hash, 32);
    crypto_hash_sha256_update(&state, user->b, sizeof user->b);
    crypto_hash_sha256_update(&state, (const uint8_t *)proof.p, proof.n);
    crypto_hash_sha256_final(&state, hash);
    return zero_bits(hash) >= challenge_bits;
}
