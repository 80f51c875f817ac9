#include "h2o_compat.h"
#include "priv/http_bodies.h"
#include "priv/req_priv.h"

/* What h2o lets pass and a strict server should not (RFC 9112, 3.2 and 6.3): two readings of where a request
 * ends make a smuggled request out of its rest. h2o hands on neither of these headers as they came, so their
 * count comes from the raw head. */

/* Answers, and ends the connection: what follows on it cannot be trusted. */
static bool refuse(struct req *rq, int status, const char *message) {
    h2o_compat_close_after(rq->h2o);
    req_fail(rq, status, NULL, "%s", message);
    return false;
}

bool req_wellformed(struct req *rq) {
    struct h2o_compat_head head = h2o_compat_read_head(rq->h2o);
    bool http_1_1 = rq->h2o->version >= 0x101;
    if (head.size > HTTP_MAX_HEAD) return refuse(rq, 431, "the request headers are larger than 32 KiB");
    if (head.folded) return refuse(rq, 400, "a header is folded over two lines");
    if (head.lengths > 1) return refuse(rq, 400, "more than one Content-Length");
    if (head.encodings > 1) return refuse(rq, 400, "more than one Transfer-Encoding");
    if (head.encodings > 0 && (head.lengths > 0 || !http_1_1))
        return refuse(rq, 400, "Transfer-Encoding beside Content-Length, or in HTTP/1.0");
    if (head.hosts != 1 && (http_1_1 || head.hosts > 1))
        return refuse(rq, 400, "there must be one Host header");
    if (rq->h2o->entity.len > HTTP_MAX_BODY && rq->h2o->entity.len > http_body_max(rq->thread, rq->h2o))
        return refuse(rq, 413, errors_too_large(rq->thread, rq->h2o));
    return true;
}
