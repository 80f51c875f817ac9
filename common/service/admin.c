#include "admin.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "errors.h"
#include "h2o_compat.h"
#include "http_listen.h"
#include "json.h"
#include "mem.h"
#include "metrics.h"

struct admin {
    h2o_globalconf_t config;
    h2o_context_t ctx;
    h2o_accept_ctx_t accept;
    h2o_socket_t *listener;
    const struct probe *probes;
};

static bool probe_ready(const struct probe *p, struct why *w) {
    if (p->part != NULL) return p->ready(p->part, w);
    why(w, ST_AGAIN, "not started");
    return false;
}

const struct probe *admin_waiting(const struct probe *probes, struct why *w) {
    const struct probe *p = probes;
    while (p->name != NULL && probe_ready(p, w))
        p++;
    return p->name == NULL ? NULL : p;
}

static void send_text(h2o_req_t *req, int status, const char *type, const struct buf *body) {
    req->res.status = status;
    req->res.reason = status == 200 ? "OK" : status == 503 ? "Service Unavailable" : "Not Found";
    req->res.content_length = body->len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, type, strlen(type));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL, H2O_STRLIT("no-store"));
    h2o_send_inline(req, (const char *)body->data, body->len);
}

static void answer_healthz(const struct admin *admin, h2o_req_t *req) {
    (void)admin;
    struct json j = {0};
    json_raw(&j, STR("{\"status\":\"alive\"}"));
    send_text(req, 200, "application/json", &j.out);
    buf_free(&j.out);
}

static void answer_readyz(const struct admin *admin, h2o_req_t *req) {
    struct json j = {0};
    struct why w;
    bool ready = admin_waiting(admin->probes, &w) == NULL;
    json_open(&j, '{');
    json_key(&j, "status");
    json_text(&j, ready ? STR("ready") : STR("not ready"));
    if (!ready) {
        json_key(&j, "waiting");
        json_open(&j, '[');
        for (const struct probe *p = admin->probes; p->name != NULL; p++) {
            if (probe_ready(p, &w)) continue;
            json_open(&j, '{');
            json_key(&j, "name");
            json_text(&j, str_of(p->name));
            json_key(&j, "reason");
            json_text(&j, str_of(w.text));
            json_close(&j, '}');
        }
        json_close(&j, ']');
    }
    json_close(&j, '}');
    send_text(req, ready ? 200 : 503, "application/json", &j.out);
    buf_free(&j.out);
}

static void answer_metrics(const struct admin *admin, h2o_req_t *req) {
    (void)admin;
    struct buf text = {0};
    metrics_write(&text);
    send_text(req, 200, "text/plain; version=0.0.4; charset=utf-8", &text);
    buf_free(&text);
}

static void answer_nothing(h2o_req_t *req) {
    struct json j = {0};
    errors_open(&j);
    errors_add(&j, NULL, "no such path; there are /healthz, /readyz and /metrics");
    errors_close(&j);
    send_text(req, 404, "application/json", &j.out);
    buf_free(&j.out);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req) {
    (void)handler;
    static const struct {
        struct str path;
        void (*answer)(const struct admin *admin, h2o_req_t *req);
    } pages[] = {
        {STR("/healthz"), answer_healthz},
        {STR("/readyz"), answer_readyz},
        {STR("/metrics"), answer_metrics},
    };
    struct admin *admin = H2O_STRUCT_FROM_MEMBER(struct admin, ctx, req->conn->ctx);
    struct str path = {req->path_normalized.base, req->path_normalized.len};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (str_eq(path, pages[i].path)) {
            pages[i].answer(admin, req);
            return 0;
        }
    answer_nothing(req);
    return 0;
}

static void on_connection(h2o_socket_t *listener, const char *err) {
    struct admin *admin = listener->data;
    h2o_socket_t *sock;
    while (err == NULL && (sock = h2o_evloop_socket_accept(listener)) != NULL)
        h2o_accept(&admin->accept, sock);
}

struct admin *admin_start(h2o_loop_t *loop, const char *address, int port, const struct probe *probes,
                          struct why *w) {
    int fd = http_listen(address, port, false, w);
    if (fd < 0) return NULL;
    struct admin *admin = mem_alloc(sizeof *admin);
    admin->probes = probes;
    http_configure(&admin->config, 0);
    h2o_hostconf_t *host =
        h2o_config_register_host(&admin->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(h2o_handler_t))->on_req = on_request;
    h2o_context_init(&admin->ctx, loop, &admin->config);
    admin->accept = (h2o_accept_ctx_t){.ctx = &admin->ctx, .hosts = admin->config.hosts};
    admin->listener = h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    admin->listener->data = admin;
    h2o_socket_read_start(admin->listener, on_connection);
    return admin;
}

int admin_port(const struct admin *admin) {
    return http_port_of(h2o_socket_get_fd(admin->listener));
}

static int hang_up(h2o_req_t *req, void *arg) {
    (void)arg;
    shutdown(h2o_compat_socket_of(req), SHUT_RDWR);
    return 0;
}

void admin_free(struct admin *admin) {
    h2o_loop_t *loop = admin->ctx.loop;
    h2o_socket_close(admin->listener);
    h2o_compat_for_each_connection(&admin->ctx, hang_up, NULL);
    while (!h2o_compat_no_connections(&admin->ctx))
        h2o_compat_run(loop, 100);
    h2o_context_dispose(&admin->ctx);
    h2o_config_dispose(&admin->config);
    free(admin);
}
