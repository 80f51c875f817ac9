#include "service.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "clock.h"
#include "dead_letters.h"
#include "events.h"
#include "h2o_compat.h"
#include "session_ends.h"
#include "thread.h"
#include "tls.h"

enum {
    EXIT_LIMIT_S = 10,       /* from SIGTERM to the end, whatever hangs */
    EXIT_BUDGET_MS = 9000,   /* what the steps below share */
    PUBLISH_MS = 3000,       /* of it, kept for the publisher */
    CONSUMER_STOP_MS = 2000, /* and for the consumer */
    TELLER_STOP_MS = 1500,   /* what is lost then is a second's counts */
    KEYS_REFRESH_MS = 60 * 1000,
    TLS_LOOK_MS = 5000, /* at three small files */
};

enum part { PART_HTTP, PART_KEYS, PART_PUBLISHER, PART_CONSUMER, PART_STREAM, PART_LIFE, PARTS };

struct process {
    const struct service *service;
    const struct settings *settings;
    h2o_loop_t *loop;
    h2o_socket_t *signals;
    struct admin *admin;
    struct tls *tls;
    int64_t tls_due_us; /* the next look at its files */
    struct http *http;
    struct session_keys *keys;
    struct session_ends *session_ends;
    struct publisher *publisher;
    struct consumer *consumer;
    struct teller *teller;
    void *stream;
    void *state;
    struct probe probes[PARTS + 1];
    int64_t started_us, told_us; /* told: to stop */
    bool said_ready;
    pthread_t stopper;
    _Atomic bool stopped;
};

/* One line on stderr. Nothing else ends a process for its configuration. */
static void __attribute__((noreturn)) die(const struct service *service, int code, const char *text) {
    fprintf(stderr, "%s: %s\n", service->name, text);
    _exit(code); /* no destructors of libraries: threads may run already that use them */
}

/* --- readiness --- */

static bool process_ready(void *process, struct why *w) {
    const struct process *p = process;
    if (p->told_us != 0) why(w, ST_STOPPED, "shutting down");
    return p->told_us == 0;
}

static bool http_part_ready(void *part, struct why *w) {
    return http_ready(part, w);
}

static bool keys_part_ready(void *part, struct why *w) {
    return session_keys_ready(part, w);
}

static bool publisher_part_ready(void *part, struct why *w) {
    return publisher_ready(part, w);
}

static bool consumer_part_ready(void *part, struct why *w) {
    return consumer_ready(part, w);
}

static void add_probe(struct process *p, const char *name, bool (*ready)(void *, struct why *), void *part) {
    struct probe *probe = p->probes;
    while (probe->name != NULL)
        probe++;
    *probe = (struct probe){name, ready, part};
}

static void say_when_ready(struct process *p) {
    if (p->said_ready || admin_waiting(p->probes, NULL) != NULL) return;
    p->said_ready = true;
    log_info("service", "ready after %lld ms", (long long)(clock_mono_us() - p->started_us) / 1000);
}

/* --- the start: everything connects by itself, at the same time --- */

static void start_keys(struct process *p) {
    if (p->keys == NULL && *p->settings->jwks_url == '\0')
        die(p->service, EX_CONFIG, "JWKS_URL: must be given: where the keys of sessions are");
    if (p->keys == NULL)
        p->keys = session_keys_from_url(p->settings->jwks_url, KEYS_REFRESH_MS, &p->settings->inside);
    add_probe(p, "keys", keys_part_ready, p->keys);
}

static bool given(const char *text) {
    return text != NULL && *text != '\0';
}

static void open_tls(struct process *p) {
    const struct settings *s = p->settings;
    const struct tls_files files = {s->tls_cert, s->tls_key, s->tls_client_ca};
    if (!given(files.cert) && !given(files.key) && !given(files.client_ca)) return;
    struct why w = {0}, line = {0};
    p->tls = tls_open(&files, &w);
    if (p->tls == NULL) {
        why(&line, ST_INVALID, "HTTP_TLS_CERT, HTTP_TLS_KEY, HTTP_TLS_CLIENT_CA: %.180s", w.text);
        die(p->service, EX_CONFIG, line.text);
    }
}

static void renew_tls(struct process *p) {
    if (p->tls == NULL || clock_mono_us() < p->tls_due_us) return;
    p->tls_due_us = clock_mono_us() + TLS_LOOK_MS * INT64_C(1000);
    tls_renew(p->tls);
}

static bool start_http(struct process *p, struct why *w) {
    if (p->service->routes == NULL) return true;
    if (!p->service->no_sessions) start_keys(p);
    struct http_options options = {
        .service = p->service->name,
        .address = p->settings->address,
        .port = (int)p->settings->port,
        .threads = (int)p->settings->threads,
        .routes = p->service->routes,
        .missing = p->service->missing,
        .error_page = p->service->error_page,
        .compress = p->service->compress,
        .large_body = p->service->large_body,
        .lead_back = p->service->lead_back,
        .state = p->state,
        .db = {.url = p->settings->database_url,
               .statements = p->service->statements,
               .statement_timeout_ms = (int)p->settings->statement_timeout_ms,
               .queue_items = (int)p->settings->db_queue,
               .batch_items = (int)p->settings->db_batch},
        .keys = p->keys,
        .secure_cookies = p->settings->secure_cookies,
        .trusted_proxies = p->settings->trusted_proxies,
        .cors_origins = p->settings->cors_origins,
        .tls = p->tls,
    };
    p->http = http_start(&options, w);
    if (p->http != NULL) add_probe(p, "http", http_part_ready, p->http);
    if (p->http != NULL && p->service->serving != NULL) p->service->serving(p->state, p->http);
    return p->http != NULL;
}

static void start_session_ends(struct process *p, struct why *w) {
    if (p->service->routes == NULL || p->service->no_sessions) return;
    p->session_ends =
        session_ends_start(&(struct session_ends_options){.service = p->service->name,
                                                          .brokers = p->settings->brokers,
                                                          .registry_url = p->settings->registry_url,
                                                          .session_ms = p->settings->session_ms,
                                                          .http = p->http},
                           w);
    if (p->session_ends == NULL) die(p->service, EX_CONFIG, w->text);
}

static struct consumer_options consumer_options(const struct service *service,
                                                const struct settings *settings) {
    return (struct consumer_options){.service = service->name,
                                     .database_url = settings->database_url,
                                     .brokers = settings->brokers,
                                     .registry_url = settings->registry_url,
                                     .instance = settings->instance,
                                     .gather_ms = service->gather_ms,
                                     .reactions = service->reactions,
                                     .batch_records = (int)settings->consumer_batch,
                                     .unreadable_wait_ms = settings->unreadable_wait_ms};
}

static void start_events(struct process *p, struct why *w) {
    const struct service *s = p->service;
    if (s->publishes != NULL) {
        p->publisher =
            publisher_start(&(struct publisher_options){.service = s->name,
                                                        .database_url = p->settings->database_url,
                                                        .replication_url = p->settings->replication_url,
                                                        .brokers = p->settings->brokers,
                                                        .registry_url = p->settings->registry_url,
                                                        .logs = s->publishes,
                                                        .retention_ms = p->settings->event_retention_ms,
                                                        .audit = s->audit,
                                                        .watermarks = &topic_watermarks,
                                                        .watermark_ms = p->settings->watermark_ms,
                                                        .cloudevents = p->settings->cloudevents,
                                                        .copies = (int)p->settings->event_copies},
                            w);
        if (p->publisher == NULL) die(s, EX_CONFIG, w->text);
        add_probe(p, "publisher", publisher_part_ready, p->publisher);
    }
    if (s->reactions != NULL) {
        struct consumer_options options = consumer_options(s, p->settings);
        p->consumer = consumer_start(&options, w);
        if (p->consumer == NULL) die(s, EX_CONFIG, w->text);
        add_probe(p, "consumer", consumer_part_ready, p->consumer);
    }
}

static void start_teller(struct process *p, struct why *w) {
    if (p->service->tells == NULL) return;
    p->teller = teller_start(&(struct teller_options){.brokers = p->settings->brokers,
                                                      .registry_url = p->settings->registry_url,
                                                      .tells = p->service->tells,
                                                      .state = p->state},
                             w);
    if (p->teller == NULL) die(p->service, EX_CONFIG, w->text);
}

static void start_stream(struct process *p, struct why *w) {
    const struct service_stream *stream = p->service->stream;
    if (stream == NULL) return;
    p->stream = stream->start(&(struct stream_options){.name = p->service->name,
                                                       .brokers = p->settings->brokers,
                                                       .registry_url = p->settings->registry_url,
                                                       .instance = p->settings->instance,
                                                       .unreadable_wait_ms = p->settings->unreadable_wait_ms},
                              w);
    if (p->stream == NULL) die(p->service, EX_CONFIG, w->text);
    add_probe(p, "stream", stream->ready, p->stream);
}

static void start(struct process *p) {
    struct why w = {0};
    const struct service *s = p->service;
    enum status st = s->start == NULL ? ST_OK : s->start(p->settings, &p->state, &p->keys, &w);
    if (st != ST_OK) die(s, st == ST_INVALID ? EX_CONFIG : EX_UNAVAILABLE, w.text);
    open_tls(p);
    p->admin = admin_start(p->loop, p->settings->address, (int)p->settings->admin_port, p->probes, &w);
    if (p->admin == NULL || !start_http(p, &w)) die(s, EX_UNAVAILABLE, w.text);
    start_events(p, &w);
    start_stream(p, &w);
    start_teller(p, &w);
    start_session_ends(p, &w); /* last: what those refuse is all that is said then */
    if (p->http != NULL)
        log_info("service", "listening on %s port %d%s", p->settings->address, http_port(p->http),
                 p->tls == NULL ? "" : " by TLS");
}

/* --- the end --- */

static int left_ms(const struct process *p, int kept_ms) {
    int64_t remaining_ms = EXIT_BUDGET_MS - kept_ms - (clock_mono_us() - p->told_us) / 1000;
    return remaining_ms > 0 ? (int)remaining_ms : 0;
}

/* On a thread of its own, so that the loop goes on answering /readyz and /metrics. */
static void *stop_parts(void *process) {
    struct process *p = process;
    int kept_ms = (p->publisher != NULL ? PUBLISH_MS : 0) + (p->consumer != NULL ? CONSUMER_STOP_MS : 0);
    clock_wait(-1, clock_mono_us() + p->settings->drain_delay_ms * 1000);
    if (p->http != NULL) http_drain(p->http, left_ms(p, kept_ms));
    session_ends_stop(p->session_ends, left_ms(p, kept_ms));
    if (p->stream != NULL) p->service->stream->stop(p->stream, left_ms(p, kept_ms));
    if (p->consumer != NULL) consumer_stop(p->consumer, CONSUMER_STOP_MS);
    if (p->publisher != NULL) publisher_stop(p->publisher, left_ms(p, TELLER_STOP_MS));
    teller_stop(p->teller, TELLER_STOP_MS); /* last: what the others did at their ends is counted, too */
    p->stopped = true;
    return NULL;
}

static void on_limit(int signal) {
    (void)signal;
    static const char text[] = "did not end in time, leaving\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(EX_TEMPFAIL);
}

static void on_signal(h2o_socket_t *sock, const char *err) {
    (void)err;
    struct process *p = sock->data;
    struct signalfd_siginfo info;
    if (read(h2o_socket_get_fd(sock), &info, sizeof info) != (ssize_t)sizeof info) return;
    if (p->told_us != 0) {
        log_warn("service", "told to stop again: leaving at once");
        _exit(EX_TEMPFAIL);
    }
    log_info("service", "%s: stopping", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
    p->told_us = clock_mono_us();
    alarm(EXIT_LIMIT_S);
    p->stopper = thread_start("stopper", stop_parts, p);
}

static void free_parts(struct process *p) {
    pthread_join(p->stopper, NULL);
    if (p->service->stop != NULL) p->service->stop(p->state);
    if (p->http != NULL) http_free(p->http);
    tls_free(p->tls);
    session_keys_free(p->keys);
    admin_free(p->admin);
    h2o_socket_close(p->signals);
    h2o_evloop_destroy(p->loop);
}

/* --- the process --- */

/* Before any thread starts, because threads inherit what is blocked. */
static void take_signals(struct process *p) {
    sigset_t told;
    sigemptyset(&told);
    sigaddset(&told, SIGTERM);
    sigaddset(&told, SIGINT);
    int fd = signalfd(-1, &told, SFD_NONBLOCK | SFD_CLOEXEC);
    p->signals = h2o_evloop_socket_create(p->loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    p->signals->data = p;
    h2o_socket_read_start(p->signals, on_signal);
    sigaddset(&told, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &told, NULL);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_limit}, NULL);
}

/* Each client takes one; the usual limit of 1,024 is there for programs that use select(). */
static void allow_many_files(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* Its memory has keys, passwords and sessions. A pattern that pipes core dumps ignores the limit, but not
 * that the process is not dumpable. */
static void forbid_core_dumps(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    prctl(PR_SET_DUMPABLE, 0);
}

static int run(const struct service *service) {
    struct process p = {.service = service, .started_us = clock_mono_us()};
    allow_many_files();
    /* With an arena for each thread malloc would take more memory than the thread itself. */
    mallopt(M_ARENA_MAX, 2); /* NOLINT(concurrency-mt-unsafe): there are no threads yet */
    struct why w = {0};
    p.settings = settings_load(service, RUN_SERVICE, &w);
    if (p.settings == NULL) die(service, EX_CONFIG, w.text);
    if (!p.settings->core_dumps) forbid_core_dumps();
    log_setup(service->name, p.settings->log_level);
    add_probe(&p, "service", process_ready, &p);
    p.loop = h2o_evloop_create();
    take_signals(&p);
    start(&p);
    while (!p.stopped) {
        h2o_compat_run(p.loop, p.said_ready && p.told_us == 0 ? 1000 : 10);
        say_when_ready(&p);
        renew_tls(&p);
    }
    free_parts(&p);
    log_info("service", "stopped after %lld ms", (long long)(clock_mono_us() - p.told_us) / 1000);
    return EX_OK;
}

static int run_migrate(const struct service *service) {
    struct why w = {0};
    const struct settings *settings = settings_load(service, RUN_MIGRATE, &w);
    if (settings == NULL) die(service, EX_CONFIG, w.text);
    log_setup(service->name, settings->log_level);
    const struct migrate_set *const sets[] = {&consumer_schema, &publisher_schema, service->schema, NULL};
    bool split = settings->owner_url != NULL && settings->owner_url[0] != '\0';
    const char *serving = split ? settings->database_url : NULL;
    const char *owner = split ? settings->owner_url : settings->database_url;
    enum status st = service->schema == NULL ? ST_OK : migrate(owner, serving, sets, &w);
    if (st == ST_OK) return EX_OK;
    fprintf(stderr, "%s: migrate: %s\n", service->name, w.text);
    return st == ST_LOST || st == ST_TIMEOUT ? EX_TEMPFAIL : EX_SOFTWARE;
}

static int run_dead_letters(const struct service *service, bool apply) {
    struct why w = {0};
    const struct settings *settings = settings_load(service, RUN_DEAD_LETTERS, &w);
    if (settings == NULL) die(service, EX_CONFIG, w.text);
    log_setup(service->name, settings->log_level);
    struct consumer_options options = consumer_options(service, settings);
    int left = 0;
    enum status st =
        apply ? dead_letters_apply(&options, stdout, &left, &w) : dead_letters_list(&options, stdout, &w);
    if (st == ST_OK) return left == 0 ? EX_OK : EX_DATAERR;
    fprintf(stderr, "%s: dead-letters: %s\n", service->name, w.text);
    return EX_TEMPFAIL;
}

static void usage(const struct service *service, FILE *out) {
    fprintf(out, "usage: %s            run until SIGTERM or SIGINT\n", service->name);
    if (service->stream == NULL)
        fprintf(out, "       %s migrate    bring the database up to date\n", service->name);
    if (service->reactions != NULL)
        fprintf(out,
                "       %s dead-letters [--apply]    show the records that could not be read; apply them\n",
                service->name);
    fprintf(out, "       %s --help\n", service->name);
}

int service_main(int argc, char **argv, const struct service *service) {
    if (argc == 1) return run(service);
    if (argc == 2 && service->stream == NULL && strcmp(argv[1], "migrate") == 0) return run_migrate(service);
    if (argc >= 2 && argc <= 3 && service->reactions != NULL && strcmp(argv[1], "dead-letters") == 0 &&
        (argc == 2 || strcmp(argv[2], "--apply") == 0))
        return run_dead_letters(service, argc == 3);
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        usage(service, stdout);
        fputs("\nSettings are environment variables:\n\n", stdout);
        settings_help(service, stdout);
        return EX_OK;
    }
    usage(service, stderr);
    return EX_USAGE;
}
