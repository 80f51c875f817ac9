#include "http_impl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

struct address {
    uint8_t bytes[16];
};

static void from_v4(const void *four, struct address *out) {
    memcpy(out->bytes, mapped, sizeof mapped);
    memcpy(out->bytes + 12, four, 4);
}

static bool is_v4(const struct address *a) {
    return memcmp(a->bytes, mapped, sizeof mapped) == 0;
}

static bool parse_plain(const char *text, struct address *out) {
    struct in_addr four;
    if (inet_pton(AF_INET, text, &four) == 1) {
        from_v4(&four, out);
        return true;
    }
    return inet_pton(AF_INET6, text, out->bytes) == 1;
}

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
    return parse_plain(start, out);
}

static bool in_block(const struct address_block *block, const struct address *a) {
    int whole = block->bits / 8, rest = block->bits % 8;
    if (memcmp(block->bytes, a->bytes, (size_t)whole) != 0) return false;
    return rest == 0 || (block->bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

static bool trusted(const struct proxies *p, const struct address *a) {
    for (int i = 0; i < p->count; i++)
        if (in_block(&p->blocks[i], a)) return true;
    return false;
}

static bool parse_block(char *text, struct address_block *out) {
    char *slash = strchr(text, '/'), *end = NULL;
    if (slash != NULL) *slash = '\0';
    struct address a;
    if (!parse_plain(text, &a)) return false;
    int most = is_v4(&a) && strchr(text, ':') == NULL ? 32 : 128;
    long bits = most;
    if (slash != NULL) {
        if (slash[1] < '0' || slash[1] > '9') return false;
        bits = strtol(slash + 1, &end, 10);
        if (*end != '\0' || bits > most) return false;
    }
    memcpy(out->bytes, a.bytes, sizeof out->bytes);
    out->bits = (int)bits + 128 - most;
    return true;
}

enum status proxies_parse(const char *list, struct proxies *out, struct why *w) {
    *out = (struct proxies){0};
    if (list == NULL) return ST_OK;
    char *copy = mem_strdup(list), *rest = copy;
    enum status st = ST_OK;
    for (char *item; st == ST_OK && (item = strsep(&rest, ", ")) != NULL;) {
        if (*item == '\0') continue;
        struct address_block block;
        char shown[64];
        snprintf(shown, sizeof shown, "%s", item);
        if (!parse_block(item, &block)) {
            st = why(w, ST_INVALID, "must be addresses or blocks like 10.0.0.0/8, got \"%s\"", shown);
            break;
        }
        out->blocks = mem_grow(out->blocks, (size_t)(out->count + 1) * sizeof *out->blocks);
        out->blocks[out->count++] = block;
    }
    free(copy);
    if (st != ST_OK) proxies_free(out);
    return st;
}

void proxies_free(struct proxies *p) {
    free(p->blocks);
    *p = (struct proxies){0};
}

static bool peer_of(const struct req *rq, struct address *out) {
    struct sockaddr_storage peer;
    if (rq->h2o == NULL) return false;
    if (rq->h2o->conn->callbacks->get_peername(rq->h2o->conn, (struct sockaddr *)&peer) == 0) return false;
    if (peer.ss_family == AF_INET)
        from_v4(&((struct sockaddr_in *)&peer)->sin_addr, out);
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

/* Walks a header from the right as long as it stands at a trusted proxy. false: arrived, or no sense in going
 * on. No proxy forwards to itself: where the same address comes twice, the second is a client on the proxy's
 * own host, and what stands before it is his invention. */
static bool walk(const struct proxies *proxies, struct str list, struct address *at) {
    while (list.n > 0) {
        struct address hop;
        if (!trusted(proxies, at) || !parse_hop(last_element(&list), &hop)) return false;
        if (memcmp(&hop, at, sizeof hop) == 0) return false;
        *at = hop;
    }
    return true;
}

struct str req_client_address(struct req *rq) {
    struct address at;
    if (!peer_of(rq, &at)) return (struct str){0};
    const h2o_headers_t *headers = &rq->h2o->headers;
    for (size_t i = headers->size; i-- > 0;) { /* each proxy adds at the end: the last line is the nearest */
        const h2o_header_t *h = &headers->entries[i];
        if (h->name != &H2O_TOKEN_X_FORWARDED_FOR->buf) continue;
        if (!walk(&rq->thread->http->proxies, (struct str){h->value.base, h->value.len}, &at)) break;
    }
    char *text = arena_alloc(&rq->arena, INET6_ADDRSTRLEN);
    if (is_v4(&at))
        inet_ntop(AF_INET, at.bytes + 12, text, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, at.bytes, text, INET6_ADDRSTRLEN);
    return str_of(text);
}
