/* The page at a show's door, for its seller: a code is scanned or typed, and the answer is large. */
#include <stdio.h>

#include "routes.h"
#include "views.h"
#include "views_read.h"

static bool is_seller(struct req *rq, const struct show *show) {
    return uuid_eq(&show->seller, &visit_of(rq)->user->user);
}

/* What a person at a door is told, by the service's reason. */
static const struct {
    const char *reason;
    struct str heading;
} refusals[] = {
    {"forged", STR("Not a ticket")},     {"unknown_key", STR("Not a ticket of ours")},
    {"altered", STR("A forged ticket")}, {"other_show", STR("For another show")},
    {"refunded", STR("Refunded")},       {"sold_again", STR("Sold to somebody else")},
    {"not_sold", STR("Not sold")},       {"used", STR("Used already")},
};

static struct str heading_of(struct str reason) {
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (str_eq(reason, str_of(refusals[i].reason))) return refusals[i].heading;
    return STR("Not let in");
}

/* What was answered about the code: in *view, what the page says of it. */
static void add_verdict(struct req *rq, const struct api_answer *answer, const struct show *show,
                        struct door_view *view) {
    struct visit *visit = visit_of(rq);
    struct str reason = {0}, door = {0};
    int64_t at;
    view->verdict = answer->code == 200 ? VERDICT_GOOD : VERDICT_BAD;
    if (answer->away || answer->body == NULL) {
        visit->status = 503;
        view->heading = STR("No answer");
        view->words = STR("The code could not be checked just now. Scan it again.");
        return;
    }
    if (answer->code == 200) {
        view->heading = STR("Let in");
        read_text(answer->body, "words", &view->words);
        return;
    }
    visit->status = answer->code;
    read_text(answer->body, "reason", &reason);
    view->heading = heading_of(reason);
    view->words = visit_sentence(rq, api_error(answer, NULL));
    view->code_error = visit_words(rq, api_error(answer, "code"));
    view->door_error = visit_words(rq, api_error(answer, "door"));
    read_text(answer->body, "door", &door);
    view->used_door = door;
    if (read_time(answer->body, "admittedAt", &at))
        view->used = view_local_time(show->head.zone, at, req_arena(rq));
}

static void on_show(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    const struct api_answer *sent = visit->own;
    struct show show;
    if (answer->code != 200 || !view_show(answer->body, req_arena(rq), &show)) {
        page_refusal(rq, answer, "The door can't be opened at the moment. Try again.");
        return;
    }
    if (!is_seller(rq, &show)) {
        page_missing(rq, 403, "Not your door", "Only the seller of a show lets people in.");
        return;
    }
    struct str door = sent != NULL ? visit_field(rq, "door") : (struct str){0};
    if (sent == NULL) req_query(rq, "door", &door);
    struct door_view view = {.page = visit->page, .id = show.id, .title = show.head.title, .door = door};
    view.key = visit_new_key(rq);
    if (sent != NULL) add_verdict(rq, sent, &show, &view);
    visit->camera = true;
    door_render(page_begin(rq), &view);
    page_end(rq);
}

static void ask_show(struct req *rq) {
    char id[UUID_TEXT];
    visit_id(rq, id);
    visit_ask(rq, API_TICKETS, "GET", on_show, "/api/shows/%.*s", UUID_TEXT, id);
}

void show_door(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) ask_show(rq);
}

static void on_admitted(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 401) {
        page_refusal(rq, answer, "");
        return;
    }
    visit_of(rq)->own = (void *)answer;
    ask_show(rq);
}

void let_in(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    char id[UUID_TEXT], path[80];
    visit_id(rq, id);
    struct json body = {0};
    json_open(&body, '{');
    json_put_text(&body, "code", visit_field(rq, "code"));
    if (visit_field(rq, "door").n > 0) json_put_text(&body, "door", visit_field(rq, "door"));
    json_close(&body, '}');
    snprintf(path, sizeof path, "/api/shows/%.*s/admit", UUID_TEXT, id);
    visit_send(rq, API_TICKETS, "POST", path, &body, 0, on_admitted);
}
