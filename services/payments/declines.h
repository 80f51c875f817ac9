/* declines: why a payment failed, for the buyer: from Stripe's code to plain words. */
#pragma once

#include "str.h"

/* A sentence without its end. reason may be empty, or a code that is not known here. */
const char *decline_words(struct str reason);
