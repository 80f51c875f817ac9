/* pages_driver: what its files share. One thread. */
#pragma once

#include "templates.h"

void write_page(const char *name, struct buf *page); /* into the directory that was asked for; frees page */
void write_bought(void);                             /* pages_bought.c */
