/* charge_upkeep: what the charge worker does now and then: forgets old webhooks, and counts what is open, for
 * the metrics. One owner thread. */
#pragma once

#include "charge_db.h"
#include "sql.h"

struct charge_upkeep {
    struct sql_params forget, count_returns, count_line;
    bool paced;
    int64_t forget_at_us, count_at_us;
};

void charge_upkeep_init(struct charge_upkeep *u, bool paced);
void charge_upkeep_free(struct charge_upkeep *u);
void charge_upkeep_do(struct charge_upkeep *u, struct charge_db *db); /* if it is time to */
