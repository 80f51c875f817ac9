/* picture: makes the pictures of a show out of one that somebody sent. JPEG, PNG and WebP are decoded by
 * their libraries, cut down to a few widths, turned upright, and encoded again as WebP: what comes out has
 * pixels and nothing else. No state. What it is given may be meant to break it, so it runs in a process of
 * its own, in a sandbox (main.c). */
#pragma once

#include "buf.h"
#include "picture_wire.h"
#include "str.h"

/* Pixels of one that was sent. A PNG or WebP takes 4 bytes each, a JPEG is cut down while it is decoded. */
enum { PICTURE_SIDE_MOST = 16000, PICTURE_PIXELS_MOST = 25000000, PICTURE_JPEG_PIXELS_MOST = 50000000 };
enum { PICTURE_WIDTH_LEAST = 320, PICTURE_HEIGHT_LEAST = 180 };

/* Appends the pictures. */
enum picture_verdict picture_make(struct str sent, struct picture_made *made, struct buf *out);
