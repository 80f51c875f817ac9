/* The escapers of pages: nothing that a place could be left by comes out, and what comes out means what went
 * in. */
#include <assert.h>
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>

#include "html.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What goes in, with U+FFFD for each byte that is no text; control characters too, when they are not kept. */
static struct buf readable(struct str in, bool keep_controls) {
    struct buf out = {0};
    const unsigned char *p = (const unsigned char *)in.p;
    for (size_t i = 0; i < in.n;) {
        bool text = p[i] >= 0x20 ? p[i] != 0x7f : p[i] == '\t' || p[i] == '\n' || p[i] == '\r';
        size_t n = p[i] >= 0x80 ? utf8_sequence(p + i, in.n - i) : text || keep_controls;
        buf_add(&out, n > 0 ? (const char *)p + i : "\xef\xbf\xbd", n > 0 ? n : 3);
        i += n > 0 ? n : 1;
    }
    return out;
}

static void same(struct buf *a, struct buf *b) {
    assert(a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0));
    buf_free(a);
    buf_free(b);
}

static struct buf without_entities(const struct buf *text) {
    static const struct {
        struct str entity;
        char means;
    } known[] = {{{"&amp;", 5}, '&'},
                 {{"&lt;", 4}, '<'},
                 {{"&gt;", 4}, '>'},
                 {{"&#34;", 5}, '"'},
                 {{"&#39;", 5}, '\''}};
    struct buf out = {0};
    for (size_t i = 0; i < text->len;) {
        char c = (char)text->data[i];
        assert(strchr("<>\"'", c) == NULL || c == '\0');
        size_t n = 1;
        for (size_t k = 0; c == '&' && n == 1; k++) {
            assert(k < sizeof known / sizeof *known);
            struct str e = known[k].entity;
            if (text->len - i < e.n || memcmp(text->data + i, e.p, e.n) != 0) continue;
            c = known[k].means;
            n = e.n;
            break;
        }
        buf_add(&out, &c, 1);
        i += n;
    }
    return out;
}

static void check_text(struct str in) {
    struct buf out = {0};
    html_text(&out, in);
    assert(utf8_valid((struct str){(char *)out.data, out.len}));
    struct buf meant = without_entities(&out), wanted = readable(in, false);
    same(&meant, &wanted);
    buf_free(&out);
}

static void check_json(struct str in) {
    struct buf out = {0};
    html_json(&out, in);
    for (size_t i = 0; i < out.len; i++)
        assert(strchr("<>&", out.data[i]) == NULL || out.data[i] == '\0');
    json_t *value = json_loadb((char *)out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert(value != NULL);
    struct buf meant = {0}, wanted = readable(in, true);
    buf_add(&meant, json_string_value(value), json_string_length(value));
    same(&meant, &wanted);
    json_decref(value);
    buf_free(&out);
}

static void check_component(struct str in) {
    struct buf out = {0}, meant = {0}, wanted = {0};
    percent_encode(&out, in);
    for (size_t i = 0; i < out.len; i++) {
        unsigned c = out.data[i];
        assert(isalnum((int)c) || strchr("-._~%", (int)c) != NULL);
        if (c == '%') {
            assert(i + 2 < out.len);
            c = (unsigned)strtoul((char[]){(char)out.data[i + 1], (char)out.data[i + 2], 0}, NULL, 16);
            i += 2;
        }
        buf_add(&meant, &(char){(char)c}, 1);
    }
    buf_add(&wanted, in.p, in.n);
    same(&meant, &wanted);
    buf_free(&out);
}

static void check_url(struct str in) {
    struct buf out = {0};
    html_url(&out, in);
    assert(out.len >= 1 && (out.data[0] == '#' || out.data[0] == '/'));
    assert(out.len == 1 || (out.data[1] != '/' && out.data[1] != '\\'));
    for (size_t i = 0; i < out.len; i++)
        assert(out.data[i] > 0x20 && out.data[i] != '"' && out.data[i] != '\'' && out.data[i] != '\\');
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *exact = malloc(size); /* so that a read behind the end is seen */
    if (size > 0) memcpy(exact, data, size);
    struct str in = {exact, size};
    check_text(in);
    check_json(in);
    check_component(in);
    check_url(in);
    free(exact);
    return 0;
}
