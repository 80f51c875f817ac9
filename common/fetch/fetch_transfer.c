#include "priv/fetch_transfer.h"

#include <stdlib.h>

#include "buf.h"
#include "mem.h"

void fetch_transfer_init(struct fetch_transfer *t, const struct fetch_request *r,
                         const struct fetch_options *options) {
    *t = (struct fetch_transfer){
        .method = mem_strdup(r->method), .url = mem_strdup(r->url), .max_answer = options->max_answer};
    for (int i = 0; r->headers != NULL && r->headers[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(t->headers, r->headers[i]);
        if (longer == NULL) abort();
        t->headers = longer;
    }
    buf_add(&t->body, r->body.p, r->body.n);
}

void fetch_transfer_destroy(struct fetch_transfer *t) {
    curl_slist_free_all(t->headers);
    buf_free(&t->body);
    buf_free(&t->answer);
    free(t->method);
    free(t->url);
}

static size_t on_bytes(char *bytes, size_t size, size_t n, void *arg) {
    struct fetch_transfer *t = arg;
    if (size * n > t->max_answer - t->answer.len) return 0; /* curl ends the transfer */
    buf_add(&t->answer, bytes, size * n);
    return size * n;
}

static bool given(const char *path) {
    return path != NULL && *path != '\0';
}

/* curl would keep an authority for a day. */
static void describe_tls(CURL *easy, const struct fetch_tls *tls) {
    if (given(tls->ca)) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    }
    if (!given(tls->cert)) return;
    curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key);
}

void fetch_transfer_describe(struct fetch_transfer *t, CURL *easy, const struct fetch_options *options,
                             int timeout_ms) {
    curl_easy_setopt(easy, CURLOPT_URL, t->url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, options->no_reuse ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    describe_tls(easy, &options->tls);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    if (t->body.len > 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->body.data); /* not copied: lives with t */
    } else if (strcmp(t->method, "POST") == 0)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, t->method);
}

static enum status status_of(CURLcode result) {
    switch (result) {
    case CURLE_OK:
        return ST_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return ST_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ST_INVALID;
    default:
        return ST_LOST;
    }
}

struct fetch_answer fetch_transfer_answer(struct fetch_transfer *t, CURL *easy, CURLcode result) {
    struct fetch_answer answer = {.st = status_of(result), .easy = easy};
    if (answer.st != ST_OK) {
        answer.why = curl_easy_strerror(result);
        return answer;
    }
    long code = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    answer.code = (int)code;
    buf_reserve(&t->answer, 1);
    t->answer.data[t->answer.len] = '\0';
    answer.body = buf_str(&t->answer);
    return answer;
}
