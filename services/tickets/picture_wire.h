/* picture_wire: what `tickets` and its program `picture` say to each other. The program reads a picture that
 * somebody sent from its standard input, which is a file of memory, writes a struct picture_made and the
 * bytes of its pictures to its standard output, which is another, and ends with a verdict. */
#pragma once

#include <stdint.h>

enum {
    PICTURE_SENT_MOST = 10 * 1024 * 1024, /* bytes */
    PICTURE_MADE_MOST = 4 * 1024 * 1024,  /* of all pictures that are made of it */
    PICTURE_SIZES = 3,
};

/* Widths in pixels; what was sent is never enlarged. */
static const uint32_t picture_widths[PICTURE_SIZES] = {320, 640, 1280};

/* The program's exit code. What ends without one was stopped by a limit, or crashed. */
enum picture_verdict {
    PICTURE_DONE,
    PICTURE_UNKNOWN, /* no JPEG, PNG or WebP */
    PICTURE_BROKEN,  /* it is not what its first bytes say, ends too early, or has something behind its end */
    PICTURE_SMALL,
    PICTURE_LARGE, /* pixels */
    PICTURE_MOVES,
    PICTURE_COLOURS, /* for printing: CMYK */
    PICTURE_LIMITS,  /* of time or memory */
    PICTURE_FAILED,  /* the program itself: not the picture's fault */
    PICTURE_VERDICTS
};

struct picture_made {
    uint32_t count; /* at least 1: the first of picture_widths */
    struct {
        uint32_t height, bytes; /* of a WebP, one behind the other */
    } sizes[PICTURE_SIZES];
};
