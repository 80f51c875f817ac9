/* The page of a show before it is announced: its areas, and how far the making of their places is. */
#include "arena.h"
#include "buf.h"
#include "routes.h"
#include "views.h"

static struct str wrong_with(struct req *rq, const struct api_answer *refusal, const char *field) {
    return refusal == NULL ? (struct str){0} : visit_words(rq, api_error(refusal, field));
}

static enum making_state making_of(const struct show *show) {
    if (show->places == 0) return MAKING_STATE_EMPTY;
    bool ready = show->made >= show->places && show->known >= show->places;
    return ready ? MAKING_STATE_READY : MAKING_STATE_MAKING;
}

/* Of the first phase that is not over; empty: there is none. */
static struct str opens_of(struct req *rq, const struct show *show) {
    struct sale sale = view_sale(show, visit_of(rq)->page.now);
    if (sale.phase == NULL) return (struct str){0};
    return view_local_time(show->head.zone, sale.phase->opens_at, req_arena(rq));
}

/* The visit's problem is about its rows. */
void render_draft(struct req *rq, const struct show *show, const struct api_answer *refusal) {
    struct visit *visit = visit_of(rq);
    struct show_draft_view view = {.page = visit->page,
                                   .id = show->id,
                                   .show = show->head,
                                   .areas = show->drafts,
                                   .state = making_of(show),
                                   .places = show->places,
                                   .known = show->known,
                                   .phases = (int64_t)show->phase_count,
                                   .opens = opens_of(rq, show),
                                   .symbol = str_of(view_symbol(show->currency.p)),
                                   .name = visit_field(rq, "name"),
                                   .price = visit_field(rq, "price"),
                                   .rows = visit_field(rq, "rows"),
                                   .count = visit_field(rq, "places"),
                                   .accessible = visit_field(rq, "accessible").n > 0,
                                   .name_error = wrong_with(rq, refusal, "name"),
                                   .price_error = wrong_with(rq, refusal, "price"),
                                   .rows_error = wrong_with(rq, refusal, "rows"),
                                   .count_error = wrong_with(rq, refusal, "places"),
                                   .key = visit_new_key(rq)};
    if (visit->problem.n > 0) view.rows_error = visit->problem;
    if (refusal != NULL) {
        visit->status = refusal->away || refusal->code < 400 ? 503 : refusal->code;
        view.problem = visit_trouble(rq, refusal, TEXT_AWAY_NOTHING_DONE);
    }
    show_draft_render(page_begin(rq), &view);
    page_end(rq);
}
