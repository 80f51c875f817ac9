#include "load.h"

#include "clock.h"
#include "routes.h"
#include "teller.h"

enum { PERIOD_MS = 1000 }; /* of the first one, which begins nowhere */

struct load_event load_since(struct load *l, const struct http_measure *now, int64_t mono_us) {
    int64_t ms = l->looked_us == 0 ? PERIOD_MS : (mono_us - l->looked_us) / 1000;
    int64_t p99_us = histogram_quantile_us(&l->before.took, &now->took, 0.99);
    struct load_event e = {.type = LOAD_MEASURED,
                           .instance = l->instance,
                           .service = STR("orders"),
                           .occurred_at = clock_wall_us(),
                           .period_ms = ms < 1 ? 1 : (int32_t)ms,
                           .waiting = now->waiting,
                           .answered = (int32_t)(now->answered - l->before.answered),
                           .placed = (int32_t)(now->good - l->before.good),
                           .refused = (int32_t)(now->failed - l->before.failed),
                           .has_p99_us = p99_us > 0,
                           .p99_us = p99_us};
    l->before = *now;
    l->looked_us = mono_us;
    return e;
}

void load_tell(struct teller *t, void *state) {
    struct orders *orders = state;
    struct http_measure now;
    if (orders->http == NULL) return;
    http_measure(orders->http, &now);
    struct load_event e = load_since(&orders->load, &now, clock_mono_us());
    teller_send(t, &e);
}
