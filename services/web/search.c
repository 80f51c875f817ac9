#include "search.h"

#include <string.h>

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
    struct str sort = {0};
    bool placed = v->city.n > 0 || v->begins.n > 0 || v->ends.n > 0;
    search.filtered = placed || v->words.n > 0;
    search.sorted = req_query(rq, "sort", &sort) && str_eq(sort, STR("date"));
    search.by_date = placed || search.sorted;
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

void search_ask(struct req *rq, const struct search *search, const char *path, struct str cursor,
                api_then *then) {
    const struct search_view *v = &search->view;
    bool shows = strcmp(path, "/api/shows") == 0;
    struct buf query = {0};
    put(&query, "cursor", cursor);
    put(&query, "q", v->words);
    put(&query, "city", v->city);
    if (shows)
        put_begin(&query, v->begins);
    else
        put(&query, "from", v->begins);
    put_end(&query, v->ends);
    if (search->sorted && !shows) put(&query, "sort", STR("date"));
    visit_ask(rq, API_TICKETS, "GET", then, "%s?limit=%d%.*s", path, PAGE_ITEMS, (int)query.len,
              (char *)query.data);
    buf_free(&query);
}

static struct str link_to(struct req *rq, const struct search *search, const char *path, struct str cursor,
                          bool sorted) {
    const struct search_view *v = &search->view;
    struct buf query = {0};
    put(&query, "cursor", cursor);
    put(&query, "q", v->words);
    put(&query, "city", v->city);
    put(&query, "from", v->begins);
    put(&query, "to", v->ends);
    if (sorted) put(&query, "sort", STR("date"));
    struct str link = query.len == 0
                          ? str_of(path)
                          : visit_text(rq, "%s?%.*s", path, (int)query.len - 1, (char *)query.data + 1);
    buf_free(&query);
    return link;
}

struct str search_next(struct req *rq, const struct search *search, const char *path, struct str cursor) {
    return link_to(rq, search, path, cursor, search->sorted);
}

struct str search_other_order(struct req *rq, const struct search *search) {
    bool asked_for = search->sorted || !search->by_date;
    return asked_for ? link_to(rq, search, "/", (struct str){0}, !search->sorted) : (struct str){0};
}

struct str search_problem(struct req *rq, const struct api_answer *answer) {
    static const char *const fields[] = {"q", "city", "from", "to"};
    struct str words = {0};
    for (size_t i = 0; i < sizeof fields / sizeof *fields && words.n == 0; i++)
        words = api_error(answer, fields[i]);
    return visit_words(rq, words);
}
