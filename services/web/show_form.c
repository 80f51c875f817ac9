/* The form of a show: for a new one, and for one that is edited. */
#include "arena.h"
#include "buf.h"
#include "currency.h"
#include "local_time.h"
#include "routes.h"
#include "views.h"
#include "zone.h"

/* What only web can say of the start, since the service is told a moment. */
struct start {
    int64_t at_us;
    struct str wrong, wrong_zone;
};

/* What a page with the form is about. The fields are what was typed, or else what the show has. */
struct form_page {
    const struct show *show; /* NULL: it is a new one */
    const struct start *start;
    const struct api_answer *refusal;
};

static struct str wrong_with(struct req *rq, const struct form_page *p, const char *field) {
    return p->refusal == NULL ? (struct str){0} : visit_words(rq, api_error(p->refusal, field));
}

static struct str field_or(struct req *rq, const char *name, struct str otherwise) {
    struct str value;
    return form_get(&visit_of(rq)->form, name, &value) ? value : otherwise;
}

/* What became of the picture that was sent (services/tickets/picture_routes.c leads back here). */
static struct str picture_error(struct req *rq) {
    static const struct {
        struct str what;
        enum text words;
    } known[] = {
        {STR("kind"), TEXT_PICTURE_KIND},     {STR("broken"), TEXT_PICTURE_BROKEN},
        {STR("small"), TEXT_PICTURE_SMALL},   {STR("large"), TEXT_PICTURE_LARGE},
        {STR("moves"), TEXT_PICTURE_MOVES},   {STR("colours"), TEXT_PICTURE_COLOURS},
        {STR("limits"), TEXT_PICTURE_LIMITS}, {STR("bytes"), TEXT_PICTURE_BYTES},
        {STR("none"), TEXT_PICTURE_NONE},     {STR("failed"), TEXT_PICTURE_FAILED},
        {STR("quota"), TEXT_PICTURE_QUOTA},
    };
    struct str what;
    for (size_t i = 0; req_query(rq, "picture", &what) && i < sizeof known / sizeof *known; i++)
        if (str_eq(what, known[i].what)) return text_of(known[i].words);
    return (struct str){0};
}

static void fill(struct req *rq, const struct form_page *p, struct show_form_view *view) {
    const struct web *web = req_service(rq);
    const struct show *show = p->show;
    struct show_head_view head = show == NULL ? (struct show_head_view){0} : show->head;
    view->title = field_or(rq, "title", head.title);
    view->venue = field_or(rq, "venue", head.venue);
    view->city = field_or(rq, "city", head.city);
    view->starts =
        field_or(rq, "starts",
                 show == NULL ? (struct str){0} : local_time_write(head.zone, head.starts_at, req_arena(rq)));
    view->zone = field_or(rq, "zone", head.zone);
    view->description = field_or(rq, "description", head.description);
    view->organizer = field_or(rq, "organizer", head.organizer);
    view->currency = field_or(rq, "currency", show == NULL ? str_of(web->currency) : show->currency);
    view->per_user =
        field_or(rq, "per-user", show == NULL ? STR("8") : visit_text(rq, "%lld", (long long)show->per_user));
    if (show == NULL) return;
    view->editing = true;
    view->id = show->id;
    view->cover = head.cover;
    view->cover.first = false;
    view->picture_error = picture_error(rq);
    view->version = show->version;
}

static void add_refusal(struct req *rq, const struct form_page *p, struct show_form_view *view) {
    view->title_error = wrong_with(rq, p, "title");
    view->venue_error = wrong_with(rq, p, "venue");
    view->city_error = wrong_with(rq, p, "city");
    view->starts_error = wrong_with(rq, p, "startsAt");
    view->zone_error = wrong_with(rq, p, "timeZone");
    view->description_error = wrong_with(rq, p, "description");
    view->organizer_error = wrong_with(rq, p, "organizer");
    view->currency_error = wrong_with(rq, p, "currency");
    view->per_user_error = wrong_with(rq, p, "perUser");
    visit_of(rq)->status = p->refusal->away || p->refusal->code < 400 ? 503 : p->refusal->code;
    view->problem = p->refusal->code == 412 ? text_of(TEXT_CHANGED_SHOW)
                                            : visit_trouble(rq, p->refusal, TEXT_AWAY_SHOW_NOT_SAVED);
}

static void render_form(struct req *rq, const struct form_page *p) {
    struct visit *visit = visit_of(rq);
    struct show_form_view view = {.page = visit->page, .action = visit->page.path, .key = visit_new_key(rq)};
    fill(rq, p, &view);
    if (p->start != NULL) {
        visit->status = 400;
        view.starts_error = p->start->wrong;
        view.zone_error = p->start->wrong_zone;
    }
    if (p->refusal != NULL) add_refusal(rq, p, &view);
    show_form_render(page_begin(rq), &view);
    page_end(rq);
}

/* --- what was typed --- */

static struct start read_start(struct req *rq) {
    struct start start = {0};
    struct str zone = visit_field(rq, "zone");
    int64_t local_us;
    if (!local_time_read(visit_field(rq, "starts"), &local_us))
        start.wrong = text_of(TEXT_FORM_DATE_AND_TIME);
    else if (!zone_moment(zone, local_us, &start.at_us))
        start.wrong_zone = text_of(TEXT_FORM_TIME_ZONE);
    return start;
}

/* An empty one takes away what a show that is edited has. */
static void write_optional(struct req *rq, struct json *body, const char *field) {
    struct str value = visit_field(rq, field);
    if (value.n > 0 || visit_field(rq, "version").n > 0) json_put_text(body, field, value);
}

static void write_show(struct req *rq, const struct start *start, struct json *body) {
    json_open(body, '{');
    json_put_text(body, "title", visit_field(rq, "title"));
    json_put_text(body, "venue", visit_field(rq, "venue"));
    json_put_text(body, "city", visit_field(rq, "city"));
    json_key(body, "startsAt");
    json_time(body, start->at_us);
    json_put_text(body, "timeZone", visit_field(rq, "zone"));
    write_optional(rq, body, "description");
    write_optional(rq, body, "organizer");
    json_put_text(body, "currency", visit_field(rq, "currency"));
    visit_put_number(rq, body, "perUser", "per-user");
    json_close(body, '}');
}

/* --- a new one --- */

void show_making(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) render_form(rq, &(struct form_page){0});
}

static void on_made(struct req *rq, const struct api_answer *answer) {
    const char *id = json_string_value(json_object_get(answer->body, "id"));
    struct uuid known;
    if (answer->code == 201 && id != NULL && uuid_parse(str_of(id), &known))
        page_go(rq, "/shows/%.*s?done=drafted", UUID_TEXT, id);
    else if (answer->code == 401)
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
    else
        render_form(rq, &(struct form_page){.refusal = answer});
}

void make_show(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct start start = read_start(rq);
    if (start.wrong.n > 0 || start.wrong_zone.n > 0) {
        render_form(rq, &(struct form_page){.start = &start});
        return;
    }
    struct json body = {0};
    write_show(rq, &start, &body);
    visit_send(rq, API_TICKETS, "POST", "/api/shows", &body, 0, on_made);
}

/* --- another title, day or place: the show is read first, also after a refusal --- */

static void on_to_edit(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    struct form_page *p = visit->own;
    struct show *show = req_alloc(rq, sizeof *show);
    if (answer->code != 200 || !view_show(answer->body, req_arena(rq), show)) {
        page_refusal(rq, answer, TEXT_AWAY_YOUR_SHOW);
    } else if (!uuid_eq(&show->seller, &visit->user->user)) {
        page_missing(rq, 404, TEXT_MISSING_NOT_YOUR_SHOW, TEXT_MISSING_SELLER_EDITS_SHOW);
    } else {
        p->show = show;
        render_form(rq, p);
    }
}

static void go_to_edit(struct req *rq, const struct api_answer *refusal, const struct start *start) {
    char id[UUID_TEXT];
    struct form_page *p = req_alloc(rq, sizeof *p);
    p->refusal = refusal;
    p->start = start;
    visit_of(rq)->own = p;
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "GET", on_to_edit, "/api/shows/%.*s", UUID_TEXT, id);
}

void show_edit_show(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) go_to_edit(rq, NULL, NULL);
}

static void on_saved(struct req *rq, const struct api_answer *answer) {
    char id[UUID_TEXT];
    visit_id(rq, id);
    if (answer->code == 200)
        page_go(rq, "/shows/%.*s?done=saved", UUID_TEXT, id);
    else if (!page_refused(rq, answer))
        go_to_edit(rq, answer, NULL);
}

void edit_show(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct start *start = req_alloc(rq, sizeof *start);
    *start = read_start(rq);
    if (start->wrong.n > 0 || start->wrong_zone.n > 0) {
        go_to_edit(rq, NULL, start);
        return;
    }
    char path[64], id[UUID_TEXT];
    struct json body = {0};
    visit_id(rq, id);
    snprintf(path, sizeof path, "/api/shows/%.*s", UUID_TEXT, id);
    write_show(rq, start, &body);
    visit_send(rq, API_TICKETS, "PUT", path, &body, visit_version(visit_field(rq, "version")), on_saved);
}

/* --- a draft that is given up --- */

static void on_discarded(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 204)
        page_go(rq, "/tickets?done=discarded");
    else if (!page_refused(rq, answer))
        go_to_show(rq, answer);
}

void discard_show(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    char id[UUID_TEXT];
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "DELETE", on_discarded, "/api/shows/%.*s", UUID_TEXT, id);
}
