#include "priv/http_stats.h"

#include <stdlib.h>

#include "buf.h"
#include "clock.h"
#include "mem.h"

/* A line is put together from parts, since every request has one: formatting by printf costs more than the
 * rest of a cheap request's way through here. Paths are logged as the route's pattern: what a client puts
 * there may be a secret. */
struct http_log_parts {
    int nroutes;
    struct str *texts; /* from "level" to "status": */
};

static struct str part(const char *service, const char *method, const char *path) {
    struct json j = {0};
    json_raw(&j, STR("\",\"level\":\"info\""));
    json_key(&j, "service");
    json_text(&j, str_of(service));
    if (method != NULL) {
        json_key(&j, "method");
        json_text(&j, str_of(method));
        json_key(&j, "route");
        json_text(&j, str_of(path));
    }
    json_key(&j, "status");
    return buf_str(&j.out);
}

struct http_log_parts *http_log_parts_new(const char *service, const struct route *routes) {
    struct http_log_parts *parts = mem_alloc(sizeof *parts);
    while (routes[parts->nroutes].method != NULL)
        parts->nroutes++;
    parts->texts = mem_alloc((size_t)(parts->nroutes + 1) * sizeof *parts->texts);
    for (int i = 0; i <= parts->nroutes; i++) /* the last has neither: its method is NULL in the table */
        parts->texts[i] = part(service, routes[i].method, routes[i].path);
    return parts;
}

void http_log_parts_free(struct http_log_parts *parts) {
    for (int i = 0; i <= parts->nroutes; i++)
        free((char *)parts->texts[i].p);
    free(parts->texts);
    free(parts);
}

static void add(struct buf *b, struct str s) {
    buf_add(b, s.p, s.n);
}

static void add_number(struct buf *b, uint64_t v) {
    char text[20], *end = text + sizeof text, *p = end;
    do
        *--p = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    buf_add(b, p, (size_t)(end - p));
}

void http_log_answer(struct buf *b, const struct http_log_parts *parts, int route_index,
                     const struct answer *a) {
    char at[CLOCK_TEXT];
    clock_format(clock_wall_us(), at);
    add(b, STR("{\"at\":\""));
    buf_add(b, at, sizeof at);
    add(b, parts->texts[route_index]);
    add_number(b, (uint64_t)a->status);
    add(b, STR(",\"duration_us\":"));
    add_number(b, (uint64_t)a->us);
    add(b, STR(",\"bytes\":"));
    add_number(b, a->bytes);
    add(b, STR(",\"trace\":\""));
    add(b, a->trace);
    add(b, a->gone ? STR("\",\"client\":\"gone\"}\n") : STR("\"}\n"));
}
