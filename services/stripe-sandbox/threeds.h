/* threeds: the page to which a customer is sent for 3-D Secure, where the bank would ask for a password. Two
 * forms, no script. */
#pragma once

#include "call.h"

req_handler get_threeds, post_threeds;
