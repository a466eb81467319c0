/* Snapshot files: what was written comes back; whatever else stands in the file is refused, naming
 * the file and where in it.
 */
#include "journal/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/journal/workshop.h"
#include "journal/checksum.h"
#include "journal/removal.h"
#include "support/cunit_main.h"

#define SEQUENCE UINT64_C(1234567)
#define HEAD sizeof(snapshot_file_head)
#define BLOCK sizeof(snapshot_block)
#define FULL ((size_t)SNAPSHOT_BLOCK_BYTES)

static workshop shop;
static char error[DATA_DIR_PATH_SIZE + 300];

static const snapshot_head about = {.sequence = SEQUENCE,
                                    .time_ns = 1700000000123456789,
                                    .previous = 0xA1B2C3D4,
                                    .shard_count = 2,
                                    .state_hash = 0x1122334455667788,
                                    .limits = {.instruments = 3,
                                               .shard = 1,
                                               .shard_bits = 1,
                                               .max_orders = 10,
                                               .max_levels = 11,
                                               .max_traders = 12,
                                               .retained_orders = 13}};

static unsigned char byte_of(size_t at)
{
    return (unsigned char)(at * 31 + at / 251 + at / 65521);
}

static void get_path(char path[DATA_DIR_PATH_SIZE])
{
    CU_ASSERT_TRUE_FATAL(data_dir_snapshot_path(&shop.dir, 1, SEQUENCE, path));
}

/* Writes so many bytes in pieces of changing size. */
static void write_snapshot(size_t size, unsigned pace_us)
{
    snapshot_writer *w = snapshot_create(&shop.dir, 1, &about, pace_us, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w);
    static unsigned char piece[100000];
    for (size_t at = 0, step = 1; at < size; step = step * 7 % 99991) {
        size_t now = size - at < step ? size - at : step;
        for (size_t i = 0; i < now; i++) {
            piece[i] = byte_of(at + i);
        }
        CU_ASSERT_TRUE(snapshot_write(w, piece, now));
        at += now;
    }
    CU_ASSERT_EQUAL(snapshot_finish(w, error, sizeof error), 0);
}

static bool same_limits(const matching_engine_limits *a, const matching_engine_limits *b)
{
    return a->instruments == b->instruments && a->shard == b->shard &&
           a->shard_bits == b->shard_bits && a->max_orders == b->max_orders &&
           a->max_levels == b->max_levels && a->max_traders == b->max_traders &&
           a->retained_orders == b->retained_orders;
}

/* Reads so many bytes and the end. False: `error` says why; nothing wrong was handed out. */
static bool read_snapshot(size_t size)
{
    snapshot_head head;
    snapshot_reader *r = snapshot_open(&shop.dir, 1, SEQUENCE, 0, &head, error, sizeof error);
    if (r == NULL) {
        return false;
    }
    CU_ASSERT_TRUE(same_limits(&head.limits, &about.limits));
    CU_ASSERT_TRUE(head.sequence == about.sequence && head.time_ns == about.time_ns &&
                   head.previous == about.previous && head.shard_count == about.shard_count &&
                   head.state_hash == about.state_hash);
    static unsigned char piece[100000];
    bool read = true, right = true;
    for (size_t at = 0, step = 3; at < size && read; step = step * 11 % 99991) {
        size_t now = size - at < step ? size - at : step;
        read = snapshot_read(r, piece, now);
        for (size_t i = 0; i < now && read; i++) {
            right = right && piece[i] == byte_of(at + i);
        }
        at += now;
    }
    CU_ASSERT_TRUE(right);
    bool whole = read && snapshot_at_end(r);
    uint64_t done, all;
    snapshot_progress(r, &done, &all);
    CU_ASSERT_TRUE(done <= all || !whole);
    CU_ASSERT_TRUE(!whole || done == all);
    CU_ASSERT_EQUAL(whole, snapshot_trouble(r)[0] == 0);
    snprintf(error, sizeof error, "%s", snapshot_trouble(r));
    snapshot_close(r);
    return whole;
}

static int verify(void)
{
    snapshot_head head;
    error[0] = 0;
    return snapshot_verify(&shop.dir, 1, SEQUENCE, 0, &head, error, sizeof error);
}

static int check_version(void)
{
    return snapshot_check_version(&shop.dir, 1, SEQUENCE, error, sizeof error);
}

/* Does the line in `error` name the file and a byte of it? *offset: which. */
static bool names_place(uint64_t *offset)
{
    char path[DATA_DIR_PATH_SIZE];
    get_path(path);
    size_t length = strlen(path);
    return strncmp(error, path, length) == 0 &&
           sscanf(error + length, ": byte %" SCNu64 ": ", offset) == 1;
}

/* Is the file refused, both when it is read and when it is verified, naming this byte? */
static bool is_refused_at(size_t size, uint64_t offset)
{
    uint64_t read_at = UINT64_MAX, verified_at = UINT64_MAX;
    bool read = read_snapshot(size), named = names_place(&read_at);
    bool refused = verify() == -EINVAL && names_place(&verified_at);
    if (!read && named && refused && read_at == offset && verified_at == offset) {
        return true;
    }
    printf("\n    wanted byte %" PRIu64 ", got %" PRIu64 " and %" PRIu64 ": %s", offset, read_at,
           verified_at, error);
    return false;
}

/* ---- The file as bytes ----------------------------------------------------------------------- */

static unsigned char *load_file(size_t *size)
{
    char path[DATA_DIR_PATH_SIZE];
    get_path(path);
    FILE *file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    unsigned char *bytes = malloc(8 * FULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    *size = fread(bytes, 1, 8 * FULL, file);
    fclose(file);
    return bytes;
}

static void store_file(const unsigned char *bytes, size_t size)
{
    char path[DATA_DIR_PATH_SIZE];
    get_path(path);
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, size, file), size);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

/* Which block's head stands where: all but the last are full. */
static size_t block_at(size_t number)
{
    return HEAD + number * (BLOCK + FULL);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_what_was_written_comes_back(void)
{
    static const size_t sizes[] = {0, 1, FULL - 1, FULL, FULL + 1, 2 * FULL, 3 * FULL + 5};
    workshop_begin(&shop, 2);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_snapshot(sizes[i], i == 4 ? 10 : 0); /* in place of the one before */
        CU_ASSERT_TRUE(read_snapshot(sizes[i]));
        CU_ASSERT_EQUAL(verify(), 0);
        size_t size;
        free(load_file(&size));
        CU_ASSERT_EQUAL(size, HEAD + sizes[i] + (sizes[i] + FULL - 1) / FULL * BLOCK + BLOCK);
    }
    workshop_end(&shop);
}

/* The head and the first block as docs/journal.md has them; checksums by the tables. */
static void test_the_layout_is_pinned(void)
{
    workshop_begin(&shop, 2);
    write_snapshot(3, 0);
    size_t size;
    unsigned char *file = load_file(&size);
    CU_ASSERT_EQUAL_FATAL(size, 128 + 24 + 3 + 24);
    uint32_t u32[8];
    uint64_t u64[12];
    memcpy(u32, file, sizeof u32);
    memcpy(u64, file + 32, sizeof u64);
    CU_ASSERT_EQUAL(memcmp(file, "MTCHSNAP", 8), 0);
    CU_ASSERT_EQUAL(u32[2], 1);          /* version */
    CU_ASSERT_EQUAL(u32[4], 1);          /* rules */
    CU_ASSERT_EQUAL(u32[5], 1);          /* shard */
    CU_ASSERT_EQUAL(u32[6], 2);          /* of so many */
    CU_ASSERT_EQUAL(u32[7], 0xA1B2C3D4); /* the record before what follows */
    CU_ASSERT_EQUAL(u64[0], SEQUENCE);
    CU_ASSERT_EQUAL(u64[1], 1700000000123456789);
    CU_ASSERT_EQUAL(u64[2], 0x1122334455667788);
    CU_ASSERT_TRUE(u64[3] > UINT64_C(1700000000000000000)); /* made when */
    CU_ASSERT_EQUAL(u64[4], UINT64_C(1) << 32 | 3);         /* shard bits, instruments */
    CU_ASSERT_TRUE(u64[5] == 10 && u64[6] == 11 && u64[7] == 12 && u64[8] == 13);
    CU_ASSERT_TRUE(u64[9] == 0 && u64[10] == 0 && u64[11] == 0);
    memset(file + 12, 0, 4);
    CU_ASSERT_EQUAL(checksum_crc32c_tables(0, file, 128), u32[3]);
    uint32_t block[6];
    for (unsigned i = 0; i < 2; i++) {
        unsigned char *at = file + 128 + 27 * i;
        memcpy(block, at, sizeof block);
        CU_ASSERT_EQUAL(block[0], i == 0 ? 3 : 0); /* length */
        CU_ASSERT_EQUAL(block[2], i);              /* number */
        CU_ASSERT_EQUAL(block[3], u32[3]);         /* whose */
        CU_ASSERT_TRUE(block[4] == 3 * i && block[5] == 0);
        memset(at + 4, 0, 4);
        CU_ASSERT_EQUAL(checksum_crc32c_tables(0, at, i == 0 ? 27 : 24), block[1]);
    }
    CU_ASSERT_TRUE(file[152] == byte_of(0) && file[153] == byte_of(1) && file[154] == byte_of(2));
    free(file);
    workshop_end(&shop);
}

/* Where the reader must say that something is wrong, if byte `at` is: in the part that holds it. */
static uint64_t part_of(size_t at, size_t bytes)
{
    return at < HEAD ? 0 : at < HEAD + BLOCK + bytes ? HEAD : HEAD + BLOCK + bytes;
}

static void test_a_flipped_bit_is_refused(void)
{
    enum { BYTES = 60 };
    workshop_begin(&shop, 2);
    write_snapshot(BYTES, 0);
    size_t size;
    unsigned char *file = load_file(&size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        file[bit / 8] ^= (unsigned char)(1u << bit % 8);
        store_file(file, size);
        uint64_t offset = part_of(bit / 8, BYTES);
        CU_ASSERT_EQUAL(check_version(), 0); /* no flipped bit is a newer version */
        /* A length that is too long leads beyond the end of the file. */
        bool is_length = bit / 8 >= HEAD && (bit / 8 - HEAD) % (BLOCK + BYTES) < 4;
        uint64_t said = UINT64_MAX;
        if (is_length) {
            CU_ASSERT_FALSE(read_snapshot(BYTES));
            CU_ASSERT_TRUE(names_place(&said) && said >= HEAD && said <= size);
            CU_ASSERT_EQUAL(verify(), -EINVAL);
        } else {
            CU_ASSERT_TRUE(is_refused_at(BYTES, offset));
        }
        file[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(file);
    workshop_end(&shop);
}

static void test_a_cut_file_is_refused(void)
{
    workshop_begin(&shop, 2);
    write_snapshot(60, 0);
    size_t whole;
    unsigned char *file = load_file(&whole);
    for (size_t size = 0; size < whole; size++) {
        store_file(file, size);
        CU_ASSERT_TRUE(is_refused_at(60, size));
    }
    memset(file + whole, 0, 5);
    store_file(file, whole + 1); /* and one that goes on */
    CU_ASSERT_TRUE(is_refused_at(60, whole));
    free(file);
    write_snapshot(2 * FULL + 9, 0); /* cut between blocks */
    file = load_file(&whole);
    store_file(file, block_at(1));
    CU_ASSERT_TRUE(is_refused_at(2 * FULL + 9, block_at(1)));
    store_file(file, block_at(2) + BLOCK + 9); /* only the end is missing */
    CU_ASSERT_TRUE(is_refused_at(2 * FULL + 9, block_at(2) + BLOCK + 9));
    free(file);
    workshop_end(&shop);
}

/* Whole blocks, each right in itself, but not where it belongs. */
static void test_blocks_out_of_place_are_refused(void)
{
    size_t bytes = 3 * FULL + 100, step = BLOCK + FULL, size;
    workshop_begin(&shop, 2);
    write_snapshot(bytes, 0);
    unsigned char *file = load_file(&size), *other = malloc(size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(other);
    memcpy(other, file, size); /* two change places */
    memcpy(other + block_at(1), file + block_at(2), step);
    memcpy(other + block_at(2), file + block_at(1), step);
    store_file(other, size);
    CU_ASSERT_TRUE(is_refused_at(bytes, block_at(1)));
    memcpy(other, file, size); /* one is missing */
    memmove(other + block_at(1), other + block_at(2), size - block_at(2));
    store_file(other, size - step);
    CU_ASSERT_TRUE(is_refused_at(bytes, block_at(1)));
    write_snapshot(bytes, 0); /* one is of another snapshot, made at another time */
    free(other);
    other = load_file(&size);
    memcpy(other + block_at(2), file + block_at(2), step);
    store_file(other, size);
    CU_ASSERT_TRUE(is_refused_at(bytes, block_at(2)));
    free(file);
    free(other);
    workshop_end(&shop);
}

static void test_more_or_less_than_is_asked_for_is_refused(void)
{
    workshop_begin(&shop, 2);
    write_snapshot(60, 0);
    uint64_t offset;
    CU_ASSERT_FALSE(read_snapshot(59));
    CU_ASSERT_TRUE(names_place(&offset) && strstr(error, "more than its own counts say"));
    CU_ASSERT_FALSE(read_snapshot(61));
    CU_ASSERT_TRUE(names_place(&offset) && strstr(error, "less than its own counts say"));
    CU_ASSERT_EQUAL(verify(), 0); /* which looks at checksums only */
    write_snapshot(2 * FULL, 0);
    CU_ASSERT_FALSE(read_snapshot(FULL));
    CU_ASSERT_TRUE(names_place(&offset) && offset == block_at(1));
    workshop_end(&shop);
}

/* Changes 4 bytes of the head and gives it a right checksum. */
static void change_head(size_t offset, uint32_t value)
{
    size_t size;
    unsigned char *file = load_file(&size);
    memcpy(file + offset, &value, sizeof value);
    memset(file + 12, 0, 4);
    uint32_t checksum = checksum_crc32c(0, file, HEAD);
    memcpy(file + 12, &checksum, sizeof checksum);
    store_file(file, size);
    free(file);
}

/* Does whatever looks at the file say that it is newer, and where in it that stands? */
static void expect_newer(uint64_t offset, const char *text)
{
    uint64_t said;
    CU_ASSERT_FALSE(read_snapshot(60));
    CU_ASSERT_TRUE(names_place(&said) && said == offset && strstr(error, text) != NULL);
    CU_ASSERT_EQUAL(verify(), -EPROTO);
    CU_ASSERT_TRUE(names_place(&said) && said == offset && strstr(error, text) != NULL);
    error[0] = 0;
    CU_ASSERT_EQUAL(check_version(), -EPROTO);
    CU_ASSERT_TRUE(names_place(&said) && said == offset && strstr(error, text) != NULL);
}

static int check_versions(uint64_t until)
{
    return snapshot_check_versions(&shop.dir, 1, until, error, sizeof error);
}

static void test_a_newer_version_is_refused_by_name(void)
{
    workshop_begin(&shop, 2);
    CU_ASSERT_EQUAL(check_version(), 0); /* there is none */
    write_snapshot(60, 0);
    CU_ASSERT_EQUAL(check_versions(0), 0);
    change_head(16, 9);
    expect_newer(16, "of version 9 of the matching rules; this program reads up to 1: use the "
                     "newer program, or move the file away");
    change_head(8, 2);
    expect_newer(8, "of version 2; this program reads up to 1: use the newer program, or move the "
                    "file away");
    /* What else a newer one has is its own affair: other fields, and another length. */
    change_head(offsetof(snapshot_file_head, sequence), 5);
    expect_newer(8, "of version 2;");
    CU_ASSERT_EQUAL(check_versions(0), -EPROTO);
    CU_ASSERT_EQUAL(check_versions(SEQUENCE), -EPROTO);
    CU_ASSERT_EQUAL(check_versions(SEQUENCE - 1), 0); /* not one that is looked at */
    change_head(8, 0);
    CU_ASSERT_TRUE(is_refused_at(60, 0)); /* there never was one of that version */
    workshop_end(&shop);
}

static void test_a_file_under_anothers_name_is_refused(void)
{
    static const size_t fields[] = {offsetof(snapshot_file_head, shard),
                                    offsetof(snapshot_file_head, shard_count),
                                    offsetof(snapshot_file_head, sequence)};
    workshop_begin(&shop, 2);
    for (size_t i = 0; i < 3; i++) {
        write_snapshot(60, 0);
        change_head(fields[i], 77);
        CU_ASSERT_TRUE(is_refused_at(60, offsetof(snapshot_file_head, shard)));
        CU_ASSERT_PTR_NOT_NULL(strstr(error, "77"));
    }
    workshop_end(&shop);
}

static void test_a_missing_file_is_told(void)
{
    workshop_begin(&shop, 2);
    CU_ASSERT_FALSE(read_snapshot(0));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, strerror(ENOENT)));
    CU_ASSERT_EQUAL(verify(), -ENOENT);
    workshop_end(&shop);
}

/* How many files there are in the shard's folder with such an end. */
static long count_files(const char *suffix)
{
    uint64_t *sequences = NULL;
    long count = data_dir_list(&shop.dir, 1, suffix, &sequences);
    free(sequences);
    return count;
}

/* In the room of one that is superfluous, smaller or larger: what stood there is not seen. */
static void test_the_room_of_another_is_used(void)
{
    const size_t sizes[] = {1, FULL - 1, 3 * FULL};
    char path[DATA_DIR_PATH_SIZE], old[DATA_DIR_PATH_SIZE];
    struct stat before, after;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        workshop_begin(&shop, 2);
        write_snapshot(2 * FULL + 77, 0);
        get_path(path);
        CU_ASSERT_TRUE(data_dir_snapshot_path(&shop.dir, 1, 5, old));
        CU_ASSERT_EQUAL(rename(path, old), 0);
        CU_ASSERT_EQUAL(stat(old, &before), 0);
        CU_ASSERT_EQUAL(removal_rename(old), 0);
        removal_give_back(&shop.dir, 1, true, NULL);
        write_snapshot(sizes[i], 1);
        CU_ASSERT_EQUAL(stat(path, &after), 0);
        CU_ASSERT_EQUAL(after.st_ino, before.st_ino);
        CU_ASSERT_TRUE(read_snapshot(sizes[i]));
        workshop_end(&shop);
    }
}

static void test_an_unfinished_one_is_no_snapshot(void)
{
    workshop_begin(&shop, 2);
    snapshot_writer *w = snapshot_create(&shop.dir, 1, &about, 0, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w);
    CU_ASSERT_TRUE(snapshot_write(w, shop.parent, sizeof shop.parent));
    CU_ASSERT_EQUAL(count_files(DATA_DIR_SNAPSHOT), 0);
    CU_ASSERT_EQUAL(count_files(DATA_DIR_SNAPSHOT ".tmp"), 1);
    snapshot_abandon(w);
    CU_ASSERT_EQUAL(count_files(DATA_DIR_SNAPSHOT ".tmp"), 0);
    write_snapshot(9, 0);
    CU_ASSERT_EQUAL(count_files(DATA_DIR_SNAPSHOT), 1);
    CU_ASSERT_EQUAL(count_files(DATA_DIR_SNAPSHOT ".tmp"), 0);
    workshop_end(&shop);
}

/* The file goes away under it, and the folder. */
static void test_a_failure_leaves_no_file_and_says_what_failed(void)
{
    char folder[DATA_DIR_PATH_SIZE], aside[DATA_DIR_PATH_SIZE + 8], file[DATA_DIR_PATH_SIZE + 8];
    workshop_begin(&shop, 2);
    snapshot_writer *w = snapshot_create(&shop.dir, 1, &about, 0, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w);
    CU_ASSERT_TRUE(data_dir_snapshot_path(&shop.dir, 1, SEQUENCE, folder));
    snprintf(file, sizeof file, "%s.tmp", folder);
    CU_ASSERT_EQUAL(unlink(file), 0);
    CU_ASSERT_EQUAL(snapshot_finish(w, error, sizeof error), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "rename"));
    w = snapshot_create(&shop.dir, 1, &about, 0, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w);
    CU_ASSERT_TRUE(data_dir_shard_path(&shop.dir, 1, folder));
    snprintf(aside, sizeof aside, "%s.aside", folder);
    CU_ASSERT_EQUAL(rename(folder, aside), 0);
    CU_ASSERT_EQUAL(snapshot_finish(w, error, sizeof error), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "fsync of its folder"));
    CU_ASSERT_PTR_NULL(snapshot_create(&shop.dir, 1, &about, 0, error, sizeof error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, strerror(ENOENT)));
    CU_ASSERT_EQUAL(rename(aside, folder), 0);
    CU_ASSERT_EQUAL(count_files(DATA_DIR_SNAPSHOT), 0);
    workshop_end(&shop);
}

MATCHING_TESTS(MATCHING_TEST(test_what_was_written_comes_back),
               MATCHING_TEST(test_the_layout_is_pinned),
               MATCHING_TEST(test_a_flipped_bit_is_refused),
               MATCHING_TEST(test_a_cut_file_is_refused),
               MATCHING_TEST(test_blocks_out_of_place_are_refused),
               MATCHING_TEST(test_more_or_less_than_is_asked_for_is_refused),
               MATCHING_TEST(test_a_newer_version_is_refused_by_name),
               MATCHING_TEST(test_a_file_under_anothers_name_is_refused),
               MATCHING_TEST(test_a_missing_file_is_told),
               MATCHING_TEST(test_the_room_of_another_is_used),
               MATCHING_TEST(test_an_unfinished_one_is_no_snapshot),
               MATCHING_TEST(test_a_failure_leaves_no_file_and_says_what_failed))
