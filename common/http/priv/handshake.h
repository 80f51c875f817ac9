/* handshake: connections that are not yet HTTP's, because their TLS handshake is under way. h2o knows nothing
 * of a connection until then: neither its walks nor its end would find one that a client leaves unfinished.
 * So they are ours, with a limit. All of it on the loop's thread. */
#pragma once

#ifndef HTTP_PRIV
#error "private to common/http"
#endif

#include "h2o_compat.h"
#include "tls.h"

struct handshake_list {
    struct tls *tls;          /* NULL: there are none */
    h2o_accept_ctx_t *accept; /* where they go then */
    SSL_CTX *ctx;
    uint64_t version; /* of it */
    struct h2o_compat_timers limit;
    h2o_linklist_t all;
    int count;
};

void handshake_init(struct handshake_list *list, struct tls *tls, h2o_accept_ctx_t *accept);
void handshake_begin(struct handshake_list *list, h2o_socket_t *sock); /* takes the socket */
void handshake_end_all(struct handshake_list *list);
void handshake_dispose(struct handshake_list *list); /* after handshake_end_all and a turn of the loop */
