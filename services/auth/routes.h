/* routes: the HTTP side of auth, as a table. */
#pragma once

#include "admission.h"
#include "hasher.h"
#include "http.h"
#include "passkey.h"
#include "session.h"

/* What the handlers find in req_service(). */
struct auth {
    struct session_signer *signer;
    struct hasher *hasher;
    struct admission_keys *links; /* of letters (link.h) */
    struct passkey_site site;
    bool verify_email;                /* an address has to be its owner's before he may hold a ticket */
    int64_t session_ms;               /* how long a session lives */
    int64_t signin_rate, signup_rate; /* attempts a minute, by address and by account; 0: any number */
    int64_t failed_a_day;             /* wrong passwords that cost nothing; 0: none does */
};

extern const struct route auth_routes[];
