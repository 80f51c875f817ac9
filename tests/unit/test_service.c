/* service: a process from its settings to its end. Each service is a child of this test. */
#include "http_fixture.h"

#include <sys/wait.h>
#include <sysexits.h>

#include "pg_test.h"
#include "service.h"
#include "session_forge.h"

/* --- the service under test --- */

static char *jwks;
static bool refuse_setting, fail_to_start, hang_at_stop;
static int64_t own_setting;

static void say_state(struct req *rq) {
    json_text(req_json(rq), str_of(req_service(rq)));
    req_reply(rq, 200);
}

static void say_one(struct req *rq, const struct rows *rows) {
    json_int(req_json(rq), row_int(rows, 0, 1));
    req_reply(rq, 200);
}

static const uint32_t ints[] = {23};
static const struct sql gated = {
    "gated",
    "with gate as materialized (select pg_advisory_xact_lock_shared(7))"
    " select ordinal, n from gate, unnest($1::int[]) with ordinality as r (n, ordinal)",
    1,
    false,
    ints,
    false,
    0};
static const struct sql *const statements[] = {&gated, NULL};

static void ask_gated(struct req *rq) {
    struct sql_params *item = req_exec(rq, &gated, say_one);
    if (item != NULL) put_int(item, 1);
}

static const struct route routes[] = {{"GET", "/state", say_state, 0}, {"GET", "/gated", ask_gated, 0}, {0}};
static const struct migrate_file migrations[] = {{"100_things", "create table things (id int primary key)"},
                                                 {0}};
static const struct migrate_file functions[] = {
    {"one", "create or replace function one() returns int language sql as $$select 1$$"}, {0}};
static const struct migrate_set schema = {migrations, functions};
static const struct config_var own[] = {
    {"T_OWN", CONFIG_INT, &own_setting, "7", "a setting of its own", 1, 9}, {0}};

static enum status start(const struct settings *settings, void **state, struct session_keys **keys,
                         struct why *w) {
    (void)settings;
    if (refuse_setting) return why(w, ST_INVALID, "T_OWN: must be lucky, got \"7\"");
    if (fail_to_start) return why(w, ST_FAILED, "no luck");
    if (jwks != NULL) *keys = session_keys_fixed(keyset_parse(str_of(jwks), w));
    *state = "of its own";
    return ST_OK;
}

static void stop(void *state) {
    (void)state;
    while (hang_at_stop)
        pause();
}

static const struct service service = {.name = "things",
                                       .config = own,
                                       .schema = &schema,
                                       .statements = statements,
                                       .routes = routes,
                                       .start = start,
                                       .stop = stop};

/* A stream: a thread of its own in a real one, here only what it is told. */
static int stream_left_ms;

static void *start_stream(const struct stream_options *o, struct why *w) {
    if (refuse_setting) why(w, ST_INVALID, "Kafka property x: no such property");
    bool told = strcmp(o->name, "things") == 0 && strcmp(o->brokers, "b:1") == 0 &&
                strcmp(o->registry_url, "r:2") == 0 && strcmp(o->instance, "third") == 0;
    return refuse_setting || !told ? NULL : &stream_left_ms;
}

static bool stream_ready(void *stream, struct why *w) {
    (void)w;
    return stream == &stream_left_ms;
}

static void stop_stream(void *stream, int timeout_ms) {
    *(int *)stream = timeout_ms;
    log_info("stream", "has %s to stop", timeout_ms > 8000 && timeout_ms < 10000 ? "enough" : "not enough");
}

static const struct service_stream stream = {start_stream, stream_ready, stop_stream};
static const struct service streaming = {.name = "things", .config = own, .stream = &stream};
static const struct service *running = &service;

/* --- running it --- */

static char url[512];
static PGconn *admin;
static int port, admin_port_number;
static FILE *output;
static pid_t child;

static int free_port(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    assert_return_code(bind(fd, (struct sockaddr *)&at, sizeof at), errno);
    getsockname(fd, (struct sockaddr *)&at, &n);
    close(fd);
    return ntohs(at.sin_port);
}

static void set_number(const char *name, int n) {
    char text[16];
    snprintf(text, sizeof text, "%d", n);
    setenv(name, text, 1);
}

static int reset(void **state) {
    (void)state;
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    free(jwks);
    jwks = jwks_of(pkey, NULL);
    EVP_PKEY_free(pkey);
    refuse_setting = fail_to_start = hang_at_stop = false;
    port = free_port();
    admin_port_number = free_port();
    set_number("HTTP_PORT", port);
    set_number("ADMIN_PORT", admin_port_number);
    setenv("DATABASE_URL", url, 1);
    setenv("KAFKA_BROKERS", "127.0.0.1:1", 1); /* away: nobody's session has ended */
    setenv("SCHEMA_REGISTRY_URL", "http://127.0.0.1:1", 1);
    static const char *const others[] = {"LOG_LEVEL", "TRUSTED_PROXIES", "CORS_ORIGINS", "DRAIN_DELAY",
                                         "T_OWN",     "JWKS_URL",        "HTTP_THREADS"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        unsetenv(others[i]);
    running = &service;
    output = tmpfile();
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    child = 0;
    fclose(output);
    test_exec(admin, "select pg_advisory_unlock_all()");
    return 0;
}

static void launch(const char *word) {
    fflush(NULL);
    child = fork();
    if (child > 0) return;
    dup2(fileno(output), STDOUT_FILENO);
    dup2(fileno(output), STDERR_FILENO);
    char *argv[] = {"things", (char *)word, NULL};
    exit(service_main(word == NULL ? 1 : 2, argv, running));
}

static int wait_for_end(void) {
    int status;
    hx_until(waitpid(child, &status, WNOHANG) == child);
    child = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static const char *said(void) {
    static char text[65536];
    ssize_t n = pread(fileno(output), text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static int run(const char *word) {
    launch(word);
    return wait_for_end();
}

/* A refusal is one line on stderr. */
static void expect_refused(int code, const char *line) {
    assert_int_equal(run(NULL), code);
    assert_string_equal(said(), line);
    rewind(output);
    assert_return_code(ftruncate(fileno(output), 0), errno);
}

static struct hx_answer *ask(int at, const char *path) {
    hx_port = at;
    return hx_get(path);
}

static bool listens(int at) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)at), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool yes = connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
    close(fd);
    return yes;
}

static void launch_ready(void) {
    launch(NULL);
    hx_until(listens(admin_port_number) && ask(admin_port_number, "/readyz")->status == 200);
}

/* --- settings --- */

static void help_lists_what_it_needs(void **state) {
    (void)state;
    assert_int_equal(run("--help"), EX_OK);
    const char *text = said();
    static const char *const listed[] = {"T_OWN",         "HTTP_PORT",         "ADMIN_PORT",
                                         "DATABASE_URL",  "STATEMENT_TIMEOUT", "LOG_LEVEL",
                                         "things migrate"};
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++)
        assert_non_null(strstr(text, listed[i]));
    assert_non_null(
        strstr(text, "KAFKA_BROKERS")); /* it has no events, but is told which sessions have ended */
    assert_null(strstr(text, url));
}

static void other_words_are_refused(void **state) {
    (void)state;
    assert_int_equal(run("dance"), EX_USAGE);
    assert_non_null(strstr(said(), "usage: things"));
}

static void bad_settings_are_one_line(void **state) {
    (void)state;
    setenv("T_OWN", "10", 1);
    expect_refused(EX_CONFIG, "things: T_OWN: must be a number from 1 to 9, got \"10\"\n");
    unsetenv("T_OWN");
    setenv("LOG_LEVEL", "loud", 1);
    expect_refused(EX_CONFIG, "things: LOG_LEVEL: must be debug, info, warn or error, got \"loud\"\n");
    unsetenv("LOG_LEVEL");
    setenv("TRUSTED_PROXIES", "everybody", 1);
    expect_refused(
        EX_CONFIG,
        "things: TRUSTED_PROXIES: must be addresses or blocks like 10.0.0.0/8, got \"everybody\"\n");
    unsetenv("TRUSTED_PROXIES");
    setenv("CORS_ORIGINS", "https://shop.example,*", 1);
    expect_refused(EX_CONFIG, "things: CORS_ORIGINS: must be origins like https://shop.example, got \"*\"\n");
    unsetenv("CORS_ORIGINS");
    unsetenv("HTTP_PORT");
    expect_refused(EX_CONFIG,
                   "things: HTTP_PORT: must be given: a number from 1 to 65535 (Port of the API)\n");
    set_number("HTTP_PORT", port);
    refuse_setting = true;
    expect_refused(EX_CONFIG, "things: T_OWN: must be lucky, got \"7\"\n");
    refuse_setting = false;
    free(jwks);
    jwks = NULL;
    expect_refused(EX_CONFIG, "things: JWKS_URL: must be given: where the keys of sessions are\n");
}

static void without_sessions_it_needs_no_keys(void **state) {
    (void)state;
    struct service anonymous = service;
    anonymous.no_sessions = true;
    running = &anonymous;
    free(jwks);
    jwks = NULL;
    assert_int_equal(run("--help"), EX_OK);
    assert_null(strstr(said(), "JWKS_URL"));
    assert_null(strstr(said(), "SECURE_COOKIES"));
    assert_null(strstr(said(), "KAFKA_BROKERS"));
    launch_ready();
    kill(child, SIGTERM);
    assert_int_equal(wait_for_end(), EX_OK);
}

static void what_cannot_start_says_why(void **state) {
    (void)state;
    fail_to_start = true;
    expect_refused(EX_UNAVAILABLE, "things: no luck\n");
    fail_to_start = false;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_return_code(bind(fd, (struct sockaddr *)&at, sizeof at), errno);
    assert_return_code(listen(fd, 1), errno);
    char line[256];
    snprintf(
        line, sizeof line,
        "things: cannot listen on 127.0.0.1 port %d: Address already in use; stop the other process or choose another "
        "port\n",
        port);
    expect_refused(EX_UNAVAILABLE, line);
    close(fd);
}

static void migrating(void **state) {
    (void)state;
    unsetenv("HTTP_PORT"); /* which it does not need */
    for (int i = 0; i < 2; i++) {
        int code = run("migrate");
        if (code != EX_OK) fail_msg("%d: %s", code, said());
        assert_int_equal(test_count(admin, "select count(*) from things"), 0);
        assert_int_equal(test_count(admin, "select one()"), 1);
    }
    setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none", 1);
    assert_int_equal(run("migrate"), EX_TEMPFAIL);
    assert_non_null(strstr(said(), "things: migrate: "));
}

/* --- life --- */

static void a_life(void **state) {
    (void)state;
    launch_ready();
    hx_expect(ask(port, "/state"), 200, "\"of its own\"");
    hx_expect(ask(port, "/gated"), 200, "1");
    struct hx_answer *a = ask(admin_port_number, "/metrics");
    assert_non_null(
        strstr(a->body, "onsale_http_requests_total{method=\"GET\",route=\"/state\",status=\"2xx\"} 1\n"));
    assert_non_null(
        strstr(a->body, "onsale_http_request_duration_seconds_count{method=\"GET\",route=\"/gated\"} 1\n"));
    kill(child, SIGTERM);
    assert_int_equal(wait_for_end(), EX_OK);
    assert_false(listens(port));
    static const char *const lines[] = {"\"message\":\"ready after ", "\"message\":\"SIGTERM: stopping\"",
                                        "\"message\":\"stopped after "};
    for (int i = 0; i < 3; i++)
        assert_non_null(strstr(said(), lines[i]));
}

/* The line of the request whose route this is, parsed. */
static json_t *request_line(const char *route) {
    char *text = strdup(said()), *rest = text;
    json_t *found = NULL;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        json_t *j = json_loads(line, 0, NULL);
        if (*line != '\0') assert_non_null(j);
        const char *of = json_string_value(json_object_get(j, "route"));
        if (of != NULL && strcmp(of, route) == 0)
            found = j;
        else
            json_decref(j);
    }
    free(text);
    return found;
}

static void requests_are_logged_without_secrets(void **state) {
    (void)state;
    launch_ready();
    hx_port = port;
    struct hx_answer *a = hx_request("GET /state?token=hunter2",
                                     "Cookie: session=hunter2\r\nAuthorization: Bearer hunter2\r\n", NULL);
    char trace[64];
    snprintf(trace, sizeof trace, "%.32s", hx_header(a, "traceparent") + 3);
    hx_get("/hunter2");
    kill(child, SIGINT);
    assert_int_equal(wait_for_end(), EX_OK);
    json_t *line = request_line("/state");
    assert_string_equal(json_string_value(json_object_get(line, "method")), "GET");
    assert_string_equal(json_string_value(json_object_get(line, "level")), "info");
    assert_string_equal(json_string_value(json_object_get(line, "service")), "things");
    assert_string_equal(json_string_value(json_object_get(line, "trace")), trace);
    assert_int_equal(json_integer_value(json_object_get(line, "status")), 200);
    assert_int_equal(json_integer_value(json_object_get(line, "bytes")), 12);
    assert_in_range(json_integer_value(json_object_get(line, "duration_us")), 0, 10000000);
    json_decref(line);
    assert_non_null(strstr(said(), "\"service\":\"things\",\"status\":404,"));
    assert_null(strstr(said(), "hunter2"));
}

static void it_is_not_ready_before_its_database(void **state) {
    (void)state;
    setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none", 1);
    launch(NULL);
    hx_until(listens(admin_port_number));
    hx_until(strstr(ask(admin_port_number, "/readyz")->body, "database connections") != NULL);
    assert_int_equal(ask(admin_port_number, "/healthz")->status, 200);
    kill(child, SIGTERM);
    assert_int_equal(wait_for_end(), EX_OK);
}

static void the_end_lets_requests_finish(void **state) {
    (void)state;
    setenv("DRAIN_DELAY", "300ms", 1);
    launch_ready();
    test_exec(admin, "select pg_advisory_lock(7)");
    hx_port = port;
    struct hx_conn *c = hx_connect();
    hx_send(c, "GET /gated HTTP/1.1\r\nHost: x\r\n\r\n");
    hx_until(test_count(admin, "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
                               "datname = current_database()") > 0);
    int64_t told = clock_mono_us();
    kill(child, SIGTERM);
    hx_until(ask(admin_port_number, "/readyz")->status == 503);
    hx_until(!listens(port)); /* not at once: balancers may not know yet */
    assert_in_range(clock_mono_us() - told, 290000, 5000000);
    assert_non_null(strstr(ask(admin_port_number, "/readyz")->body, "shutting down"));
    test_exec(admin, "select pg_advisory_unlock(7)");
    hx_expect(hx_receive(c, false), 200, "1");
    assert_int_equal(wait_for_end(), EX_OK);
    hx_close(c);
}

static void told_twice_it_leaves_at_once(void **state) {
    (void)state;
    setenv("DRAIN_DELAY", "3s", 1);
    launch_ready();
    kill(child, SIGTERM);
    hx_until(strstr(said(), "SIGTERM: stopping") != NULL);
    kill(child, SIGTERM);
    assert_int_equal(wait_for_end(), EX_TEMPFAIL);
}

static void a_part_that_hangs_does_not_keep_it(void **state) {
    (void)state;
    hang_at_stop = true;
    launch_ready();
    int64_t begun = clock_mono_us();
    kill(child, SIGTERM);
    assert_int_equal(wait_for_end(), EX_TEMPFAIL);
    assert_in_range(clock_mono_us() - begun, 9000000, 12000000);
    assert_non_null(strstr(said(), "did not end in time"));
}

static void a_stream_has_no_api_and_no_database(void **state) {
    (void)state;
    running = &streaming;
    unsetenv("HTTP_PORT");
    unsetenv("DATABASE_URL");
    setenv("KAFKA_BROKERS", "b:1", 1);
    setenv("SCHEMA_REGISTRY_URL", "r:2", 1);
    setenv("INSTANCE_ID", "third", 1);
    assert_int_equal(run("--help"), EX_OK);
    static const char *const no_words[] = {"migrate", "HTTP_PORT", "JWKS_URL", "DATABASE_URL"};
    for (size_t i = 0; i < sizeof no_words / sizeof *no_words; i++)
        assert_null(strstr(said(), no_words[i]));
    assert_int_equal(run("migrate"), EX_USAGE);
    launch_ready();
    kill(child, SIGTERM);
    assert_int_equal(wait_for_end(), EX_OK);
    assert_non_null(strstr(said(), "has enough to stop"));
}

static void a_stream_refuses_a_setting(void **state) {
    (void)state;
    refuse_setting = true;
    setenv("KAFKA_BROKERS", "b:1", 1);
    setenv("SCHEMA_REGISTRY_URL", "r:2", 1);
    static const struct service alone = {.name = "things", .stream = &stream};
    running = &alone;
    expect_refused(EX_CONFIG, "things: Kafka property x: no such property\n");
}

/* Accepts connections and says nothing: clients of it have nothing to log. */
static int silent_broker(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    char address[32];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&at, size), errno);
    assert_return_code(listen(fd, 8), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&at, &size), errno);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(at.sin_port));
    setenv("KAFKA_BROKERS", address, 1);
    return fd;
}

static void a_publisher_refuses_a_setting(void **state) {
    (void)state;
    int broker = silent_broker();
    setenv("SCHEMA_REGISTRY_URL", "r:2", 1);
    setenv("RDKAFKA_ACKS", "0", 1);
    struct service publishing = service;
    publishing.publishes = (const struct publisher_log[]){
        {.table = "thing_events", .topic = &(const struct topic){.name = "things"}}, {0}};
    running = &publishing;
    expect_refused(EX_CONFIG,
                   "things: Kafka property acks must stay -1: unset the RDKAFKA_ variable that says 0\n");
    unsetenv("RDKAFKA_ACKS");
    close(broker);
}

static void bind_nothing(struct sql_params *item, const void *event, struct str traceparent) {
    (void)item, (void)event, (void)traceparent;
}

static void a_consumer_refuses_a_setting(void **state) {
    (void)state;
    static const struct avro_type type = {.name = "Thing", .size = 1};
    static const struct topic topic = {.name = "things", .type = &type};
    static const struct reaction reactions[] = {{&topic, 0, &gated, bind_nothing}, {0}};
    static const struct service reacting = {.name = "things", .schema = &schema, .reactions = reactions};
    running = &reacting;
    setenv("KAFKA_BROKERS", "b:1", 1);
    setenv("SCHEMA_REGISTRY_URL", "r:2", 1);
    setenv("RDKAFKA_GROUP_ID", "other", 1);
    expect_refused(EX_CONFIG, "things: Kafka property group.id must stay onsale-things: unset the RDKAFKA_ "
                              "variable that says other\n");
    unsetenv("RDKAFKA_GROUP_ID");
}

static int set_up(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    test_create_database("service", url, sizeof url);
    admin = test_connect(url);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(jwks);
    PQfinish(admin);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, clean_up)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(help_lists_what_it_needs),
        TEST(other_words_are_refused),
        TEST(bad_settings_are_one_line),
        TEST(without_sessions_it_needs_no_keys),
        TEST(what_cannot_start_says_why),
        TEST(migrating),
        TEST(a_life),
        TEST(requests_are_logged_without_secrets),
        TEST(it_is_not_ready_before_its_database),
        TEST(the_end_lets_requests_finish),
        TEST(told_twice_it_leaves_at_once),
        TEST(a_part_that_hangs_does_not_keep_it),
        TEST(a_stream_has_no_api_and_no_database),
        TEST(a_stream_refuses_a_setting),
        TEST(a_publisher_refuses_a_setting),
        TEST(a_consumer_refuses_a_setting),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
