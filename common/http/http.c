#include "http.h"

#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "http_listen.h"
#include "log.h"
#include "mem.h"
#include "priv/http_metrics.h"
#include "priv/http_thread.h"
#include "priv/req_priv.h"
#include "thread.h"

/* The fastest: a page of 12 KB is 2.9 KB by it and 2.4 KB by the best. Less than this is a packet anyway. */
enum { GZIP_MIN_SIZE = 1000, GZIP_QUALITY = 1 };

static int route_count(const struct route *routes) {
    int n = 0;
    while (routes[n].method != NULL)
        n++;
    return n;
}

static void make_tables(struct http *http) {
    http_configure(&http->config, http->options.large_body);
    h2o_hostconf_t *host =
        h2o_config_register_host(&http->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_handler_t *handler = h2o_create_handler(path, sizeof *handler);
    handler->on_req = req_handle;
    if (http->options.compress) h2o_compat_gzip(path, GZIP_MIN_SIZE, GZIP_QUALITY);
    errors_filter(&host->fallback_path);
    http->routes = route_tree_new(http->options.routes);
    http->nroutes = route_count(http->options.routes);
    http->log_parts = http_log_parts_new(http->options.service, http->options.routes);
}

/* The listeners are there before the threads are: a client may connect as soon as http_start returns. A port
 * is shared among our threads only: a first listener that shares with nobody finds out whether it is free,
 * and which one it is for port 0. */
static enum status listen_all(struct http *http, struct why *w) {
    const struct http_options *o = &http->options;
    int fd = http_listen(o->address, o->port, false, w);
    if (fd < 0) return ST_FAILED;
    int port = http_port_of(fd);
    if (o->threads > 1) {
        close(fd);
        fd = http_listen(o->address, port, true, w);
    }
    for (int i = 0; fd >= 0; fd = http_listen(o->address, port, true, w)) {
        http->threads[i] = (struct http_thread){.http = http, .index = i, .listen_fd = fd};
        http->nthreads = ++i;
        if (i == o->threads) return ST_OK;
    }
    return ST_FAILED;
}

static void close_listeners(struct http *http) {
    for (int i = 0; i < http->nthreads; i++)
        close(http->threads[i].listen_fd);
    http->nthreads = 0;
}

static void start_threads(struct http *http) {
    pthread_barrier_init(&http->started, NULL, (unsigned)http->nthreads + 1);
    for (int i = 0; i < http->nthreads; i++) {
        struct http_thread *t = &http->threads[i];
        t->stats = mem_alloc((size_t)(http->nroutes + 1) * sizeof *t->stats);
        char name[24]; /* gcc 14 counts any int's digits */
        snprintf(name, sizeof name, "http-%d", i);
        t->id = thread_start(name, http_thread_main, t);
    }
    pthread_barrier_wait(&http->started);
    metrics_register(http_metrics);
    metrics_add_source(http_stats_write, http);
}

static void free_tables(struct http *http) {
    proxies_free(&http->proxies);
    cors_free(&http->cors);
    pthread_mutex_destroy(&http->lock);
    pthread_cond_destroy(&http->drains);
    free(http->threads);
    free(http);
}

struct http *http_start(const struct http_options *options, struct why *w) {
    struct http *http = mem_alloc(sizeof *http);
    http->options = *options;
    http->threads = mem_alloc((size_t)options->threads * sizeof *http->threads);
    pthread_mutex_init(&http->lock, NULL);
    thread_cond_init(&http->drains);
    if (proxies_parse(options->trusted_proxies, &http->proxies, w) != ST_OK ||
        cors_parse(options->cors_origins, &http->cors, w) != ST_OK || listen_all(http, w) != ST_OK) {
        close_listeners(http);
        free_tables(http);
        return NULL;
    }
    make_tables(http);
    start_threads(http);
    return http;
}

int http_threads(const struct http *http) {
    return http->nthreads;
}

int http_port(const struct http *http) {
    return http_port_of(http->threads[0].listen_fd);
}

bool http_ready(struct http *http, struct why *w) {
    for (int i = 0; i < http->nthreads; i++)
        if (!atomic_load(&http->threads[i].db_ready)) {
            why(w, ST_AGAIN, "thread %d waits for its database connections", i);
            return false;
        }
    return true;
}

static void wake(struct http_thread *t) {
    h2o_multithread_send_message(&t->resumed, NULL);
}

void http_drain(struct http *http, int timeout_ms) {
    /* the threads act on their deadline within a loop's turn; the second is for a machine that is busy */
    int64_t until_us = clock_mono_us() + timeout_ms * INT64_C(1000), patience_us = until_us + 1000000;
    for (int i = 0; i < http->nthreads; i++) {
        atomic_store(&http->threads[i].drain_until_us, until_us);
        wake(&http->threads[i]);
    }
    pthread_mutex_lock(&http->lock);
    while (http->drained < http->nthreads && thread_cond_wait(&http->drains, &http->lock, patience_us))
        continue;
    if (http->drained < http->nthreads)
        log_warn("http", "%d threads did not drain", http->nthreads - http->drained);
    pthread_mutex_unlock(&http->lock);
}

void http_free(struct http *http) {
    metrics_remove_source(http_stats_write, http);
    for (int i = 0; i < http->nthreads; i++) {
        atomic_store(&http->threads[i].ending, true);
        wake(&http->threads[i]);
    }
    for (int i = 0; i < http->nthreads; i++) {
        pthread_join(http->threads[i].id, NULL);
        free(http->threads[i].stats);
    }
    pthread_barrier_destroy(&http->started);
    h2o_config_dispose(&http->config);
    route_tree_free(http->routes);
    http_log_parts_free(http->log_parts);
    free_tables(http);
}
