#include "phases.h"

#include "fields.h"
#include "queries.h"
#include "show_answers.h"

/* --- PUT /api/shows/:id/phases --- */

struct phases_request {
    struct str text;
    int32_t if_version; /* -1: any */
};

static void ask(struct req *rq);

static void on_put(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, SHOW_VERDICT);
    if (str_eq(verdict, STR("done")))
        shows_reply(rq, 200, rows);
    else if (!shows_fail(rq, verdict))
        req_again(rq, ask);
}

static void ask(struct req *rq) {
    const struct phases_request *p = req_state(rq);
    struct sql_params *item = req_exec(rq, &sql_put_phases, on_put);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    req_put_user(rq, item);
    put_optional_text(item, p->text);
    if (p->if_version < 0)
        put_null(item);
    else
        put_int(item, p->if_version);
    put_text(item, req_traceparent(rq));
    req_put_asker(rq, item);
}

void phases_put(struct req *rq) {
    struct phases_request *p = req_alloc(rq, sizeof *p);
    struct phases_input input = {0};
    struct str if_match;
    req_set_state(rq, p);
    p->if_version = -1;
    if (!req_body(rq, phases_fields, &input)) return;
    const char *message = phases_check(&input, req_arena(rq));
    if (message != NULL) {
        req_fail(rq, 400, "phases", "%s", message);
        return;
    }
    if (req_header(rq, "if-match", &if_match) && !fields_parse_if_match(if_match, &p->if_version)) {
        req_fail(rq, 400, NULL, "If-Match must be the show's version, like \"3\"");
        return;
    }
    p->text = phases_text(&input, req_arena(rq));
    ask(rq);
}
