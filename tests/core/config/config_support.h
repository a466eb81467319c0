/* What the configuration's tests share: files made of text, environment, comparison. */
#ifndef MATCHING_TESTS_CONFIG_SUPPORT_H
#define MATCHING_TESTS_CONFIG_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "matching/config.h"
#include "support/cunit_main.h"

#define CONFIG_TEST_FILE "matching.toml"

/* Writes a file of this name into a new folder, which becomes the working directory; so that
 * messages name the file as a user would see it. Removed by config_test_file_remove. */
static char config_test_folder[64];

static inline void config_test_file_write(const char *text, size_t length)
{
    strcpy(config_test_folder, "/tmp/matching-config-XXXXXX");
    if (!mkdtemp(config_test_folder) || chdir(config_test_folder) != 0)
        abort();
    FILE *file = fopen(CONFIG_TEST_FILE, "w");
    if (!file || fwrite(text, 1, length, file) != length || fclose(file) != 0)
        abort();
}

static inline void config_test_file_remove(void)
{
    unlink(CONFIG_TEST_FILE);
    if (chdir("/") != 0 || rmdir(config_test_folder) != 0)
        abort();
}

/* Loads the text as a file over what config holds. */
static inline int config_test_load(matching_config *config, const char *text, size_t length,
                                   char error[MATCHING_CONFIG_ERROR_SIZE])
{
    error[0] = '\0';
    config_test_file_write(text, length);
    int status =
        matching_config_load_file(config, CONFIG_TEST_FILE, error, MATCHING_CONFIG_ERROR_SIZE);
    config_test_file_remove();
    return status;
}

static inline void config_test_clear_environment(void)
{
    static const char *const names[] = {"WS_PORT",  "PORT",          "RPC_PORT",
                                        "SBE_PORT", "SOCKETIO_PORT", "MATCHING_LOG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
}

static inline void config_test_expect_text(const char *got, const char *expected)
{
    if (strcmp(got, expected) != 0) {
        printf("\nexpected: %s\n     got: %s\n", expected, got);
        CU_FAIL("another text was expected");
    } else {
        CU_PASS("text");
    }
}

#endif
