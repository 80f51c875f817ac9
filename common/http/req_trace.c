#include "priv/http_priv.h"

#include <stdlib.h>
#include <sys/random.h>

/* traceparent (W3C Trace Context): 00-<trace, 32 hex>-<span, 16 hex>-<flags, 2 hex>. */
enum { TRACE_AT = 3, TRACE_N = 32, SPAN_AT = 36, SPAN_N = 16, FLAGS_AT = 53, LENGTH = 55 };

/* Ids need to differ, not to be secret: xorshift64* from a random start. */
static uint64_t random_bits(void) {
    static _Thread_local uint64_t x;
    while (x == 0)
        if (getrandom(&x, sizeof x, 0) != (ssize_t)sizeof x) abort();
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    return x * 0x2545f4914f6cdd1du;
}

static void put_hex(char *out, uint64_t v) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--, v >>= 4)
        out[i] = digits[v & 15];
}

static bool is_hex(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f'))) return false;
    return true;
}

static bool all_zero(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != '0') return false;
    return true;
}

/* A later version may have more behind; what it has in front is read like version 00. */
static bool valid(struct str s) {
    if (s.n < LENGTH || !is_hex(s.p, 2) || memcmp(s.p, "ff", 2) == 0) return false;
    if (s.n > LENGTH && (memcmp(s.p, "00", 2) == 0 || s.p[LENGTH] != '-')) return false;
    return s.p[2] == '-' && s.p[SPAN_AT - 1] == '-' && s.p[FLAGS_AT - 1] == '-' &&
           is_hex(s.p + TRACE_AT, TRACE_N) && is_hex(s.p + SPAN_AT, SPAN_N) && is_hex(s.p + FLAGS_AT, 2) &&
           !all_zero(s.p + TRACE_AT, TRACE_N) && !all_zero(s.p + SPAN_AT, SPAN_N);
}

/* The caller's header, unless there are two of them. */
static bool caller(const struct req *rq, struct str *out) {
    const h2o_headers_t *headers = &rq->h2o->headers;
    ssize_t i = h2o_find_header_by_str(headers, H2O_STRLIT("traceparent"), -1);
    if (i < 0 || h2o_find_header_by_str(headers, H2O_STRLIT("traceparent"), i) >= 0) return false;
    *out = (struct str){headers->entries[i].value.base, headers->entries[i].value.len};
    return valid(*out);
}

void req_trace_start(struct req *rq) {
    char *t = rq->traceparent;
    struct str theirs;
    memcpy(t, "00-", 3);
    if (caller(rq, &theirs)) {
        memcpy(t + TRACE_AT, theirs.p + TRACE_AT, TRACE_N);
        memcpy(t + FLAGS_AT, theirs.p + FLAGS_AT, 2);
    } else {
        put_hex(t + TRACE_AT, random_bits());
        put_hex(t + TRACE_AT + 16, random_bits());
        memcpy(t + FLAGS_AT, "01", 2);
    }
    put_hex(t + SPAN_AT, random_bits());
    t[SPAN_AT - 1] = t[FLAGS_AT - 1] = '-';
}

struct str req_traceparent(const struct req *rq) {
    return (struct str){rq->traceparent, sizeof rq->traceparent};
}
