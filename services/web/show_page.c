/* The page of a show, as whoever reads it needs it. */
#include "arena.h"
#include "buf.h"
#include "plan.h"
#include "routes.h"
#include "views.h"

static struct option_list quantities(struct req *rq, struct str chosen) {
    static const struct str words[PURCHASE_MOST] = {STR("1"), STR("2"), STR("3"), STR("4"),
                                                    STR("5"), STR("6"), STR("7"), STR("8")};
    struct option_view *options = req_alloc(rq, sizeof *options * PURCHASE_MOST);
    for (int i = 0; i < PURCHASE_MOST; i++)
        options[i] = (struct option_view){words[i], words[i], str_eq(words[i], chosen)};
    return (struct option_list){options, PURCHASE_MOST};
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

static struct option_list choices(struct req *rq, const struct show *show, struct str chosen) {
    size_t n = show->areas.count;
    struct option_view *options = req_alloc(rq, sizeof *options * (n + 1));
    options[0] = (struct option_view){.words = STR("The best, wherever it is")};
    for (size_t i = 0; i < n; i++)
        options[i + 1] = choice_of(rq, &show->areas.items[i], chosen);
    return (struct option_list){options, n + 1};
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
    view->area_error = visit_words(rq, api_error(refusal, "areaId"));
    view->problem = visit_refused_words(rq, refusal);
}

enum viewer show_viewer(const struct visit *visit, const struct show *show) {
    if (visit->user == NULL) return VIEWER_STRANGER;
    return uuid_eq(&show->seller, &visit->user->user) ? VIEWER_SELLER : VIEWER_BUYER;
}

static void render_show(struct req *rq, const struct show *show, const struct api_answer *refusal) {
    struct visit *visit = visit_of(rq);
    bool sent = refusal != NULL, over = view_over(show->head.starts_at, visit->page.now);
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
        .quantities = quantities(rq, sent ? visit_field(rq, "quantity") : STR("2")),
        .choices = choices(rq, show, visit_field(rq, "area")),
        .together = !sent || visit_field(rq, "together").n > 0,
        .accessible = visit_field(rq, "accessible").n > 0,
        .key = visit_new_key(rq),
    };
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
