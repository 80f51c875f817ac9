/* routes: the API of queues, as a table. Handlers ask the waiting thread (waiting.h) and are called on one of
 * the HTTP threads. */
#pragma once

#include "demand.h"
#include "http.h"
#include "spend.h"
#include "waiting.h"

struct waiting_service {
    struct spend *spend;
    struct waiting *waiting;
    struct admission_keys *keys;
    struct demand *demand; /* a slot for each HTTP thread, and behind these one for the waiting thread */
};

extern const struct route waiting_routes[];
