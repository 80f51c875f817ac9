/* stripe-sandbox: stands in for Stripe, in development and in tests. No part of a deployment. */
#include "control.h"
#include "queries.h"
#include "routes.h"
#include "service.h"
#include "webhooks.h"

static struct sandbox sandbox;

static const struct config_var sandbox_config[] = {
    {"SANDBOX_KEY", CONFIG_SECRET, &sandbox.secret_key, NULL,
     "The secret key that requests have to come with", 0, 0},
    {"SANDBOX_PUBLIC_URL", CONFIG_TEXT, &sandbox.objects.public_url, NULL,
     "Where browsers find this process, for the page of 3-D Secure", 0, 0},
    {"SANDBOX_WEBHOOK_URL", CONFIG_TEXT, &sandbox.webhook_url, "", "Where events are delivered to", 0, 0},
    {"SANDBOX_WEBHOOK_SECRET", CONFIG_SECRET, &sandbox.webhook_secret, "", "Secret that signs these events",
     0, 0},
    {0},
};

static enum status start(const struct settings *settings, void **state, struct session_keys **keys,
                         struct why *w) {
    (void)keys;
    sandbox.database_url = settings->database_url;
    faults_reset(&sandbox.faults);
    sandbox.keys = keys_new();
    sandbox.webhooks = webhooks_new(sandbox.database_url, &sandbox.faults);
    *state = &sandbox;
    enum status st = control_restore(&sandbox, w);
    if (st == ST_OK) webhooks_start(sandbox.webhooks);
    return st;
}

static void stop(void *state) {
    (void)state;
    webhooks_free(sandbox.webhooks);
    keys_free(sandbox.keys);
}

int main(int argc, char **argv) {
    return service_main(argc, argv,
                        &(struct service){
                            .name = "stripe-sandbox",
                            .config = sandbox_config,
                            .schema = &stripe_sandbox_schema,
                            .statements = stripe_sandbox_statements,
                            .routes = sandbox_routes,
                            .no_sessions = true,
                            .start = start,
                            .stop = stop,
                        });
}
