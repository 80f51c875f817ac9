#include "lists.h"

#include "arena.h"
#include "fields.h"
#include "percent.h"
#include "utf8.h"

enum { QUERY_MAX = 100 };

static bool read_words(struct req *rq, const char *name, struct str *out) {
    struct str v;
    if (!req_query(rq, name, &v)) return true;
    *out = fields_trim(v);
    if (utf8_valid(*out) && utf8_length(*out) <= QUERY_MAX) return true;
    req_fail(rq, 400, name, "must be a text of at most %d characters", QUERY_MAX);
    return false;
}

bool lists_words(struct req *rq, struct list_filter *filter) {
    return read_words(rq, "q", &filter->q) && read_words(rq, "city", &filter->city);
}

struct str lists_pattern(struct req *rq, const struct list_filter *filter) {
    return filter->q.n == 0 ? filter->q : fields_ilike_pattern(req_arena(rq), filter->q);
}

bool lists_mine(struct req *rq, const char *refusal, bool *mine) {
    struct str v = {0};
    bool given = req_query(rq, "mine", &v);
    *mine = str_eq(v, STR("true"));
    if (given && !*mine && !str_eq(v, STR("false")))
        req_fail(rq, 400, "mine", "must be true or false");
    else if (*mine && req_user(rq) == NULL)
        req_fail(rq, 401, NULL, "%s", refusal);
    else
        return true;
    return false;
}

struct str lists_query(struct req *rq, const struct list_filter *filter) {
    const struct {
        const char *name;
        struct str value;
    } parts[] = {{"q", filter->q},
                 {"city", filter->city},
                 {"from", filter->from},
                 {"to", filter->to},
                 {"sort", filter->sort}};
    struct buf query = {0};
    if (filter->mine) buf_printf(&query, "&mine=true");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].value.n == 0) continue;
        buf_printf(&query, "&%s=", parts[i].name);
        percent_encode(&query, parts[i].value);
    }
    struct str text = arena_str(req_arena(rq), buf_str(&query));
    buf_free(&query);
    return text;
}
