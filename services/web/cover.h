/* cover: a picture for a show, its own or, for one that has none, always the same one for the same id. Any
 * thread; the paths live in the arena. */
#pragma once

#include <jansson.h>

#include "arena.h"
#include "templates.h"

enum { COVER_PALETTES = 8 }; /* the classes p0 to p7 of app.css */

struct cover_view cover_of(const struct uuid *id, struct arena *arena);

/* A show's own picture as tickets describes it, the smallest that is as wide as this, or else the widest.
 * NULL: it has none. */
void cover_use_picture(struct cover_view *cover, const json_t *picture, int64_t width);
