#include "log_mark.h"

static struct str header(const rd_kafka_headers_t *headers, const char *name) {
    const void *value;
    size_t n;
    if (rd_kafka_header_get_last(headers, name, &value, &n) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return (struct str){0};
    return (struct str){value, n};
}

static bool read_epoch(struct str text, uint64_t *epoch) {
    *epoch = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') return false;
        *epoch = *epoch * 10 + (uint64_t)(text.p[i] - '0');
    }
    return text.n > 0 && text.n <= 19;
}

struct log_mark log_mark_of(const rd_kafka_message_t *m) {
    struct log_mark mark = {0};
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return mark;
    mark.known = read_epoch(header(headers, "epoch"), &mark.epoch) &&
                 log_position_parse(header(headers, "position"), &mark.position);
    return mark;
}

bool log_mark_is_old(const struct log_mark *mark, const struct log_mark *newest) {
    if (!mark->known || !newest->known) return false;
    if (mark->epoch != newest->epoch) return mark->epoch < newest->epoch;
    return !log_position_after(mark->position, newest->position);
}
