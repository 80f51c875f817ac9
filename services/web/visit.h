/* visit: the state of a request to the web client: the user, the form that was sent, questions to the
 * services. How it ends is in page.h.
 *
 * All of it on the request's thread; what it returns is valid as long as the request. */
#pragma once

#include "api.h"
#include "buf.h"
#include "form.h"
#include "templates.h"

enum { PAGE_ITEMS = 20 };

struct web { /* the process's; req_service */
    struct api *api;
    const char *currency;
    const char *stripe_key;     /* publishable; "": the sandbox's cards are offered */
    const char *passkey_origin; /* "": nobody signs in by a passkey */
    struct live *live;
    struct demand *demand; /* a slot for each HTTP thread */
};

struct visit {
    struct page_view page;
    enum language language;
    const struct identity *user; /* NULL: nobody */
    struct str session;          /* as the cookie has it, right or wrong */
    struct form form;
    int status;         /* of the page; 0: 200 */
    struct str problem; /* what the page has to say about what was tried */
    bool stripe;        /* the page loads Stripe's script */
    bool camera;        /* the page may use the camera */
    void *own;          /* the handler's */
};

struct visit *visit_begin(struct req *rq); /* first of all */
struct visit *visit_of(struct req *rq);
void visit_ask(struct req *rq, enum api_part part, const char *method, api_then *then, const char *path, ...)
    __attribute__((format(printf, 5, 6)));

/* With a JSON body, which is given up, the form's key and a version for If-Match (0: none). */
void visit_send(struct req *rq, enum api_part part, const char *method, const char *path, struct json *body,
                int64_t version, api_then *then);
/* A page of a list: PATH?limit=…&cursor=…; without the latter, the first one. */
void visit_ask_page(struct req *rq, enum api_part part, const char *path, struct str cursor, api_then *then);
void visit_id(struct req *rq, char out[UUID_TEXT]); /* the path's */
struct str visit_cursor(struct req *rq);            /* of the query; empty: the first page */
struct str visit_next_page(struct req *rq, const char *path, struct str cursor); /* a link */
struct str visit_text(struct req *rq, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct str visit_field(struct req *rq, const char *name); /* what was typed, or empty */
/* A price as it was typed, with a point where the language has a comma, for the API; and one to be typed
 * over.
 */
struct str visit_price(struct req *rq, const char *name);
struct str visit_amount(struct req *rq, const struct price *price);
struct str visit_trim(struct str s); /* without blanks at both ends */
/* A member of a body: a field's whole number; or else its text, for the service to say what is wrong. */
void visit_put_number(struct req *rq, struct json *body, const char *member, const char *field);
int64_t visit_version(struct str text);   /* of a field; 0: none */
struct str visit_key(struct req *rq);     /* the form's Idempotency-Key; empty: none */
struct str visit_new_key(struct req *rq); /* for a form */
struct str visit_next(struct req *rq);    /* where one was before signing in: a path of ours */

/* As a sentence of its own: "must be …" becomes "Must be …". */
struct str visit_words(struct req *rq, struct str words);
struct str visit_sentence(struct req *rq, struct str words); /* the same, with a full stop */
/* What a refused form has to say that is about none of its fields; `away` when the service did not answer. */
struct str visit_trouble(struct req *rq, const struct api_answer *answer, enum text away);

struct show;
enum viewer show_viewer(const struct visit *visit, const struct show *show);
