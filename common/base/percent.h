/* percent: percent-encoding of a part of a URL or of a form. Letters, digits and -._~ stay as they are (RFC
 * 3986). Any thread. */
#pragma once

#include "arena.h"
#include "buf.h"

void percent_encode(struct buf *out, struct str text); /* any bytes */
/* As forms are written: '+' is a space, and a '%' without two hex digits stands for itself. Terminated. */
struct str percent_decode(struct arena *arena, struct str text);
