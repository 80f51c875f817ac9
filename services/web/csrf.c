#include "csrf.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "base64.h"

enum {
    TOKEN = 16,      /* bytes of a form's cookie, of the digest and of its mask */
    FORM_DAYS = 365, /* how long the form's cookie lives */
    TEXT = BASE64_TEXT(2 * TOKEN),
};

/* Of two texts, and of where the first one ends. */
static void digest(struct str first, struct str second, unsigned char *out, size_t n) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, n);
    crypto_generichash_update(&state, (const unsigned char *)&first.n, sizeof first.n);
    crypto_generichash_update(&state, (const unsigned char *)first.p, first.n);
    crypto_generichash_update(&state, (const unsigned char *)second.p, second.n);
    crypto_generichash_final(&state, out, n);
}

static struct str form_cookie(struct req *rq, bool make) {
    struct str cookie;
    if (req_get_cookie(rq, "form", &cookie) && cookie.n >= TOKEN && cookie.n < TEXT)
        return arena_str(req_arena(rq), cookie);
    if (!make) return (struct str){0};
    unsigned char bytes[TOKEN];
    randombytes_buf(bytes, sizeof bytes);
    char *text = req_alloc(rq, TEXT);
    base64_encode(bytes, sizeof bytes, text);
    req_set_cookie(rq, "form", str_of(text), INT64_C(86400) * FORM_DAYS);
    return str_of(text);
}

/* A token is of what only we and this browser know: the form's cookie; once signed in, the session too. */
struct str csrf_token(struct req *rq, struct str session) {
    unsigned char bytes[2 * TOKEN], wanted[TOKEN];
    digest(form_cookie(rq, true), session, wanted, sizeof wanted);
    randombytes_buf(bytes, TOKEN);
    for (int i = 0; i < TOKEN; i++)
        bytes[TOKEN + i] = bytes[i] ^ wanted[i];
    char *text = req_alloc(rq, TEXT);
    base64_encode(bytes, sizeof bytes, text);
    return str_of(text);
}

bool csrf_fits(struct req *rq, struct str session, struct str token) {
    unsigned char bytes[2 * TOKEN], wanted[TOKEN];
    struct str cookie = form_cookie(rq, false);
    size_t n = 0;
    if (cookie.n == 0 || !base64_decode(token, bytes, sizeof bytes, &n) || n != sizeof bytes) return false;
    digest(cookie, session, wanted, sizeof wanted);
    for (int i = 0; i < TOKEN; i++)
        bytes[TOKEN + i] ^= bytes[i];
    return sodium_memcmp(bytes + TOKEN, wanted, TOKEN) == 0;
}

bool csrf_key(struct req *rq, struct str about, unsigned char out[CSRF_KEY]) {
    struct str cookie = form_cookie(rq, false);
    if (cookie.n == 0) return false;
    digest(about, cookie, out, CSRF_KEY);
    return true;
}
