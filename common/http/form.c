#include "form.h"

#include <stdio.h>

#include "percent.h"
#include "utf8.h"

/* Takes what is before the first `by` off s. */
static struct str split(struct str *s, char by) {
    const char *at = s->n == 0 ? NULL : memchr(s->p, by, s->n);
    size_t n = at == NULL ? s->n : (size_t)(at - s->p), skip = n + (at != NULL);
    struct str head = {s->p, n};
    *s = (struct str){s->n == 0 ? NULL : s->p + skip, s->n - skip};
    return head;
}

bool form_next(struct str *rest, struct form_field *out) {
    while (rest->n > 0) {
        struct str value = split(rest, '&');
        if (value.n == 0) continue;
        struct str key = split(&value, '=');
        *out = (struct form_field){key, value};
        return true;
    }
    return false;
}

static int count_fields(struct str text) {
    struct form_field f;
    int n = 0;
    while (n <= FORM_MAX_FIELDS && form_next(&text, &f))
        n++;
    return n;
}

const char *form_read(struct str text, struct form *out, struct arena *arena) {
    int n = count_fields(text);
    *out = (struct form){0};
    if (n > FORM_MAX_FIELDS) return "must not have more than 256 fields";
    out->fields = arena_alloc(arena, (size_t)n * sizeof *out->fields);
    for (struct form_field f; form_next(&text, &f);) {
        f = (struct form_field){percent_decode(arena, f.key), percent_decode(arena, f.value)};
        if (!utf8_valid(f.key) || !utf8_valid(f.value)) return "must be UTF-8 text without NUL characters";
        out->fields[out->count++] = f;
    }
    return NULL;
}

bool form_get(const struct form *form, const char *key, struct str *out) {
    for (int i = 0; i < form->count; i++) {
        if (!str_eq(form->fields[i].key, str_of(key))) continue;
        *out = form->fields[i].value;
        return true;
    }
    return false;
}

void form_put_text(struct buf *out, const char *key, struct str value) {
    if (out->len > 0) buf_add(out, "&", 1);
    percent_encode(out, str_of(key));
    buf_add(out, "=", 1);
    percent_encode(out, value);
}

void form_put_int(struct buf *out, const char *key, int64_t value) {
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    form_put_text(out, key, (struct str){text, (size_t)n});
}
