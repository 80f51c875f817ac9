/* The page of a ticket that its reader bought: where and when, and the code that opens the door. */
#include "qr.h"
#include "routes.h"
#include "texts.h"
#include "views.h"
#include "views_read.h"

/* When it was used, in words; empty: it was not. */
static struct str used_words(struct req *rq, const json_t *json, struct str zone) {
    struct str door = {0};
    int64_t at;
    if (!read_time(json, "admittedAt", &at)) return door;
    struct str when = view_local_time(zone, at, req_arena(rq));
    if (!read_text(json, "door", &door)) return visit_text(rq, "%.*s", (int)when.n, when.p);
    return text_fill(req_arena(rq), TEXT_ADMIT_USED_AT,
                     (struct text_hole[]){{"when", when}, {"door", door}, {0}});
}

static bool read_pass(struct req *rq, const json_t *json, struct pass_view *view) {
    const json_t *show = json_object_get(json, "show");
    struct qr qr;
    if (!read_uuid(json, "orderId", &view->order) || !read_text(json, "code", &view->code) ||
        !read_text(json, "words", &view->words) ||
        !read_text(show == NULL ? json : show, "title", &view->title) ||
        !qr_draw(req_arena(rq), view->code, &qr))
        return false;
    view->qr = qr.path;
    view->box = qr.box;
    if (show != NULL &&
        (!read_text(show, "venue", &view->venue) || !read_text(show, "city", &view->city) ||
         !read_text(show, "timeZone", &view->zone) || !read_time(show, "startsAt", &view->starts_at)))
        return false;
    if (show != NULL) view->starts = view_local_time(view->zone, view->starts_at, req_arena(rq));
    view->used = used_words(rq, json, view->zone);
    return true;
}

bool render_pass(struct req *rq, const struct api_answer *answer) {
    const struct ticket *ticket = visit_of(rq)->own;
    struct pass_view view = {.page = visit_of(rq)->page, .at = ticket->card.at};
    if (answer->code != 200 || !read_pass(rq, answer->body, &view)) return false;
    pass_render(page_begin(rq), &view);
    page_end(rq);
    return true;
}
