#include "cover.h"

#include <math.h>

enum { WIDTH = 320, HEIGHT = 180 };

struct brush {
    uint64_t state;
    struct buf *back, *front;
};

/* splitmix64: the bytes of an id are too alike to be used as they are. */
static int pick(struct brush *b, int below) {
    uint64_t z = b->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (int)((z ^ z >> 31) % (uint64_t)below);
}

static void put_disc(struct buf *path, int x, int y, int r) {
    buf_printf(path, "M%d %da%d %d 0 1 0 %d 0a%d %d 0 1 0 %d 0z", x - r, y, r, r, 2 * r, r, r, -2 * r);
}

static void paint_bars(struct brush *b) {
    enum { WIDE = 20 };
    for (int x = 0; x < WIDTH; x += WIDE) {
        int high = 30 + pick(b, 125);
        buf_printf(pick(b, 3) == 0 ? b->front : b->back, "M%d %dv%dh%dv%dz", x + 2, HEIGHT, -high, WIDE - 4,
                   high);
    }
}

static void paint_sun(struct brush *b) {
    int x = 80 + pick(b, 160), y = 70 + pick(b, 40), r = 40 + pick(b, 25);
    put_disc(b->back, x, y, r + 34);
    put_disc(b->front, x, y, r);
    for (int line = y + r / 4; line < HEIGHT; line += 17)
        buf_printf(b->back, "M0 %dh%dv4h%dz", line, WIDTH, -WIDTH);
}

static void paint_rays(struct brush *b) {
    enum { RAYS = 16, LONG = 400 };
    double turn = pick(b, 20) / 100.0;
    int x = 60 + pick(b, 200);
    for (int i = 0; i < RAYS; i += 2) {
        double from = turn + M_PI * i / RAYS, to = from + M_PI / RAYS;
        buf_printf(i % 4 == 0 ? b->back : b->front, "M%d 190L%.0f %.0fL%.0f %.0fz", x, x + LONG * cos(from),
                   190 - LONG * sin(from), x + LONG * cos(to), 190 - LONG * sin(to));
    }
}

static void paint_waves(struct brush *b) {
    for (int i = 0; i < 5; i++) {
        int y = 50 + 30 * i, rise = 14 + pick(b, 26), wide = 70 + pick(b, 60), x = -pick(b, 60);
        struct buf *path = i < 3 ? b->back : b->front;
        buf_printf(path, "M%d %dq%d %d %d 0", x, y, wide / 2, -rise, wide);
        for (int end = x + wide; end < WIDTH; end += wide)
            buf_printf(path, "t%d 0", wide);
        buf_printf(path, "v14H%dz", x);
    }
}

static void paint_quarters(struct brush *b) {
    enum { SIZE = 60 };
    static const char *const corners[] = {
        "M%d %dh60a60 60 0 0 1 -60 60z", "M%d %dv60h60a60 60 0 0 0 -60 -60z", "M%d %da60 60 0 0 0 60 60v-60z",
        "M%d %dm60 0v60h-60a60 60 0 0 1 60 -60z"};
    for (int y = 0; y < HEIGHT; y += SIZE)
        for (int x = -10; x < WIDTH; x += SIZE) {
            int corner = pick(b, 4);
            struct buf *path = pick(b, 3) == 0 ? b->front : b->back;
            if (pick(b, 6) > 0) buf_printf(path, corners[corner], x, y);
        }
}

struct cover_view cover_of(const struct uuid *id, struct arena *arena) {
    static void (*const paintings[])(struct brush *) = {paint_bars, paint_sun, paint_rays, paint_waves,
                                                        paint_quarters};
    struct buf back = {0}, front = {0};
    struct brush brush = {.back = &back, .front = &front};
    memcpy(&brush.state, id->b + 8, sizeof brush.state);
    struct cover_view cover = {.palette = pick(&brush, COVER_PALETTES)};
    paintings[pick(&brush, sizeof paintings / sizeof *paintings)](&brush);
    cover.back = arena_str(arena, buf_str(&back));
    cover.front = arena_str(arena, buf_str(&front));
    buf_free(&back);
    buf_free(&front);
    return cover;
}

/* Only an address of this site is used. */
void cover_use_picture(struct cover_view *cover, const json_t *picture, int64_t width) {
    size_t i;
    json_t *size;
    json_array_foreach(json_object_get(picture, "sizes"), i, size) {
        struct str url = str_of(json_string_value(json_object_get(size, "url")));
        if (cover->width >= width || !html_own_path(url)) continue;
        cover->src = url;
        cover->width = json_integer_value(json_object_get(size, "width"));
        cover->height = json_integer_value(json_object_get(size, "height"));
    }
}
