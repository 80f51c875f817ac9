/* bench_publisher: from commit to readable. Commits events one by one at a steady rate, reads the topic
 * meanwhile, and says how long each took from the moment its commit was acknowledged to the moment a consumer
 * had the record.
 *
 *     bench_publisher DATABASE_URL BROKERS TOPIC log|outbox RATE WARM_SECONDS SECONDS
 *
 * log: into ticket_events, as our services write. outbox: the same event, encoded, into the table `outbox` as
 * Debezium's outbox router expects it. Prints one JSON object. */
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "events.h"
#include "wire.h"

enum { WRITERS = 8, GIVE_UP_S = 30 };

static const char *url, *brokers, *topic_name;
static bool outbox;
static int rate;
static int64_t events, started_us;
static _Atomic int64_t *committed_us, *read_us;
static _Atomic int64_t arrived;
static _Atomic bool reading;

static void die(const char *what, const char *why_text) {
    fprintf(stderr, "bench_publisher: %s: %s\n", what, why_text);
    exit(1);
}

/* --- the event with this number --- */

static struct uuid id_of(int64_t n) {
    struct uuid id = {0};
    for (int i = 0; i < 8; i++)
        id.b[i] = (uint8_t)(n >> (8 * (7 - i)));
    id.b[15] = 1;
    return id;
}

static int64_t number_of(const void *key, size_t size) {
    struct uuid id;
    if (!uuid_parse((struct str){key, size}, &id)) return -1;
    int64_t n = 0;
    for (int i = 0; i < 8; i++)
        n = n << 8 | id.b[i];
    return id.b[15] == 1 && n >= 0 && n < events ? n : -1;
}

static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

static size_t encode(int64_t n, uint8_t *out, size_t cap) {
    struct ticket_event event = {.type = TICKET_CREATED,
                                 .id = id_of(n),
                                 .version = 1,
                                 .occurred_at = clock_wall_us(),
                                 .user_id = id_of(n),
                                 .title = STR("Row 7, seat 42"),
                                 .price = 2000,
                                 .currency = STR("EUR"),
                                 .status = TICKET_STATUS_AVAILABLE};
    wire_header(out, 1);
    return WIRE_HEADER + topic_tickets.type->encode(&event, out + WIRE_HEADER, cap - WIRE_HEADER);
}

/* --- writing --- */

static const char LOG_ROW[] =
    "insert into ticket_events (type, id, version, occurred_at, user_id, title, price, currency, status, traceparent)"
    " values ('TicketCreated', $1::uuid, 1, clock_timestamp(), $1::uuid, 'Row 7, seat 42', 2000, 'EUR', 'available', $2)";
static const char OUTBOX_ROW[] =
    "insert into outbox (id, aggregatetype, aggregateid, type, traceparent, payload)"
    " values ($1::uuid, 'tickets', $1, 'TicketCreated', $2, $3::bytea)";

static void write_one(PGconn *conn, int64_t n) {
    struct uuid id = id_of(n);
    char text[UUID_TEXT + 1] = {0};
    uint8_t payload[512];
    uuid_format(&id, text);
    const char *const values[] = {text, trace, (const char *)payload};
    const int lengths[] = {0, 0, outbox ? (int)encode(n, payload, sizeof payload) : 0}, formats[] = {0, 0, 1};
    PGresult *res = PQexecPrepared(conn, "row", outbox ? 3 : 2, values, lengths, formats, 0);
    committed_us[n] = clock_mono_us();
    if (PQresultStatus(res) != PGRES_COMMAND_OK) die("insert", PQerrorMessage(conn));
    PQclear(res);
}

static void wait_until(int64_t due_us) {
    struct timespec t = {.tv_sec = due_us / 1000000, .tv_nsec = due_us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
        continue;
}

static void *write_events(void *arg) {
    PGconn *conn = PQconnectdb(url);
    if (PQstatus(conn) != CONNECTION_OK) die("connect", PQerrorMessage(conn));
    PGresult *res = PQprepare(conn, "row", outbox ? OUTBOX_ROW : LOG_ROW, 0, NULL);
    if (PQresultStatus(res) != PGRES_COMMAND_OK) die("prepare", PQerrorMessage(conn));
    PQclear(res);
    for (int64_t n = (int)(intptr_t)arg; n < events; n += WRITERS) {
        wait_until(started_us + n * 1000000 / rate);
        write_one(conn, n);
    }
    PQfinish(conn);
    return NULL;
}

/* --- reading --- */

static void take(const rd_kafka_message_t *record, int64_t now_us) {
    int64_t n = record->err == RD_KAFKA_RESP_ERR_NO_ERROR ? number_of(record->key, record->key_len) : -1;
    if (n < 0 || read_us[n] != 0) return;
    read_us[n] = now_us;
    arrived++;
}

/* From the end that each partition has now: so that nothing written from now on is missed. */
static int assign(rd_kafka_t *rk, rd_kafka_topic_t *rkt, rd_kafka_queue_t *queue) {
    const rd_kafka_metadata_t *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, rkt, &metadata, 10000);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) die("metadata", rd_kafka_err2str(err));
    int partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    for (int p = 0; p < partitions; p++) {
        int64_t low, high;
        err = rd_kafka_query_watermark_offsets(rk, topic_name, p, &low, &high, 10000);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) die("offsets", rd_kafka_err2str(err));
        rd_kafka_consume_start_queue(rkt, p, high, queue);
    }
    return partitions;
}

static void *read_events(void *arg) {
    (void)arg;
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
    rd_kafka_conf_set(conf, "socket.nagle.disable", "true", NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (rk == NULL) die("consumer", text);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic_name, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    int partitions = assign(rk, rkt, queue);
    for (reading = true; reading;) {
        rd_kafka_message_t *record = rd_kafka_consume_queue(queue, 100);
        if (record == NULL) continue;
        take(record, clock_mono_us());
        rd_kafka_message_destroy(record);
    }
    for (int p = 0; p < partitions; p++)
        rd_kafka_consume_stop(rkt, p);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_destroy(rkt);
    rd_kafka_destroy(rk);
    return NULL;
}

/* --- the result --- */

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(int64_t first) {
    int64_t *delays = calloc((size_t)events, sizeof *delays), n = 0;
    for (int64_t i = first; i < events; i++) {
        if (read_us[i] == 0) continue;
        int64_t delay = read_us[i] - committed_us[i];
        delays[n++] = delay > 0 ? delay : 0; /* a record can be read before the writer hears of its commit */
    }
    qsort(delays, (size_t)n, sizeof *delays, ascending);
    printf("{\"events\": %lld, \"lost\": %lld, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
           (long long)n, (long long)(events - arrived), n > 0 ? (double)delays[n / 2] / 1000 : 0,
           n > 0 ? (double)delays[n * 99 / 100] / 1000 : 0, n > 0 ? (double)delays[n - 1] / 1000 : 0);
    free(delays);
}

int main(int argc, char **argv) {
    if (argc != 8) die("usage", "DATABASE_URL BROKERS TOPIC log|outbox RATE WARM_SECONDS SECONDS");
    url = argv[1];
    brokers = argv[2];
    topic_name = argv[3];
    outbox = strcmp(argv[4], "outbox") == 0;
    rate = atoi(argv[5]);
    int64_t warm = (int64_t)rate * atoi(argv[6]);
    events = warm + (int64_t)rate * atoi(argv[7]);
    committed_us = calloc((size_t)events, sizeof *committed_us);
    read_us = calloc((size_t)events, sizeof *read_us);

    pthread_t reader, writers[WRITERS];
    pthread_create(&reader, NULL, read_events, NULL);
    while (!reading)
        wait_until(clock_mono_us() + 1000);
    started_us = clock_mono_us() + 100000;
    for (int i = 0; i < WRITERS; i++)
        pthread_create(&writers[i], NULL, write_events,
                       (void *)(intptr_t)i); // NOLINT(performance-no-int-to-ptr)
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    for (int64_t limit = clock_mono_us() + GIVE_UP_S * 1000000LL;
         arrived < events && clock_mono_us() < limit;)
        wait_until(clock_mono_us() + 10000);
    reading = false;
    pthread_join(reader, NULL);
    report(warm);
    return arrived == events ? 0 : 1;
}
