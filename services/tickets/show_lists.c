/* The lists of shows: of all that are announced, and of a seller's own. Declared in shows.h. */
#include "arena.h"
#include "clock.h"
#include "currency.h"
#include "fields.h"
#include "lists.h"
#include "queries.h"
#include "recent.h"
#include "routes.h"
#include "show_answers.h"
#include "shows.h"

struct list {
    struct req_page page;
    bool has_cursor;
    struct list_filter filter;
    int64_t begins, ends; /* where from and to are given: for a day, its begin in UTC */
};

/* Nothing: it is on sale now, or will be once it is announced. */
static void write_sale(struct json *out, const struct rows *rows, int row) {
    if (!row_bool(rows, row, SHOW_PHASED)) return;
    if (row_null(rows, row, SHOW_OPENS_AT)) {
        json_key(out, "saleOver");
        json_bool(out, true);
    } else if (row_time(rows, row, SHOW_OPENS_AT) > clock_wall_us()) {
        json_key(out, "opensAt");
        json_time(out, row_time(rows, row, SHOW_OPENS_AT));
    }
}

static void write_row(struct json *out, const struct rows *rows, int row) {
    json_open(out, '{');
    shows_write(out, rows, row);
    if (!row_null(rows, row, SHOW_FROM_PRICE)) {
        json_key(out, "fromPrice");
        json_minor(out, row_int(rows, row, SHOW_FROM_PRICE),
                   currency_decimals(row_text(rows, row, SHOW_CURRENCY)));
    }
    json_put_int(out, "free", row_int(rows, row, SHOW_FREE));
    json_put_int(out, "places", row_int(rows, row, SHOW_ALL_PLACES));
    write_sale(out, rows, row);
    json_close(out, '}');
}

static void add_text(struct buf *key, struct str text) {
    buf_printf(key, " %zu:", text.n);
    buf_add(key, text.p, text.n);
}

/* A date alone: a day by the clocks at each show's place. */
static bool is_day(struct str text) {
    return text.n == sizeof "2027-06-01" - 1;
}

static void add_moment(struct buf *key, struct str text, int64_t us) {
    if (text.n == 0)
        buf_printf(key, " -");
    else
        buf_printf(key, " %s%lld", is_day(text) ? "day " : "", (long long)us);
}

/* What was asked for, however it was written: whoever writes it in another way costs no other question. */
static struct str key_of(struct req *rq, const struct list *list) {
    struct buf key = {0};
    char before[UUID_TEXT];
    uuid_format(&list->page.before, before);
    buf_printf(&key, "shows %d %.*s", list->page.size, list->has_cursor ? UUID_TEXT : 0, before);
    add_text(&key, list->filter.q);
    add_text(&key, list->filter.city);
    add_moment(&key, list->filter.from, list->begins);
    add_moment(&key, list->filter.to, list->ends);
    struct str kept = arena_str(req_arena(rq), buf_str(&key));
    buf_free(&key);
    return kept;
}

static bool reply_kept(struct req *rq, const struct list *list) {
    const struct tickets *service = req_service(rq);
    struct recent_answer answer;
    if (recent_find(service->recent, req_thread(rq), key_of(rq, list), clock_mono_us(), &answer) !=
        RECENT_FOUND)
        return false;
    if (answer.link.n > 0) req_set_header(rq, "link", answer.link);
    req_set_header(rq, "cache-control", STR("public, max-age=1"));
    req_reply_raw(rq, 200, "application/json", answer.body);
    return true;
}

/* One row more than the page was asked for, to know whether there is a next one. */
static void on_page(struct req *rq, const struct rows *rows) {
    const struct tickets *service = req_service(rq);
    const struct list *list = req_state(rq);
    struct json *out = req_json(rq);
    struct str link = {0};
    json_open(out, '[');
    for (int i = 0; i < rows->count && i < list->page.size; i++)
        write_row(out, rows, i);
    json_close(out, ']');
    if (rows->count > list->page.size)
        link = req_link_next(rq, &list->page, row_uuid(rows, list->page.size - 1, SHOW_ID),
                             lists_query(rq, &list->filter));
    if (!list->filter.mine) {
        req_set_header(rq, "cache-control", STR("public, max-age=1"));
        recent_put(service->recent, req_thread(rq), key_of(rq, list), clock_mono_us(),
                   (struct recent_answer){buf_str(&out->out), link});
    }
    req_reply(rq, 200);
}

static bool read_time(struct req *rq, const char *name, struct str *text, int64_t *us) {
    if (!req_query(rq, name, text) || clock_parse(*text, us)) return true;
    req_fail(rq, 400, name, "must be a date, or a date and time like 2027-06-01T20:00:00Z");
    return false;
}

/* Of a day, as far away from UTC as a place can be (further_us); the day itself says the rest. */
static void put_moment(struct sql_params *item, struct str text, int64_t us, int64_t further_us) {
    if (text.n == 0)
        put_null(item);
    else
        put_time(item, is_day(text) ? us + further_us : us);
    if (is_day(text))
        put_time(item, us);
    else
        put_null(item);
}

static void list_own(struct req *rq, const struct list *list) {
    struct sql_params *item = req_exec(rq, &sql_list_own_shows, on_page);
    if (item == NULL) return;
    put_uuid(item, &list->page.before);
    put_int(item, list->page.size + 1);
    req_put_user(rq, item);
}

void shows_list(struct req *rq) {
    struct list *list = req_alloc(rq, sizeof *list);
    struct str cursor;
    req_set_state(rq, list);
    if (!lists_mine(rq, "Sign in to see your own shows", &list->filter.mine) || !req_page(rq, &list->page) ||
        !lists_words(rq, &list->filter) || !read_time(rq, "from", &list->filter.from, &list->begins) ||
        !read_time(rq, "to", &list->filter.to, &list->ends))
        return;
    list->has_cursor = req_query(rq, "cursor", &cursor);
    if (list->filter.mine) {
        list_own(rq, list);
        return;
    }
    if (reply_kept(rq, list)) return;
    struct sql_params *item = req_exec(rq, &sql_list_shows, on_page);
    if (item == NULL) return;
    put_optional_uuid(item, list->has_cursor, &list->page.before);
    put_int(item, list->page.size + 1);
    put_optional_text(item, lists_pattern(rq, &list->filter));
    put_optional_text(item, list->filter.city);
    static const int64_t hours_us = INT64_C(14) * 3600 * 1000000; /* of the zones: -12 to +14 */
    put_moment(item, list->filter.from, list->begins, -hours_us);
    put_moment(item, list->filter.to, list->ends, hours_us);
}
