#include "orientation.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes that are read from the front. Beyond the end there are zeros. */
struct bytes {
    const uint8_t *p;
    size_t n;
    bool little;
};

static uint32_t byte_at(const struct bytes *b, size_t at) {
    return at < b->n ? b->p[at] : 0;
}

static uint32_t short_at(const struct bytes *b, size_t at) {
    uint32_t first = byte_at(b, at), second = byte_at(b, at + 1);
    return b->little ? second << 8 | first : first << 8 | second;
}

static uint32_t long_at(const struct bytes *b, size_t at) {
    uint32_t first = short_at(b, at), second = short_at(b, at + 2);
    return b->little ? second << 16 | first : first << 16 | second;
}

/* The first directory of a TIFF: entries of 12 bytes. */
static int orientation_in(struct bytes tiff) {
    enum { ORIENTATION = 0x0112, SHORT = 3, ENTRY = 12 };
    tiff.little = byte_at(&tiff, 0) == 'I';
    size_t directory = long_at(&tiff, 4);
    uint32_t entries = short_at(&tiff, directory);
    for (size_t i = 0, at = directory + 2; i < entries && at + ENTRY <= tiff.n; i++, at += ENTRY) {
        if (short_at(&tiff, at) != ORIENTATION || short_at(&tiff, at + 2) != SHORT) continue;
        uint32_t value = short_at(&tiff, at + 8);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

static bool is_exif(const struct bytes *b, size_t at) {
    static const char name[] = "Exif\0";
    return at + sizeof name <= b->n && memcmp(b->p + at, name, sizeof name) == 0;
}

/* Segments: a marker of two bytes, and how long the segment is with these two bytes of length. */
int orientation_of(struct str jpeg) {
    enum { APP1 = 0xe1, SCAN = 0xda, END = 0xd9, EXIF = 6 };
    struct bytes b = {(const uint8_t *)jpeg.p, jpeg.n, false};
    for (size_t at = 2; at + 4 <= b.n && b.p[at] == 0xff && b.p[at + 1] != SCAN && b.p[at + 1] != END;) {
        size_t size = short_at(&b, at + 2), next = at + 2 + size;
        if (size < 2 || next > b.n) break;
        if (b.p[at + 1] == APP1 && is_exif(&b, at + 4) && size >= 2 + EXIF)
            return orientation_in((struct bytes){b.p + at + 4 + EXIF, size - 2 - EXIF, false});
        at = next;
    }
    return 1;
}
