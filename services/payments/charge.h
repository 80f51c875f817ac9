/* charge: a buyer's attempts to pay a purchase, read from the rows of a statement (type charge_answer, then
 * the purchase's size, its place in line and the card), and written as JSON. A list alone has the card:
 * answers to the same attempt are alike, and one may be given before it is known. No state; any thread. */
#pragma once

#include "json.h"
#include "sql.h"

/* What a statement has behind them is its own. */
enum { CHARGE_COLUMNS = 19 };

struct charge {
    struct str verdict;
    struct uuid id, purchase;
    int size;                                           /* orders of the purchase */
    struct str state, reason, currency, secret, action; /* empty for null */
    struct str brand, last4;                            /* of the card; likewise */
    int attempt;
    bool final, waits;      /* waits: in line, until its turn comes to be sent to Stripe */
    int64_t ahead, seconds; /* payments before it, and about how long */
    int64_t amount, started_us, changed_us;
};

/* strs are the rows'. Of an order that is not known, or not paid for yet, there is only a verdict. */
void charge_read(const struct rows *rows, int row, struct charge *out);
struct charge *charge_copy(const struct charge *c); /* with its strs, but the card's; free() it */
void charge_write(struct json *out, const struct charge *c);
bool charge_in(const struct charge *c, const char *state);
