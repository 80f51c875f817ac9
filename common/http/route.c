#include "priv/route.h"

#include <stdio.h>
#include <stdlib.h>

#include "mem.h"

#define UUID_SEGMENT "{uuid}"
#define TEXT_SEGMENT "{text}"

/* A place in a path. Its children by their segment; a route for each method that ends here. */
struct node {
    struct str segment; /* of the table's text, lower case */
    struct node *children, *next;
    struct node *uuid, *text; /* the children for {uuid} and {text} */
    const struct route **routes;
    int nroutes;
    char allow[64];
};

struct route_tree {
    struct node root;
};

/* Takes the first segment off path, which begins with '/'. */
static struct str next_segment(struct str *path) {
    const char *start = path->p + 1, *end = path->p + path->n;
    const char *slash = memchr(start, '/', (size_t)(end - start));
    if (slash == NULL) slash = end;
    *path = (struct str){slash, (size_t)(end - slash)};
    return (struct str){start, (size_t)(slash - start)};
}

static bool same_segment(struct str lower, struct str any) {
    if (lower.n != any.n) return false;
    for (size_t i = 0; i < any.n; i++) {
        char c = any.p[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c | 0x20);
        if (c != lower.p[i]) return false;
    }
    return true;
}

static struct node *child(const struct node *node, struct str segment) {
    struct node *c = node->children;
    while (c != NULL && !same_segment(c->segment, segment))
        c = c->next;
    return c;
}

static struct node *grow(struct node *node, struct str segment) {
    struct node **special = str_eq(segment, STR(UUID_SEGMENT))   ? &node->uuid
                            : str_eq(segment, STR(TEXT_SEGMENT)) ? &node->text
                                                                 : NULL;
    struct node *c = special != NULL ? *special : child(node, segment);
    if (c != NULL) return c;
    c = mem_alloc(sizeof *c);
    c->segment = segment;
    if (special != NULL)
        *special = c;
    else {
        c->next = node->children;
        node->children = c;
    }
    return c;
}

static const struct route *route_of(const struct node *node, struct str method) {
    for (int i = 0; i < node->nroutes; i++)
        if (str_eq(str_of(node->routes[i]->method), method)) return node->routes[i];
    return NULL;
}

static void write_allow(struct node *node) {
    char *p = node->allow, *end = p + sizeof node->allow;
    for (int i = 0; i < node->nroutes; i++) {
        const char *method = node->routes[i]->method;
        p += snprintf(p, (size_t)(end - p), "%s%s%s", i == 0 ? "" : ", ", method,
                      strcmp(method, "GET") == 0 ? ", HEAD" : "");
    }
}

static void add(struct route_tree *tree, const struct route *route) {
    struct node *node = &tree->root;
    struct str path = str_of(route->path);
    int uuids = 0, texts = 0;
    while (path.n > 1) {
        node = grow(node, next_segment(&path));
        uuids += str_eq(node->segment, STR(UUID_SEGMENT));
        texts += str_eq(node->segment, STR(TEXT_SEGMENT));
    }
    if (route->path[0] != '/' || path.n != (route->path[1] == '\0') || uuids > ROUTE_MAX_UUIDS ||
        texts > ROUTE_MAX_TEXTS || route_of(node, str_of(route->method)) != NULL) {
        fprintf(stderr, "route table: %s %s: twice, or not a pattern\n", route->method, route->path);
        abort();
    }
    node->routes = mem_grow(node->routes, (size_t)(node->nroutes + 1) * sizeof *node->routes);
    node->routes[node->nroutes++] = route;
    write_allow(node);
}

struct route_tree *route_tree_new(const struct route *routes) {
    struct route_tree *tree = mem_alloc(sizeof *tree);
    for (const struct route *r = routes; r->method != NULL; r++)
        add(tree, r);
    return tree;
}

static void free_children(struct node *node) {
    for (struct node *c = node->children, *next; c != NULL; c = next) {
        next = c->next;
        free_children(c);
        free(c);
    }
    if (node->uuid != NULL) free_children(node->uuid);
    if (node->text != NULL) free_children(node->text);
    free(node->uuid);
    free(node->text);
    free(node->routes);
}

void route_tree_free(struct route_tree *tree) {
    free_children(&tree->root);
    free(tree);
}

/* The node of path, its ids and texts put into those; NULL: no such path. One trailing slash is as good as
 * none. */
static const struct node *walk(const struct route_tree *tree, struct str path, struct uuid *uuids,
                               struct str *texts) {
    const struct node *node = &tree->root;
    while (path.n > 1) {
        struct str segment = next_segment(&path);
        const struct node *c = child(node, segment);
        if (c == NULL && node->uuid != NULL && uuid_parse(segment, uuids)) {
            c = node->uuid;
            uuids++;
        } else if (c == NULL && node->text != NULL && segment.n > 0) {
            c = node->text;
            *texts++ = segment;
        }
        if (c == NULL) return NULL;
        node = c;
    }
    return node;
}

void route_find(const struct route_tree *tree, struct str method, struct str path, struct route_match *out) {
    out->route = NULL;
    out->allow = NULL;
    const struct node *node = walk(tree, path, out->uuids, out->texts);
    if (node == NULL || node->nroutes == 0) return;
    out->route = route_of(node, method);
    if (out->route == NULL && str_eq(method, STR("HEAD"))) out->route = route_of(node, STR("GET"));
    if (out->route == NULL) out->allow = node->allow;
}
