#include "arena.h"
#include "buf.h"
#include "routes.h"
#include "views.h"

/* --- the list of one's own --- */

/* Two questions at once; further pages are of the tickets alone. */
struct mine {
    struct mine_view view;
    const struct api_answer *refusal; /* nobody is signed in any more */
    int left;
};

static void mine_answered(struct req *rq, const struct api_answer *answer) {
    struct mine *m = visit_of(rq)->own;
    if (answer->code == 401) m->refusal = answer;
    if (--m->left > 0) return;
    if (m->refusal != NULL) {
        page_refusal(rq, m->refusal, TEXT_AWAY_NOTHING_DONE);
        return;
    }
    mine_render(page_begin(rq), &m->view);
    page_end(rq);
}

static void on_mine(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    struct mine *m = visit->own;
    if (answer->code != 200 || !view_tickets(answer->body, req_arena(rq), &m->view.tickets)) {
        m->view.away = true;
        visit->status = 503;
    } else if (answer->cursor.n > 0) {
        m->view.next = visit_next_page(rq, "/tickets", answer->cursor);
    }
    mine_answered(rq, answer);
}

static void on_own_shows(struct req *rq, const struct api_answer *answer) {
    struct mine *m = visit_of(rq)->own;
    m->view.shows_away =
        answer->code != 200 || !view_own_shows(answer->body, m->view.page.now, req_arena(rq), &m->view.shows);
    if (answer->cursor.n > 0)
        m->view.shows_next = visit_text(rq, "/tickets?shows=%.*s", (int)answer->cursor.n, answer->cursor.p);
    mine_answered(rq, answer);
}

void list_mine(struct req *rq) {
    struct visit *visit = visit_begin(rq);
    if (!page_signed_in(rq)) return;
    struct str cursor = visit_cursor(rq), shows = {0};
    struct uuid id;
    bool later_shows = req_query(rq, "shows", &shows) && uuid_parse(shows, &id);
    struct mine *m = req_alloc(rq, sizeof *m);
    visit->own = m;
    m->view = (struct mine_view){.page = visit->page, .later = cursor.n > 0, .later_shows = later_shows};
    m->left = 1 + (cursor.n == 0 && !later_shows);
    if (cursor.n == 0)
        visit_ask(rq, API_TICKETS, "GET", on_own_shows, "/api/shows?mine=true&limit=%d%s%.*s", PAGE_ITEMS,
                  later_shows ? "&cursor=" : "", later_shows ? (int)shows.n : 0, shows.p);
    if (!later_shows)
        visit_ask(rq, API_TICKETS, "GET", on_mine, "/api/tickets?mine=true&limit=%d%s%.*s", PAGE_ITEMS,
                  cursor.n > 0 ? "&cursor=" : "", (int)cursor.n, cursor.p);
}

/* --- a new one --- */

static void render_sell(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    const struct web *web = req_service(rq);
    struct sell_view view = {.page = visit->page,
                             .title = visit_field(rq, "title"),
                             .date = visit_field(rq, "date"),
                             .venue = visit_field(rq, "venue"),
                             .city = visit_field(rq, "city"),
                             .price = visit_field(rq, "price"),
                             .symbol = str_of(view_symbol(web->currency)),
                             .key = visit_new_key(rq)};
    if (answer != NULL) {
        visit->status = answer->away ? 503 : answer->code;
        view.title_error = visit_words(rq, api_error(answer, "title"));
        view.date_error = visit_words(rq, api_error(answer, "date"));
        view.venue_error = visit_words(rq, api_error(answer, "venue"));
        view.city_error = visit_words(rq, api_error(answer, "city"));
        view.price_error = visit_words(rq, api_error(answer, "price"));
        view.problem = visit_trouble(rq, answer, TEXT_AWAY_NOT_LISTED);
    }
    sell_render(page_begin(rq), &view);
    page_end(rq);
}

void show_sell(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) render_sell(rq, NULL);
}

static void on_listed(struct req *rq, const struct api_answer *answer) {
    struct ticket ticket;
    if (answer->code == 201 && view_ticket(answer->body, &ticket)) {
        char id[UUID_TEXT];
        uuid_format(&ticket.card.id, id);
        page_go(rq, "/tickets/%.*s?done=listed", UUID_TEXT, id);
    } else if (answer->code == 401) {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
    } else {
        render_sell(rq, answer);
    }
}

static void write_input(struct req *rq, struct json *body) {
    json_open(body, '{');
    static const char *const optional[] = {"date", "venue", "city"};
    json_put_text(body, "title", visit_field(rq, "title"));
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
        struct str value = visit_field(rq, optional[i]);
        if (value.n > 0) json_put_text(body, optional[i], value);
    }
    json_put_text(body, "price", visit_price(rq, "price"));
    json_close(body, '}');
}

void sell(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct json body = {0};
    write_input(rq, &body);
    visit_send(rq, API_TICKETS, "POST", "/api/tickets", &body, 0, on_listed);
}

/* --- another title or price: the ticket is read first, also after a refusal --- */

struct edit_page {
    struct ticket ticket;
    const struct api_answer *refusal; /* NULL: nothing was sent yet */
};

static void render_edit(struct req *rq) {
    struct visit *visit = visit_of(rq);
    const struct edit_page *p = visit->own;
    const struct ticket *t = &p->ticket;
    struct edit_view view = {.page = visit->page,
                             .id = t->card.id,
                             .version = t->card.version,
                             .title = t->card.title,
                             .date = t->date,
                             .venue = t->card.at.venue,
                             .city = t->card.at.city,
                             .price = visit_amount(rq, &t->card.price),
                             .symbol = str_of(view_symbol(t->card.price.currency))};
    if (p->refusal != NULL) {
        visit->status = p->refusal->away ? 503 : p->refusal->code;
        view.title = visit_field(rq, "title");
        view.date = visit_field(rq, "date");
        view.venue = visit_field(rq, "venue");
        view.city = visit_field(rq, "city");
        view.price = visit_field(rq, "price");
        view.title_error = visit_words(rq, api_error(p->refusal, "title"));
        view.date_error = visit_words(rq, api_error(p->refusal, "date"));
        view.venue_error = visit_words(rq, api_error(p->refusal, "venue"));
        view.city_error = visit_words(rq, api_error(p->refusal, "city"));
        view.price_error = visit_words(rq, api_error(p->refusal, "price"));
        view.problem = p->refusal->code == 412 ? text_of(TEXT_CHANGED_TICKET)
                                               : visit_trouble(rq, p->refusal, TEXT_AWAY_NOT_SAVED);
    }
    edit_render(page_begin(rq), &view);
    page_end(rq);
}

static void on_to_edit(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    struct edit_page *p = visit->own;
    if (answer->code != 200 || !view_ticket(answer->body, &p->ticket)) {
        page_refusal(rq, answer, TEXT_AWAY_YOUR_TICKET);
    } else if (!uuid_eq(&p->ticket.seller, &visit->user->user)) {
        page_missing(rq, 404, TEXT_MISSING_NOT_YOUR_TICKET, TEXT_MISSING_SELLER_EDITS_TICKET);
    } else if (p->ticket.card.state != TICKET_STATE_AVAILABLE) {
        char id[UUID_TEXT];
        uuid_format(&p->ticket.card.id, id);
        page_go(rq, "/tickets/%.*s", UUID_TEXT, id); /* which says why not */
    } else {
        render_edit(rq);
    }
}

static void go_to_edit(struct req *rq, const struct api_answer *refusal) {
    char id[UUID_TEXT];
    struct edit_page *p = req_alloc(rq, sizeof *p);
    p->refusal = refusal;
    visit_of(rq)->own = p;
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "GET", on_to_edit, "/api/tickets/%.*s", UUID_TEXT, id);
}

void show_edit(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) go_to_edit(rq, NULL);
}

static void on_saved(struct req *rq, const struct api_answer *answer) {
    char id[UUID_TEXT];
    visit_id(rq, id);
    if (answer->code == 200)
        page_go(rq, "/tickets/%.*s?done=saved", UUID_TEXT, id);
    else if (!page_refused(rq, answer))
        go_to_edit(rq, answer);
}

void edit(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    char path[64], id[UUID_TEXT];
    struct json body = {0};
    visit_id(rq, id);
    snprintf(path, sizeof path, "/api/tickets/%.*s", UUID_TEXT, id);
    write_input(rq, &body);
    visit_send(rq, API_TICKETS, "PUT", path, &body, visit_version(visit_field(rq, "version")), on_saved);
}

/* --- off sale --- */

static void on_withdrawn(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    if (answer->code == 204) {
        page_go(rq, "%.*s?done=withdrawn", (int)visit->page.path.n, visit->page.path.p);
    } else if (answer->code == 409) {
        visit->status = 409;
        visit->problem = visit_sentence(rq, api_error(answer, NULL));
        go_to_ticket(rq);
    } else {
        page_refusal(rq, answer, TEXT_AWAY_NOT_WITHDRAWN);
    }
}

void withdraw(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    char id[UUID_TEXT];
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "DELETE", on_withdrawn, "/api/tickets/%.*s", UUID_TEXT, id);
}
