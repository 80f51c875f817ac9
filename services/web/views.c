#include "views.h"

#include <ctype.h>
#include <math.h>

#include "arena.h"
#include "clock.h"
#include "currency.h"
#include "views_read.h"

/* --- values --- */

bool read_text(const json_t *json, const char *key, struct str *out) {
    const json_t *v = json_object_get(json, key);
    *out = (struct str){json_string_value(v), json_string_length(v)};
    return json_is_string(v);
}

bool read_uuid(const json_t *json, const char *key, struct uuid *out) {
    struct str text;
    return read_text(json, key, &text) && uuid_parse(text, out);
}

bool read_amount(const json_t *json, const char *key, struct str currency, struct price *out) {
    const json_t *v = json_object_get(json, key);
    if (!json_is_number(v) || currency.n != 3) return false;
    double amount = json_number_value(v);
    for (int i = currency_decimals(currency); i > 0; i--)
        amount *= 10;
    out->minor = llround(amount);
    memcpy(out->currency, currency.p, 4);
    return true;
}

static bool get_price(const json_t *json, const char *key, struct price *out) {
    struct str currency;
    return read_text(json, "currency", &currency) && read_amount(json, key, currency, out);
}

static int64_t get_version(const json_t *json) {
    return json_integer_value(json_object_get(json, "version"));
}

bool read_time(const json_t *json, const char *key, int64_t *unix_us) {
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL && view_time(text, unix_us);
}

int read_one_of(struct str word, const char *const *words, int n) {
    for (int i = 0; i < n; i++)
        if (str_eq(word, str_of(words[i]))) return i;
    return -1;
}

static bool number(const char **p, int digits, char behind, int *out) {
    *out = 0;
    for (int i = 0; i < digits; i++, (*p)++) {
        if (!isdigit((unsigned char)**p)) return false;
        *out = *out * 10 + (**p - '0');
    }
    return *(*p)++ == behind;
}

/* Days since 1970 by arithmetic: years run from March, so that the leap day is the last of a year. */
static int64_t days(int year, int month, int day) {
    year -= month <= 2;
    int era = year / 400, of_era = year - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return INT64_C(146097) * era + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool view_time(const char *p, int64_t *unix_us) {
    int year, month, day, hour, minute, second, ms;
    if (!number(&p, 4, '-', &year) || !number(&p, 2, '-', &month) || !number(&p, 2, 'T', &day) ||
        !number(&p, 2, ':', &hour) || !number(&p, 2, ':', &minute) || !number(&p, 2, '.', &second) ||
        !number(&p, 3, 'Z', &ms) || *p != '\0' || month < 1 || month > 12)
        return false;
    *unix_us = ((days(year, month, day) * 24 + hour) * 60 + minute) * INT64_C(60000000) +
               second * INT64_C(1000000) + ms * INT64_C(1000);
    return true;
}

const char *view_symbol(const char *currency) {
    static const char *const symbols[][2] = {{"USD", "$"}, {"EUR", "€"}, {"GBP", "£"}};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (strcmp(symbols[i][0], currency) == 0) return symbols[i][1];
    return currency;
}

/* --- tickets and orders --- */

static bool get_card(const json_t *json, struct ticket_card_view *out) {
    out->version = get_version(json);
    return read_uuid(json, "id", &out->id) && read_text(json, "title", &out->title) &&
           get_price(json, "price", &out->price);
}

static void get_when(const json_t *json, struct ticket *out) {
    struct ticket_when_view *at = &out->card.at;
    if (read_text(json, "date", &out->date)) clock_parse(out->date, &at->date);
    read_text(json, "venue", &at->venue);
    read_text(json, "city", &at->city);
}

bool view_ticket(const json_t *json, struct ticket *out) {
    static const char *const states[] = {"available", "reserved", "sold",
                                         "cancelled"}; /* enum ticket_state */
    struct str status;
    *out = (struct ticket){0};
    if (!get_card(json, &out->card) || !read_uuid(json, "userId", &out->seller) ||
        !read_text(json, "status", &status))
        return false;
    get_when(json, out);
    read_uuid(json, "orderId", &out->order);
    out->place = read_uuid(json, "showId", &out->show);
    int state = read_one_of(status, states, 4);
    out->card.state = (enum ticket_state)state;
    return state >= 0;
}

/* Why orders ended. */
static const struct {
    const char *reason;
    enum text words;
    enum order_state state;
} endings[] = {
    {"buyer", TEXT_EVENT_BUYER, ORDER_STATE_CANCELLED},
    {"expired", TEXT_EVENT_EXPIRED, ORDER_STATE_EXPIRED},
    {"ticket_cancelled", TEXT_EVENT_WITHDRAWN, ORDER_STATE_WITHDRAWN},
    {"payment_failed", TEXT_EVENT_FAILED, ORDER_STATE_FAILED},
    {"lost", TEXT_EVENT_LOST, ORDER_STATE_LOST},
};

static enum order_state ended_by(struct str reason) {
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (str_eq(reason, str_of(endings[i].reason))) return endings[i].state;
    return ORDER_STATE_CANCELLED;
}

bool view_order(const json_t *json, struct order *out) {
    static const char *const states[] = {"created", "awaiting:payment", "complete",
                                         "cancelled"}; /* enum order_state */
    struct str status;
    *out = (struct order){.version = get_version(json)};
    if (!read_uuid(json, "id", &out->id) || !get_card(json_object_get(json, "ticket"), &out->ticket) ||
        !read_text(json, "status", &status) || !read_time(json, "expiresAt", &out->expires_at))
        return false;
    struct str reason;
    int state = read_one_of(status, states, 4);
    out->state = (enum order_state)state;
    if (out->state == ORDER_STATE_CANCELLED && read_text(json, "reason", &reason))
        out->state = ended_by(reason);
    read_uuid(json, "showId", &out->show);
    return state >= 0;
}

bool view_tickets(const json_t *json, struct arena *arena, struct ticket_card_list *out) {
    size_t n = json_array_size(json);
    struct ticket_card_view *cards = arena_alloc(arena, n * sizeof *cards);
    for (size_t i = 0; i < n; i++) {
        struct ticket ticket;
        if (!view_ticket(json_array_get(json, i), &ticket)) return false;
        cards[i] = ticket.card;
    }
    *out = (struct ticket_card_list){cards, n};
    return json_is_array(json);
}

/* --- purchases --- */

static bool get_tickets(const json_t *orders, struct arena *arena, struct order_ticket_list *out) {
    size_t n = json_array_size(orders);
    struct order_ticket_view *tickets = arena_alloc(arena, n * sizeof *tickets);
    for (size_t i = 0; i < n; i++) {
        struct order o;
        if (!view_order(json_array_get(orders, i), &o)) return false;
        tickets[i] = (struct order_ticket_view){o.ticket.id, o.ticket.title, o.ticket.price};
    }
    *out = (struct order_ticket_list){tickets, n};
    return true;
}

bool view_purchase(const json_t *json, struct arena *arena, struct order *out) {
    const json_t *orders = json_object_get(json, "orders");
    struct uuid id;
    if (!read_uuid(json, "id", &id) || !view_order(json_array_get(orders, 0), out) || !uuid_eq(&id, &out->id))
        return false;
    if (json_array_size(orders) == 1) return true;
    read_text(json, "seats", &out->seats);
    return get_price(json, "total", &out->ticket.price) && get_tickets(orders, arena, &out->tickets);
}

static struct order_row_view row_of(const struct order *o) {
    bool several = o->tickets.count > 0;
    return (struct order_row_view){.id = o->id,
                                   .title = o->ticket.title,
                                   .price = o->ticket.price,
                                   .state = o->state,
                                   .version = o->version,
                                   .expires_at = o->expires_at,
                                   .kind = several ? ORDER_KIND_PURCHASES : ORDER_KIND_ORDERS,
                                   .more = several ? (int64_t)o->tickets.count - 1 : 0};
}

bool view_orders(const json_t *json, struct arena *arena, struct order_row_list *out) {
    size_t n = json_array_size(json);
    struct order_row_view *rows = arena_alloc(arena, n * sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        struct order o;
        if (!view_order(json_array_get(json, i), &o)) return false;
        rows[i] = row_of(&o);
    }
    *out = (struct order_row_list){rows, n};
    return json_is_array(json);
}

bool view_purchases(const json_t *json, struct arena *arena, struct order_row_list *out) {
    size_t n = json_array_size(json);
    struct order_row_view *rows = arena_alloc(arena, n * sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        struct order o;
        if (!view_purchase(json_array_get(json, i), arena, &o)) return false;
        rows[i] = row_of(&o);
    }
    *out = (struct order_row_list){rows, n};
    return json_is_array(json);
}

/* --- what happened --- */

static void end_by(struct str reason, struct order_event_view *out, enum order_state *state) {
    out->kind = EVENT_KIND_ENDED;
    out->words = text_of(TEXT_EVENT_ENDED);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (!str_eq(reason, str_of(endings[i].reason))) continue;
        out->words = text_of(endings[i].words);
        *state = endings[i].state;
    }
}

static bool get_event(const json_t *json, bool several, struct order_event_view *out,
                      enum order_state *state) {
    struct str type, status, reason = {0};
    read_text(json, "reason", &reason);
    if (!read_text(json, "type", &type) || !read_text(json, "status", &status) ||
        !read_time(json, "occurredAt", &out->at))
        return false;
    if (str_eq(type, STR("OrderCreated")))
        out->words = several ? text_of(TEXT_EVENT_ORDERED_SEVERAL) : text_of(TEXT_EVENT_ORDERED);
    else if (str_eq(type, STR("OrderCompleted"))) {
        out->kind = EVENT_KIND_COMPLETED;
        out->words = several ? text_of(TEXT_EVENT_PAID_SEVERAL) : text_of(TEXT_EVENT_PAID);
    } else if (str_eq(type, STR("OrderCancelled"))) {
        end_by(reason, out, state);
    } else if (str_eq(reason, STR("refunded"))) {
        out->kind = EVENT_KIND_ENDED;
        out->words = text_of(TEXT_EVENT_REFUNDED);
    } else {
        out->kind = EVENT_KIND_PAYING;
        out->words =
            str_eq(status, STR("created")) ? text_of(TEXT_EVENT_NOT_PAID) : text_of(TEXT_EVENT_PAYING);
    }
    return true;
}

/* Orders tells it again when the payment has waited in line, with more time. */
static bool says_it_again(const struct order_event_view *event, const struct order_event_view *before) {
    return event->kind == EVENT_KIND_PAYING && str_eq(event->words, before->words);
}

bool view_history(const json_t *json, bool several, struct arena *arena, struct order_event_list *out,
                  enum order_state *state, int64_t *version) {
    size_t n = json_array_size(json), told = 0;
    struct order_event_view *events = arena_alloc(arena, n * sizeof *events);
    for (size_t i = 0; i < n; i++) {
        if (!get_event(json_array_get(json, i), several, &events[told], state)) return false;
        if (told == 0 || !says_it_again(&events[told], &events[told - 1])) told++;
    }
    *version = n == 0 ? 0 : get_version(json_array_get(json, n - 1));
    *out = (struct order_event_list){events, told};
    return json_is_array(json);
}

/* An http URL, or nothing: it leads away from here. */
static struct str foreign_url(const json_t *action) {
    struct str url;
    bool web = read_text(json_object_get(action, "redirect_to_url"), "url", &url) &&
               (strncmp(url.p, "https://", 8) == 0 || strncmp(url.p, "http://", 7) == 0);
    return web ? url : (struct str){0};
}

struct charge view_charge(const json_t *charges) {
    static const char *const words[] = {"started", "succeeded", "requires_action", "failed", "refunded"};
    static const enum charge_state states[] = {CHARGE_UNDER_WAY, CHARGE_UNDER_WAY, CHARGE_TO_CONFIRM,
                                               CHARGE_FAILED, CHARGE_REFUNDED};
    struct charge out = {0};
    const json_t *charge = NULL;
    struct str status;
    for (size_t i = json_array_size(charges);
         i-- > 0 && out.state != CHARGE_REFUNDED;) { /* newest last; money that went back counts */
        charge = json_array_get(charges, i);
        int state = read_text(charge, "status", &status) ? read_one_of(status, words, 5) : -1;
        if (state >= 0) out.state = states[state];
    }
    const json_t *line = json_object_get(charge, "waiting");
    out.waits = out.state == CHARGE_UNDER_WAY && json_is_object(line);
    out.ahead = json_integer_value(json_object_get(line, "ahead"));
    out.seconds = json_integer_value(json_object_get(line, "seconds"));
    if (out.state != CHARGE_TO_CONFIRM) return out;
    read_text(charge, "clientSecret", &out.secret);
    out.url = foreign_url(json_object_get(charge, "nextAction"));
    return out;
}
