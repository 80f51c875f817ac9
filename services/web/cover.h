/* cover: a picture for a show that has none, always the same one for the same id. Any thread; the paths live
 * in the arena. */
#pragma once

#include "arena.h"
#include "templates.h"

enum { COVER_PALETTES = 8 }; /* the classes p0 to p7 of app.css */

struct cover_view cover_of(const struct uuid *id, struct arena *arena);
