#include "asking.h"

#include <string.h>

#include "answers.h"
#include "routes.h"

/* The end of an area's id is zero; there its tickets have their numbers. */
enum { NUMBER_BYTES = 3 };

struct asking {
    struct demand *demand;
    int slot;
    struct demand_key key;
    bool known; /* the show is */
    int places;
    enum demand_number became;
};

static void on_end(void *asking) {
    const struct asking *a = asking;
    if (a->known) demand_ask(a->demand, a->slot, &a->key, a->became, a->places);
}

/* '{ID,ID}' */
static int count_tickets(struct str list) {
    return (int)(list.n / (UUID_TEXT + 1));
}

struct uuid asking_area_of(const struct uuid *ticket) {
    struct uuid area = *ticket;
    memset(area.b + sizeof area.b - NUMBER_BYTES, 0, NUMBER_BYTES);
    return area;
}

static void read_area(struct str list, struct demand_key *key) {
    struct uuid first;
    key->has_area = uuid_parse((struct str){list.p + 1, UUID_TEXT}, &first);
    key->area = asking_area_of(&first);
}

struct asking *asking_begin(struct req *rq, const struct purchase_request *wanted) {
    const struct orders *service = req_service(rq);
    struct asking *a = req_alloc(rq, sizeof *a);
    *a = (struct asking){.demand = service->demand,
                         .slot = req_thread(rq),
                         .key = {.show = wanted->show,
                                 .area = wanted->area,
                                 .has_area = wanted->has_area,
                                 .client = demand_client_of(rq)},
                         .known = wanted->has_show,
                         .places = wanted->quantity,
                         .became = DEMAND_FAILED};
    if (wanted->tickets.n > 0) {
        a->places = count_tickets(wanted->tickets);
        read_area(wanted->tickets, &a->key);
    }
    req_at_end(rq, on_end, a);
    return a;
}

static const struct became {
    const char *verdict;
    enum demand_number became;
} verdicts[] = {
    {"placed", DEMAND_PLACED},
    {"repeated", DEMAND_REPEATED},
    {"again", DEMAND_FAILED}, /* if it stays so */
    {"spent", DEMAND_FAILED},
    {"sold", DEMAND_TAKEN},
    {"reserved", DEMAND_TAKEN},
    {"dearer", DEMAND_PRICE},
    {"limit", DEMAND_LIMIT},
    {"show limit", DEMAND_LIMIT},
    {"not open", DEMAND_NOT_OPEN},
    {"over", DEMAND_OVER},
    {"never sold", DEMAND_NOT_SOLD},
    {"queue required", DEMAND_QUEUE_REQUIRED},
    {"which area", DEMAND_AREA_REQUIRED},
    {"code required", DEMAND_CODE_REQUIRED},
    {"codes required", DEMAND_CODE_REQUIRED},
    {"code wrong", DEMAND_CODE_WRONG},
    {"code used", DEMAND_CODE_USED},
    {"crowded", DEMAND_CROWDED},
    {"lapsed ", DEMAND_LAPSED}, /* this and the next with numbers behind them (origins.h) */
    {"fewer ", DEMAND_FEWER},
};

/* Numbers may follow a word that ends with a space. */
static bool says(struct str verdict, struct str word) {
    if (word.p[word.n - 1] == ' ' && verdict.n > word.n) verdict.n = word.n;
    return str_eq(verdict, word);
}

static enum demand_number became_of(struct str verdict) {
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        if (says(verdict, str_of(verdicts[i].verdict))) return verdicts[i].became;
    return DEMAND_OTHER;
}

enum demand_number asking_none(int64_t left, int wanted) {
    return left == 0 ? DEMAND_SOLD_OUT : left < wanted ? DEMAND_TOO_FEW : DEMAND_NOT_TOGETHER;
}

void asking_judged(struct asking *a, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, VERDICT);
    bool no_such = str_eq(verdict, STR("missing")); /* anybody can make up an id */
    if (!row_null(rows, 0, ASKED_SHOW)) a->key.show = row_uuid(rows, 0, ASKED_SHOW);
    a->known = !no_such && !row_null(rows, 0, ASKED_SHOW);
    if (str_eq(verdict, STR("no area"))) a->key.has_area = false; /* as here */
    if (str_eq(verdict, STR("none")))
        a->became = asking_none(row_int(rows, 0, REMAINING), a->places);
    else
        a->became = became_of(verdict);
}

void asking_spent(struct asking *a, const struct rows *rows) {
    a->became = became_of(row_text(rows, 0, 1));
}
