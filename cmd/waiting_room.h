/* The waiting room: while the shards are recovered no door is open, but whoever asks at a door's
 * port is told so, with 503 and how far it is. It is gone before the doors open.
 */
#ifndef MATCHING_WAITING_ROOM_H
#define MATCHING_WAITING_ROOM_H

#include "matching/config.h"

typedef struct waiting_room waiting_room;

/* Listens on the ports of all doors that are enabled, but for those with the port 0, on a thread of
 * its own. NULL: on none of them; why the door itself will say. Main thread, as close. */
waiting_room *waiting_room_open(const matching_config *config);

/* How far it is: this shard, what is done with it (static), and the part that is done, 0 ... 1. Any
 * thread; NULL does nothing. */
void waiting_room_tell(waiting_room *room, unsigned shard, const char *what, double fraction);

/* Lets the ports go. NULL does nothing. */
void waiting_room_close(waiting_room *room);

#endif
