/* The reader of Cookie headers: what it finds lies within the header and holds no separator. */
#include <assert.h>
#include <stdlib.h>

#include "priv/req_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *exact = malloc(size); /* so that a read behind the end is seen */
    if (size > 0) memcpy(exact, data, size);
    bool found = false;
    struct str value = req_cookie((struct str){exact, size}, STR("session"), &found);
    if (found && value.n > 0) {
        assert(value.p >= exact + sizeof "session" && value.p + value.n <= exact + size);
        assert(memchr(value.p, ';', value.n) == NULL);
    }
    free(exact);
    return 0;
}
