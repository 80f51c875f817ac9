#include "priv/cloudevents.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* NULL: it has none of that name. */
static const void *find(const struct avro_type *type, const void *event, const char *name) {
    for (int i = 0; i < type->nfields; i++)
        if (strcmp(type->fields[i].name, name) == 0) return (const uint8_t *)event + type->fields[i].offset;
    return NULL;
}

void cloudevent_fill(struct cloudevent *out, const struct topic *topic, const void *event) {
    const struct avro_type *type = topic->type;
    const struct uuid *uuid = find(type, event, "id");
    const int32_t *version = find(type, event, "version");
    const int64_t *time = find(type, event, "occurredAt");
    int kind = *(const int *)((const uint8_t *)event + type->fields[topic->type_field].offset);
    char id[UUID_TEXT];
    assert(uuid != NULL && time != NULL); /* every event of a log has them */
    uuid_format(uuid, id);
    if (version == NULL)
        snprintf(out->id, sizeof out->id, "%.*s", UUID_TEXT, id);
    else
        snprintf(out->id, sizeof out->id, "%.*s/%d", UUID_TEXT, id, (int)*version);
    snprintf(out->source, sizeof out->source, "/onsale/%s", topic->name);
    snprintf(out->type, sizeof out->type, "onsale.%s", type->fields[topic->type_field].symbols[kind]);
    clock_format(*time, out->time);
}
