#include "output.h"

const char changelog_topic[] = "sales-changelog";

enum { VALUE_MOST = 256 }; /* of fixed parts, but for numbers of varying length: 150 at the most */

enum status output_row(struct output *o, int32_t partition, const struct sales_event *row, struct why *w) {
    uint8_t value[VALUE_MOST];
    memcpy(value, o->wire, WIRE_HEADER);
    size_t n = sales_event_avro.encode(row, value + WIRE_HEADER, sizeof value - WIRE_HEADER);
    if (n == 0) return why(w, ST_FAILED, "a row does not fit %d bytes", VALUE_MOST);
    char key[UUID_TEXT];
    uuid_format(&row->ticket_id, key);
    const struct transactions_record record = {.topic = topic_sales_by_minute.name,
                                               .partition = partition,
                                               .key = {key, sizeof key},
                                               .value = {(const char *)value, WIRE_HEADER + n},
                                               .type = sales_event_type_symbols[row->type]};
    return transactions_write(o->transactions, &record, w);
}

enum status output_area_row(struct output *o, const struct show_sales_event *row, struct why *w) {
    uint8_t value[VALUE_MOST];
    memcpy(value, o->area_wire, WIRE_HEADER);
    size_t n = show_sales_event_avro.encode(row, value + WIRE_HEADER, sizeof value - WIRE_HEADER);
    if (n == 0) return why(w, ST_FAILED, "a row does not fit %d bytes", VALUE_MOST);
    char key[UUID_TEXT];
    uuid_format(&row->show_id, key);
    const struct transactions_record record = {
        .topic = topic_show_sales.name,
        .partition =
            rd_kafka_msg_partitioner_murmur2(NULL, key, sizeof key, topic_show_sales.partitions, NULL, NULL),
        .key = {key, sizeof key},
        .value = {(const char *)value, WIRE_HEADER + n},
        .type = show_sales_event_type_symbols[row->type]};
    return transactions_write(o->transactions, &record, w);
}

enum status output_state(struct output *o, int32_t partition, struct str key, struct str value,
                         struct why *w) {
    const struct transactions_record record = {
        .topic = changelog_topic, .partition = partition, .key = key, .value = value};
    return transactions_write(o->transactions, &record, w);
}
