#include "held.h"
#include "routes.h"
#include "texts.h"
#include "views.h"

/* --- the list --- */

typedef bool view_rows(const json_t *json, struct arena *arena, struct order_row_list *out);

static void render_list(struct req *rq, const struct api_answer *answer, view_rows *read) {
    struct visit *visit = visit_of(rq);
    struct orders_view view = {.page = visit->page, .later = visit_cursor(rq).n > 0};
    if (answer->code == 401) {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
        return;
    }
    if (answer->code != 200 || !read(answer->body, req_arena(rq), &view.orders)) {
        view.away = true;
        visit->status = 503;
    } else {
        if (!view.later) held_set(rq, &view.orders);
        if (answer->cursor.n > 0) view.next = visit_next_page(rq, "/orders", answer->cursor);
    }
    orders_render(page_begin(rq), &view);
    page_end(rq);
}

static void on_orders(struct req *rq, const struct api_answer *answer) {
    render_list(rq, answer, view_orders);
}

/* Not found: that orders is of a version before purchases, as there is one while a system is upgraded. */
static void on_purchases(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 404)
        visit_ask_page(rq, API_ORDERS, "/api/orders", visit_cursor(rq), on_orders);
    else
        render_list(rq, answer, view_purchases);
}

void list_orders(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) visit_ask_page(rq, API_ORDERS, "/api/purchases", visit_cursor(rq), on_purchases);
}

/* --- an order, or a purchase of several by its first one: some questions at once --- */

/* Of the sandbox, by what they do; Stripe's own names for its test cards. */
static const struct {
    struct str token, name;
    enum text does;
} test_cards[] = {
    {STR("pm_card_visa"), STR("Visa 4242"), TEXT_CARD_PAID},
    {STR("pm_card_mastercard"), STR("Mastercard 4444"), TEXT_CARD_PAID},
    {STR("pm_card_authenticationRequired"), STR("Visa 3184"), TEXT_CARD_CONFIRM},
    {STR("pm_card_chargeDeclined"), STR("Visa 0002"), TEXT_CARD_DECLINED},
    {STR("pm_card_chargeDeclinedInsufficientFunds"), STR("Visa 9995"), TEXT_CARD_NO_MONEY},
};

static struct test_card_list cards_of(struct req *rq) {
    enum { CARDS = sizeof test_cards / sizeof *test_cards };
    struct test_card_view *cards = req_alloc(rq, CARDS * sizeof *cards);
    for (int i = 0; i < CARDS; i++)
        cards[i] = (struct test_card_view){test_cards[i].token, test_cards[i].name,
                                           text_of(test_cards[i].does), i == 0};
    return (struct test_card_list){cards, CARDS};
}

/* What a page is made of. */
struct order_page {
    enum order_kind kind;
    struct order order;
    bool part; /* of a purchase of several, which has a page of its own */
    struct order_event_list history;
    enum order_state ended; /* how, by the history */
    int64_t history_version;
    struct charge charge;
    bool payments_away;
    int left;                         /* answers to come */
    const struct api_answer *refusal; /* of the order itself */
    struct str declined;
    struct show_brief_view show; /* without a title: they are no places of one, or it is not known now */
};

static struct order_page *own(struct req *rq) {
    return visit_of(rq)->own;
}

static void begin(struct req *rq, enum order_kind kind) {
    struct order_page *p = req_alloc(rq, sizeof *p);
    p->kind = kind;
    visit_begin(rq)->own = p;
}

/* The name of theirs in paths. */
static const char *collection(const struct order_page *p) {
    return p->kind == ORDER_KIND_PURCHASES ? "purchases" : "orders";
}

static int64_t placed_at(const struct order_page *p, int64_t now) {
    return p->history.count > 0 ? p->history.items[0].at : now;
}

static bool open_order(const struct order_page *p) {
    return p->order.state == ORDER_STATE_WAITING || p->order.state == ORDER_STATE_PAYING;
}

/* Of a payment that was just declined, or just begun, orders may not have heard yet. */
static enum order_state state_of(const struct order_page *p) {
    if (!open_order(p)) return p->order.state == ORDER_STATE_CANCELLED ? p->ended : p->order.state;
    if (p->declined.n > 0 || p->charge.state == CHARGE_FAILED) return ORDER_STATE_WAITING;
    bool under_way = p->charge.state == CHARGE_UNDER_WAY || p->charge.state == CHARGE_TO_CONFIRM;
    return under_way ? ORDER_STATE_PAYING : p->order.state;
}

static struct str declined(const struct order_page *p) {
    if (p->declined.n > 0 || !open_order(p) || p->charge.state != CHARGE_FAILED) return p->declined;
    return text_of(TEXT_EVENT_BANK_REFUSED);
}

/* While the payment waits in line: how long that is, and what it means. */
static struct str line_of(struct req *rq) {
    const struct order_page *p = own(rq);
    struct arena *arena = req_arena(rq);
    if (state_of(p) != ORDER_STATE_PAYING || !p->charge.waits) return (struct str){0};
    return text_fill(arena, TEXT_BUYING_IN_LINE,
                     (struct text_hole[]){{"ahead", text_number(arena, p->charge.ahead)},
                                          {"time", view_in(p->charge.seconds * 1000000, arena)},
                                          {0}});
}

/* Both were asked at once: the page is as old as the older of them, and read again when there is more. */
static int64_t version_of(const struct order_page *p) {
    bool behind = p->history.count > 0 && p->history_version < p->order.version;
    return behind ? p->history_version : p->order.version;
}

/* Where the tickets of a purchase are, or how many there are. */
static struct str title_of(struct req *rq, const struct order *o) {
    if (o->tickets.count == 0) return o->ticket.title;
    return o->seats.n > 0
               ? o->seats
               : text_fill(req_arena(rq), TEXT_BUYING_TICKETS,
                           (struct text_hole[]){
                               {"count", text_number(req_arena(rq), (int64_t)o->tickets.count)}, {0}});
}

/* Below the show's title, tickets need not say it again: "SHOW, AREA, row 7, seat 21". */
static void shorten(struct str *title, struct str show) {
    if (show.n == 0 || title->n <= show.n + 2 || memcmp(title->p, show.p, show.n) != 0 ||
        memcmp(title->p + show.n, ", ", 2) != 0)
        return;
    title->p += show.n + 2;
    title->n -= show.n + 2;
}

static void shorten_titles(struct order_page *p) {
    struct order_ticket_view *tickets = (struct order_ticket_view *)p->order.tickets.items;
    shorten(&p->order.ticket.title, p->show.title);
    for (size_t i = 0; i < p->order.tickets.count; i++)
        shorten(&tickets[i].title, p->show.title);
}

/* What waits to be paid is told on every page, until it ends. */
static void keep_held(struct req *rq, enum order_state state) {
    const struct order_page *p = own(rq);
    char id[UUID_TEXT];
    uuid_format(&p->order.id, id);
    struct str path = visit_text(rq, "/%s/%.*s", collection(p), UUID_TEXT, id);
    if (state == ORDER_STATE_WAITING || state == ORDER_STATE_PAYING)
        held_add(rq, path, p->show.title.n > 0 ? p->show.title : p->order.ticket.title, p->order.expires_at);
    else
        held_drop(rq, path);
}

static void render_order(struct req *rq) {
    struct visit *visit = visit_of(rq);
    const struct web *web = req_service(rq);
    struct order_page *p = own(rq);
    const struct order *o = &p->order;
    shorten_titles(p);
    struct order_view view = {
        .page = visit->page,
        .show = p->show,
        .kind = p->kind,
        .id = o->id,
        .tickets = o->tickets,
        .ticket_id = o->ticket.id,
        .title = title_of(rq, o),
        .price = o->ticket.price,
        .state = state_of(p),
        .version = version_of(p),
        .placed_at = placed_at(p, visit->page.now),
        .expires_at = o->expires_at,
        .refunded = p->charge.state == CHARGE_REFUNDED,
        .declined = declined(p),
        .confirm = open_order(p) && p->charge.state == CHARGE_TO_CONFIRM && p->declined.n == 0,
        .secret = p->charge.secret,
        .line = line_of(rq),
        .problem = visit->problem,
        .history = p->history,
        .cards = cards_of(rq),
        .stripe_key = str_of(web->stripe_key),
        .email = visit->user == NULL ? STR("") : visit->user->email,
        .amount = o->ticket.price.minor,
        .payments_away = p->payments_away,
        .key = visit_new_key(rq),
    };
    keep_held(rq, view.state);
    visit->stripe = view.stripe_key.n > 0 && open_order(p) && !view.payments_away;
    view.script = visit->stripe;
    order_render(page_begin(rq), &view);
    page_end(rq);
}

/* The purchase that the order is of if it is one of several: their ids differ in the last hex digit alone,
 * which is 0 in the first one's and the purchase's. */
static struct uuid purchase_of(struct req *rq) {
    struct uuid id = req_path_uuid(rq, 0);
    if (own(rq)->kind == ORDER_KIND_ORDERS) id.b[15] &= 0xf0;
    return id;
}

static void answered(struct req *rq) {
    struct order_page *p = own(rq);
    if (--p->left > 0) return;
    struct uuid purchase = purchase_of(rq);
    char id[UUID_TEXT];
    uuid_format(&purchase, id);
    bool single = p->kind == ORDER_KIND_PURCHASES && p->order.tickets.count == 0;
    if (p->part)
        page_go(rq, "/purchases/%.*s", UUID_TEXT, id);
    else if (p->refusal == NULL && single)
        page_go(rq, "/orders/%.*s", UUID_TEXT, id);
    else if (p->refusal == NULL)
        render_order(rq);
    else
        page_refusal(rq, p->refusal, TEXT_AWAY_ORDERS);
}

/* Without it, the tickets' own titles say what they are for. */
static void on_show(struct req *rq, const struct api_answer *answer) {
    struct show show;
    if (answer->code == 200 && view_show(answer->body, req_arena(rq), &show)) {
        const struct show_head_view *head = &show.head;
        own(rq)->show = (struct show_brief_view){.title = head->title,
                                                 .venue = head->venue,
                                                 .city = head->city,
                                                 .starts = head->starts,
                                                 .starts_at = head->starts_at,
                                                 .zone = head->zone};
    }
    answered(rq);
}

static void on_order(struct req *rq, const struct api_answer *answer) {
    struct order_page *p = own(rq);
    bool ok = answer->code == 200 &&
              (p->kind == ORDER_KIND_PURCHASES ? view_purchase(answer->body, req_arena(rq), &p->order)
                                               : view_order(answer->body, &p->order));
    static const struct uuid none;
    if (!ok) p->refusal = answer;
    if (ok && !uuid_eq(&p->order.show, &none)) {
        char id[UUID_TEXT];
        uuid_format(&p->order.show, id);
        p->left++;
        visit_ask(rq, API_TICKETS, "GET", on_show, "/api/shows/%.*s", UUID_TEXT, id);
    }
    answered(rq);
}

static void on_whole(struct req *rq, const struct api_answer *answer) {
    struct order whole;
    struct order_page *p = own(rq);
    p->part = answer->code == 200 && view_purchase(answer->body, req_arena(rq), &whole) &&
              whole.tickets.count > (req_path_uuid(rq, 0).b[15] & 0x0f);
    answered(rq);
}

static void on_history(struct req *rq, const struct api_answer *answer) {
    struct order_page *p = own(rq);
    p->ended = ORDER_STATE_CANCELLED;
    view_history(answer->body, p->kind == ORDER_KIND_PURCHASES, req_arena(rq), &p->history, &p->ended,
                 &p->history_version);
    answered(rq);
}

static void on_charges(struct req *rq, const struct api_answer *answer) {
    struct order_page *p = own(rq);
    p->payments_away = answer->code != 200;
    p->charge = view_charge(answer->body);
    answered(rq);
}

static void go_to_order(struct req *rq) {
    char id[UUID_TEXT], whole[UUID_TEXT];
    struct order_page *p = own(rq);
    struct uuid purchase = purchase_of(rq);
    bool maybe_part = p->kind == ORDER_KIND_ORDERS && (req_path_uuid(rq, 0).b[15] & 0x0f) < PURCHASE_MOST;
    visit_id(rq, id);
    uuid_format(&purchase, whole);
    p->left = maybe_part ? 4 : 3;
    if (maybe_part) visit_ask(rq, API_ORDERS, "GET", on_whole, "/api/purchases/%.*s", UUID_TEXT, whole);
    visit_ask(rq, API_ORDERS, "GET", on_order, "/api/%s/%.*s", collection(p), UUID_TEXT, id);
    visit_ask(rq, API_ORDERS, "GET", on_history, "/api/orders/%.*s/history", UUID_TEXT, id);
    visit_ask(rq, API_PAYMENTS, "GET", on_charges, "/api/payments?orderId=%.*s", UUID_TEXT, id);
}

static void show(struct req *rq, enum order_kind kind) {
    begin(rq, kind);
    if (page_signed_in(rq)) go_to_order(rq);
}

void show_order(struct req *rq) {
    show(rq, ORDER_KIND_ORDERS);
}

void show_purchase(struct req *rq) {
    show(rq, ORDER_KIND_PURCHASES);
}

/* --- paying it --- */

static void send_payment(struct req *rq);

/* Payments may not have heard of an order yet that was placed just now. */
enum { ORDER_WAIT_MS = 3000 };

static void on_paid(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    if (answer->code == 404 && req_later_within(rq, send_payment, ORDER_WAIT_MS)) return;
    if (answer->code == 201 || answer->code == 202) { /* paid; to be confirmed */
        page_go(rq, "%.*s", (int)visit->page.path.n, visit->page.path.p);
        return;
    }
    if (answer->code == 401) {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
        return;
    }
    struct str words = visit_sentence(rq, api_error(answer, NULL));
    if (words.n == 0) words = visit_sentence(rq, api_error(answer, "token"));
    visit->status = answer->away ? 503 : answer->code;
    if (answer->code == 402)
        own(rq)->declined = words;
    else
        visit->problem = words.n > 0 ? words : text_of(TEXT_AWAY_PAYMENTS);
    go_to_order(rq);
}

static void send_payment(struct req *rq) {
    struct json body = {0};
    struct uuid id = req_path_uuid(rq, 0);
    json_open(&body, '{');
    json_put_uuid(&body, own(rq)->kind == ORDER_KIND_PURCHASES ? "purchaseId" : "orderId", id);
    json_put_text(&body, "token", visit_field(rq, "token"));
    json_close(&body, '}');
    visit_send(rq, API_PAYMENTS, "POST", "/api/payments", &body, 0, on_paid);
}

static void pay(struct req *rq, enum order_kind kind) {
    begin(rq, kind);
    if (page_own_form(rq)) send_payment(rq);
}

void pay_order(struct req *rq) {
    pay(rq, ORDER_KIND_ORDERS);
}

void pay_purchase(struct req *rq) {
    pay(rq, ORDER_KIND_PURCHASES);
}

/* --- confirming it, where the bank wants that --- */

static void on_to_confirm(struct req *rq, const struct api_answer *answer) {
    struct charge charge = view_charge(answer->body);
    struct str where = charge.url.n > 0 ? charge.url : visit_of(rq)->page.path;
    page_go(rq, "%.*s", (int)where.n, where.p);
}

void confirm_order(struct req *rq) {
    visit_begin(rq);
    if (!page_signed_in(rq)) return;
    char id[UUID_TEXT];
    visit_id(rq, id);
    visit_ask(rq, API_PAYMENTS, "GET", on_to_confirm, "/api/payments?orderId=%.*s", UUID_TEXT, id);
}

/* --- cancelling it --- */

static void on_cancelled(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    if (answer->code == 204) {
        page_go(rq, "%.*s", (int)visit->page.path.n, visit->page.path.p);
    } else if (answer->code == 409) {
        visit->status = 409;
        visit->problem = visit_sentence(rq, api_error(answer, NULL));
        go_to_order(rq);
    } else {
        page_refusal(rq, answer, TEXT_AWAY_NOT_CANCELLED);
    }
}

static void cancel(struct req *rq, enum order_kind kind) {
    begin(rq, kind);
    if (!page_own_form(rq)) return;
    char id[UUID_TEXT];
    visit_id(rq, id);
    visit_ask(rq, API_ORDERS, "DELETE", on_cancelled, "/api/%s/%.*s", collection(own(rq)), UUID_TEXT, id);
}

void cancel_order(struct req *rq) {
    cancel(rq, ORDER_KIND_ORDERS);
}

void cancel_purchase(struct req *rq) {
    cancel(rq, ORDER_KIND_PURCHASES);
}
