/* output: what sales writes in its transactions: rows to sales-by-minute and show-sales, the state to
 * sales-changelog. One owner thread. */
#pragma once

#include "events.h"
#include "transactions.h"
#include "wire.h"

extern const char changelog_topic[];

struct output {
    struct transactions *transactions;                 /* not its own */
    uint8_t wire[WIRE_HEADER], area_wire[WIRE_HEADER]; /* of rows, and of those of areas */
};

/* ST_FAILED: the transaction is void. */
enum status output_row(struct output *o, int32_t partition, const struct sales_event *row, struct why *w);
/* To the partition of its key, the show. */
enum status output_area_row(struct output *o, const struct show_sales_event *row, struct why *w);
enum status output_state(struct output *o, int32_t partition, struct str key, struct str value,
                         struct why *w);
