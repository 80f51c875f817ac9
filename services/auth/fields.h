/* fields: reads and checks what auth takes from a request's body. Tables; any thread. */
#pragma once

#include "body.h"

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
