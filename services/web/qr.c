#include "qr.h"

#include <qrencode.h>

#include "buf.h"

enum { QUIET = 4 /* squares around it, as the standard asks for */ };

/* One piece a run of dark squares. */
static void draw_row(struct buf *path, const unsigned char *row, int width, int y) {
    for (int x = 0; x < width; x++) {
        int from = x;
        while (x < width && (row[x] & 1) != 0)
            x++;
        if (x > from) buf_printf(path, "M%d %dh%dv1h-%dz", from + QUIET, y + QUIET, x - from, x - from);
    }
}

bool qr_draw(struct arena *arena, struct str text, struct qr *out) {
    QRcode *code = QRcode_encodeData((int)text.n, (const unsigned char *)text.p, 0, QR_ECLEVEL_M);
    if (code == NULL) return false;
    struct buf path = {0}, box = {0};
    for (int y = 0; y < code->width; y++)
        draw_row(&path, code->data + y * code->width, code->width, y);
    buf_printf(&box, "0 0 %d %d", code->width + 2 * QUIET, code->width + 2 * QUIET);
    *out = (struct qr){arena_str(arena, buf_str(&path)), arena_str(arena, buf_str(&box))};
    buf_free(&path);
    buf_free(&box);
    QRcode_free(code);
    return true;
}
