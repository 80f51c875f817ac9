/* service: the life of a service or stream process, from a table of wiring.
 *
 *     SERVICE            run until SIGTERM or SIGINT
 *     SERVICE migrate    bring the database up to date and exit (a stream has none)
 *     SERVICE --help     the settings
 *
 * SIGTERM: not ready -> stop accepting -> finish what is in flight -> publish what is committed -> exit,
 * within 10 s. */
#pragma once

#include "config.h"
#include "consumer.h"
#include "http.h"
#include "migrate.h"

/* A thread between topics, with no database and no API. */
struct stream {
    /* NULL: a Kafka property is wrong, why says which (exit 78). The texts outlive the stream. */
    void *(*start)(const char *name, const char *brokers, const char *registry_url, struct why *w);
    bool (*ready)(void *stream, struct why *w);
    void (*stop)(void *stream, int timeout_ms); /* and frees */
};

struct service {
    const char *name;
    const struct config_var *config;     /* its own settings, beside the common ones; may be NULL */
    const struct migration *migrations;  /* may be NULL */
    const struct sql *const *statements; /* NULL: no database */
    const struct route *routes;          /* NULL: no API */
    const struct topic *publishes; /* may be NULL */
    const char *event_table;
    const struct reaction *reactions; /* may be NULL */
    const struct stream *stream;      /* may be NULL */
    /* May be NULL. start is called before the HTTP threads start; it sets the service's own state
     * (req_service) and may set the session keys (auth does: it has its own; otherwise they come from
     * JWKS_URL). ST_INVALID: a setting is wrong (exit 78). stop is called when nothing is in flight any more;
     * req_resume may still be called until it returns. */
    enum status (*start)(void **state, struct session_keys **keys, struct why *w);
    void (*stop)(void *state);
};

int service_main(int argc, char **argv, const struct service *service);
