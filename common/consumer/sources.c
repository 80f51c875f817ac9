#include "priv/sources.h"

#include <assert.h>
#include <stdlib.h>

#include "mem.h"

void sources_init(struct sources *s, const struct reaction *reactions, struct registry *registry,
                  int64_t patience_ms) {
    *s = (struct sources){.reactions = reactions};
    int n = 0;
    for (const struct reaction *r = reactions; r->topic != NULL; r++) {
        int i = 0;
        while (i < n && s->all[i].topic != r->topic)
            i++;
        if (i < n) continue;
        assert(n < MOST_TOPICS);
        s->all[n] = (struct source){
            .topic = r->topic,
            .decoder = wire_decoder_new(registry, r->topic->type, patience_ms),
            .event = mem_alloc(r->topic->type->size),
        };
        s->names[n++] = r->topic->name;
    }
}

void sources_free(struct sources *s) {
    for (int i = 0; s->names[i] != NULL; i++) {
        wire_decoder_free(s->all[i].decoder);
        free(s->all[i].event);
    }
    *s = (struct sources){0};
}

const struct reaction *sources_reaction(const struct sources *s, const struct source *source) {
    const struct topic *topic = source->topic;
    const struct avro_field *field = &topic->type->fields[topic->type_field];
    int type;
    memcpy(&type, (const char *)source->event + field->offset, sizeof type);
    for (const struct reaction *r = s->reactions; r->topic != NULL; r++)
        if (r->topic == topic && r->type == type) return r;
    return NULL;
}
