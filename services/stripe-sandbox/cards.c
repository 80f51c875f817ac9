#include "cards.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

static const struct failure failures[] = {
    {"generic_decline", "card_error", "card_declined", "generic_decline", "Your card was declined."},
    {"insufficient_funds", "card_error", "card_declined", "insufficient_funds",
     "Your card has insufficient funds."},
    {"lost_card", "card_error", "card_declined", "lost_card", "Your card was declined."},
    {"stolen_card", "card_error", "card_declined", "stolen_card", "Your card was declined."},
    {"fraudulent", "card_error", "card_declined", "fraudulent", "Your card was declined."},
    {"velocity", "card_error", "card_declined", "card_velocity_exceeded",
     "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."},
    {"expired_card", "card_error", "expired_card", "expired_card", "Your card has expired."},
    {"incorrect_cvc", "card_error", "incorrect_cvc", "incorrect_cvc",
     "Your card's security code is incorrect."},
    {"processing_error", "card_error", "processing_error", "processing_error",
     "An error occurred while processing your card. Try again in a little bit."},
};

const struct failure card_failure_authentication = {
    "authentication", "invalid_request_error", "payment_intent_authentication_failure", NULL,
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
    "PaymentMethod to attempt to fulfill this PaymentIntent again."};
const struct failure card_failure_not_now = {
    "authentication_required", "card_error", "authentication_required", "authentication_required",
    "Your card was declined. This transaction requires authentication."};

enum { GENERIC, FUNDS, LOST, STOLEN, FRAUD, VELOCITY, EXPIRED, CVC, PROCESSING, FAILURES };
static_assert(sizeof failures / sizeof *failures == FAILURES, "a name for each");

static const struct card cards[] = {
    {"visa", "visa", "4242", NULL, false},
    {"visa_debit", "visa", "5556", NULL, false},
    {"mastercard", "mastercard", "4444", NULL, false},
    {"mastercard_debit", "mastercard", "3222", NULL, false},
    {"mastercard_prepaid", "mastercard", "5100", NULL, false},
    {"amex", "amex", "8431", NULL, false},
    {"discover", "discover", "1117", NULL, false},
    {"diners", "diners", "0004", NULL, false},
    {"jcb", "jcb", "0505", NULL, false},
    {"unionpay", "unionpay", "0005", NULL, false},
    {"threeDSecureOptional", "visa", "3055", NULL, false},
    {"chargeDeclined", "visa", "0002", &failures[GENERIC], false},
    {"chargeCustomerFail", "visa", "0341", &failures[GENERIC], false},
    {"chargeDeclinedInsufficientFunds", "visa", "9995", &failures[FUNDS], false},
    {"chargeDeclinedLostCard", "visa", "9987", &failures[LOST], false},
    {"chargeDeclinedStolenCard", "visa", "9979", &failures[STOLEN], false},
    {"chargeDeclinedFraudulent", "visa", "0019", &failures[FRAUD], false},
    {"chargeDeclinedVelocityLimitExceeded", "visa", "6975", &failures[VELOCITY], false},
    {"chargeDeclinedExpiredCard", "visa", "0069", &failures[EXPIRED], false},
    {"chargeDeclinedIncorrectCvc", "visa", "0127", &failures[CVC], false},
    {"chargeDeclinedProcessingError", "visa", "0119", &failures[PROCESSING], false},
    {"authenticationRequired", "visa", "3184", NULL, true},
    {"threeDSecureRequired", "visa", "3063", NULL, true},
    {"threeDSecure2Required", "visa", "3220", NULL, true},
    {"threeDSecureRequiredChargeDeclined", "visa", "1629", &failures[GENERIC], true},
    {"authenticationRequiredChargeDeclinedInsufficientFunds", "visa", "8260", &failures[FUNDS], true},
};

static bool strip(struct str *s, struct str prefix) {
    if (s->n <= prefix.n || memcmp(s->p, prefix.p, prefix.n) != 0) return false;
    *s = (struct str){s->p + prefix.n, s->n - prefix.n};
    return true;
}

static const struct card *find(struct str name) {
    for (size_t i = 0; i < sizeof cards / sizeof *cards; i++)
        if (str_eq(name, str_of(cards[i].name))) return &cards[i];
    return NULL;
}

const struct card *card_of(struct str method) {
    if (!strip(&method, STR("pm_card_")) && !strip(&method, STR("tok_"))) return NULL;
    const struct card *card = find(method);
    /* Stripe has pm_card_visa_chargeDeclined beside pm_card_chargeDeclinedExpiredCard */
    if (card == NULL && strip(&method, STR("visa_"))) card = find(method);
    return card;
}

/* Each card of the table has a number of its own, which its last digits stand for. */
void card_fingerprint(const struct card *card, char out[FINGERPRINT_TEXT]) {
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    for (const char *p = card->last4; *p != '\0'; p++)
        hash = (hash ^ (uint8_t)*p) * 0x100000001b3;
    snprintf(out, FINGERPRINT_TEXT, "%016" PRIx64, hash);
}

const struct failure *card_failure_of(struct str name) {
    if (name.n == 0) return NULL;
    if (str_eq(name, str_of(card_failure_authentication.name))) return &card_failure_authentication;
    if (str_eq(name, str_of(card_failure_not_now.name))) return &card_failure_not_now;
    for (size_t i = 0; i < FAILURES; i++)
        if (str_eq(name, str_of(failures[i].name))) return &failures[i];
    return NULL;
}
