/* h2o_compat: the only files that know which h2o this is (2.2.5, or 2.3's development), and the only ones
 * that use fields of it which are private. Each function has the reason why no public call does it. All on
 * the loop's own thread. */
#pragma once

#include <h2o.h>
#include <h2o/version.h>
#include <stdbool.h>

#include "str.h"

#define H2O_COMPAT_2_2 (H2O_LIBRARY_VERSION_MINOR < 14)

#if H2O_COMPAT_2_2
typedef h2o_timeout_entry_t h2o_compat_timer;
#else
typedef h2o_timer_t h2o_compat_timer;
#endif

/* Timers that last the same time: 2.2 keeps a list for each duration, later ones a wheel for all. A timer is
 * {.cb = what to call}. The struct stays where it is while one runs. */
struct h2o_compat_timers {
    h2o_loop_t *loop; /* NULL: not initialized */
#if H2O_COMPAT_2_2
    h2o_timeout_t list;
#else
    uint64_t ms;
#endif
};

void h2o_compat_timers_init(struct h2o_compat_timers *timers, h2o_loop_t *loop, uint64_t ms);
void h2o_compat_timers_set(struct h2o_compat_timers *timers, uint64_t ms); /* while none of them runs */
void h2o_compat_timers_dispose(struct h2o_compat_timers *timers);          /* none of them runs */
void h2o_compat_timer_start(struct h2o_compat_timers *timers, h2o_compat_timer *timer); /* it does not run */
void h2o_compat_timer_stop(h2o_compat_timer *timer);
bool h2o_compat_timer_runs(const h2o_compat_timer *timer);

/* A turn of the loop. h2o's timers go by the wall clock. When that is set back, they would last as much
 * longer; so those that run begin anew (2.2), or end by the new clock. */
void h2o_compat_run(h2o_loop_t *loop, int32_t wait_ms);

/* Begins a configuration: HTTP/1 only, without a Server header. idle_ms: for the next request to arrive; no
 * other time is limited. */
void h2o_compat_configure(h2o_globalconf_t *config, size_t body_max, uint64_t idle_ms);

/* Compresses by gzip alone. Later versions have more ways, which are on unless they are named. */
void h2o_compat_gzip(h2o_pathconf_t *path, size_t min_size, int quality);

/* From a request's pool. The call got other arguments. */
void *h2o_compat_alloc(h2o_mem_pool_t *pool, size_t size);

/* For a filter's on_setup_ostream: these bytes, which are copied, are sent in place of the answer's. What an
 * ostream is given got another type. Returns where the next filter goes. */
h2o_ostream_t **h2o_compat_send_instead(h2o_req_t *req, h2o_ostream_t **slot, struct str body);

typedef int h2o_compat_visit(h2o_req_t *req, void *arg); /* other than 0 ends the walk */

/* Each connection of a context, by the request that it reads, answers, or waits for. 2.2 calls this a
 * callback of its HTTP/1 code, and offers no list of connections. */
void h2o_compat_for_each_connection(h2o_context_t *ctx, h2o_compat_visit *visit, void *arg);

/* Whether a context has no connections any more. No call tells. */
bool h2o_compat_no_connections(const h2o_context_t *ctx);

/* "Connection: close" with every answer from now on. h2o_context_request_shutdown does that, but also starts
 * HTTP/2's timers, which keep a context alive that has no HTTP/2. */
void h2o_compat_close_after_answers(h2o_context_t *ctx);

/* Whether the answer to a request goes on by this generator. h2o_req_t has no place for a handler's own data.
 */
bool h2o_compat_answered_by(const h2o_req_t *req,
                            void (*proceed)(h2o_generator_t *generator, h2o_req_t *req));

/* What the head of the request that is being handled was like. h2o takes Content-Length, Transfer-Encoding
 * and Host out of the headers that it hands on, so only the raw head says how often they came. */
struct h2o_compat_head {
    size_t size;
    int hosts, lengths, encodings;
    bool folded; /* a header goes on in another line */
};
struct h2o_compat_head h2o_compat_read_head(const h2o_req_t *req);

/* Whether a request is here to its last byte. The time at which it is processed tells in 2.2 alone. */
bool h2o_compat_is_read(const h2o_req_t *req);

/* How much of a request's body is here so far. h2o hands it on when all of it is. */
size_t h2o_compat_received(const h2o_req_t *req);

/* The connection's descriptor, to shut the connection down. h2o has no call for that. */
int h2o_compat_socket_of(const h2o_req_t *req);

/* Ends a connection whose request is still arriving, as if reading from it had failed; not within a walk over
 * the connections. h2o has no call for that, and shutting its socket down would take what was just written
 * there. */
void h2o_compat_close_reading(h2o_req_t *req);

/* Begins TLS on a socket that was accepted. The call got another argument. `done` may close the socket. */
void h2o_compat_handshake(h2o_socket_t *sock, SSL_CTX *ctx, h2o_socket_cb done);

/* Whether a connection speaks TLS. */
bool h2o_compat_is_tls(const h2o_req_t *req);

/* The connection ends after the answer to this request. h2o offers this as a field only. */
void h2o_compat_close_after(h2o_req_t *req);
