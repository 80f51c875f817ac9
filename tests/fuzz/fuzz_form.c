/* The reader of forms: whatever the bytes, it ends, keeps its bounds, lets only text through, and reads the
 * same again when what it read is encoded anew. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "form.h"
#include "utf8.h"

static void encode(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char hex[4];
        snprintf(hex, sizeof hex, "%%%02X", (unsigned char)text.p[i]);
        buf_add(out, hex, 3);
    }
}

static void check_round_trip(const struct form *form, struct arena *arena) {
    struct buf text = {0};
    for (int i = 0; i < form->count; i++) {
        assert(utf8_valid(form->fields[i].key) && utf8_valid(form->fields[i].value));
        encode(&text, form->fields[i].key);
        buf_add(&text, "=", 1);
        encode(&text, form->fields[i].value);
        buf_add(&text, "&", 1);
    }
    struct form again;
    assert(form_read((struct str){(char *)text.data, text.len}, &again, arena) == NULL);
    assert(again.count == form->count);
    for (int i = 0; i < form->count; i++) {
        assert(str_eq(again.fields[i].key, form->fields[i].key));
        assert(str_eq(again.fields[i].value, form->fields[i].value));
    }
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = {0};
    struct form form;
    char *exact = malloc(size); /* so that a read behind the end is seen */
    if (size > 0) memcpy(exact, data, size);
    if (form_read((struct str){exact, size}, &form, &arena) == NULL) check_round_trip(&form, &arena);
    assert(form.count <= FORM_MAX_FIELDS);
    free(exact);
    arena_free(&arena);
    return 0;
}
