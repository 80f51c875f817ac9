/* What is done to a picture before and around the libraries that decode it, and these as they are used. */
#include <stdlib.h>

#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct picture_made made;
    struct buf out = {0};
    char *sent = malloc(size == 0 ? 1 : size);
    memcpy(sent, data, size);
    if (picture_make((struct str){sent, size}, &made, &out) == PICTURE_DONE && made.count == 0) abort();
    buf_free(&out);
    free(sent);
    return 0;
}
