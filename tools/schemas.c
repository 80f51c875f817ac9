/* schemas: registers the schema of every topic of ours, under TOPIC-value.
 *
 *     schemas
 *
 * The registry comes from SCHEMA_REGISTRY_URL, who asks it from SCHEMA_REGISTRY_USER and _PASSWORD. Waits up
 * to a minute for it. Publishers do the same when they start; here it is known before any of them does
 * whether the registry takes it: it refuses what readers of the topic could not read. One that is there
 * already stays as it is. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "clock.h"
#include "events.h"
#include "registry.h"

enum { TIMEOUT_MS = 60000, PAUSE_MS = 500 };

static enum status put(struct registry *registry, const struct topic *topic, int64_t until_us,
                       struct why *w) {
    int32_t id;
    struct why cause = {0};
    enum status st;
    while ((st = registry_register_topic(registry, topic, &id, &cause)) == ST_LOST &&
           clock_mono_us() < until_us)
        poll(NULL, 0, PAUSE_MS);
    if (st != ST_OK) return why(w, st, "%s-value: %.200s", topic->name, cause.text);
    printf("%s-value has id %d\n", topic->name, id);
    return ST_OK;
}

int main(int argc, char **argv) {
    (void)argv;
    const char *url;
    const struct config_var address[] = {
        {"SCHEMA_REGISTRY_URL", CONFIG_TEXT, &url, NULL, "http://HOST:PORT/...", 0, 0}, {0}};
    const struct config_var *const tables[] = {address, registry_settings};
    if (argc != 1) {
        fputs("usage: SCHEMA_REGISTRY_URL=http://HOST:PORT/... schemas\n", stderr);
        return EX_USAGE;
    }
    struct why w = {0};
    enum status st = config_load(tables, sizeof tables / sizeof *tables, &w);
    if (st != ST_OK) {
        fprintf(stderr, "schemas: %s\n", w.text);
        return EX_CONFIG;
    }
    int64_t until_us = clock_mono_us() + TIMEOUT_MS * INT64_C(1000);
    struct registry *registry = registry_new(url);
    for (int i = 0; event_topics[i] != NULL && st == ST_OK; i++)
        st = put(registry, event_topics[i], until_us, &w);
    registry_free(registry);
    if (st == ST_OK) return EX_OK;
    fprintf(stderr, "schemas: %s\n", w.text);
    return st == ST_LOST ? EX_UNAVAILABLE : EX_CONFIG;
}
