/* The queue of a show: the page on which people join it and wait, and what other pages ask of it. */
#include <stdio.h>

#include "arena.h"
#include "buf.h"
#include "routes.h"
#include "views.h"

struct queue_page {
    struct show show;
    const struct api_answer *refusal; /* of joining; NULL: nothing was sent */
    struct queue queue;
};

static struct queue_page *own(struct req *rq) {
    return visit_of(rq)->own;
}

static void ask_waiting(struct req *rq, const char *what, api_then *then) {
    char id[UUID_TEXT];
    visit_id(rq, id);
    visit_ask(rq, API_WAITING, "GET", then, "/api/shows/%.*s/queue%s", UUID_TEXT, id, what);
}

/* --- for the pages that sell --- */

bool queue_ask_turn(struct req *rq, const struct show *show, api_then *then) {
    struct sale sale = view_sale(show, visit_of(rq)->page.now);
    if (show->state != SHOW_STATE_ANNOUNCED || sale.state != SALE_STATE_QUEUE ||
        show_viewer(visit_of(rq), show) != VIEWER_BUYER)
        return false;
    ask_waiting(rq, "", then);
    return true;
}

void queue_read_turn(const struct api_answer *answer, struct queue *out) {
    if (answer->code != 200 || !view_queue(answer->body, out)) *out = (struct queue){0};
}

/* --- the page --- */

/* The phase whose queue it is: the one that is open, or the next one that has a queue. */
static const struct phase *phase_of(const struct show *show, int64_t now_us) {
    for (size_t i = 0; i < show->phase_count; i++) /* in the order of their times */
        if (show->phases[i].queue && now_us < show->phases[i].closes_at) return &show->phases[i];
    return NULL;
}

static void add_times(struct req *rq, struct queue_view *view, int64_t opens_at) {
    view->opens_at = opens_at;
    view->opens = view_local_time(own(rq)->show.head.zone, opens_at, req_arena(rq));
    view->opens_in = view_in(opens_at - visit_of(rq)->page.now, req_arena(rq));
}

static struct str reader(struct req *rq) {
    char id[UUID_TEXT];
    if (visit_of(rq)->user == NULL) return (struct str){0};
    uuid_format(&visit_of(rq)->user->user, id);
    return visit_text(rq, "%.*s", UUID_TEXT, id);
}

static void add_place(struct req *rq, struct queue_view *view) {
    const struct queue *q = &own(rq)->queue;
    view->open = q->open;
    view->place = q->place;
    view->before = q->place > q->serving ? q->place - q->serving - 1 : 0;
    view->people = q->people;
    view->taken = q->left == 0;
    view->seconds = q->estimate_s;
    if (q->estimate_s >= 0) view->estimate = view_in(q->estimate_s * 1000000, req_arena(rq));
    view->until = q->until;
    view->want = q->want;
    view->listed = q->waitlist;
    view->sold_out = q->sold_out;
    view->closes_at = q->closes_at;
    view->challenge = q->challenge;
    view->seed = q->seed_hash;
    view->reader = reader(rq);
    view->closes = view_local_time(own(rq)->show.head.zone, q->closes_at, req_arena(rq));
    add_times(rq, view, q->opens_at);
}

/* How many somebody wants who is on the waiting list, or comes to be. */
static struct option_list wants(struct req *rq, const struct phase *phase) {
    int64_t want = own(rq)->queue.want > 0 ? own(rq)->queue.want : 1;
    return view_quantities(phase == NULL ? 1 : phase->per_user, visit_text(rq, "%lld", (long long)want),
                           req_arena(rq));
}

static void render(struct req *rq, enum queue_state state) {
    struct visit *visit = visit_of(rq);
    const struct queue_page *p = own(rq);
    const struct phase *phase = phase_of(&p->show, visit->page.now);
    struct queue_view view = {.page = visit->page,
                              .id = p->show.id,
                              .title = p->show.head.title,
                              .zone = p->show.head.zone,
                              .viewer = show_viewer(visit, &p->show),
                              .state = state,
                              .seconds = -1,
                              .wants = wants(rq, phase),
                              .coded = phase != NULL && phase->codes,
                              .code = visit_field(rq, "code")};
    if (state == QUEUE_STATE_AWAY) visit->status = 503;
    if (state == QUEUE_STATE_NONE && phase != NULL && phase->opens_at > visit->page.now)
        add_times(rq, &view, phase->opens_at);
    if (state > QUEUE_STATE_NONE) add_place(rq, &view);
    if (p->refusal != NULL) {
        visit->status = p->refusal->away || p->refusal->code < 400 ? 503 : p->refusal->code;
        view.code_error = visit_words(rq, api_error(p->refusal, "code"));
        view.problem = visit_trouble(rq, p->refusal, TEXT_AWAY_NOTHING_DONE);
    }
    queue_render(page_begin(rq), &view);
    page_end(rq);
}

/* Of somebody who has a place, or of all. */
static void render_answer(struct req *rq, const struct api_answer *answer) {
    struct queue *queue = &own(rq)->queue;
    if (answer->code == 404)
        render(rq, QUEUE_STATE_NONE);
    else if (answer->code == 200 && view_queue(answer->body, queue))
        render(rq, queue->state);
    else
        render(rq, QUEUE_STATE_AWAY);
}

static void on_place(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 401)
        page_refusal(rq, answer, TEXT_AWAY_SHOWS);
    else if (answer->code == 404) /* he has not joined, or there is no queue */
        ask_waiting(rq, "/serving", render_answer);
    else
        render_answer(rq, answer);
}

static void on_show(struct req *rq, const struct api_answer *answer) {
    struct queue_page *p = own(rq);
    if (answer->code == 404)
        page_missing(rq, 404, TEXT_MISSING_NO_SHOW, TEXT_MISSING_SHOW_GONE);
    else if (answer->code != 200 || !view_show(answer->body, req_arena(rq), &p->show))
        page_down(rq, TEXT_AWAY_SHOWS);
    else if (show_viewer(visit_of(rq), &p->show) == VIEWER_BUYER)
        ask_waiting(rq, "", on_place);
    else
        ask_waiting(rq, "/serving", render_answer);
}

static void go_to_queue(struct req *rq, const struct api_answer *refusal) {
    char id[UUID_TEXT];
    struct queue_page *p = req_alloc(rq, sizeof *p);
    p->refusal = refusal;
    visit_of(rq)->own = p;
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "GET", on_show, "/api/shows/%.*s", UUID_TEXT, id);
}

void show_queue(struct req *rq) {
    visit_begin(rq);
    go_to_queue(rq, NULL);
}

/* --- joining --- */

static void on_joined(struct req *rq, const struct api_answer *answer) {
    char id[UUID_TEXT];
    visit_id(rq, id);
    if (answer->code == 202)
        page_go(rq, "/shows/%.*s/queue", UUID_TEXT, id);
    else if (answer->code == 401)
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
    else
        go_to_queue(rq, answer);
}

void join_queue(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    char path[64], id[UUID_TEXT];
    struct str code = visit_trim(visit_field(rq, "code")), want = visit_field(rq, "want"),
               proof = visit_field(rq, "proof");
    struct json body = {0};
    json_open(&body, '{');
    if (code.n > 0) json_put_text(&body, "code", code);
    if (proof.n > 0) json_put_text(&body, "proof", proof);
    if (want.n == 1 && *want.p >= '1' && *want.p <= '8') json_put_int(&body, "want", *want.p - '0');
    json_close(&body, '}');
    visit_id(rq, id);
    snprintf(path, sizeof path, "/api/shows/%.*s/queue", UUID_TEXT, id);
    visit_send(rq, API_WAITING, "POST", path, &body, 0, on_joined);
}
