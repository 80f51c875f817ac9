/* spend: spends a presale code for whoever joins a queue that asks for one, at orders, which has the codes.
 * HTTP threads ask; the answer comes by a thread of fetch's, back to the thread of the request. */
#pragma once

#include "http.h"

struct spend;
struct spend *spend_start(const char *orders_url, const struct fetch_tls *tls); /* http(s)://HOST:PORT */
void spend_free(struct spend *s); /* when no request waits any more */

/* Goes on with `then` when it is spent; otherwise answers, in the words of orders. */
void spend_code(struct req *rq, struct spend *s, struct str code, req_handler *then);
