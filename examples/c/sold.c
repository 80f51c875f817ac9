/* cc sold.c -o sold $(pkg-config --cflags --libs rdkafka avro-c) && ./sold SELLER
 * What became of the orders for a seller's tickets up to now. KAFKA_BROKERS and SCHEMA_REGISTRY_URL say
 * where; curl asks for the schemas. A record that comes again counts again. */
#include <avro.h>
#include <librdkafka/rdkafka.h>
static avro_value_t event, seller, type;
static int counts[99];
static void count(uint8_t *value, size_t n,
                  const char *wanted) { /* a byte 0, the schema's number, the event */
    static uint32_t known;
    static char command[99], text[99999], *id;
    static avro_reader_t reader;
    static int kind;
    uint32_t number = (uint32_t)value[1] << 24 | value[2] << 16 | value[3] << 8 | value[4];
    if (number != known) {
        avro_schema_t schema;
        snprintf(command, 99, "curl -sf $SCHEMA_REGISTRY_URL/schemas/ids/%u/schema", known = number);
        size_t length = fread(text, 1, sizeof text, popen(command, "r"));
        if (avro_schema_from_json_length(text, length, &schema) != 0) exit(1);
        reader = avro_reader_memory(text, 0);
        avro_generic_value_new(avro_generic_class_from_schema(schema), &event);
    }
    avro_reader_memory_set_source(reader, (char *)value + 5, (int64_t)n - 5);
    if (avro_value_read(reader, &event) != 0) exit(1);
    avro_value_get_by_name(&event, "sellerId", &seller, NULL),
        avro_value_get_string(&seller, (const char **)&id, NULL);
    avro_value_get_by_name(&event, "type", &type, NULL), avro_value_get_enum(&type, &kind);
    counts[kind] += strcmp(id, wanted) == 0;
}
int main(int argc, char **argv) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", getenv("KAFKA_BROKERS"), NULL, 0);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
    rd_kafka_conf_set(conf, "group.id", "example", NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(12);
    for (int i = 0; i < 12; i++)
        rd_kafka_topic_partition_list_add(all, "orders", i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, all);
    for (int ended = 0; ended < 12 && argc == 2;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 1000);
        ended += m != NULL && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (m != NULL && m->err == RD_KAFKA_RESP_ERR_NO_ERROR) count(m->payload, m->len, argv[1]);
        if (m != NULL) rd_kafka_message_destroy(m);
    }
    for (int i = 0; i < 99; i++)
        if (counts[i] > 0)
            printf("%s %d\n", avro_schema_enum_get(avro_value_get_schema(&type), i), counts[i]);
}
