/* sessions: the routes about sessions that are there: who is signed in, from where, and how that ends. */
#pragma once

#include "http.h"

req_handler sessions_current, sessions_sign_out, sessions_list, sessions_end;
