#include "priv/req_priv.h"

#include <arpa/inet.h>

/* An element of X-Forwarded-For: 1.2.3.4, 1.2.3.4:56, ::1, [::1] or [::1]:56. */
static bool parse_hop(struct str s, struct address *out) {
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.n--;
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    char text[INET6_ADDRSTRLEN + 8];
    if (s.n == 0 || s.n >= sizeof text) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    char *start = text, *colon = strchr(text, ':');
    if (*start == '[') {
        char *bracket = strchr(++start, ']');
        if (bracket == NULL) return false;
        *bracket = '\0';
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) /* one colon: a port behind IPv4 */
        *colon = '\0';
    return address_parse(start, out);
}

static bool peer_of(const struct req *rq, struct address *out) {
    struct sockaddr_storage peer;
    if (rq->h2o == NULL) return false;
    if (rq->h2o->conn->callbacks->get_peername(rq->h2o->conn, (struct sockaddr *)&peer) == 0) return false;
    if (peer.ss_family == AF_INET)
        address_from_v4(&((struct sockaddr_in *)&peer)->sin_addr, out);
    else
        memcpy(out->bytes, &((struct sockaddr_in6 *)&peer)->sin6_addr, sizeof out->bytes);
    return true;
}

/* Takes the last element off a comma-separated list. */
static struct str last_element(struct str *list) {
    const char *comma = memrchr(list->p, ',', list->n);
    size_t start = comma == NULL ? 0 : (size_t)(comma + 1 - list->p);
    struct str element = {list->p + start, list->n - start};
    list->n = comma == NULL ? 0 : start - 1;
    return element;
}

/* Walks a header from the right while *at is a trusted proxy. false: *at is the client, or the header cannot
 * be read further. No proxy forwards to itself: if an address comes twice, the second one is a client on the
 * proxy's own host, and what is before it cannot be believed. */
static bool walk(const struct proxies *proxies, struct str list, struct address *at) {
    while (list.n > 0) {
        struct address hop;
        if (!proxies_trust(proxies, at) || !parse_hop(last_element(&list), &hop)) return false;
        if (memcmp(&hop, at, sizeof hop) == 0) return false;
        *at = hop;
    }
    return true;
}

bool req_client(struct req *rq, struct address *at) {
    if (!peer_of(rq, at)) return false;
    const h2o_headers_t *headers = &rq->h2o->headers;
    for (size_t i = headers->size; i-- > 0;) { /* each proxy adds at the end: the last line is the nearest */
        const h2o_header_t *h = &headers->entries[i];
        if (h->name != &H2O_TOKEN_X_FORWARDED_FOR->buf) continue;
        if (!walk(&rq->thread->http->proxies, (struct str){h->value.base, h->value.len}, at)) break;
    }
    return true;
}

struct str req_client_address(struct req *rq) {
    struct address at;
    if (!req_client(rq, &at)) return (struct str){0};
    char *text = arena_alloc(&rq->arena, INET6_ADDRSTRLEN);
    if (address_is_v4(&at))
        inet_ntop(AF_INET, at.bytes + 12, text, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, at.bytes, text, INET6_ADDRSTRLEN);
    return str_of(text);
}
