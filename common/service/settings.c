#include "settings.h"

#include <assert.h>

#include "cors.h"
#include "kafka.h"
#include "proxies.h"
#include "registry.h"
#include "service.h"
#include "tls.h"

static struct settings settings;

static const struct config_var base[] = {
    {"LOG_LEVEL", CONFIG_TEXT, &settings.log_level_name, "info",
     "debug, info, warn or error; request lines are info", 0, 0},
    {0},
};

static const struct config_var running[] = {
    {"CORE_DUMPS", CONFIG_BOOL, &settings.core_dumps, "false",
     "Whether a crash may leave the memory on the disk, keys and secrets in it, and a debugger attach", 0, 0},
    {"HTTP_ADDRESS", CONFIG_TEXT, &settings.address, "127.0.0.1",
     "IP address to listen on, also for the admin port", 0, 0},
    {"ADMIN_PORT", CONFIG_INT, &settings.admin_port, NULL, "Port of /healthz, /readyz and /metrics", 1,
     65535},
    {0},
};

static const struct config_var serving[] = {
    {"HTTP_PORT", CONFIG_INT, &settings.port, NULL, "Port of the API", 1, 65535},
    {"HTTP_THREADS", CONFIG_INT, &settings.threads, "1",
     "Threads that serve requests, each with two database connections", 1, 64},
    {"TRUSTED_PROXIES", CONFIG_TEXT, &settings.trusted_proxies, "",
     "Addresses or blocks (10.0.0.0/8, ...) whose X-Forwarded-For is believed", 0, 0},
    {"HTTP_TLS_CERT", CONFIG_TEXT, &settings.tls_cert, "",
     "File of the certificate that the API's port shows (PEM, with those between): it speaks TLS then, and no other",
     0, 0},
    {"HTTP_TLS_KEY", CONFIG_TEXT, &settings.tls_key, "", "File of that certificate's key", 0, 0},
    {"HTTP_TLS_CLIENT_CA", CONFIG_TEXT, &settings.tls_client_ca, "",
     "File of the authorities of which clients of that port must have a certificate; empty: they need none",
     0, 0},
    {"DRAIN_DELAY", CONFIG_DURATION, &settings.drain_delay_ms, "0",
     "On SIGTERM: from not ready to not accepting, for balancers to notice", 0, 3000},
    {0},
};

static const struct config_var sessions[] = {
    {"JWKS_URL", CONFIG_TEXT, &settings.jwks_url, "",
     "URL of the keys by which sessions are verified: a JWKS", 0, 0},
    {"INTERNAL_TLS_CA", CONFIG_TEXT, &settings.inside.ca, "",
     "File of the authorities of our own services, where JWKS_URL and the *_API are https; empty: the system's",
     0, 0},
    {"INTERNAL_TLS_CERT", CONFIG_TEXT, &settings.inside.cert, "",
     "File of the certificate that is shown to them (PEM, with those between)", 0, 0},
    {"INTERNAL_TLS_KEY", CONFIG_TEXT, &settings.inside.key, "", "File of that certificate's key", 0, 0},
    {"SESSION_TTL", CONFIG_DURATION, &settings.session_ms, "12h",
     "How long a session lives: auth signs them for so long, all read back so far which have ended", 1000,
     INT64_C(604800000)},
    {"SECURE_COOKIES", CONFIG_BOOL, &settings.secure_cookies, "true",
     "Whether we are reached by https: Secure cookies with `__Host-` names, and browsers use https alone", 0,
     0},
    {0},
};

/* Not of pages: whoever is signed in there has a cookie. */
static const struct config_var shared[] = {
    {"CORS_ORIGINS", CONFIG_TEXT, &settings.cors_origins, "",
     "Other origins (https://HOST, ...) whose pages may call the API from a browser", 0, 0},
    {0},
};

static const struct config_var database[] = {
    {"DATABASE_URL", CONFIG_SECRET, &settings.database_url, NULL,
     "postgresql://USER:PASSWORD@HOST:PORT/NAME; without REPLICATION_DATABASE_URL the role needs REPLICATION",
     0, 0},
    {0},
};

static const struct config_var migrating[] = {
    {"OWNER_DATABASE_URL", CONFIG_SECRET, &settings.owner_url, "",
     "For migrate alone: the same of the role that owns the database; DATABASE_URL's then only reads and writes",
     0, 0},
    {0},
};

static const struct config_var querying[] = {
    {"STATEMENT_TIMEOUT", CONFIG_DURATION, &settings.statement_timeout_ms, "5s",
     "Longest a request's statement may take", 1, 600000},
    {"DB_QUEUE", CONFIG_INT, &settings.db_queue, "10000",
     "Items a thread lets wait for the database; more are answered 503", 1, 1000000},
    {"DB_BATCH", CONFIG_INT, &settings.db_batch, "500", "Most items of one statement's execution", 1, 10000},
    {0},
};

static const struct config_var kafka[] = {
    {"KAFKA_BROKERS", CONFIG_TEXT, &settings.brokers, NULL,
     "HOST:PORT,... of Kafka; any librdkafka property by RDKAFKA_*", 0, 0},
    {0},
};

static const struct config_var reading[] = {
    {"SCHEMA_REGISTRY_URL", CONFIG_TEXT, &settings.registry_url, NULL,
     "Base of the schema registry's Confluent API", 0, 0},
    {0},
};

static const struct config_var joining[] = {
    {"INSTANCE_ID", CONFIG_TEXT, &settings.instance, "",
     "Name of this instance alone; if it is the same after a crash, its partitions come back at once", 0, 0},
    {"UNREADABLE_WAIT", CONFIG_DURATION, &settings.unreadable_wait_ms, "15m",
     "How long a record waits that a newer version, or the registry, may make readable", 0, 86400000},
    {0},
};

static const struct config_var publishing[] = {
    {"REPLICATION_DATABASE_URL", CONFIG_SECRET, &settings.replication_url, "",
     "The same of the role that reads the event log as it is written, and no table; empty: DATABASE_URL's does",
     0, 0},
    {"EVENT_RETENTION", CONFIG_DURATION, &settings.event_retention_ms, "30d",
     "How long published events stay in the database", 60000, INT64_C(315360000000)},
    {"EVENT_COPIES", CONFIG_INT, &settings.event_copies, "2",
     "Copies that Kafka has to have of an event before it counts as published; where it needs fewer, a log line says so",
     1, 10},
    {"WATERMARK_INTERVAL", CONFIG_DURATION, &settings.watermark_ms, "1s",
     "How often the topic watermarks is told up to which time all is published: a record for each partition",
     1000, 60000},
    {"CLOUDEVENTS", CONFIG_BOOL, &settings.cloudevents, "false",
     "Whether events have the headers of CloudEvents, too (ce_id, ce_type, ...)", 0, 0},
    {0},
};

static const struct config_var consuming[] = {
    {"CONSUMER_BATCH", CONFIG_INT, &settings.consumer_batch, "500", "Most records of one transaction", 1,
     10000},
    {0},
};

enum { MAX_TABLES = 16 }; /* all tables, for a service that needs each */

static size_t choose(const struct service *s, enum run run, const struct config_var **tables) {
    size_t n = 0;
    bool to_run = run == RUN_SERVICE;
    bool has_database = s->statements != NULL || s->schema != NULL;
    if (to_run) tables[n++] = s->config;
    if (to_run) tables[n++] = running;
    if (to_run && s->routes != NULL) tables[n++] = serving;
    if (to_run && s->routes != NULL && !s->no_sessions) tables[n++] = sessions;
    if (to_run && s->routes != NULL && !s->no_sessions && s->error_page == NULL) tables[n++] = shared;
    if (has_database) tables[n++] = database;
    if (has_database && run != RUN_DEAD_LETTERS && s->schema != NULL) tables[n++] = migrating;
    if (has_database && to_run) tables[n++] = querying;
    bool has_kafka = s->publishes != NULL || s->reactions != NULL || s->stream != NULL || s->reads_topics ||
                     s->tells != NULL || (s->routes != NULL && !s->no_sessions);
    if (to_run && has_kafka) tables[n++] = kafka;
    if (to_run && has_kafka) tables[n++] = kafka_settings;
    if (run == RUN_DEAD_LETTERS || (to_run && has_kafka)) tables[n++] = reading;
    if (run == RUN_DEAD_LETTERS || (to_run && has_kafka)) tables[n++] = registry_settings;
    if (to_run && (s->reactions != NULL || s->stream != NULL)) tables[n++] = joining;
    if (to_run && s->publishes != NULL) tables[n++] = publishing;
    if (to_run && s->reactions != NULL) tables[n++] = consuming;
    tables[n++] = base;
    assert(n <= MAX_TABLES);
    return n;
}

static enum status check(struct why *w) {
    if (!log_level_parse(settings.log_level_name, &settings.log_level))
        return why(w, ST_INVALID, "LOG_LEVEL: must be debug, info, warn or error, got \"%s\"",
                   settings.log_level_name);
    struct proxies proxies;
    struct why reason;
    if (proxies_parse(settings.trusted_proxies, &proxies, &reason) != ST_OK)
        return why(w, ST_INVALID, "TRUSTED_PROXIES: %.200s", reason.text);
    proxies_free(&proxies);
    struct cors cors;
    if (cors_parse(settings.cors_origins, &cors, &reason) != ST_OK)
        return why(w, ST_INVALID, "CORS_ORIGINS: %.200s", reason.text);
    cors_free(&cors);
    const struct tls_files inside = {settings.inside.cert, settings.inside.key, settings.inside.ca};
    if (tls_check_client(&inside, &reason) != ST_OK)
        return why(w, ST_INVALID, "INTERNAL_TLS_*: %.200s", reason.text);
    return ST_OK;
}

const struct settings *settings_load(const struct service *service, enum run run, struct why *w) {
    const struct config_var *tables[MAX_TABLES];
    if (config_load(tables, choose(service, run, tables), w) != ST_OK || check(w) != ST_OK) return NULL;
    return &settings;
}

void settings_help(const struct service *service, FILE *out) {
    const struct config_var *tables[MAX_TABLES];
    config_help(out, tables, choose(service, RUN_SERVICE, tables));
}
