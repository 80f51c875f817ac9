/* The page of a show, as whoever reads it needs it. */
#include "arena.h"
#include "buf.h"
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
    options[n++] = (struct option_view){.words = STR("The best, wherever it is")};
    for (size_t i = 0; i < all; i++)
        if (show->areas.items[i].on_sale) options[n++] = choice_of(rq, &show->areas.items[i], chosen);
    if (n <= all) return (struct option_list){options + 1, n - 1};
    return (struct option_list){options, n};
}

struct str visit_refused_words(struct req *rq, const struct api_answer *refusal) {
    if (refusal->away || refusal->code < 400)
        return STR("Buying doesn't work right now. Nothing is lost; try again in a moment.");
    if (refusal->code == 404) return STR("This show was announced only a moment ago. Press again to buy.");
    if (refusal->code == 422)
        return STR(
            "You have sent this before, with other choices. Look at what you have bought, or press again.");
    return visit_sentence(rq, api_error(refusal, NULL));
}

static void add_refusal(struct req *rq, const struct api_answer *refusal, struct show_view *view) {
    visit_of(rq)->status = refusal->away || refusal->code < 400 ? 503 : refusal->code;
    view->quantity_error = visit_words(rq, api_error(refusal, "quantity"));
    view->code_error = visit_words(rq, api_error(refusal, "code"));
    view->area_error = visit_words(rq, api_error(refusal, "areaId"));
    view->problem = visit_refused_words(rq, refusal);
}

enum viewer show_viewer(const struct visit *visit, const struct show *show) {
    if (visit->user == NULL) return VIEWER_STRANGER;
    return uuid_eq(&show->seller, &visit->user->user) ? VIEWER_SELLER : VIEWER_BUYER;
}

/* What is said of its phases, and when the next one opens. */
static void add_sale(struct req *rq, const struct show *show, struct show_view *view) {
    int64_t now_us = visit_of(rq)->page.now;
    struct sale sale = view_sale(show, now_us);
    view->sale = sale.state;
    view->phases = view_phase_lines(show, now_us, req_arena(rq));
    view->per_user = show->per_user;
    if (sale.phase == NULL) return;
    view->per_user = sale.phase->per_user;
    if (sale.state == SALE_STATE_LATER) {
        view->opens_at = sale.phase->opens_at;
        view->opens = view_local_time(show->head.zone, view->opens_at, req_arena(rq));
        view->opens_in = view_in(view->opens_at - now_us, req_arena(rq));
    } else {
        view->now_phase = sale.phase->name;
        view->coded = sale.phase->codes;
    }
}

/* Which areas can be bought from at this moment. */
static void mark_areas(struct show *show, bool over, int64_t now_us) {
    struct sale sale = view_sale(show, now_us);
    for (size_t i = 0; i < show->areas.count; i++) {
        struct show_area_view *area = (struct show_area_view *)&show->areas.items[i];
        area->on_sale = show->state == SHOW_STATE_ANNOUNCED && !over && view_sells(&sale, &area->id);
    }
}

static void render_show(struct req *rq, struct show *show, const struct api_answer *refusal) {
    struct visit *visit = visit_of(rq);
    bool sent = refusal != NULL, over = view_over(show->head.starts_at, visit->page.now);
    mark_areas(show, over, visit->page.now);
    struct show_view view = {
        .page = visit->page,
        .id = show->id,
        .show = show->head,
        .state = show->state,
        .viewer = show_viewer(visit, show),
        .areas = show->areas,
        .free = show->free,
        .plan = plan_of(show, req_arena(rq)),
        .over = over,
        .follow = show->state == SHOW_STATE_ANNOUNCED && !over,
        .choices = choices(rq, show, visit_field(rq, "area")),
        .together = !sent || visit_field(rq, "together").n > 0,
        .accessible = visit_field(rq, "accessible").n > 0,
        .code = visit_field(rq, "code"),
        .key = visit_new_key(rq),
    };
    add_sale(rq, show, &view);
    view.quantities = quantities(rq, view.per_user, sent ? visit_field(rq, "quantity") : STR("2"));
    if (sent) add_refusal(rq, refusal, &view);
    show_render(page_begin(rq), &view);
    page_end(rq);
}

static void on_show(struct req *rq, const struct api_answer *answer) {
    const struct api_answer *refusal = visit_of(rq)->own;
    struct show show;
    if (answer->code == 404)
        page_missing(rq, 404, "No such show", "It may have been typed wrong, or the show is long gone.");
    else if (answer->code != 200 || !view_show(answer->body, req_arena(rq), &show))
        page_down(rq, "Shows can't be shown at the moment. Nothing is lost: what you have stays yours.");
    else if (show.state == SHOW_STATE_DRAFT)
        render_draft(rq, &show, refusal);
    else
        render_show(rq, &show, refusal);
}

void go_to_show(struct req *rq, const struct api_answer *refusal) {
    char id[UUID_TEXT];
    visit_id(rq, id);
    visit_of(rq)->own = (void *)refusal;
    visit_ask(rq, API_TICKETS, "GET", on_show, "/api/shows/%.*s", UUID_TEXT, id);
}
