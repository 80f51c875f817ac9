/* signature: checks the signature of a webhook, the header Stripe-Signature: "t=SECONDS,v1=HEX,v1=HEX". Any
 * thread. */
#pragma once

#include "str.h"

#include <stdint.h>

enum { SIGNATURE_TOLERANCE_S = 300, SIGNATURE_SECRETS = 2 };

/* One secret, or two while they are exchanged. */
struct signature_secrets {
    struct str secrets[SIGNATURE_SECRETS];
    int count;
};

/* "whsec_a,whsec_b"; the texts stay where they are. false: none, more than two, or an empty one. */
bool signature_secrets_parse(const char *list, struct signature_secrets *out);
/* NULL: the body is signed by one of the secrets, within the tolerance of now. Else why not, for people. The
 * time it takes does not depend on how much of a signature is right. */
const char *signature_check(const struct signature_secrets *secrets, struct str header, struct str body,
                            int64_t now_s);
