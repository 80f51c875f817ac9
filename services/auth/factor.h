/* factor: what a request says of a second factor, beside a password: a code of the clock (totp.h) or one for
 * a lost device (recovery.h). Whether it was taken before only the database knows (take_code.sql). Part of
 * its request; one thread at a time. */
#pragma once

#include "recovery.h"
#include "sealed.h"
#include "sql.h"

enum factor_found {
    FACTOR_NONE,    /* no second factor is on */
    FACTOR_MISSING, /* there is no code */
    FACTOR_WRONG,
    FACTOR_STEP, /* a code of the clock */
    FACTOR_RECOVERY,
};

struct factor {
    const struct admission_keys *keys; /* that seal secrets */
    struct str typed;                  /* the code; empty: none */
    struct uuid user;                  /* whose password is tried */
    struct str sealed;                 /* his secret; empty: none */
    bool on;                           /* or only begun */

    enum factor_found found;
    int64_t step;
    uint8_t recovery[RECOVERY_HASH];
    bool old; /* another key than the first sealed the secret: */
    uint8_t sealed_anew[SEALED];
};

/* The step of the clock that the code is of; 0: of none near now. */
int64_t factor_step(struct factor *f);
/* Fills in what is found. false: the code is missing or wrong. */
bool factor_check(struct factor *f);
/* Three parameters: the step, the hash of the other kind of code, the secret sealed anew. */
void factor_put(struct sql_params *item, const struct factor *f);
