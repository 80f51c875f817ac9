/* cards: Stripe's test cards, and how a payment with each ends. Tables; any thread. */
#pragma once

#include "str.h"

/* Why a payment failed, in Stripe's words. */
struct failure {
    const char *name; /* ours; kept in the database */
    const char *type, *code;
    const char *decline_code; /* NULL: the bank was not asked */
    const char *message;
};

struct card {
    const char *name; /* pm_card_NAME, tok_NAME */
    const char *brand, *last4;
    const struct failure *failure; /* NULL: the bank agrees */
    bool authenticate;             /* before that, 3-D Secure */
};

extern const struct failure card_failure_authentication; /* 3-D Secure, not passed */
extern const struct failure card_failure_not_now; /* 3-D Secure needed where the buyer is not present */

enum { FINGERPRINT_TEXT = 17 };
void card_fingerprint(const struct card *card, char out[FINGERPRINT_TEXT]); /* of its number; terminated */
/* The card that a payment method (pm_card_visa) or a token (tok_visa) stands for; NULL: none. */
const struct card *card_of(struct str method);
const struct failure *card_failure_of(struct str name); /* NULL for an empty name */
