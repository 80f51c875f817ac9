/* base64: base64url without padding, as JWTs have it, by libsodium. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

/* Room for n bytes encoded, and the NUL. */
#define BASE64_TEXT(n) ((n) / 3 * 4 + 5)

size_t base64_encode(const uint8_t *bytes, size_t n, char *out); /* returns the length; terminated */
/* Strict: no padding, no other characters, and the unused bits of the last one are zero, so that no two texts
 * mean the same bytes. false: text is not that, or needs more than cap bytes. */
bool base64_decode(struct str text, uint8_t *out, size_t cap, size_t *n);
