/* web: the pages. Server-rendered from templates that are C, out of what the services' APIs say. */
#include <sodium.h>

#include "demand.h"
#include "routes.h"
#include "service.h"

static struct web web;
static struct api_options apis;
static int64_t connections, timeout_ms;
static int64_t live_streams, live_of_address, live_of_session, live_items;

static const struct config_var web_config[] = {
    {"USERS_API", CONFIG_TEXT, &apis.urls[API_USERS], NULL, "Where the API of users is: http://HOST:PORT", 0,
     0},
    {"TICKETS_API", CONFIG_TEXT, &apis.urls[API_TICKETS], NULL, "Where the API of tickets is", 0, 0},
    {"ORDERS_API", CONFIG_TEXT, &apis.urls[API_ORDERS], NULL, "Where the API of orders is", 0, 0},
    {"PAYMENTS_API", CONFIG_TEXT, &apis.urls[API_PAYMENTS], "",
     "Where the API of payments is; without one, pages say that nothing can be paid", 0, 0},
    {"WAITING_API", CONFIG_TEXT, &apis.urls[API_WAITING], "",
     "Where the API of waiting is; without one, pages say that queues cannot be reached", 0, 0},
    {"API_TIMEOUT", CONFIG_DURATION, &timeout_ms, "3s",
     "How long a page waits for an API; five times as long for a change", 50, 60000},
    {"API_CONNECTIONS", CONFIG_INT, &connections, "256", "Most requests to the APIs at a time", 1, 10000},
    {"LIVE_STREAMS", CONFIG_INT, &live_streams, "10000", "Most pages that get changes as they happen", 1,
     1000000},
    {"LIVE_STREAMS_PER_ADDRESS", CONFIG_INT, &live_of_address, "1000",
     "Of these, most from an IPv4 address or IPv6 /64; 0: any number", 0, 1000000},
    {"LIVE_STREAMS_PER_SESSION", CONFIG_INT, &live_of_session, "30",
     "Of these, most of somebody who is signed in; 0: any number", 0, 1000000},
    {"LIVE_ITEMS", CONFIG_INT, &live_items, "100000",
     "Tickets and orders kept for pages that come back: those that changed last", 1, 100000000},
    {"CURRENCY", CONFIG_TEXT, &web.currency, "USD",
     "Currency of new tickets (ISO 4217, one with two decimals or none)", 0, 0},
    {"STRIPE_PUBLISHABLE_KEY", CONFIG_TEXT, &web.stripe_key, "",
     "Stripe's publishable key (pk_...), for its card form; without one, the sandbox's test cards are offered",
     0, 0},
    {"PASSKEY_ORIGIN", CONFIG_TEXT, &web.passkey_origin, "",
     "Where people find the site, as their browsers say it: https://HOST; empty: nobody signs in by a passkey",
     0, 0},
    {0},
};

static enum status start(const struct settings *settings, void **state, struct session_keys **keys,
                         struct why *w) {
    (void)keys;
    if (sodium_init() < 0) return why(w, ST_FAILED, "libsodium does not start");
    apis.connections = (int)connections;
    apis.timeout_ms = (int)timeout_ms;
    apis.tls = settings->inside;
    *state = &web;
    web.live = live_new(&(struct live_options){.brokers = settings->brokers,
                                               .registry_url = settings->registry_url,
                                               .threads = (int)settings->threads,
                                               .streams = (int)live_streams,
                                               .of_address = (int)live_of_address,
                                               .of_session = (int)live_of_session,
                                               .items = (int)live_items},
                        w);
    if (web.live == NULL) return ST_INVALID;
    web.api = api_start(&apis);
    web.demand = demand_new("web", (int)settings->threads);
    return ST_OK;
}

static void serving(void *state, struct http *http) {
    (void)state;
    live_start(web.live, web.api, http);
}

static void stop(void *state) {
    (void)state;
    live_stop(web.live);
    api_free(web.api);
}

static void tell_demand(struct teller *t, void *state) {
    (void)state;
    demand_tell(web.demand, t);
}

static const struct tell web_tells[] = {
    {&topic_demand, tell_demand},
    {0},
};

int main(int argc, char **argv) {
    return service_main(argc, argv,
                        &(struct service){
                            .name = "web",
                            .config = web_config,
                            .routes = web_routes,
                            .missing = send_missing,
                            .error_page = &web_error_page,
                            .compress = true,
                            .reads_topics = true,
                            .tells = web_tells,
                            .start = start,
                            .serving = serving,
                            .stop = stop,
                        });
}
