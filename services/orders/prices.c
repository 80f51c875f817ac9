#include "prices.h"

#include <math.h>

#include "currency.h"
#include "errors.h"
#include "queries.h"

const char *prices_read(const json_t *value, void *out, struct arena *arena) {
    (void)arena;
    double price = json_is_number(value) ? json_number_value(value) : -1;
    if (!(price > 0 && price < 1e12)) return "must be a price";
    *(int64_t *)out = (int64_t)llround(price * 1000);
    return NULL;
}

/* --- refusals --- */

enum column { ORDINAL, ID, PRICE, CURRENCY, VERSION };

static void write_prices(struct json *out, const struct rows *rows) {
    json_key(out, "tickets");
    json_open(out, '[');
    for (int i = 0; i < rows->count; i++) {
        json_open(out, '{');
        json_put_uuid(out, "id", row_uuid(rows, i, ID));
        json_key(out, "price");
        json_minor(out, row_int(rows, i, PRICE), currency_decimals(row_text(rows, i, CURRENCY)));
        json_put_text(out, "currency", row_text(rows, i, CURRENCY));
        json_put_int(out, "version", row_int(rows, i, VERSION));
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void refuse(struct req *rq, const struct rows *rows, const char *message, const char *reason) {
    struct json *out = req_json(rq);
    errors_open(out);
    errors_add(out, NULL, message);
    json_close(out, ']');
    json_put_text(out, "reason", str_of(reason));
    write_prices(out, rows);
    json_close(out, '}');
    req_reply(rq, 409);
}

static void on_dearer(struct req *rq, const struct rows *rows) {
    refuse(rq, rows, "The price is higher now", "price");
}

static void on_changed(struct req *rq, const struct rows *rows) {
    refuse(rq, rows, "The ticket has changed since that version", "changed");
}

bool prices_refuse(struct req *rq, struct str verdict, struct str tickets) {
    bool dearer = str_eq(verdict, STR("dearer"));
    if (!dearer && !str_eq(verdict, STR("changed"))) return false;
    struct sql_params *item = req_exec(rq, &sql_get_prices, dearer ? on_dearer : on_changed);
    if (item != NULL) put_text(item, tickets);
    return true;
}
