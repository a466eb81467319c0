/* See cutfs_tree.h. */
#include "crash/cutfs_tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PENDING_MAX 8192u

static uint64_t nodes;
static node *newest; /* so that all can be reached from here, whatever their names have become */
static uint64_t random_state;
static change pending[PENDING_MAX]; /* changes of names that are not on disk yet, in their order */
static unsigned pending_count;

_Noreturn void tree_give_up(const char *what, const char *name)
{
    fprintf(stderr, "cutfs: %s %s: %s\n", what, name, strerror(errno));
    exit(EXIT_FAILURE);
}

static void *need(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        tree_give_up("out of", "memory");
    }
    return memory;
}

void tree_seed(uint64_t seed)
{
    random_state = seed;
}

/* SplitMix64, Steele, Lea and Flood 2014. */
uint64_t tree_below(uint64_t bound)
{
    uint64_t z = random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (z ^ z >> 31) % bound;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

node *tree_new_node(bool is_folder, mode_t mode)
{
    node *n = need(sizeof *n);
    n->is_folder = is_folder;
    n->number = ++nodes;
    n->older = newest;
    newest = n;
    n->mode = mode & 07777;
    if (is_folder) {
        n->entries_now = need(sizeof *n->entries_now);
        n->entries_disk = need(sizeof *n->entries_disk);
    }
    return n;
}

void tree_resize(content *c, size_t size)
{
    if (size > c->room) {
        size_t room = size + size / 2 + CUTFS_PAGE;
        c->bytes = realloc(c->bytes, room);
        if (c->bytes == NULL) {
            tree_give_up("out of", "memory");
        }
        memset(c->bytes + c->room, 0, room - c->room);
        c->room = room;
    } else if (size < c->size) {
        memset(c->bytes + size, 0, c->size - size);
    }
    c->size = size;
}

static void copy_content(content *to, const content *from)
{
    tree_resize(to, 0);
    tree_resize(to, from->size);
    if (from->size > 0) {
        memcpy(to->bytes, from->bytes, from->size);
    }
}

entry *tree_find(entries *list, const char *name)
{
    for (unsigned i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            return &list->items[i];
        }
    }
    return NULL;
}

/* NULL takes the name away. */
static void set_entry(entries *list, const char *name, node *n)
{
    entry *found = tree_find(list, name);
    if (n == NULL) {
        if (found != NULL) {
            *found = list->items[--list->count];
        }
        return;
    }
    if (found == NULL) {
        if (list->count == CUTFS_ENTRIES_MAX) {
            errno = ENOSPC;
            tree_give_up("too many names, no room for", name);
        }
        found = &list->items[list->count++];
        snprintf(found->name, sizeof found->name, "%s", name);
    }
    found->node = n;
}

node *tree_walk(node *root, const char *path, node **folder, char name[NAME_MAX + 1])
{
    node *at = root;
    *folder = NULL;
    while (*path == '/' && path[1] != 0) {
        size_t length = strcspn(path + 1, "/");
        *folder = at != NULL && at->is_folder ? at : NULL;
        if (*folder == NULL || length > NAME_MAX) {
            *folder = NULL;
            return NULL;
        }
        memcpy(name, path + 1, length);
        name[length] = 0;
        entry *found = tree_find((*folder)->entries_now, name);
        at = found != NULL ? found->node : NULL;
        path += 1 + length;
    }
    return at;
}

/* ---- What is on disk ------------------------------------------------------------------------- */

static void apply(entries *(*side)(node *), const change *c)
{
    if (c->old_folder != NULL) {
        set_entry(side(c->old_folder), c->old_name, NULL);
    }
    set_entry(side(c->folder), c->name, c->node);
}

static entries *side_now(node *folder)
{
    return folder->entries_now;
}

static entries *side_disk(node *folder)
{
    return folder->entries_disk;
}

void tree_change(const change *c)
{
    apply(side_now, c);
    if (pending_count == PENDING_MAX) {
        errno = ENOSPC;
        tree_give_up("too many changes of names, no room for", c->name);
    }
    pending[pending_count++] = *c;
}

void tree_sync_file(node *file)
{
    copy_content(&file->disk, &file->now);
}

void tree_sync_folder(node *folder)
{
    unsigned left = 0;
    for (unsigned i = 0; i < pending_count; i++) {
        const change *c = &pending[i];
        if (c->folder == folder || c->old_folder == folder) {
            apply(side_disk, c);
        } else {
            pending[left++] = *c;
        }
    }
    pending_count = left;
}

void tree_keep_some(node *n, cutfs_keep how)
{
    size_t unit = how == KEEP_PAGES ? CUTFS_PAGE : CUTFS_SECTOR;
    if (how == KEEP_NONE || n->is_folder) {
        return;
    }
    if (how == KEEP_ALL) {
        copy_content(&n->disk, &n->now);
        return;
    }
    if (n->disk.size != n->now.size && tree_below(2) == 0) {
        tree_resize(&n->disk, n->now.size);
    }
    /* Mostly few are missing, or few are there. */
    uint64_t odds[] = {10, 50, 90};
    uint64_t percent = odds[tree_below(3)];
    for (size_t at = 0; at < n->disk.size && at < n->now.size; at += unit) {
        size_t length = n->now.size - at < unit ? n->now.size - at : unit;
        length = n->disk.size - at < length ? n->disk.size - at : length;
        if (tree_below(100) < percent) {
            memcpy(n->disk.bytes + at, n->now.bytes + at, length);
        }
    }
}

static void keep_some_names(cutfs_keep keep, bool in_order)
{
    uint64_t how = keep == KEEP_NONE ? 0 : keep == KEEP_ALL ? 3 : tree_below(4);
    uint64_t first = tree_below(pending_count + 1);
    how = in_order && how == 2 ? 1 : how;
    for (unsigned i = 0; i < pending_count; i++) {
        if (how == 3 || (how == 1 && i < first) || (how == 2 && tree_below(2) == 0)) {
            apply(side_disk, &pending[i]);
        }
    }
    pending_count = 0;
}

/* Every node that can be reached by any name, now or on disk. */
static void cut_below(node *n, cutfs_keep how, bool *seen)
{
    if (seen[n->number]) {
        return;
    }
    seen[n->number] = true;
    tree_keep_some(n, how);
    if (n->is_folder) {
        for (unsigned i = 0; i < n->entries_disk->count; i++) {
            cut_below(n->entries_disk->items[i].node, how, seen);
        }
    }
}

void tree_cut(node *root, cutfs_keep how, bool names_in_order)
{
    keep_some_names(how, names_in_order);
    bool *seen = need(nodes + 1);
    cut_below(root, how, seen);
    free(seen);
}

/* ---- The store ------------------------------------------------------------------------------- */

static void load_file(const char *path, node *n, size_t size)
{
    FILE *file = fopen(path, "rb");
    tree_resize(&n->disk, size);
    if (file == NULL || (size > 0 && fread(n->disk.bytes, 1, size, file) != size)) {
        tree_give_up("cannot read", path);
    }
    fclose(file);
    copy_content(&n->now, &n->disk);
}

void tree_load(const char *path, node *folder)
{
    DIR *list = opendir(path);
    if (list == NULL) {
        tree_give_up("cannot open", path);
    }
    for (struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
        char full[PATH_MAX];
        struct stat about;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        if ((size_t)snprintf(full, sizeof full, "%s/%s", path, e->d_name) >= sizeof full ||
            stat(full, &about) != 0) {
            tree_give_up("cannot look at", full);
        }
        node *n = tree_new_node(S_ISDIR(about.st_mode), about.st_mode);
        set_entry(folder->entries_now, e->d_name, n);
        set_entry(folder->entries_disk, e->d_name, n);
        if (n->is_folder) {
            tree_load(full, n);
        } else {
            load_file(full, n, (size_t)about.st_size);
        }
    }
    closedir(list);
}

static void store_file(const char *path, const content *c)
{
    FILE *file = fopen(path, "wb");
    bool written = file != NULL && (c->size == 0 || fwrite(c->bytes, 1, c->size, file) == c->size);
    if (!written || fclose(file) != 0) {
        tree_give_up("cannot write", path);
    }
}

/* What is there and should not be goes, what should be is written. */
void tree_store(const char *path, node *folder)
{
    DIR *list = opendir(path);
    if (list == NULL) {
        tree_give_up("cannot open", path);
    }
    char full[PATH_MAX];
    for (struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
        if (e->d_type == DT_REG && tree_find(folder->entries_disk, e->d_name) == NULL) {
            if ((size_t)snprintf(full, sizeof full, "%s/%s", path, e->d_name) >= sizeof full ||
                unlink(full) != 0) {
                tree_give_up("cannot remove", full);
            }
        }
    }
    closedir(list);
    for (unsigned i = 0; i < folder->entries_disk->count; i++) {
        const entry *e = &folder->entries_disk->items[i];
        if ((size_t)snprintf(full, sizeof full, "%s/%s", path, e->name) >= sizeof full) {
            tree_give_up("too long a name:", full);
        }
        if (e->node->is_folder) {
            if (mkdir(full, 0755) != 0 && errno != EEXIST) {
                tree_give_up("cannot make", full);
            }
            tree_store(full, e->node);
            continue;
        }
        store_file(full, &e->node->disk);
    }
}
