/* sandbox: what this process may do from now on: compute, within limits of memory and time, and write to its
 * standard output. Linux. */
#pragma once

#include <stdbool.h>

bool sandbox_enter(void); /* false: the system does not offer it */
