#include "show_answers.h"

#include <stdio.h>

#include "clock.h"
#include "currency.h"

bool shows_fail(struct req *rq, struct str verdict) {
    static const struct {
        struct str verdict;
        int status;
        const char *field, *message;
    } failures[] = {
        {STR("zone"), 400, "timeZone", "must be the name of a time zone, like Europe/Zurich"},
        {STR("missing"), 404, NULL, "No such show"},
        {STR("forbidden"), 403, NULL, "This show is somebody else's"},
        {STR("announced"), 409, NULL, "This show has been announced"},
        {STR("cancelled"), 409, NULL, "This show has been cancelled"},
        {STR("currency"), 409, "currency", "cannot change once the show has areas with prices"},
        {STR("begun"), 409, NULL, "This show has begun already: give it a later start first"},
        {STR("empty"), 409, NULL, "This show has no places yet: add an area first"},
        {STR("sells"), 409, NULL, "This show was announced without phases, and is on sale already"},
        {STR("no phases"), 409, NULL, "This show has been announced: it must keep a phase"},
        {STR("sale over"), 409, NULL, "All phases of this show are over: give it one that is to come first"},
        {STR("phase begun"), 409, "phases",
         "must stay as they are once they have opened; one that is open can only close at another time to come"},
        {STR("phase late"), 409, "phases", "must open in the future once their show has been announced"},
        {STR("phase area"), 400, "phases", "must not name an area that the show does not have"},
        {STR("changed"), 412, NULL, "The show has changed since the version in If-Match"},
        {STR("other"), 422, NULL, "This Idempotency-Key came with another body before"},
    };
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (str_eq(verdict, failures[i].verdict)) {
            req_fail(rq, failures[i].status, failures[i].field, "%s", failures[i].message);
            return true;
        }
    return false;
}

void shows_put_viewer(struct req *rq, struct sql_params *item) {
    if (req_user(rq) == NULL)
        put_null(item);
    else
        req_put_user(rq, item);
}

void shows_write(struct json *out, const struct rows *rows, int row) {
    json_put_uuid(out, "id", row_uuid(rows, row, SHOW_ID));
    json_put_text(out, "title", row_text(rows, row, SHOW_TITLE));
    json_put_text(out, "venue", row_text(rows, row, SHOW_VENUE));
    json_put_text(out, "city", row_text(rows, row, SHOW_CITY));
    json_key(out, "startsAt");
    json_time(out, row_time(rows, row, SHOW_STARTS_AT));
    json_put_text(out, "timeZone", row_text(rows, row, SHOW_TIME_ZONE));
    if (!row_null(rows, row, SHOW_DESCRIPTION))
        json_put_text(out, "description", row_text(rows, row, SHOW_DESCRIPTION));
    if (!row_null(rows, row, SHOW_ORGANIZER))
        json_put_text(out, "organizer", row_text(rows, row, SHOW_ORGANIZER));
    json_put_text(out, "currency", row_text(rows, row, SHOW_CURRENCY));
    json_put_text(out, "status", row_text(rows, row, SHOW_STATUS));
    json_put_int(out, "perUser", row_int(rows, row, SHOW_PER_USER));
    json_put_uuid(out, "userId", row_uuid(rows, row, SHOW_USER));
    json_put_int(out, "version", row_int(rows, row, SHOW_VERSION));
    if (!row_null(rows, row, SHOW_PICTURE)) {
        json_key(out, "picture");
        json_raw(out, row_text(rows, row, SHOW_PICTURE));
    }
    if (row_null(rows, row, SHOW_PHASES)) return;
    json_key(out, "phases");
    json_raw(out, row_text(rows, row, SHOW_PHASES));
    json_key(out, "now");
    json_time(out, clock_wall_us());
}

void shows_reply(struct req *rq, int status, const struct rows *rows) {
    char etag[24];
    int n = snprintf(etag, sizeof etag, "\"%lld\"", (long long)row_int(rows, 0, SHOW_VERSION));
    req_set_header(rq, "etag", (struct str){etag, (size_t)n});
    struct json *out = req_json(rq);
    json_open(out, '{');
    shows_write(out, rows, 0);
    json_close(out, '}');
    req_reply(rq, status);
}

void areas_write(struct json *out, const struct rows *rows, int row, int first) {
    json_open(out, '{');
    json_put_uuid(out, "id", row_uuid(rows, row, first + AREA_ID));
    json_put_text(out, "name", row_text(rows, row, first + AREA_NAME));
    json_key(out, "price");
    json_minor(out, row_int(rows, row, first + AREA_PRICE),
               currency_decimals(row_text(rows, row, first + AREA_CURRENCY)));
    json_key(out, "seated");
    json_bool(out, row_bool(rows, row, first + AREA_SEATED));
    json_key(out, "accessible");
    json_bool(out, row_bool(rows, row, first + AREA_ACCESSIBLE));
    json_put_int(out, "rank", row_int(rows, row, first + AREA_RANK));
    json_put_int(out, "places", row_int(rows, row, first + AREA_PLACES));
    json_put_int(out, "made", row_int(rows, row, first + AREA_MADE));
    json_put_int(out, "known", row_int(rows, row, first + AREA_KNOWN));
    json_put_int(out, "free", row_int(rows, row, first + AREA_FREE));
    json_close(out, '}');
}
