/* routes: what the web client answers, by path. One file a part of it; each reads top to bottom. */
#pragma once

#include "live.h"
#include "page.h"

enum { PAGE_ITEMS = 20 };

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
/* selling.c: what one sells */
req_handler list_mine, show_sell, sell, show_edit, edit, withdraw;
/* people.c: who one is */
req_handler show_signin, sign_in, show_signup, sign_up, sign_out, show_account, change_email, change_password;
/* files.c: static files, paths where nothing is, and such as lead elsewhere */
req_handler send_file, send_missing, go_to_page, go_to_account;
