/* passwords: in which form a password is hashed, and which are too common. Any thread. */
#pragma once

#include <stdbool.h>

#include "arena.h"
#include "str.h"

enum { COMMON_PASSWORDS_BYTES = 256 * 1024 };
extern const unsigned char common_passwords[COMMON_PASSWORDS_BYTES]; /* tools/passwordgen.py */

/* In Unicode's form NFC: the same letters are the same password, whatever the keyboard makes of them. In the
 * arena, or the same text if it is so already. */
struct str passwords_normal(struct arena *arena, struct str password);
/* Whether it is among the 100,000 most common ones, in any letter case. One in 21,000 others seems to be. */
bool passwords_is_common(struct str normal);
