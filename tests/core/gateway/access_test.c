/* The rules for Origin, Host and administration, as tables: each row is one request. */
#include <stdio.h>

#include "matching/access.h"
#include "support/cunit_main.h"

static matching_access access_of(const char *bind_address)
{
    matching_access access;
    memset(&access, 0, sizeof access);
    snprintf(access.bind_address, sizeof access.bind_address, "%s", bind_address);
    return access;
}

static void allow_origin(matching_access *access, const char *origin)
{
    snprintf(access->allow_origins[access->allow_origin_count++], MATCHING_ACCESS_NAME_SIZE, "%s",
             origin);
}

static void allow_host(matching_access *access, const char *host)
{
    snprintf(access->allow_hosts[access->allow_host_count++], MATCHING_ACCESS_NAME_SIZE, "%s",
             host);
}

static void expect_level(const matching_access *access, const char *origin, const char *host,
                         matching_access_level expected)
{
    matching_access_level got = matching_access_check(access, origin, host);
    if (got != expected) {
        printf("origin %s, host %s: level %d, expected %d\n", origin ? origin : "-",
               host ? host : "-", (int)got, (int)expected);
    }
    CU_ASSERT_EQUAL(got, expected);
}

static void test_loopback_origins_get_in(void)
{
    static const char *const origins[] = {
        "http://localhost",
        "http://localhost:" /* an empty port is the default one */,
        "https://localhost",
        "http://localhost:3000",
        "HTTP://LocalHost:3000",
        "http://127.0.0.1",
        "http://127.0.0.1:8080",
        "https://127.8.9.10:1",
        "http://[::1]",
        "http://[::1]:65535",
        "http://[0:0:0:0:0:0:0:1]",
        "http://localhost.:80",
        "http://[::ffff:127.0.0.1]:80",
    };
    matching_access access = access_of("127.0.0.1");
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        expect_level(&access, origins[i], "localhost", MATCHING_ACCESS_FULL);
    }
}

static void test_foreign_origins_stay_out(void)
{
    static const char *const origins[] = {
        "",
        "null",
        "*",
        "localhost",
        "http://",
        "http:///",
        "http://example.com",
        "https://example.com:443",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://example.com:80@localhost",
        "http://localhost@example.com",
        "http://localhost:80@example.com",
        "http://localhost/",
        "http://localhost:8080/path",
        "http://localhost:65536",
        "http://localhost:99999999",
        "http://localhost:8x",
        "http://localhost http://example.com",
        "http://example.com http://localhost",
        "http://localhost,http://example.com",
        "http://local\thost",
        "http://localhost\\.example.com",
        "ftp://localhost",
        "file://",
        "chrome-extension://abcdef",
        "http://128.0.0.1",
        "http://127.1",
        "http://0x7f.0.0.1",
        "http://2130706433",
        "http://0.0.0.0",
        "http://[::2]",
        "http://[::1",
        "http://::1",
        "http://[::1]evil",
        "http://[localhost]",
        "http://[127.0.0.1]",
        "http://.localhost",
        "http://xlocalhost",
    };
    matching_access access = access_of("127.0.0.1");
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        expect_level(&access, origins[i], "localhost", MATCHING_ACCESS_DENIED);
    }
}

static void test_configured_origins_get_in(void)
{
    matching_access access = access_of("127.0.0.1");
    allow_origin(&access, "https://trade.example.com");
    allow_origin(&access, "http://[2001:db8::1]:3000");
    static const struct {
        const char *origin;
        matching_access_level level;
    } rows[] = {
        {"https://trade.example.com", MATCHING_ACCESS_FULL},
        {"https://TRADE.example.com", MATCHING_ACCESS_FULL},
        {"https://trade.example.com:443", MATCHING_ACCESS_FULL},
        {"http://[2001:db8::1]:3000", MATCHING_ACCESS_FULL},
        {"http://trade.example.com", MATCHING_ACCESS_DENIED},
        {"https://trade.example.com:444", MATCHING_ACCESS_DENIED},
        {"https://example.com", MATCHING_ACCESS_DENIED},
        {"https://a.trade.example.com", MATCHING_ACCESS_DENIED},
        {"https://trade.example.com.", MATCHING_ACCESS_DENIED},
        {"https://trade.example.comx", MATCHING_ACCESS_DENIED},
        {"http://[2001:db8::1]", MATCHING_ACCESS_DENIED},
        {"null", MATCHING_ACCESS_DENIED},
        {"http://localhost", MATCHING_ACCESS_FULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_level(&access, rows[i].origin, NULL, rows[i].level);
    }
}

static void test_null_origin_only_when_configured(void)
{
    matching_access access = access_of("127.0.0.1");
    expect_level(&access, "null", "localhost", MATCHING_ACCESS_DENIED);
    allow_origin(&access, "null");
    expect_level(&access, "null", "localhost", MATCHING_ACCESS_FULL);
}

static void test_star_is_for_market_data_only(void)
{
    matching_access access = access_of("127.0.0.1");
    allow_origin(&access, "*");
    allow_origin(&access, "https://ours.example.com");
    expect_level(&access, "https://example.com", "localhost", MATCHING_ACCESS_MARKET_DATA);
    expect_level(&access, "null", "localhost", MATCHING_ACCESS_MARKET_DATA);
    expect_level(&access, "https://ours.example.com", "localhost", MATCHING_ACCESS_FULL);
    expect_level(&access, "http://localhost:5173", "localhost", MATCHING_ACCESS_FULL);
    expect_level(&access, NULL, "localhost", MATCHING_ACCESS_FULL);
    expect_level(&access, "https://example.com", "example.com", MATCHING_ACCESS_DENIED);
}

static void test_hosts_of_ours(void)
{
    matching_access access = access_of("192.168.1.5");
    allow_host(&access, "exchange.example.com");
    allow_host(&access, "[2001:db8::7]");
    static const struct {
        const char *host;
        matching_access_level level;
    } rows[] = {
        {NULL, MATCHING_ACCESS_FULL},
        {"localhost", MATCHING_ACCESS_FULL},
        {"LOCALHOST:3030", MATCHING_ACCESS_FULL},
        {"localhost.", MATCHING_ACCESS_FULL},
        {"localhost.:3030", MATCHING_ACCESS_FULL},
        {"127.0.0.1:3030", MATCHING_ACCESS_FULL},
        {"127.1.2.3", MATCHING_ACCESS_FULL},
        {"[::1]", MATCHING_ACCESS_FULL},
        {"[::1]:3030", MATCHING_ACCESS_FULL},
        {"[0::1]:3030", MATCHING_ACCESS_FULL},
        {"192.168.1.5", MATCHING_ACCESS_FULL},
        {"192.168.1.5:3030", MATCHING_ACCESS_FULL},
        {"exchange.example.com", MATCHING_ACCESS_FULL},
        {"Exchange.Example.Com.:80", MATCHING_ACCESS_FULL},
        {"[2001:0db8:0:0::7]:80", MATCHING_ACCESS_FULL},
        {"", MATCHING_ACCESS_DENIED},
        {":3030", MATCHING_ACCESS_DENIED},
        {".", MATCHING_ACCESS_DENIED},
        {"example.com", MATCHING_ACCESS_DENIED},
        {"localhost.example.com", MATCHING_ACCESS_DENIED},
        {"localhost..", MATCHING_ACCESS_DENIED},
        {"127.0.0.1.example.com", MATCHING_ACCESS_DENIED},
        {"a.exchange.example.com", MATCHING_ACCESS_DENIED},
        {"192.168.1.6", MATCHING_ACCESS_DENIED},
        {"::1", MATCHING_ACCESS_DENIED},
        {"[::1", MATCHING_ACCESS_DENIED},
        {"[::1]3030", MATCHING_ACCESS_DENIED},
        {"[localhost]", MATCHING_ACCESS_DENIED},
        {"localhost:65536", MATCHING_ACCESS_DENIED},
        {"localhost:-1", MATCHING_ACCESS_DENIED},
        {"localhost:80:80", MATCHING_ACCESS_DENIED},
        {"localhost, example.com", MATCHING_ACCESS_DENIED},
        {"user@localhost", MATCHING_ACCESS_DENIED},
        {"localhost/", MATCHING_ACCESS_DENIED},
        {" localhost", MATCHING_ACCESS_DENIED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_level(&access, NULL, rows[i].host, rows[i].level);
    }
}

static void test_bound_to_all_addresses_any_numeric_host_is_ours(void)
{
    matching_access v4 = access_of("0.0.0.0");
    matching_access v6 = access_of("::");
    expect_level(&v4, NULL, "10.1.2.3:3030", MATCHING_ACCESS_FULL);
    expect_level(&v6, NULL, "[2001:db8::9]:3030", MATCHING_ACCESS_FULL);
    expect_level(&v6, NULL, "10.1.2.3", MATCHING_ACCESS_FULL);
    expect_level(&v4, NULL, "example.com", MATCHING_ACCESS_DENIED);
    expect_level(&v4, NULL, "10.1.2.3.example.com", MATCHING_ACCESS_DENIED);
}

static void test_origin_and_host_must_both_be_good(void)
{
    matching_access access = access_of("127.0.0.1");
    expect_level(&access, "http://localhost:1", "localhost:1", MATCHING_ACCESS_FULL);
    expect_level(&access, "http://localhost:1", "example.com", MATCHING_ACCESS_DENIED);
    expect_level(&access, "http://example.com", "localhost:1", MATCHING_ACCESS_DENIED);
}

static void test_is_loopback(void)
{
    static const struct {
        const char *address;
        bool loopback;
    } rows[] = {
        {"127.0.0.1", true},
        {"127.255.255.254", true},
        {"::1", true},
        {"[::1]", true},
        {"localhost", true},
        {"LocalHost", true},
        {"::ffff:127.0.0.1", true},
        {"0.0.0.0", false},
        {"::", false},
        {"128.0.0.1", false},
        {"192.168.0.1", false},
        {"", false},
        {"[]", false},
        {"127.0.0.1:80", false},
        {"127.0.0.1.example.com", false},
        {"::ffff:128.0.0.1", false},
        {"::127.0.0.1", false},
        {"127", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool got = matching_access_is_loopback(rows[i].address);
        if (got != rows[i].loopback) {
            printf("%s: %d\n", rows[i].address, got);
        }
        CU_ASSERT_EQUAL(got, rows[i].loopback);
    }
}

static void test_administration_without_token_is_for_loopback_peers(void)
{
    matching_access access = access_of("0.0.0.0");
    CU_ASSERT_TRUE(matching_access_admin(&access, NULL, "127.0.0.1"));
    CU_ASSERT_TRUE(matching_access_admin(&access, "Bearer anything", "::1"));
    CU_ASSERT_FALSE(matching_access_admin(&access, NULL, "192.168.1.9"));
    CU_ASSERT_FALSE(matching_access_admin(&access, "Bearer ", "192.168.1.9"));
    CU_ASSERT_FALSE(matching_access_admin(&access, NULL, NULL));
    CU_ASSERT_FALSE(matching_access_admin(&access, NULL, ""));
}

static void test_administration_with_token_needs_it_from_everywhere(void)
{
    matching_access access = access_of("127.0.0.1");
    snprintf(access.admin_token, sizeof access.admin_token, "s3cret-token");
    static const struct {
        const char *authorization;
        bool admitted;
    } rows[] = {
        {"Bearer s3cret-token", true},
        {"bearer s3cret-token", true},
        {"Bearer   s3cret-token", true},
        {NULL, false},
        {"", false},
        {"Bearer", false},
        {"Bearer ", false},
        {"s3cret-token", false},
        {"Basic s3cret-token", false},
        {"Bearer s3cret-toke", false},
        {"Bearer s3cret-tokenx", false},
        {"Bearer S3CRET-TOKEN", false},
        {"Bearer s3cret-token ", false},
        {"Bearers3cret-token", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(matching_access_admin(&access, rows[i].authorization, "127.0.0.1"),
                        rows[i].admitted);
        CU_ASSERT_EQUAL(matching_access_admin(&access, rows[i].authorization, "10.0.0.1"),
                        rows[i].admitted);
    }
    char longest[MATCHING_ACCESS_NAME_SIZE + 16] = "Bearer ";
    memset(longest + 7, 'x', MATCHING_ACCESS_NAME_SIZE);
    CU_ASSERT_FALSE(matching_access_admin(&access, longest, "127.0.0.1"));
}

MATCHING_TESTS(MATCHING_TEST(test_loopback_origins_get_in),
               MATCHING_TEST(test_foreign_origins_stay_out),
               MATCHING_TEST(test_configured_origins_get_in),
               MATCHING_TEST(test_null_origin_only_when_configured),
               MATCHING_TEST(test_star_is_for_market_data_only), MATCHING_TEST(test_hosts_of_ours),
               MATCHING_TEST(test_bound_to_all_addresses_any_numeric_host_is_ours),
               MATCHING_TEST(test_origin_and_host_must_both_be_good),
               MATCHING_TEST(test_is_loopback),
               MATCHING_TEST(test_administration_without_token_is_for_loopback_peers),
               MATCHING_TEST(test_administration_with_token_needs_it_from_everywhere))
