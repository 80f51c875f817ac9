#include "kafka_config.h"

#include <stdlib.h>
#include <string.h>

static int find(const rd_kafka_event_t *event, const char *name) {
    size_t resources, entries;
    const rd_kafka_ConfigResource_t **found = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result((rd_kafka_event_t *)event), &resources);
    if (resources != 1 || rd_kafka_ConfigResource_error(found[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) return -1;
    const rd_kafka_ConfigEntry_t **entry = rd_kafka_ConfigResource_configs(found[0], &entries);
    for (size_t i = 0; i < entries; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entry[i]);
        if (strcmp(rd_kafka_ConfigEntry_name(entry[i]), name) == 0 && value != NULL)
            return (int)strtol(value, NULL, 10);
    }
    return -1;
}

int kafka_config_int(rd_kafka_t *rk, rd_kafka_ResourceType_t type, const char *resource, const char *name,
                     int timeout_ms) {
    char error[256];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_ConfigResource_t *asked = rd_kafka_ConfigResource_new(type, resource);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, error, sizeof error);
    rd_kafka_DescribeConfigs(rk, &asked, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    int value =
        event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR ? -1 : find(event, name);
    rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(asked);
    rd_kafka_queue_destroy(queue);
    return value;
}
