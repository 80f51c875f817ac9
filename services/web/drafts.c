/* Shows before they are announced: the form for a new one, and the page of a draft. */
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

/* The visit's problem is about its rows. */
void render_draft(struct req *rq, const struct show *show, const struct api_answer *refusal) {
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
    if (visit->problem.n > 0) view.rows_error = visit->problem;
    if (refusal != NULL) {
        visit->status = refusal->away || refusal->code < 400 ? 503 : refusal->code;
        view.problem = visit_trouble(rq, refusal,
                                     "That doesn't work right now. Nothing was done; try again in a moment.");
    }
    show_draft_render(page_begin(rq), &view);
    page_end(rq);
}
