/* Ending a consumer: whoever tells it to stop is slower than its thread is to leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdatomic.h>

#include "consumer.h"
#include "events.h"

static atomic_bool waking, freed_meanwhile;

static void *next_symbol(const char *name) {
    void *symbol = dlsym(RTLD_NEXT, name);
    assert_non_null(symbol);
    return symbol;
}

/* Instead of librdkafka's: takes a second to wake the thread, as a busy machine may. */
void rd_kafka_queue_yield(rd_kafka_queue_t *queue) {
    void (*yield)(rd_kafka_queue_t *) = (void (*)(rd_kafka_queue_t *))next_symbol("rd_kafka_queue_yield");
    waking = true;
    for (int i = 0; i < 100 && !freed_meanwhile; i++)
        poll(NULL, 0, 10);
    if (!freed_meanwhile) yield(queue);
    waking = false;
}

void rd_kafka_queue_destroy(rd_kafka_queue_t *queue) {
    void (*destroy)(rd_kafka_queue_t *) = (void (*)(rd_kafka_queue_t *))next_symbol("rd_kafka_queue_destroy");
    if (waking) freed_meanwhile = true;
    destroy(queue);
}

static void bind_nothing(struct columns *item, const void *event, struct str traceparent) {
    (void)item, (void)event, (void)traceparent;
}

static void its_queue_is_there_until_it_is_woken(void **state) {
    (void)state;
    static const uint32_t types[] = {2950};
    static const struct sql statement = {
        .name = "s", .text = "select $1::uuid[]", .nparams = 1, .types = types};
    static const struct reaction reactions[] = {{&topic_orders, ORDER_CREATED, &statement, bind_nothing},
                                                {0}};
    struct consumer *c =
        consumer_start(&(struct consumer_options){.service = "test",
                                                  .database_url = "postgresql://127.0.0.1:1/x",
                                                  .brokers = "127.0.0.1:1",
                                                  .registry_url = "http://127.0.0.1:1",
                                                  .reactions = reactions,
                                                  .batch_records = 10});
    assert_non_null(c);
    consumer_stop(c, 10000);
    assert_false(freed_meanwhile);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(its_queue_is_there_until_it_is_woken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
