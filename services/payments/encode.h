/* encode: writes application/x-www-form-urlencoded, a field at a time. */
#pragma once

#include "mem.h"

/* key is a literal of letters, digits, _ and [], which is how Stripe nests. */
void encode_text(struct buf *out, const char *key, struct str value);
void encode_int(struct buf *out, const char *key, int64_t value);
