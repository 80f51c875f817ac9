/* letters: requests that are answered by a letter, and the links that letters have. None of the answers says
 * whether an address has an account: the letter does, to its owner alone. Handlers. */
#pragma once

#include "http.h"

/* Goes on with a sign-up that was counted, where addresses are verified. */
void letters_sign_up(struct req *rq);

req_handler letters_ask_reset; /* POST /api/users/password-reset */
req_handler letters_reset;     /* POST /api/users/password-reset/follow */
req_handler letters_verify;    /* POST /api/users/verify */
