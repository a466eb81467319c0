/* What the progress of long work looks like, on a terminal and elsewhere. The clock is the
 * test's. */
#include "cmd/progress.h"

#include <stdlib.h>
#include <string.h>

#include "support/cunit_main.h"

#define MS 1000000ull

static uint64_t now;
static char *text;
static size_t size, seen;
static FILE *out;
static progress it;

static uint64_t test_clock(void)
{
    return now;
}

static void open_progress(bool terminal, unsigned columns)
{
    now = 5000 * MS;
    seen = 0;
    out = open_memstream(&text, &size);
    progress_init(&it, out);
    CU_ASSERT_FALSE(it.terminal); /* a stream in memory is none */
    it.terminal = terminal;
    it.columns = columns;
    it.now_ns = test_clock;
}

static void close_progress(void)
{
    fclose(out);
    free(text);
}

/* What was written since the last call. */
static const char *written(void)
{
    fflush(out);
    const char *from = text + seen;
    seen = size;
    return from;
}

static size_t count(const char *in, char wanted)
{
    size_t found = 0;
    for (; *in != 0; in++) {
        found += *in == wanted;
    }
    return found;
}

static void test_lines_come_at_most_each_second_and_at_the_end(void)
{
    open_progress(false, 80);
    progress_show(&it, "journal", 0, 1000);
    for (unsigned i = 1; i <= 25; i++) {
        now += 100 * MS;
        progress_show(&it, "journal", i * 10, 1000);
    }
    CU_ASSERT_STRING_EQUAL(written(), "journal  10 %  1.0 s\njournal  20 %  2.0 s\n");
    progress_show(&it, "journal", 1000, 1000);
    CU_ASSERT_STRING_EQUAL(written(), "");
    progress_end(&it);
    CU_ASSERT_STRING_EQUAL(written(), "journal 100 %  2.5 s\n");
    progress_end(&it);
    CU_ASSERT_STRING_EQUAL(written(), "");
    close_progress();
}

static void test_the_end_is_not_told_twice(void)
{
    open_progress(false, 80);
    progress_show(&it, "journal", 0, 2);
    now += 2000 * MS;
    progress_show(&it, "journal", 2, 2);
    progress_end(&it);
    CU_ASSERT_STRING_EQUAL(written(), "journal 100 %  2.0 s\n");
    progress_show(&it, "journal", 2, 2);
    progress_end(&it);
    CU_ASSERT_STRING_EQUAL(written(), "journal 100 %  0.0 s\n");
    close_progress();
}

static void test_short_work_shows_its_end_only(void)
{
    open_progress(false, 80);
    progress_end(&it); /* nothing was begun */
    for (unsigned i = 0; i <= 10; i++) {
        progress_show(&it, "snapshot", i, 10);
    }
    progress_end(&it);
    CU_ASSERT_STRING_EQUAL(written(), "snapshot 100 %  0.0 s\n");
    close_progress();
}

static void test_other_work_ends_the_one_before_and_begins_its_own_time(void)
{
    open_progress(false, 80);
    progress_show(&it, "shard 0", 0, 10);
    now += 400 * MS;
    progress_show(&it, "shard 0", 5, 10);
    progress_show(&it, "shard 1", 0, 0);
    CU_ASSERT_STRING_EQUAL(written(), "shard 0 100 %  0.4 s\n");
    now += 700 * MS;
    progress_show(&it, "shard 1", 1, 4);
    progress_end(&it); /* it failed */
    CU_ASSERT_STRING_EQUAL(written(), "shard 1  25 %  0.7 s\n");
    progress_show(&it, "shard 2", 1, 4);
    progress_done(&it);
    CU_ASSERT_STRING_EQUAL(written(), "shard 2 100 %  0.0 s\n");
    close_progress();
}

static void test_a_bar_is_redrawn_in_place_and_its_last_state_stays(void)
{
    open_progress(true, 80);
    progress_show(&it, "journal", 0, 4);
    CU_ASSERT_STRING_EQUAL(
        written(), "\rjournal [........................................]   0 %  0.0 s\033[K");
    now += 100 * MS;
    progress_show(&it, "journal", 1, 4);
    CU_ASSERT_STRING_EQUAL(
        written(), "\rjournal [##########..............................]  25 %  0.1 s\033[K");
    now += 100 * MS;
    progress_show(&it, "journal", 4, 4);
    progress_end(&it);
    const char *rest = written();
    CU_ASSERT_EQUAL(count(rest, '\n'), 1);
    CU_ASSERT_STRING_EQUAL(strrchr(rest, '\r'),
                           "\rjournal [########################################] 100 %  0.2 s\033[K"
                           "\n");
    close_progress();
}

static void test_a_bar_is_drawn_at_most_ten_times_a_second(void)
{
    open_progress(true, 80);
    for (unsigned i = 0; i < 2000; i++) { /* two seconds */
        progress_show(&it, "journal", i, 2000);
        now += MS;
    }
    CU_ASSERT_EQUAL(count(written(), '\r'), 20);
    progress_end(&it);
    close_progress();
}

static void test_a_bar_never_fills_a_line_whatever_the_terminal_s_width(void)
{
    for (unsigned columns = 1; columns < 120; columns++) {
        open_progress(true, columns);
        progress_show(&it, "shard 12: journal", 1, 2);
        const char *line = written();
        CU_ASSERT_EQUAL(line[0], '\r');
        size_t width = strcspn(line + 1, "\033");
        CU_ASSERT_TRUE(width < columns || (columns == 1 && width == 1));
        /* A bar only where it says something. */
        CU_ASSERT_EQUAL(memchr(line, '[', width) != NULL,
                        columns >=
                            strlen("shard 12: journal [] ") + strlen(" 50 %  0.0 s") + 10 + 1);
        close_progress();
    }
}

static void test_any_amounts_give_a_share_of_at_most_all(void)
{
    open_progress(false, 80);
    static const uint64_t amounts[][2] = {
        {UINT64_MAX / 2, UINT64_MAX}, {UINT64_MAX - 1, UINT64_MAX}, {7, 5}, {0, 0}, {0, 5}};
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        progress_show(&it, "a", amounts[i][0], amounts[i][1]);
        progress_end(&it);
    }
    CU_ASSERT_STRING_EQUAL(
        written(),
        "a  49 %  0.0 s\na  99 %  0.0 s\na 100 %  0.0 s\na 100 %  0.0 s\na   0 %  0.0 s\n");
    close_progress();
}

static void test_a_name_that_is_too_long_is_cut_and_still_the_same_one(void)
{
    char name[2 * PROGRESS_WHAT_SIZE];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    for (int terminal = 0; terminal < 2; terminal++) {
        open_progress(terminal != 0, 500);
        progress_show(&it, name, 1, 2);
        progress_show(&it, name, 2, 2);
        progress_end(&it);
        CU_ASSERT_EQUAL(count(written(), '\n'), 1);
        close_progress();
    }
}

MATCHING_TESTS(MATCHING_TEST(test_lines_come_at_most_each_second_and_at_the_end),
               MATCHING_TEST(test_the_end_is_not_told_twice),
               MATCHING_TEST(test_short_work_shows_its_end_only),
               MATCHING_TEST(test_other_work_ends_the_one_before_and_begins_its_own_time),
               MATCHING_TEST(test_a_bar_is_redrawn_in_place_and_its_last_state_stays),
               MATCHING_TEST(test_a_bar_is_drawn_at_most_ten_times_a_second),
               MATCHING_TEST(test_a_bar_never_fills_a_line_whatever_the_terminal_s_width),
               MATCHING_TEST(test_any_amounts_give_a_share_of_at_most_all),
               MATCHING_TEST(test_a_name_that_is_too_long_is_cut_and_still_the_same_one))
