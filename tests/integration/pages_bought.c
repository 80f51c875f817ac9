/* Pages of what is bought: the ticket with its code, the receipt, the door that it opens. */
#include "pages_driver.h"

#define NOW INT64_C(1795257571123456) /* 21 Nov 2026, 10:39 UTC */
#define RENDER(name, template, view)                                                                         \
    do {                                                                                                     \
        struct buf out = {0};                                                                                \
        template##_render(&out, view);                                                                       \
        write_page(name, &out);                                                                              \
    } while (0)

static struct page_view page(void) {
    return (struct page_view){
        .now = NOW, .email = STR("mara@example.com"), .csrf = STR("3nq8Yz0mX5cVb1kT"), .path = STR("/")};
}

static struct price dollars(int64_t minor) {
    return (struct price){minor, "USD"};
}

static void write_pass(void) {
    struct pass_view pass = {.page = page(),
                             .title = STR("<b>Die Zauberflöte</b>"),
                             .words = STR("Stalls, row 7, seat 21"),
                             .venue = STR("Theater <am> Rhein"),
                             .city = STR("Basel"),
                             .starts = STR("Tue 1 Jun 2027, 20:00"),
                             .starts_at = NOW,
                             .zone = STR("Europe/Zurich"),
                             .code = STR("AVZHWqT08HAB"),
                             .qr = STR("M4 4h7v1h-7z"),
                             .box = STR("0 0 29 29")};
    RENDER("pass.html", pass, &pass);
    pass.used = STR("Tue 1 Jun 2027, 19:31, at the door “<North>”");
    RENDER("pass-used.html", pass, &pass);
}

static void write_receipt(void) {
    struct order_ticket_view ticket = {{{21}}, STR("<b>Die Zauberflöte</b>, Stalls"), dollars(6450)};
    struct receipt_view receipt = {
        .page = page(), .tickets = {&ticket, 1}, .total = dollars(6450), .paid_at = NOW};
    RENDER("receipt.html", receipt, &receipt);
    receipt.card = STR("Visa");
    receipt.last4 = STR("4242");
    RENDER("receipt-card.html", receipt, &receipt);
    receipt.refunded = true;
    RENDER("receipt-refunded.html", receipt, &receipt);
}

static void write_door(void) {
    struct door_view door = {.page = page(), .title = STR("<b>Die Zauberflöte</b>"), .key = STR("key")};
    RENDER("door.html", door, &door);
    door.door = STR("<North>");
    door.verdict = VERDICT_GOOD;
    door.heading = STR("Let in");
    door.words = STR("Stalls, row 7, seat 21");
    RENDER("door-good.html", door, &door);
    door.verdict = VERDICT_BAD;
    door.heading = STR("Used already");
    door.words = STR("This ticket was used already.");
    door.used = STR("Tue 1 Jun 2027, 19:31");
    door.used_door = STR("<South>");
    RENDER("door-used.html", door, &door);
    door.used = door.used_door = STR("");
    door.heading = STR("Not let in");
    door.words = STR("");
    door.door_error = STR("Must have 1 to 60 characters");
    RENDER("door-invalid.html", door, &door);
}

void write_bought(void) {
    write_pass();
    write_receipt();
    write_door();
}
