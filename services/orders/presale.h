/* presale: codes that let people buy while a show is sold to those who have one, like 7K2M-Q4ZD-0V9X-H3TB: 80
 * bits in Crockford's base 32. Only their hashes are kept: the first half of the SHA-256, as a UUID.
 *
 * The codes of a request follow from a salt, which is kept, and from a key, which is not: so whoever has the
 * key gets the same codes again, and nobody can from what is kept. Any thread; nothing is allocated. */
#pragma once

#include <stdbool.h>

#include "str.h"
#include "uuid.h"

enum { PRESALE_TEXT = 19 };

/* The nth code, not terminated. */
void presale_make(const struct uuid *salt, struct str key, int nth, char out[PRESALE_TEXT]);
/* As people write it: in any case, with or without hyphens and spaces, O for 0, I or L for 1. false: it is no
 * code. */
bool presale_hash(struct str text, struct uuid *out);
/* What is kept of a key. */
struct uuid presale_key_hash(struct str key);
