#include "show_sales.h"

#include "clock.h"
#include "currency.h"
#include "queries.h"
#include "show_answers.h"

/* The columns of get_sales. */
enum column {
    ORDINAL,
    PART, /* which of the three kinds of rows it is */
    VERDICT,
    CURRENCY,
    PER,
    AREA,
    NAME,
    PLACES,
    BEGINS,
    PLACED,
    SOLD,
    RETURNED,
    REVENUE
};
enum part { OF_SHOW, OF_AREA, OF_STEP };

static void put_revenue(struct json *out, const struct rows *rows, int row) {
    json_key(out, "revenue");
    json_minor(out, row_int(rows, row, REVENUE), currency_decimals(row_text(rows, row, CURRENCY)));
}

static int64_t positive(int64_t n) {
    return n > 0 ? n : 0;
}

/* What was sold before this was counted is in none of the sums, so that they could come to less than nothing.
 */
static void write_area(struct json *out, const struct rows *rows, int row) {
    int64_t sold = row_int(rows, row, SOLD);
    int64_t taken = positive(row_int(rows, row, PLACED) - row_int(rows, row, RETURNED));
    json_open(out, '{');
    json_put_uuid(out, "id", row_uuid(rows, row, AREA));
    json_put_text(out, "name", row_text(rows, row, NAME));
    json_put_int(out, "places", row_int(rows, row, PLACES));
    json_put_int(out, "free", positive(row_int(rows, row, PLACES) - taken));
    json_put_int(out, "held", positive(taken - sold));
    json_put_int(out, "sold", sold);
    put_revenue(out, rows, row);
    json_close(out, '}');
}

static void write_step(struct json *out, const struct rows *rows, int row) {
    json_open(out, '{');
    json_key(out, "begins");
    json_time(out, row_time(rows, row, BEGINS));
    if (!row_null(rows, row, AREA)) json_put_uuid(out, "areaId", row_uuid(rows, row, AREA));
    json_put_int(out, "placed", row_int(rows, row, PLACED));
    json_put_int(out, "sold", row_int(rows, row, SOLD));
    json_put_int(out, "returned", row_int(rows, row, RETURNED));
    put_revenue(out, rows, row);
    json_close(out, '}');
}

/* The rows of a part, from *row on. */
static void write_part(struct json *out, const char *key, const struct rows *rows, int *row, enum part part,
                       void write(struct json *, const struct rows *, int)) {
    json_key(out, key);
    json_open(out, '[');
    for (; *row < rows->count && row_int(rows, *row, PART) == (int64_t)part; ++*row)
        write(out, rows, *row);
    json_close(out, ']');
}

static void on_sales(struct req *rq, const struct rows *rows) {
    if (shows_fail(rq, row_text(rows, 0, VERDICT))) return;
    struct json *out = req_json(rq);
    int row = 1;
    json_open(out, '{');
    json_put_uuid(out, "showId", req_path_uuid(rq, 0));
    json_put_text(out, "currency", row_text(rows, 0, CURRENCY));
    json_put_text(out, "per", row_text(rows, 0, PER));
    write_part(out, "areas", rows, &row, OF_AREA, write_area);
    write_part(out, "steps", rows, &row, OF_STEP, write_step);
    json_key(out, "now");
    json_time(out, clock_wall_us());
    json_close(out, '}');
    req_set_header(rq, "cache-control", STR("no-store"));
    req_reply(rq, 200);
}

/* Empty: the shortest that fits. */
static bool read_per(struct req *rq, struct str *per) {
    *per = (struct str){0};
    if (!req_query(rq, "per", per) || str_eq(*per, STR("minute")) || str_eq(*per, STR("hour")) ||
        str_eq(*per, STR("day")))
        return true;
    req_fail(rq, 400, "per", "must be minute, hour or day");
    return false;
}

static bool read_by_area(struct req *rq, bool *by_area) {
    struct str v;
    *by_area = req_query(rq, "byArea", &v) && str_eq(v, STR("true"));
    if (*by_area || !req_query(rq, "byArea", &v) || str_eq(v, STR("false"))) return true;
    req_fail(rq, 400, "byArea", "must be true or false");
    return false;
}

void show_sales_get(struct req *rq) {
    struct req_page page;
    struct str per;
    bool by_area;
    if (!read_per(rq, &per) || !read_by_area(rq, &by_area) || !req_page(rq, &page)) return;
    struct sql_params *item = req_exec(rq, &sql_get_sales, on_sales);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    req_put_user(rq, item);
    put_optional_text(item, per);
    put_int(item, page.size);
    put_bool(item, by_area);
}
