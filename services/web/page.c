/* The ends of a visit: pages with what belongs to every one of them, and ways to others. */
#include <stdarg.h>
#include <stdio.h>

#include "buf.h"
#include "clock.h"
#include "csrf.h"
#include "page.h"
#include "percent.h"
#include "routes.h"
#include "views.h"

#define OURS                                                                                                           \
    "default-src 'none'; img-src 'self'; style-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; " \
    "frame-ancestors 'none'; "
static const char strict[] = OURS "script-src 'self'; connect-src 'self'";
/* Stripe's Payment Element is frames of Stripe's own; it brings styles of its own to the frame's place. */
static const char with_stripe[] =
    OURS "script-src 'self' https://js.stripe.com; frame-src https://js.stripe.com "
         "https://hooks.stripe.com; connect-src 'self' https://api.stripe.com";

static void set(struct req *rq, const char *name, const char *value) {
    req_set_header(rq, name, str_of(value));
}

void page_headers(struct req *rq) {
    const struct visit *visit = visit_of(rq);
    bool stripe = visit != NULL && visit->stripe, camera = visit != NULL && visit->camera;
    set(rq, "content-security-policy", stripe ? with_stripe : strict);
    set(rq, "referrer-policy", "same-origin");
    set(rq, "x-frame-options", "DENY");
    set(rq, "permissions-policy",
        stripe   ? "camera=(), geolocation=(), microphone=(), payment=(self \"https://js.stripe.com\")"
        : camera ? "camera=(self), geolocation=(), microphone=(), payment=()"
                 : "camera=(), geolocation=(), microphone=(), payment=()");
    set(rq, "cross-origin-opener-policy", "same-origin");
    set(rq, "cross-origin-resource-policy", "same-origin");
}

struct buf *page_begin(struct req *rq) {
    return &req_json(rq)->out;
}

void page_end(struct req *rq) {
    const struct visit *visit = visit_of(rq);
    page_headers(rq);
    set(rq, "content-type", "text/html; charset=utf-8");
    req_set_header(rq, "content-language", language_form()->tag);
    set(rq, "vary", "accept-language");
    req_reply(rq, visit->status == 0 ? 200 : visit->status);
}

void page_go(struct req *rq, const char *path, ...) {
    struct buf location = {0};
    va_list ap;
    va_start(ap, path);
    buf_vprintf(&location, path, ap);
    va_end(ap);
    page_headers(rq);
    req_set_header(rq, "location", buf_str(&location));
    buf_free(&location);
    req_reply(rq, 303);
}

void page_missing(struct req *rq, int status, enum text heading, enum text words) {
    struct visit *visit = visit_of(rq);
    visit->status = status;
    missing_render(
        page_begin(rq),
        &(struct missing_view){.page = visit->page, .heading = text_of(heading), .words = text_of(words)});
    page_end(rq);
}

/* --- what no handler answered: a page without a visit --- */

static void render_error(struct buf *out, int status, struct str accept_language) {
    static const struct {
        int status;
        enum text heading, words;
    } known[] = {
        {405, TEXT_ERROR_METHOD, TEXT_ERROR_METHOD_WORDS},
        {413, TEXT_ERROR_LARGE, TEXT_ERROR_LARGE_WORDS},
        {503, TEXT_ERROR_BUSY, TEXT_ERROR_BUSY_WORDS},
    };
    language_use(language_wanted(accept_language));
    struct missing_view view = {.page = {.now = clock_wall_us(), .path = STR("/")},
                                .heading = text_of(TEXT_ERROR_UNREAD),
                                .words = text_of(TEXT_ERROR_UNREAD_WORDS)};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            view.heading = text_of(known[i].heading), view.words = text_of(known[i].words);
    missing_render(out, &view);
}

const struct http_error_page web_error_page = {.policy = strict, .render = render_error};

/* --- what works and what doesn't --- */

static const struct {
    enum text name;
    const char *probe;
} parts[] = {
    /* a queue's own pages say when it is away */
    [API_USERS] = {TEXT_DOWN_ACCOUNTS, "/api/users/currentuser"},
    [API_TICKETS] = {TEXT_DOWN_TICKETS, "/api/tickets?limit=1"},
    [API_ORDERS] = {TEXT_DOWN_ORDERS, "/api/orders?limit=1"},
    [API_PAYMENTS] = {TEXT_DOWN_PAYMENTS, "/api/payments?limit=1"},
};
enum { PARTS = sizeof parts / sizeof *parts };

struct down {
    enum text words;
    struct part_view parts[PARTS];
    int known;
};

static void on_probe(struct req *rq, const struct api_answer *answer, enum api_part part) {
    struct visit *visit = visit_of(rq);
    struct down *down = visit->own;
    down->parts[part] = (struct part_view){text_of(parts[part].name), !answer->away};
    if (++down->known < PARTS) return;
    visit->status = 503;
    set(rq, "retry-after", "5");
    down_render(page_begin(rq), &(struct down_view){.page = visit->page,
                                                    .words = text_of(down->words),
                                                    .parts = {down->parts, PARTS},
                                                    .retry = visit->page.path});
    page_end(rq);
}

#define PROBED(part)                                                                                         \
    static void on_##part(struct req *rq, const struct api_answer *answer) {                                 \
        on_probe(rq, answer, part);                                                                          \
    }
PROBED(API_USERS)
PROBED(API_TICKETS)
PROBED(API_ORDERS)
PROBED(API_PAYMENTS)

void page_down(struct req *rq, enum text words) {
    static api_then *const thens[PARTS] = {on_API_USERS, on_API_TICKETS, on_API_ORDERS, on_API_PAYMENTS};
    struct down *down = req_alloc(rq, sizeof *down);
    down->words = words;
    visit_of(rq)->own = down;
    for (int part = 0; part < PARTS; part++)
        visit_ask(rq, (enum api_part)part, "GET", thens[part], "%s", parts[part].probe);
}

/* Of an address that is not verified: asked before anything else that is 403. */
static bool refused_unverified(struct req *rq, const struct api_answer *answer) {
    const struct identity *user = visit_of(rq)->user;
    return answer->code == 403 && user != NULL && user->unverified;
}

bool page_go_to_purchase(struct req *rq, const struct api_answer *answer) {
    struct order purchase;
    char id[UUID_TEXT];
    if (answer->code == 201 && view_purchase(answer->body, req_arena(rq), &purchase)) {
        uuid_format(&purchase.id, id);
        page_go(rq, "/%s/%.*s", purchase.tickets.count > 0 ? "purchases" : "orders", UUID_TEXT, id);
    } else if (answer->code == 401 || refused_unverified(rq, answer)) {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
    } else {
        return false;
    }
    return true;
}

void page_refusal(struct req *rq, const struct api_answer *answer, enum text what) {
    if (answer->code == 401) {
        visit_of(rq)->user = NULL;
        page_signed_in(rq);
    } else if (refused_unverified(rq, answer)) {
        page_missing(rq, 403, TEXT_LETTERS_FIRST, TEXT_LETTERS_FIRST_WORDS);
    } else if (answer->code == 403 || answer->code == 404) {
        page_missing(rq, 404, TEXT_MISSING_NOT_FOUND, TEXT_MISSING_NOTHING_OR_NOT_YOURS);
    } else {
        page_down(rq, what);
    }
}

bool page_refused(struct req *rq, const struct api_answer *answer) {
    if (answer->code != 401 && answer->code != 403 && answer->code != 404) return false;
    page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
    return true;
}

/* --- what has to hold --- */

bool page_signed_in(struct req *rq) {
    struct visit *visit = visit_of(rq);
    if (visit->user != NULL) return true;
    struct buf next = {0};
    percent_encode(&next, visit->page.path);
    page_go(rq, "/signin?first=%s&next=%.*s", visit->session.n > 0 ? "again" : "yes", (int)next.len,
            (char *)next.data);
    buf_free(&next);
    return false;
}

static bool refuse_form(struct req *rq) {
    page_missing(rq, 403, TEXT_MISSING_SEND_AGAIN, TEXT_MISSING_SEND_AGAIN_WORDS);
    return false;
}

bool page_form(struct req *rq) {
    struct visit *visit = visit_of(rq);
    if (form_read(req_raw_body(rq), &visit->form, req_arena(rq)) != NULL) {
        page_missing(rq, 400, TEXT_MISSING_NO_FORM, TEXT_MISSING_NO_FORM_WORDS);
        return false;
    }
    return (req_from_here(rq) && csrf_fits(rq, visit->session, visit_field(rq, "csrf"))) || refuse_form(rq);
}

/* One of another site's page says nothing of who is signed in: it is refused, and not sent to sign in. */
bool page_own_form(struct req *rq) {
    if (!req_from_here(rq)) return refuse_form(rq);
    return page_signed_in(rq) && page_form(rq);
}
