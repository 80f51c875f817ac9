/* fields: reads and checks what auth takes from a request's body. Tables; any thread. */
#pragma once

#include "body.h"
#include "passkey.h"

struct credentials {
    struct str email, password;
    struct str code; /* of a second factor; empty: none */
};
extern const struct body_field sign_up_fields[]; /* into struct credentials */
extern const struct body_field sign_in_fields[]; /* the same; any password may be tried */

struct change {
    struct str email, password; /* empty: stays */
    struct str current_password;
    struct str code; /* of a second factor; empty: none */
};
extern const struct body_field change_fields[];  /* into struct change, without a code */
extern const struct body_field current_fields[]; /* the same, the current password and the code alone */
extern const struct body_field confirm_fields[]; /* the same, the code alone */

/* A way back, and the link of a letter. */
struct following {
    struct str token, password;
};
extern const struct body_field lost_fields[];   /* into struct credentials */
extern const struct body_field verify_fields[]; /* into struct following, without a password */
extern const struct body_field reset_fields[];  /* into struct following */

/* A passkey, as a browser says it (passkey.h). */
struct passkey_sent {
    struct str current_password, code; /* as of struct change */
    struct str name;                   /* for its owner */
    struct str credential;
    struct passkey_said said;

    struct passkey made; /* the one that it is, or is checked with */
    const struct passkey_site *site;
    uint8_t nonce[CHALLENGE_NONCE]; /* of the challenge that was signed */
};
extern const struct body_field new_passkey_fields[];     /* without a credential and a signature */
extern const struct body_field passkey_sign_in_fields[]; /* these, and what they sign, alone */
