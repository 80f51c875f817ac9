#include "signature.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "hex.h"

enum { MAC = 32, MAX_SIGNATURES = 16 /* more than rotation will ever need */ };

bool signature_secrets_parse(const char *list, struct signature_secrets *out) {
    *out = (struct signature_secrets){0};
    for (const char *p = list;; p++) {
        size_t n = strcspn(p, ",");
        if (n == 0 || out->count == SIGNATURE_SECRETS) return false;
        out->secrets[out->count++] = (struct str){p, n};
        p += n;
        if (*p == '\0') return true;
    }
}

/* --- the header --- */

struct parsed {
    struct str time;
    int64_t seconds;
    unsigned char macs[MAX_SIGNATURES][MAC];
    int count;
};

static bool parse_mac(struct str s, unsigned char out[MAC]) {
    return hex_decode(s, out, MAC);
}

static bool parse_time(struct str s, struct parsed *out) {
    if (s.n < 1 || s.n > 12) return false;
    int64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!isdigit((unsigned char)s.p[i])) return false;
        v = v * 10 + (s.p[i] - '0');
    }
    out->time = s;
    out->seconds = v;
    return true;
}

/* Schemes other than v1 are passed over, as Stripe says. */
static bool parse(struct str header, struct parsed *out) {
    while (header.n > 0) {
        const char *comma = memchr(header.p, ',', header.n);
        size_t n = comma == NULL ? header.n : (size_t)(comma - header.p);
        struct str part = {header.p, n};
        header = (struct str){header.p + n + (comma != NULL), header.n - n - (comma != NULL)};
        if (n > 2 && memcmp(part.p, "t=", 2) == 0) {
            if (out->time.n > 0 || !parse_time((struct str){part.p + 2, n - 2}, out)) return false;
        } else if (n > 3 && memcmp(part.p, "v1=", 3) == 0 && out->count < MAX_SIGNATURES &&
                   parse_mac((struct str){part.p + 3, n - 3}, out->macs[out->count]))
            out->count++;
    }
    return out->time.n > 0 && out->count > 0;
}

/* --- the check --- */

/* Over the time as it was written, a dot and the body. */
static void sign(struct str secret, struct str time, struct str body, unsigned char out[MAC]) {
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
                           OSSL_PARAM_construct_end()};
    size_t n;
    if (ctx == NULL || EVP_MAC_init(ctx, (const unsigned char *)secret.p, secret.n, params) != 1 ||
        EVP_MAC_update(ctx, (const unsigned char *)time.p, time.n) != 1 ||
        EVP_MAC_update(ctx, (const unsigned char *)".", 1) != 1 ||
        EVP_MAC_update(ctx, (const unsigned char *)body.p, body.n) != 1 ||
        EVP_MAC_final(ctx, out, &n, MAC) != 1)
        abort(); /* out of memory */
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(hmac);
}

const char *signature_check(const struct signature_secrets *secrets, struct str header, struct str body,
                            int64_t now_s) {
    struct parsed parsed = {0};
    if (!parse(header, &parsed)) return "the Stripe-Signature is malformed";
    int right = 0;
    for (int i = 0; i < secrets->count; i++) {
        unsigned char mac[MAC];
        sign(secrets->secrets[i], parsed.time, body, mac);
        for (int j = 0; j < parsed.count; j++)
            right |= CRYPTO_memcmp(mac, parsed.macs[j], MAC) == 0;
    }
    if (!right) return "the Stripe-Signature is not of this body by a secret of ours";
    int64_t age = now_s - parsed.seconds;
    if (age > SIGNATURE_TOLERANCE_S || age < -SIGNATURE_TOLERANCE_S) return "the Stripe-Signature is too old";
    return NULL;
}
