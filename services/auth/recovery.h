/* recovery: the codes by which one gets in whose device for the second factor is lost. Each is 80 random
 * bits, so a hash without salt or work is enough; only that is kept. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "str.h"
#include "uuid.h"

enum {
    RECOVERY_CODES = 10,
    RECOVERY_TEXT = 20, /* four groups of four letters, terminated */
    RECOVERY_HASH = 32,
};

void recovery_make(char out[RECOVERY_TEXT]);
/* As it was typed: in any letter case, with or without what separates its groups. false: it cannot be one. */
bool recovery_hash(const struct uuid *user, struct str typed, uint8_t out[RECOVERY_HASH]);
