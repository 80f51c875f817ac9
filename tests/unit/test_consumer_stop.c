/* Ending a consumer: whoever tells it to stop is slower than its thread is to leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "consumer.h"
#include "events.h"

static _Thread_local bool stopping;
static atomic_int waking = -1; /* by a write to it */
static atomic_bool closed_meanwhile;

static void *next_symbol(const char *name) {
    void *symbol = dlsym(RTLD_NEXT, name);
    assert_non_null(symbol);
    return symbol;
}

/* Instead of libc's: whoever stops the consumer takes a second to wake its thread, as on a busy machine. */
ssize_t write(int fd, const void *bytes, size_t n) {
    ssize_t (*next)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))next_symbol("write");
    if (!stopping || n != sizeof(uint64_t)) return next(fd, bytes, n);
    waking = fd;
    for (int i = 0; i < 100 && !closed_meanwhile; i++)
        poll(NULL, 0, 10);
    ssize_t done = closed_meanwhile ? -1 : next(fd, bytes, n);
    waking = -1;
    return done;
}

int close(int fd) {
    int (*next)(int) = (int (*)(int))next_symbol("close");
    if (fd == waking) closed_meanwhile = true;
    return next(fd);
}

static void bind_nothing(struct sql_params *item, const void *event, struct str traceparent) {
    (void)item, (void)event, (void)traceparent;
}

static void its_group_is_there_until_it_is_woken(void **state) {
    (void)state;
    static const uint32_t types[] = {2950};
    static const struct sql statement = {
        .name = "s", .text = "select $1::uuid[]", .nparams = 1, .types = types};
    static const struct reaction reactions[] = {{&topic_orders, ORDER_CREATED, &statement, bind_nothing},
                                                {0}};
    struct why w = {0}; /* what it waits for once it has its group: the database, or Kafka */
    struct consumer *c =
        consumer_start(&(struct consumer_options){.service = "test",
                                                  .database_url = "postgresql://127.0.0.1:1/x",
                                                  .brokers = "127.0.0.1:1",
                                                  .registry_url = "http://127.0.0.1:1",
                                                  .reactions = reactions,
                                                  .batch_records = 10},
                       &w);
    assert_non_null(c);
    while (!consumer_ready(c, &w) && strstr(w.text, "127.0.0.1") == NULL)
        poll(NULL, 0, 10);
    stopping = true;
    consumer_stop(c, 10000);
    assert_false(closed_meanwhile);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(its_group_is_there_until_it_is_woken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
