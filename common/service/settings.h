/* service_settings: the settings that services have in common, by what the service does. */
#pragma once

#include "log.h"
#include "service.h"

struct settings {
    const char *log_level_name;
    enum log_level log_level;
    const char *database_url;
    int64_t statement_timeout_ms, db_queue, db_batch;
    const char *brokers, *registry_url, *instance;
    int64_t event_retention_ms, consumer_batch;
    const char *address;
    int64_t port, admin_port, threads, drain_delay_ms;
    const char *jwks_url, *trusted_proxies;
    bool secure_cookies;
};

extern struct settings settings;

/* What a run needs, or only what migrating needs. A bad value ends the process (exit 78). */
void settings_load(const struct service *service, bool to_run);
void settings_help(const struct service *service, FILE *out);
/* Ends the process with one line on stderr. */
void settings_die(const struct service *service, int code, const char *text) __attribute__((noreturn));
