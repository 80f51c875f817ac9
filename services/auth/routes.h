/* routes: the HTTP side of auth, as a table. */
#pragma once

#include "hasher.h"
#include "http.h"
#include "session.h"

/* What the handlers find in req_service(). */
struct auth {
    struct session_signer *signer;
    struct hasher *hasher;
    int64_t session_ms;               /* how long a session lives */
    int64_t signin_rate, signup_rate; /* attempts a minute, by address and by account; 0: any number */
    int64_t failed_a_day;             /* wrong passwords that cost nothing; 0: none does */
};

extern const struct route auth_routes[];
