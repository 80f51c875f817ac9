#include "plan.h"

#include <math.h>

#include "buf.h"
#include "utf8.h"

enum { MIDDLE = 200, TOP = -30, NEAREST = 92, FURTHEST = 320, MOST = 60, NAME_MOST = 16 };

/* A part of a ring, from one angle and radius to others; 0 is to the right, pi/2 down. */
struct part {
    double from, to, near, far;
};

static struct str path_of(const struct part *p, struct arena *arena) {
    struct buf path = {0};
    buf_printf(&path, "M%.1f %.1fA%.0f %.0f 0 0 1 %.1f %.1fL%.1f %.1fA%.0f %.0f 0 0 0 %.1f %.1fz",
               MIDDLE + p->near * cos(p->from), TOP + p->near * sin(p->from), p->near, p->near,
               MIDDLE + p->near * cos(p->to), TOP + p->near * sin(p->to), MIDDLE + p->far * cos(p->to),
               TOP + p->far * sin(p->to), p->far, p->far, MIDDLE + p->far * cos(p->from),
               TOP + p->far * sin(p->from));
    struct str kept = arena_str(arena, buf_str(&path));
    buf_free(&path);
    return kept;
}

/* Without what is left, which changes while the page is open. */
static struct str words_of(const struct show_area_view *area, struct arena *arena) {
    struct buf words = {0};
    buf_printf(&words, "%.*s, ", (int)area->name.n, area->name.p);
    html_price(&words, &area->price);
    struct str kept = arena_str(arena, buf_str(&words));
    buf_free(&words);
    return kept;
}

static bool begins_character(char c) {
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* To so many characters, of which the last then says that there are more. */
static struct str shortened(struct str name, struct arena *arena) {
    if (utf8_length(name) <= NAME_MOST) return name;
    size_t n = 0;
    for (int left = NAME_MOST - 1; left > 0; left--)
        for (n++; !begins_character(name.p[n]);)
            n++;
    while (n > 0 && name.p[n - 1] == ' ')
        n--;
    struct buf text = {0};
    buf_add(&text, name.p, n);
    html_literal(&text, "\u2026");
    struct str kept = arena_str(arena, buf_str(&text));
    buf_free(&text);
    return kept;
}

static struct plan_area_view draw(const struct show_area_view *area, const struct part *p,
                                  struct arena *arena) {
    double angle = (p->from + p->to) / 2, r = (p->near + p->far) / 2;
    return (struct plan_area_view){.id = area->id,
                                   .words = words_of(area, arena),
                                   .name = shortened(area->name, arena),
                                   .path = path_of(p, arena),
                                   .x = lround(MIDDLE + r * cos(angle)),
                                   .y = lround(TOP + r * sin(angle) + 4),
                                   .tier = area->tier,
                                   .free = area->free,
                                   .seated = area->seated,
                                   .on_sale = area->on_sale};
}

/* Few areas: a ring each. More: some in each ring, fewer in those near the stage. */
static size_t rings_of(size_t areas) {
    return areas <= 4 ? areas : (size_t)lround(1 + sqrt((double)areas));
}

struct plan_area_list plan_of(const struct show *show, struct arena *arena) {
    size_t n = show->areas.count, done = 0, rings = rings_of(n);
    if (n < 2 || n > MOST) return (struct plan_area_list){0};
    struct plan_area_view *areas = arena_alloc(arena, n * sizeof *areas);
    double wide = (FURTHEST - NEAREST) / (double)rings;
    for (size_t ring = 0; ring < rings; ring++) {
        size_t until = n * (ring + 1) / rings, count = until - done;
        double near = NEAREST + wide * (double)ring, half = 0.95 - 0.3 * (double)ring / (double)rings;
        for (size_t i = 0; i < count; i++) {
            double gap = 2.0 / near, each = 2 * half / (double)count, from = M_PI_2 + half - each * (double)i;
            struct part part = {from - each + gap, from - gap, near, near + wide - 5};
            areas[done] = draw(&show->areas.items[done], &part, arena);
            done++;
        }
    }
    return (struct plan_area_list){areas, n};
}
