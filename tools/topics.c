/* topics: creates the topics that FILE (schemas/avro/topics.json) describes, where they are missing.
 *
 *     topics FILE
 *
 * The brokers come from KAFKA_BROKERS, who asks them from KAFKA_USER and the other settings of kafka.h, any
 * librdkafka property from the environment. Waits up to a
 * minute for the brokers. A topic that exists stays as it is: another number of partitions would break the
 * order per key, and its config is the operator's by then. How many replicas: the cluster's default. A
 * min.insync.replicas that would not let one of them be away is lowered to one that does; where Kafka does
 * not say how many there are, it is left out. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "kafka.h"
#include "kafka_config.h"

static const char INSYNC[] = "min.insync.replicas";

enum {
    MAX_TOPICS = 64,
    TIMEOUT_MS = 60000,
    DEFAULT_REPLICAS = -1,
};

struct topics {
    rd_kafka_NewTopic_t *list[MAX_TOPICS];
    int insync[MAX_TOPICS]; /* min.insync.replicas of each; 0: the cluster's default */
    size_t n;
};

static enum status set_config(struct topics *topics, size_t i, json_t *config, struct why *w) {
    const char *name;
    json_t *value;
    json_object_foreach(config, name, value) {
        if (!json_is_string(value)) return why(w, ST_INVALID, "the config %s is not a text", name);
        if (strcmp(name, INSYNC) == 0)
            topics->insync[i] =
                (int)strtol(json_string_value(value), NULL, 10); /* set when the replicas are known */
        else if (rd_kafka_NewTopic_set_config(topics->list[i], name, json_string_value(value)) !=
                 RD_KAFKA_RESP_ERR_NO_ERROR)
            return why(w, ST_INVALID, "the config %s is not valid", name);
    }
    return ST_OK;
}

/* That each topic will have; -1: Kafka does not say. */
static enum status default_replicas(rd_kafka_t *rk, int *replicas, struct why *w) {
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, NULL, &metadata, TIMEOUT_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return why(w, ST_LOST, "no answer from the brokers: %s", rd_kafka_err2str(err));
    char broker[16];
    snprintf(broker, sizeof broker, "%d", metadata->broker_cnt > 0 ? metadata->brokers[0].id : 0);
    rd_kafka_metadata_destroy(metadata);
    *replicas =
        kafka_config_int(rk, RD_KAFKA_RESOURCE_BROKER, broker, "default.replication.factor", TIMEOUT_MS);
    return ST_OK;
}

static enum status set_insync(struct topics *topics, rd_kafka_t *rk, struct why *w) {
    int replicas = -1;
    enum status st = default_replicas(rk, &replicas, w);
    if (st != ST_OK || replicas < 0) return st;
    int most = replicas > 1 ? replicas - 1 : 1;
    for (size_t i = 0; i < topics->n; i++) {
        char text[16];
        if (topics->insync[i] == 0) continue;
        snprintf(text, sizeof text, "%d", topics->insync[i] < most ? topics->insync[i] : most);
        rd_kafka_NewTopic_set_config(topics->list[i], INSYNC, text);
    }
    return ST_OK;
}

static enum status add_topic(struct topics *topics, json_t *described, struct why *w) {
    const char *name;
    int partitions;
    json_error_t error;
    if (json_unpack_ex(described, &error, 0, "{s:s, s:i}", "name", &name, "partitions", &partitions) != 0)
        return why(w, ST_INVALID, "topic %zu: %s", topics->n + 1, error.text);
    if (topics->n == MAX_TOPICS) return why(w, ST_INVALID, "more than %d topics", MAX_TOPICS);

    char text[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, DEFAULT_REPLICAS, text, sizeof text);
    if (topic == NULL) return why(w, ST_INVALID, "topic %s: %s", name, text);
    topics->list[topics->n++] = topic;
    return set_config(topics, topics->n - 1, json_object_get(described, "config"), w);
}

static enum status add_topics(struct topics *topics, json_t *described, struct why *w) {
    json_t *one;
    size_t i;
    json_array_foreach(described, i, one) {
        enum status st = add_topic(topics, one, w);
        if (st != ST_OK) return st;
    }
    return ST_OK;
}

static enum status read_topics(const char *path, struct topics *topics, struct why *w) {
    json_error_t error;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (file == NULL) return why(w, ST_INVALID, "%s:%d: %s", path, error.line, error.text);
    enum status st = add_topics(topics, json_object_get(file, "topics"), w);
    if (st == ST_OK) st = add_topics(topics, json_object_get(file, "internal"), w);
    json_decref(file);
    if (st == ST_OK && topics->n == 0) return why(w, ST_INVALID, "%s describes no topics", path);
    return st;
}

/* Says what became of each; a topic that exists is fine. */
static enum status check(rd_kafka_event_t *event, struct why *w) {
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return why(w, ST_LOST, "no answer from the brokers: %s", rd_kafka_event_error_string(event));
    size_t n;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        const char *name = rd_kafka_topic_result_name(results[i]);
        rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
            printf("created %s\n", name);
        else if (error != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            return why(w, ST_INVALID, "topic %s: %s", name, rd_kafka_topic_result_error_string(results[i]));
    }
    return ST_OK;
}

static enum status create(rd_kafka_t *rk, struct topics *topics, struct why *w) {
    char text[256];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, TIMEOUT_MS, text, sizeof text);
    rd_kafka_AdminOptions_set_operation_timeout(options, TIMEOUT_MS, text, sizeof text);
    rd_kafka_CreateTopics(rk, topics->list, topics->n, options, queue);

    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, -1);
    enum status st = check(event, w);
    rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return st;
}

static enum status run(const char *path, const char *brokers, struct why *w) {
    static const struct kafka_property none[] = {{0}};
    struct topics topics = {.n = 0};
    enum status st = read_topics(path, &topics, w);
    rd_kafka_conf_t *conf = st == ST_OK ? kafka_conf(brokers, none, w) : NULL;
    rd_kafka_t *rk = conf != NULL ? kafka_client(RD_KAFKA_PRODUCER, conf, w) : NULL;
    if (rk != NULL) {
        st = set_insync(&topics, rk, w);
        if (st == ST_OK) st = create(rk, &topics, w);
        rd_kafka_destroy(rk);
    } else if (st == ST_OK) {
        st = ST_INVALID;
    }
    rd_kafka_NewTopic_destroy_array(topics.list, topics.n);
    return st;
}

int main(int argc, char **argv) {
    const char *brokers;
    const struct config_var address[] = {
        {"KAFKA_BROKERS", CONFIG_TEXT, &brokers, NULL, "HOST:PORT,... of Kafka", 0, 0}, {0}};
    const struct config_var *const tables[] = {address, kafka_settings};
    struct why why;
    if (argc != 2) {
        fputs("usage: KAFKA_BROKERS=HOST:PORT,... topics FILE\n", stderr);
        return EX_USAGE;
    }
    enum status st = config_load(tables, sizeof tables / sizeof *tables, &why);
    if (st == ST_OK) st = run(argv[1], brokers, &why);
    if (st == ST_OK) return EX_OK;
    fprintf(stderr, "topics: %s\n", why.text);
    return st == ST_LOST ? EX_UNAVAILABLE : EX_CONFIG;
}
