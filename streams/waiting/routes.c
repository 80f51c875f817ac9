#include "routes.h"

#include <math.h>

#include "admission.h"
#include "challenge.h"
#include "clock.h"
#include "hex.h"

/* Somebody who has just joined by another replica may not be known here yet. */
enum { JOINED_WAIT_MS = 300 };

/* The body of POST /api/shows/:id/queue, and what has become of it. */
struct joining {
    struct str code, proof;
    int want; /* 0: he does not say */
    bool spent;
};

struct question {
    struct ask ask;
    struct req *rq;
    void (*then)(struct req *rq, const struct ask *ask);
};

/* --- asking --- */

static void fail_away(struct req *rq) {
    req_retry_after(rq, 503, 1, "The queue can't be reached right now, try again");
}

static void on_answer(struct req *rq, void *question) {
    const struct question *q = question;
    if (q->ask.result == ASK_AWAY)
        fail_away(rq);
    else if (q->ask.result == ASK_NO_QUEUE)
        req_fail(rq, 404, NULL, "There is no queue for this show now");
    else
        q->then(rq, &q->ask);
}

/* On the waiting thread. */
static void on_answered(struct ask *ask) {
    struct question *q = (struct question *)ask;
    req_resume(q->rq, on_answer, q);
}

/* ?next=true: of the phase after the one that is open. */
static bool read_next(struct req *rq, bool *next) {
    struct str v;
    *next = false;
    if (!req_query(rq, "next", &v)) return true;
    *next = str_eq(v, STR("true"));
    if (*next || str_eq(v, STR("false"))) return true;
    req_fail(rq, 400, "next", "must be true or false");
    return false;
}

static void ask(struct req *rq, enum ask_kind kind, void (*then)(struct req *rq, const struct ask *ask)) {
    const struct waiting_service *service = req_service(rq);
    bool next;
    if (!read_next(rq, &next)) return;
    if (!waiting_ready(service->waiting, NULL)) return fail_away(rq);
    struct question *q = req_alloc(rq, sizeof *q);
    *q = (struct question){
        .ask = {.kind = kind, .show = req_path_uuid(rq, 0), .next = next, .answered = on_answered},
        .rq = rq,
        .then = then};
    if (kind != ASK_NUMBERS) q->ask.user = req_user(rq)->user;
    if (kind == ASK_JOIN) {
        const struct joining *j = req_state(rq);
        q->ask.has_code = j->spent;
        q->ask.want = j->want;
        q->ask.proof = j->proof;
    }
    req_hold(rq);
    waiting_ask(service->waiting, &q->ask);
}

/* --- POST /api/shows/:id/queue --- */

static const char *read_want(const json_t *value, void *out, struct arena *arena) {
    (void)arena;
    int64_t n;
    if (!body_whole(value, 1, OFFERS_MOST, &n)) return "must be a whole number from 1 to 8";
    *(int *)out = (int)n;
    return NULL;
}

static const char *read_proof(const json_t *value, void *out, struct arena *arena) {
    const char *wrong = body_text(value, out, arena);
    if (wrong != NULL || ((struct str *)out)->n <= CHALLENGE_TEXT) return wrong;
    return "must have at most 64 bytes";
}

static const struct body_field joining_fields[] = {
    {"code", body_text, offsetof(struct joining, code), false},
    {"proof", read_proof, offsetof(struct joining, proof), false},
    {"want", read_want, offsetof(struct joining, want), false},
    {0},
};

static void join(struct req *rq);

static void on_spent(struct req *rq) {
    struct joining *j = req_state(rq);
    j->spent = true;
    join(rq);
}

/* Not of who had joined before. */
static void count_joining(struct req *rq, const struct ask *ask) {
    const struct waiting_service *service = req_service(rq);
    if (ask->written_us == 0 || ask->again) return;
    const struct demand_key key = {.show = ask->show, .client = demand_client_of(rq)};
    demand_add(service->demand, req_thread(rq), &key, DEMAND_JOINED, 1);
}

static void on_joined(struct req *rq, const struct ask *ask) {
    const struct waiting_service *service = req_service(rq);
    const struct joining *j = req_state(rq);
    if (ask->result == ASK_CHALLENGE)
        return req_refuse(rq, 403, "challenge_required", "Whoever joins this queue needs a proof of work");
    if (ask->result == ASK_CODE_REQUIRED && j->code.n > 0)
        return spend_code(rq, service->spend, j->code, on_spent);
    if (ask->result == ASK_CODE_REQUIRED)
        return req_refuse(rq, 403, "code_required", "Whoever joins this queue needs a code");
    count_joining(rq, ask);
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_put_uuid(out, "showId", ask->show);
    json_put_uuid(out, "userId", ask->user);
    json_close(out, '}');
    req_reply(rq, 202);
}

static void join(struct req *rq) {
    ask(rq, ASK_JOIN, on_joined);
}

static void post_queue(struct req *rq) {
    struct joining *j = req_alloc(rq, sizeof *j);
    req_set_state(rq, j);
    if (req_body(rq, joining_fields, j)) join(rq);
}

/* --- GET /api/shows/:id/queue --- */

static void write_optional_int(struct json *out, const char *key, bool has, int64_t v) {
    json_key(out, key);
    if (has)
        json_int(out, v);
    else
        json_nil(out);
}

static void write_time(struct json *out, const char *key, int64_t unix_us) {
    json_key(out, key);
    json_time(out, unix_us);
}

static void write_numbers(struct json *out, const struct ask_answer *a) {
    json_key(out, "open");
    json_bool(out, a->open);
    json_put_int(out, "people", a->people);
    json_put_int(out, "serving", a->serving);
    write_optional_int(out, "left", a->left >= 0, a->left);
    json_key(out, "soldOut");
    json_bool(out, a->sold_out);
    json_put_int(out, "offered", a->offered);
    write_time(out, "opensAt", a->opens_us);
    write_time(out, "closesAt", a->closes_us);
}

static const char *status_of(const struct ask_answer *a, int64_t now_us) {
    bool has_time = a->until_us > now_us;
    if (!a->open) return "joined";
    if (a->taken) return "taken";
    if (a->has_offer) return has_time ? "offered" : "lapsed";
    if (a->has_turn && has_time) return "turn";
    if (a->waitlist > 0) return "waitlist";
    return a->has_turn ? "missed" : "waiting";
}

/* Whether he may buy now, as far as is known. */
static bool is_admitted(const struct ask_answer *a, int64_t now_us) {
    return (a->has_turn || a->has_offer) && !a->taken && a->until_us > now_us;
}

/* Seconds, rounded up; none when nothing is left. */
static void write_estimate(struct json *out, const struct ask_answer *a) {
    bool waits = a->open && !a->has_turn && !a->sold_out && a->left != 0;
    double before = waits ? (double)(a->place - a->serving) : 0;
    write_optional_int(out, "estimate", waits, (int64_t)ceil(before / a->pace));
}

static void write_admission(struct req *rq, const struct ask *ask) {
    const struct waiting_service *service = req_service(rq);
    const struct admission admission = {.show = ask->show,
                                        .user = ask->user,
                                        .place = ask->answer.place,
                                        .most = ask->answer.want,
                                        .until_us = ask->answer.until_us};
    char token[ADMISSION_TEXT];
    size_t n = admission_sign(service->keys, &admission, token);
    json_put_text(req_json(rq), "admission", (struct str){token, n});
}

static void reply_place(struct req *rq, const struct ask *ask) {
    const struct ask_answer *a = &ask->answer;
    int64_t now_us = clock_wall_us();
    const char *status = status_of(a, now_us);
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_put_text(out, "status", str_of(status));
    write_optional_int(out, "place", a->place > 0, a->place);
    write_optional_int(out, "want", a->want > 0, a->want);
    write_optional_int(out, "waitlist", str_eq(str_of(status), STR("waitlist")), a->waitlist);
    write_estimate(out, a);
    write_numbers(out, a);
    write_time(out, "now", now_us);
    if (a->has_turn || a->has_offer) write_time(out, "until", a->until_us);
    if (is_admitted(a, now_us)) write_admission(rq, ask);
    json_close(out, '}');
    req_set_header(rq, "cache-control", STR("no-store"));
    req_reply(rq, 200);
}

static void get_queue(struct req *rq);

static void on_place(struct req *rq, const struct ask *ask) {
    if (ask->result == ASK_DONE)
        reply_place(rq, ask);
    else if (!req_later_within(rq, get_queue, JOINED_WAIT_MS))
        req_fail(rq, 404, NULL, "You have not joined the queue of this show");
}

static void get_queue(struct req *rq) {
    ask(rq, ASK_PLACE, on_place);
}

/* --- GET /api/shows/:id/queue/serving --- */

static void write_bytes(struct json *out, const char *key, const uint8_t bytes[32]) {
    char digits[64];
    hex_encode(bytes, 32, digits);
    json_put_text(out, key, (struct str){digits, sizeof digits});
}

static void reply_numbers(struct req *rq, const struct ask *ask) {
    struct json *out = req_json(rq);
    json_open(out, '{');
    write_numbers(out, &ask->answer);
    write_bytes(out, "seedHash", ask->answer.seed_hash);
    if (ask->answer.open) write_bytes(out, "seed", ask->answer.seed);
    write_optional_int(out, "challenge", challenge_bits > 0, challenge_bits);
    write_time(out, "now", clock_wall_us());
    json_close(out, '}');
    req_set_header(rq, "cache-control", STR("public, max-age=1"));
    req_reply(rq, 200);
}

static void get_serving(struct req *rq) {
    ask(rq, ASK_NUMBERS, reply_numbers);
}

const struct route waiting_routes[] = {
    {"POST", "/api/shows/{uuid}/queue", post_queue, ROUTE_SESSION},
    {"GET", "/api/shows/{uuid}/queue", get_queue, ROUTE_SESSION},
    {"GET", "/api/shows/{uuid}/queue/serving", get_serving, 0},
    {0},
};
