/* The page at a show's door, for its seller: a code is scanned or typed, and the answer is large. */
#include <stdio.h>

#include "routes.h"
#include "texts.h"
#include "views.h"
#include "views_read.h"

static bool is_seller(struct req *rq, const struct show *show) {
    return uuid_eq(&show->seller, &visit_of(rq)->user->user);
}

/* What a person at a door is told, by the service's reason. */
static const struct {
    const char *reason;
    enum text heading;
} refusals[] = {
    {"forged", TEXT_ADMIT_FORGED},     {"unknown_key", TEXT_ADMIT_UNKNOWN_KEY},
    {"altered", TEXT_ADMIT_ALTERED},   {"other_show", TEXT_ADMIT_OTHER_SHOW},
    {"refunded", TEXT_ADMIT_REFUNDED}, {"sold_again", TEXT_ADMIT_SOLD_AGAIN},
    {"not_sold", TEXT_ADMIT_NOT_SOLD}, {"used", TEXT_ADMIT_USED},
};

static struct str heading_of(struct str reason) {
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (str_eq(reason, str_of(refusals[i].reason))) return text_of(refusals[i].heading);
    return text_of(TEXT_ADMIT_REFUSED);
}

/* Whether it is not known what became of the code. */
static bool is_unknown(const struct api_answer *answer) {
    return answer->away || answer->body == NULL || answer->code == 429;
}

/* What was answered about the code: in *view, what the page says of it. */
static void add_verdict(struct req *rq, const struct api_answer *answer, const struct show *show,
                        struct door_view *view) {
    struct visit *visit = visit_of(rq);
    struct str reason = {0};
    int64_t at;
    view->verdict = answer->code == 200 && !is_unknown(answer) ? VERDICT_GOOD : VERDICT_BAD;
    if (is_unknown(answer)) {
        visit->status = answer->code == 429 ? 429 : 503;
        view->heading = text_of(TEXT_ADMIT_NO_ANSWER);
        view->words = text_of(TEXT_ADMIT_SCAN_AGAIN);
        return;
    }
    if (answer->code == 200) {
        view->heading = text_of(TEXT_ADMIT_GOOD);
        read_text(answer->body, "words", &view->words);
        return;
    }
    visit->status = answer->code;
    if (answer->code == 400) {
        struct str code = api_error(answer, "code"), named = api_error(answer, "door");
        view->heading = text_of(TEXT_ADMIT_UNCHECKED);
        view->words = visit_sentence(rq, code.n > 0 ? code : named);
        view->code_error = visit_words(rq, code);
        view->door_error = visit_words(rq, named);
        return;
    }
    read_text(answer->body, "reason", &reason);
    view->heading = heading_of(reason);
    view->words = visit_sentence(rq, api_error(answer, NULL));
    read_text(answer->body, "door", &view->used_door);
    if (read_time(answer->body, "admittedAt", &at))
        view->used = view_local_time(show->head.zone, at, req_arena(rq));
}

/* While it is not known what became of a code, its key stays, so that it can be sent again. */
static void render(struct req *rq, const struct show *show, struct str door, const struct api_answer *sent) {
    struct visit *visit = visit_of(rq);
    struct door_view view = {.page = visit->page, .id = show->id, .title = show->head.title, .door = door};
    if (sent != NULL) add_verdict(rq, sent, show, &view);
    view.key = sent != NULL && is_unknown(sent) ? visit_key(rq) : visit_new_key(rq);
    visit->camera = true;
    door_render(page_begin(rq), &view);
    page_end(rq);
}

/* The show, if it is the visitor's; NULL: answered. */
static struct show *own_show(struct req *rq, const struct api_answer *answer) {
    struct show *show = req_alloc(rq, sizeof *show);
    if (answer->code != 200 || !view_show(answer->body, req_arena(rq), show)) {
        page_refusal(rq, answer, TEXT_AWAY_DOOR);
        return NULL;
    }
    if (!is_seller(rq, show)) {
        page_missing(rq, 403, TEXT_MISSING_NOT_YOUR_DOOR, TEXT_MISSING_SELLER_LETS_IN);
        return NULL;
    }
    return show;
}

static void ask_show(struct req *rq, api_then *then) {
    char id[UUID_TEXT];
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "GET", then, "/api/shows/%.*s", UUID_TEXT, id);
}

static void on_show(struct req *rq, const struct api_answer *answer) {
    struct str door = {0};
    const struct show *show = own_show(rq, answer);
    req_query(rq, "door", &door);
    if (show != NULL) render(rq, show, door, NULL);
}

void show_door(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) ask_show(rq, on_show);
}

static void on_admitted(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 401)
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
    else
        render(rq, visit_of(rq)->own, visit_field(rq, "door"), answer);
}

static void admit(struct req *rq, const struct api_answer *answer) {
    struct show *show = own_show(rq, answer);
    char id[UUID_TEXT], path[80];
    struct str door = visit_trim(visit_field(rq, "door"));
    struct json body = {0};
    if (show == NULL) return;
    visit_of(rq)->own = show;
    visit_id(rq, id);
    json_open(&body, '{');
    json_put_text(&body, "code", visit_field(rq, "code"));
    if (door.n > 0) json_put_text(&body, "door", door);
    json_close(&body, '}');
    snprintf(path, sizeof path, "/api/shows/%.*s/admit", UUID_TEXT, id);
    visit_send(rq, API_TICKETS, "POST", path, &body, 0, on_admitted);
}

/* The show is read first: once somebody is let in, nothing else may fail. */
void let_in(struct req *rq) {
    visit_begin(rq);
    if (page_own_form(rq)) ask_show(rq, admit);
}
