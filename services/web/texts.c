#include "texts.h"

#include "buf.h"

static struct str kept(struct arena *arena, struct buf *text) {
    struct str out = arena_str(arena, buf_str(text));
    buf_free(text);
    return out;
}

struct str text_number(struct arena *arena, int64_t number) {
    struct buf text = {0};
    html_int(&text, number);
    return kept(arena, &text);
}

/* Takes what is before the next hole off *rest, and the hole's name. false: there is none, and all was taken.
 */
static bool next_hole(struct str *rest, struct str *before, struct str *name) {
    const char *open = rest->n == 0 ? NULL : memchr(rest->p, '{', rest->n);
    const char *close = open == NULL ? NULL : memchr(open, '}', (size_t)(rest->p + rest->n - open));
    *before = *rest;
    *name = (struct str){0};
    if (close == NULL) {
        *rest = (struct str){0};
        return false;
    }
    before->n = (size_t)(open - rest->p);
    *name = (struct str){open + 1, (size_t)(close - open) - 1};
    *rest = (struct str){close + 1, (size_t)(rest->p + rest->n - close) - 1};
    return true;
}

static struct str fill(struct arena *arena, struct str text, const struct text_hole *holes) {
    struct buf out = {0};
    struct str before, name;
    for (bool more = true; more;) {
        more = next_hole(&text, &before, &name);
        buf_add(&out, before.p, before.n);
        for (const struct text_hole *h = holes; more && h->name != NULL; h++)
            if (str_eq(name, str_of(h->name))) buf_add(&out, h->value.p, h->value.n);
    }
    return kept(arena, &out);
}

struct str text_fill(struct arena *arena, enum text key, const struct text_hole *holes) {
    return fill(arena, text_of(key), holes);
}

/* --- what services say --- */

/* The name of a field, in the thread's language. */
static bool translate_field(struct str *name) {
    for (int key = TEXTS_FIELD_FIRST; key <= TEXTS_FIELD_LAST; key++)
        if (str_eq(*name, text_in(LANGUAGE_EN, (enum text)key))) {
            *name = text_of((enum text)key);
            return true;
        }
    return false;
}

/* What a hole has: up to where the text goes on, or to the end. */
static bool take_value(struct str *said, struct str pattern, struct str *value) {
    struct str before, name;
    next_hole(&pattern, &before, &name);
    const char *end = before.n == 0 ? said->p + said->n : memmem(said->p, said->n, before.p, before.n);
    if (end == NULL) return false;
    *value = (struct str){said->p, (size_t)(end - said->p)};
    *said = (struct str){end, said->n - value->n};
    return true;
}

/* Whether it is this sentence. */
static bool fits(struct arena *arena, struct str pattern, struct str said,
                 struct text_hole holes[TEXT_HOLES + 1]) {
    struct str before, name;
    for (int n = 0;; n++) {
        bool hole = next_hole(&pattern, &before, &name);
        if (said.n < before.n || memcmp(said.p, before.p, before.n) != 0) return false;
        said = (struct str){said.p + before.n, said.n - before.n};
        if (!hole) return said.n == 0;
        if (n == TEXT_HOLES || !take_value(&said, pattern, &holes[n].value)) return false;
        holes[n].name = arena_str(arena, name).p;
        if (str_eq(name, STR("field")) && !translate_field(&holes[n].value)) return false;
    }
}

struct str text_of_api(struct arena *arena, struct str english) {
    if (language_in_use() == LANGUAGE_EN || english.n == 0) return english;
    for (int key = TEXTS_API_FIRST; key <= TEXTS_API_LAST; key++) {
        struct text_hole holes[TEXT_HOLES + 1] = {0};
        if (fits(arena, text_in(LANGUAGE_EN, (enum text)key), english, holes))
            return text_fill(arena, (enum text)key, holes);
    }
    return english;
}
