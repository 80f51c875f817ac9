/* qr: a QR code as the path of an SVG, by libqrencode. Any thread. */
#pragma once

#include "arena.h"
#include "str.h"

struct qr {
    struct str path; /* of the dark squares, with the quiet zone around them; in the arena */
    struct str box;  /* the viewBox that it fills */
};

/* false: the text is too long for a QR code. */
bool qr_draw(struct arena *arena, struct str text, struct qr *out);
