#include "letter.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mem.h"
#include "templates.h"

enum {
    LINE = 57, /* bytes that make a line of 76 letters in base64 */
    WORD = 42, /* bytes of an encoded word: RFC 2047 lets it have 75 letters */
    LONGEST_ADDRESS = 254,
};

/* --- what each is about --- */

static const struct {
    enum text subject, words, action, note;
    const char *path;
    bool token; /* behind the path */
} kinds[] = {
    [VERIFY_ADDRESS] = {TEXT_VERIFY_SUBJECT, TEXT_VERIFY_WORDS, TEXT_VERIFY_ACTION, TEXT_VERIFY_NOTE,
                        "/verify?token=", true},
    [ACCOUNT_EXISTS] = {TEXT_EXISTS_SUBJECT, TEXT_EXISTS_WORDS, TEXT_EXISTS_ACTION, TEXT_EXISTS_NOTE,
                        "/reset?token=", true},
    [RESET_PASSWORD] = {TEXT_RESET_SUBJECT, TEXT_RESET_WORDS, TEXT_RESET_ACTION, TEXT_RESET_NOTE,
                        "/reset?token=", true},
    [PASSWORD_CHANGED] = {TEXT_PASSWORD_SUBJECT, TEXT_PASSWORD_WORDS, TEXT_PASSWORD_ACTION,
                          TEXT_PASSWORD_NOTE, "/forgot", false},
    [ADDRESS_CHANGED] = {TEXT_ADDRESS_SUBJECT, TEXT_ADDRESS_WORDS, TEXT_ADDRESS_ACTION, TEXT_ADDRESS_NOTE,
                         "/help", false},
    [SECOND_FACTOR_TURNED_ON] = {TEXT_FACTOR_ON_SUBJECT, TEXT_FACTOR_ON_WORDS, TEXT_FACTOR_ON_ACTION,
                                 TEXT_FACTOR_ON_NOTE, "/help", false},
    [SECOND_FACTOR_TURNED_OFF] = {TEXT_FACTOR_OFF_SUBJECT, TEXT_FACTOR_OFF_WORDS, TEXT_FACTOR_OFF_ACTION,
                                  TEXT_FACTOR_OFF_NOTE, "/forgot", false},
    [PASSKEY_ADDED] = {TEXT_PASSKEY_ADDED_SUBJECT, TEXT_PASSKEY_ADDED_WORDS, TEXT_PASSKEY_ADDED_ACTION,
                       TEXT_PASSKEY_ADDED_NOTE, "/account", false},
    [PASSKEY_REMOVED] = {TEXT_PASSKEY_REMOVED_SUBJECT, TEXT_PASSKEY_REMOVED_WORDS,
                         TEXT_PASSKEY_REMOVED_ACTION, TEXT_PASSKEY_REMOVED_NOTE, "/forgot", false},
};

/* --- addresses --- */

bool letter_can_go_to(struct str email) {
    int ats = 0;
    for (size_t i = 0; i < email.n; i++) {
        unsigned char c = (unsigned char)email.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("<>()[]\\,;:\"", c) != NULL) return false;
        ats += c == '@';
    }
    return ats == 1 && email.n >= 3 && email.n <= LONGEST_ADDRESS && email.p[0] != '@' &&
           email.p[email.n - 1] != '@';
}

enum status letter_check(const struct letter_options *o, struct why *w) {
    struct str url = str_of(o->public_url);
    bool whole =
        (strncmp(url.p, "https://", 8) == 0 && url.n > 8) || (strncmp(url.p, "http://", 7) == 0 && url.n > 7);
    if (!letter_can_go_to(str_of(o->from)))
        return why(w, ST_INVALID, "MAIL_FROM must be an address, NAME@HOST");
    if (!whole || url.p[url.n - 1] == '/' || strpbrk(url.p, " \"<>\\\r\n") != NULL)
        return why(w, ST_INVALID, "PUBLIC_URL must be https://HOST, without a slash at its end");
    return ST_OK;
}

/* --- parts of a message --- */

static void put(struct buf *out, struct str s) {
    buf_add(out, s.p, s.n);
}

/* Some bytes, at most LINE. */
static void put_base64(struct buf *out, const char *p, size_t n) {
    char text[sodium_base64_ENCODED_LEN(LINE, sodium_base64_VARIANT_ORIGINAL)];
    sodium_bin2base64(text, sizeof text, (const unsigned char *)p, n, sodium_base64_VARIANT_ORIGINAL);
    put(out, str_of(text));
}

static void put_body(struct buf *out, struct str text) {
    for (size_t at = 0; at < text.n; at += LINE) {
        put_base64(out, text.p + at, text.n - at < LINE ? text.n - at : LINE);
        put(out, STR("\r\n"));
    }
}

static bool begins_letter(char c) {
    return ((unsigned char)c & 0xc0) != 0x80; /* of UTF-8 */
}

static void put_subject(struct buf *out, struct str text) {
    put(out, STR("Subject:"));
    for (size_t at = 0, n; at < text.n; at += n) {
        n = text.n - at < WORD ? text.n - at : WORD;
        while (at + n < text.n && !begins_letter(text.p[at + n]))
            n--;
        put(out, at == 0 ? STR(" =?UTF-8?B?") : STR("\r\n =?UTF-8?B?"));
        put_base64(out, text.p + at, n);
        put(out, STR("?="));
    }
    put(out, STR("\r\n"));
}

/* Of the event: no clock, so that the same event makes the same letter. */
static void put_date(struct buf *out, int64_t unix_us) {
    char text[40];
    struct tm tm;
    time_t s = unix_us / 1000000;
    if (gmtime_r(&s, &tm) != NULL && strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &tm) > 0)
        buf_printf(out, "Date: %s\r\n", text);
}

static void put_part(struct buf *out, const char *boundary, const char *type, struct str text) {
    buf_printf(out,
               "--%.*s\r\nContent-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
               UUID_TEXT, boundary, type);
    put_body(out, text);
}

/* --- the whole --- */

static struct str link_of(struct buf *out, const struct letter_options *o, const struct letter_event *e) {
    char token[LINK_TEXT];
    buf_printf(out, "%s%s", o->public_url, kinds[e->type].path);
    if (kinds[e->type].token) {
        link_write(o->keys, &e->id, token);
        put(out, str_of(token));
    }
    return buf_str(out);
}

static void put_text(struct buf *out, const struct letter_view *v) {
    const struct str lines[] = {v->words, STR("\r\n\r\n"), v->action, STR(":\r\n"),
                                v->to,    STR("\r\n\r\n"), v->note,   STR("\r\n\r\n-- \r\nOnsale\r\n")};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        put(out, lines[i]);
}

static void put_head(struct buf *out, const struct letter_options *o, const struct letter_event *e,
                     const char *id) {
    put(out, STR("From: Onsale <"));
    put(out, str_of(o->from));
    buf_printf(out, ">\r\nTo: <%.*s>\r\n", (int)e->email.n, e->email.p);
    put_subject(out, text_of(kinds[e->type].subject));
    put_date(out, e->occurred_at);
    buf_printf(out, "Message-ID: <%.*s%s>\r\n", UUID_TEXT, id, strchr(o->from, '@'));
    buf_printf(out,
               "MIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\nContent-Language: %s\r\n"
               "Content-Type: multipart/alternative;\r\n boundary=\"%.*s\"\r\n\r\n",
               language_form()->tag.p, UUID_TEXT, id);
}

void letter_make(struct buf *out, const struct letter_options *o, const struct letter_event *e) {
    char id[UUID_TEXT];
    struct buf url = {0}, text = {0}, html = {0};
    uuid_format(&e->id, id);
    language_use(language_wanted(e->language));
    const struct letter_view view = {.words = text_of(kinds[e->type].words),
                                     .action = text_of(kinds[e->type].action),
                                     .to = link_of(&url, o, e),
                                     .note = text_of(kinds[e->type].note)};
    put_text(&text, &view);
    letter_render(&html, &view);
    out->len = 0;
    put_head(out, o, e, id);
    put_part(out, id, "plain", buf_str(&text));
    put_part(out, id, "html", buf_str(&html));
    buf_printf(out, "--%.*s--\r\n", UUID_TEXT, id);
    buf_free(&url);
    buf_free(&text);
    buf_free(&html);
}
