/* The program as a test's child: started on free ports of 127.0.0.1 with a configuration of its
 * own, and ended by its process id.
 *
 * Thread: one at a time for each server. All functions have deadlines; when one is missed the child
 * is killed and the reason printed on stderr.
 */
#ifndef MATCHING_TESTS_SERVER_H
#define MATCHING_TESTS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#define SERVER_DOORS_MAX 8
#define SERVER_DEADLINE_MS 30000

typedef struct server {
    pid_t pid;
    int out;         /* its stdout */
    char folder[64]; /* temporary, holds its configuration file */
    unsigned door_count;
    struct {
        char name[32];
        char address[80];
    } doors[SERVER_DOORS_MAX];
} server;

/* Runs `binary doors --in-memory --config FILE`, FILE holding this TOML text, and waits for
 * `ready`. Ports that the text does not set are free ones. False: it could not, nothing is left
 * behind. */
bool server_start(server *s, const char *binary, const char *doors, const char *config);

/* "127.0.0.1:40123" of a door; NULL if it is not open. */
const char *server_address(const server *s, const char *door);

/* SIGTERM, and waits. The exit code; -1: it had to be killed or died of a signal. */
int server_stop(server *s);

#endif
