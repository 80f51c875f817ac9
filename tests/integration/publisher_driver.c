/* publisher_driver: a process that is nothing but a publisher, for tests and benchmarks of it.
 *
 *     publisher_driver SERVICE DATABASE_URL BROKERS REGISTRY_URL RETENTION_MS TABLE TOPIC [TABLE TOPIC]...
 *
 * TABLE is an event log of tickets; TOPIC has the tickets' schema and as many partitions. Logs say what
 * happens; a line "ready" or "not ready: why" each time that changes. SIGUSR1: the metrics. SIGUSR2: its
 * producer gives up, as librdkafka's does when a broker has another order of things. SIGTERM: publishes what
 * is committed, and ends, after STOP_MS (5000) in any case. */
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "events.h"
#include "log.h"
#include "metrics.h"
#include "publisher.h"

enum { LOOK_MS = 5, FIRST_PAIR = 6 };

/* The publisher's newest producer: this comes before librdkafka's own when programs are linked. */
static _Atomic(rd_kafka_t *) producer;

rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *error, size_t n) {
    rd_kafka_t *(*theirs)(rd_kafka_type_t, rd_kafka_conf_t *, char *, size_t);
    *(void **)&theirs = dlsym(RTLD_NEXT, "rd_kafka_new");
    rd_kafka_t *rk = theirs(type, conf, error, n);
    if (type == RD_KAFKA_PRODUCER) producer = rk;
    return rk;
}

static void say(bool ready, const struct why *w) {
    if (ready)
        puts("ready");
    else
        printf("not ready: %s\n", w->text);
    fflush(stdout);
}

static void print_metrics(void) {
    struct buf text = {0};
    metrics_write(&text);
    printf("%.*s", (int)text.len, (const char *)text.data);
    puts("end of metrics");
    fflush(stdout);
    buf_free(&text);
}

static void watch(struct publisher *p, const sigset_t *signals) {
    const struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
    bool was = false;
    for (int sig = 0; sig != SIGTERM;) {
        sig = sigtimedwait(signals, NULL, &look);
        if (sig == SIGUSR1) print_metrics();
        if (sig == SIGUSR2)
            rd_kafka_test_fatal_error(producer, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "by a test");
        struct why w = {0};
        bool ready = publisher_ready(p, &w);
        if (ready != was) say(ready, &w);
        was = ready;
    }
}

int main(int argc, char **argv) {
    int pairs = (argc - FIRST_PAIR) / 2;
    if (pairs < 1 || pairs > PUBLISHER_MAX_LOGS || argc != FIRST_PAIR + 2 * pairs) {
        fputs("usage: publisher_driver SERVICE DATABASE_URL BROKERS REGISTRY_URL RETENTION_MS"
              " TABLE TOPIC [TABLE TOPIC]...\n",
              stderr);
        return 64;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    log_setup(argv[1], LOG_INFO);

    struct topic topics[PUBLISHER_MAX_LOGS];
    struct publisher_log logs[PUBLISHER_MAX_LOGS + 1] = {0};
    for (int i = 0; i < pairs; i++) {
        topics[i] = topic_tickets;
        topics[i].name = argv[FIRST_PAIR + 2 * i + 1];
        logs[i] = (struct publisher_log){.table = argv[FIRST_PAIR + 2 * i], .topic = &topics[i]};
    }
    const struct publisher_options options = {
        .service = argv[1],
        .database_url = argv[2],
        .brokers = argv[3],
        .registry_url = argv[4],
        .logs = logs,
        .retention_ms = strtoll(argv[5], NULL, 10),
        .watermarks = &topic_watermarks,
        .watermark_ms = 1000,
    };
    struct why w;
    struct publisher *p = publisher_start(&options, &w);
    if (p == NULL) {
        fprintf(stderr, "%s: %s\n", argv[1], w.text);
        return EX_CONFIG;
    }
    watch(p, &signals);
    const char *stop_ms = getenv("STOP_MS");
    publisher_stop(p, stop_ms != NULL ? atoi(stop_ms) : 5000);
    return 0;
}
