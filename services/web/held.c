/* The cookie: holds with bars between, PATH.SECONDS.TITLE each; seconds since 1970, titles as in URLs. */
#include "held.h"

#include <ctype.h>

#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "html.h"
#include "percent.h"

enum { MOST = 8, TITLE_MOST = 60 }; /* bytes; so that the cookie stays far below what browsers take */

static const char name[] = "held";
static const int64_t second_us = 1000000;

struct hold {
    struct str path, title;
    int64_t until_us;
};

struct holds { /* in the order of their ends */
    struct hold items[MOST];
    int count;
};

/* --- reading --- */

static bool is_path(struct str path) {
    static const struct str before[] = {STR("/orders/"), STR("/purchases/")};
    struct uuid id;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (path.n == before[i].n + UUID_TEXT && memcmp(path.p, before[i].p, before[i].n) == 0)
            return uuid_parse((struct str){path.p + before[i].n, UUID_TEXT}, &id);
    return false;
}

/* What is before a byte, which goes as well; all, if there is none. */
static struct str take_until(struct str *text, char end) {
    const char *at = text->n == 0 ? NULL : memchr(text->p, end, text->n);
    struct str before = {text->p, at == NULL ? text->n : (size_t)(at - text->p)};
    size_t gone = before.n + (at != NULL);
    *text = (struct str){text->p + gone, text->n - gone};
    return before;
}

static int64_t read_seconds(struct str text) {
    int64_t s = 0;
    for (size_t i = 0; i < text.n && i < 11 && isdigit((unsigned char)text.p[i]); i++)
        s = s * 10 + (text.p[i] - '0');
    return s;
}

static void put(struct holds *holds, struct hold hold) {
    int at = holds->count < MOST ? holds->count++ : MOST - 1;
    for (; at > 0 && holds->items[at - 1].until_us > hold.until_us; at--)
        holds->items[at] = holds->items[at - 1];
    holds->items[at] = hold;
}

static struct holds read_holds(struct req *rq, int64_t now_us) {
    struct holds holds = {.count = 0};
    struct str text = {0};
    req_get_cookie(rq, name, &text);
    for (int i = 0; text.n > 0 && i < MOST; i++) {
        struct str entry = take_until(&text, '|');
        struct hold hold = {.path = take_until(&entry, '.')};
        hold.until_us = read_seconds(take_until(&entry, '.')) * second_us;
        hold.title = percent_decode(req_arena(rq), entry);
        if (is_path(hold.path) && hold.until_us > now_us) put(&holds, hold);
    }
    return holds;
}

static void drop(struct holds *holds, struct str path) {
    int kept = 0;
    for (int i = 0; i < holds->count; i++)
        if (path.n > 0 && !str_eq(holds->items[i].path, path)) holds->items[kept++] = holds->items[i];
    holds->count = kept;
}

/* --- writing --- */

/* None: the cookie goes. */
static void write_holds(struct req *rq, const struct holds *holds, int64_t now_us) {
    struct buf text = {0};
    int64_t last_us = now_us;
    for (int i = 0; i < holds->count; i++) {
        const struct hold *hold = &holds->items[i];
        buf_printf(&text, "%s%.*s.%lld.", i == 0 ? "" : "|", (int)hold->path.n, hold->path.p,
                   (long long)(hold->until_us / second_us));
        percent_encode(&text, hold->title);
        last_us = hold->until_us;
    }
    req_set_cookie(rq, name, buf_str(&text), (last_us - now_us) / second_us);
    buf_free(&text);
}

static struct str shortened(struct str title) {
    if (title.n <= TITLE_MOST) return title;
    title.n = TITLE_MOST;
    while (title.n > 0 && ((unsigned char)title.p[title.n] & 0xc0) == 0x80) /* within a character */
        title.n--;
    return title;
}

void held_add(struct req *rq, struct str path, struct str title, int64_t until_us) {
    int64_t now_us = clock_wall_us();
    struct holds holds = read_holds(rq, now_us);
    drop(&holds, path);
    if (until_us - now_us >= second_us) put(&holds, (struct hold){path, shortened(title), until_us});
    write_holds(rq, &holds, now_us);
}

void held_drop(struct req *rq, struct str path) {
    int64_t now_us = clock_wall_us();
    struct str text;
    if (!req_get_cookie(rq, name, &text)) return;
    struct holds holds = read_holds(rq, now_us);
    drop(&holds, path);
    write_holds(rq, &holds, now_us);
}

static struct str path_of(struct req *rq, const struct order_row_view *order) {
    struct buf path = {0};
    buf_printf(&path, "/%s/", order->kind == ORDER_KIND_ORDERS ? "orders" : "purchases");
    html_uuid(&path, &order->id);
    struct str kept = arena_str(req_arena(rq), buf_str(&path));
    buf_free(&path);
    return kept;
}

/* An order's page knows of which show it is, so its title stays. */
static struct str title_of(const struct holds *holds, struct str path, struct str title) {
    for (int i = 0; i < holds->count; i++)
        if (str_eq(holds->items[i].path, path)) return holds->items[i].title;
    return shortened(title);
}

void held_set(struct req *rq, const struct order_row_list *orders) {
    int64_t now_us = clock_wall_us();
    struct holds before = read_holds(rq, now_us), now = {.count = 0};
    for (size_t i = 0; i < orders->count; i++) {
        const struct order_row_view *order = &orders->items[i];
        if (order->state != ORDER_STATE_WAITING || order->expires_at - now_us < second_us) continue;
        struct str path = path_of(rq, order);
        put(&now, (struct hold){path, title_of(&before, path, order->title), order->expires_at});
    }
    if (before.count + now.count > 0) write_holds(rq, &now, now_us);
}

/* --- telling --- */

void held_tell(struct req *rq, struct page_view *page) {
    struct holds holds = read_holds(rq, page->now);
    drop(&holds, page->path);
    struct held_view *told = req_alloc(rq, MOST * sizeof *told);
    for (int i = 0; i < holds.count; i++) {
        const struct hold *hold = &holds.items[i];
        told[i] = (struct held_view){.url = arena_str(req_arena(rq), hold->path),
                                     .title = hold->title,
                                     .until = hold->until_us,
                                     .minutes = (hold->until_us - page->now) / second_us / 60 + 1};
    }
    page->held = (struct held_list){told, (size_t)holds.count};
}
