/* A data directory that holds every segment that ever was: those that the child kept when they were
 * removed (copies), and symbolic links to those that are still in use. No snapshots: so reading it
 * is a full replay. */
#ifndef MATCHING_TESTS_CRASH_SEGMENTS_H
#define MATCHING_TESTS_CRASH_SEGMENTS_H

/* Makes `all`, with the shards' folders. */
void segments_create(const char *all, unsigned shards);

/* Brings `all` up to date with what is in `folder` now. */
void segments_gather(const char *folder, const char *all, unsigned shards);

/* Removes a folder and all that is in it, links but not what they lead to. */
void segments_remove(const char *all);

#endif
