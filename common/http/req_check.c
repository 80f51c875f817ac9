#include "h2o_compat.h"
#include "priv/req_priv.h"

/* What h2o lets pass and a strict server should not (RFC 9112, 3.2 and 6.3): two readings of where a request
 * ends make a smuggled request out of its rest. h2o hands on neither of these headers as they came, so they
 * are counted in the raw head. */
struct head {
    size_t size;
    int hosts, lengths, encodings;
    bool folded;
};

static bool is_header(const char *line, size_t n, const char *name_and_colon, size_t name_n) {
    return n >= name_n && memcmp(line, name_and_colon, name_n) == 0;
}

static void note_line(struct head *head, const char *line, size_t n) {
    switch (line[0]) {
    case 'h':
        head->hosts += is_header(line, n, H2O_STRLIT("host:"));
        break;
    case 'c':
        head->lengths += is_header(line, n, H2O_STRLIT("content-length:"));
        break;
    case 't':
        head->encodings += is_header(line, n, H2O_STRLIT("transfer-encoding:"));
        break;
    case ' ':
    case '\t':
        head->folded = true;
        break;
    default:
        break;
    }
}

static struct head read_head(const h2o_req_t *h) {
    struct str input = h2o_compat_raw_input(h);
    const char *p = input.p, *end = p + input.n;
    struct head head = {0};
    while (p < end && (*p == '\r' || *p == '\n'))
        p++; /* an empty line before the request is allowed */
    for (bool first = true; p < end; first = false) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        if (newline == NULL || newline == p || (newline == p + 1 && *p == '\r')) break;
        if (!first) note_line(&head, p, (size_t)(newline - p));
        p = newline + 1;
    }
    head.size = (size_t)(p - input.p);
    return head;
}

/* Answers, and ends the connection: what follows on it cannot be trusted. */
static bool refuse(struct req *rq, int status, const char *message) {
    h2o_compat_close_after(rq->h2o);
    req_fail(rq, status, NULL, "%s", message);
    return false;
}

bool req_wellformed(struct req *rq) {
    struct head head = read_head(rq->h2o);
    bool http_1_1 = rq->h2o->version >= 0x101;
    if (head.size > HTTP_MAX_HEAD) return refuse(rq, 431, "the request headers are larger than 32 KiB");
    if (head.folded) return refuse(rq, 400, "a header is folded over two lines");
    if (head.lengths > 1) return refuse(rq, 400, "more than one Content-Length");
    if (head.encodings > 1) return refuse(rq, 400, "more than one Transfer-Encoding");
    if (head.encodings > 0 && (head.lengths > 0 || !http_1_1))
        return refuse(rq, 400, "Transfer-Encoding beside Content-Length, or in HTTP/1.0");
    if (head.hosts != 1 && (http_1_1 || head.hosts > 1))
        return refuse(rq, 400, "there must be one Host header");
    return true;
}
