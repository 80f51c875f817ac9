/* h2o_compat: everything that touches fields which h2o keeps to itself, or whose shape changes from one
 * version of it to the next, each with the reason why no public call serves. No other file may; on the loop's
 * own thread, all of them. */
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

/* Timers that would go off later than their time, because the wall clock by which h2o 2.2 times them was set
 * back to now_ms, begin anew. There is no call that changes when a timer began. */
void h2o_compat_clock_set_back(h2o_loop_t *loop, uint64_t now_ms);

/* Whether the answer to a request goes on by this generator. h2o_req_t has no place for a handler's own data.
 */
bool h2o_compat_answered_by(const h2o_req_t *req,
                            void (*proceed)(h2o_generator_t *generator, h2o_req_t *req));

/* The raw head of the request that is being handled, names in lower case, and what has arrived behind it. h2o
 * takes Content-Length, Transfer-Encoding and Host out of the headers that it hands on, so only the raw head
 * says how often they came. */
struct str h2o_compat_raw_input(const h2o_req_t *req);

/* The connection's descriptor: by it a connection is shut down from our side, for which h2o has no call. */
int h2o_compat_socket_of(const h2o_req_t *req);

/* The connection ends behind the answer of this request. */
void h2o_compat_close_after(h2o_req_t *req);
