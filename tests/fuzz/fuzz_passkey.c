/* What an authenticator says comes from whoever has a session, or wants one. The hash of the site's name and
 * the flags are put right, as a fuzzer finds no hash by itself. Nobody signs in by what was made up. */
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "buf.h"
#include "passkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HASH = crypto_hash_sha256_BYTES, PRESENT_AND_KNOWN = 5 };
static const char host[] = "shop.example", origin[] = "https://shop.example";

static void open_site(struct passkey_site *site) {
    static const char key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    char path[] = "/tmp/onsale-keys-XXXXXX";
    int fd = mkstemp(path);
    if (sodium_init() < 0 || fd < 0 || write(fd, key, sizeof key - 1) < 0) abort();
    close(fd);
    struct why w;
    const struct admission_keys *keys = admission_keys_open(path, &w);
    unlink(path);
    if (keys == NULL || passkey_site_open(site, origin, keys, &w) != ST_OK) abort();
}

static struct str client_data(const struct passkey_site *site, const char *type, struct buf *out) {
    char challenge[CHALLENGE_TEXT];
    challenge_write(site, challenge);
    out->len = 0;
    buf_printf(out, "{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"%s\"}", type, challenge, origin);
    return buf_str(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct passkey_site site;
    static struct buf text;
    if (site.host == NULL) open_site(&site);
    uint8_t *authenticator = malloc(size == 0 ? 1 : size); /* of its own, so that reading beyond it is seen */
    memcpy(authenticator, data, size);
    if (size > HASH) {
        crypto_hash_sha256(authenticator, (const uint8_t *)host, sizeof host - 1);
        authenticator[HASH] |= PRESENT_AND_KNOWN;
    }
    struct arena arena = {0};
    struct passkey made = {0};
    struct passkey_said said = {.client_data = client_data(&site, "webauthn.create", &text),
                                .authenticator = {(const char *)authenticator, size},
                                .signature = {(const char *)data, size}};
    int64_t count;
    uint8_t nonce[CHALLENGE_NONCE];
    if (passkey_made(&site, &said, &arena, &made) == NULL) {
        if (made.credential.n == 0 || made.key.n == 0) abort();
        said.client_data = client_data(&site, "webauthn.get", &text);
        if (passkey_signed(&site, &said, &made, &count, nonce)) abort();
    }
    arena_free(&arena);
    free(authenticator);
    return 0;
}
