/* A file system that loses power: what was not synced is gone, or some of it.
 *
 *   cutfs STORE MOUNT [--cut-after N] [--seed S] [--keep none|pages|sectors|all]
 *         [--names any|in-order]
 *
 * Loads the folder STORE into memory, serves it at MOUNT, says "ready" on stdout. After the N-th
 * call that changes or syncs something (0: when it is unmounted) power fails: nothing is changed
 * any more, such calls get EIO, reads go on. When it is unmounted (SIGTERM, or umount) STORE
 * becomes what a disk would hold, and it says "cut" or "whole".
 *
 * What a disk holds: of each file what it was at its last sync, and of what came later nothing, or
 * any pages of 4,096 bytes, or any sectors of 512, or all, whether its size followed or not. Names
 * are the folder's: they are there once the folder was synced; of what came later (creations,
 * renames, removals) nothing, the first ones in order, or any of them (unless --names in-order), or
 * all. A sync of a file says nothing about its name. Power may fail in the middle of a write or of
 * a sync.
 *
 * One thread. Two trees in one: a node has its content now and on disk, a folder its entries now
 * and on disk.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse3/fuse.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/cutfs_tree.h"

static struct {
    node *root;
    uint64_t left; /* calls until power fails; 0: it does not before the end */
    bool is_cut;
    bool names_in_order;
    cutfs_keep keep;
    char store[PATH_MAX];
} fs;

static void cut(void)
{
    if (!fs.is_cut) {
        fs.is_cut = true;
        tree_cut(fs.root, fs.keep, fs.names_in_order);
    }
}

/* A call that changes or syncs comes: is this the one in which power fails? */
static bool fails_now(void)
{
    return fs.left > 0 && --fs.left == 0;
}

static node *look_up(const char *path)
{
    node *folder;
    char name[NAME_MAX + 1];
    return tree_walk(fs.root, path, &folder, name);
}

static node *node_of(const char *path, const struct fuse_file_info *info)
{
    return info != NULL && info->fh != 0 ? (node *)(uintptr_t)info->fh : look_up(path);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static int do_getattr(const char *path, struct stat *out, struct fuse_file_info *info)
{
    const node *n = node_of(path, info);
    if (n == NULL) {
        return -ENOENT;
    }
    *out = (struct stat){.st_ino = n->number,
                         .st_mode = n->mode | (n->is_folder ? S_IFDIR : S_IFREG),
                         .st_nlink = n->is_folder ? 2 : 1,
                         .st_size = (off_t)n->now.size,
                         .st_blksize = CUTFS_PAGE,
                         .st_blocks = (blkcnt_t)((n->now.size + CUTFS_SECTOR - 1) / CUTFS_SECTOR),
                         .st_uid = getuid(),
                         .st_gid = getgid()};
    return 0;
}

static int do_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                      struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
    (void)offset;
    (void)flags;
    const node *n = node_of(path, info);
    if (n == NULL || !n->is_folder) {
        return -ENOTDIR;
    }
    fill(buffer, ".", NULL, 0, 0);
    fill(buffer, "..", NULL, 0, 0);
    for (unsigned i = 0; i < n->entries_now->count; i++) {
        const entry *e = &n->entries_now->items[i];
        struct stat kind = {.st_ino = e->node->number,
                            .st_mode = e->node->is_folder ? S_IFDIR : S_IFREG};
        fill(buffer, e->name, &kind, 0, 0);
    }
    return 0;
}

static int make(const char *path, bool is_folder, mode_t mode, struct fuse_file_info *info)
{
    change c = {0};
    node *there = tree_walk(fs.root, path, &c.folder, c.name);
    if (fs.is_cut) {
        return -EIO;
    }
    if (there != NULL || c.folder == NULL) {
        return there != NULL ? -EEXIST : -ENOENT;
    }
    c.node = tree_new_node(is_folder, mode);
    tree_change(&c);
    if (info != NULL) {
        info->fh = (uint64_t)(uintptr_t)c.node;
    }
    if (fails_now()) {
        cut();
        return -EIO;
    }
    return 0;
}

static int do_mkdir(const char *path, mode_t mode)
{
    return make(path, true, mode, NULL);
}

static int do_create(const char *path, mode_t mode, struct fuse_file_info *info)
{
    return make(path, false, mode, info);
}

static int do_open(const char *path, struct fuse_file_info *info)
{
    node *n = look_up(path);
    if (n == NULL) {
        return -ENOENT;
    }
    info->fh = (uint64_t)(uintptr_t)n;
    return 0;
}

static int remove_name(const char *path, bool is_folder)
{
    change c = {0};
    node *there = tree_walk(fs.root, path, &c.folder, c.name);
    if (fs.is_cut) {
        return -EIO;
    }
    if (there == NULL || c.folder == NULL) {
        return -ENOENT;
    }
    if (there->is_folder != is_folder) {
        return is_folder ? -ENOTDIR : -EISDIR;
    }
    if (is_folder && there->entries_now->count > 0) {
        return -ENOTEMPTY;
    }
    tree_change(&c);
    if (fails_now()) {
        cut();
        return -EIO;
    }
    return 0;
}

static int do_unlink(const char *path)
{
    return remove_name(path, false);
}

static int do_rmdir(const char *path)
{
    return remove_name(path, true);
}

static int do_rename(const char *from, const char *to, unsigned flags)
{
    change c = {0};
    c.node = tree_walk(fs.root, from, &c.old_folder, c.old_name);
    node *there = tree_walk(fs.root, to, &c.folder, c.name);
    if (fs.is_cut) {
        return -EIO;
    }
    if (c.node == NULL || c.folder == NULL) {
        return -ENOENT;
    }
    if (flags != 0 || c.node->is_folder || (there != NULL && there->is_folder)) {
        return -EINVAL; /* nobody here does that */
    }
    if (there == c.node) {
        return 0;
    }
    tree_change(&c);
    if (fails_now()) {
        cut();
        return -EIO;
    }
    return 0;
}

static int do_read(const char *path, char *out, size_t size, off_t offset,
                   struct fuse_file_info *info)
{
    const node *n = node_of(path, info);
    if (n == NULL || (size_t)offset >= n->now.size) {
        return n == NULL ? -ENOENT : 0;
    }
    size_t left = n->now.size - (size_t)offset;
    size = size < left ? size : left;
    memcpy(out, n->now.bytes + offset, size);
    return (int)size;
}

static int do_write(const char *path, const char *bytes, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    node *n = node_of(path, info);
    if (fs.is_cut || n == NULL) {
        return fs.is_cut ? -EIO : -ENOENT;
    }
    bool fails = fails_now();
    size_t taken = fails ? tree_below(size + 1) : size;
    if ((size_t)offset + taken > n->now.size) {
        tree_resize(&n->now, (size_t)offset + taken);
    }
    if (taken > 0) {
        memcpy(n->now.bytes + offset, bytes, taken);
    }
    if (fails) {
        cut();
        return -EIO;
    }
    return (int)size;
}

static int do_truncate(const char *path, off_t size, struct fuse_file_info *info)
{
    node *n = node_of(path, info);
    if (fs.is_cut || n == NULL) {
        return fs.is_cut ? -EIO : -ENOENT;
    }
    tree_resize(&n->now, (size_t)size);
    if (fails_now()) {
        cut();
        return -EIO;
    }
    return 0;
}

static int do_fallocate(const char *path, int mode, off_t offset, off_t size,
                        struct fuse_file_info *info)
{
    node *n = node_of(path, info);
    if (mode != 0 || n == NULL) {
        return mode != 0 ? -EOPNOTSUPP : -ENOENT;
    }
    return (size_t)(offset + size) > n->now.size ? do_truncate(path, offset + size, info) : 0;
}

static int do_fsync(const char *path, int only_data, struct fuse_file_info *info)
{
    (void)only_data; /* a size that is needed to read the data is synced with it */
    node *n = node_of(path, info);
    if (fs.is_cut || n == NULL) {
        return fs.is_cut ? -EIO : -ENOENT;
    }
    if (fails_now()) {
        tree_keep_some(n, tree_below(2) == 0 ? KEEP_SECTORS : KEEP_ALL); /* so far had it come */
        cut();
        return -EIO;
    }
    tree_sync_file(n);
    return 0;
}

static int do_fsyncdir(const char *path, int only_data, struct fuse_file_info *info)
{
    (void)only_data;
    node *n = node_of(path, info);
    if (fs.is_cut || n == NULL) {
        return fs.is_cut ? -EIO : -ENOENT;
    }
    if (fails_now()) {
        if (tree_below(2) == 0) {
            tree_sync_folder(n);
        }
        cut();
        return -EIO;
    }
    tree_sync_folder(n);
    return 0;
}

static int do_chmod(const char *path, mode_t mode, struct fuse_file_info *info)
{
    node *n = node_of(path, info);
    if (n == NULL) {
        return -ENOENT;
    }
    n->mode = mode & 07777;
    return 0;
}

static int do_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *info)
{
    (void)times;
    return node_of(path, info) == NULL ? -ENOENT : 0;
}

static int do_statfs(const char *path, struct statvfs *out)
{
    (void)path;
    *out = (struct statvfs){.f_bsize = CUTFS_PAGE,
                            .f_frsize = CUTFS_PAGE,
                            .f_blocks = 1 << 20,
                            .f_bfree = 1 << 20,
                            .f_bavail = 1 << 20,
                            .f_namemax = NAME_MAX};
    return 0;
}

static void *do_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
    (void)connection;
    config->use_ino = 1;
    config->hard_remove = 1;
    config->nullpath_ok = 1;
    config->entry_timeout = config->negative_timeout = config->attr_timeout = 0;
    puts("ready");
    fflush(stdout);
    return NULL;
}

static const struct fuse_operations operations = {.getattr = do_getattr,
                                                  .readdir = do_readdir,
                                                  .mkdir = do_mkdir,
                                                  .create = do_create,
                                                  .open = do_open,
                                                  .opendir = do_open,
                                                  .unlink = do_unlink,
                                                  .rmdir = do_rmdir,
                                                  .rename = do_rename,
                                                  .read = do_read,
                                                  .write = do_write,
                                                  .truncate = do_truncate,
                                                  .fallocate = do_fallocate,
                                                  .fsync = do_fsync,
                                                  .fsyncdir = do_fsyncdir,
                                                  .chmod = do_chmod,
                                                  .utimens = do_utimens,
                                                  .statfs = do_statfs,
                                                  .init = do_init};

static bool read_options(int argc, char **argv)
{
    static const char *const keeps[] = {"none", "pages", "sectors", "all"};
    bool known = argc >= 3 && argc % 2 == 1 && realpath(argv[1], fs.store) != NULL;
    for (int i = 3; known && i < argc; i += 2) {
        if (strcmp(argv[i], "--cut-after") == 0) {
            fs.left = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            tree_seed(strtoull(argv[i + 1], NULL, 10));
        } else if (strcmp(argv[i], "--keep") == 0) {
            unsigned k = 0;
            while (k <= KEEP_ALL && strcmp(keeps[k], argv[i + 1]) != 0) {
                k++;
            }
            fs.keep = (cutfs_keep)k;
            known = k <= KEEP_ALL;
        } else if (strcmp(argv[i], "--names") == 0) {
            fs.names_in_order = strcmp(argv[i + 1], "in-order") == 0;
            known = fs.names_in_order || strcmp(argv[i + 1], "any") == 0;
        } else {
            known = false;
        }
    }
    return known;
}

int main(int argc, char **argv)
{
    if (!read_options(argc, argv)) {
        fprintf(stderr, "cutfs STORE MOUNT [--cut-after N] [--seed S] "
                        "[--keep none|pages|sectors|all] [--names any|in-order]\n");
        return EXIT_FAILURE;
    }
    fs.root = tree_new_node(true, 0755);
    tree_load(fs.store, fs.root);
    char *arguments[] = {argv[0], (char *)(uintptr_t) "-o", (char *)(uintptr_t) "fsname=cutfs",
                         NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, arguments);
    struct fuse *fuse = fuse_new(&args, &operations, sizeof operations, NULL);
    if (fuse == NULL || fuse_mount(fuse, argv[2]) != 0) {
        fprintf(stderr, "cutfs: cannot mount %s\n", argv[2]);
        return EXIT_FAILURE;
    }
    if (fuse_set_signal_handlers(fuse_get_session(fuse)) != 0) {
        return EXIT_FAILURE;
    }
    fuse_loop(fuse);
    fuse_unmount(fuse);
    fuse_destroy(fuse);
    fuse_opt_free_args(&args);
    bool was_cut = fs.is_cut;
    cut();
    tree_store(fs.store, fs.root);
    puts(was_cut ? "cut" : "whole");
    return EXIT_SUCCESS;
}
