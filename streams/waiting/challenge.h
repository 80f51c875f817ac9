/* challenge: work that joining a queue can cost, so that a thousand accounts cost a thousand times as much as
 * one. Whoever joins finds a text (his proof), so that SHA-256 of the hash of the round's seed (32 bytes),
 * his user id (16) and the text begins with so many zero bits. One hash checks it, and nothing is kept of it.
 * It serves him alone, in this round alone, and nobody can begin before the round is announced. */
#pragma once

#include "str.h"
#include "uuid.h"

enum { CHALLENGE_MOST = 32, CHALLENGE_TEXT = 64 };

extern int64_t challenge_bits; /* 0: no challenge */

bool challenge_is_met(const uint8_t seed_hash[32], const struct uuid *user, struct str proof);
