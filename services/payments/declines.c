#include "declines.h"

#include <stddef.h>

static const char generic[] =
    "Your bank declined the payment; check the card's details, try another card or ask your bank";

/* In the order of the alphabet, for people: the table is read once a declined payment. Whoever tries out
 * stolen cards would learn from all that banks say of a card: which number, date or code is right, whether
 * there is money, that it is reported. So only what says nothing of the card has words of its own. */
static const struct {
    const char *code, *words;
} table[] = {
    {"amount_too_large", "The amount is more than this payment method may be charged"},
    {"amount_too_small", "The amount is less than the smallest that can be charged"},
    {"authentication_required", "Your bank wants you to confirm the payment; try again and confirm it"},
    {"canceled", "The payment was cancelled"},
    {"card_not_supported", "This card cannot be used for such a purchase"},
    {"currency_not_supported", "This card cannot be charged in this currency"},
    {"invalid_amount", "The amount is not valid, or more than the card may be charged"},
    {"invalid_token", "This payment method cannot be charged: it is not known, or was used before"},
    {"issuer_not_available", "Your bank could not be reached; try again in a moment"},
    {"order_ended", "This order ended before the payment was made"},
    {"payment_intent_authentication_failure", "The payment was not confirmed with your bank"},
    {"processing_error", "Something went wrong while the card was charged; try again in a moment"},
    {"reenter_transaction", "Something went wrong at your bank; try again"},
    {"replaced", "Another payment method was tried instead"},
    {"testmode_decline", "This is a test card; use a real one"},
    {"try_again_later", "Your bank declined the payment for now; try again later"},
};

static const char *words_of(struct str reason) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (str_eq(reason, str_of(table[i].code))) return table[i].words;
    return NULL;
}

const char *decline_words(struct str reason) {
    const char *words = words_of(reason);
    return words == NULL ? generic : words;
}

struct str decline_reason(struct str reason) {
    return words_of(reason) == NULL ? STR("card_declined") : reason;
}
