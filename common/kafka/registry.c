/* The client: one request at a time over one connection, each with a deadline. */
#include "registry.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdlib.h>

enum {
    CONNECT_TIMEOUT_MS = 2000,
    ANSWER_TIMEOUT_MS =
        5000, /* a registry that compares a schema with many versions takes a second at the worst */
    MAX_ANSWER = 1024 * 1024, /* schemas are kilobytes; bounded because it is kept in memory */
    /* Confluent's error codes in the body. Without it a 404 comes from somebody who is no registry. */
    NO_SUCH_SCHEMA = 40403,
};

struct registry {
    char *url; /* without a slash at the end; never shown, it may hold a password */
    CURL *easy;
    struct curl_slist *headers;
    struct buf answer;
};

/* What came back. */
struct answer {
    long code;    /* of HTTP */
    json_t *body; /* an object, or NULL */
};

static size_t on_bytes(char *bytes, size_t size, size_t n, void *arg) {
    struct buf *answer = arg;
    if (size * n > MAX_ANSWER - answer->len) return 0; /* curl ends the transfer */
    buf_add(answer, bytes, size * n);
    return size * n;
}

struct registry *registry_new(const char *url) {
    struct registry *r = mem_alloc(sizeof *r);
    r->url = mem_strdup(url);
    for (size_t n = strlen(r->url); n > 0 && r->url[n - 1] == '/'; n--)
        r->url[n - 1] = '\0';
    curl_global_init(CURL_GLOBAL_DEFAULT); /* counted, and safe from several threads since 7.84 */
    r->easy = curl_easy_init();
    r->headers = curl_slist_append(NULL, "Content-Type: application/vnd.schemaregistry.v1+json");
    if (r->easy == NULL || r->headers == NULL) abort();
    curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
    curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, (long)ANSWER_TIMEOUT_MS);
    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, &r->answer);
    return r;
}

void registry_free(struct registry *r) {
    if (r == NULL) return;
    curl_easy_cleanup(r->easy);
    curl_slist_free_all(r->headers);
    curl_global_cleanup();
    buf_free(&r->answer);
    free(r->url);
    free(r);
}

/* --- one request --- */

static void set_request(struct registry *r, const char *method, const char *body) {
    curl_easy_setopt(r->easy, CURLOPT_HTTPGET, 1L); /* forgets the body and the method of the one before */
    curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, NULL);
    if (body == NULL) return;
    curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, body); /* not copied: lives until the answer */
    curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, method);
}

/* The status of an answer that is not the one hoped for: busy or broken may pass, anything else is a no. */
static enum status refusal(const struct answer *a, const char *method, const char *path, struct why *w) {
    const char *words = json_string_value(json_object_get(a->body, "message"));
    enum status st = a->code >= 500 || a->code == 408 || a->code == 429 ? ST_LOST : ST_FAILED;
    return why(w, st, "schema registry: %s %s: %ld %s", method, path, a->code,
               words != NULL ? words : "without a registry's words; is its URL right?");
}

/* Asks for path below the URL. ST_OK: a 2xx with a JSON object, which is the caller's to json_decref. With
 * another code a->body is there too, if the answer had one. */
static enum status ask(struct registry *r, const char *method, const char *path, const char *body,
                       struct answer *a, struct why *w) {
    *a = (struct answer){0};
    char url[1024];
    if ((size_t)snprintf(url, sizeof url, "%s%s", r->url, path) >= sizeof url)
        return why(w, ST_FAILED, "schema registry: its URL is too long");
    r->answer.len = 0;
    curl_easy_setopt(r->easy, CURLOPT_URL, url);
    set_request(r, method, body);
    CURLcode result = curl_easy_perform(r->easy);
    if (result != CURLE_OK)
        return why(w, ST_LOST, "schema registry: %s %s: %s", method, path, curl_easy_strerror(result));
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &a->code);
    a->body = json_loadb((const char *)r->answer.data, r->answer.len, 0, NULL);
    if (!json_is_object(a->body)) {
        json_decref(a->body);
        a->body = NULL;
    }
    return a->code >= 200 && a->code < 300 && a->body != NULL ? ST_OK : refusal(a, method, path, w);
}

/* --- what is asked --- */

enum status registry_register(struct registry *r, const char *subject, const char *schema, int32_t *id,
                              struct why *w) {
    char path[512];
    struct answer a;
    snprintf(path, sizeof path, "/config/%s", subject);
    enum status st = ask(r, "PUT", path, "{\"compatibility\":\"BACKWARD\"}", &a, w);
    json_decref(a.body);
    if (st != ST_OK) return st;

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
    if (a.code == 404 && json_integer_value(json_object_get(a.body, "error_code")) == NO_SUCH_SCHEMA)
        st = why(w, ST_NOT_FOUND, "schema registry: no schema has the id %ld", (long)id);
    const char *text = json_string_value(json_object_get(a.body, "schema"));
    if (st == ST_OK && text == NULL)
        st = why(w, ST_FAILED, "schema registry: GET %s: answered without a schema", path);
    if (st == ST_OK) *schema = mem_strdup(text);
    json_decref(a.body);
    return st;
}
