/* The seats of an area, to pick some of: the page, and what is sent from it. */
#include "arena.h"
#include "buf.h"
#include "routes.h"
#include "views.h"

/* More than that is a long page on a phone: rows further back are pages of their own. */
enum { SEATS_OF_A_PAGE = 1500 };

struct seats_page {
    const struct api_answer *refusal; /* of what was sent; NULL: nothing was */
    struct str problem;
    bool taken; /* one of those that were picked: they are picked anew */
    const struct api_answer *answer, *map;
    int left; /* answers to come */
    struct show show;
    struct queue queue;
};

static struct seats_page *own(struct req *rq) {
    return visit_of(rq)->own;
}

/* --- what was picked --- */

static bool is_picked(struct req *rq, const struct uuid *id) {
    const struct form *form = &visit_of(rq)->form;
    struct uuid picked;
    for (int i = 0; i < form->count; i++)
        if (str_eq(form->fields[i].key, STR("ticket")) && uuid_parse(form->fields[i].value, &picked) &&
            uuid_eq(&picked, id))
            return true;
    return false;
}

static int count_picked(struct req *rq) {
    const struct form *form = &visit_of(rq)->form;
    int count = 0;
    for (int i = 0; i < form->count; i++)
        count += str_eq(form->fields[i].key, STR("ticket"));
    return count;
}

/* --- the page --- */

/* The rows of a page: those from `first` on, up to before `end`. */
struct part {
    size_t first, end, before; /* before: where the page before it begins */
};

static size_t seats_of(const json_t *rows, size_t row) {
    return json_string_length(json_object_get(json_array_get(rows, row), "free"));
}

static struct part part_of(const json_t *rows, size_t wanted) {
    struct part part = {0};
    size_t n = json_array_size(rows), count = 0;
    for (size_t row = 0; row < n; row++) {
        count += seats_of(rows, row);
        if (count > SEATS_OF_A_PAGE && row > part.first) {
            if (row > wanted) break;
            part.before = part.first;
            part.first = row;
            count = seats_of(rows, row);
        }
        part.end = row + 1;
    }
    return part;
}

static size_t wanted_row(struct req *rq) {
    struct str text;
    size_t row = 0;
    if (req_query(rq, "row", &text))
        for (size_t i = 0; i < text.n && i < 6 && text.p[i] >= '0' && text.p[i] <= '9'; i++)
            row = row * 10 + (size_t)(text.p[i] - '0');
    return row;
}

static struct str link_to_row(struct req *rq, size_t row) {
    struct uuid area = req_path_uuid(rq, 1);
    char id[UUID_TEXT], area_id[UUID_TEXT];
    visit_id(rq, id);
    uuid_format(&area, area_id);
    if (row == 0) return visit_text(rq, "/shows/%.*s/areas/%.*s", UUID_TEXT, id, UUID_TEXT, area_id);
    return visit_text(rq, "/shows/%.*s/areas/%.*s?row=%zu", UUID_TEXT, id, UUID_TEXT, area_id, row);
}

static struct seats_view view_of(struct req *rq, const struct show *show, const struct show_area_view *area) {
    struct visit *visit = visit_of(rq);
    struct seats_page *p = own(rq);
    struct sale sale = view_sale(show, visit->page.now);
    int64_t per_user = sale.phase == NULL ? show->per_user : sale.phase->per_user;
    if (p->queue.want > 0 && p->queue.want < per_user) per_user = p->queue.want;
    struct seats_view view = {.page = visit->page,
                              .show_id = show->id,
                              .show = show->head.title,
                              .area = area->name,
                              .price = area->price,
                              .left = area->left,
                              .viewer = show_viewer(visit, show),
                              .accessible = area->accessible,
                              .needed = visit_field(rq, "accessible").n > 0,
                              .coded = sale.phase != NULL && sale.phase->codes && !sale.phase->queue,
                              .code = visit_field(rq, "code"),
                              .problem = p->problem,
                              .most = per_user < PURCHASE_MOST ? per_user : PURCHASE_MOST,
                              .admission = p->queue.admission,
                              .key = visit_new_key(rq)};
    return view;
}

static bool add_rows(struct req *rq, const json_t *map, struct seats_view *view) {
    const json_t *rows = json_object_get(map, "rows");
    struct uuid area = req_path_uuid(rq, 1);
    struct part part = part_of(rows, wanted_row(rq));
    size_t n = part.end - part.first;
    struct seat_row_view *views = req_alloc(rq, n * sizeof *views);
    for (size_t i = 0; i < n; i++)
        if (!view_seat_row(json_array_get(rows, part.first + i), &area, req_arena(rq), &views[i]))
            return false;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < views[i].seats.count; k++) {
            struct seat_view *seat = (struct seat_view *)&views[i].seats.items[k];
            seat->chosen = !own(rq)->taken && is_picked(rq, &seat->id);
        }
    view->rows = (struct seat_row_list){views, n};
    view->here = link_to_row(rq, part.first);
    if (part.first > 0) view->earlier = link_to_row(rq, part.before);
    if (part.end < json_array_size(rows)) view->later = link_to_row(rq, part.end);
    return true;
}

static const struct show_area_view *area_of(const struct show *show, const struct uuid *id) {
    for (size_t i = 0; i < show->areas.count; i++)
        if (uuid_eq(&show->areas.items[i].id, id)) return &show->areas.items[i];
    return NULL;
}

/* Whether they can be bought at this moment. */
static bool is_on_sale(struct req *rq, const struct show_area_view *area) {
    const struct seats_page *p = own(rq);
    int64_t now_us = visit_of(rq)->page.now;
    struct sale sale = view_sale(&p->show, now_us);
    return area->seated && p->show.state == SHOW_STATE_ANNOUNCED && view_sells(&sale, &p->queue) &&
           view_offers(&sale, &area->id) && !view_over(p->show.head.starts_at, now_us);
}

/* With what was said of what was sent, if anything. */
static void leave_to_show(struct req *rq) {
    const struct api_answer *refusal = own(rq)->refusal;
    char id[UUID_TEXT];
    visit_id(rq, id);
    if (refusal == NULL) {
        page_go(rq, "/shows/%.*s", UUID_TEXT, id);
        return;
    }
    visit_of(rq)->page.path = visit_text(rq, "/shows/%.*s", UUID_TEXT, id);
    go_to_show(rq, refusal);
}

static void render(struct req *rq) {
    const struct seats_page *p = own(rq);
    struct uuid id = req_path_uuid(rq, 1);
    const struct show_area_view *area = area_of(&p->show, &id);
    if (area == NULL) {
        page_down(rq, TEXT_AWAY_SEATS);
    } else if (!is_on_sale(rq, area)) {
        leave_to_show(rq);
    } else {
        struct seats_view view = view_of(rq, &p->show, area);
        if (!add_rows(rq, p->map->body, &view)) return page_down(rq, TEXT_AWAY_SEATS);
        seats_render(page_begin(rq), &view);
        page_end(rq);
    }
}

static void on_queue(struct req *rq, const struct api_answer *answer) {
    queue_read_turn(answer, &own(rq)->queue);
    render(rq);
}

static void on_both(struct req *rq) {
    struct seats_page *p = own(rq);
    if (p->answer->code == 404 || p->map->code == 404)
        page_missing(rq, 404, TEXT_MISSING_NO_AREA, TEXT_MISSING_SHOW_GONE);
    else if (p->answer->code != 200 || p->map->code != 200 ||
             !view_show(p->answer->body, req_arena(rq), &p->show))
        page_down(rq, TEXT_AWAY_SEATS);
    else if (!queue_ask_turn(rq, &p->show, on_queue))
        render(rq);
}

static void on_show(struct req *rq, const struct api_answer *answer) {
    own(rq)->answer = answer;
    if (--own(rq)->left == 0) on_both(rq);
}

static void on_map(struct req *rq, const struct api_answer *answer) {
    own(rq)->map = answer;
    if (--own(rq)->left == 0) on_both(rq);
}

static bool is_taken(const struct api_answer *refusal) {
    struct str words = api_said(refusal, NULL);
    return str_eq(words, STR("One of these tickets is reserved")) ||
           str_eq(words, STR("One of these tickets is sold"));
}

static void go_to_seats(struct req *rq, struct str problem, const struct api_answer *refusal) {
    struct uuid area = req_path_uuid(rq, 1);
    struct seats_page *p = req_alloc(rq, sizeof *p);
    char id[UUID_TEXT], area_id[UUID_TEXT];
    visit_id(rq, id);
    uuid_format(&area, area_id);
    visit_of(rq)->own = p;
    p->problem = problem;
    p->refusal = refusal;
    p->taken = refusal != NULL && is_taken(refusal);
    p->left = 2;
    visit_ask(rq, API_TICKETS, "GET", on_show, "/api/shows/%.*s", UUID_TEXT, id);
    visit_ask(rq, API_TICKETS, "GET", on_map, "/api/shows/%.*s/areas/%.*s/seats", UUID_TEXT, id, UUID_TEXT,
              area_id);
}

void show_seats(struct req *rq) {
    visit_begin(rq);
    go_to_seats(rq, (struct str){0}, NULL);
}

/* --- buying those that were picked --- */

static struct str words_of(struct req *rq, const struct api_answer *refusal) {
    struct str code = api_error(refusal, "code");
    if (is_taken(refusal)) return text_of(TEXT_BUYING_SEAT_TAKEN);
    return code.n > 0 ? visit_sentence(rq, code) : visit_refused_words(rq, refusal);
}

/* The map may be older than the refusal, and show a seat as free that is taken: so none stays picked. */
static void on_bought(struct req *rq, const struct api_answer *answer) {
    if (page_go_to_purchase(rq, answer)) return;
    visit_of(rq)->status = answer->away || answer->code < 400 ? 503 : answer->code;
    go_to_seats(rq, words_of(rq, answer), answer);
}

static void write_picked(struct req *rq, struct json *body) {
    const struct form *form = &visit_of(rq)->form;
    struct str code = visit_trim(visit_field(rq, "code")), admission = visit_field(rq, "admission");
    json_open(body, '{');
    json_key(body, "ticketIds");
    json_open(body, '[');
    for (int i = 0; i < form->count; i++)
        if (str_eq(form->fields[i].key, STR("ticket"))) json_text(body, form->fields[i].value);
    json_close(body, ']');
    if (code.n > 0) json_put_text(body, "code", code);
    if (admission.n > 0) json_put_text(body, "admission", admission);
    if (visit_field(rq, "accessible").n > 0) { /* only the form of an accessible area has it */
        json_key(body, "accessible");
        json_bool(body, true);
    }
    json_close(body, '}');
}

void buy_seats(struct req *rq) {
    struct visit *visit = visit_begin(rq);
    if (!page_own_form(rq)) return;
    int count = count_picked(rq);
    if (count == 0 || count > PURCHASE_MOST) {
        visit->status = 400;
        go_to_seats(rq, count == 0 ? text_of(TEXT_BUYING_PICK_ONE) : text_of(TEXT_BUYING_PICK_AT_MOST), NULL);
        return;
    }
    struct json body = {0};
    write_picked(rq, &body);
    visit_send(rq, API_ORDERS, "POST", "/api/purchases", &body, 0, on_bought);
}
