#include "priv/linger.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "mem.h"

enum { LINGER_MS = 2000, LINGER_BYTES = 32 * 1024 * 1024 };

struct lingering {
    h2o_linklist_t link;
    h2o_compat_timer limit;
    h2o_socket_t *sock;
    size_t left; /* bytes we are willing to throw away */
};

static void stop(struct lingering *l) {
    h2o_compat_timer_stop(&l->limit);
    h2o_linklist_unlink(&l->link);
    h2o_socket_close(l->sock);
    free(l);
}

static void on_rest(h2o_socket_t *sock, const char *err) {
    struct lingering *l = sock->data;
    size_t n = sock->input->size;
    h2o_buffer_consume(&sock->input, n);
    if (err != NULL || n > l->left)
        stop(l);
    else
        l->left -= n;
}

static void on_limit(h2o_compat_timer *entry) {
    stop(H2O_STRUCT_FROM_MEMBER(struct lingering, limit, entry));
}

void linger_init(struct linger_list *all, h2o_loop_t *loop) {
    h2o_compat_timers_init(&all->limit, loop, LINGER_MS);
    h2o_linklist_init_anchor(&all->sockets);
}

void linger_begin(struct linger_list *all, int fd, bool is_tls) {
    if (!is_tls) shutdown(fd, SHUT_WR);
    struct lingering *l = mem_alloc(sizeof *l);
    l->left = LINGER_BYTES;
    l->limit.cb = on_limit;
    l->sock = h2o_evloop_socket_create(all->limit.loop, fd, 0);
    l->sock->data = l;
    h2o_linklist_insert(&all->sockets, &l->link);
    h2o_compat_timer_start(&all->limit, &l->limit);
    h2o_socket_read_start(l->sock, on_rest);
}

void linger_end_all(struct linger_list *all) {
    while (!h2o_linklist_is_empty(&all->sockets))
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that stop() takes it out of the list */
        stop(H2O_STRUCT_FROM_MEMBER(struct lingering, link, all->sockets.next));
}

void linger_dispose(struct linger_list *all) {
    h2o_compat_timers_dispose(&all->limit);
}
