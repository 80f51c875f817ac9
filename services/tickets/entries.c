#include "entries.h"

#include "codes.h"
#include "fields.h"
#include "queries.h"
#include "routes.h"

enum { DOOR_MAX = 60 };

/* --- where a ticket is --- */

/* In words for people: Stalls, row A, seat 12. A ticket of no show has its title. */
static struct str seat_words(struct req *rq, const struct rows *rows, int title) {
    if (row_null(rows, 0, title + 1)) return row_text(rows, 0, title);
    struct str area = row_text(rows, 0, title + 1);
    if (row_null(rows, 0, title + 2)) return area;
    struct str row = row_text(rows, 0, title + 2);
    struct buf words = {0};
    buf_printf(&words, "%.*s, row %.*s, seat %lld", (int)area.n, area.p, (int)row.n, row.p,
               (long long)row_int(rows, 0, title + 3));
    struct str text = arena_str(req_arena(rq), buf_str(&words));
    buf_free(&words);
    return text;
}

static void write_time(struct json *out, const char *key, int64_t us) {
    json_key(out, key);
    json_time(out, us);
}

/* When it was used, and at which door if that has a name. */
static void write_admission(struct json *out, const struct rows *rows, int at) {
    if (row_null(rows, 0, at)) return;
    write_time(out, "admittedAt", row_time(rows, 0, at));
    if (!row_null(rows, 0, at + 1)) json_put_text(out, "door", row_text(rows, 0, at + 1));
}

/* --- GET /.well-known/onsale-ticket-keys.json --- */

void entries_get_keys(struct req *rq) {
    const struct tickets *service = req_service(rq);
    req_set_header(rq, "cache-control", STR("public, max-age=300"));
    req_reply_raw(rq, 200, "application/json", codes_keys(service->codes));
}

/* --- GET /api/tickets/:id/code --- */

enum code_column {
    ORDINAL,
    TICKET,
    STATUS,
    ORDER,
    BUYER,
    REFUNDED,
    TITLE, /* then area, row and seat */
    SHOW = TITLE + 4,
    SHOW_TITLE,
    VENUE,
    CITY,
    STARTS_AT,
    TIME_ZONE,
    ADMITTED_AT, /* then the door */
};

static void write_show(struct json *out, const struct rows *rows) {
    json_key(out, "show");
    json_open(out, '{');
    json_put_uuid(out, "id", row_uuid(rows, 0, SHOW));
    json_put_text(out, "title", row_text(rows, 0, SHOW_TITLE));
    json_put_text(out, "venue", row_text(rows, 0, VENUE));
    json_put_text(out, "city", row_text(rows, 0, CITY));
    write_time(out, "startsAt", row_time(rows, 0, STARTS_AT));
    json_put_text(out, "timeZone", row_text(rows, 0, TIME_ZONE));
    json_close(out, '}');
}

static void reply_code(struct req *rq, const struct rows *rows) {
    const struct tickets *service = req_service(rq);
    struct str words = seat_words(rq, rows, TITLE);
    struct code code = {.ticket = row_uuid(rows, 0, TICKET), .serial = row_uuid(rows, 0, ORDER)};
    char text[CODE_TEXT];
    if (!row_null(rows, 0, SHOW)) code.show = row_uuid(rows, 0, SHOW);
    code_set_words(&code, words);
    size_t length = codes_sign(service->codes, &code, text);
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_put_text(out, "code", (struct str){text, length});
    json_put_uuid(out, "ticketId", code.ticket);
    json_put_uuid(out, "orderId", code.serial);
    json_put_text(out, "title", row_text(rows, 0, TITLE));
    json_put_text(out, "words", words);
    if (!row_null(rows, 0, SHOW)) write_show(out, rows);
    write_admission(out, rows, ADMITTED_AT);
    json_close(out, '}');
    req_set_header(rq, "cache-control", STR("no-store"));
    req_reply(rq, 200);
}

static void on_code(struct req *rq, const struct rows *rows) {
    if (rows->count == 0) {
        req_fail(rq, 404, NULL, "No such ticket");
        return;
    }
    bool sold = str_eq(row_text(rows, 0, STATUS), STR("sold"));
    if (!sold || row_null(rows, 0, BUYER)) {
        req_fail(rq, 409, NULL,
                 sold ? "Who bought this ticket is not known here. Ask whoever runs this site."
                      : "This ticket is not sold");
        return;
    }
    struct uuid buyer = row_uuid(rows, 0, BUYER);
    if (!uuid_eq(&buyer, &req_user(rq)->user))
        req_fail(rq, 403, NULL, "Only who bought this ticket can see its code");
    else if (row_bool(rows, 0, REFUNDED))
        req_fail(rq, 409, NULL, "This ticket was refunded");
    else
        reply_code(rq, rows);
}

void entries_get_code(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_get_code, on_code);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
}

/* --- POST /api/tickets/:id/admit, POST /api/shows/:id/admit --- */

/* Why a code admits nobody, as programs and people at a door are told. */
static const struct refusal {
    const char *reason, *message;
} refusals[] = {
    {"forged", "This is not a code of ours"},
    {"unknown_key", "This code was signed by somebody else, or by a key that was withdrawn"},
    {"altered", "This code was altered: its signature is wrong"},
    {"other_show", "This ticket is for another show"},
    {"other_ticket", "This code is of another ticket"},
    {"refunded", "This ticket was refunded"},
    {"sold_again", "This ticket was sold again, and this code is of the sale before"},
    {"not_sold", "This ticket is not sold"},
    {"used", "This ticket was used already"},
};

struct admission {
    struct str code, door; /* door.n is 0 when it was not given */
    struct str key;
    struct uuid id, at; /* at: the ticket or the show of the path */
    bool at_show;
    struct code read;
    struct str fault; /* a reason, or empty */
};

static const char *read_door(const json_t *value, void *out, struct arena *arena) {
    return fields_name(value, DOOR_MAX, out, arena);
}

static const struct body_field admission_fields[] = {
    {"code", body_text, offsetof(struct admission, code), BODY_REQUIRED},
    {"door", read_door, offsetof(struct admission, door), BODY_OPTIONAL},
    {0},
};

enum admission_column {
    VERDICT = 1,
    USED_AT, /* then the door */
    OF_TICKET = USED_AT + 2,
    OF_ORDER,
    OF_SHOW,
    OF_TITLE, /* then area, row and seat */
};

static void reply_admitted(struct req *rq, const struct rows *rows) {
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_put_uuid(out, "ticketId", row_uuid(rows, 0, OF_TICKET));
    json_put_uuid(out, "orderId", row_uuid(rows, 0, OF_ORDER));
    if (!row_null(rows, 0, OF_SHOW)) json_put_uuid(out, "showId", row_uuid(rows, 0, OF_SHOW));
    json_put_text(out, "title", row_text(rows, 0, OF_TITLE));
    json_put_text(out, "words", seat_words(rq, rows, OF_TITLE));
    write_admission(out, rows, USED_AT);
    json_close(out, '}');
    req_reply(rq, 200);
}

static void reply_refused(struct req *rq, const struct refusal *refusal, const struct rows *rows) {
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_key(out, "errors");
    json_open(out, '[');
    json_open(out, '{');
    json_put_text(out, "message", str_of(refusal->message));
    json_close(out, '}');
    json_close(out, ']');
    json_put_text(out, "reason", str_of(refusal->reason));
    write_admission(out, rows, USED_AT);
    json_close(out, '}');
    req_reply(rq, 409);
}

static void ask_admit(struct req *rq);

static void on_admitted(struct req *rq, const struct rows *rows) {
    const struct admission *a = req_state(rq);
    struct str verdict = row_text(rows, 0, VERDICT);
    if (str_eq(verdict, STR("admitted"))) {
        reply_admitted(rq, rows);
    } else if (str_eq(verdict, STR("again"))) {
        req_again(rq, ask_admit);
    } else if (str_eq(verdict, STR("missing"))) {
        req_fail(rq, 404, NULL, a->at_show ? "No such show" : "No such ticket");
    } else if (str_eq(verdict, STR("forbidden"))) {
        req_fail(rq, 403, NULL, "Only the seller lets in");
    } else {
        for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
            if (str_eq(verdict, str_of(refusals[i].reason))) reply_refused(rq, &refusals[i], rows);
    }
}

static void ask_admit(struct req *rq) {
    const struct admission *a = req_state(rq);
    struct sql_params *item = req_exec(rq, &sql_admit_ticket, on_admitted);
    if (item == NULL) return;
    put_uuid(item, &a->id);
    put_optional_uuid(item, !a->at_show, &a->at);
    put_optional_uuid(item, a->at_show, &a->at);
    put_optional_uuid(item, a->fault.n == 0, &a->read.ticket);
    put_optional_uuid(item, a->fault.n == 0, &a->read.serial);
    req_put_user(rq, item);
    put_optional_text(item, a->fault);
    put_optional_text(item, a->door);
    put_optional_text(item, a->key);
    put_text(item, req_traceparent(rq));
    req_put_asker(rq, item);
}

/* What is wrong with a code before anybody asks what became of its ticket. */
static struct str fault_of(const struct codes *codes, struct admission *a) {
    switch (codes_read(codes, fields_trim(a->code), &a->read)) {
    case CODE_FORGED:
        return STR("forged");
    case CODE_UNKNOWN_KEY:
        return STR("unknown_key");
    case CODE_ALTERED:
        return STR("altered");
    case CODE_GENUINE:
        break;
    }
    if (a->at_show) return uuid_eq(&a->read.show, &a->at) ? (struct str){0} : STR("other_show");
    return uuid_eq(&a->read.ticket, &a->at) ? (struct str){0} : STR("other_ticket");
}

static void admit(struct req *rq, bool at_show) {
    const struct tickets *service = req_service(rq);
    struct admission *a = req_alloc(rq, sizeof *a);
    req_set_state(rq, a);
    if (!req_idempotency_key(rq, &a->key) || !req_body(rq, admission_fields, a)) return;
    a->id = uuid_v7();
    a->at = req_path_uuid(rq, 0);
    a->at_show = at_show;
    a->fault = fault_of(service->codes, a);
    ask_admit(rq);
}

void entries_admit_ticket(struct req *rq) {
    admit(rq, false);
}

void entries_admit_show(struct req *rq) {
    admit(rq, true);
}
