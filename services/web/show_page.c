/* The page of a show, as whoever reads it needs it. */
#include "arena.h"
#include "buf.h"
#include "demand.h"
#include "plan.h"
#include "routes.h"
#include "views.h"

static struct option_list quantities(struct req *rq, int64_t per_user, struct str chosen) {
    static const struct str words[PURCHASE_MOST] = {STR("1"), STR("2"), STR("3"), STR("4"),
                                                    STR("5"), STR("6"), STR("7"), STR("8")};
    size_t n = per_user < PURCHASE_MOST ? (size_t)per_user : PURCHASE_MOST;
    struct option_view *options = req_alloc(rq, sizeof *options * n);
    for (size_t i = 0; i < n; i++)
        options[i] = (struct option_view){words[i], words[i], str_eq(words[i], chosen)};
    return (struct option_list){options, n};
}

static struct option_view choice_of(struct req *rq, const struct show_area_view *area, struct str chosen) {
    char *id = req_alloc(rq, UUID_TEXT);
    struct buf price = {0};
    uuid_format(&area->id, id);
    html_price(&price, &area->price);
    struct str value = {id, UUID_TEXT};
    struct option_view option = {.value = value,
                                 .words = visit_text(rq, "%.*s, %.*s", (int)area->name.n, area->name.p,
                                                     (int)price.len, (char *)price.data),
                                 .chosen = str_eq(value, chosen)};
    buf_free(&price);
    return option;
}

/* Of those that are on sale. If others are not, a request has to name one. */
static struct option_list choices(struct req *rq, const struct show *show, struct str chosen) {
    size_t n = 0, all = show->areas.count;
    struct option_view *options = req_alloc(rq, sizeof *options * (all + 1));
    options[n++] = (struct option_view){.words = text_of(TEXT_BUYING_ANYWHERE)};
    for (size_t i = 0; i < all; i++)
        if (show->areas.items[i].on_sale) options[n++] = choice_of(rq, &show->areas.items[i], chosen);
    if (n <= all) return (struct option_list){options + 1, n - 1};
    return (struct option_list){options, n};
}

struct str visit_refused_words(struct req *rq, const struct api_answer *refusal) {
    if (refusal->away || refusal->code < 400) return text_of(TEXT_AWAY_BUYING);
    if (refusal->code == 404) return text_of(TEXT_BUYING_NEW_SHOW);
    if (refusal->code == 422) return text_of(TEXT_BUYING_OTHER_CHOICES);
    return visit_sentence(rq, api_error(refusal, NULL));
}

static void add_refusal(struct req *rq, const struct api_answer *refusal, struct show_view *view) {
    visit_of(rq)->status = refusal->away || refusal->code < 400 ? 503 : refusal->code;
    view->quantity_error = visit_words(rq, api_error(refusal, "quantity"));
    view->code_error = visit_words(rq, api_error(refusal, "code"));
    view->area_error = visit_words(rq, api_error(refusal, "areaId"));
    view->problem = visit_refused_words(rq, refusal);
}

struct show_page {
    const struct api_answer *refusal; /* of a form of it; NULL: none was sent */
    struct show show;
    struct queue queue; /* with the reader's admission, while it is his turn */
};

static struct show_page *own(struct req *rq) {
    return visit_of(rq)->own;
}

/* What is said of its phases, and when the next one opens. */
static void add_sale(struct req *rq, struct show_view *view) {
    const struct show *show = &own(rq)->show;
    int64_t now_us = visit_of(rq)->page.now;
    struct sale sale = view_sale(show, now_us);
    view->sale = sale.state;
    view->phases = view_phase_lines(show, now_us, req_arena(rq));
    view->changes_at = view_sale_changes(show, now_us);
    view->per_user = show->per_user;
    if (sale.phase == NULL) return;
    view->per_user = sale.phase->per_user;
    view->phase_at = sale.phase->opens_at;
    view->queued = sale.phase->queue;
    if (sale.state == SALE_STATE_LATER) {
        view->opens_at = sale.phase->opens_at;
        view->opens = view_local_time(show->head.zone, view->opens_at, req_arena(rq));
        view->opens_in = view_in(view->opens_at - now_us, req_arena(rq));
    } else {
        view->now_phase = sale.phase->name;
        view->coded = sale.phase->codes && !sale.phase->queue; /* else it was spent when he joined */
    }
}

/* While it is his turn. */
static void add_turn(struct req *rq, struct show_view *view) {
    const struct queue *queue = &own(rq)->queue;
    if (queue->admission.n == 0) return;
    view->admission = queue->admission;
    view->until = queue->until;
    if (view->changes_at == 0 || queue->until < view->changes_at) view->changes_at = queue->until;
}

/* Marks the areas that the reader can buy from at this moment, and counts their free places. */
static int64_t mark_areas(struct req *rq, bool over) {
    struct show_page *p = own(rq);
    struct sale sale = view_sale(&p->show, visit_of(rq)->page.now);
    bool sells = p->show.state == SHOW_STATE_ANNOUNCED && !over && view_sells(&sale, &p->queue);
    int64_t free = 0;
    for (size_t i = 0; i < p->show.areas.count; i++) {
        struct show_area_view *area = (struct show_area_view *)&p->show.areas.items[i];
        area->on_sale = sells && view_offers(&sale, &area->id);
        if (area->on_sale) free += area->free;
    }
    return free;
}

/* Whoever reads it, but for the one who sells. */
static void count_coming(struct req *rq, const struct show *show) {
    const struct web *web = req_service(rq);
    if (show_viewer(visit_of(rq), show) == VIEWER_SELLER) return;
    const struct demand_key key = {.show = show->id, .client = DEMAND_CLIENT_PAGE};
    demand_add(web->demand, req_thread(rq), &key, DEMAND_CAME, 1);
}

static void render_show(struct req *rq) {
    struct visit *visit = visit_of(rq);
    const struct show *show = &own(rq)->show;
    const struct api_answer *refusal = own(rq)->refusal;
    bool sent = refusal != NULL, over = view_over(show->head.starts_at, visit->page.now);
    int64_t free = mark_areas(rq, over);
    struct show_view view = {
        .page = visit->page,
        .id = show->id,
        .show = show->head,
        .state = show->state,
        .viewer = show_viewer(visit, show),
        .areas = show->areas,
        .free = free,
        .plan = plan_of(show, req_arena(rq)),
        .over = over,
        .follow = show->state == SHOW_STATE_ANNOUNCED && !over,
        .choices = choices(rq, show, visit_field(rq, "area")),
        .together = !sent || visit_field(rq, "together").n > 0,
        .accessible = visit_field(rq, "accessible").n > 0,
        .code = visit_field(rq, "code"),
        .key = visit_new_key(rq),
    };
    add_sale(rq, &view);
    add_turn(rq, &view);
    view.quantities = quantities(rq, view.per_user, sent ? visit_field(rq, "quantity") : STR("2"));
    if (sent)
        add_refusal(rq, refusal, &view);
    else
        count_coming(rq, show);
    show_render(page_begin(rq), &view);
    page_end(rq);
}

static void on_queue(struct req *rq, const struct api_answer *answer) {
    queue_read_turn(answer, &own(rq)->queue);
    render_show(rq);
}

static void on_show(struct req *rq, const struct api_answer *answer) {
    struct show_page *p = own(rq);
    if (answer->code == 404)
        page_missing(rq, 404, TEXT_MISSING_NO_SHOW, TEXT_MISSING_SHOW_GONE);
    else if (answer->code != 200 || !view_show(answer->body, req_arena(rq), &p->show))
        page_down(rq, TEXT_AWAY_SHOWS);
    else if (p->show.state == SHOW_STATE_DRAFT)
        render_draft(rq, &p->show, p->refusal);
    else if (!queue_ask_turn(rq, &p->show, on_queue))
        render_show(rq);
}

void go_to_show(struct req *rq, const struct api_answer *refusal) {
    char id[UUID_TEXT];
    struct show_page *p = req_alloc(rq, sizeof *p);
    p->refusal = refusal;
    visit_id(rq, id);
    visit_of(rq)->own = p;
    visit_ask(rq, API_TICKETS, "GET", on_show, "/api/shows/%.*s", UUID_TEXT, id);
}
