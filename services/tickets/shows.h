/* shows: the routes of shows (shows.c, show_lists.c) and of their areas (areas.c). Any of the HTTP threads.
 */
#pragma once

#include "http.h"

req_handler shows_list, shows_get, shows_post, shows_put, shows_delete, shows_announce;
req_handler areas_post, areas_get_seats;
