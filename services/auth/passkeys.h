/* passkeys: the routes of passkeys: list, add, remove; sign in. Handlers. */
#pragma once

#include "http.h"

req_handler passkeys_list;      /* GET /api/users/me/passkeys */
req_handler passkeys_add;       /* POST /api/users/me/passkeys */
req_handler passkeys_remove;    /* DELETE /api/users/me/passkeys/:id */
req_handler passkeys_challenge; /* GET /api/users/passkeys/challenge */
req_handler passkeys_sign_in;   /* POST /api/users/passkeys/signin */
