#include "form.h"

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

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct str form_decode(struct arena *arena, struct str in) {
    char *out = arena_alloc(arena, in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '+')
            c = ' ';
        else if (c == '%' && i + 2 < in.n && hex(in.p[i + 1]) >= 0 && hex(in.p[i + 2]) >= 0) {
            c = (char)(hex(in.p[i + 1]) << 4 | hex(in.p[i + 2]));
            i += 2;
        }
        out[n++] = c;
    }
    return (struct str){out, n};
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
        f = (struct form_field){form_decode(arena, f.key), form_decode(arena, f.value)};
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
