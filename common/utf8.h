/* utf8: what is text here: valid UTF-8 (RFC 3629) without NUL, which Postgres cannot keep. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

bool utf8_valid(struct str s);
size_t utf8_length(struct str valid); /* characters (code points) */
