/* declines: the reason of a failed payment in plain words for the buyer, from Stripe's code. A table; any
 * thread. */
#pragma once

#include "str.h"

/* A sentence without its end. reason may be empty, or a code that is not known here. */
const char *decline_words(struct str reason);
/* What the buyer's programs are told: the reason, or card_declined. */
struct str decline_reason(struct str reason);
