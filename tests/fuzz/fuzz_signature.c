/* The header Stripe-Signature is read before anything else of a webhook, by whoever sends one. */
#include <stdlib.h>

#include "signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct signature_secrets secrets;
    if (!signature_secrets_parse("whsec_one,whsec_two", &secrets)) abort();
    /* A copy of its own, so that reading beyond it is seen. */
    char *header = malloc(size == 0 ? 1 : size);
    memcpy(header, data, size);
    /* Nobody finds a signature by chance. */
    if (signature_check(&secrets, (struct str){header, size}, STR("{\"id\":\"evt_1\"}"), 1700000000) == NULL)
        abort();
    free(header);
    return 0;
}
