/* What is shown at a door is read before anything is known of it. */
#include <stdlib.h>
#include <unistd.h>

#include "codes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct codes *open_codes(void) {
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
                              "-----END PRIVATE KEY-----\n";
    char path[] = "/tmp/onsale-code-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, pem, sizeof pem - 1) < 0) abort();
    close(fd);
    struct why w;
    struct codes *codes = codes_open(path, &w);
    unlink(path);
    if (codes == NULL) abort();
    return codes;
}

/* As it is, and as the bytes of a code: a fuzzer finds no base64 by itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct codes *codes;
    if (codes == NULL) codes = open_codes();
    struct code code;
    char *text = malloc(size == 0 ? 1 : size); /* of its own, so that reading beyond it is seen */
    memcpy(text, data, size);
    codes_read(codes, (struct str){text, size}, &code);
    free(text);
    text = malloc(BASE64_TEXT(size));
    size_t n = base64_encode(data, size, text);
    if (codes_read(codes, (struct str){text, n}, &code) == CODE_GENUINE) { /* of the corpus alone */
        char again[CODE_TEXT];
        if (codes_sign(codes, &code, again) != n || memcmp(text, again, n) != 0) abort();
    }
    free(text);
    return 0;
}
