#include "http_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "admin.h"
#include "h2o_compat.h"
#include "metrics.h"

#define PLANT_METRICS(X) X(M_WATERED, COUNTER, "plant_watered_total", "Times it was watered")
METRICS_DECLARE(plant_metrics, PLANT_METRICS);
METRICS_DEFINE(plant_metrics, PLANT_METRICS);

static _Atomic bool reachable;
static _Atomic int stage; /* 1: running, 2: told to end */

static bool database_ready(void *part, struct why *w) {
    (void)part;
    if (!reachable) why(w, ST_AGAIN, "connecting to \"%s\"", "db");
    return reachable;
}

static struct probe probes[] = {
    {"database", database_ready, &reachable}, {"late", database_ready, NULL}, {0}};

static void *serve(void *arg) {
    (void)arg;
    struct why w;
    h2o_loop_t *loop = h2o_evloop_create();
    struct admin *admin = admin_start(loop, "127.0.0.1", 0, probes, &w);
    if (admin == NULL) abort();
    hx_port = admin_port(admin);
    stage = 1;
    while (stage == 1)
        h2o_compat_run(loop, 5);
    admin_free(admin);
    h2o_evloop_destroy(loop);
    return NULL;
}

static void alive(void **state) {
    (void)state;
    hx_expect(hx_get("/healthz"), 200, "{\"status\":\"alive\"}");
    assert_int_equal(hx_request("HEAD /healthz", "", NULL)->status, 200);
}

static void ready_when_all_parts_are(void **state) {
    (void)state;
    reachable = false;
    probes[1].part = NULL;
    hx_expect(
        hx_get("/readyz"), 503,
        "{\"status\":\"not ready\",\"waiting\":[{\"name\":\"database\",\"reason\":\"connecting to \\\"db\\\"\"},"
        "{\"name\":\"late\",\"reason\":\"not started\"}]}");
    reachable = true;
    hx_expect(hx_get("/readyz"), 503,
              "{\"status\":\"not ready\",\"waiting\":[{\"name\":\"late\",\"reason\":\"not started\"}]}");
    probes[1].part = &reachable;
    hx_expect(hx_get("/readyz"), 200, "{\"status\":\"ready\"}");
}

static void metrics_are_text(void **state) {
    (void)state;
    metrics_register(plant_metrics);
    metric_add(M_WATERED, 3);
    struct hx_answer *a = hx_get("/metrics");
    assert_int_equal(a->status, 200);
    assert_string_equal(hx_header(a, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(a->body, "\nplant_watered_total 3\n"));
}

static void nothing_else(void **state) {
    (void)state;
    hx_expect_error(hx_get("/"), 404, "No such path");
}

static void a_taken_port_is_said(void **state) {
    (void)state;
    struct why w;
    h2o_loop_t *loop = h2o_evloop_create();
    assert_null(admin_start(loop, "127.0.0.1", hx_port, probes, &w));
    assert_non_null(strstr(w.text, "Address already in use"));
    h2o_evloop_destroy(loop);
}

static pthread_t server;

static int set_up(void **state) {
    (void)state;
    pthread_create(&server, NULL, serve, NULL);
    hx_until(stage == 1);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    struct hx_conn *idle = hx_connect(); /* which the end does not wait for */
    hx_send(idle, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    hx_receive(idle, false); /* so it is through the listener's queue */
    stage = 2;
    pthread_join(server, NULL);
    assert_true(hx_closed(idle));
    hx_close(idle);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alive),
        cmocka_unit_test(ready_when_all_parts_are),
        cmocka_unit_test(metrics_are_text),
        cmocka_unit_test(nothing_else),
        cmocka_unit_test(a_taken_port_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
