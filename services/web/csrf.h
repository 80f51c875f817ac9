/* csrf: whether a form that was sent is one of ours.
 *
 * A form of ours has a token that only our pages have: the digest of a cookie and of the session, with a mask
 * that differs for each page (so that compression reveals nothing of it). If the browser says which site a
 * request comes from, that has to be this site, too. All of it on the request's thread. */
#pragma once

#include "http.h"

struct str csrf_token(struct req *rq, struct str session); /* for a page; sets the cookie if there is none */
bool csrf_fits(struct req *rq, struct str session, struct str token);

/* A key that is made of the cookie: for what is to come back with a form from this browser alone. false:
 * there is no cookie. */
enum { CSRF_KEY = 32 };
bool csrf_key(struct req *rq, struct str about, unsigned char out[CSRF_KEY]);
