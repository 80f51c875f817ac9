#include "buf.h"
#include "routes.h"
#include "search.h"
#include "views.h"

/* --- the list --- */

static void on_shows(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    const struct search *search = visit->own;
    struct shows_view view = {.page = visit->page, .search = search->view, .later = visit_cursor(rq).n > 0};
    view.search.problem = search_problem(rq, answer);
    if (answer->code == 400 && view.search.problem.n > 0) {
        visit->status = 400;
    } else if (answer->code != 200 ||
               !view_shows(answer->body, visit->page.now, req_arena(rq), &view.shows)) {
        view.away = true;
        visit->status = 503;
    } else if (answer->cursor.n > 0) {
        view.next = search_next(rq, search, "/shows", answer->cursor);
    }
    shows_render(page_begin(rq), &view);
    page_end(rq);
}

void list_shows(struct req *rq) {
    struct visit *visit = visit_begin(rq);
    struct search *search = req_alloc(rq, sizeof *search);
    *search = search_read(rq, "/shows");
    visit->own = search;
    search_ask(rq, search, "/api/shows", visit_cursor(rq), on_shows);
}

/* --- a show --- */

void show_show(struct req *rq) {
    visit_begin(rq);
    go_to_show(rq, NULL);
}

/* --- the best places there are --- */

static void on_bought(struct req *rq, const struct api_answer *answer) {
    if (!page_go_to_purchase(rq, answer)) go_to_show(rq, answer);
}

static void put_flag(struct req *rq, struct json *body, const char *name) {
    json_key(body, name);
    json_bool(body, visit_field(rq, name).n > 0);
}

void buy_places(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct str area = visit_field(rq, "area"), code = visit_trim(visit_field(rq, "code"));
    struct str admission = visit_field(rq, "admission");
    struct json body = {0};
    json_open(&body, '{');
    json_put_uuid(&body, "showId", req_path_uuid(rq, 0));
    visit_put_number(rq, &body, "quantity", "quantity");
    if (area.n > 0) json_put_text(&body, "areaId", area);
    if (code.n > 0) json_put_text(&body, "code", code);
    if (admission.n > 0) json_put_text(&body, "admission", admission);
    put_flag(rq, &body, "together");
    put_flag(rq, &body, "accessible");
    json_close(&body, '}');
    visit_send(rq, API_ORDERS, "POST", "/api/purchases", &body, 0, on_bought);
}
