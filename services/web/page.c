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
    const struct web *web = req_service(rq);
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
    if (web->https) set(rq, "strict-transport-security", "max-age=31536000");
}

struct buf *page_begin(struct req *rq) {
    return &req_json(rq)->out;
}

void page_end(struct req *rq) {
    const struct visit *visit = visit_of(rq);
    page_headers(rq);
    set(rq, "content-type", "text/html; charset=utf-8");
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

void page_missing(struct req *rq, int status, const char *heading, const char *words) {
    struct visit *visit = visit_of(rq);
    visit->status = status;
    missing_render(
        page_begin(rq),
        &(struct missing_view){.page = visit->page, .heading = str_of(heading), .words = str_of(words)});
    page_end(rq);
}

/* --- what no handler answered: a page without a visit --- */

static void render_error(struct buf *out, int status, const char *message) {
    static const struct {
        int status;
        struct str heading, words;
    } known[] = {
        {405, STR("That doesn't work here"), STR("This address takes no such request. Nothing was done.")},
        {413, STR("That is too much"),
         STR("What was sent is larger than anything asked for here. Nothing was done; go back and shorten it.")},
        {503, STR("Not right now"),
         STR("There is too much going on, or we are just starting anew. Nothing was done; try again in a moment.")},
    };
    struct missing_view view = {
        .page = {.now = clock_wall_us(), .path = STR("/")},
        .heading = STR("That could not be read"),
        .words = STR("Something is wrong with what was sent. Nothing was done; go back and try again.")};
    (void)message; /* for those who write programs */
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status) view.heading = known[i].heading, view.words = known[i].words;
    missing_render(out, &view);
}

const struct http_error_page web_error_page = {.policy = strict, .render = render_error};

/* --- what works and what doesn't --- */

static const struct {
    const char *name, *probe;
} parts[API_PARTS] = {
    [API_USERS] = {"Accounts", "/api/users/currentuser"},
    [API_TICKETS] = {"Tickets on sale", "/api/tickets?limit=1"},
    [API_ORDERS] = {"Orders", "/api/orders?limit=1"},
    [API_PAYMENTS] = {"Payments", "/api/payments?limit=1"},
};

struct down {
    const char *words;
    struct part_view parts[API_PARTS];
    int known;
};

static void on_probe(struct req *rq, const struct api_answer *answer, enum api_part part) {
    struct visit *visit = visit_of(rq);
    struct down *down = visit->own;
    down->parts[part] = (struct part_view){str_of(parts[part].name), !answer->away};
    if (++down->known < API_PARTS) return;
    visit->status = 503;
    set(rq, "retry-after", "5");
    down_render(page_begin(rq), &(struct down_view){.page = visit->page,
                                                    .words = str_of(down->words),
                                                    .parts = {down->parts, API_PARTS},
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

void page_down(struct req *rq, const char *words) {
    static api_then *const thens[API_PARTS] = {on_API_USERS, on_API_TICKETS, on_API_ORDERS, on_API_PAYMENTS};
    struct down *down = req_alloc(rq, sizeof *down);
    down->words = words;
    visit_of(rq)->own = down;
    for (int part = 0; part < API_PARTS; part++)
        visit_ask(rq, (enum api_part)part, "GET", thens[part], "%s", parts[part].probe);
}

bool page_go_to_purchase(struct req *rq, const struct api_answer *answer) {
    struct order purchase;
    char id[UUID_TEXT];
    if (answer->code == 201 && view_purchase(answer->body, req_arena(rq), &purchase)) {
        uuid_format(&purchase.id, id);
        page_go(rq, "/%s/%.*s", purchase.tickets.count > 0 ? "purchases" : "orders", UUID_TEXT, id);
    } else if (answer->code == 401) {
        page_refusal(rq, answer, "");
    } else {
        return false;
    }
    return true;
}

void page_refusal(struct req *rq, const struct api_answer *answer, const char *what) {
    if (answer->code == 401) {
        visit_of(rq)->user = NULL;
        page_signed_in(rq);
    } else if (answer->code == 403 || answer->code == 404) {
        page_missing(rq, 404, "Not found", "There is nothing at this address, or it is somebody else's.");
    } else {
        page_down(rq, what);
    }
}

bool page_refused(struct req *rq, const struct api_answer *answer) {
    if (answer->code != 401 && answer->code != 403 && answer->code != 404) return false;
    page_refusal(rq, answer, "");
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

bool page_form(struct req *rq) {
    struct visit *visit = visit_of(rq);
    if (form_read(req_raw_body(rq), &visit->form, req_arena(rq)) != NULL) {
        page_missing(rq, 400, "That was no form of ours", "It could not be read. Go back and try again.");
        return false;
    }
    if (req_from_here(rq) && csrf_fits(rq, visit->session, visit_field(rq, "csrf"))) return true;
    page_missing(
        rq, 403, "Send that again, please",
        "The form was not sent from a page of ours, or from one that is out of date: you may have signed in or out since. "
        "Nothing was done. Go back, load the page again, and repeat it.");
    return false;
}

bool page_own_form(struct req *rq) {
    return page_signed_in(rq) && page_form(rq);
}
