#include "smtp.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mem.h"

enum {
    CONNECT_MS = 10000,
    LOOK_MS = 100,
    KEEP_S = 30, /* a connection that is idle for longer is not used again: many servers have closed it */
    ADDRESS = 320,
};

/* What was said last, so what an answer is about. */
enum phase { PHASE_HELLO, PHASE_FROM, PHASE_TO, PHASE_LETTER };

struct smtp {
    struct smtp_options options;
    CURLM *multi;
    CURL *easy;
    enum phase phase;
    struct str left; /* of the letter */
};

/* --- what curl asks and tells --- */

static size_t on_read(char *to, size_t size, size_t n, void *arg) {
    struct smtp *s = arg;
    size_t most = size * n < s->left.n ? size * n : s->left.n;
    if (most > 0) memcpy(to, s->left.p, most);
    s->left.p += most;
    s->left.n -= most;
    return most;
}

/* Commands that go out. Nothing else is looked at: passwords are among it. */
static int on_debug(CURL *easy, curl_infotype type, char *data, size_t n, void *arg) {
    struct smtp *s = arg;
    (void)easy;
    if (type != CURLINFO_HEADER_OUT || n < 4) return 0;
    if (memcmp(data, "MAIL", 4) == 0) s->phase = PHASE_FROM;
    if (memcmp(data, "RCPT", 4) == 0) s->phase = PHASE_TO;
    if (memcmp(data, "DATA", 4) == 0) s->phase = PHASE_LETTER;
    return 0;
}

/* --- what became of a letter --- */

static bool is_ours_to_mend(CURLcode result) {
    switch (result) {
    case CURLE_LOGIN_DENIED:
    case CURLE_USE_SSL_FAILED:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return true;
    default:
        return false;
    }
}

/* An answer to who it is from is about all letters; 421 is the server's farewell, whenever it comes. */
static enum smtp_result judge(const struct smtp *s, CURLcode result, long code) {
    bool refused = code >= 500 && code < 600, later = code >= 400 && code < 500 && code != 421;
    if (is_ours_to_mend(result) || (s->phase == PHASE_FROM && refused)) return SMTP_WRONG;
    if (s->phase < PHASE_TO || !(refused || later)) return SMTP_AWAY;
    return refused ? SMTP_REFUSED : SMTP_LATER;
}

static enum smtp_result ended(struct smtp *s, CURLcode result, struct why *w) {
    static const char *const about[] = {"greeting us", "the sender", "the recipient", "the letter"};
    long code = 0;
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &code);
    if (result == CURLE_OK) return SMTP_SENT;
    if (code >= 400)
        why(w, ST_FAILED, "the mail server's answer about %s: %ld (%s)", about[s->phase], code,
            curl_easy_strerror(result));
    else
        why(w, ST_LOST, "no answer of the mail server about %s: %s", about[s->phase],
            curl_easy_strerror(result));
    return judge(s, result, code);
}

/* --- sending --- */

/* false: given up before its end. */
static bool drive(struct smtp *s, CURLcode *result) {
    while (!s->options.give_up(s->options.arg)) {
        int running, left;
        curl_multi_perform(s->multi, &running);
        const CURLMsg *m = curl_multi_info_read(s->multi, &left);
        if (m != NULL) {
            *result = m->data.result;
            return true;
        }
        curl_multi_poll(s->multi, NULL, 0, LOOK_MS, NULL);
    }
    return false;
}

static void describe(struct smtp *s) {
    const struct smtp_options *o = &s->options;
    CURL *easy = s->easy;
    bool whole = strncasecmp(o->url, "smtps:", 6) == 0; /* TLS from the first byte */
    curl_easy_setopt(easy, CURLOPT_URL, o->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(o->starttls || whole ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    if (o->ca[0] != '\0') curl_easy_setopt(easy, CURLOPT_CAINFO, o->ca);
    if (o->user[0] != '\0') curl_easy_setopt(easy, CURLOPT_USERNAME, o->user);
    if (o->user[0] != '\0') curl_easy_setopt(easy, CURLOPT_PASSWORD, o->password);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)KEEP_S);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, s);
    curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L); /* for on_debug, which writes nothing */
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
    curl_easy_setopt(easy, CURLOPT_DEBUGDATA, s);
}

static struct curl_slist *to_list(struct str to) {
    char address[ADDRESS];
    snprintf(address, sizeof address, "<%.*s>", (int)to.n, to.p);
    struct curl_slist *list = curl_slist_append(NULL, address);
    if (list == NULL) abort();
    return list;
}

enum smtp_result smtp_send(struct smtp *s, const struct smtp_letter *letter, struct why *w) {
    char from[ADDRESS];
    CURLcode result = CURLE_OK;
    struct curl_slist *to = to_list(letter->to);
    snprintf(from, sizeof from, "<%s>", letter->from);
    s->phase = PHASE_HELLO;
    s->left = letter->text;
    curl_easy_setopt(s->easy, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(s->easy, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(s->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)letter->text.n);
    if (curl_multi_add_handle(s->multi, s->easy) != CURLM_OK) abort();
    bool came_to_its_end = drive(s, &result);
    enum smtp_result found = came_to_its_end ? ended(s, result, w) : SMTP_AWAY;
    if (!came_to_its_end) why(w, ST_STOPPED, "shutting down");
    curl_multi_remove_handle(s->multi, s->easy);
    curl_easy_setopt(s->easy, CURLOPT_MAIL_RCPT, NULL);
    curl_slist_free_all(to);
    return found;
}

/* --- starting and stopping --- */

static bool is_url(const char *url) {
    return (strncmp(url, "smtp://", 7) == 0 && url[7] != '\0') ||
           (strncmp(url, "smtps://", 8) == 0 && url[8] != '\0');
}

struct smtp *smtp_new(const struct smtp_options *options, struct why *w) {
    if (!is_url(options->url)) {
        why(w, ST_INVALID, "SMTP_URL must be smtp://HOST:PORT or smtps://HOST:PORT");
        return NULL;
    }
    struct smtp *s = mem_alloc(sizeof *s);
    s->options = *options;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    s->multi = curl_multi_init();
    s->easy = curl_easy_init();
    if (s->multi == NULL || s->easy == NULL) abort();
    curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, 1L);
    describe(s);
    return s;
}

void smtp_free(struct smtp *s) {
    if (s == NULL) return;
    curl_easy_cleanup(s->easy);
    curl_multi_cleanup(s->multi);
    curl_global_cleanup();
    free(s);
}
