/* consumer_driver: a process that is nothing but a consumer, for test_consumer.py.
 *
 *     consumer_driver TOPIC    reads TOPIC (ticket events) into the database DATABASE_URL
 *
 * Every application of an event is a row of `seen`, without any guard: one applied twice shows. `tickets` is
 * what a service would keep, guarded by version; each change of it is a row of `effects`. Commands on stdin:
 * `ready` and `metrics`, answered on stderr up to a line with a dot; its end stops the consumer, as SIGTERM
 * does. */
#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "consumer.h"
#include "events.h"
#include "log.h"
#include "metrics.h"
#include "migrate.h"

static const struct migrate_file migrations[] = {
    {"010_driver",
     "create table tickets (id uuid primary key, version int not null, title text not null check (title <> 'poison'));"
     "create table effects (n bigserial primary key, id uuid not null, version int not null);"
     "create table seen (n bigserial primary key, id uuid not null, version int not null, traceparent text,"
     "                   at timestamptz not null default clock_timestamp());"},
    {0},
};

static const struct migrate_file no_functions[] = {{0}};
static const struct migrate_set schema = {migrations, no_functions};

static const uint32_t types[] = {2950, 23, 25, 25};

static const struct sql on_ticket = {
    .name = "on_ticket",
    .text =
        "with e as materialized ("
        "  select * from unnest($1::uuid[], $2::int4[], $3::text[], $4::text[])"
        "    with ordinality as e (id, version, title, traceparent, ordinal)"
        "), seen as ("
        "  insert into seen (id, version, traceparent) select id, version, traceparent from e order by ordinal"
        "), changed as ("
        "  insert into tickets as t (id, version, title) select id, version, title from e order by id"
        "  on conflict (id) do update set version = excluded.version, title = excluded.title"
        "    where t.version < excluded.version"
        "  returning id, version"
        ") insert into effects (id, version) select id, version from changed",
    .nparams = 4,
    .writes = true,
    .types = types,
};

static void bind(struct sql_params *item, const void *event, struct str traceparent) {
    const struct ticket_event *e = event;
    put_uuid(item, &e->id);
    put_int(item, e->version);
    put_text(item, e->title);
    put_optional_text(item, traceparent);
}

/* Nothing reacts to TicketCancelled. */
static struct topic topic;
static const struct reaction reactions[] = {
    {&topic, TICKET_CREATED, &on_ticket, bind},
    {&topic, TICKET_UPDATED, &on_ticket, bind},
    {0},
};

static const char *must_have(const char *name) {
    const char *value = getenv(name);
    if (value != NULL) return value;
    fprintf(stderr, "%s is not set\n", name);
    exit(78);
}

static void answer(struct consumer *c, const char *command) {
    struct why w = {0};
    struct buf out = {0};
    if (strncmp(command, "ready", 5) == 0)
        buf_printf(&out, "%s\n", consumer_ready(c, &w) ? "yes" : w.text);
    else
        metrics_write(&out);
    buf_printf(&out, ".\n");
    ssize_t n = write(STDERR_FILENO, out.data, out.len);
    assert(n == (ssize_t)out.len);
    buf_free(&out);
}

static void serve(struct consumer *c, int signals) {
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0) continue;
        if (fds[1].revents != 0) return;
        char command[64];
        ssize_t n = read(STDIN_FILENO, command, sizeof command - 1);
        if (n <= 0) return;
        command[n] = '\0';
        answer(c, command);
    }
}

int main(int argc, char **argv) {
    assert(argc == 2);
    topic = topic_tickets;
    topic.name = argv[1];
    log_setup("driver", LOG_INFO);

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC);

    struct why w;
    const char *url = must_have("DATABASE_URL");
    const struct migrate_set *const sets[] = {&consumer_schema, &schema, NULL};
    if (migrate(url, NULL, sets, &w) != ST_OK) {
        fprintf(stderr, "%s\n", w.text);
        return 1;
    }
    const char *batch = getenv("BATCH"), *group = getenv("CONSUMER_GROUP"),
               *wait = getenv("UNREADABLE_WAIT_MS");
    const struct consumer_options options = {
        .service = group == NULL ? argv[1] : group,
        .database_url = url,
        .brokers = must_have("KAFKA_BROKERS"),
        .registry_url = must_have("SCHEMA_REGISTRY_URL"),
        .reactions = reactions,
        .batch_records = batch == NULL ? 500 : atoi(batch),
        .unreadable_wait_ms = wait == NULL ? 1000 : atoi(wait),
    };
    struct consumer *c = consumer_start(&options, &w);
    if (c == NULL) {
        log_error("driver", "%s", w.text);
        return EX_CONFIG;
    }
    serve(c, signals);
    int64_t before = clock_mono_us();
    consumer_stop(c, 8000);
    log_info("driver", "stopped in %lld ms", (long long)(clock_mono_us() - before) / 1000);
    return 0;
}
