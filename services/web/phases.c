/* The page on which a seller says when a show is sold, and what its forms do. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "local_time.h"
#include "routes.h"
#include "texts.h"
#include "views.h"
#include "zone.h"

struct phases_page {
    struct show show;
    void (*then)(struct req *rq); /* once the show is known to be the reader's own */
    struct str opens_error, closes_error;
    const struct api_answer *refusal; /* NULL: none */
};

static struct phases_page *own(struct req *rq) {
    return visit_of(rq)->own;
}

/* --- the page --- */

static bool is_ticked(struct req *rq, struct str area) {
    const struct form *form = &visit_of(rq)->form;
    for (int i = 0; i < form->count; i++)
        if (str_eq(form->fields[i].key, STR("area")) && str_eq(form->fields[i].value, area)) return true;
    return false;
}

static struct option_list areas_of(struct req *rq, const struct show *show) {
    size_t n = show->areas.count;
    struct option_view *options = req_alloc(rq, n * sizeof *options);
    for (size_t i = 0; i < n; i++) {
        char *id = req_alloc(rq, UUID_TEXT);
        uuid_format(&show->areas.items[i].id, id);
        struct str value = {id, UUID_TEXT};
        options[i] = (struct option_view){value, show->areas.items[i].name, is_ticked(rq, value)};
    }
    return (struct option_list){options, n};
}

/* What is wrong with a field of the phase that was sent. The service says it of the list: `before`, its
 * number, and what is wrong. */
static struct str field_error(struct req *rq, const char *before, const char *called) {
    struct str said = api_said(own(rq)->refusal, "phases");
    size_t n = strlen(before);
    if (said.n <= n || memcmp(said.p, before, n) != 0) return (struct str){0};
    for (said.p += n, said.n -= n; said.n > 0 && isdigit((unsigned char)*said.p); said.n--)
        said.p++;
    struct str words = visit_text(rq, "%s%.*s", called, (int)said.n, said.p);
    return text_of_api(req_arena(rq), words);
}

static struct str problem_of(struct req *rq, const struct api_answer *refusal) {
    struct str words = api_error(refusal, "phases");
    if (refusal->code == 412) return text_of(TEXT_CHANGED_PHASES);
    if (refusal->code == 404) return text_of(TEXT_PHASES_NO_CODES_YET);
    if (words.n > 0) return visit_sentence(rq, words);
    return visit_trouble(rq, refusal, TEXT_AWAY_NOTHING_DONE);
}

static bool asks_for_codes(const struct show *show) {
    for (size_t i = 0; i < show->phase_count; i++)
        if (show->phases[i].codes) return true;
    return false;
}

static void render(struct req *rq) {
    struct visit *visit = visit_of(rq);
    const struct phases_page *p = own(rq);
    const struct show *show = &p->show;
    bool announced = show->state == SHOW_STATE_ANNOUNCED;
    struct str per_user = visit_field(rq, "per-user"), uses = visit_field(rq, "uses");
    struct phases_view view = {.page = visit->page,
                               .id = show->id,
                               .title = show->head.title,
                               .phases = view_phase_lines(show, visit->page.now, req_arena(rq)),
                               .announced = announced,
                               .several = show->phase_count > 1,
                               .fixed = announced && show->phase_count == 0,
                               .per_user = per_user.n > 0 ? per_user
                                                          : visit_text(rq, "%lld", (long long)show->per_user),
                               .name = visit_field(rq, "name"),
                               .opens = visit_field(rq, "opens"),
                               .opens_error = p->opens_error,
                               .closes = visit_field(rq, "closes"),
                               .closes_error = p->closes_error,
                               .areas = areas_of(rq, show),
                               .queue = visit_field(rq, "queue").n > 0,
                               .codes = visit_field(rq, "codes").n > 0,
                               .coded = asks_for_codes(show),
                               .count = visit_field(rq, "count"),
                               .uses = uses.n > 0 ? uses : STR("1"),
                               .key = visit_new_key(rq)};
    if (p->opens_error.n + p->closes_error.n > 0) visit->status = 400;
    if (p->refusal != NULL) {
        int code = p->refusal->away ? 0 : p->refusal->code;
        visit->status = code < 400 || code == 404 ? 503 : code;
        view.name_error = field_error(rq, "Phases: name of number ", "Name");
        view.per_user_error = field_error(rq, "Phases: perUser of number ", "The number of places a person");
        if (view.name_error.n + view.per_user_error.n == 0) view.problem = problem_of(rq, p->refusal);
        view.count_error = visit_words(rq, api_error(p->refusal, "count"));
        view.uses_error = visit_words(rq, api_error(p->refusal, "uses"));
    }
    phases_render(page_begin(rq), &view);
    page_end(rq);
}

static void on_show(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    struct phases_page *p = own(rq);
    if (answer->code != 200 || !view_show(answer->body, req_arena(rq), &p->show))
        page_refusal(rq, answer, TEXT_AWAY_YOUR_SHOW);
    else if (!uuid_eq(&p->show.seller, &visit->user->user))
        page_missing(rq, 404, TEXT_MISSING_NOT_YOUR_SHOW, TEXT_MISSING_SELLER_SAYS_WHEN);
    else
        p->then(rq);
}

static void go(struct req *rq, void (*then)(struct req *rq)) {
    char id[UUID_TEXT];
    struct phases_page *p = req_alloc(rq, sizeof *p);
    p->then = then;
    visit_of(rq)->own = p;
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "GET", on_show, "/api/shows/%.*s", UUID_TEXT, id);
}

void show_phases(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) go(rq, render);
}

/* --- the phases as they are to be: all that there are, with one more or one less --- */

static void write_kept(struct json *body, const struct phase *phase) {
    char *text = json_dumps(phase->json, JSON_COMPACT);
    json_raw(body, str_of(text));
    free(text);
}

struct new_phase {
    int64_t opens_at, closes_at;
};

static void write_new(struct req *rq, struct json *body, const struct new_phase *phase) {
    const struct form *form = &visit_of(rq)->form;
    bool some = false;
    json_open(body, '{');
    json_put_text(body, "name", visit_field(rq, "name"));
    json_key(body, "opensAt");
    json_time(body, phase->opens_at);
    json_key(body, "closesAt");
    json_time(body, phase->closes_at);
    visit_put_number(rq, body, "perUser", "per-user");
    for (int i = 0; i < form->count; i++) {
        if (!str_eq(form->fields[i].key, STR("area"))) continue;
        if (!some) json_key(body, "areas");
        if (!some) json_open(body, '[');
        some = true;
        json_text(body, form->fields[i].value);
    }
    if (some) json_close(body, ']');
    if (visit_field(rq, "queue").n > 0) {
        json_key(body, "queue");
        json_bool(body, true);
    }
    json_key(body, "codes");
    json_bool(body, visit_field(rq, "codes").n > 0);
    json_close(body, '}');
}

static void on_put(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 200) {
        char id[UUID_TEXT];
        visit_id(rq, id);
        page_go(rq, "/shows/%.*s/phases?done=saved", UUID_TEXT, id);
    } else if (!page_refused(rq, answer)) {
        own(rq)->refusal = answer;
        render(rq);
    }
}

static void put(struct req *rq, const struct new_phase *added, const struct phase *removed) {
    const struct show *show = &own(rq)->show;
    char path[64], id[UUID_TEXT];
    struct json body = {0};
    json_open(&body, '{');
    json_key(&body, "phases");
    json_open(&body, '[');
    for (size_t i = 0; i < show->phase_count; i++) {
        const struct phase *phase = &show->phases[i];
        if (added != NULL && added->opens_at < phase->opens_at) {
            write_new(rq, &body, added);
            added = NULL;
        }
        if (phase != removed) write_kept(&body, phase);
    }
    if (added != NULL) write_new(rq, &body, added);
    json_close(&body, ']');
    json_close(&body, '}');
    visit_id(rq, id);
    snprintf(path, sizeof path, "/api/shows/%.*s/phases", UUID_TEXT, id);
    visit_send(rq, API_TICKETS, "PUT", path, &body, show->version, on_put);
}

/* --- a further one --- */

static bool read_moment(struct req *rq, const char *field, struct str *error, int64_t *at_us) {
    int64_t local_us;
    if (local_time_read(visit_field(rq, field), &local_us) &&
        zone_moment(own(rq)->show.head.zone, local_us, at_us))
        return true;
    *error = text_of(TEXT_FORM_DATE_AND_TIME);
    return false;
}

static void add(struct req *rq) {
    struct phases_page *p = own(rq);
    struct new_phase phase;
    bool opens = read_moment(rq, "opens", &p->opens_error, &phase.opens_at);
    if (read_moment(rq, "closes", &p->closes_error, &phase.closes_at) && opens)
        put(rq, &phase, NULL);
    else
        render(rq);
}

void add_phase(struct req *rq) {
    visit_begin(rq);
    if (page_own_form(rq)) go(rq, add);
}

/* --- one less --- */

static void drop(struct req *rq) {
    const struct show *show = &own(rq)->show;
    const struct phase *removed = NULL;
    int64_t at_us;
    bool known = clock_parse(visit_field(rq, "phase"), &at_us);
    for (size_t i = 0; known && i < show->phase_count; i++)
        if (show->phases[i].opens_at == at_us) removed = &show->phases[i];
    if (removed != NULL)
        put(rq, NULL, removed);
    else
        render(rq); /* it is gone already */
}

void remove_phase(struct req *rq) {
    visit_begin(rq);
    if (page_own_form(rq)) go(rq, drop);
}

/* --- codes --- */

static void render_codes(struct req *rq, const json_t *made) {
    const struct phases_page *p = own(rq);
    const json_t *codes = json_object_get(made, "codes");
    size_t n = json_array_size(codes);
    struct buf text = {0};
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s\n", json_string_value(json_array_get(codes, i)));
    struct codes_view view = {.page = visit_of(rq)->page,
                              .id = p->show.id,
                              .title = p->show.head.title,
                              .count = (int64_t)n,
                              .uses = json_integer_value(json_object_get(made, "uses")),
                              .codes = buf_str(&text)};
    codes_render(page_begin(rq), &view);
    page_end(rq);
    buf_free(&text);
}

static void on_codes(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 201) {
        render_codes(rq, answer->body);
    } else if (answer->code == 404 || !page_refused(rq, answer)) { /* 404: orders has not heard of it yet */
        own(rq)->refusal = answer;
        render(rq);
    }
}

static void make(struct req *rq) {
    char path[64], id[UUID_TEXT];
    struct json body = {0};
    json_open(&body, '{');
    visit_put_number(rq, &body, "count", "count");
    visit_put_number(rq, &body, "uses", "uses");
    json_close(&body, '}');
    visit_id(rq, id);
    snprintf(path, sizeof path, "/api/shows/%.*s/codes", UUID_TEXT, id);
    visit_send(rq, API_ORDERS, "POST", path, &body, 0, on_codes);
}

void make_codes(struct req *rq) {
    visit_begin(rq);
    if (page_own_form(rq)) go(rq, make);
}
