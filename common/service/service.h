/* service: runs the process of a service or stream, from start to end, as a table describes it. The main
 * thread.
 *
 *     SERVICE            run until SIGTERM or SIGINT
 *     SERVICE migrate    bring the database up to date and exit (a stream has none)
 *     SERVICE dead-letters [--apply]   show the records that could not be read; apply them (one that reacts)
 *     SERVICE --help     the settings
 *
 * SIGTERM: not ready -> stop accepting -> finish what is in flight -> publish what is committed -> exit,
 * within 10 s. */
#pragma once

#include "config.h"
#include "consumer.h"
#include "http.h"
#include "migrate.h"
#include "publisher.h"
#include "settings.h"
#include "teller.h"

struct stream_options {
    const char *name;
    const char *brokers, *registry_url;
    const char *instance;       /* as in group_options */
    int64_t unreadable_wait_ms; /* the patience of wire.h */
};

/* How the process starts and ends a stream: a thread that reads and writes topics, with no database and no
 * API (stream.h). */
struct service_stream {
    /* NULL: a Kafka property is wrong, why says which (exit 78). The texts outlive the stream. */
    void *(*start)(const struct stream_options *options, struct why *w);
    bool (*ready)(void *stream, struct why *w);
    void (*stop)(void *stream, int timeout_ms); /* and frees */
};

struct service {
    const char *name;
    const struct config_var *config;     /* its own settings, beside the common ones; may be NULL */
    const struct migrate_set *schema;    /* may be NULL */
    const struct sql *const *statements; /* NULL: no database */
    const struct route *routes;          /* NULL: no API */
    req_handler *missing;                /* these five: as in http_options */
    const struct http_error_page *error_page;
    bool compress;
    size_t large_body;
    http_lead_back *lead_back;
    bool no_sessions;                      /* no routes for users who are signed in: no JWKS_URL */
    const struct publisher_log *publishes; /* ends with {0}; may be NULL */
    const struct topic *audit;             /* as in publisher_options; may be NULL */
    const struct tell *tells; /* ends with {0}; may be NULL: what it says once a second, of the state */
    const struct reaction *reactions;    /* may be NULL */
    int gather_ms;                       /* as in consumer_options */
    const struct service_stream *stream; /* may be NULL */
    bool reads_topics;                   /* by itself: it has the settings of Kafka */
    /* May be NULL. start is called before the HTTP threads start; it sets the service's own state
     * (req_service) and may set the session keys (a service that signs sessions has its own; otherwise they
     * come from JWKS_URL). ST_INVALID: a setting is wrong (exit 78). stop is called when nothing is in flight
     * any more; req_resume may still be called until it returns. */
    enum status (*start)(const struct settings *settings, void **state, struct session_keys **keys,
                         struct why *w);
    void (*serving)(void *state,
                    struct http *http); /* may be NULL: the HTTP threads are there, until stop returns */
    void (*stop)(void *state);
};

int service_main(int argc, char **argv, const struct service *service);
