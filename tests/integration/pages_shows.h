/* The pages of shows, for pages_driver.c, which has what they are made of. */
#pragma once

#include "charts.h"
#include "views_sales.h"

static struct show_head_view head(int i) {
    return (struct show_head_view){.title = str_of(titles[i]),
                                   .venue = STR("Theater <am> Rhein"),
                                   .city = STR("Basel"),
                                   .description = STR("Doors at 7 p.m.\nNo interval."),
                                   .starts = STR("Tue 1 Jun 2027, 20:00"),
                                   .starts_at = INT64_C(1811872800) * SECONDS,
                                   .zone = STR("Europe/Zurich"),
                                   .cover = cover_of(&id, &arena)};
}

static struct show_card_view show_card(int i) {
    struct show_head_view h = head(i);
    static const struct str left[] = {STR(""), STR(""), STR("7 left"), STR("Sold out")};
    struct uuid other = id;
    other.b[15] = (uint8_t)(37 * i);
    return (struct show_card_view){.id = other,
                                   .title = h.title,
                                   .venue = h.venue,
                                   .city = h.city,
                                   .starts = h.starts,
                                   .starts_at = h.starts_at,
                                   .zone = h.zone,
                                   .cover = cover_of(&other, &arena),
                                   .from = dollars(2950 + 700 * i),
                                   .supply = (enum supply)(i % 4),
                                   .left = left[i % 4],
                                   .opens = i == 5 ? STR("2 days 3 h") : STR(""),
                                   .opens_at = NOW + (51 * 60 - 1) * 60 * SECONDS,
                                   .ended = i == 4};
}

static const struct phase_line_view phases[] = {
    {STR("Fans <b>"), PHASE_STATE_PAST, STR("Tue 1 Dec 2026, 10:00"), NOW, STR("Wed 2 Dec 2026, 10:00"),
     NOW + SECONDS, STR("Europe/Zurich"), STR("Stalls <b>, Balcony"), 2, false, true},
    {STR("General sale"), PHASE_STATE_OPEN, STR("Wed 2 Dec 2026, 10:00"), NOW + SECONDS,
     STR("Sun 30 May 2027, 20:00"), NOW + 2 * SECONDS, STR("Europe/Zurich"), STR(""), 8, true, false},
    {STR("Last places"), PHASE_STATE_LATER, STR("Sun 30 May 2027, 20:00"), NOW + 2 * SECONDS,
     STR("Mon 31 May 2027, 20:00"), NOW + 3 * SECONDS, STR("Europe/Zurich"), STR(""), 8, false, false}};

static void write_show_lists(void) {
    struct show_card_view cards[TITLES];
    for (int i = 0; i < TITLES; i++)
        cards[i] = show_card(i);
    cards[1].cover = (struct cover_view){.src = STR("/static/picture.webp"), .width = 640, .height = 360};
    struct page_view page = page_at("/shows", NULL, NULL);
    struct ticket_card_view ticket = card(1, titles[3], 4550, TICKET_STATE_AVAILABLE);
    WRITE(home, "home-shows", .page = page_at("/", NULL, NULL), .search = {.action = STR("/")},
          .shows = {cards, TITLES}, .shows_next = STR("/shows?cursor=x"), .tickets = {&ticket, 1});
    WRITE(home, "home-shows-away", .page = page_at("/", NULL, NULL), .shows_away = true,
          .tickets = {&ticket, 1});
    WRITE(shows, "shows", .page = page, .shows = {cards, TITLES}, .next = STR("/shows?cursor=x"));
    WRITE(shows, "shows-empty", .page = page);
    WRITE(shows, "shows-end", .page = page, .later = true);
    WRITE(shows, "shows-away", .page = page, .away = true);
}

static void write_show(void) {
    struct show_area_view areas[] = {
        {.id = id,
         .name = STR("Stalls <b>"),
         .price = dollars(6450),
         .seated = true,
         .free = 312,
         .left = STR("312 left"),
         .tier = 1,
         .on_sale = true},
        {.id = id, .name = STR("Balcony"), .price = dollars(2950), .seated = true, .left = STR("Sold out")},
        {.id = id,
         .name = STR("Stalls, wheelchairs"),
         .price = dollars(2950),
         .accessible = true,
         .free = 4,
         .left = STR("4 left")}};
    for (int i = 0; i < 3; i++)
        areas[i].id.b[15] = (uint8_t)i;
    const struct show drawn = {.areas = {areas, 3}};
    const struct plan_area_list plan = plan_of(&drawn, &arena);
    static const struct option_view many[] = {{STR("1"), STR("1"), false}, {STR("2"), STR("2"), true}};
    static const struct option_view where[] = {{STR(""), STR("The best, wherever it is"), false},
                                               {STR("x"), STR("Stalls <b>, $64.50"), true}};
    struct page_view page = page_at("/shows/019aa5be-33c5-7e64-9e0f-0f7b1c2d3e4f", "mara@example.com", NULL);
    struct page_view visitor = page_at("/shows/019aa5be-33c5-7e64-9e0f-0f7b1c2d3e4f", NULL, NULL);
#define SHOW(name, ...)                                                                                      \
    WRITE(show, name, .id = id, .show = head(1), .areas = {areas, 3}, .plan = plan, .quantities = {many, 2}, \
          .choices = {where, 2}, .together = true, .key = KEY, __VA_ARGS__)
    SHOW("show", .page = page, .state = SHOW_STATE_ANNOUNCED, .viewer = VIEWER_BUYER, .free = 316);
    SHOW("show-refused", .page = page, .state = SHOW_STATE_ANNOUNCED, .viewer = VIEWER_BUYER, .free = 316,
         .problem = STR("There are not 4 places side by side any more; 17 are left."),
         .quantity_error = STR("Must be a whole number from 1 to 8"), .area_error = STR("Must be a UUID"));
    SHOW("show-stranger", .page = visitor, .state = SHOW_STATE_ANNOUNCED, .free = 316);
    SHOW("show-full", .page = page, .state = SHOW_STATE_ANNOUNCED, .viewer = VIEWER_BUYER);
    SHOW("show-mine", .page = page, .state = SHOW_STATE_ANNOUNCED, .viewer = VIEWER_SELLER, .free = 316);
    SHOW("show-cancelled", .page = page, .state = SHOW_STATE_CANCELLED, .viewer = VIEWER_BUYER, .free = 316);
    SHOW("show-over", .page = page, .state = SHOW_STATE_ANNOUNCED, .viewer = VIEWER_BUYER, .free = 316,
         .over = true);
#define PHASED(name, ...)                                                                                    \
    SHOW(name, .page = page, .state = SHOW_STATE_ANNOUNCED, .free = 316, .phases = {phases, 3},              \
         .per_user = 2, __VA_ARGS__)
    PHASED("show-later", .viewer = VIEWER_BUYER, .sale = SALE_STATE_LATER, .opens_at = NOW + 90 * SECONDS,
           .opens = STR("Tue 1 Dec 2026, 10:00"), .opens_in = STR("2 min"));
    PHASED("show-later-mine", .viewer = VIEWER_SELLER, .sale = SALE_STATE_LATER,
           .opens_at = NOW + 90 * SECONDS, .opens = STR("Tue 1 Dec 2026, 10:00"), .opens_in = STR("2 min"));
    PHASED("show-phase", .viewer = VIEWER_BUYER, .now_phase = STR("Fans <b>"), .coded = true,
           .code = STR("7K2M <b>"),
           .code_error = STR("Must have 16 letters and digits, like 7K2M-Q4ZD-0V9X-H3TB"));
    PHASED("show-queue", .viewer = VIEWER_BUYER, .sale = SALE_STATE_QUEUE, .now_phase = STR("Fans <b>"));
    PHASED("show-turn", .viewer = VIEWER_BUYER, .sale = SALE_STATE_QUEUE, .admission = STR("t0k3n"),
           .until = NOW + 300 * SECONDS, .changes_at = NOW + 300 * SECONDS, .phase_at = NOW, .follow = true);
    PHASED("show-sale-over", .viewer = VIEWER_BUYER, .sale = SALE_STATE_OVER);
}

static void write_queue(void) {
    struct page_view page =
        page_at("/shows/019aa5be-33c5-7e64-9e0f-0f7b1c2d3e4f/queue", "mara@example.com", NULL);
    struct page_view visitor = page_at("/shows/019aa5be-33c5-7e64-9e0f-0f7b1c2d3e4f/queue", NULL, NULL);
#define QUEUE(name, ...)                                                                                     \
    WRITE(queue, name, .id = id, .title = str_of(titles[1]), .zone = STR("Europe/Zurich"), .people = 1200,   \
          .opens = STR("Tue 1 Dec 2026, 10:00"), .opens_at = NOW + 90 * SECONDS, .opens_in = STR("2 min"),   \
          __VA_ARGS__)
    QUEUE("queue-away", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_AWAY);
    QUEUE("queue-none", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_NONE);
    QUEUE("queue-outside", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_OUTSIDE);
    QUEUE("queue-refused", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_OUTSIDE, .open = true,
          .coded = true, .code = STR("7K2M <b>"),
          .code_error = STR("Must have 16 letters and digits, like 7K2M-Q4ZD-0V9X-H3TB"));
    QUEUE("queue-challenge", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_OUTSIDE,
          .challenge = 18, .seed = STR("5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"),
          .reader = STR("0198c2a4-5f10-7c3e-9a51-3f6b2c8d4e01"));
    QUEUE("queue-stranger", .page = visitor, .state = QUEUE_STATE_OUTSIDE, .open = true, .taken = true);
    QUEUE("queue-mine", .page = page, .viewer = VIEWER_SELLER, .state = QUEUE_STATE_OUTSIDE);
    QUEUE("queue-joined", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_JOINED);
    QUEUE("queue-waiting", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_QUEUED, .open = true,
          .place = 900, .before = 712, .estimate = STR("12 min"));
    QUEUE("queue-taken", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_QUEUED, .open = true,
          .place = 900, .before = 712, .taken = true);
    QUEUE("queue-turn", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_TURN, .open = true,
          .place = 9, .until = NOW + 300 * SECONDS);
    static const struct option_view wants[] = {{STR("1"), STR("1"), false}, {STR("2"), STR("2"), true}};
#define LISTED                                                                                               \
    .open = true, .sold_out = true, .taken = true, .place = 900, .want = 2, .wants = {wants, 2},             \
    .closes = STR("Fri 4 Dec 2026, 10:00"), .closes_at = NOW + 86400 * SECONDS
    QUEUE("queue-sold-out", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_OUTSIDE, LISTED);
    QUEUE("queue-listed", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_LISTED, LISTED,
          .listed = 14);
    QUEUE("queue-offered", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_OFFERED, LISTED,
          .until = NOW + 300 * SECONDS);
    QUEUE("queue-bought", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_TAKEN, LISTED);
    QUEUE("queue-lapsed", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_LAPSED, LISTED,
          .until = NOW - 300 * SECONDS);
    QUEUE("queue-missed", .page = page, .viewer = VIEWER_BUYER, .state = QUEUE_STATE_MISSED, .open = true,
          .place = 9, .until = NOW - 300 * SECONDS);
}

static void write_phases(void) {
    static const struct option_view areas[] = {{STR("x"), STR("Stalls <b>"), true},
                                               {STR("y"), STR("Pit"), false}};
    struct page_view page =
        page_at("/shows/019aa5be-33c5-7e64-9e0f-0f7b1c2d3e4f/phases", "mara@example.com", NULL);
    WRITE(phases, "phases", .page = page, .id = id, .title = str_of(titles[1]), .phases = {phases, 3},
          .announced = true, .per_user = STR("8"), .areas = {areas, 2}, .coded = true, .count = STR("x"),
          .count_error = STR("Must be a whole number from 1 to 1000"), .uses = STR("1"), .key = KEY);
    WRITE(codes, "codes", .page = page, .id = id, .title = str_of(titles[1]), .count = 2, .uses = 1,
          .codes = STR("7K2M-Q4ZD-0V9X-H3TB\nC1PN-8WYE-65RA-JG0S\n"));
    WRITE(phases, "phases-none", .page = page, .id = id, .title = str_of(titles[1]), .per_user = STR("8"));
    WRITE(phases, "phases-fixed", .page = page, .id = id, .title = str_of(titles[1]), .announced = true,
          .fixed = true);
    WRITE(phases, "phases-refused", .page = page, .id = id, .title = str_of(titles[1]), .per_user = STR("0"),
          .name = STR("Fans <b>"), .opens = STR("2027-06-01T20:00"),
          .opens_error = STR("Must be a date and a time, like 2027-06-01T20:00"),
          .closes_error = STR("Must be a date and a time, like 2027-06-01T20:00"), .areas = {areas, 2},
          .problem = STR("Phases: number 1 must not close before it opens."));
}

static void write_seats(void) {
    enum { ROWS = 12, SEATS = 22 };
    static struct seat_view seats[ROWS][SEATS];
    static struct seat_row_view rows[ROWS];
    static const char *const names[ROWS] = {"A", "B", "C", "D", "E",       "F",
                                            "G", "H", "J", "K", "Box <1>", "13"};
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < SEATS - r % 3; i++)
            seats[r][i] = (struct seat_view){.id = id,
                                             .number = i + 1,
                                             .free = (r * 7 + i * 5) % 4 != 1,
                                             .chosen = r == 3 && i > 5 && i < 8,
                                             .label = STR("Row <A>, seat 1")};
        rows[r] = (struct seat_row_view){str_of(names[r]), {seats[r], (size_t)(SEATS - r % 3)}};
    }
#define PLACES(name, ...)                                                                                    \
    WRITE(seats, name, .show_id = id, .here = STR("/shows/1/areas/2"), .show = str_of(titles[1]),            \
          .area = STR("Stalls <b>"), .price = dollars(6450), .left = STR("187 left"), .rows = {rows, ROWS},  \
          .most = 8, .key = KEY, __VA_ARGS__)
    PLACES("seats", .page = page_at("/shows/1/areas/2", "mara@example.com", NULL), .viewer = VIEWER_BUYER,
           .later = STR("/shows/1/areas/2?row=12"));
    PLACES("seats-refused", .page = page_at("/shows/1/areas/2", "mara@example.com", NULL),
           .viewer = VIEWER_BUYER, .earlier = STR("/shows/1/areas/2"),
           .problem = STR("Somebody was faster: one of these seats is taken now. Pick again."));
    PLACES("seats-accessible", .page = page_at("/shows/1/areas/2", "mara@example.com", NULL),
           .viewer = VIEWER_BUYER, .accessible = true, .needed = true);
    PLACES("seats-stranger", .page = page_at("/shows/1/areas/2", NULL, NULL));
    PLACES("seats-mine", .page = page_at("/shows/1/areas/2", "mara@example.com", NULL),
           .viewer = VIEWER_SELLER);
}

static void write_texts(void) {
    struct page_view page = page_at("/help", "mara@example.com", NULL);
    static const struct held_view holds[] = {
        {STR("/purchases/019aa5be-33c5-7e64-9e0f-0f7b1c2d3e40"), STR("Die <b>Zauberflöte</b>"),
         NOW + 807 * SECONDS, 14},
        {STR("/orders/019aa5be-33c5-7e64-9e0f-0f7b1c2d3e41"), STR(""), NOW + 899 * SECONDS, 15}};
    page.held = (struct held_list){holds, 2};
    WRITE(help, "help", .page = page);
    WRITE(terms, "terms", .page = page_at("/terms", NULL, NULL));
    WRITE(privacy, "privacy", .page = page_at("/privacy", NULL, NULL));
}

static void write_drafts(void) {
    static const struct draft_area_view areas[] = {{STR("Stalls <b>"), {6450, "USD"}, true, false, 1200},
                                                   {STR("Balcony"), {2950, "USD"}, false, true, 300}};
    struct page_view page = page_at("/shows/019aa5be-33c5-7e64-9e0f-0f7b1c2d3e4f", "mara@example.com", NULL);
    WRITE(show_form, "show-new", .page = page, .action = STR("/shows/new"), .currency = STR("USD"),
          .per_user = STR("8"), .key = KEY);
    WRITE(show_form, "show-new-refused", .page = page, .action = STR("/shows/new"),
          .title = str_of(titles[1]), .venue_error = STR("Must have 1 to 120 characters"),
          .starts = STR("2027-06-01T20:00"), .starts_error = STR("Must be in the future"),
          .zone = STR("Europe/<b>"), .zone_error = STR("Must be the name of a time zone, like Europe/Zurich"),
          .description = STR("One\n</textarea><b>two"),
          .description_error = STR("Must have at most 4000 characters"), .currency = STR("USD"),
          .per_user = STR("0"), .per_user_error = STR("Must be a whole number from 1 to 1000"), .key = KEY);
    WRITE(show_form, "show-edit-picture-refused", .page = page, .action = STR("/shows/1/edit"),
          .editing = true, .version = 3, .id = id, .cover = cover_of(&id, &arena),
          .picture_error = STR("Must have at most 10 MB."));
    WRITE(show_form, "show-edit", .page = page, .id = id, .cover = cover_of(&id, &arena),
          .action = STR("/shows/1/edit"), .editing = true, .version = 3, .title = str_of(titles[1]),
          .venue = STR("Opernhaus"), .city = STR("Zürich"), .starts = STR("2027-06-01T20:00"),
          .zone = STR("Europe/Zurich"), .currency = STR("CHF"), .per_user = STR("8"), .key = KEY);
#define DRAFT(name, ...)                                                                                     \
    WRITE(show_draft, name, .page = page, .id = id, .show = head(1), .symbol = STR("$"), .key = KEY,         \
          __VA_ARGS__)
    DRAFT("draft", .state = MAKING_STATE_EMPTY);
    DRAFT("draft-making", .state = MAKING_STATE_MAKING, .areas = {areas, 2}, .places = 1500, .known = 800);
    DRAFT("draft-ready", .state = MAKING_STATE_READY, .areas = {areas, 1}, .places = 1200, .known = 1200);
    DRAFT("draft-refused", .state = MAKING_STATE_MAKING, .areas = {areas, 2}, .places = 1500, .known = 800,
          .problem = STR("This show is not complete yet: 1212 of its 1500 places are made."),
          .name = STR("\"<b>"), .price_error = STR("Must be a price"), .rows = STR("A 1-20\nB"),
          .rows_error = STR("Line 2 must be a row and its seats, like A 1-20"), .count = STR("x"),
          .count_error = STR("Must be a whole number from 1 to 1000000"), .accessible = true);
}

/* --- what a seller sees of one --- */

static void write_sales(void) {
    enum { STEPS = 61 };
    struct sales_step_view steps[STEPS];
    int64_t begins[STEPS], sold = 0, held = 0, free_places = 1500;
    for (int i = 0; i < STEPS; i++) {
        int64_t placed = i == 0 ? 0 : 500 / (i * i / 9 + 3), paid = i < 2 ? 0 : 330 / (i * i / 12 + 3);
        int64_t returned = i > 15 ? i % 4 : 0;
        sold += paid;
        held += placed - paid - returned;
        free_places -= placed - returned;
        begins[i] = NOW + (i + 20 * (i > 45)) * 60 * SECONDS;
        steps[i] = (struct sales_step_view){.words = STR("Sat 21 Nov 2026, 10:39"),
                                            .placed = placed,
                                            .sold = paid,
                                            .returned = returned,
                                            .revenue = dollars(6450 * paid),
                                            .sold_so_far = sold,
                                            .held = held,
                                            .free = free_places};
    }
    struct sales sales = {.places = 1500,
                          .free = free_places,
                          .held = held,
                          .sold = sold,
                          .steps = {steps, STEPS},
                          .begins = begins};
    struct sales_area_view areas[] = {{STR("Stalls <b>"), sold - 150, held - 20,
                                       1200 - (sold - 150) - (held - 20), dollars(6450 * (sold - 150)),
                                       chart_part(0, sold - 150, 1200, &arena),
                                       chart_part(sold - 150, sold - 170 + held, 1200, &arena)},
                                      {STR("Balcony"), 150, 20, 130, dollars(2950 * 150),
                                       chart_part(0, 150, 300, &arena), chart_part(150, 170, 300, &arena)}};
    struct sales_chart_view chart;
    view_sales_charts(&sales, &arena, &chart);
    struct page_view page =
        page_at("/sell/shows/019aa5be-33c5-7e64-9e0f-0f7b1c2d3e4f", "mara@example.com", NULL);
    WRITE(sales, "sales", .page = page, .id = id, .title = str_of(titles[8]), .places = 1500, .sold = sold,
          .held = held, .free = free_places, .queued = true, .waiting = 4711, .revenue = dollars(6450 * sold),
          .areas = {areas, 2}, .steps = {steps, STEPS}, .chart = chart);
    WRITE(sales, "sales-none", .page = page, .id = id, .title = str_of(titles[9]), .per = SALES_PER_DAY,
          .revenue = dollars(0));
}
