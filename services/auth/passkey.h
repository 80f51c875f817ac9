/* passkey: what a browser says of a passkey (WebAuthn, level 2): that there is a new one, or that its owner
 * signs in by it. libfido2 reads what the authenticator said, and checks what it signed.
 *
 * A challenge is made here and kept nowhere: its time and 16 random bytes, with an HMAC by one of LINK_KEYS.
 * That it counts once is for the database to say (take_passkey.sql).
 *
 * `struct passkey_site` does not change. Any thread. */
#pragma once

#include "admission.h"
#include "arena.h"

enum {
    CHALLENGE_NONCE = 16,
    CHALLENGE = 8 + CHALLENGE_NONCE + ADMISSION_MAC,
    CHALLENGE_TEXT = BASE64_TEXT(CHALLENGE),
    CHALLENGE_MS = 5 * 60 * 1000,
    PASSKEY_ID = 1023, /* bytes at most, as the standard has it */
};

/* Where people sign in. */
struct passkey_site {
    const char *origin; /* as browsers say it; "": there are no passkeys */
    const char *host;   /* of the origin: what passkeys are bound to */
    const struct admission_keys *keys;
};
/* `origin` stays the caller's. */
enum status passkey_site_open(struct passkey_site *site, const char *origin,
                              const struct admission_keys *keys, struct why *w);
void passkey_site_close(struct passkey_site *site);

void challenge_write(const struct passkey_site *site, char out[CHALLENGE_TEXT]);

/* What a browser sends, decoded. */
struct passkey_said {
    struct str client_data;   /* JSON, of the browser */
    struct str authenticator; /* its data */
    struct str signature;     /* over both; none of a new one */
};

struct passkey {
    struct str credential; /* the authenticator's id of it */
    int algorithm;         /* as COSE has it */
    struct str key;        /* the public one, as libfido2 has it */
    int64_t count;         /* of the authenticator's signatures; 0: it does not count */
};

/* What is wrong with it, as a message for people that fits the field of the same name; NULL: nothing. The
 * owner was there, and the authenticator knew him (by a finger, a face or a number). */
const char *passkey_made(const struct passkey_site *site, const struct passkey_said *said,
                         struct arena *arena, struct passkey *out);
/* Whether the owner of this one signs in. If so: how often the authenticator has signed, and what was random
 * in the challenge. */
bool passkey_signed(const struct passkey_site *site, const struct passkey_said *said,
                    const struct passkey *known, int64_t *count, uint8_t nonce[CHALLENGE_NONCE]);
