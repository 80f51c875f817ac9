/* waiting: the queues of shows: who comes in when, by an order that anybody can check. */
#include "admission.h"
#include "challenge.h"
#include "demand.h"
#include "lead.h"
#include "routes.h"
#include "service.h"

static struct waiting_service service;
static struct admission_keys *seeds;
static const char *key_files, *seed_files, *orders_url;

static const struct config_var config[] = {
    {"ADMIT_RATE", CONFIG_INT, &lead_rate_settings.most, "100",
     "Most people a second that come in to buy, from all queues; fewer when orders bears no more", 1, 100000},
    {"ADMIT_SLOW", CONFIG_DURATION, &lead_rate_settings.p99_ms, "150ms",
     "Fewer people come in when 1 of 100 orders takes longer than this", 1, 60000},
    {"STRIPE_RATE", CONFIG_INT, &lead_rate_settings.payments, "0",
     "Most requests to Stripe a second, over all replicas: payments beyond it wait in line; 0: no limit", 0,
     100000},
    {"ADMIT_TIME", CONFIG_DURATION, &lead_settings.time_ms, "10m",
     "How long somebody whose turn it is may buy; who has not by then has lost it", 1000, 86400000},
    {"OFFER_TIME", CONFIG_DURATION, &lead_settings.offer_ms, "10m",
     "How long somebody on the waiting list may take what he is offered; then it goes to the next", 1000,
     86400000},
    {"QUEUE_AHEAD", CONFIG_DURATION, &lead_settings.ahead_ms, "30d",
     "How long before its phase opens a queue can be joined; far less than the topic is kept", 0,
     INT64_C(60) * 86400 * 1000},
    {"QUEUE_CHALLENGE", CONFIG_INT, &challenge_bits, "0",
     "Work that joining a queue costs: zero bits that a hash must begin with; one more doubles it; 0: none",
     0, CHALLENGE_MOST},
    {"ORDERS_API", CONFIG_TEXT, &orders_url, NULL, "Where the API of orders is", 0, 0},
    {"WAITING_KEYS", CONFIG_TEXT, &key_files, NULL,
     "Files of 64 hexadecimal digits, separated by commas: the first signs admissions, all are accepted", 0,
     0},
    {"WAITING_SEED_KEYS", CONFIG_TEXT, &seed_files, NULL,
     "Files like those, which nobody else has: the first makes the seeds of new queues, any opens its own", 0,
     0},
    {0},
};

/* The keys stay until the end of the process: a thread that does not stop in time may still use them. */
static enum status start(const struct settings *settings, void **state, struct session_keys **keys,
                         struct why *w) {
    (void)keys;
    *state = &service;
    service.keys = admission_keys_open(key_files, w);
    seeds = service.keys == NULL ? NULL : admission_keys_open(seed_files, w);
    if (seeds == NULL) return ST_INVALID;
    service.demand = demand_new("waiting", (int)settings->threads + 1);
    service.waiting =
        waiting_new(seeds, &(struct demand_slot){service.demand, (int)settings->threads},
                    &(struct stream_options){.name = "waiting",
                                             .brokers = settings->brokers,
                                             .registry_url = settings->registry_url,
                                             .unreadable_wait_ms = settings->unreadable_wait_ms},
                    w);
    if (service.waiting == NULL) return ST_INVALID;
    service.spend = spend_start(orders_url, &settings->inside);
    return ST_OK;
}

static void stop(void *state) {
    (void)state;
    spend_free(service.spend);
}

static void *start_stream(const struct stream_options *options, struct why *w) {
    (void)options, (void)w;
    waiting_start(service.waiting);
    return service.waiting;
}

static const struct service_stream stream = {start_stream, waiting_ready, waiting_stop};

static void tell_demand(struct teller *t, void *state) {
    (void)state;
    demand_tell(service.demand, t);
}

static const struct tell tells[] = {
    {&topic_demand, tell_demand},
    {0},
};

int main(int argc, char **argv) {
    return service_main(argc, argv,
                        &(struct service){
                            .name = "waiting",
                            .config = config,
                            .routes = waiting_routes,
                            .stream = &stream,
                            .tells = tells,
                            .start = start,
                            .stop = stop,
                        });
}
