/* A form with a file in it: what is found lies within it. */
#include <stdint.h>
#include <stdlib.h>

#include "multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first line is the content type, so that a fuzzer can change the boundary, too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size == 0 ? 1 : size); /* of its own, so that reading beyond it is seen */
    memcpy(text, data, size);
    const char *end = size == 0 ? NULL : memchr(text, '\n', size);
    size_t first = end == NULL ? size : (size_t)(end - text) + 1;
    struct str type = {text, end == NULL ? size : first - 1}, body = {text + first, size - first}, found;
    if (multipart_find(type, body, "picture", &found) &&
        (found.p < body.p || found.p + found.n > body.p + body.n))
        abort();
    free(text);
    return 0;
}
