/* load: what a process of orders says of itself about once a second, on the topic `load`: how many requests
 * wait, how many orders were placed or refused, and how long placing took. By it streams/waiting decides how
 * many people come in.
 *
 * Requests only count; nobody waits for it. On the teller's thread. */
#pragma once

#include "events.h"
#include "http.h"

struct teller;

struct load {
    struct uuid instance;
    struct http_measure before; /* as it was looked at last, and when, by the monotonic clock; 0: not yet */
    int64_t looked_us;
};

/* What has come since the last look. The first look counts from the start of the process. */
struct load_event load_since(struct load *l, const struct http_measure *now, int64_t mono_us);

void load_tell(struct teller *t, void *orders); /* the service's state */
