/* admin: /healthz, /readyz and /metrics on a port of its own. All of it on the main thread, by its loop.
 *
 *     /healthz   200 as long as the loop turns
 *     /readyz    200 {"status":"ready"}, or 503 {"status":"not ready","waiting":[{"name","reason"}]}
 *     /metrics   Prometheus text */
#pragma once

#include <h2o.h>
#include <stdbool.h>

#include "status.h"

/* One thing that has to be ready. */
struct probe {
    const char *name;
    bool (*ready)(void *part, struct why *w);
    void *part; /* NULL: not started, so not ready */
};

struct admin;
/* probes end with a NULL name; they stay the caller's, who may change their parts. */
struct admin *admin_start(h2o_loop_t *loop, const char *address, int port, const struct probe *probes,
                          struct why *w);
int admin_port(const struct admin *admin);
void admin_free(struct admin *admin);
/* The first that is not ready, why filled; NULL: all are. */
const struct probe *admin_waiting(const struct probe *probes, struct why *w);
