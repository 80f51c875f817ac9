/* orders: who holds which ticket, until when, and who bought it. */
#include "admission.h"
#include "asking.h"
#include "demand.h"
#include "events.h"
#include "queries.h"
#include "reactions.h"
#include "routes.h"
#include "service.h"

static struct orders orders;
static const char *key_files;

static const struct config_var orders_config[] = {
    {"HOLD_SECONDS", CONFIG_INT, &orders.hold_seconds, "900", "How long an order holds its ticket unpaid", 1,
     86400},
    {"PAYMENT_GRACE_SECONDS", CONFIG_INT, &orders.grace_seconds, "300",
     "How much longer, while a payment is under way", 0, 86400},
    {"MAX_HOLDS_PER_USER", CONFIG_INT, &orders.max_holds, "10",
     "Most tickets that a buyer holds unpaid at a time", 1, 1000},
    {"LAPSE_WAIT", CONFIG_DURATION, &orders.lapse_wait_ms, "1m",
     "How long a buyer waits who let a second hold of the same lapse, doubled each time up to an hour; 0: nobody "
     "waits, nor may hold fewer",
     0, 3600 * 1000},
    {"HOLDS_PER_ADDRESS", CONFIG_INT, &orders.network_most, "100",
     "Most tickets held unpaid from an IPv4 address or IPv6 /64; twice as many of a /56, four times of a /48; 0: "
     "any number",
     0, 1000000},
    {"WAITING_KEYS", CONFIG_TEXT, &key_files, NULL,
     "Files of 64 hexadecimal digits, separated by commas: the first signs admissions, all are accepted", 0,
     0},
    {0},
};

static enum status start(const struct settings *settings, void **state, struct session_keys **keys,
                         struct why *w) {
    (void)keys;
    *state = &orders;
    orders.threads = (int)settings->threads;
    orders.demand = demand_new("orders", orders.threads + 1);
    orders.load.instance = uuid_v7();
    orders.admissions = admission_keys_open(key_files, w);
    return orders.admissions == NULL ? ST_INVALID : ST_OK;
}

static void serving(void *state, struct http *http) {
    (void)state;
    orders.http = http;
}

static void stop(void *state) {
    (void)state;
    admission_keys_free(orders.admissions);
}

/* On the publisher's thread: a hold that ended unpaid. */
static void count_given_up(const void *event) {
    const struct order_event *e = event;
    if (e->type != ORDER_CANCELLED || !e->has_show_id || !e->has_reason) return;
    static const struct str reasons[] = {STR("buyer"), STR("expired"), STR("payment_failed")};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (str_eq(e->reason, reasons[i])) {
            const struct demand_key key = {.show = e->show_id,
                                           .area = asking_area_of(&e->ticket_id),
                                           .has_area = true,
                                           .client = DEMAND_CLIENT_NONE};
            demand_add(orders.demand, orders.threads, &key, DEMAND_GAVE_UP_PLACES, 1);
        }
}

static void tell_demand(struct teller *t, void *state) {
    (void)state;
    demand_tell(orders.demand, t);
}

static const struct tell orders_tells[] = {
    {&topic_demand, tell_demand},
    {&topic_load, load_tell},
    {0},
};

static const struct publisher_log orders_logs[] = {
    {.table = "order_events", .topic = &topic_orders, .sent = count_given_up},
    {.table = "stock_events", .topic = &topic_stock},
    {0},
};

int main(int argc, char **argv) {
    return service_main(argc, argv,
                        &(struct service){
                            .name = "orders",
                            .config = orders_config,
                            .schema = &orders_schema,
                            .statements = orders_statements,
                            .routes = orders_routes,
                            .publishes = orders_logs,
                            .audit = &topic_orders_audit,
                            .tells = orders_tells,
                            .reactions = orders_reactions,
                            .gather_ms = 20,
                            .start = start,
                            .serving = serving,
                            .stop = stop,
                        });
}
