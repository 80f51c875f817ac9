/* What became of a show's places, to its seller: a page with charts, and the same numbers as files. tickets
 * has the numbers, and judges who may have them. */
#include "routes.h"
#include "views.h"
#include "views_sales.h"

enum { STEPS = 100 }; /* as many as tickets tells at a time */

struct sales_page {
    const struct api_answer *numbers;
    struct show show;
    struct sales_view view;
};

static struct sales_page *own(struct req *rq) {
    return visit_of(rq)->own;
}

/* true: it is answered. */
static bool refused(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 200) return false;
    if (answer->code == 403)
        page_missing(rq, 403, TEXT_MISSING_NOT_YOUR_SHOW, TEXT_MISSING_SELLER_SEES_SALES);
    else
        page_refusal(rq, answer, TEXT_AWAY_SALES);
    return true;
}

static void ask_numbers(struct req *rq, bool by_area, api_then *then) {
    char id[UUID_TEXT];
    struct str per = {0};
    bool known = req_query(rq, "per", &per) &&
                 (str_eq(per, STR("minute")) || str_eq(per, STR("hour")) || str_eq(per, STR("day")));
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "GET", then, "/api/shows/%.*s/sales?limit=%d&byArea=%s%s%.*s", UUID_TEXT, id,
              STEPS, by_area ? "true" : "false", known ? "&per=" : "", known ? (int)per.n : 0, per.p);
}

/* --- the page --- */

static void render(struct req *rq) {
    struct visit *visit = visit_of(rq);
    struct sales_page *p = own(rq);
    struct sales sales;
    if (!view_sales(p->numbers->body, p->show.head.zone, req_arena(rq), &sales)) {
        page_down(rq, TEXT_AWAY_SALES);
        return;
    }
    p->view.page = visit->page;
    p->view.id = p->show.id;
    p->view.title = p->show.head.title;
    p->view.per = sales.per;
    p->view.places = sales.places;
    p->view.sold = sales.sold;
    p->view.held = sales.held;
    p->view.free = sales.free;
    p->view.revenue = sales.revenue;
    p->view.areas = sales.areas;
    p->view.steps = sales.steps;
    view_sales_charts(&sales, req_arena(rq), &p->view.chart);
    sales_render(page_begin(rq), &p->view);
    page_end(rq);
}

/* Without a queue, or while it is away, nobody is said to wait. */
static void on_queue(struct req *rq, const struct api_answer *answer) {
    struct queue queue;
    struct sales_view *view = &own(rq)->view;
    view->queued = answer->code == 200 && view_queue(answer->body, &queue);
    if (view->queued) view->waiting = queue.people > queue.serving ? queue.people - queue.serving : 0;
    render(rq);
}

/* While a phase with a queue is open, or is the next. */
static bool has_queue(struct req *rq, const struct show *show) {
    struct sale sale = view_sale(show, visit_of(rq)->page.now);
    return show->state == SHOW_STATE_ANNOUNCED && sale.phase != NULL && sale.phase->queue;
}

static void on_show(struct req *rq, const struct api_answer *answer) {
    struct sales_page *p = own(rq);
    char id[UUID_TEXT];
    if (answer->code != 200 || !view_show(answer->body, req_arena(rq), &p->show)) {
        page_refusal(rq, answer, TEXT_AWAY_SALES);
        return;
    }
    visit_id(rq, id);
    if (has_queue(rq, &p->show))
        visit_ask(rq, API_WAITING, "GET", on_queue, "/api/shows/%.*s/queue/serving", UUID_TEXT, id);
    else
        render(rq);
}

static void on_numbers(struct req *rq, const struct api_answer *answer) {
    char id[UUID_TEXT];
    if (refused(rq, answer)) return;
    own(rq)->numbers = answer;
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "GET", on_show, "/api/shows/%.*s", UUID_TEXT, id);
}

void show_sales(struct req *rq) {
    struct visit *visit = visit_begin(rq);
    if (!page_signed_in(rq)) return;
    visit->own = req_alloc(rq, sizeof(struct sales_page));
    ask_numbers(rq, false, on_numbers);
}

/* --- the files --- */

static void reply_csv(struct req *rq, const char *disposition) {
    page_headers(rq);
    req_set_header(rq, "content-type", STR("text/csv; charset=utf-8; header=present"));
    req_set_header(rq, "content-disposition", str_of(disposition));
    req_reply(rq, 200);
}

static void on_steps(struct req *rq, const struct api_answer *answer) {
    if (refused(rq, answer)) return;
    view_sales_csv_steps(answer->body, page_begin(rq));
    reply_csv(rq, "attachment; filename=\"sales-by-time.csv\"");
}

static void on_areas(struct req *rq, const struct api_answer *answer) {
    if (refused(rq, answer)) return;
    view_sales_csv_areas(answer->body, page_begin(rq));
    reply_csv(rq, "attachment; filename=\"sales-by-area.csv\"");
}

void send_sales_by_time(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) ask_numbers(rq, true, on_steps);
}

void send_sales_by_area(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) ask_numbers(rq, false, on_areas);
}
