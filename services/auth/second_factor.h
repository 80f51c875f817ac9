/* second_factor: the routes of a second factor: begin, confirm, turn off. Handlers. */
#pragma once

#include "http.h"

req_handler second_factor_show;    /* GET /api/users/me/second-factor */
req_handler second_factor_begin;   /* POST /api/users/me/second-factor */
req_handler second_factor_confirm; /* POST /api/users/me/second-factor/confirm */
req_handler second_factor_off;     /* POST /api/users/me/second-factor/off */
