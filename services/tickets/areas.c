/* The routes of a show's areas; declared in shows.h. */
#include "shows.h"

#include "clock.h"
#include "currency.h"
#include "fields.h"
#include "making.h"
#include "queries.h"
#include "recent.h"
#include "routes.h"
#include "show_answers.h"
#include "show_fields.h"

/* What a request needs beyond its callback. */
struct area_request {
    struct area_input input;
    struct uuid id, show_id;
    struct str key, rows;
    int blocks;
};

/* --- POST /api/shows/:id/areas --- */

static void ask_create(struct req *rq);

static void fail_area(struct req *rq, struct str verdict) {
    if (str_eq(verdict, STR("announced")))
        req_fail(rq, 409, NULL, "This show has been announced: its areas stay as they are");
    else if (str_eq(verdict, STR("full")))
        req_fail(rq, 409, NULL, "A show has at most 200 areas");
    else if (str_eq(verdict, STR("price0")))
        req_fail(rq, 400, "price", FIELDS_PRICE_NO_DECIMALS);
    else if (str_eq(verdict, STR("price2")))
        req_fail(rq, 400, "price", FIELDS_PRICE_TWO_DECIMALS);
    else if (!shows_fail(rq, verdict))
        req_again(rq, ask_create);
}

enum { AREA = 1, VERDICT = AREA + AREA_FREE + 1 };

static void on_created(struct req *rq, const struct rows *rows) {
    const struct tickets *service = req_service(rq);
    struct str verdict = row_text(rows, 0, VERDICT);
    if (!str_eq(verdict, STR("done"))) {
        fail_area(rq, verdict);
        return;
    }
    making_wake(service->making);
    areas_write(req_json(rq), rows, 0, AREA);
    req_reply(rq, 202);
}

static void ask_create(struct req *rq) {
    const struct area_request *a = req_state(rq);
    const struct area_input *in = &a->input;
    struct sql_params *item = req_exec(rq, &sql_create_area, on_created);
    if (item == NULL) return;
    put_uuid(item, &a->id);
    put_uuid(item, &a->show_id);
    req_put_user(rq, item);
    put_text(item, in->name);
    put_int(item, in->hundredths);
    if (in->rank < 0)
        put_null(item);
    else
        put_int(item, in->rank);
    put_bool(item, in->accessible);
    put_optional_text(item, a->rows);
    put_int(item, a->blocks);
    put_int(item, in->places);
    put_optional_text(item, a->key);
    put_text(item, req_traceparent(rq));
}

/* The id's last 24 bits are the tickets' to number them. */
static struct uuid new_area_id(void) {
    struct uuid id = uuid_v7();
    id.b[13] = id.b[14] = id.b[15] = 0;
    return id;
}

void areas_post(struct req *rq) {
    struct area_request *a = req_alloc(rq, sizeof *a);
    const char *field;
    req_set_state(rq, a);
    a->input.rank = -1;
    if (!req_idempotency_key(rq, &a->key) || !req_body(rq, area_fields, &a->input)) return;
    const char *message = area_check(&a->input, &a->blocks, &field, req_arena(rq));
    if (message != NULL) {
        req_fail(rq, 400, field, "%s", message);
        return;
    }
    if (a->input.rows.count > 0) a->rows = area_rows_text(&a->input, req_arena(rq));
    a->id = new_area_id();
    a->show_id = req_path_uuid(rq, 0);
    ask_create(rq);
}

/* --- GET /api/shows/:id/areas/:id/seats --- */

enum seats_column { S_ORDINAL, S_AREA, S_SEATED, S_STATUS, S_BLOCK, S_NAME, S_FIRST, S_PLACES, S_FREE };

static void write_block(struct json *out, const struct rows *rows, int row) {
    char bits[MOST_IN_ROW];
    int64_t free = row_int(rows, row, S_FREE);
    int places = (int)row_int(rows, row, S_PLACES);
    for (int i = 0; i < places; i++)
        bits[i] = (free >> i & 1) != 0 ? '1' : '0';
    json_open(out, '{');
    json_put_int(out, "block", row_int(rows, row, S_BLOCK));
    if (!row_null(rows, row, S_NAME)) {
        json_put_text(out, "name", row_text(rows, row, S_NAME));
        json_put_int(out, "first", row_int(rows, row, S_FIRST));
    }
    json_put_text(out, "free", (struct str){bits, (size_t)places});
    json_close(out, '}');
}

static void set_cache_control(struct req *rq, bool everybodys) {
    req_set_header(rq, "cache-control", everybodys ? STR("public, max-age=1") : STR("private, max-age=1"));
}

/* Which map it is, in the request's arena. */
static struct str map_key(struct req *rq) {
    struct uuid *ids = req_alloc(rq, 2 * sizeof *ids);
    ids[0] = req_path_uuid(rq, 0);
    ids[1] = req_path_uuid(rq, 1);
    return (struct str){(const char *)ids, 2 * sizeof *ids};
}

/* Answered, or to be looked at again: a million who look at a map ask the database for it once. */
static bool reply_kept(struct req *rq) {
    const struct tickets *service = req_service(rq);
    struct recent_answer answer;
    switch (recent_find(service->recent, req_thread(rq), map_key(rq), clock_mono_us(), &answer)) {
    case RECENT_MISSING:
        return false;
    case RECENT_ASKED:
        req_later(rq, areas_get_seats);
        return true;
    case RECENT_FOUND:
        break;
    }
    set_cache_control(rq, true);
    req_reply_raw(rq, 200, "application/json", answer.body);
    return true;
}

static void on_seats(struct req *rq, const struct rows *rows) {
    const struct tickets *service = req_service(rq);
    if (rows->count == 0) {
        recent_drop(service->recent, req_thread(rq), map_key(rq));
        req_fail(rq, 404, NULL, "No such area");
        return;
    }
    bool announced = str_eq(row_text(rows, 0, S_STATUS), STR("announced"));
    set_cache_control(rq, announced);
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_put_uuid(out, "areaId", row_uuid(rows, 0, S_AREA));
    json_key(out, "rows");
    json_open(out, '[');
    for (int i = 0; i < rows->count && !row_null(rows, i, S_BLOCK); i++)
        write_block(out, rows, i);
    json_close(out, ']');
    json_close(out, '}');
    if (announced)
        recent_put(service->recent, req_thread(rq), map_key(rq), clock_mono_us(),
                   (struct recent_answer){.body = buf_str(&out->out)});
    else
        recent_drop(service->recent, req_thread(rq), map_key(rq));
    req_reply(rq, 200);
}

void areas_get_seats(struct req *rq) {
    if (reply_kept(rq)) return;
    struct sql_params *item = req_exec(rq, &sql_get_seats, on_seats);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    req_put_path_uuid(rq, 1, item);
    shows_put_viewer(rq, item);
}
