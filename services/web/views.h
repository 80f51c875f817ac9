/* views: turns the services' JSON into what the pages show. Texts stay in the JSON and are valid as long as
 * the request. A function returns false if the JSON is not as the API describes it. On the request's thread.
 */
#pragma once

#include <jansson.h>

#include "arena.h"
#include "templates.h"

struct ticket {
    struct ticket_card_view card;
    struct uuid seller, order, show; /* zero without one */
    bool place;                      /* of that show */
    struct str date;                 /* as the API has it; empty: none */
};

enum { PURCHASE_MOST = 8 }; /* orders */

struct order {
    struct uuid id;
    struct ticket_card_view ticket; /* as it was ordered; its state says nothing */
    enum order_state state;
    int64_t version, expires_at;
    struct uuid show; /* zero: none */
    /* Of a purchase of several orders, which live and die together. The ticket is then the first one, for the
     * price of all. */
    struct order_ticket_list tickets; /* none: it is one order */
    struct str seats;                 /* in words; empty: they have none */
};

bool view_ticket(const json_t *json, struct ticket *out);
bool view_order(const json_t *json, struct order *out);
bool view_purchase(const json_t *json, struct arena *arena, struct order *out);

/* The cards or rows of a list, in the arena. */
bool view_tickets(const json_t *json, struct arena *arena, struct ticket_card_list *out);
bool view_orders(const json_t *json, struct arena *arena, struct order_row_list *out);
bool view_purchases(const json_t *json, struct arena *arena, struct order_row_list *out);
bool view_shows(const json_t *json, int64_t now_us, struct arena *arena, struct show_card_list *out);
bool view_own_shows(const json_t *json, int64_t now_us, struct arena *arena, struct own_show_list *out);

/* How much is left of all places, and of how many that is said in words: "7 left", "Sold out". */
enum supply view_supply(int64_t free, int64_t places);
struct str view_left(int64_t free, struct arena *arena);

/* Whether a show is over. How long it lasts is not known: it counts as 12 hours. */
bool view_over(int64_t starts_at, int64_t now_us);

/* When places of a show are sold, and which ones. */
struct phase {
    const json_t *json; /* as the service has it */
    struct str name;
    int64_t opens_at, closes_at;
    const json_t *areas; /* their ids; NULL: all */
    int64_t per_user;
    bool queue, codes;
};

/* A show and its areas. */
struct show {
    struct uuid id, seller;
    struct show_head_view head;
    struct str currency; /* with a 0 behind it */
    enum show_state state;
    struct show_area_list areas;       /* to whoever buys */
    struct draft_area_list drafts;     /* the same to whoever sells */
    int64_t free, places, made, known; /* of all areas together */
    int64_t per_user;                  /* most places a person */
    int64_t version;
    const struct phase *phases; /* in the order of their times; none: it is sold once it is announced */
    size_t phase_count;
};
bool view_show(const json_t *json, struct arena *arena, struct show *out);
/* What a show sells at a moment. */
struct sale {
    enum sale_state state;
    const struct phase *phase; /* that is open, or opens next; NULL: neither */
};
struct sale view_sale(const struct show *show, int64_t now_us);
bool view_offers(const struct sale *sale, const struct uuid *area); /* to whoever can buy */
int64_t view_sale_changes(const struct show *show, int64_t now_us); /* when next; 0: no more */
/* Where somebody is in a queue, or what everybody may know of it. */
struct queue {
    enum queue_state state;
    bool open;
    int64_t place, serving, people;     /* place: 0 before the opening */
    int64_t estimate_s, left;           /* -1: not known */
    int64_t opens_at, closes_at, until; /* until: of a turn, or of an offer */
    int64_t want, waitlist; /* how many places he wants, his number on the waiting list; 0: none */
    bool sold_out;          /* what comes back is offered in order */
    struct str admission;   /* while it is his turn */
    int64_t challenge;      /* zero bits that who joins has to find; 0: none */
    struct str seed_hash;   /* of those numbers that are the same for all */
};
bool view_queue(const json_t *json, struct queue *out);
/* Whether somebody can buy: by a queue, while it is his turn. */
struct option_list view_quantities(int64_t most, struct str chosen,
                                   struct arena *arena); /* from 1 to `most` */
bool view_sells(const struct sale *sale, const struct queue *his);
struct phase_line_list view_phase_lines(const struct show *show, int64_t now_us, struct arena *arena);
struct str view_in(int64_t us, struct arena *arena); /* 2 days 3 h, 3 h 20 min, 12 min */
/* Tue 1 Jun 2027, 20:00: by the clocks of the zone. In UTC, which it then says, if the zone is not known. */
struct str view_local_time(struct str zone, int64_t unix_us, struct arena *arena);
/* A row of the map of an area's seats. */
bool view_seat_row(const json_t *json, const struct uuid *area, struct arena *arena,
                   struct seat_row_view *out);

/* The events of an order, or of a purchase of several by the first one's; what the last of them says of how
 * it ended, and the version it came to by it. */
bool view_history(const json_t *json, bool several, struct arena *arena, struct order_event_list *out,
                  enum order_state *state, int64_t *version);

/* What payments says of an order's charge. */
struct charge {
    enum charge_state {
        CHARGE_NONE,
        CHARGE_UNDER_WAY,
        CHARGE_TO_CONFIRM,
        CHARGE_FAILED,
        CHARGE_REFUNDED
    } state;
    struct str secret; /* to confirm it by Stripe's script, or */
    struct str url;    /* where to; empty: only by the script */
    bool waits;        /* in line, until its turn comes to be made */
    int64_t ahead, seconds;
};
struct charge view_charge(const json_t *charges);

bool view_time(const char *iso, int64_t *unix_us); /* 2026-11-21T10:39:31.123Z */
const char *view_symbol(const char *currency);     /* $; or the code itself */
