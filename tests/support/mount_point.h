/* Folders that cannot be renamed, as if something were mounted there: the test's renameat2 stands
 * in the place of the library's.
 */
#ifndef MATCHING_TESTS_MOUNT_POINT_H
#define MATCHING_TESTS_MOUNT_POINT_H

#include <stdbool.h>

extern bool folder_is_mount_point; /* from now on every one; false at first */

#endif
