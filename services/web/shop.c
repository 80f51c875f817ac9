#include "arena.h"
#include "buf.h"
#include "routes.h"
#include "views.h"

/* --- the home page --- */

struct search {
    struct str words, cursor;
};

/* /?cursor=…&q=…, in the arena */
static struct str link_next(struct req *rq, struct str cursor, struct str words) {
    struct buf link = {0};
    html_literal(&link, "/?cursor=");
    buf_add(&link, cursor.p, cursor.n);
    if (words.n > 0) html_literal(&link, "&q=");
    percent_encode(&link, words);
    struct str kept = arena_str(req_arena(rq), buf_str(&link));
    buf_free(&link);
    return kept;
}

static void on_tickets(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    const struct search *s = visit->own;
    struct home_view view = {.page = visit->page, .words = s->words, .later = s->cursor.n > 0};
    struct str refused = api_error(answer, "q");
    if (answer->code == 400 && refused.n > 0) {
        view.problem = visit_words(rq, refused);
        visit->status = 400;
    } else if (answer->code != 200 || !view_tickets(answer->body, req_arena(rq), &view.tickets)) {
        view.away = true;
        visit->status = 503;
    } else if (answer->cursor.n > 0) {
        view.next = link_next(rq, answer->cursor, s->words);
    }
    home_render(page_begin(rq), &view);
    page_end(rq);
}

void show_home(struct req *rq) {
    struct visit *visit = visit_begin(rq);
    struct search *s = req_alloc(rq, sizeof *s);
    visit->own = s;
    s->cursor = visit_cursor(rq);
    req_query(rq, "q", &s->words);
    struct buf path = {0};
    buf_printf(&path, "/api/tickets?limit=%d", PAGE_ITEMS);
    if (s->cursor.n > 0) buf_printf(&path, "&cursor=%.*s", (int)s->cursor.n, s->cursor.p);
    if (s->words.n > 0) html_literal(&path, "&q=");
    percent_encode(&path, s->words);
    visit_ask(rq, API_TICKETS, "GET", on_tickets, "%.*s", (int)path.len, (char *)path.data);
    buf_free(&path);
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
                                                                  .viewer = viewer,
                                                                  .order = t->order,
                                                                  .csrf = visit->page.csrf,
                                                                  .key = visit_new_key(rq),
                                                                  .orders_away = visit->status == 503},
                                                        .problem = visit->problem});
    page_end(rq);
}

/* The order that holds or bought it: is it the reader's own? */
static void on_holder(struct req *rq, const struct api_answer *answer) {
    render_ticket(rq, answer->code == 200 ? VIEWER_HOLDER : VIEWER_BUYER);
}

static void on_ticket(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    struct ticket *t = req_alloc(rq, sizeof *t);
    visit->own = t;
    if (answer->code == 404) {
        page_missing(rq, 404, "No such ticket", "It may have been typed wrong, or the ticket is long gone.");
    } else if (answer->code != 200 || !view_ticket(answer->body, t)) {
        page_down(rq, "Tickets can't be shown at the moment. Nothing is lost: what you have stays yours.");
    } else if (visit->user == NULL) {
        render_ticket(rq, VIEWER_STRANGER);
    } else if (uuid_eq(&t->seller, &visit->user->user)) {
        render_ticket(rq, VIEWER_SELLER);
    } else if (t->card.state == TICKET_STATE_RESERVED || t->card.state == TICKET_STATE_SOLD) {
        char order[UUID_TEXT];
        uuid_format(&t->order, order);
        visit_ask(rq, API_ORDERS, "GET", on_holder, "/api/orders/%.*s", UUID_TEXT, order);
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
        page_refusal(rq, answer, "");
    } else {
        visit->status = answer->away ? 503 : 409;
        if (answer->code == 404) /* and should there be no such ticket, its page says so */
            visit->problem = STR("This ticket was listed only a moment ago. Press again to buy it.");
        else if (!answer->away)
            visit->problem = visit_sentence(rq, api_error(answer, NULL));
        go_to_ticket(rq);
    }
}

void buy_ticket(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct json body = {0};
    json_open(&body, '{');
    json_put_uuid(&body, "ticketId", req_path_uuid(rq, 0));
    json_close(&body, '}');
    visit_send(rq, API_ORDERS, "POST", "/api/orders", &body, 0, on_ordered);
}
