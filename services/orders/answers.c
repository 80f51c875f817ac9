#include "answers.h"

#include "currency.h"

void write_status(struct json *out, struct str status) {
    json_put_text(out, "status", str_eq(status, STR("awaiting_payment")) ? STR("awaiting:payment") : status);
}

static void write_price(struct json *out, const char *key, int64_t minor, struct str currency) {
    json_key(out, key);
    json_minor(out, minor, currency_decimals(currency));
    json_put_text(out, "currency", currency);
}

static void write_ticket(struct json *out, const struct rows *rows, int row) {
    json_key(out, "ticket");
    json_open(out, '{');
    json_put_uuid(out, "id", row_uuid(rows, row, TICKET));
    json_put_text(out, "title", row_text(rows, row, TITLE));
    write_price(out, "price", row_int(rows, row, PRICE), row_text(rows, row, CURRENCY));
    json_put_int(out, "version", row_int(rows, row, TICKET_VERSION));
    json_close(out, '}');
}

static void write_standing(struct json *out, const struct rows *rows, int row) {
    write_status(out, row_text(rows, row, STATUS));
    json_key(out, "expiresAt");
    json_time(out, row_time(rows, row, EXPIRES_AT));
    json_put_uuid(out, "userId", row_uuid(rows, row, USER));
}

void write_order(struct json *out, const struct rows *rows, int row) {
    json_open(out, '{');
    json_put_uuid(out, "id", row_uuid(rows, row, ID));
    write_standing(out, rows, row);
    json_put_int(out, "version", row_int(rows, row, VERSION));
    if (!row_null(rows, row, REASON)) json_put_text(out, "reason", row_text(rows, row, REASON));
    if (!row_null(rows, row, SHOW)) json_put_uuid(out, "showId", row_uuid(rows, row, SHOW));
    write_ticket(out, rows, row);
    json_close(out, '}');
}

/* --- purchases --- */

static bool same_text(const struct rows *rows, int a, int b, enum order_column column) {
    if (row_null(rows, a, column) || row_null(rows, b, column))
        return row_null(rows, a, column) && row_null(rows, b, column);
    return str_eq(row_text(rows, a, column), row_text(rows, b, column));
}

/* How many rows from `row` on, before `end`, are places of one row side by side, or standing places of one
 * area. */
static int run_length(const struct rows *rows, int row, int end) {
    int n = 1;
    bool standing = row_null(rows, row, ROW);
    while (row + n < end && same_text(rows, row, row + n, AREA) && same_text(rows, row, row + n, ROW) &&
           (standing || row_int(rows, row + n, SEAT) == row_int(rows, row, SEAT) + n))
        n++;
    return n;
}

static void write_run(struct buf *out, const struct rows *rows, int row, int n) {
    struct str name = row_text(rows, row, ROW);
    int64_t seat = row_int(rows, row, SEAT);
    if (n == 1)
        buf_printf(out, "row %.*s, seat %lld", (int)name.n, name.p, (long long)seat);
    else
        buf_printf(out, "row %.*s, seats %lld\u2013%lld", (int)name.n, name.p, (long long)seat,
                   (long long)seat + n - 1);
}

void write_seats(struct buf *out, const struct rows *rows, int first, int count) {
    int end = first + count;
    for (int row = first, n; row < end; row += n) {
        n = run_length(rows, row, end);
        if (row_null(rows, row, AREA)) continue;
        bool same_area = row > first && same_text(rows, row - 1, row, AREA);
        if (out->len > 0) buf_printf(out, "%s", same_area ? "; " : ". ");
        struct str area = row_text(rows, row, AREA);
        if (!same_area) buf_printf(out, "%.*s, ", (int)area.n, area.p);
        if (row_null(rows, row, ROW))
            buf_printf(out, n == 1 ? "%d place" : "%d places", n);
        else
            write_run(out, rows, row, n);
    }
}

void write_purchase(struct json *out, const struct rows *rows, int first, int count) {
    int64_t total = 0;
    for (int i = first; i < first + count; i++)
        total += row_int(rows, i, PRICE);
    json_open(out, '{');
    json_put_uuid(out, "id", row_uuid(rows, first, ID));
    write_standing(out, rows, first);
    write_price(out, "total", total, row_text(rows, first, CURRENCY));
    struct buf seats = {0};
    write_seats(&seats, rows, first, count);
    if (seats.len > 0) json_put_text(out, "seats", (struct str){(const char *)seats.data, seats.len});
    buf_free(&seats);
    json_key(out, "orders");
    json_open(out, '[');
    for (int i = first; i < first + count; i++)
        write_order(out, rows, i);
    json_close(out, ']');
    json_close(out, '}');
}
