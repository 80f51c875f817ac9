/* Writes every page in every state, with made-up content, and the static files, into a directory; in the
 * language of its second argument, if there is one. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cover.h"
#include "language.h"
#include "pages_driver.h"
#include "plan.h"
#include "qr.h"
#include "static.h"
#include "templates.h"

static const char *directory;
static struct arena arena;

static void write_file(const char *name, struct str bytes) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(bytes.p, 1, bytes.n, file) != bytes.n || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

void write_page(const char *name, struct buf *page) {
    write_file(name, (struct str){(char *)page->data, page->len});
    buf_free(page);
}

#define WRITE(template, name, ...)                                                                           \
    do {                                                                                                     \
        struct buf out = {0};                                                                                \
        template##_render(&out, &(struct template##_view){__VA_ARGS__});                                     \
        write_page(name ".html", &out);                                                                      \
    } while (0)

#define NOW     INT64_C(1795257571123456) /* 21 Nov 2026, 10:39 UTC */
#define SECONDS INT64_C(1000000)
#define CSRF    STR("3nq8Yz0mX5cVb1kT")
#define KEY     STR("019aa5be-33c5-7e64-9e0f-0f7b1c2d3e4f")

static const struct uuid id = {
    {0x01, 0x9a, 0xa5, 0xbe, 0x33, 0xc5, 0x7e, 0x64, 0x9e, 0x0f, 0x0f, 0x7b, 0x1c, 0x2d, 0x3e, 0x4f}};

static struct page_view page_at(const char *path, const char *email, const char *notice) {
    return (struct page_view){
        .now = NOW, .email = str_of(email), .csrf = CSRF, .notice = str_of(notice), .path = str_of(path)};
}

static struct price dollars(int64_t minor) {
    return (struct price){minor, "USD"};
}

/* --- the home page --- */

static struct ticket_card_view card(int i, const char *title, int64_t minor, enum ticket_state state) {
    struct ticket_card_view c = {.id = id, .title = str_of(title), .price = dollars(minor), .state = state};
    c.id.b[15] = (uint8_t)i;
    static const struct ticket_when_view when[] = {
        /* as much as sellers give */
        {INT64_C(1796774400) * SECONDS, STR("Halle 622"), STR("Zürich")},
        {INT64_C(1797033600) * SECONDS, STR("Opernhaus"), STR("Zürich")},
        {INT64_C(1811808000) * SECONDS, STR(""), STR("")},
        {0, STR("Victoria Palace Theatre <&>"), STR("London")},
        {INT64_C(1811808000) * SECONDS, STR("دار الأوبرا"), STR("القاهرة")},
        {0, STR(""), STR("")},
        {0, STR(""), STR("東京")},
    };
    c.at = when[i % (int)(sizeof when / sizeof *when)];
    return c;
}

static const char *const titles[] = {
    "Khruangbin, standing",
    "Die Zauberflöte, parquet, row 7, seat 21",
    "Hamilton, stalls F14",
    "Two seats together, Rosalía, Barcelona",
    "Nils Frahm",
    ("FC Basel – Young Boys, sector D, row 18. Can't go because of work; the seat is under the roof, close to the exit, and the view "
     "is better than its price"),
    "東京 Jazz Festival 2026, 土曜日",
    "أمسية موسيقية في دار الأوبرا",
    "<script>alert(1)</script> & \"friends\" 'live'",
    "Supercalifragilisticexpialidociousupercalifragilisticexpialidociousupercalifragilisticexpialidocious",
};
enum { TITLES = sizeof titles / sizeof *titles, CARDS = 20 };

static void write_home(void) {
    struct ticket_card_view cards[CARDS];
    for (int i = 0; i < CARDS; i++)
        cards[i] = card(i, titles[i % TITLES], 4550 + 1275 * i * i,
                        i % 7 == 3 ? TICKET_STATE_RESERVED : TICKET_STATE_AVAILABLE);
    struct page_view visitor = page_at("/", NULL, NULL),
                     user = page_at("/?q=opera", "mara@example.com", NULL);
    WRITE(home, "home", .page = visitor, .sorted = STR("/?sort=date"), .tickets = {cards, CARDS},
          .next = STR("/?cursor=019aa5be-33c5-7e64-9e0f-0f7b1c2d3e4f"));
    WRITE(home, "home-search", .page = user, .filtered = true, .by_date = true, .sorted = STR("/?q=opera"),
          .search = {.action = STR("/"), .words = STR("opera")}, .tickets = {cards + 1, 3});
    WRITE(home, "home-later", .page = user, .later = true, .tickets = {cards + 3, 8});
    WRITE(home, "home-empty", .page = visitor);
    WRITE(home, "home-end", .page = visitor, .later = true);
    WRITE(home, "home-none", .page = user, .filtered = true,
          .search = {.action = STR("/"), .words = STR("\"><b>opera")});
    WRITE(home, "home-away", .page = visitor, .away = true);
    WRITE(home, "home-refused", .page = visitor, .filtered = true,
          .search = {
              .action = STR("/"), .words = STR("x"), .problem = STR("Must have at most 100 characters")});
}

/* --- a ticket --- */

static void write_ticket(void) {
    struct ticket_view v = {
        .page = page_at("/tickets/019aa5be-33c5-7e64-9e0f-0f7b1c2d3e4f", "mara@example.com", NULL),
        .sheet = {.id = id,
                  .title = str_of(titles[1]),
                  .price = dollars(12900),
                  .at = card(1, "", 0, TICKET_STATE_AVAILABLE).at,
                  .order = id,
                  .csrf = CSRF,
                  .key = KEY}};
    static const struct {
        const char *name;
        enum viewer viewer;
        enum ticket_state state;
        const char *problem;
        bool away;
    } states[] = {
        {"ticket", VIEWER_BUYER, TICKET_STATE_AVAILABLE, NULL, false},
        {"ticket-stranger", VIEWER_STRANGER, TICKET_STATE_AVAILABLE, NULL, false},
        {"ticket-reserved", VIEWER_BUYER, TICKET_STATE_RESERVED, NULL, false},
        {"ticket-lost", VIEWER_BUYER, TICKET_STATE_RESERVED,
         "Somebody was faster: this ticket is on hold now.", false},
        {"ticket-sold", VIEWER_STRANGER, TICKET_STATE_SOLD, NULL, false},
        {"ticket-withdrawn", VIEWER_BUYER, TICKET_STATE_WITHDRAWN, NULL, false},
        {"ticket-held", VIEWER_HOLDER, TICKET_STATE_RESERVED, NULL, false},
        {"ticket-bought", VIEWER_HOLDER, TICKET_STATE_SOLD, NULL, false},
        {"ticket-mine", VIEWER_SELLER, TICKET_STATE_AVAILABLE, NULL, false},
        {"ticket-mine-reserved", VIEWER_SELLER, TICKET_STATE_RESERVED, NULL, false},
        {"ticket-mine-sold", VIEWER_SELLER, TICKET_STATE_SOLD, NULL, false},
        {"ticket-mine-withdrawn", VIEWER_SELLER, TICKET_STATE_WITHDRAWN, NULL, false},
        {"ticket-away", VIEWER_BUYER, TICKET_STATE_AVAILABLE, NULL, true},
    };
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        v.sheet.viewer = states[i].viewer;
        v.sheet.state = states[i].state;
        v.problem = str_of(states[i].problem);
        v.sheet.orders_away = states[i].away;
        v.page.email = v.sheet.viewer == VIEWER_STRANGER ? STR("") : STR("mara@example.com");
        v.page.notice =
            v.sheet.viewer == VIEWER_SELLER && i % 2 == 0 ? STR("Your ticket is on sale.") : STR("");
        struct buf out = {0};
        ticket_render(&out, &v);
        char name[64];
        snprintf(name, sizeof name, "%s.html", states[i].name);
        write_page(name, &out);
    }
}

/* --- an order --- */

static const struct test_card_view test_cards[] = {
    {STR("tok_visa"), STR("Visa 4242"), STR("is paid"), true},
    {STR("tok_chargeDeclined"), STR("Visa 0002"), STR("is declined"), false},
    {STR("tok_chargeDeclinedInsufficientFunds"), STR("Visa 9995"), STR("has not enough money"), false},
    {STR("tok_slow"), STR("Visa 0077"), STR("takes half a minute"), false},
};

static struct order_view order_in(enum order_state state, const struct order_event_view *events, size_t n) {
    return (struct order_view){
        .page = page_at("/orders/019aa5be-33c5-7e64-9e0f-0f7b1c2d3e4f", "mara@example.com", NULL),
        .id = id,
        .ticket_id = id,
        .title = str_of(titles[1]),
        .price = dollars(12900),
        .state = state,
        .placed_at = NOW - 93 * SECONDS,
        .expires_at = NOW + 807 * SECONDS,
        .history = {events, n},
        .cards = {test_cards, sizeof test_cards / sizeof *test_cards},
        .amount = 12900,
        .key = KEY,
    };
}

static void write_order_as(const char *name, const struct order_view *v) {
    struct buf out = {0};
    order_render(&out, v);
    write_page(name, &out);
}

static void write_order(void) {
    struct order_event_view events[] = {
        {EVENT_KIND_PLACED, STR("You ordered the ticket; it is held for you"), NOW - 93 * SECONDS},
        {EVENT_KIND_PAYING, STR("A payment began"), NOW - 20 * SECONDS},
        {EVENT_KIND_COMPLETED, STR("Paid: the ticket is yours"), NOW - 18 * SECONDS},
    };
    struct order_event_view ended[] = {
        events[0], {EVENT_KIND_ENDED, STR("The time to pay was over"), NOW - 2 * SECONDS}};
    struct order_view v = order_in(ORDER_STATE_WAITING, events, 1);
    write_order_as("order.html", &v);
    v.declined = STR("It has insufficient funds.");
    write_order_as("order-declined.html", &v);
    v.declined = STR("");
    v.expires_at = NOW + 42 * SECONDS;
    write_order_as("order-soon.html", &v);
    v = order_in(ORDER_STATE_WAITING, events, 1);
    v.stripe_key = STR("pk_test_made_up");
    v.email = STR("b@example.com");
    v.script = true;
    write_order_as("order-stripe.html", &v);
    v.payments_away = true;
    v.script = false;
    write_order_as("order-payments-away.html", &v);
    v = order_in(ORDER_STATE_PAYING, events, 2);
    write_order_as("order-paying.html", &v);
    v.confirm = true;
    write_order_as("order-confirm.html", &v);
    v.stripe_key = STR("pk_test_made_up");
    v.secret = STR("pi_1_secret_2");
    v.script = true;
    write_order_as("order-confirm-stripe.html", &v);
    v = order_in(ORDER_STATE_PAID, events, 3);
    write_order_as("order-paid.html", &v);
    v = order_in(ORDER_STATE_EXPIRED, ended, 2);
    write_order_as("order-expired.html", &v);
    v.refunded = true;
    write_order_as("order-refunded.html", &v);
    v = order_in(ORDER_STATE_CANCELLED, ended, 1);
    write_order_as("order-cancelled.html", &v);
    v = order_in(ORDER_STATE_WITHDRAWN, ended, 1);
    write_order_as("order-withdrawn.html", &v);
    v = order_in(ORDER_STATE_LOST, ended, 1);
    write_order_as("order-lost.html", &v);
    v = order_in(ORDER_STATE_FAILED, ended, 1);
    v.problem = STR("This order has ended, so it can't be paid any more.");
    write_order_as("order-failed.html", &v);
}

static void write_purchase(void) {
    static const struct order_event_view placed = {
        EVENT_KIND_PLACED, STR("You ordered the tickets; they are held for you"), NOW - 93 * SECONDS};
    struct order_ticket_view tickets[] = {
        {{{21}}, STR("<b>Die Zauberflöte</b>, Stalls, row 7, seat 21"), dollars(6450)},
        {{{22}}, STR("<b>Die Zauberflöte</b>, Stalls, row 7, seat 22"), dollars(6450)},
    };
    struct order_view v = order_in(ORDER_STATE_WAITING, &placed, 1);
    v.kind = ORDER_KIND_PURCHASES;
    v.title = STR("Stalls, row 7, seats 21–22");
    v.tickets = (struct order_ticket_list){tickets, 2};
    v.show = (struct show_brief_view){.title = STR("<b>Die Zauberflöte</b>"),
                                      .venue = STR("Theater <am> Rhein"),
                                      .city = STR("Basel"),
                                      .starts = STR("Tue 1 Jun 2027, 20:00"),
                                      .starts_at = INT64_C(1811872800) * SECONDS,
                                      .zone = STR("Europe/Zurich")};
    write_order_as("purchase.html", &v);
    v.declined = STR("It has insufficient funds.");
    write_order_as("purchase-declined.html", &v);
    v.declined = STR("");
    v.state = ORDER_STATE_PAYING;
    v.confirm = true;
    write_order_as("purchase-confirm.html", &v);
    v.confirm = false;
    v.state = ORDER_STATE_PAID;
    write_order_as("purchase-paid.html", &v);
    v.state = ORDER_STATE_EXPIRED;
    write_order_as("purchase-expired.html", &v);
    v.state = ORDER_STATE_CANCELLED;
    write_order_as("purchase-cancelled.html", &v);
}

#include "pages_shows.h"

/* --- one's own --- */

static void write_lists(void) {
    struct page_view orders = page_at("/orders", "mara@example.com", NULL),
                     mine = page_at("/tickets", "mara@example.com", NULL);
    struct order_row_view rows[ORDER_STATE_FAILED + 1];
    for (int i = 0; i <= ORDER_STATE_FAILED; i++)
        rows[i] = (struct order_row_view){.id = id,
                                          .title = str_of(titles[i]),
                                          .price = dollars(4550 + i * 1900),
                                          .state = (enum order_state)i,
                                          .version = 1,
                                          .expires_at = NOW + 807 * SECONDS,
                                          .kind = i % 2 == 0 ? ORDER_KIND_ORDERS : ORDER_KIND_PURCHASES,
                                          .more = i % 2};
    WRITE(orders, "orders", .page = orders, .orders = {rows, ORDER_STATE_FAILED + 1},
          .next = STR("/orders?cursor=x"));
    WRITE(orders, "orders-empty", .page = orders);
    WRITE(orders, "orders-end", .page = orders, .later = true);
    WRITE(orders, "orders-away", .page = orders, .away = true);
    struct ticket_card_view cards[4];
    for (int i = 0; i < 4; i++)
        cards[i] = card(i, titles[i + 1], 12900, (enum ticket_state)i);
    struct own_show_view shows[3];
    for (int i = 0; i < 3; i++)
        shows[i] = (struct own_show_view){.id = id,
                                          .title = str_of(titles[i + 1]),
                                          .venue = STR("Theater <am> Rhein"),
                                          .city = STR("Basel"),
                                          .starts = STR("Tue 1 Jun 2027, 20:00"),
                                          .starts_at = INT64_C(1811872800) * SECONDS,
                                          .zone = STR("Europe/Zurich"),
                                          .state = (enum show_state)(i % 2),
                                          .taken = 213 * i,
                                          .places = 1200};
    WRITE(mine, "mine", .page = mine, .shows = {shows, 3}, .tickets = {cards, 4},
          .next = STR("/tickets?cursor=x"));
    WRITE(mine, "mine-empty", .page = mine);
    WRITE(mine, "mine-end", .page = mine, .later = true);
    WRITE(mine, "mine-away", .page = mine, .away = true);
}

static void write_forms(void) {
    struct page_view visitor = page_at("/signin", NULL, NULL),
                     user = page_at("/account", "mara@example.com", NULL);
    struct str title = str_of(titles[1]), taken = STR("Email in use"), wrong = STR("Is not your password");
    WRITE(sell, "sell", .page = user, .symbol = STR("$"), .key = KEY);
    WRITE(sell, "sell-refused", .page = user, .symbol = STR("$"), .key = KEY,
          .title_error = STR("Must have 1 to 200 characters"), .date = STR("2020-01-01"),
          .date_error = STR("Must be today or later"), .venue = STR("Halle <622>"),
          .price = STR("twenty <b>"),
          .price_error = STR("Must be a price from 0.50 to 999,999.99 with at most two decimals"));
    WRITE(edit, "edit", .page = user, .id = id, .version = 3, .title = title, .date = STR("2026-12-12"),
          .venue = STR("Opernhaus"), .city = STR("Zürich"), .price = STR("129.00"), .symbol = STR("$"));
    WRITE(edit, "edit-refused", .page = user, .id = id, .version = 3, .title = title, .price = STR("0"),
          .symbol = STR("$"),
          .price_error = STR("Must be a price from 0.50 to 999,999.99 with at most two decimals"),
          .problem = STR("The ticket has changed meanwhile. Look at it again before you save."));
    WRITE(signin, "signin", .page = visitor, .next = STR("/"), .passkeys = true);
    WRITE(signin, "signin-to-buy", .page = visitor, .next = STR("/tickets/1?a=b&c=d"),
          .reason = STR("Sign in to see your orders."));
    WRITE(signin, "signin-refused", .page = visitor, .next = STR("/"), .email = STR("mara@example.com"),
          .problem = STR("E-mail or password is wrong."));
    WRITE(signin_code, "signin-code", .page = visitor, .next = STR("/"), .email = STR("mara@example.com"),
          .kept = STR("abc-_"));
    WRITE(signin_code, "signin-code-refused", .page = visitor, .next = STR("/tickets/1?a=b&c=d"),
          .email = STR("mara@example.com"), .kept = STR("abc"), .code_error = wrong,
          .problem = STR("Nothing was done."));
    WRITE(signin_code, "signin-code-lost", .page = visitor, .next = STR("/"),
          .email = STR("mara@example.com"), .kept = STR("abc"), .recovery_error = wrong);
    WRITE(signup, "signup", .page = visitor, .next = STR("/"));
    WRITE(signup, "signup-refused", .page = visitor, .next = STR("/"), .email = STR("mara@example.com"),
          .email_error = taken, .password_error = STR("Must have 8 to 128 characters"));
    WRITE(sent, "sent", .page = visitor);
    WRITE(forgot, "forgot", .page = visitor);
    WRITE(forgot, "forgot-refused", .page = visitor, .email = STR("mara"),
          .email_error = STR("Must be an e-mail address"), .problem = STR("Nothing was done."));
    WRITE(reset, "reset", .page = visitor, .token = STR("abc-_\"<"));
    WRITE(reset, "reset-refused", .page = visitor, .token = STR("abc"),
          .password_error = STR("Must have 8 to 128 characters"), .problem = STR("Nothing was done."));
    WRITE(verify, "verify", .page = visitor, .token = STR("abc"));
    WRITE(verify, "verify-refused", .page = visitor, .token = STR("abc"),
          .problem = STR("Nothing was done."));
    static const struct session_view sessions[] = {
        {.browser = STR("Firefox"), .address = STR("2001:db8::17"), .at = NOW, .current = true},
        {.browser = STR("Safari"), .address = STR("203.0.113.200"), .at = NOW - 7200 * SECONDS},
        {.browser = STR("A device"), .at = NOW - 40000 * SECONDS}};
    WRITE(account, "account", .page = user, .sessions = {sessions, 3}, .factor.known = true);
    WRITE(account, "account-factor", .page = user, .sessions = {sessions, 1}, .factor = {true, true, 9});
    WRITE(account, "account-factor-refused", .page = user, .sessions = {sessions, 1},
          .factor = {true, true, 1, .current_error = wrong, .code_error = wrong}, .delete_error = wrong,
          .delete_code_error = wrong);
    WRITE(account, "account-begin-refused", .page = user, .sessions = {sessions, 1},
          .factor = {.known = true, .begin_error = wrong});
    static const struct passkey_view passkeys[] = {
        {.name = STR("My <phone>"), .at = NOW - 40000 * SECONDS, .used = true, .used_at = NOW},
        {.name = STR("The key in the drawer"), .at = NOW - 7200 * SECONDS}};
    WRITE(account, "account-passkeys", .page = user, .sessions = {sessions, 1}, .factor.known = true,
          .passkeys_here = true, .passkeys_known = true, .passkeys = {passkeys, 2});
    WRITE(account, "account-away", .page = user, .away = true, .passkeys_here = true);
    WRITE(account, "account-unverified", .page = user, .unverified = true, .sessions = {sessions, 1});
    user.notice = STR("Your e-mail is changed.");
    WRITE(account, "account-refused", .page = user, .email = STR("o@example.com"), .email_error = taken,
          .email_current_error = wrong, .password_error = STR("Must have 8 to 128 characters"),
          .password_current_error = wrong, .delete_error = wrong);
}

static void write_passkey(void) {
    struct page_view user = page_at("/account/passkeys", "mara@example.com", NULL),
                     visitor = page_at("/", NULL, NULL);
    WRITE(new_passkey, "passkey", .page = user, .host = STR("shop.example"), .challenge = STR("abc-_"),
          .others = STR("AQ Ag"));
    WRITE(new_passkey, "passkey-refused", .page = user, .host = STR("shop.example"),
          .challenge = STR("abc-_"), .coded = true, .name = STR("My \"phone\""),
          .name_error = STR("Must have 1 to 60 characters"), .current_error = STR("Is wrong"),
          .code_error = STR("Is wrong"), .problem = STR("Nothing was done."));
    WRITE(signin_passkey, "signin-passkey", .page = visitor, .next = STR("/tickets/1?a=b&c=d"),
          .host = STR("shop.example"), .challenge = STR("abc-_"));
    WRITE(signin_passkey, "signin-passkey-refused", .page = visitor, .next = STR("/"),
          .host = STR("shop.example"), .challenge = STR("abc-_"), .problem = STR("Is not known"));
}

static void write_factor(void) {
    struct page_view user = page_at("/account/second-factor", "mara@example.com", NULL);
    const struct factor_view factor = {
        .page = user,
        .secret = STR("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
        .spaced = STR("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"),
        .uri = STR(
            "otpauth://totp/Onsale:mara%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Onsale"),
    };
    struct qr qr;
    qr_draw(&arena, factor.uri, &qr);
    WRITE(factor, "factor", .page = user, .secret = factor.secret, .spaced = factor.spaced, .uri = factor.uri,
          .qr = qr.path, .box = qr.box);
    WRITE(factor, "factor-refused", .page = user, .secret = factor.secret, .spaced = factor.spaced,
          .uri = factor.uri, .qr = qr.path, .box = qr.box, .code_error = STR("Is wrong"),
          .problem = STR("Nothing was done."));
    WRITE(factor_codes, "factor-codes", .page = user,
          .codes = STR("abcd-efgh-ijkl-mnop\nqrst-uvwx-yz23-4567\nbcde-fghi-jklm-nopq\ncdef-ghij-klmn-opqr\n"
                       "defg-hijk-lmno-pqrs\nefgh-ijkl-mnop-qrst\nfghi-jklm-nopq-rstu\nghij-klmn-opqr-stuv\n"
                       "hijk-lmno-pqrs-tuvw\nijkl-mnop-qrst-uvwx"));
}

static void write_errors(void) {
    struct page_view page = page_at("/nowhere", NULL, NULL);
    static const struct part_view parts[] = {{STR("Tickets on sale"), true},
                                             {STR("Accounts"), true},
                                             {STR("Orders"), false},
                                             {STR("Payments"), true}};
    WRITE(missing, "missing", .page = page, .heading = STR("Not found"),
          .words = STR("There is nothing at this address. It may have been a ticket that is long gone."));
    WRITE(down, "down", .page = page,
          .words = STR("Orders don't answer at the moment. Nothing is lost: what you have stays yours."),
          .parts = {parts, 4}, .retry = STR("/orders"));
}

int main(int argc, char **argv) {
    if (argc < 2 || argc > 3) return 64;
    directory = argv[1];
    if (argc == 3) language_use(language_wanted(str_of(argv[2])));
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/static", directory);
    mkdir(folder, 0777);
    for (size_t i = 0; i < static_count; i++)
        write_file(static_files[i].path.p + 1, static_files[i].bytes);
    write_home();
    write_ticket();
    write_order();
    write_purchase();
    write_bought();
    write_show_lists();
    write_show();
    write_queue();
    write_sales();
    write_phases();
    write_seats();
    write_texts();
    write_drafts();
    write_lists();
    write_forms();
    write_factor();
    write_passkey();
    write_errors();
    return 0;
}
