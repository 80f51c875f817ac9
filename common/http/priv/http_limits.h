/* http_limits: how large and how slow a request may be. */
#pragma once

#ifndef HTTP_PRIV
#error "private to common/http"
#endif

enum {
    HTTP_MAX_BODY = 64 * 1024, /* but of routes with ROUTE_LARGE_BODY */
    HTTP_LARGE_BODIES = 8,     /* of these a thread has in memory at a time */
    HTTP_LARGE_OF_USER = 2,    /* and of these one user sends */
    HTTP_LARGE_SLOW_MS = 60 * 1000,
    HTTP_MAX_HEAD = 32 * 1024,
    /* Longer than the 60 to 75 s for which proxies keep connections: the side that reuses them should be the
       one that closes. */
    HTTP_IDLE_MS = 90 * 1000,
    HTTP_SLOW_MS = 10 * 1000, /* from a request's first byte to its last, and the same for its answer */
    /* Of a larger answer: for what is more than that at least so fast, a slow telephone's 256 kbit/s. */
    HTTP_QUICK_ANSWER = 1024 * 1024,
    HTTP_SLOWEST_BYTES_A_MS = 32,
};
