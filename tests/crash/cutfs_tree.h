/* The two trees of cutfs: what there is now, and what is on disk. See cutfs.c. */
#ifndef MATCHING_TESTS_CRASH_CUTFS_TREE_H
#define MATCHING_TESTS_CRASH_CUTFS_TREE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CUTFS_PAGE 4096u
#define CUTFS_SECTOR 512u
#define CUTFS_ENTRIES_MAX 512u /* of a folder */

typedef enum cutfs_keep { KEEP_NONE, KEEP_PAGES, KEEP_SECTORS, KEEP_ALL } cutfs_keep;

typedef struct content {
    unsigned char *bytes; /* zeros from size to room */
    size_t size, room;
} content;

typedef struct node node;

typedef struct entry {
    char name[NAME_MAX + 1];
    node *node;
} entry;

typedef struct entries {
    entry items[CUTFS_ENTRIES_MAX];
    unsigned count;
} entries;

/* Never freed: a run is short, and nobody has to count who still holds one. */
struct node {
    node *older; /* the one made before it */
    bool is_folder;
    uint64_t number;
    mode_t mode;
    content now, disk;
    entries *entries_now, *entries_disk; /* of a folder */
};

/* A change of names: `name` of `folder` becomes `node` (NULL: nothing), and a rename takes old_name
 * of old_folder away. */
typedef struct change {
    node *folder, *node, *old_folder;
    char name[NAME_MAX + 1], old_name[NAME_MAX + 1];
} change;

/* Ends the program. */
_Noreturn void tree_give_up(const char *what, const char *name);

/* 0 ... bound - 1, from the seed on. */
void tree_seed(uint64_t seed);
uint64_t tree_below(uint64_t bound);

node *tree_new_node(bool is_folder, mode_t mode);
void tree_resize(content *c, size_t size);
entry *tree_find(entries *list, const char *name);

/* The node of a path below root as it is now; NULL: there is none. *folder and name: what it is in,
 * and as what. */
node *tree_walk(node *root, const char *path, node **folder, char name[NAME_MAX + 1]);

/* Names change now; on disk once the folder (either, of a rename) is synced. */
void tree_change(const change *c);
void tree_sync_folder(node *folder);
void tree_sync_file(node *file);

/* Some of what the file has become since its last sync is on disk too. */
void tree_keep_some(node *file, cutfs_keep how);

/* Power fails: decides what of all that was not synced is on disk. names_in_order: of names only
 * the first ones of those that changed, else any. */
void tree_cut(node *root, cutfs_keep how, bool names_in_order);

/* The store: a folder to both trees, and what is on disk back to it. */
void tree_load(const char *path, node *folder);
void tree_store(const char *path, node *folder);

#endif
