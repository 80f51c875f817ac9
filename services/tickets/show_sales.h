/* show_sales: the route that tells a seller what became of the places of a show. Any of the HTTP threads. */
#pragma once

#include "http.h"

req_handler show_sales_get;
