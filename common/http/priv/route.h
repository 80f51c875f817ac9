/* route: the tree that finds a request's route by its path, one step a segment. Made once from the table,
 * then only read: any thread. */
#pragma once

#ifndef HTTP_PRIV
#error "private to common/http"
#endif

#include "http.h"

enum { ROUTE_MAX_UUIDS = 4, ROUTE_MAX_TEXTS = 2 };

struct route_tree;
struct route_tree *route_tree_new(const struct route *routes); /* aborts on a table that contradicts itself */
void route_tree_free(struct route_tree *tree);

struct route_match {
    const struct route *route; /* NULL: see allow */
    const char *allow; /* without a route: the methods this path has, or NULL when there is no such path */
    struct uuid uuids[ROUTE_MAX_UUIDS];
    struct str texts[ROUTE_MAX_TEXTS]; /* of the path */
};

void route_find(const struct route_tree *tree, struct str method, struct str path, struct route_match *out);
