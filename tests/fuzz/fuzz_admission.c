/* An admission comes from whoever asks to buy: it is read before anything is known of it. */
#include <stdlib.h>
#include <unistd.h>

#include "admission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct admission_keys *open_keys(void) {
    static const char key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    char path[] = "/tmp/onsale-keys-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, key, sizeof key - 1) < 0) abort();
    close(fd);
    struct why w;
    struct admission_keys *keys = admission_keys_open(path, &w);
    unlink(path);
    if (keys == NULL) abort();
    return keys;
}

static void read_one(const struct admission_keys *keys, struct str text) {
    struct admission a;
    char again[ADMISSION_TEXT];
    if (!admission_read(keys, text, &a)) return;
    if (admission_sign(keys, &a, again) != text.n || memcmp(again, text.p, text.n) != 0) abort();
}

/* As it is, and as the bytes of a token: a fuzzer finds no base64 by itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct admission_keys *keys;
    if (keys == NULL) keys = open_keys();
    char *text = malloc(size == 0 ? 1 : size); /* of its own, so that reading beyond it is seen */
    memcpy(text, data, size);
    read_one(keys, (struct str){text, size});
    free(text);
    text = malloc(BASE64_TEXT(size));
    size_t n = base64_encode(data, size, text);
    read_one(keys, (struct str){text, n});
    free(text);
    return 0;
}
