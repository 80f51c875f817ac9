#include "show_answers.h"

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
