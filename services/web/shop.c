#include "arena.h"
#include "buf.h"
#include "routes.h"
#include "search.h"
#include "views.h"

/* --- the home page --- */

struct home {
    struct search search;
    struct home_view view;
    int left; /* answers to come */
};

static void home_answered(struct req *rq) {
    struct home *h = visit_of(rq)->own;
    if (--h->left > 0) return;
    home_render(page_begin(rq), &h->view);
    page_end(rq);
}

static bool refused(struct req *rq, const struct api_answer *answer) {
    struct home *h = visit_of(rq)->own;
    struct str problem = search_problem(rq, answer);
    if (answer->code != 400 || problem.n == 0) return false;
    h->view.search.problem = problem;
    visit_of(rq)->status = 400;
    return true;
}

static void on_tickets(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    struct home *h = visit->own;
    bool ok = answer->code == 200 && view_tickets(answer->body, req_arena(rq), &h->view.tickets);
    if (!ok && !refused(rq, answer)) {
        h->view.away = true;
        visit->status = 503;
    }
    if (ok && answer->cursor.n > 0) h->view.next = search_next(rq, &h->search, "/", answer->cursor);
    home_answered(rq);
}

static void on_shows(struct req *rq, const struct api_answer *answer) {
    struct home *h = visit_of(rq)->own;
    bool ok =
        answer->code == 200 && view_shows(answer->body, h->view.page.now, req_arena(rq), &h->view.shows);
    h->view.shows_away = !ok && !refused(rq, answer);
    if (ok && answer->cursor.n > 0)
        h->view.shows_next = search_next(rq, &h->search, "/shows", answer->cursor);
    home_answered(rq);
}

void show_home(struct req *rq) {
    struct visit *visit = visit_begin(rq);
    struct home *h = req_alloc(rq, sizeof *h);
    struct str cursor = visit_cursor(rq);
    visit->own = h;
    h->search = search_read(rq, "/");
    h->view = (struct home_view){.page = visit->page,
                                 .search = h->search.view,
                                 .filtered = h->search.filtered,
                                 .by_date = h->search.by_date,
                                 .sorted = search_other_order(rq, &h->search),
                                 .later = cursor.n > 0};
    bool shows = cursor.n == 0;
    h->left = shows + 1;
    if (shows) search_ask(rq, &h->search, "/api/shows", (struct str){0}, on_shows);
    search_ask(rq, &h->search, "/api/tickets", cursor, on_tickets);
}

/* --- a ticket --- */

static void render_ticket(struct req *rq, enum viewer viewer) {
    struct visit *visit = visit_of(rq);
    const struct ticket *t = visit->own;
    ticket_render(page_begin(rq), &(struct ticket_view){.page = visit->page,
                                                        .sheet = {.id = t->card.id,
                                                                  .title = t->card.title,
                                                                  .price = t->card.price,
                                                                  .state = t->card.state,
                                                                  .version = t->card.version,
                                                                  .at = t->card.at,
                                                                  .viewer = viewer,
                                                                  .order = t->order,
                                                                  .csrf = visit->page.csrf,
                                                                  .key = visit_new_key(rq),
                                                                  .orders_away = visit->status == 503},
                                                        .place = t->place,
                                                        .show = t->show,
                                                        .problem = visit->problem});
    page_end(rq);
}

/* The order that holds or bought it: is it the reader's own? */
static void on_holder(struct req *rq, const struct api_answer *answer) {
    render_ticket(rq, answer->code == 200 ? VIEWER_HOLDER : VIEWER_BUYER);
}

static void ask_holder(struct req *rq) {
    static const struct uuid not_told;
    const struct ticket *t = visit_of(rq)->own;
    char order[UUID_TEXT];
    if (uuid_eq(&t->order, &not_told)) {
        render_ticket(rq, VIEWER_BUYER);
        return;
    }
    uuid_format(&t->order, order);
    visit_ask(rq, API_ORDERS, "GET", on_holder, "/api/orders/%.*s", UUID_TEXT, order);
}

/* Whoever has its code bought it. Without one it may still be the reader's: refunded, or paid a moment ago.
 */
static void on_code(struct req *rq, const struct api_answer *answer) {
    if (!render_pass(rq, answer)) ask_holder(rq);
}

static void on_ticket(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    struct ticket *t = req_alloc(rq, sizeof *t);
    visit->own = t;
    if (answer->code == 404) {
        page_missing(rq, 404, TEXT_MISSING_NO_TICKET, TEXT_MISSING_TICKET_GONE);
    } else if (answer->code != 200 || !view_ticket(answer->body, t)) {
        page_down(rq, TEXT_AWAY_TICKETS);
    } else if (visit->user == NULL) {
        render_ticket(rq, VIEWER_STRANGER);
    } else if (uuid_eq(&t->seller, &visit->user->user)) {
        render_ticket(rq, VIEWER_SELLER);
    } else if (t->card.state == TICKET_STATE_SOLD) {
        char id[UUID_TEXT];
        visit_id(rq, id);
        visit_ask(rq, API_TICKETS, "GET", on_code, "/api/tickets/%.*s/code", UUID_TEXT, id);
    } else if (t->card.state == TICKET_STATE_RESERVED) {
        ask_holder(rq);
    } else {
        render_ticket(rq, VIEWER_BUYER);
    }
}

void go_to_ticket(struct req *rq) {
    char id[UUID_TEXT];
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "GET", on_ticket, "/api/tickets/%.*s", UUID_TEXT, id);
}

void show_ticket(struct req *rq) {
    visit_begin(rq);
    go_to_ticket(rq);
}

/* --- buying it --- */

static void on_ordered(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    struct order order;
    if (answer->code == 201 && view_order(answer->body, &order)) {
        char id[UUID_TEXT];
        uuid_format(&order.id, id);
        page_go(rq, "/orders/%.*s", UUID_TEXT, id);
    } else if (answer->code == 401) {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
    } else {
        visit->status = answer->away ? 503 : 409;
        if (answer->code == 404) /* and should there be no such ticket, its page says so */
            visit->problem = text_of(TEXT_BUYING_NEW_TICKET);
        else if (!answer->away)
            visit->problem = visit_sentence(rq, api_error(answer, NULL));
        go_to_ticket(rq);
    }
}

/* The price on the page, as html_amount wrote it: more than that is not to be paid. */
static void put_max_price(struct json *out, struct str amount) {
    int64_t minor = 0;
    int decimals = -1;
    for (size_t i = 0; i < amount.n; i++) {
        if (amount.p[i] == '.' && decimals < 0) {
            decimals = 0;
        } else if (amount.p[i] >= '0' && amount.p[i] <= '9' && minor < INT64_MAX / 100) {
            minor = minor * 10 + (amount.p[i] - '0');
            decimals += decimals >= 0;
        } else {
            return; /* not of a form of ours: the price is not known */
        }
    }
    if (minor == 0) return;
    json_key(out, "maxPrice");
    json_minor(out, minor, decimals < 0 ? 0 : decimals);
}

void buy_ticket(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct json body = {0};
    json_open(&body, '{');
    json_put_uuid(&body, "ticketId", req_path_uuid(rq, 0));
    put_max_price(&body, visit_field(rq, "price"));
    json_close(&body, '}');
    visit_send(rq, API_ORDERS, "POST", "/api/orders", &body, 0, on_ordered);
}
