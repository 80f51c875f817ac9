#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "metrics.h"

static char *scrape(void) {
    struct buf out = {0};
    metrics_write(&out);
    buf_add(&out, "", 1);
    return (char *)out.data;
}

static void expect_line(const char *line) {
    char *text = scrape();
    if (strstr(text, line) == NULL) fail_msg("not in the scrape: %s\n%s", line, text);
    free(text);
}

static void *count(void *arg) {
    (void)arg;
    for (int i = 0; i < 100000; i++) {
        metric_add(M_CONSUMED, 1);
        metric_observe_us(M_REACT_TIME, i % 2 == 0 ? 200 : 20000000);
    }
    return NULL;
}

static void threads_lose_nothing(void **state) {
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, count, NULL);
    for (int i = 0; i < 4; i++)
        free(scrape()); /* scraped meanwhile */
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metric_value(M_CONSUMED), 400000);
    expect_line("\nonsale_consumer_records_total 400000\n");
    expect_line("\nonsale_consumer_delay_seconds_bucket{le=\"0.0001\"} 0\n");
    expect_line("\nonsale_consumer_delay_seconds_bucket{le=\"0.0002\"} 200000\n");
    expect_line("\nonsale_consumer_delay_seconds_bucket{le=\"10\"} 200000\n");
    expect_line("\nonsale_consumer_delay_seconds_bucket{le=\"+Inf\"} 400000\n");
    expect_line("\nonsale_consumer_delay_seconds_sum 4000040.000000\n");
    expect_line("\nonsale_consumer_delay_seconds_count 400000\n");
}

static void types_and_help(void **state) {
    (void)state;
    metric_set(M_PUBLISHER_ACTIVE, 1);
    metric_set(M_PUBLISHER_ACTIVE, 0);
    metric_set(M_CONSUMER_LAG, -1);
    expect_line(
        "# HELP onsale_consumer_lag_records Records between our position and the end of our partitions\n"
        "# TYPE onsale_consumer_lag_records gauge\nonsale_consumer_lag_records -1\n");
    expect_line("# TYPE onsale_db_batches_total counter\nonsale_db_batches_total 0\n");
    expect_line("# TYPE onsale_db_batch_duration_seconds histogram\n");
    expect_line("\nonsale_publisher_active 0\n");
}

static void say(struct buf *out, void *arg) {
    buf_printf(out, "extra{part=\"%s\"} 1\n", (const char *)arg);
}

static void sources_come_and_go(void **state) {
    (void)state;
    metrics_add_source(say, "a");
    metrics_add_source(say, "b");
    expect_line("\nextra{part=\"a\"} 1\nextra{part=\"b\"} 1\n");
    metrics_remove_source(say, "a");
    char *text = scrape();
    assert_null(strstr(text, "part=\"a\""));
    assert_non_null(strstr(text, "part=\"b\""));
    free(text);
    metrics_remove_source(say, "b");
}

static void labelled_histograms_merge(void **state) {
    (void)state;
    struct histogram a = {0}, b = {0}, sum = {0};
    histogram_observe_us(&a, 100);
    histogram_observe_us(&b, 101);
    histogram_observe_us(&b, 0);
    histogram_merge(&sum, &a);
    histogram_merge(&sum, &b);
    struct buf out = {0};
    histogram_write(&out, &sum, "d", "route=\"/x\"");
    buf_add(&out, "", 1);
    const char *text = (char *)out.data;
    assert_non_null(strstr(text, "d_bucket{route=\"/x\",le=\"0.0001\"} 2\n"));
    assert_non_null(strstr(text, "d_bucket{route=\"/x\",le=\"0.0002\"} 3\n"));
    assert_non_null(strstr(text, "d_sum{route=\"/x\"} 0.000201\n"));
    assert_non_null(strstr(text, "d_count{route=\"/x\"} 3\n"));
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(types_and_help),
        cmocka_unit_test(sources_come_and_go),
        cmocka_unit_test(labelled_histograms_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
