/* Large bodies. h2o has one limit for all requests, and hands a request on when its body is here. So where
 * some routes take large ones, the sweep ends others that grow beyond the common limit, those of people who
 * are not signed in, and those that are too many: what waits in memory is bounded. A large body is in memory
 * until its request is answered, so those that are here to their end count, too. */
#include <sys/socket.h>

#include "errors.h"
#include "priv/http_bodies.h"
#include "priv/req_priv.h"

bool http_body_is_large(const h2o_req_t *req) {
    return h2o_compat_is_read(req) ? req->entity.len > HTTP_MAX_BODY
                                   : h2o_compat_received(req) > HTTP_MAX_BODY + HTTP_MAX_HEAD;
}

static int count_of(const struct http_bodies *all, const struct uuid *user) {
    int count = 0;
    for (int i = 0; i < all->senders; i++)
        count += memcmp(&all->sender[i], user, sizeof *user) == 0;
    return count;
}

/* The answer to a large body that is still arriving, or 0: it goes on. */
static int judge(struct http_bodies *all, struct http_thread *t, const h2o_req_t *req) {
    struct uuid user;
    if (http_body_max(t, req) == HTTP_MAX_BODY) return 413;
    if (!req_signed_in(t, req, &user)) return 401;
    if (all->count >= HTTP_LARGE_BODIES || count_of(all, &user) >= HTTP_LARGE_OF_USER) return 503;
    all->count++;
    all->sender[all->senders++] = user;
    return 0;
}

int64_t http_body_judge(struct http_bodies *all, h2o_req_t *req) {
    if (h2o_compat_is_read(req) || !http_body_is_large(req)) return HTTP_SLOW_MS;
    int status = judge(all, http_thread_of(req->conn), req);
    if (status != 0 && all->nrefused < HTTP_REFUSED_AT_ONCE)
        all->refused[all->nrefused++] = (struct http_refused_body){req, status};
    return HTTP_LARGE_SLOW_MS;
}

/* --- refusing --- */

static const char *message_of(const h2o_req_t *req, int status) {
    switch (status) {
    case 401:
        return "sign in first";
    case 413:
        return errors_too_large(http_thread_of(req->conn), req);
    default:
        return "many large bodies are being read, try again";
    }
}

/* Returns the status that it writes. */
static int write_refusal(struct buf *out, h2o_req_t *req, int status) {
    struct buf location = {0};
    struct json j = {0};
    bool leads = http_body_leads_back(http_thread_of(req->conn), req, status, &location);
    if (leads) {
        buf_printf(
            out, "HTTP/1.1 303 See Other\r\nConnection: close\r\nContent-Length: 0\r\nLocation: %.*s\r\n\r\n",
            (int)location.len, (const char *)location.data);
    } else {
        const char *type = errors_write(&j, req, status, NULL, message_of(req, status));
        buf_printf(out,
                   "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
                   status, http_reason(status), type, j.out.len, status == 503 ? "Retry-After: 1\r\n" : "");
        buf_add(out, j.out.data, j.out.len);
    }
    buf_free(&location);
    buf_free(&j.out);
    return leads ? 303 : status;
}

/* By hand, since h2o answers no request before it is read. What arrives afterwards is thrown away. */
static void refuse(h2o_req_t *req, int status) {
    struct buf out = {0};
    status = write_refusal(&out, req, status);
    /* nothing was sent before: there is room for a few hundred bytes */
    ssize_t ignored = send(h2o_compat_socket_of(req), out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)ignored;
    http_stats_note(http_thread_of(req->conn), &(struct answer){.status = status, .bytes = out.len});
    buf_free(&out);
    errors_keep_socket(req);
    h2o_compat_close_reading(req);
}

void http_bodies_refuse(struct http_bodies *all) {
    for (int i = 0; i < all->nrefused; i++)
        refuse(all->refused[i].req, all->refused[i].status);
}
