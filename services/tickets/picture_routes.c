/* The routes of shows' pictures; declared in pictures.h. */
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "hex.h"
#include "multipart.h"
#include "picture_reads.h"
#include "pictures.h"
#include "queries.h"
#include "routes.h"
#include "show_answers.h"

struct picture_request {
    struct picture_job *job;
    bool form; /* of a page, which it leads back to */
};

/* --- what cannot be used --- */

/* `query`: what the page is told, to which a form leads back. */
static const struct refusal {
    const char *query;
    int status;
    const char *message;
} refusals[PICTURE_VERDICTS] = {
    [PICTURE_UNKNOWN] = {"picture=kind", 400, "A picture must be a JPEG, a PNG or a WebP"},
    [PICTURE_BROKEN] = {"picture=broken", 400, "This picture is damaged, or has something else in it"},
    [PICTURE_SMALL] = {"picture=small", 400, "A picture must have at least 320 by 180 pixels"},
    [PICTURE_LARGE] = {"picture=large", 400,
                       "A picture must have at most 25 megapixels, a JPEG 50, and no side over 16,000"},
    [PICTURE_MOVES] = {"picture=moves", 400, "A picture must not move"},
    [PICTURE_COLOURS] = {"picture=colours", 400,
                         "This picture is for printing (CMYK): save it for screens (RGB)"},
    [PICTURE_LIMITS] = {"picture=limits", 400, "This picture takes too much time or memory to read"},
    [PICTURE_FAILED] = {"picture=failed", 503, "Pictures cannot be read right now, try again"},
};
static const struct refusal bytes_refusal = {"picture=bytes", 413, "A picture must have at most 10 MiB"};
static const struct refusal none_refusal = {"picture=none", 400, "There is no picture in what was sent"};
static const struct refusal quota_refusal = {
    "picture=quota", 429, "You have sent as many pictures as one account can in a day: try again tomorrow"};
static const struct refusal busy_refusal = {"picture=failed", 503, "Many pictures are being read, try again"};

static void write_way_back(struct buf *out, const struct uuid *show, const char *query) {
    char id[UUID_TEXT];
    uuid_format(show, id);
    buf_printf(out, "/shows/%.*s/edit?%s#picture", UUID_TEXT, id, query);
}

static void go_back(struct req *rq, const char *query) {
    struct buf to = {0};
    struct uuid show = req_path_uuid(rq, 0);
    write_way_back(&to, &show, query);
    req_set_header(rq, "location", buf_str(&to));
    buf_free(&to);
    req_reply(rq, 303);
}

bool pictures_lead_back(struct buf *location, const struct route *route, const struct uuid *show,
                        int status) {
    if (route->handle != pictures_post) return false;
    const struct refusal *why = status == 413   ? &bytes_refusal
                                : status == 401 ? &none_refusal /* where one is asked to sign in */
                                                : &busy_refusal;
    write_way_back(location, show, why->query);
    return true;
}

/* In UTC. */
static int seconds_to_tomorrow(void) {
    enum { DAY_S = 86400 };
    return (int)(DAY_S - clock_wall_us() / 1000000 % DAY_S);
}

static void refuse(struct req *rq, const struct refusal *refusal) {
    const struct picture_request *p = req_state(rq);
    if (p->form)
        go_back(rq, refusal->query);
    else if (refusal->status == 503)
        req_retry_after(rq, 503, 1, refusal->message);
    else if (refusal->status == 429)
        req_retry_after(rq, 429, seconds_to_tomorrow(), refusal->message);
    else
        req_fail(rq, refusal->status, NULL, "%s", refusal->message);
}

static void go_to_show(struct req *rq) {
    char id[UUID_TEXT], to[64];
    struct uuid show = req_path_uuid(rq, 0);
    uuid_format(&show, id);
    int n = snprintf(to, sizeof to, "/shows/%.*s", UUID_TEXT, id);
    req_set_header(rq, "location", (struct str){to, (size_t)n});
    req_reply(rq, 303);
}

/* false: answered. A show's page says itself what became of it, and whose it is. */
static bool may(struct req *rq, struct str verdict) {
    const struct picture_request *p = req_state(rq);
    if (str_eq(verdict, STR("done"))) return true;
    if (p->form)
        go_to_show(rq);
    else
        shows_fail(rq, verdict);
    return false;
}

/* --- PUT, POST /api/shows/:id/picture: may he, what is made of it, and is it still so --- */

static void put_url(struct json *out, const char *id, const struct picture_job *job, uint32_t width) {
    char text[256];
    int n = snprintf(text, sizeof text, "/api/shows/%.*s/pictures/%.*s-%u.webp", UUID_TEXT, id,
                     (int)sizeof job->hash, job->hash, width);
    json_put_text(out, "url", (struct str){text, (size_t)n});
}

/* As the answers have it. */
static struct str describe(struct req *rq, const struct picture_job *job) {
    char id[UUID_TEXT];
    struct uuid show = req_path_uuid(rq, 0);
    struct json out = {0};
    uuid_format(&show, id);
    json_open(&out, '{');
    json_key(&out, "sizes");
    json_open(&out, '[');
    for (uint32_t i = 0; i < job->made.count && i < PICTURE_SIZES; i++) {
        json_open(&out, '{');
        put_url(&out, id, job, picture_widths[i]);
        json_put_int(&out, "width", picture_widths[i]);
        json_put_int(&out, "height", job->made.sizes[i].height);
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_close(&out, '}');
    struct str text = arena_str(req_arena(rq), buf_str(&out.out));
    buf_free(&out.out);
    return text;
}

static void on_set(struct req *rq, const struct rows *rows) {
    const struct picture_request *p = req_state(rq);
    if (!may(rq, row_text(rows, 0, SHOW_VERDICT))) return;
    if (p->form)
        go_back(rq, "done=picture");
    else
        shows_reply(rq, 200, rows);
}

static void put_file(struct sql_params *item, struct str file) {
    if (file.n == 0)
        put_null(item);
    else
        put_bytes(item, file);
}

static void on_made(struct req *rq) {
    const struct picture_request *p = req_state(rq);
    const struct picture_job *job = p->job;
    if (job->late) {
        refuse(rq, &busy_refusal);
        return;
    }
    if (job->verdict != PICTURE_DONE) {
        refuse(rq, &refusals[job->verdict]);
        return;
    }
    struct sql_params *item = req_exec(rq, &sql_set_picture, on_set);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    req_put_user(rq, item);
    put_text(item, describe(rq, job));
    put_text(item, (struct str){job->hash, sizeof job->hash});
    for (int i = 0; i < PICTURE_SIZES; i++)
        put_file(item, job->files[i]);
}

/* Empty: there is none, or the client has left, and its body with it. */
static struct str what_was_sent(struct req *rq) {
    const struct picture_request *p = req_state(rq);
    struct str type, sent = {0};
    if (!p->form) return req_raw_body(rq);
    if (req_header(rq, "content-type", &type)) multipart_find(type, req_raw_body(rq), "picture", &sent);
    return sent;
}

static void on_checked(struct req *rq, const struct rows *rows) {
    const struct tickets *service = req_service(rq);
    struct picture_request *p = req_state(rq);
    struct str verdict = row_text(rows, 0, 1), sent = what_was_sent(rq);
    if (str_eq(verdict, STR("quota"))) {
        refuse(rq, &quota_refusal);
        return;
    }
    if (!may(rq, verdict)) return;
    if (sent.n == 0) {
        refuse(rq, &none_refusal);
        return;
    }
    p->job = pictures_job(rq, sent);
    if (p->job == NULL) return;
    if (pictures_give(service->pictures, p->job, on_made) != ST_OK) refuse(rq, &busy_refusal);
}

/* Nobody's picture is copied and read but a seller's. */
static void begin(struct req *rq, struct str sent) {
    if (sent.n == 0 || sent.n > PICTURE_SENT_MOST) {
        refuse(rq, sent.n == 0 ? &none_refusal : &bytes_refusal);
        return;
    }
    const struct tickets *service = req_service(rq);
    struct sql_params *item = req_exec(rq, &sql_begin_picture, on_checked);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    req_put_user(rq, item);
    put_int(item, service->pictures_a_day);
}

static bool is_picture_type(struct req *rq) {
    static const struct str types[] = {STR("image/jpeg"), STR("image/png"), STR("image/webp")};
    struct str type;
    for (size_t i = 0; req_header(rq, "content-type", &type) && i < sizeof types / sizeof *types; i++)
        if (type.n == types[i].n && strncasecmp(type.p, types[i].p, type.n) == 0) return true;
    return false;
}

void pictures_put(struct req *rq) {
    req_set_state(rq, req_alloc(rq, sizeof(struct picture_request)));
    if (!is_picture_type(rq))
        req_fail(rq, 415, NULL, "The Content-Type must be image/jpeg, image/png or image/webp");
    else
        begin(rq, req_raw_body(rq));
}

/* Of a page's form. That it is ours the browser says; a form of another site comes without the session. */
void pictures_post(struct req *rq) {
    struct picture_request *p = req_alloc(rq, sizeof *p);
    struct str type, sent = {0};
    req_set_state(rq, p);
    p->form = true;
    if (!req_from_here(rq))
        req_fail(rq, 403, NULL, "This form is not from here");
    else if (!req_header(rq, "content-type", &type) ||
             !multipart_find(type, req_raw_body(rq), "picture", &sent))
        req_fail(rq, 400, NULL, "The body must be a form with the field picture (multipart/form-data)");
    else if (req_user(rq) == NULL)
        go_back(rq, none_refusal.query); /* where one is asked to sign in */
    else
        begin(rq, sent);
}

/* --- GET /api/shows/:id/pictures/HASH-WIDTH.webp --- */

static void on_picture(struct req *rq) {
    const struct picture_read *read = req_state(rq);
    if (read->st != ST_OK) {
        req_retry_after(rq, 503, 1, "Pictures cannot be read right now, try again");
        return;
    }
    if (read->file.n == 0) {
        req_fail(rq, 404, NULL, "No such picture");
        return;
    }
    req_set_header(rq, "cache-control", STR("public, max-age=31536000, immutable"));
    req_set_header(rq, "content-security-policy", STR("default-src 'none'; sandbox"));
    req_reply_kept(rq, 200, "image/webp", read->file);
}

/* "-320.webp"; 0: it is none of ours. */
static uint32_t width_of(struct str end) {
    char text[16];
    for (int i = 0; i < PICTURE_SIZES; i++) {
        int n = snprintf(text, sizeof text, "-%u.webp", picture_widths[i]);
        if (str_eq(end, (struct str){text, (size_t)n})) return picture_widths[i];
    }
    return 0;
}

static bool is_hash(const char *p) {
    for (int i = 0; i < PICTURE_HASH; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f'))) return false;
    return true;
}

void pictures_get(struct req *rq) {
    const struct tickets *service = req_service(rq);
    struct picture_read *read = req_alloc(rq, sizeof *read);
    struct str name = req_path_text(rq, 0);
    req_set_state(rq, read);
    if (name.n > PICTURE_HASH)
        read->key.width = width_of((struct str){name.p + PICTURE_HASH, name.n - PICTURE_HASH});
    if (read->key.width == 0 || !is_hash(name.p)) {
        req_fail(rq, 404, NULL, "No such picture");
        return;
    }
    read->key.show = req_path_uuid(rq, 0);
    memcpy(read->key.hash, name.p, PICTURE_HASH);
    if (picture_reads_ask(service->picture_reads, rq, read, on_picture) != ST_OK)
        req_retry_after(rq, 503, 1, "Pictures cannot be read right now, try again");
}
