#include "declines.h"

#include <stddef.h>

static const char generic[] =
    "Your bank declined the payment, without telling why; try another card or ask your bank";

/* In the order of the alphabet, for people: the table is read once a declined payment. What a thief should
 * not be told (lost_card, stolen_card, fraudulent …) has no words of its own, as Stripe asks. */
static const struct {
    const char *code, *words;
} table[] = {
    {"amount_too_large", "The amount is more than this payment method may be charged"},
    {"amount_too_small", "The amount is less than the smallest that can be charged"},
    {"approve_with_id", "The payment could not be authorized; try again, or ask your bank"},
    {"authentication_required", "Your bank wants you to confirm the payment; try again and confirm it"},
    {"call_issuer", "Your bank declined the payment; ask your bank why"},
    {"canceled", "The payment was cancelled"},
    {"card_not_supported", "This card cannot be used for such a purchase"},
    {"card_velocity_exceeded", "The card is over its limit; try another card"},
    {"currency_not_supported", "This card cannot be charged in this currency"},
    {"do_not_honor", "Your bank declined the payment; ask your bank why"},
    {"do_not_try_again", "Your bank declined the payment; ask your bank why"},
    {"expired_card", "The card has expired; try another card"},
    {"incorrect_address", "The address is not the card's"},
    {"incorrect_cvc", "The security code is not the card's"},
    {"incorrect_number", "The card number is wrong"},
    {"incorrect_zip", "The postal code is not the card's"},
    {"insufficient_funds", "There is not enough money on the card"},
    {"invalid_account", "The card, or its account, is not valid; ask your bank"},
    {"invalid_amount", "The amount is not valid, or more than the card may be charged"},
    {"invalid_token", "This payment method cannot be charged: it is not known, or was used before"},
    {"invalid_cvc", "The security code is not valid"},
    {"invalid_expiry_month", "The card's month of expiry is not valid"},
    {"invalid_expiry_year", "The card's year of expiry is not valid"},
    {"invalid_number", "The card number is not valid"},
    {"issuer_not_available", "Your bank could not be reached; try again in a moment"},
    {"new_account_information_available", "The card, or its account, is not valid; ask your bank"},
    {"no_action_taken", "Your bank declined the payment; ask your bank why"},
    {"not_permitted", "Your bank does not permit this payment"},
    {"offline_pin_required", "The card wants its PIN, which cannot be given here"},
    {"online_or_offline_pin_required", "The card wants its PIN, which cannot be given here"},
    {"order_ended", "This order ended before the payment was made"},
    {"payment_intent_authentication_failure", "The payment was not confirmed with your bank"},
    {"pin_try_exceeded", "The PIN was wrong too often; try another card"},
    {"processing_error", "Something went wrong while the card was charged; try again in a moment"},
    {"reenter_transaction", "Something went wrong at your bank; try again"},
    {"replaced", "Another payment method was tried instead"},
    {"testmode_decline", "This is a test card; use a real one"},
    {"transaction_not_allowed", "Your bank does not allow this payment"},
    {"try_again_later", "Your bank declined the payment for now; try again later"},
    {"withdrawal_count_limit_exceeded", "The card is over its limit; try another card"},
};

const char *decline_words(struct str reason) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (str_eq(reason, str_of(table[i].code))) return table[i].words;
    return generic;
}
