#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

#define PLANT_METRICS(X)                                                                                     \
    X(M_WATERED, COUNTER, "plant_watered_total", "Times it was watered")                                     \
    X(M_HEIGHT, GAUGE, "plant_height", "Of the tallest")                                                     \
    X(M_GROWTH, HISTOGRAM, "plant_growth_seconds", "From seed to leaf")
METRICS_DECLARE(plant_metrics, PLANT_METRICS);
METRICS_DEFINE(plant_metrics, PLANT_METRICS);

#define STONE_METRICS(X) X(M_STONES, COUNTER, "stones_total", "Of a module that does not run")
METRICS_DECLARE(stone_metrics, STONE_METRICS);
METRICS_DEFINE(stone_metrics, STONE_METRICS);

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
    metrics_register(plant_metrics);
    for (int i = 0; i < 100000; i++) {
        metric_add(M_WATERED, 1);
        metric_observe_us(M_GROWTH, i % 2 == 0 ? 200 : 20000000);
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
    assert_int_equal(metric_value(M_WATERED), 400000);
    expect_line("\nplant_watered_total 400000\n");
    expect_line("\nplant_growth_seconds_bucket{le=\"0.0001\"} 0\n");
    expect_line("\nplant_growth_seconds_bucket{le=\"0.0002\"} 200000\n");
    expect_line("\nplant_growth_seconds_bucket{le=\"10\"} 200000\n");
    expect_line("\nplant_growth_seconds_bucket{le=\"+Inf\"} 400000\n");
    expect_line("\nplant_growth_seconds_sum 4000040.000000\n");
    expect_line("\nplant_growth_seconds_count 400000\n");
}

static void types_and_help(void **state) {
    (void)state;
    metrics_register(plant_metrics);
    metric_set(M_HEIGHT, 1);
    metric_set(M_HEIGHT, 0);
    expect_line("\nplant_height 0\n");
    metric_set(M_HEIGHT, -1);
    expect_line("# HELP plant_height Of the tallest\n# TYPE plant_height gauge\nplant_height -1\n");
    expect_line("# HELP plant_watered_total Times it was watered\n# TYPE plant_watered_total counter\n"
                "plant_watered_total ");
    expect_line("# HELP plant_growth_seconds From seed to leaf\n# TYPE plant_growth_seconds histogram\n"
                "plant_growth_seconds_bucket{le=\"0.0001\"} ");
}

static void who_is_not_registered_is_not_written(void **state) {
    (void)state;
    metrics_register(plant_metrics);
    metric_add(M_STONES, 2);
    char *text = scrape();
    assert_null(strstr(text, "stones_total"));
    free(text);
    metrics_register(stone_metrics);
    expect_line("\nstones_total 2\n"); /* what was counted before is not lost */
}

static void registered_twice_is_written_once(void **state) {
    (void)state;
    metrics_register(plant_metrics);
    metrics_register(plant_metrics);
    char *text = scrape(), *first = strstr(text, "# TYPE plant_height ");
    assert_non_null(first);
    assert_null(strstr(first + 1, "# TYPE plant_height "));
    free(text);
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

/* Of what came between two looks, evenly within a bucket. */
static void quantiles_are_of_what_came_since(void **state) {
    (void)state;
    struct histogram before = {0}, now = {0};
    assert_int_equal(histogram_quantile_us(&before, &now, 0.99), 0);
    for (int i = 0; i < 100; i++)
        histogram_observe_us(&now, 70);
    assert_int_equal(histogram_quantile_us(&before, &now, 0.5), 50);
    histogram_merge(&before, &now);
    assert_int_equal(histogram_quantile_us(&before, &now, 0.5), 0);
    for (int i = 0; i < 98; i++)
        histogram_observe_us(&now, 1500);
    histogram_observe_us(&now, 300 * 1000);
    histogram_observe_us(&now, 60 * 1000000);
    assert_int_equal(histogram_quantile_us(&before, &now, 0.5), 1000 + 1000 * 50 / 98);
    assert_int_equal(histogram_quantile_us(&before, &now, 0.99), 500 * 1000);
    assert_int_equal(histogram_quantile_us(&before, &now, 1), 10 * 1000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(types_and_help),
        cmocka_unit_test(who_is_not_registered_is_not_written),
        cmocka_unit_test(registered_twice_is_written_once),
        cmocka_unit_test(sources_come_and_go),
        cmocka_unit_test(labelled_histograms_merge),
        cmocka_unit_test(quantiles_are_of_what_came_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
