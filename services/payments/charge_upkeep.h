/* charge_upkeep: what the charge worker does now and then: forgets old webhooks, and counts what is open, for
 * the metrics, and which cards are refused. One owner thread. */
#pragma once

#include "charge_db.h"
#include "refused_cards.h"
#include "sql.h"

struct charge_upkeep {
    struct sql_params forget, forget_declines, count_returns, count_line, count_tries, get_refused;
    bool paced;
    int64_t card_most;
    struct refused_cards *refused;
    int64_t forget_at_us, count_at_us, refused_at_us;
};

void charge_upkeep_init(struct charge_upkeep *u, bool paced, int64_t card_most,
                        struct refused_cards *refused);
void charge_upkeep_free(struct charge_upkeep *u);
void charge_upkeep_do(struct charge_upkeep *u, struct charge_db *db); /* if it is time to */
