/* admin: /healthz, /readyz and /metrics on a port of its own, run by the main thread's loop. */
#pragma once

#include <h2o.h>

#include "status.h"

/* One thing that has to be ready. */
struct probe {
    const char *name;
    bool (*ready)(void *part, struct why *w);
    void *part;
};

struct admin;
/* probes end with a NULL name, and may be changed (all parts NULL: not ready) as long as admin lives. */
struct admin *admin_start(h2o_loop_t *loop, const char *address, int port, const struct probe *probes, struct why *w);
void admin_free(struct admin *admin);
