#include "search.h"

#include "clock.h"

enum { DAY_TEXT = 10 }; /* 2027-06-01, by the clocks at a show's place */

struct search search_read(struct req *rq, const char *action) {
    struct search search = {.view.action = str_of(action)};
    struct search_view *v = &search.view;
    const struct {
        const char *name;
        struct str *text;
    } fields[] = {{"q", &v->words}, {"city", &v->city}, {"from", &v->begins}, {"to", &v->ends}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        req_query(rq, fields[i].name, fields[i].text);
    search.placed = v->city.n > 0 || v->begins.n > 0 || v->ends.n > 0;
    search.filtered = search.placed || v->words.n > 0;
    return search;
}

static void put(struct buf *out, const char *name, struct str value) {
    if (value.n == 0) return;
    buf_printf(out, "&%s=", name);
    percent_encode(out, value);
}

/* A day to people is its whole day: up to the end of the last one. What is no day, the service refuses. */
static void put_end(struct buf *out, struct str day) {
    int64_t us;
    char text[CLOCK_TEXT];
    if (day.n == DAY_TEXT && clock_parse(day, &us)) {
        clock_format(us + INT64_C(86400) * 1000000, text);
        day = (struct str){text, DAY_TEXT};
    }
    put(out, "to", day);
}

/* From a day that has begun, what has not begun yet: the service's own default. */
static void put_begin(struct buf *out, struct str day) {
    int64_t us;
    if (!clock_parse(day, &us) || us > clock_wall_us()) put(out, "from", day);
}

void search_ask(struct req *rq, const struct search *search, struct str cursor, api_then *then) {
    const struct search_view *v = &search->view;
    struct buf query = {0};
    put(&query, "cursor", cursor);
    put(&query, "q", v->words);
    put(&query, "city", v->city);
    put_begin(&query, v->begins);
    put_end(&query, v->ends);
    visit_ask(rq, API_TICKETS, "GET", then, "/api/shows?limit=%d%.*s", PAGE_ITEMS, (int)query.len,
              (char *)query.data);
    buf_free(&query);
}

struct str search_next(struct req *rq, const struct search *search, struct str cursor) {
    const struct search_view *v = &search->view;
    struct buf query = {0};
    put(&query, "q", v->words);
    put(&query, "city", v->city);
    put(&query, "from", v->begins);
    put(&query, "to", v->ends);
    struct str link =
        visit_text(rq, "/shows?cursor=%.*s%.*s", (int)cursor.n, cursor.p, (int)query.len, (char *)query.data);
    buf_free(&query);
    return link;
}

struct str search_problem(struct req *rq, const struct api_answer *answer) {
    static const char *const fields[] = {"q", "city", "from", "to"};
    struct str words = {0};
    for (size_t i = 0; i < sizeof fields / sizeof *fields && words.n == 0; i++)
        words = api_error(answer, fields[i]);
    return visit_words(rq, words);
}
