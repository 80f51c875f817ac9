/* csrf: whether a form that was sent is one of ours.
 *
 * A form of ours brings a token that only our pages have: the digest of a cookie of the form's own and of the
 * session, under a mask that is another on each page (so that compression says nothing about it). Where
 * browsers say where a request comes from, that has to be here too. All of it on the request's thread. */
#pragma once

#include "http.h"

struct str csrf_token(struct req *rq, struct str session); /* for a page; sets the cookie if there is none */
bool csrf_fits(struct req *rq, struct str session, struct str token);
bool csrf_from_here(struct req *rq); /* as far as the browser says it */
