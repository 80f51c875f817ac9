/* cc sold.c -o sold $(pkg-config --cflags --libs rdkafka avro-c)
 * ./sold orders | grep "$SELLER" | grep -o 'Order[A-Z][a-z]*' | sort | uniq -c
 * The events up to now of a topic of 12 partitions, a line of JSON each; here, what became of a seller's
 * orders. What comes again is there again. KAFKA_BROKERS and SCHEMA_REGISTRY_URL say where; curl asks for
 * the schemas. */
#include <arpa/inet.h>
#include <avro.h>
#include <librdkafka/rdkafka.h>
static void use_schema(uint32_t number, avro_value_t *event) {
    char command[99], text[99999];
    avro_schema_t schema;
    snprintf(command, sizeof command, "curl -sf $SCHEMA_REGISTRY_URL/schemas/ids/%u/schema", number);
    size_t length = fread(text, 1, sizeof text, popen(command, "r"));
    if (avro_schema_from_json_length(text, length, &schema) != 0) exit(1);
    avro_generic_value_new(avro_generic_class_from_schema(schema), event);
}
int main(int argc, char **argv) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", getenv("KAFKA_BROKERS"), NULL, 0);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
    rd_kafka_conf_set(conf, "group.id", "example", NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(12);
    for (int i = 0; i < 12 && argc == 2; i++)
        rd_kafka_topic_partition_list_add(all, argv[1], i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, all);
    avro_value_t event;
    char *json;
    for (uint32_t number, known = 0, ended = 0; ended != (1U << all->cnt) - 1;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, -1);
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ended |= 1U << m->partition;
        if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR || m->len < 5) continue; /* a tombstone has no event */
        memcpy(&number, (char *)m->payload + 1, 4); /* a byte 0, the schema's number, the event */
        if (number != known) use_schema(ntohl(known = number), &event);
        avro_reader_t reader = avro_reader_memory((char *)m->payload + 5, (int64_t)m->len - 5);
        if (avro_value_read(reader, &event) != 0 || avro_value_to_json(&event, 1, &json) != 0) return 1;
        puts(json), free(json), avro_reader_free(reader), rd_kafka_message_destroy(m);
    }
}
