#include "phases.h"

#include <jansson.h>
#include <stdlib.h>

#include "clock.h"
#include "mem.h"

static struct str text_of(const json_t *value) {
    return (struct str){json_string_value(value), json_string_length(value)};
}

static bool read_time(const json_t *phase, const char *name, int64_t *out) {
    const json_t *value = json_object_get(phase, name);
    return json_is_string(value) && clock_parse(text_of(value), out);
}

static void read_areas(struct phase *p, const json_t *areas) {
    size_t n = json_array_size(areas);
    if (n == 0) return;
    p->areas = mem_alloc(n * sizeof *p->areas);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(areas, i);
        if (json_is_string(value) && uuid_parse(text_of(value), &p->areas[p->nareas])) p->nareas++;
    }
}

void phases_read(struct phases *p, struct str text) {
    phases_free(p);
    json_t *array = json_loadb(text.p, text.n, 0, NULL);
    size_t n = json_array_size(array);
    p->items = n == 0 ? NULL : mem_alloc(n * sizeof *p->items);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(array, i);
        struct phase *phase = &p->items[p->count];
        if (!json_is_true(json_object_get(value, "queue")) ||
            !read_time(value, "opensAt", &phase->opens_us) ||
            !read_time(value, "closesAt", &phase->closes_us))
            continue;
        read_areas(phase, json_object_get(value, "areas"));
        phase->per_user = (int)json_integer_value(json_object_get(value, "perUser"));
        phase->codes = json_is_true(json_object_get(value, "codes"));
        p->count++;
    }
    json_decref(array);
}

void phases_free(struct phases *p) {
    for (int i = 0; i < p->count; i++)
        free(p->items[i].areas);
    free(p->items);
    *p = (struct phases){0};
}

const struct phase *phases_next(const struct phases *p, int64_t now_us) {
    for (int i = 0; i < p->count; i++)
        if (p->items[i].closes_us > now_us) return &p->items[i];
    return NULL;
}

const struct phase *phases_after(const struct phases *p, const struct phase *one) {
    return one == NULL || one + 1 == p->items + p->count ? NULL : one + 1;
}
