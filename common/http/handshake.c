#include "priv/handshake.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "log.h"
#include "mem.h"
#include "priv/http_limits.h"
#include "priv/tls_metrics.h"

struct handshake {
    h2o_linklist_t link;
    h2o_compat_timer limit;
    struct handshake_list *list;
    h2o_socket_t *sock;
    SSL_CTX *ctx; /* h2o takes a reference only with a client's first bytes */
};

/* The socket is no longer the handshake's. */
static h2o_socket_t *stop(struct handshake *h) {
    h2o_socket_t *sock = h->sock;
    sock->data = NULL;
    h2o_compat_timer_stop(&h->limit);
    h2o_linklist_unlink(&h->link);
    h->list->count--;
    SSL_CTX_free(h->ctx);
    free(h);
    return sock;
}

static void on_done(h2o_socket_t *sock, const char *err) {
    struct handshake *h = sock->data;
    struct handshake_list *list = h->list;
    stop(h);
    if (err == NULL) {
        h2o_accept(list->accept, sock);
        return;
    }
    ERR_clear_error();
    metric_add(M_TLS_REFUSED, 1);
    log_debug("tls", "a client's handshake failed: %s", err);
    h2o_socket_close(sock);
}

static void on_limit(h2o_compat_timer *entry) {
    h2o_socket_close(stop(H2O_STRUCT_FROM_MEMBER(struct handshake, limit, entry)));
}

void handshake_init(struct handshake_list *list, struct tls *tls, h2o_accept_ctx_t *accept) {
    list->tls = tls;
    if (tls == NULL) return;
    list->accept = accept;
    list->ctx = tls_take(tls, &list->version);
    h2o_compat_timers_init(&list->limit, accept->ctx->loop, HTTP_SLOW_MS);
    h2o_linklist_init_anchor(&list->all);
}

static void take_current(struct handshake_list *list) {
    if (tls_version(list->tls) == list->version) return;
    SSL_CTX_free(list->ctx);
    list->ctx = tls_take(list->tls, &list->version);
}

void handshake_begin(struct handshake_list *list, h2o_socket_t *sock) {
    take_current(list);
    struct handshake *h = mem_alloc(sizeof *h);
    *h = (struct handshake){.limit = {.cb = on_limit}, .list = list, .sock = sock, .ctx = list->ctx};
    SSL_CTX_up_ref(h->ctx);
    sock->data = h;
    list->count++;
    h2o_linklist_insert(&list->all, &h->link);
    h2o_compat_timer_start(&list->limit, &h->limit);
    h2o_compat_handshake(sock, h->ctx, on_done);
}

void handshake_end_all(struct handshake_list *list) {
    if (list->tls == NULL) return;
    h2o_linklist_t *next;
    for (h2o_linklist_t *l = list->all.next; l != &list->all; l = next) {
        next = l->next;
        h2o_socket_close(stop(H2O_STRUCT_FROM_MEMBER(struct handshake, link, l)));
    }
}

void handshake_dispose(struct handshake_list *list) {
    if (list->tls == NULL) return;
    h2o_compat_timers_dispose(&list->limit);
    SSL_CTX_free(list->ctx);
}
