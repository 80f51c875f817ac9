/* The client: one request at a time over one connection, each with a deadline. */
#include "registry.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "fetch_blocking.h"
#include "mem.h"
#include "percent.h"

enum {
    CONNECT_TIMEOUT_MS = 2000,
    ANSWER_TIMEOUT_MS =
        5000, /* a registry that compares a schema with many versions takes a second at the worst */
    MAX_ANSWER = 1024 * 1024, /* schemas are kilobytes; bounded because it is kept in memory */
    /* Confluent's error codes in the body. A 404 without it is not from a registry. */
    NO_SUCH_SCHEMA = 40403,
    NO_SUBJECT = 40401,
    NO_LEVEL = 40408,
};

struct registry {
    char *url; /* without a slash at the end; never shown, it may hold a password */
    struct fetch_blocking *client;
};

/* What came back. */
struct answer {
    int code;     /* of HTTP */
    json_t *body; /* an object, or NULL */
};

static struct { const char *user, *password; } login;

const struct config_var registry_settings[] = {
    {"SCHEMA_REGISTRY_USER", CONFIG_TEXT, &login.user, "",
     "Who we are to the schema registry, by basic authentication; without one, nobody, or whom the URL names",
     0, 0},
    {"SCHEMA_REGISTRY_PASSWORD", CONFIG_SECRET, &login.password, "", "The password of SCHEMA_REGISTRY_USER",
     0, 0},
    {0},
};

/* The URL with who we are in it. */
static char *url_as_user(const char *url) {
    const char *host = strstr(url, "://");
    if (login.user == NULL || *login.user == '\0' || host == NULL) return mem_strdup(url);
    host += strlen("://");
    struct buf out = {0};
    buf_add(&out, url, (size_t)(host - url));
    percent_encode(&out, str_of(login.user));
    buf_printf(&out, ":");
    percent_encode(&out, str_of(login.password));
    buf_printf(&out, "@");
    buf_add(&out, host, strlen(host) + 1);
    return (char *)out.data;
}

struct registry *registry_new(const char *url) {
    struct registry *r = mem_alloc(sizeof *r);
    r->url = url_as_user(url);
    for (size_t n = strlen(r->url); n > 0 && r->url[n - 1] == '/'; n--)
        r->url[n - 1] = '\0';
    r->client = fetch_blocking_new(
        &(struct fetch_options){.connect_timeout_ms = CONNECT_TIMEOUT_MS, .max_answer = MAX_ANSWER});
    return r;
}

void registry_free(struct registry *r) {
    if (r == NULL) return;
    fetch_blocking_free(r->client);
    free(r->url);
    free(r);
}

/* --- one request --- */

static struct fetch_answer perform(struct registry *r, const char *method, const char *path,
                                   const char *body) {
    static const char *const headers[] = {"Content-Type: application/vnd.schemaregistry.v1+json", NULL};
    struct buf url = {0};
    buf_printf(&url, "%s%s", r->url, path);
    buf_add(&url, "", 1);
    struct fetch_answer answer =
        fetch_blocking_perform(r->client, &(struct fetch_request){.method = method,
                                                                  .url = (const char *)url.data,
                                                                  .headers = headers,
                                                                  .body = str_of(body),
                                                                  .timeout_ms = ANSWER_TIMEOUT_MS});
    buf_free(&url);
    return answer;
}

/* The status of an answer that is no success. Busy or broken may pass; anything else is a refusal. */
static enum status refusal(const struct answer *a, const char *method, const char *path, struct why *w) {
    const char *words = json_string_value(json_object_get(a->body, "message"));
    enum status st = a->code >= 500 || a->code == 408 || a->code == 429 ? ST_LOST : ST_FAILED;
    return why(w, st, "schema registry: %s %s: %d %s", method, path, a->code,
               words != NULL ? words : "without a registry's words; is its URL right?");
}

/* Asks for path below the URL. ST_OK: a 2xx with a JSON object, which is the caller's to json_decref. With
 * another code a->body is there too, if the answer had one. */
static enum status ask(struct registry *r, const char *method, const char *path, const char *body,
                       struct answer *a, struct why *w) {
    struct fetch_answer came = perform(r, method, path, body);
    *a = (struct answer){.code = came.code};
    if (came.st != ST_OK) return why(w, ST_LOST, "schema registry: %s %s: %s", method, path, came.why);
    a->body = json_loadb(came.body.p, came.body.n, 0, NULL);
    if (!json_is_object(a->body)) {
        json_decref(a->body);
        a->body = NULL;
    }
    return a->code >= 200 && a->code < 300 && a->body != NULL ? ST_OK : refusal(a, method, path, w);
}

static int error_code(const struct answer *a) {
    return (int)json_integer_value(json_object_get(a->body, "error_code"));
}

/* --- what is asked --- */

/* Whether a level lets consumers read what was written before, as BACKWARD does. */
static bool at_least_backward(const char *level) {
    static const char *const levels[] = {"BACKWARD", "BACKWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(level, levels[i]) == 0) return true;
    return false;
}

/* The level at path; empty if there is none, or the registry does not know the subject. */
static enum status read_level(struct registry *r, const char *path, char level[32], struct why *w) {
    struct answer a;
    struct why reason;
    enum status st = ask(r, "GET", path, NULL, &a, &reason);
    const char *told = json_string_value(json_object_get(a.body, "compatibilityLevel"));
    snprintf(level, 32, "%s", st == ST_OK && told != NULL ? told : "");
    bool none = a.code == 404 && (error_code(&a) == NO_LEVEL || error_code(&a) == NO_SUBJECT);
    json_decref(a.body);
    return st == ST_OK || none ? ST_OK : why(w, st, "%s", reason.text);
}

/* Sees to it that the subject has a level of its own, BACKWARD or stricter. What an operator chose for it, or
 * for all subjects, is kept if it is as strict. */
static enum status ensure_level(struct registry *r, const char *subject, struct why *w) {
    char path[512], own[32], all[32];
    snprintf(path, sizeof path, "/config/%s", subject);
    enum status st = read_level(r, path, own, w);
    if (st != ST_OK || at_least_backward(own)) return st;
    st = read_level(r, "/config", all, w);
    if (st != ST_OK) return st;
    char body[64];
    struct answer a;
    snprintf(body, sizeof body, "{\"compatibility\":\"%s\"}", at_least_backward(all) ? all : "BACKWARD");
    st = ask(r, "PUT", path, body, &a, w);
    json_decref(a.body);
    return st;
}

enum status registry_register(struct registry *r, const char *subject, const char *schema, int32_t *id,
                              struct why *w) {
    enum status st = ensure_level(r, subject, w);
    if (st != ST_OK) return st;

    char path[512];
    struct answer a;
    json_t *request = json_pack("{s:s}", "schema", schema);
    char *body = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (body == NULL) return why(w, ST_FAILED, "schema registry: the schema of %s is no text", subject);
    snprintf(path, sizeof path, "/subjects/%s/versions", subject);
    st = ask(r, "POST", path, body, &a, w);
    free(body);
    json_t *given = json_object_get(a.body, "id");
    if (st == ST_OK &&
        (!json_is_integer(given) || json_integer_value(given) < 0 || json_integer_value(given) > INT32_MAX))
        st = why(w, ST_FAILED, "schema registry: POST %s: answered without an id", path);
    if (st == ST_OK) *id = (int32_t)json_integer_value(given);
    json_decref(a.body);
    return st;
}

enum status registry_register_topic(struct registry *r, const struct topic *topic, int32_t *id,
                                    struct why *w) {
    char subject[128];
    snprintf(subject, sizeof subject, "%s-value", topic->name);
    return registry_register(r, subject, topic->type->schema, id, w);
}

enum status registry_schema(struct registry *r, int32_t id, char **schema, struct why *w) {
    char path[64];
    struct answer a;
    snprintf(path, sizeof path, "/schemas/ids/%ld", (long)id);
    enum status st = ask(r, "GET", path, NULL, &a, w);
    if (a.code == 404 && error_code(&a) == NO_SUCH_SCHEMA)
        st = why(w, ST_NOT_FOUND, "schema registry: no schema has the id %ld", (long)id);
    const char *text = json_string_value(json_object_get(a.body, "schema"));
    if (st == ST_OK && text == NULL)
        st = why(w, ST_FAILED, "schema registry: GET %s: answered without a schema", path);
    if (st == ST_OK) *schema = mem_strdup(text);
    json_decref(a.body);
    return st;
}
