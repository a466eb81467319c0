/* A bar or lines. Invariant: between two calls the cursor stands at the start of a line, unless
 * `drawn` says that it stands behind a bar.
 *
 * Not here: what the work is, and when it has failed; whoever works says that in a line of its own.
 */
#define _GNU_SOURCE
#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define REDRAW_NS (SECOND_NS / 10)
#define LINE_NS SECOND_NS
#define BAR_MAX 40u
#define BAR_MIN 10u

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

void progress_init(progress *p, FILE *out)
{
    const char *kind = getenv("TERM");
    struct winsize size;
    *p = (progress){.out = out, .columns = 80, .now_ns = monotonic_ns};
    p->terminal = isatty(fileno(out)) && kind != NULL && strcmp(kind, "dumb") != 0;
    if (p->terminal && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        p->columns = size.ws_col;
    }
}

/* How many of `parts` are done, never more than there are. */
static unsigned share(const progress *p, unsigned parts)
{
    if (p->done >= p->all) {
        return parts;
    }
    return (unsigned)((unsigned __int128)p->done * parts / p->all);
}

/* Percent done and the seconds that it took so far, as in " 42 %  1.3 s". */
static void print_figures(const progress *p, uint64_t now, char *out, size_t size)
{
    uint64_t tenths = (now - p->began_ns) / (SECOND_NS / 10);
    snprintf(out, size, "%3u %%  %llu.%llu s", share(p, 100), (unsigned long long)(tenths / 10),
             (unsigned long long)(tenths % 10));
}

/* One that is wider than the terminal would wrap and could not be redrawn: the bar is left out
 * where there is little room, and what is still too long is cut. */
static void draw_bar(progress *p, uint64_t now)
{
    char figures[48], bar[BAR_MAX + 4] = "", line[PROGRESS_WHAT_SIZE + sizeof figures + sizeof bar];
    print_figures(p, now, figures, sizeof figures);
    size_t used = strlen(p->what) + strlen(figures) + strlen(" [] ");
    unsigned room = p->columns > used + 1 ? (unsigned)(p->columns - used - 1) : 0;
    unsigned width = room > BAR_MAX ? BAR_MAX : room;
    if (width >= BAR_MIN) {
        unsigned full = share(p, width);
        bar[0] = '[';
        memset(bar + 1, '#', full);
        memset(bar + 1 + full, '.', width - full);
        memcpy(bar + 1 + width, "] ", 3);
    }
    snprintf(line, sizeof line, "%s %s%s", p->what, bar, figures);
    fprintf(p->out, "\r%.*s\033[K", (int)(p->columns > 1 ? p->columns - 1 : 1), line);
    fflush(p->out);
    p->drawn = true;
}

static void print_line(progress *p, uint64_t now)
{
    char figures[48];
    print_figures(p, now, figures, sizeof figures);
    fprintf(p->out, "%s %s\n", p->what, figures);
    fflush(p->out);
}

static void show_now(progress *p, uint64_t now)
{
    if (p->terminal) {
        draw_bar(p, now);
    } else {
        print_line(p, now);
    }
    p->shown_ns = now;
    p->was_full = p->done >= p->all;
}

static void begin(progress *p, const char *what)
{
    snprintf(p->what, sizeof p->what, "%s", what);
    p->began_ns = p->now_ns();
    /* A terminal shows at once that something happens; lines are for what takes its time. */
    p->shown_ns = p->began_ns;
    p->was_full = false;
    if (p->terminal) {
        draw_bar(p, p->began_ns);
    }
}

void progress_show(progress *p, const char *what, uint64_t done, uint64_t all)
{
    bool is_new = strncmp(p->what, what, sizeof p->what - 1) != 0;
    if (is_new) {
        progress_done(p);
    }
    p->done = done;
    p->all = all;
    if (is_new) {
        begin(p, what);
        return;
    }
    uint64_t now = p->now_ns();
    if (now - p->shown_ns >= (p->terminal ? REDRAW_NS : LINE_NS)) {
        show_now(p, now);
    }
}

void progress_end(progress *p)
{
    if (p->what[0] == 0) {
        return;
    }
    if (p->terminal || !p->was_full) {
        show_now(p, p->now_ns());
    }
    if (p->drawn) {
        fputc('\n', p->out);
        fflush(p->out);
        p->drawn = false;
    }
    p->what[0] = 0;
}

void progress_done(progress *p)
{
    p->done = p->all;
    progress_end(p);
}
