/* The reader of JSON bodies: whatever the bytes, it ends, keeps its bounds, and what it lets through is text
 * that our writer writes back so that it reads the same. */
#include <assert.h>
#include <stdlib.h>

#include "body.h"
#include "json.h"
#include "utf8.h"
#include "uuid.h"

struct target {
    struct str title, note;
    struct uuid id;
};

static const struct body_field fields[] = {
    {"title", body_text, offsetof(struct target, title), true},
    {"note", body_text, offsetof(struct target, note), false},
    {"id", body_uuid, offsetof(struct target, id), false},
    {0},
};

static void check_text(struct str text) {
    assert(utf8_valid(text));
    struct json j = {0};
    json_text(&j, text);
    json_t *back = json_loadb((const char *)j.out.data, j.out.len, JSON_DECODE_ANY, NULL);
    assert(back != NULL);
    assert(str_eq(text, (struct str){json_string_value(back), json_string_length(back)}));
    json_decref(back);
    buf_free(&j.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct target t = {0};
    struct arena arena = {0};
    struct body_error errors[BODY_MAX_ERRORS];
    char *exact = malloc(size); /* so that a read behind the end is seen */
    if (size > 0) memcpy(exact, data, size);
    int n = body_read((struct str){exact, size}, fields, &t, &arena, errors);
    assert(n >= 0 && n <= BODY_MAX_ERRORS);
    for (int i = 0; i < n; i++)
        assert(errors[i].message != NULL);
    if (n == 0) {
        check_text(t.title);
        check_text(t.note);
    }
    free(exact);
    arena_free(&arena);
    return 0;
}
