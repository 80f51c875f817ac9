/* utf8: what counts as text: valid UTF-8 (RFC 3629) without NUL, which Postgres cannot store. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

bool utf8_valid(struct str s);
size_t utf8_length(struct str valid); /* characters (code points) */
/* The length of the multi-byte sequence at p, of which n bytes are there; 0 if it is none. */
size_t utf8_sequence(const unsigned char *p, size_t n);
