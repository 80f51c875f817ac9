/* h2o_compat: the only file that uses fields of h2o which are private to it, or which differ between its
 * versions. Each function has the reason why no public call does it. All on the loop's own thread. */
#pragma once

#include <h2o.h>
#include <stdbool.h>

#include "str.h"

typedef int h2o_compat_visit(h2o_req_t *req, void *arg); /* other than 0 ends the walk */

/* Each connection of a context, by the request that it reads, answers, or waits for. h2o calls this a
 * callback of its HTTP/1 code, and offers no list of connections. */
void h2o_compat_for_each_connection(h2o_context_t *ctx, h2o_compat_visit *visit, void *arg);

/* Whether a context has no connections any more. h2o counts them nowhere. */
bool h2o_compat_no_connections(const h2o_context_t *ctx);

/* "Connection: close" with every answer from now on. h2o_context_request_shutdown does that, but also starts
 * HTTP/2's timers, which keep a context alive that has no HTTP/2. */
void h2o_compat_close_after_answers(h2o_context_t *ctx);

/* Timers that would go off later than their time, because the wall clock, which h2o 2.2 uses for them, was
 * set back to now_ms, begin again. There is no call that changes when a timer began. */
void h2o_compat_clock_set_back(h2o_loop_t *loop, uint64_t now_ms);

/* Whether the answer to a request goes on by this generator. h2o_req_t has no place for a handler's own data.
 */
bool h2o_compat_answered_by(const h2o_req_t *req,
                            void (*proceed)(h2o_generator_t *generator, h2o_req_t *req));

/* The raw head of the request that is being handled, names in lower case, and what has arrived behind it. h2o
 * takes Content-Length, Transfer-Encoding and Host out of the headers that it hands on, so only the raw head
 * says how often they came. */
struct str h2o_compat_raw_input(const h2o_req_t *req);

/* The connection's descriptor, to shut the connection down. h2o has no call for that. */
int h2o_compat_socket_of(const h2o_req_t *req);

/* The connection ends after the answer to this request. h2o offers this as a field only. */
void h2o_compat_close_after(h2o_req_t *req);
