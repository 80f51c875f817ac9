/* rights: gives Kafka's users the rights that FILE (schemas/rights.json) says, and takes away what it does
 * not.
 *
 *     rights FILE [PREFIX]
 *
 * A user is called PREFIX and its name in FILE; that it exists, and its password, is the operator's. The
 * brokers come from KAFKA_BROKERS, who asks them (somebody who may alter the cluster) from KAFKA_USER and the
 * other settings of kafka.h. New rights come before old ones go, so that no process that runs is without one.
 * Rights to deny, and those of users that FILE does not name, are left alone. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "kafka.h"

enum {
    TIMEOUT_MS = 60000,
    MAX_RIGHTS = 1024,
    TRANSACTIONAL_ID = 5, /* RD_KAFKA_RESOURCE_TRANSACTIONAL_ID, for which librdkafka 2.0 has no name */
};

struct rights {
    rd_kafka_AclBinding_t *list[MAX_RIGHTS];
    size_t n;
};

/* What each word of FILE allows on each of the names behind it, as a set of operations. */
#define MAY(operation) (1U << RD_KAFKA_ACL_OPERATION_##operation)
static const struct {
    const char *word;
    int resource;
    unsigned operations;
} words[] = {
    {"publishes", RD_KAFKA_RESOURCE_TOPIC, MAY(WRITE) | MAY(READ) | MAY(DESCRIBE_CONFIGS)},
    {"writes", RD_KAFKA_RESOURCE_TOPIC, MAY(WRITE)},
    {"reads", RD_KAFKA_RESOURCE_TOPIC, MAY(READ)},
    {"creates", RD_KAFKA_RESOURCE_TOPIC, MAY(CREATE)},
    {"groups", RD_KAFKA_RESOURCE_GROUP, MAY(READ)},
    {"resets", RD_KAFKA_RESOURCE_GROUP, MAY(DELETE)},
    {"transactions", TRANSACTIONAL_ID, MAY(WRITE)},
    {"cluster", RD_KAFKA_RESOURCE_BROKER, MAY(DESCRIBE_CONFIGS)},
};

/* --- what FILE says --- */

/* name may end with *: a prefix. */
static enum status add(struct rights *rights, const char *principal, int resource, const char *name,
                       rd_kafka_AclOperation_t operation, struct why *w) {
    char plain[256], text[256];
    size_t n = strlen(name);
    bool prefix = n > 0 && name[n - 1] == '*';
    if (n - prefix == 0 || n >= sizeof plain) return why(w, ST_INVALID, "\"%.60s\" is no name", name);
    if (rights->n == MAX_RIGHTS) return why(w, ST_INVALID, "more than %d rights", MAX_RIGHTS);
    memcpy(plain, name, n + 1);
    plain[n - prefix] = '\0';
    rd_kafka_AclBinding_t *right = rd_kafka_AclBinding_new(
        (rd_kafka_ResourceType_t)resource, plain,
        prefix ? RD_KAFKA_RESOURCE_PATTERN_PREFIXED : RD_KAFKA_RESOURCE_PATTERN_LITERAL, principal, "*",
        operation, RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, text, sizeof text);
    if (right == NULL) return why(w, ST_INVALID, "%s: %s", name, text);
    rights->list[rights->n++] = right;
    return ST_OK;
}

static enum status add_names(struct rights *rights, const char *principal, size_t word, json_t *names,
                             struct why *w) {
    json_t *name;
    size_t i;
    json_array_foreach(names, i, name) {
        if (!json_is_string(name)) return why(w, ST_INVALID, "%s: not a list of names", words[word].word);
        for (int operation = 0; operation < RD_KAFKA_ACL_OPERATION__CNT; operation++) {
            if ((words[word].operations & (1U << operation)) == 0) continue;
            enum status st = add(rights, principal, words[word].resource, json_string_value(name),
                                 (rd_kafka_AclOperation_t)operation, w);
            if (st != ST_OK) return st;
        }
    }
    return ST_OK;
}

static enum status read_user(json_t *user, const char *prefix, struct rights *rights, char *principal,
                             size_t size, struct why *w) {
    const char *name = json_string_value(json_object_get(user, "name"));
    if (name == NULL) return why(w, ST_INVALID, "a user has no name");
    snprintf(principal, size, "User:%s%s", prefix, name);
    enum status st = ST_OK;
    for (size_t i = 0; i < sizeof words / sizeof *words && st == ST_OK; i++)
        st = add_names(rights, principal, i, json_object_get(user, words[i].word), w);
    return st;
}

/* --- what Kafka has --- */

static rd_kafka_event_t *await(rd_kafka_queue_t *queue, struct why *w) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS + 1000);
    if (event != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR) return event;
    why(w, ST_LOST, "Kafka's answer: %s", event == NULL ? "none" : rd_kafka_event_error_string(event));
    rd_kafka_event_destroy(event);
    return NULL;
}

static enum status give(rd_kafka_t *rk, struct rights *rights, rd_kafka_queue_t *queue, struct why *w) {
    if (rights->n == 0) return ST_OK;
    rd_kafka_CreateAcls(rk, rights->list, rights->n, NULL, queue);
    rd_kafka_event_t *event = await(queue, w);
    if (event == NULL) return ST_LOST;
    size_t n;
    enum status st = ST_OK;
    const rd_kafka_acl_result_t **results =
        rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &n);
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        const rd_kafka_error_t *error = rd_kafka_acl_result_error(results[i]);
        if (error != NULL) st = why(w, ST_FAILED, "a right was refused: %s", rd_kafka_error_string(error));
    }
    rd_kafka_event_destroy(event);
    return st;
}

static bool same(const rd_kafka_AclBinding_t *a, const rd_kafka_AclBinding_t *b) {
    return rd_kafka_AclBinding_restype(a) == rd_kafka_AclBinding_restype(b) &&
           rd_kafka_AclBinding_resource_pattern_type(a) == rd_kafka_AclBinding_resource_pattern_type(b) &&
           rd_kafka_AclBinding_operation(a) == rd_kafka_AclBinding_operation(b) &&
           strcmp(rd_kafka_AclBinding_name(a), rd_kafka_AclBinding_name(b)) == 0 &&
           strcmp(rd_kafka_AclBinding_host(a), rd_kafka_AclBinding_host(b)) == 0;
}

static bool said(const struct rights *rights, const rd_kafka_AclBinding_t *right) {
    for (size_t i = 0; i < rights->n; i++)
        if (same(rights->list[i], right)) return true;
    return false;
}

static rd_kafka_AclBindingFilter_t *filter(const rd_kafka_AclBinding_t *right) {
    return rd_kafka_AclBindingFilter_new(
        rd_kafka_AclBinding_restype(right), rd_kafka_AclBinding_name(right),
        rd_kafka_AclBinding_resource_pattern_type(right), rd_kafka_AclBinding_principal(right),
        rd_kafka_AclBinding_host(right), rd_kafka_AclBinding_operation(right),
        rd_kafka_AclBinding_permission_type(right), NULL, 0);
}

static enum status take_away(rd_kafka_t *rk, struct rights *filters, rd_kafka_queue_t *queue, struct why *w) {
    if (filters->n == 0) return ST_OK;
    rd_kafka_DeleteAcls(rk, filters->list, filters->n, NULL, queue);
    rd_kafka_event_t *event = await(queue, w);
    if (event == NULL) return ST_LOST;
    size_t n;
    enum status st = ST_OK;
    const rd_kafka_DeleteAcls_result_response_t **responses =
        rd_kafka_DeleteAcls_result_responses(rd_kafka_event_DeleteAcls_result(event), &n);
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        const rd_kafka_error_t *error = rd_kafka_DeleteAcls_result_response_error(responses[i]);
        if (error != NULL) st = why(w, ST_FAILED, "a right stays: %s", rd_kafka_error_string(error));
    }
    rd_kafka_event_destroy(event);
    return st;
}

/* Those to allow that the principal has and FILE does not say, as filters. */
static enum status find_others(rd_kafka_t *rk, const char *principal, const struct rights *rights,
                               struct rights *others, rd_kafka_queue_t *queue, struct why *w) {
    rd_kafka_AclBindingFilter_t *all = rd_kafka_AclBindingFilter_new(
        RD_KAFKA_RESOURCE_ANY, NULL, RD_KAFKA_RESOURCE_PATTERN_ANY, principal, NULL,
        RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, NULL, 0);
    rd_kafka_DescribeAcls(rk, all, NULL, queue);
    rd_kafka_AclBinding_destroy(all);
    rd_kafka_event_t *event = await(queue, w);
    if (event == NULL) return ST_LOST;
    size_t n;
    const rd_kafka_AclBinding_t **found =
        rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(event), &n);
    for (size_t i = 0; i < n && others->n < MAX_RIGHTS; i++)
        if (!said(rights, found[i])) others->list[others->n++] = filter(found[i]);
    rd_kafka_event_destroy(event);
    return ST_OK;
}

static void forget(struct rights *rights) {
    rd_kafka_AclBinding_destroy_array(rights->list, rights->n);
    rights->n = 0;
}

static enum status settle(rd_kafka_t *rk, json_t *user, const char *prefix, rd_kafka_queue_t *queue,
                          struct why *w) {
    static struct rights rights, others;
    char principal[256];
    enum status st = read_user(user, prefix, &rights, principal, sizeof principal, w);
    if (st == ST_OK) st = give(rk, &rights, queue, w);
    if (st == ST_OK) st = find_others(rk, principal, &rights, &others, queue, w);
    if (st == ST_OK) st = take_away(rk, &others, queue, w);
    if (st == ST_OK) printf("%s has %zu rights, %zu others are taken away\n", principal, rights.n, others.n);
    forget(&rights);
    forget(&others);
    return st;
}

static enum status settle_all(const char *path, const char *prefix, const char *brokers, struct why *w) {
    static const struct kafka_property none[] = {{0}};
    json_error_t error;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *user;
    if (file == NULL) return why(w, ST_INVALID, "%s:%d: %s", path, error.line, error.text);
    rd_kafka_conf_t *conf = kafka_conf(brokers, none, w);
    rd_kafka_t *rk = conf != NULL ? kafka_client(RD_KAFKA_PRODUCER, conf, w) : NULL;
    enum status st = rk != NULL ? ST_OK : ST_INVALID;
    rd_kafka_queue_t *queue = rk != NULL ? rd_kafka_queue_new(rk) : NULL;
    size_t i;
    json_array_foreach(json_object_get(file, "users"), i, user) {
        if (st == ST_OK) st = settle(rk, user, prefix, queue, w);
    }
    if (queue != NULL) rd_kafka_queue_destroy(queue);
    if (rk != NULL) rd_kafka_destroy(rk);
    json_decref(file);
    return st;
}

int main(int argc, char **argv) {
    const char *brokers;
    const struct config_var address[] = {
        {"KAFKA_BROKERS", CONFIG_TEXT, &brokers, NULL, "HOST:PORT,... of Kafka", 0, 0}, {0}};
    const struct config_var *const tables[] = {address, kafka_settings};
    struct why why;
    if (argc < 2 || argc > 3) {
        fputs("usage: KAFKA_BROKERS=HOST:PORT,... rights FILE [PREFIX]\n", stderr);
        return EX_USAGE;
    }
    enum status st = config_load(tables, sizeof tables / sizeof *tables, &why);
    if (st == ST_OK) st = settle_all(argv[1], argc > 2 ? argv[2] : "", brokers, &why);
    if (st == ST_OK) return EX_OK;
    fprintf(stderr, "rights: %s\n", why.text);
    return st == ST_LOST ? EX_UNAVAILABLE : EX_CONFIG;
}
