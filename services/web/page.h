/* page: how a visit ends: a page, or a redirect. On the request's thread. */
#pragma once

#include "visit.h"

/* --- what has to hold before a handler goes on; false: it is answered already --- */
bool page_signed_in(struct req *rq); /* else to the page to sign in, and back */
bool page_form(struct req *rq);      /* reads the form of a POST, if it is ours */
bool page_own_form(struct req *rq);  /* both */

void page_go(struct req *rq, const char *path, ...) __attribute__((format(printf, 2, 3))); /* 303 */
struct buf *page_begin(struct req *rq); /* where the page is rendered to */
void page_end(struct req *rq);
void page_headers(struct req *rq); /* those of every page; page_end and page_go set them */
void page_missing(struct req *rq, int status, enum text heading, enum text words);
void page_down(struct req *rq, enum text words); /* asks the services which of them answer */
/* A purchase that was made leads to its page, and whoever is nobody any more to sign in. false: it was
 * refused. */
bool page_go_to_purchase(struct req *rq, const struct api_answer *answer);
/* What is no success and has no page of its own: sign in again, not found, away. */
void page_refusal(struct req *rq, const struct api_answer *answer, enum text what);
/* Of a form: whether it was refused for who sends it, or for what is not there; then that is said. */
bool page_refused(struct req *rq, const struct api_answer *answer);
