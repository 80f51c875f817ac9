/* settings: the settings that services have in common, chosen by what the service does. The main thread reads
 * them once; they never change, so any thread may read the struct. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "fetch.h"
#include "log.h"
#include "status.h"

struct service;

struct settings {
    const char *log_level_name;
    enum log_level log_level;
    const char *database_url, *owner_url, *replication_url;
    int64_t statement_timeout_ms, db_queue, db_batch;
    const char *brokers, *registry_url, *instance;
    int64_t unreadable_wait_ms;
    int64_t event_retention_ms, event_copies, watermark_ms, consumer_batch;
    const char *address;
    int64_t port, admin_port, threads, drain_delay_ms;
    int64_t session_ms;
    const char *jwks_url, *trusted_proxies, *cors_origins;
    const char *tls_cert, *tls_key, *tls_client_ca; /* of the API's port */
    struct fetch_tls inside;                        /* for calls to the other services */
    bool secure_cookies, core_dumps, cloudevents;
};

/* What a process is started for. */
enum run { RUN_SERVICE, RUN_MIGRATE, RUN_DEAD_LETTERS };

/* The settings that this needs; each call returns the same object. NULL: one of them is wrong, why says
 * which.
 */
const struct settings *settings_load(const struct service *service, enum run run, struct why *w);
void settings_help(const struct service *service, FILE *out);
