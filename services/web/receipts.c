/* The receipt of what was paid: for the buyer's own books, so it prints well. */
#include "routes.h"
#include "views.h"
#include "views_read.h"

struct receipt {
    struct order purchase;
    struct receipt_view view;
    struct uuid asked; /* the purchase, or one of its orders */
    bool first_of_it;  /* the purchase of that order is asked for */
    int left;          /* answers to come */
    const struct api_answer *failed;
};

static const enum text down = TEXT_AWAY_RECEIPTS;

static void answered(struct req *rq, const struct api_answer *failed) {
    struct receipt *r = visit_of(rq)->own;
    if (failed != NULL) r->failed = failed;
    if (--r->left > 0) return;
    if (r->failed != NULL) {
        if (r->failed->code == 401)
            page_refusal(rq, r->failed, down);
        else
            page_down(rq, down);
        return;
    }
    if (r->view.paid_at == 0) {
        page_missing(rq, 404, TEXT_MISSING_NO_RECEIPT, TEXT_MISSING_RECEIPT_WHEN_PAID);
        return;
    }
    r->view.page = visit_of(rq)->page;
    receipt_render(page_begin(rq), &r->view);
    page_end(rq);
}

/* As people know it; a name that is not known here is no help to them. */
static struct str card_name(struct str brand) {
    static const struct str names[][2] = {
        {STR("visa"), STR("Visa")},         {STR("mastercard"), STR("Mastercard")},
        {STR("discover"), STR("Discover")}, {STR("amex"), STR("American Express")},
        {STR("jcb"), STR("JCB")},           {STR("diners"), STR("Diners Club")},
        {STR("maestro"), STR("Maestro")},   {STR("unionpay"), STR("UnionPay")},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(brand, names[i][0])) return names[i][1];
    return text_of(TEXT_RECEIPT_CARD);
}

static void read_card(const json_t *card, struct receipt_view *view) {
    struct str brand;
    if (read_text(card, "brand", &brand) && read_text(card, "last4", &view->last4))
        view->card = card_name(brand);
}

/* The charge, if it moved money. */
static void on_charges(struct req *rq, const struct api_answer *answer) {
    struct receipt *r = visit_of(rq)->own;
    struct str status;
    const json_t *charge = json_array_get(answer->body, 0);
    if (answer->code == 200 && read_text(charge, "status", &status)) {
        r->view.refunded = str_eq(status, STR("refunded"));
        if (r->view.refunded || str_eq(status, STR("succeeded")))
            read_time(charge, "changedAt", &r->view.paid_at);
        read_card(json_object_get(charge, "card"), &r->view);
    }
    answered(rq, answer->code == 200 ? NULL : answer);
}

/* A show that is not to be seen any more names nobody. */
static void on_show(struct req *rq, const struct api_answer *answer) {
    struct receipt *r = visit_of(rq)->own;
    bool known = answer->code == 200 || answer->code == 404;
    if (answer->code == 200) read_text(answer->body, "organizer", &r->view.organizer);
    answered(rq, known ? NULL : answer);
}

static void on_ticket(struct req *rq, const struct api_answer *answer) {
    struct receipt *r = visit_of(rq)->own;
    struct ticket ticket;
    bool known = answer->code == 200 && view_ticket(answer->body, &ticket);
    if (known) r->view.seller = ticket.seller;
    answered(rq, known ? NULL : answer);
}

static void ask_purchase(struct req *rq, struct uuid id);

static void on_purchase(struct req *rq, const struct api_answer *answer) {
    struct receipt *r = visit_of(rq)->own;
    struct order *o = &r->purchase;
    if (answer->code == 404 && !r->first_of_it) { /* it may be another order of one */
        r->first_of_it = true;
        r->asked.b[15] &= 0xf0;
        ask_purchase(rq, r->asked);
        return;
    }
    if (answer->code != 200 || !view_purchase(answer->body, req_arena(rq), o)) {
        page_refusal(rq, answer, down);
        return;
    }
    char id[UUID_TEXT], ticket[UUID_TEXT], show[UUID_TEXT];
    static const struct uuid none;
    bool of_show = !uuid_eq(&o->show, &none);
    uuid_format(&o->id, id);
    uuid_format(&o->ticket.id, ticket);
    uuid_format(&o->show, show);
    r->view.id = o->id;
    r->view.total = o->ticket.price;
    r->view.tickets = o->tickets;
    if (o->tickets.count == 0) {
        struct order_ticket_view *one = req_alloc(rq, sizeof *one);
        *one = (struct order_ticket_view){o->ticket.id, o->ticket.title, o->ticket.price};
        r->view.tickets = (struct order_ticket_list){one, 1};
    }
    r->left = 2 + of_show;
    visit_ask(rq, API_PAYMENTS, "GET", on_charges, "/api/payments?orderId=%.*s", UUID_TEXT, id);
    visit_ask(rq, API_TICKETS, "GET", on_ticket, "/api/tickets/%.*s", UUID_TEXT, ticket);
    if (of_show) visit_ask(rq, API_TICKETS, "GET", on_show, "/api/shows/%.*s", UUID_TEXT, show);
}

static void ask_purchase(struct req *rq, struct uuid id) {
    char text[UUID_TEXT];
    uuid_format(&id, text);
    visit_ask(rq, API_ORDERS, "GET", on_purchase, "/api/purchases/%.*s", UUID_TEXT, text);
}

void show_receipt(struct req *rq) {
    struct visit *visit = visit_begin(rq);
    struct receipt *r = req_alloc(rq, sizeof *r);
    visit->own = r;
    if (!page_signed_in(rq)) return;
    r->asked = req_path_uuid(rq, 0);
    ask_purchase(rq, r->asked);
}
