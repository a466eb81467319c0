/* Tests of the log: how lines look, which are written, and that nobody who logs waits for whoever
 * reads.
 */
#define _GNU_SOURCE /* pipe2 */
#include "matching/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/line.h"
#include "support/cunit_main.h"

#define TIME_NS UINT64_C(1767323045678999999) /* 2026-01-02 03:04:05.678… UTC */

/* ---- Lines ----------------------------------------------------------------------------------- */

static char made[MATCHING_LOG_LINE_MAX + 1];

static const char *make(bool as_json, const char *message, const matching_log_field *fields,
                        size_t count)
{
    size_t length = log_line_make(made, as_json, TIME_NS, MATCHING_LOG_WARN, "websocket", message,
                                  fields, count);
    CU_ASSERT_FATAL(length <= MATCHING_LOG_LINE_MAX);
    made[length] = '\0';
    return made;
}

static void test_text_and_json(void)
{
    const matching_log_field fields[] = {{.name = "id", .text = "a-b"},
                                         {.name = "trader", .text = ""},
                                         {.name = "why", .text = "not \"so\" fast"},
                                         {.name = "code", .number = 1008}};
    CU_ASSERT_STRING_EQUAL(make(false, "connection ended", fields, 4),
                           "2026-01-02T03:04:05.678Z warn websocket: connection ended id=a-b "
                           "why=\"not \\\"so\\\" fast\" code=1008\n");
    CU_ASSERT_STRING_EQUAL(make(true, "connection ended", fields, 4),
                           "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\","
                           "\"module\":\"websocket\",\"message\":\"connection ended\","
                           "\"id\":\"a-b\",\"why\":\"not \\\"so\\\" fast\",\"code\":1008}\n");
}

static void test_nothing_breaks_a_line_in_two(void)
{
    const matching_log_field field = {.name = "x", .text = "a\nb\x7f"};
    CU_ASSERT_STRING_EQUAL(make(false, "one\ntwo\\", &field, 1),
                           "2026-01-02T03:04:05.678Z warn websocket: one\\u000atwo\\\\ "
                           "x=\"a\\u000ab\\u007f\"\n");
}

static void test_long_lines_are_cut_and_json_is_closed(void)
{
    static char message[2 * MATCHING_LOG_LINE_MAX];
    const matching_log_field field = {.name = "n", .number = 1};
    for (size_t length = 1; length < sizeof message; length++) {
        memset(message, 0, sizeof message);
        for (size_t i = 0; i + 2 <= length; i += 2) {
            memcpy(message + i, "\xc3\xa4", 2);
        }
        make(true, message, &field, 1);
        size_t end = strlen(made);
        CU_ASSERT_FATAL(strcmp(made + end - 2, "}\n") == 0);
        CU_ASSERT_FATAL(strstr(made, "\xc3\"") == NULL);
        /* Either the whole message, or no field behind it. */
        bool whole = strstr(made, ",\"n\":1}") != NULL;
        CU_ASSERT_FATAL(whole || end > MATCHING_LOG_LINE_MAX - 12);
        CU_ASSERT_FATAL(!whole || strstr(made, message) != NULL);
    }
}

/* ---- The thread ------------------------------------------------------------------------------ */

static int ends[2];

static void open_pipe(void)
{
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
}

/* All that is in the pipe until its writer has closed. */
static char *read_all(void)
{
    static char text[4 << 20];
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], text + length, sizeof text - 1 - length)) > 0) {
        length += (size_t)got;
    }
    text[length] = '\0';
    close(ends[0]);
    return text;
}

static unsigned count(const char *text, const char *wanted)
{
    unsigned found = 0;
    for (; (text = strstr(text, wanted)) != NULL; text++) {
        found++;
    }
    return found;
}

static void start(const char *levels, bool as_json, const char *path)
{
    matching_log_options options = {.as_json = as_json, .fd = ends[1], .path = path};
    CU_ASSERT_TRUE_FATAL(matching_log_levels_parse(levels, &options.levels));
    CU_ASSERT_EQUAL_FATAL(matching_log_start(&options), 0);
}

static void test_lines_below_the_level_are_not_written(void)
{
    open_pipe();
    matching_log(MATCHING_LOG_ERROR, "test", "before the start");
    CU_ASSERT_FALSE(matching_log_wants(MATCHING_LOG_ERROR, "test"));
    start("warn", false, NULL);
    CU_ASSERT_FALSE(matching_log_wants(MATCHING_LOG_INFO, "test"));
    CU_ASSERT_TRUE(matching_log_wants(MATCHING_LOG_WARN, "test"));
    matching_log(MATCHING_LOG_DEBUG, "test", "debug");
    matching_log(MATCHING_LOG_INFO, "test", "info");
    matching_log(MATCHING_LOG_WARN, "test", "number %d", 7);
    matching_log(MATCHING_LOG_ERROR, "test", "the last");
    matching_log_stop();
    matching_log_stop();
    matching_log(MATCHING_LOG_ERROR, "test", "after the stop");
    close(ends[1]);
    const char *text = read_all();
    CU_ASSERT_EQUAL(count(text, "\n"), 2);
    const char *first = strstr(text, " warn test: number 7\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NOT_NULL(strstr(first, " error test: the last\n"));
}

enum { THREADS = 3, LINES = 5000 };

static void *log_much(void *context)
{
    for (int i = 0; i < LINES; i++) {
        matching_log(MATCHING_LOG_INFO, context, "line %d.", i);
    }
    return NULL;
}

static void *read_on(void *unused)
{
    (void)unused;
    return read_all();
}

/* Lines of several threads, more than the ring holds: each is written whole or counted as dropped,
 * and those of one thread stay in order. */
static void test_each_line_is_written_or_counted(void)
{
    static char names[THREADS][8] = {"one", "two", "three"};
    pthread_t threads[THREADS], reader;
    void *result;
    open_pipe();
    start("info", false, NULL);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&reader, NULL, read_on, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, log_much, names[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    matching_log_stop();
    close(ends[1]);
    pthread_join(reader, &result);
    unsigned written = 0, dropped = 0;
    int last[THREADS] = {-1, -1, -1};
    for (char *line = strtok(result, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char module[16];
        int number;
        unsigned long lost;
        if (sscanf(line, "%*s info %15[a-z]: line %d.", module, &number) == 2) {
            int of = module[0] == 'o' ? 0 : module[1] == 'w' ? 1 : 2;
            CU_ASSERT_TRUE(number > last[of]);
            last[of] = number;
            written++;
        } else if (sscanf(line, "%*s warn log: %*[^=]=%lu", &lost) == 1) {
            dropped += (unsigned)lost;
        } else {
            CU_FAIL("a line that nobody wrote");
        }
    }
    CU_ASSERT_EQUAL(written + dropped, THREADS * LINES);
    CU_ASSERT_TRUE(written > 0);
}

/* Nobody reads the pipe: this test ends, or the logging of a line has blocked. */
static void test_nobody_reads_and_nobody_waits(void)
{
    static char name[] = "test";
    open_pipe();
    start("info", true, NULL);
    log_much(name);
    matching_log_stop();
    close(ends[1]);
    unsigned written = count(read_all(), "\n");
    CU_ASSERT_TRUE(written > 0 && written < LINES); /* what a pipe holds */
    CU_ASSERT_TRUE(matching_log_dropped() > 0);
}

static void test_a_module_may_have_a_level_of_its_own(void)
{
    open_pipe();
    start("warn,websocket=debug,http=error", false, NULL);
    CU_ASSERT_TRUE(matching_log_wants(MATCHING_LOG_DEBUG, "websocket"));
    CU_ASSERT_FALSE(matching_log_wants(MATCHING_LOG_WARN, "http"));
    matching_log(MATCHING_LOG_DEBUG, "websocket", "one");
    matching_log(MATCHING_LOG_WARN, "http", "not this");
    matching_log(MATCHING_LOG_ERROR, "http", "two");
    matching_log(MATCHING_LOG_INFO, "sbe", "nor this");
    matching_log(MATCHING_LOG_WARN, "nobody knows it", "three");
    matching_log_stop();
    close(ends[1]);
    const char *text = read_all();
    CU_ASSERT_EQUAL(count(text, "\n"), 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " debug websocket: one\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " error http: two\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " warn nobody knows it: three\n"));
}

static void test_words_for_levels(void)
{
    static const char *const bad[] = {"",
                                      "loud",
                                      "INFO",
                                      "info,",
                                      ",info",
                                      "info,,warn",
                                      "info,warn",
                                      "webs=info",
                                      "sbe=",
                                      "sbe=info=warn",
                                      "=info",
                                      "sbe=info,sbe=warn",
                                      "info sbe=warn"};
    matching_log_levels levels, before;
    memset(&before, 7, sizeof before);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        levels = before;
        CU_ASSERT_FALSE(matching_log_levels_parse(bad[i], &levels));
        CU_ASSERT_EQUAL(memcmp(&levels, &before, sizeof levels), 0);
    }
    CU_ASSERT_TRUE_FATAL(matching_log_levels_parse("sbe=error", &levels));
    CU_ASSERT_EQUAL(matching_log_level_of(&levels, "sbe"), MATCHING_LOG_ERROR);
    CU_ASSERT_EQUAL(matching_log_level_of(&levels, "http"), MATCHING_LOG_INFO);
    CU_ASSERT_EQUAL(matching_log_level_of(&levels, "unheard of"), MATCHING_LOG_INFO);
    CU_ASSERT_TRUE_FATAL(matching_log_levels_parse("log=debug,error,core=warn", &levels));
    CU_ASSERT_EQUAL(matching_log_level_of(&levels, "log"), MATCHING_LOG_DEBUG);
    CU_ASSERT_EQUAL(matching_log_level_of(&levels, "core"), MATCHING_LOG_WARN);
    CU_ASSERT_EQUAL(matching_log_level_of(&levels, "http"), MATCHING_LOG_ERROR);
}

static const char *text_of(const char *path)
{
    static char text[1 << 14];
    FILE *file = fopen(path, "re");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    text[length] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

/* Waits until a line is in the file: the writer has got to it. */
static void await_line(const char *path, const char *wanted)
{
    for (int i = 0; i < 5000 && strstr(text_of(path), wanted) == NULL; i++) {
        usleep(1000);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(text_of(path), wanted));
}

static void test_a_file_is_appended_to_and_let_go_when_it_was_renamed(void)
{
    char folder[] = "/tmp/matching-log-XXXXXX", path[64], old[64];
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(old, sizeof old, "%s/log.1", folder);
    matching_log_reopen(); /* nothing runs */
    for (int i = 1; i <= 2; i++) {
        start("info", false, path);
        matching_log(MATCHING_LOG_INFO, "test", "start %d", i);
        matching_log_stop();
    }
    CU_ASSERT_EQUAL(count(text_of(path), " info test: start "), 2);
    start("info", false, path);
    CU_ASSERT_EQUAL_FATAL(rename(path, old), 0);
    matching_log(MATCHING_LOG_INFO, "test", "to the old one");
    await_line(old, "to the old one\n");
    matching_log_reopen();
    matching_log(MATCHING_LOG_INFO, "test", "to the new one");
    await_line(path, "to the new one\n");
    CU_ASSERT_PTR_NULL(strstr(text_of(old), "new one"));
    /* A folder stands in its way. */
    CU_ASSERT_EQUAL_FATAL(rename(path, old), 0);
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    matching_log_reopen();
    matching_log(MATCHING_LOG_INFO, "test", "it goes on");
    await_line(old, "cannot be opened again, the old one stays error=\"Is a directory\"\n");
    await_line(old, "it goes on\n");
    matching_log_stop();
    matching_log_options options = {.path = path};
    CU_ASSERT_EQUAL(matching_log_start(&options), -EISDIR);
    CU_ASSERT_EQUAL(rmdir(path) + unlink(old) + rmdir(folder), 0);
}

/* More lines than its file takes at once are on their way when it is renamed: all but the one in
 * the writer's hand go to the new one. */
static void test_a_file_is_let_go_while_lines_keep_coming(void)
{
    char folder[] = "/tmp/matching-log-XXXXXX", path[64], old[64];
    int waiting = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(old, sizeof old, "%s/log.1", folder);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    ends[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(ends[0] >= 0);
    int size = fcntl(ends[0], F_SETPIPE_SZ, 4096);
    CU_ASSERT_TRUE_FATAL(size > 0 && size < 200 * 40);
    start("info", false, path);
    for (int i = 0; i < 200; i++) {
        matching_log(MATCHING_LOG_INFO, "test", "line %d.", i);
    }
    for (int i = 0; i < 5000 && waiting == 0; i++) { /* the first is there, the next ones wait */
        CU_ASSERT_EQUAL_FATAL(ioctl(ends[0], FIONREAD, &waiting), 0);
        usleep(1000);
    }
    CU_ASSERT_EQUAL_FATAL(rename(path, old), 0);
    matching_log_reopen();
    CU_ASSERT_EQUAL_FATAL(fcntl(ends[0], F_SETFL, 0), 0);
    const char *text = read_all(); /* to its end: the writer has let it go */
    CU_ASSERT_TRUE(count(text, "\n") * 40 <= (unsigned)size + 40);
    CU_ASSERT_PTR_NULL(strstr(text, "line 199."));
    await_line(path, " info test: line 199.\n");
    matching_log_stop();
    CU_ASSERT_EQUAL(unlink(path) + unlink(old) + rmdir(folder), 0);
}

/* How large files may become; stands for a disk that has so much room. */
static void set_room(rlim_t bytes)
{
    struct rlimit limit;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_what_a_full_disk_does_not_take_is_counted_and_told(void)
{
    char folder[] = "/tmp/matching-log-XXXXXX", path[64];
    struct rlimit before;
    uint64_t dropped = matching_log_dropped();
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    snprintf(path, sizeof path, "%s/log", folder);
    start("info", false, path);
    matching_log(MATCHING_LOG_INFO, "test", "there is room");
    await_line(path, "there is room\n");
    set_room(strlen(text_of(path)) + 30);
    matching_log(MATCHING_LOG_INFO, "test", "of this a part fits");
    matching_log(MATCHING_LOG_INFO, "test", "of this nothing");
    for (int i = 0; i < 5000 && matching_log_dropped() < dropped + 2; i++) {
        usleep(1000);
    }
    set_room(before.rlim_cur);
    CU_ASSERT_EQUAL(matching_log_dropped(), dropped + 2);
    matching_log(MATCHING_LOG_INFO, "test", "room again");
    await_line(path, "they could not be written lines=2 error=\"File too large\"\n");
    matching_log_stop();
    const char *line = strstr(text_of(path), " info test: room again\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(line); /* and it begins where a line begins */
    CU_ASSERT_EQUAL(*(line - strlen("2026-01-02T03:04:05.678Z") - 1), '\n');
    CU_ASSERT_EQUAL(matching_log_dropped(), dropped + 2);
    CU_ASSERT_EQUAL(unlink(path) + rmdir(folder), 0);
}

MATCHING_TESTS(MATCHING_TEST(test_text_and_json), MATCHING_TEST(test_nothing_breaks_a_line_in_two),
               MATCHING_TEST(test_long_lines_are_cut_and_json_is_closed),
               MATCHING_TEST(test_lines_below_the_level_are_not_written),
               MATCHING_TEST(test_each_line_is_written_or_counted),
               MATCHING_TEST(test_nobody_reads_and_nobody_waits),
               MATCHING_TEST(test_a_module_may_have_a_level_of_its_own),
               MATCHING_TEST(test_words_for_levels),
               MATCHING_TEST(test_a_file_is_appended_to_and_let_go_when_it_was_renamed),
               MATCHING_TEST(test_a_file_is_let_go_while_lines_keep_coming),
               MATCHING_TEST(test_what_a_full_disk_does_not_take_is_counted_and_told))
