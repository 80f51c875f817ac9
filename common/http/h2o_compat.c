#include "h2o_compat.h"

#include <h2o/http1.h>

#ifdef __SANITIZE_ADDRESS__
/* What h2o 2.2 does not free: the caches of a thread that ends, and the struct of a queue. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:h2o_mem_alloc_recycle\nleak:h2o_multithread_create_queue\n";
}
const char *__lsan_default_options(void);
const char *__lsan_default_options(void) {
    return "print_suppressions=0";
}
#endif

void h2o_compat_for_each_connection(h2o_context_t *ctx, h2o_compat_visit *visit, void *arg) {
    ctx->globalconf->http1.callbacks.foreach_request(ctx, visit, arg);
}

bool h2o_compat_no_connections(const h2o_context_t *ctx) {
    return ctx->http1._conns.next == &ctx->http1._conns;
}

void h2o_compat_close_after_answers(h2o_context_t *ctx) {
    ctx->shutdown_requested = 1;
}

static void begin_anew(h2o_timeout_t *timeout, uint64_t now_ms) {
    for (h2o_linklist_t *l = timeout->_entries.next; l != &timeout->_entries; l = l->next) {
        h2o_timeout_entry_t *entry = H2O_STRUCT_FROM_MEMBER(h2o_timeout_entry_t, _link, l);
        if (entry->registered_at > now_ms) entry->registered_at = now_ms;
    }
}

void h2o_compat_clock_set_back(h2o_loop_t *loop, uint64_t now_ms) {
    h2o_linklist_t *all = &loop->_timeouts;
    for (h2o_linklist_t *l = all->next; l != all; l = l->next)
        begin_anew(H2O_STRUCT_FROM_MEMBER(h2o_timeout_t, _link, l), now_ms);
}

bool h2o_compat_answered_by(const h2o_req_t *req,
                            void (*proceed)(h2o_generator_t *generator, h2o_req_t *req)) {
    return req->_generator != NULL && req->_generator->proceed == proceed;
}

static h2o_socket_t *socket_of(const h2o_req_t *req) {
    return req->conn->callbacks->get_socket(req->conn);
}

struct str h2o_compat_raw_input(const h2o_req_t *req) {
    const h2o_buffer_t *input = socket_of(req)->input;
    return (struct str){input->bytes, input->size};
}

int h2o_compat_socket_of(const h2o_req_t *req) {
    return h2o_socket_get_fd(socket_of(req));
}

void h2o_compat_close_after(h2o_req_t *req) {
    req->http1_is_persistent = 0;
}
