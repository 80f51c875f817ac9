/* kept: the password of who is asked for the code of a second factor, until he sends it: in the form, sealed
 * by a key that is made of the form's cookie (csrf.h). So it is kept nowhere here, the page does not show it,
 * and it opens in that browser alone, for ten minutes. On the request's thread. */
#pragma once

#include "http.h"

struct str kept_write(struct req *rq, struct str password);            /* for a page */
bool kept_read(struct req *rq, struct str text, struct str *password); /* false: not ours, or too old */
