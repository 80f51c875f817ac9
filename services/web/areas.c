/* What the forms on a draft's page do: another area, and the announcement. */
#include <string.h>

#include "buf.h"
#include "routes.h"
#include "texts.h"

/* --- an area --- */

static void on_added(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    if (answer->code == 202)
        page_go(rq, "%.*s?done=area", (int)visit->page.path.n, visit->page.path.p);
    else if (!page_refused(rq, answer))
        go_to_show(rq, answer);
}

/* At most six digits from the front; false: there are none, or more. */
static bool take_number(struct str *s, int64_t *out) {
    size_t n = 0;
    for (*out = 0; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        if (n < 6) *out = *out * 10 + (s->p[n] - '0');
    s->p += n;
    s->n -= n;
    return n > 0 && n <= 6;
}

/* "1-20", or "7" */
static bool read_seats(struct str text, int64_t *from, int64_t *to) {
    if (!take_number(&text, from)) return false;
    *to = *from;
    if (text.n == 0) return true;
    text = (struct str){text.p + 1, text.n - 1};
    return text.p[-1] == '-' && take_number(&text, to) && text.n == 0;
}

/* "Box 3 1-20": the seats stand behind the last space. */
static bool write_row(struct str line, struct json *body) {
    size_t space = line.n;
    while (space > 0 && strchr(" \t", line.p[space - 1]) == NULL)
        space--;
    struct str name = visit_trim((struct str){line.p, space});
    int64_t from, to;
    if (name.n == 0 || !read_seats((struct str){line.p + space, line.n - space}, &from, &to)) return false;
    json_open(body, '{');
    json_put_text(body, "name", name);
    json_put_int(body, "from", from);
    json_put_int(body, "to", to);
    json_close(body, '}');
    return true;
}

/* The number of the line that is no row, or 0. */
static int write_rows(struct str text, struct json *body) {
    int number = 0;
    json_key(body, "rows");
    json_open(body, '[');
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end == NULL ? text.n : (size_t)(end - text.p);
        struct str line = visit_trim((struct str){text.p, n});
        number++;
        if (line.n > 0 && !write_row(line, body)) return number;
        n += end != NULL;
        text = (struct str){text.p + n, text.n - n};
    }
    json_close(body, ']');
    return 0;
}

/* The number of the line that is no row, or 0. */
static int write_area(struct req *rq, struct json *body) {
    struct str rows = visit_field(rq, "rows");
    int wrong = 0;
    json_open(body, '{');
    json_put_text(body, "name", visit_field(rq, "name"));
    json_put_text(body, "price", visit_price(rq, "price"));
    if (visit_trim(visit_field(rq, "places")).n > 0) visit_put_number(rq, body, "places", "places");
    json_key(body, "accessible");
    json_bool(body, visit_field(rq, "accessible").n > 0);
    if (visit_trim(rows).n > 0) wrong = write_rows(rows, body);
    json_close(body, '}');
    return wrong;
}

void add_area(struct req *rq) {
    struct visit *visit = visit_begin(rq);
    if (!page_own_form(rq)) return;
    char path[64], id[UUID_TEXT];
    struct json body = {0};
    int wrong = write_area(rq, &body);
    if (wrong > 0) {
        buf_free(&body.out);
        visit->status = 400;
        visit->problem = text_fill(req_arena(rq), TEXT_AREA_WRONG_LINE,
                                   (struct text_hole[]){{"line", text_number(req_arena(rq), wrong)}, {0}});
        go_to_show(rq, NULL);
        return;
    }
    visit_id(rq, id);
    snprintf(path, sizeof path, "/api/shows/%.*s/areas", UUID_TEXT, id);
    visit_send(rq, API_TICKETS, "POST", path, &body, 0, on_added);
}

/* --- for everybody to see --- */

static void on_announced(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    bool phased = json_object_get(answer->body, "phases") != NULL;
    if (answer->code == 200)
        page_go(rq, "%.*s?done=%s", (int)visit->page.path.n, visit->page.path.p,
                phased ? "phased" : "announced");
    else if (!page_refused(rq, answer))
        go_to_show(rq, answer);
}

void announce_show(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    char id[UUID_TEXT];
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "POST", on_announced, "/api/shows/%.*s/announce", UUID_TEXT, id);
}
