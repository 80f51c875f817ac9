#include "stripe.h"

/* Currencies that have no minor unit any more, in which Stripe counts hundredths all the same. */
int64_t stripe_amount(int64_t minor, const char *currency) {
    return strcmp(currency, "ISK") == 0 || strcmp(currency, "UGX") == 0 ? minor * 100 : minor;
}
