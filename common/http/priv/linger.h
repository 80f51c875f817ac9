/* linger: closing a connection without losing the answer.
 *
 * h2o closes right after an answer to a request that it could not read. With the rest of the request still
 * arriving the kernel would then reset the connection, and the client might never see what was wrong. So a
 * duplicate of the socket reads on for a while, and throws away what it reads. All of it on the loop's
 * thread. */
#pragma once

#ifndef HTTP_PRIV
#error "private to common/http"
#endif

#include "h2o_compat.h"

struct linger_list {
    struct h2o_compat_timers limit;
    h2o_linklist_t sockets;
};

void linger_init(struct linger_list *l, h2o_loop_t *loop);
/* Takes the descriptor. By TLS the end is said by h2o, on its own descriptor, right after. */
void linger_begin(struct linger_list *l, int fd, bool is_tls);
void linger_end_all(struct linger_list *l);
void linger_dispose(struct linger_list *l); /* after linger_end_all and a turn of the loop */
