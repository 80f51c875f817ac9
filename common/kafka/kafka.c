#include "kafka.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "priv/kafka_login.h"

#define ENV_PREFIX "RDKAFKA_"
enum { PROPERTY_MAX = 128 };

/* Our defaults: the caller and the environment may set others. */
static const struct kafka_property defaults[] = {
    {"socket.nagle.disable", "true",
     KAFKA_DEFAULT}, /* a small request must not wait for the ACK of the one before */
    {"socket.keepalive.enable", "true", KAFKA_DEFAULT},
    /* A broker that comes back is found within a second; librdkafka's own default grows to ten. */
    {"reconnect.backoff.max.ms", "1000", KAFKA_DEFAULT},
    {0},
};

/* librdkafka has syslog's levels. Its errors (3) are lost connections and the like, from which it recovers by
 * itself: a warning. */
static enum log_level level_of(int syslog_level, const char *facility) {
    /* One environment serves producers and consumers: that a property of the other kind is ignored is no
     * news. */
    if (strcmp(facility, "CONFWARN") == 0) return LOG_DEBUG;
    if (syslog_level <= 2) return LOG_ERROR;
    if (syslog_level <= 4) return LOG_WARN;
    return syslog_level <= 6 ? LOG_INFO : LOG_DEBUG;
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text) {
    (void)rk;
    log_at(level_of(level, facility), "kafka", "%s: %s", facility, text);
}

void kafka_fatal(rd_kafka_t *rk) {
    char text[512];
    rd_kafka_resp_err_t cause = rd_kafka_fatal_error(rk, text, sizeof text);
    const char *hint = cause == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID
                           ? "; another process has our INSTANCE_ID, each needs its own"
                           : "";
    log_error("kafka", "%s is beyond repair, ending the process: %s: %s%s", rd_kafka_name(rk),
              rd_kafka_err2name(cause), text, hint);
    _exit(EX_SOFTWARE);
}

static void on_error_but_fatal(rd_kafka_t *rk, int code, const char *reason, void *opaque) {
    (void)rk, (void)opaque;
    if (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__FATAL)
        return; /* its log has said it */
    log_warn("kafka", "%s: %s", rd_kafka_err2name(code), reason);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque) {
    on_error_but_fatal(rk, code, reason, opaque);
    if (code == RD_KAFKA_RESP_ERR__FATAL) kafka_fatal(rk);
}

static enum status set(rd_kafka_conf_t *conf, const char *name, const char *value, struct why *w) {
    struct why reason;
    if (rd_kafka_conf_set(conf, name, value, reason.text, sizeof reason.text) == RD_KAFKA_CONF_OK)
        return ST_OK;
    return why(w, ST_INVALID, "Kafka property %s: %s", name, reason.text);
}

static enum status set_all(rd_kafka_conf_t *conf, const struct kafka_property *properties, struct why *w) {
    for (; properties->name != NULL; properties++) {
        enum status st = set(conf, properties->name, properties->value, w);
        if (st != ST_OK) return st;
    }
    return ST_OK;
}

static bool is_known(const rd_kafka_conf_t *conf, const char *property) {
    size_t size = 0;
    return rd_kafka_conf_get(conf, property, NULL, &size) == RD_KAFKA_CONF_OK;
}

/* "sasl.password.file": what is in the file. Newer versions of librdkafka have properties that end like this.
 */
static enum status set_value(rd_kafka_conf_t *conf, char *property, const char *value, struct why *w) {
    char *suffix = strrchr(property, '.');
    if (suffix == NULL || strcmp(suffix, ".file") != 0 || is_known(conf, property))
        return set(conf, property, value, w);
    struct why reason;
    const char *secret = config_read_secret(value, &reason);
    if (secret == NULL) return why(w, ST_INVALID, "Kafka property %s: %s", property, reason.text);
    *suffix = '\0';
    enum status st = set(conf, property, secret, w);
    free((char *)secret);
    return st;
}

/* "RDKAFKA_SECURITY_PROTOCOL" -> "security.protocol". */
static enum status set_from_variable(rd_kafka_conf_t *conf, const char *variable, struct why *w) {
    const char *name = variable + strlen(ENV_PREFIX), *equals = strchr(name, '=');
    char property[PROPERTY_MAX];
    if (equals == NULL || (size_t)(equals - name) >= sizeof property)
        return why(w, ST_INVALID, "%.60s...: no Kafka property has such a name", variable);
    size_t n = (size_t)(equals - name);
    for (size_t i = 0; i < n; i++)
        property[i] = (char)(name[i] == '_' ? '.' : tolower((unsigned char)name[i]));
    property[n] = 0;
    return set_value(conf, property, equals + 1, w);
}

static enum status set_environment(rd_kafka_conf_t *conf, struct why *w) {
    for (char **variable = environ; *variable != NULL; variable++) {
        if (strncmp(*variable, ENV_PREFIX, strlen(ENV_PREFIX)) != 0) continue;
        enum status st = set_from_variable(conf, *variable, w);
        if (st != ST_OK) return st;
    }
    return ST_OK;
}

static void get(const rd_kafka_conf_t *conf, const char *name, char value[PROPERTY_MAX]) {
    size_t size = PROPERTY_MAX;
    if (rd_kafka_conf_get(conf, name, value, &size) != RD_KAFKA_CONF_OK) value[0] = 0;
}

/* Sets what the environment says. Where that changes a property that is not for it, by whichever of its names
 * (acks is also request.required.acks), it is refused, or ours is set again: so the effective values are
 * compared, not the variables' names. */
static enum status set_environment_by_rules(rd_kafka_conf_t *conf, const struct kafka_property *properties,
                                            struct why *w) {
    rd_kafka_conf_t *before = rd_kafka_conf_dup(conf);
    enum status st = set_environment(conf, w);
    for (; st == ST_OK && properties->name != NULL; properties++) {
        char ours[PROPERTY_MAX], theirs[PROPERTY_MAX];
        get(before, properties->name, ours);
        get(conf, properties->name, theirs);
        if (properties->rule == KAFKA_DEFAULT || strcmp(ours, theirs) == 0) continue;
        st = properties->rule == KAFKA_KEPT
                 ? set(conf, properties->name, ours, w)
                 : why(w, ST_INVALID,
                       "Kafka property %s must stay %s: unset the " ENV_PREFIX " variable that says %s",
                       properties->name, ours, theirs);
    }
    rd_kafka_conf_destroy(before);
    return st;
}

rd_kafka_conf_t *kafka_conf(const char *brokers, const struct kafka_property *properties, struct why *w) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    const struct kafka_property address[] = {{"bootstrap.servers", brokers, KAFKA_FIXED}, {0}};
    struct kafka_property login[KAFKA_LOGIN_MAX + 1];
    if (kafka_login_properties(login, w) == ST_OK && set_all(conf, address, w) == ST_OK &&
        set_all(conf, defaults, w) == ST_OK && set_all(conf, login, w) == ST_OK &&
        set_all(conf, properties, w) == ST_OK && set_environment_by_rules(conf, properties, w) == ST_OK)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

void kafka_outlive(rd_kafka_conf_t *conf) {
    rd_kafka_conf_set_error_cb(conf, on_error_but_fatal);
}

rd_kafka_t *kafka_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct why *w) {
    struct why reason;
    rd_kafka_t *rk = rd_kafka_new(type, conf, reason.text, sizeof reason.text);
    if (rk != NULL) return rk;
    rd_kafka_conf_destroy(conf); /* rd_kafka_new takes it only when it succeeds */
    why(w, ST_FAILED, "cannot make a Kafka client: %.200s", reason.text);
    return NULL;
}
