/* Shows before they are announced: the form for a new one, and the page on which it gets its areas. */
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "currency.h"
#include "routes.h"
#include "views.h"
#include "zone.h"

/* --- a new one --- */

static struct str field_or(struct req *rq, const char *name, const char *otherwise) {
    struct str value;
    return form_get(&visit_of(rq)->form, name, &value) ? value : str_of(otherwise);
}

/* What was wrong with a field: here, or else by the service. */
static struct str wrong_with(struct req *rq, const struct api_answer *refusal, const char *field) {
    return refusal == NULL ? (struct str){0} : visit_words(rq, api_error(refusal, field));
}

/* What only web can say of the start, since the service is told a moment. */
struct start {
    int64_t at_us;
    const char *wrong, *wrong_zone;
};

static void render_making(struct req *rq, const struct start *start, const struct api_answer *refusal) {
    struct visit *visit = visit_of(rq);
    const struct web *web = req_service(rq);
    struct show_new_view view = {.page = visit->page,
                                 .title = visit_field(rq, "title"),
                                 .venue = visit_field(rq, "venue"),
                                 .city = visit_field(rq, "city"),
                                 .starts = visit_field(rq, "starts"),
                                 .zone = visit_field(rq, "zone"),
                                 .description = visit_field(rq, "description"),
                                 .currency = field_or(rq, "currency", web->currency),
                                 .per_user = field_or(rq, "per-user", "8"),
                                 .title_error = wrong_with(rq, refusal, "title"),
                                 .venue_error = wrong_with(rq, refusal, "venue"),
                                 .city_error = wrong_with(rq, refusal, "city"),
                                 .starts_error = wrong_with(rq, refusal, "startsAt"),
                                 .zone_error = wrong_with(rq, refusal, "timeZone"),
                                 .description_error = wrong_with(rq, refusal, "description"),
                                 .currency_error = wrong_with(rq, refusal, "currency"),
                                 .per_user_error = wrong_with(rq, refusal, "perUser"),
                                 .key = visit_new_key(rq)};
    if (start != NULL) {
        visit->status = 400;
        view.starts_error = str_of(start->wrong);
        view.zone_error = str_of(start->wrong_zone);
    }
    if (refusal != NULL) {
        visit->status = refusal->away || refusal->code < 400 ? 503 : refusal->code;
        view.problem = visit_trouble(rq, refusal,
                                     "Your show could not be made. Nothing was done; try again in a moment.");
    }
    show_new_render(page_begin(rq), &view);
    page_end(rq);
}

void show_making(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) render_making(rq, NULL, NULL);
}

static void on_made(struct req *rq, const struct api_answer *answer) {
    const char *id = json_string_value(json_object_get(answer->body, "id"));
    struct uuid known;
    if (answer->code == 201 && id != NULL && uuid_parse(str_of(id), &known))
        page_go(rq, "/shows/%.*s?done=drafted", UUID_TEXT, id);
    else if (answer->code == 401)
        page_refusal(rq, answer, "");
    else
        render_making(rq, NULL, answer);
}

/* 2027-06-01T20:00, with or without seconds, as if it were UTC. */
static bool read_local(struct str text, int64_t *local_us) {
    enum { TO_MINUTES = 16, TO_SECONDS = 19 };
    char iso[CLOCK_TEXT + 1] = "0000-00-00T00:00:00.000Z", again[CLOCK_TEXT];
    if (text.n != TO_MINUTES && text.n != TO_SECONDS) return false;
    memcpy(iso, text.p, text.n);
    if (!view_time(iso, local_us)) return false;
    clock_format(*local_us, again);
    return memcmp(iso, again, CLOCK_TEXT) == 0; /* there is no 30 February */
}

static struct start read_start(struct req *rq) {
    struct start start = {0};
    struct str zone = visit_field(rq, "zone");
    int64_t local_us;
    if (!read_local(visit_field(rq, "starts"), &local_us))
        start.wrong = "Must be a date and a time, like 2027-06-01T20:00";
    else if (!zone_moment(zone, local_us, &start.at_us))
        start.wrong_zone = "Must be the name of a time zone, like Europe/Zurich";
    return start;
}

static void write_show(struct req *rq, const struct start *start, struct json *body) {
    struct str description = visit_field(rq, "description");
    json_open(body, '{');
    json_put_text(body, "title", visit_field(rq, "title"));
    json_put_text(body, "venue", visit_field(rq, "venue"));
    json_put_text(body, "city", visit_field(rq, "city"));
    json_key(body, "startsAt");
    json_time(body, start->at_us);
    json_put_text(body, "timeZone", visit_field(rq, "zone"));
    if (description.n > 0) json_put_text(body, "description", description);
    json_put_text(body, "currency", visit_field(rq, "currency"));
    visit_put_number(rq, body, "perUser", "per-user");
    json_close(body, '}');
}

void make_show(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct start start = read_start(rq);
    if (start.wrong != NULL || start.wrong_zone != NULL) {
        render_making(rq, &start, NULL);
        return;
    }
    struct json body = {0};
    write_show(rq, &start, &body);
    visit_send(rq, API_TICKETS, "POST", "/api/shows", &body, 0, on_made);
}

/* --- the draft --- */

static enum making_state making_of(const struct show *show) {
    if (show->places == 0) return MAKING_STATE_EMPTY;
    bool ready = show->made >= show->places && show->known >= show->places;
    return ready ? MAKING_STATE_READY : MAKING_STATE_MAKING;
}

static void render(struct req *rq, const struct show *show, const struct api_answer *refusal,
                   struct str rows_error) {
    struct visit *visit = visit_of(rq);
    struct show_draft_view view = {.page = visit->page,
                                   .id = show->id,
                                   .show = show->head,
                                   .areas = show->drafts,
                                   .state = making_of(show),
                                   .places = show->places,
                                   .made = show->made,
                                   .known = show->known,
                                   .symbol = str_of(view_symbol(show->currency.p)),
                                   .name = visit_field(rq, "name"),
                                   .price = visit_field(rq, "price"),
                                   .rows = visit_field(rq, "rows"),
                                   .count = visit_field(rq, "places"),
                                   .accessible = visit_field(rq, "accessible").n > 0,
                                   .name_error = wrong_with(rq, refusal, "name"),
                                   .price_error = wrong_with(rq, refusal, "price"),
                                   .rows_error = wrong_with(rq, refusal, "rows"),
                                   .count_error = wrong_with(rq, refusal, "places"),
                                   .key = visit_new_key(rq)};
    if (rows_error.n > 0) {
        view.rows_error = rows_error;
        visit->status = 400;
    }
    if (refusal != NULL) {
        visit->status = refusal->away || refusal->code < 400 ? 503 : refusal->code;
        view.problem = visit_trouble(rq, refusal,
                                     "That doesn't work right now. Nothing was done; try again in a moment.");
    }
    show_draft_render(page_begin(rq), &view);
    page_end(rq);
}

void render_draft(struct req *rq, const struct show *show, const struct api_answer *refusal) {
    render(rq, show, refusal, visit_of(rq)->problem);
}

/* --- an area --- */

static void on_added(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    if (answer->code == 202)
        page_go(rq, "%.*s?done=area", (int)visit->page.path.n, visit->page.path.p);
    else if (answer->code == 401 || answer->code == 403 || answer->code == 404)
        page_refusal(rq, answer, "");
    else
        go_to_show(rq, answer);
}

static struct str trimmed(struct str s) {
    while (s.n > 0 && strchr(" \t\r", s.p[0]) != NULL)
        s.p++, s.n--;
    while (s.n > 0 && strchr(" \t\r", s.p[s.n - 1]) != NULL)
        s.n--;
    return s;
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
    struct str name = trimmed((struct str){line.p, space});
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
        struct str line = trimmed((struct str){text.p, n});
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
    json_put_text(body, "price", visit_field(rq, "price"));
    if (trimmed(visit_field(rq, "places")).n > 0) visit_put_number(rq, body, "places", "places");
    json_key(body, "accessible");
    json_bool(body, visit_field(rq, "accessible").n > 0);
    if (trimmed(rows).n > 0) wrong = write_rows(rows, body);
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
        visit->problem = visit_text(rq, "Line %d must be a row and its seats, like A 1-20", wrong);
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
    if (answer->code == 200)
        page_go(rq, "%.*s?done=announced", (int)visit->page.path.n, visit->page.path.p);
    else if (answer->code == 401 || answer->code == 403 || answer->code == 404)
        page_refusal(rq, answer, "");
    else
        go_to_show(rq, answer);
}

void announce_show(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    char id[UUID_TEXT];
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "POST", on_announced, "/api/shows/%.*s/announce", UUID_TEXT, id);
}
