/* routes: what the web client answers, by path. One file a part of it; each reads top to bottom. */
#pragma once

#include "live.h"
#include "page.h"

extern const struct route web_routes[];

/* page.c: errors that no handler answered */
extern const struct http_error_page web_error_page;

/* shop.c: tickets on sale */
req_handler show_home, show_ticket, buy_ticket;
/* Goes on with one ticket's page and what the visit has to say (problem, status). Needs the id in the path.
 */
void go_to_ticket(struct req *rq);
/* orders.c: what one buys */
req_handler list_orders, show_order, pay_order, confirm_order, cancel_order;
req_handler show_purchase, pay_purchase, cancel_purchase;
/* shows.c: shows and their places */
req_handler list_shows, show_show, buy_places;
/* show_page.c: goes on with a show's page, or that of its draft, and how a form of it was refused (NULL: none
 * was sent). Needs the id in the path. */
void go_to_show(struct req *rq, const struct api_answer *refusal);
struct show;
struct queue;
/* Why nothing was bought, in the words of the service where it has some. */
struct str visit_refused_words(struct req *rq, const struct api_answer *refusal);
/* queue.c: the queue of a show */
req_handler show_queue, join_queue;
/* Where a queue sells, asks whether it is the reader's turn; false: there is nothing to ask. */
bool queue_ask_turn(struct req *rq, const struct show *show, api_then *then);
void queue_read_turn(const struct api_answer *answer, struct queue *out); /* zero: it is not */
/* seats.c: the seats of an area */
req_handler show_seats, buy_seats;
/* show_form.c: a new show, another title of it, a draft that is given up */
req_handler show_making, make_show, show_edit_show, edit_show, discard_show;
/* drafts.c: the page on which a show gets its areas */
void render_draft(struct req *rq, const struct show *show, const struct api_answer *refusal);
/* areas.c: what is done there */
req_handler add_area, announce_show;
/* phases.c: when a show is sold */
req_handler show_phases, add_phase, remove_phase, make_codes;
/* selling.c: what one sells */
req_handler list_mine, show_sell, sell, show_edit, edit, withdraw;
/* sales.c: what became of a show's places */
req_handler show_sales, send_sales_by_time, send_sales_by_area;
/* passes.c: a ticket that its reader bought, with its code. False: the answer has no code. */
bool render_pass(struct req *rq, const struct api_answer *answer);
/* receipts.c: what was paid */
req_handler show_receipt;
/* door.c: whose code opens it */
req_handler show_door, let_in;
/* people.c: who one is */
req_handler show_signin, sign_in, show_signup, sign_up, sign_out;
/* A new session, or none any more: what the accounts' service said is said on. */
void take_session(struct req *rq, const struct api_answer *answer);
/* account.c: what is known of who is signed in */
req_handler show_account, change_email, change_password, end_session, delete_account;
void render_account(struct req *rq, const struct account_view *view); /* its page, with what was wrong */
/* What was asked for was not done. true: to be said by a page, whose status is set; false: his session is
 * over, and that was answered. */
bool account_refused(struct req *rq, const struct api_answer *answer);
/* What is wrong with the code of a second factor; empty: something else was. */
struct str factor_code_error(struct req *rq, const struct api_answer *answer);
/* second_factor.c: codes of an app */
req_handler begin_factor, confirm_factor, turn_factor_off;
/* passkeys.c: one's own, and signing in by one */
req_handler show_new_passkey, add_passkey, remove_passkey, show_passkey_signin, sign_in_by_passkey;
/* letters.c: what letters lead to, and what asks for one */
req_handler show_sent, show_forgot, ask_reset, show_reset, reset_password, show_verify, verify_address;
/* files.c: static files, pages of text, paths where nothing is, and such as lead elsewhere */
req_handler show_help, show_terms, show_privacy, send_icon;
req_handler send_file, show_docs, send_openapi, send_missing, go_to_page, go_to_account;
