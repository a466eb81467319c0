/* Tests of what requests and connections are counted by: keys, rates, connections of an address,
 * request ids.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "peer_key.h"
#include "peers.h"
#include "rates.h"
#include "request_id.h"
#include "support/cunit_main.h"

#define MS UINT64_C(1000000)

static matching_peer_key key_of(const char *text)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return matching_peer_key_of((const struct sockaddr *)(const void *)&four);
    CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return matching_peer_key_of((const struct sockaddr *)(const void *)&six);
}

static bool same(const char *one, const char *other)
{
    matching_peer_key left = key_of(one);
    matching_peer_key right = key_of(other);
    return memcmp(&left, &right, sizeof left) == 0;
}

static void test_an_address_is_a_key(void)
{
    CU_ASSERT_TRUE(same("192.0.2.1", "192.0.2.1"));
    CU_ASSERT_FALSE(same("192.0.2.1", "192.0.2.2"));
    CU_ASSERT_TRUE(same("192.0.2.1", "::ffff:192.0.2.1"));
    CU_ASSERT_FALSE(same("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    CU_ASSERT_TRUE(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
    CU_ASSERT_FALSE(same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    CU_ASSERT_FALSE(same("::1", "127.0.0.1"));
    matching_peer_key none = matching_peer_key_of(NULL);
    matching_peer_key unconnected = matching_peer_key_of_socket(-1);
    CU_ASSERT_EQUAL(memcmp(&none, &unconnected, sizeof none), 0);
}

/* The first and the last vector of the authors' test: key 00..0f, messages of 0 and of 15 bytes. */
static void test_the_hash_is_siphash(void)
{
    const uint64_t secret[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t message[15];
    for (uint8_t i = 0; i < sizeof message; i++)
        message[i] = i;
    CU_ASSERT_EQUAL(matching_secret_hash(secret, message, 0), UINT64_C(0x726fdb47dd0e0e31));
    CU_ASSERT_EQUAL(matching_secret_hash(secret, message, 15), UINT64_C(0xa129ca6149be45e5));
}

static unsigned taken(matching_rates *rates, const char *key, unsigned tries, uint64_t now_ns)
{
    unsigned count = 0;
    for (unsigned i = 0; i < tries; i++)
        count += matching_rates_take(rates, key, strlen(key), now_ns);
    return count;
}

static void test_a_second_s_worth_may_come_at_once_and_no_more(void)
{
    matching_rates *rates = matching_rates_create(10);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rates);
    uint64_t now_ns = 12345 * MS;
    CU_ASSERT_EQUAL(taken(rates, "a", 100, now_ns), 10);
    CU_ASSERT_EQUAL(taken(rates, "b", 100, now_ns), 10); /* everybody for himself */
    CU_ASSERT_EQUAL(taken(rates, "a", 100, now_ns + 99 * MS), 0);
    CU_ASSERT_EQUAL(taken(rates, "a", 100, now_ns + 100 * MS), 1);
    CU_ASSERT_EQUAL(taken(rates, "a", 100, now_ns + 350 * MS), 2);
    CU_ASSERT_EQUAL(taken(rates, "a", 100, now_ns + 5000 * MS), 10); /* nothing is saved up */
    matching_rates_destroy(rates);
}

static void test_the_rate_holds_over_time(void)
{
    matching_rates *rates = matching_rates_create(7);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rates);
    unsigned count = 0;
    for (uint64_t ms = 0; ms < 60000; ms++)
        count += taken(rates, "a", 3, ms * MS);
    CU_ASSERT_TRUE(count >= 7 * 60 && count <= 7 * 61);
    matching_rates_destroy(rates);
}

static void test_no_rates_no_limit(void)
{
    CU_ASSERT_EQUAL(taken(NULL, "a", 1000, 0), 1000);
}

static matching_command command_of(matching_command_type type, const char *trader, size_t length)
{
    matching_command command = {.type = type};
    memcpy(command.trader_id, trader, length);
    return command;
}

/* Who names nobody, or adds an instrument, is nobody's share. */
static void test_a_trader_is_who_is_named(void)
{
    char full[MATCHING_TRADER_MAX], other[MATCHING_TRADER_MAX];
    memset(full, 'a', sizeof full); /* no NUL behind it */
    memset(other, 'a', sizeof other);
    other[sizeof other - 1] = 'b';
    matching_command unnamed = command_of(MATCHING_CANCEL, "", 0);
    matching_command addition = command_of(MATCHING_ADD_INSTRUMENT, full, sizeof full);
    matching_command one = command_of(MATCHING_PLACE, full, sizeof full);
    matching_command two = command_of(MATCHING_CANCEL, other, sizeof other);
    matching_command short_one = command_of(MATCHING_PLACE, full, sizeof full - 1);
    matching_rates *rates = matching_rates_create(1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rates);
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(matching_rates_take_trader(rates, &unnamed, MS));
        CU_ASSERT_TRUE(matching_rates_take_trader(rates, &addition, MS));
    }
    one.client_order_id[0] = 'x'; /* what stands behind the name is no part of it */
    CU_ASSERT_TRUE(matching_rates_take_trader(rates, &one, MS));
    one.client_order_id[0] = 'y';
    CU_ASSERT_FALSE(matching_rates_take_trader(rates, &one, MS));
    CU_ASSERT_FALSE(matching_rates_take(rates, full, sizeof full, MS));
    CU_ASSERT_TRUE(matching_rates_take_trader(rates, &two, MS));
    CU_ASSERT_TRUE(matching_rates_take_trader(rates, &short_one, MS));
    CU_ASSERT_TRUE(matching_rates_take_trader(rates, &addition, MS));
    CU_ASSERT_TRUE(matching_rates_take_trader(NULL, &one, MS));
    matching_rates_destroy(rates);
}

/* More keys than there is room for: each is still held to its rate while it is the busier one. */
static void test_many_keys_do_not_free_a_busy_one(void)
{
    matching_rates *rates = matching_rates_create(1000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rates);
    CU_ASSERT_EQUAL(taken(rates, "busy", 1000, MS), 1000);
    for (unsigned i = 0; i < 300000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        CU_ASSERT_TRUE_FATAL(matching_rates_take(rates, key, strlen(key), MS));
    }
    CU_ASSERT_FALSE(matching_rates_take(rates, "busy", 4, MS));
    matching_rates_destroy(rates);
}

static void test_connections_of_an_address_are_counted(void)
{
    matching_peers peers;
    matching_peers_init(&peers, 2);
    matching_peer_key one = key_of("192.0.2.1");
    matching_peer_key other = key_of("192.0.2.2");
    CU_ASSERT_EQUAL(matching_peers_enter(&peers, &one), MATCHING_PEERS_WELCOME);
    CU_ASSERT_EQUAL(matching_peers_enter(&peers, &one), MATCHING_PEERS_WELCOME);
    for (int i = 0; i < MATCHING_PEERS_SURPLUS; i++)
        CU_ASSERT_EQUAL(matching_peers_enter(&peers, &one), MATCHING_PEERS_SURPLUS_TOLD);
    CU_ASSERT_EQUAL(matching_peers_enter(&peers, &one), MATCHING_PEERS_CUT);
    CU_ASSERT_EQUAL(matching_peers_enter(&peers, &other), MATCHING_PEERS_WELCOME);
    for (int i = 0; i < MATCHING_PEERS_SURPLUS + 1; i++)
        matching_peers_leave(&peers, &one);
    CU_ASSERT_EQUAL(matching_peers_enter(&peers, &one), MATCHING_PEERS_WELCOME);
    CU_ASSERT_EQUAL(matching_peers_enter(&peers, &one), MATCHING_PEERS_SURPLUS_TOLD);
    matching_peers_fini(&peers);
}

/* Comings and goings of many addresses, compared with plain counts. */
static void test_counts_survive_comings_and_goings(void)
{
    enum { ADDRESSES = 500, TURNS = 50000, LIMIT = 3 };
    static unsigned counts[ADDRESSES];
    matching_peers peers;
    uint64_t random = 1;
    matching_peers_init(&peers, LIMIT);
    for (int turn = 0; turn < TURNS; turn++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        unsigned who = (unsigned)(random >> 33) % ADDRESSES;
        bool comes = random >> 63;
        char text[20];
        snprintf(text, sizeof text, "10.0.%u.%u", who / 256, who % 256);
        matching_peer_key key = key_of(text);
        if (comes) {
            matching_peers_verdict verdict = matching_peers_enter(&peers, &key);
            matching_peers_verdict wanted = counts[who] < LIMIT ? MATCHING_PEERS_WELCOME
                                            : counts[who] < LIMIT + MATCHING_PEERS_SURPLUS
                                                ? MATCHING_PEERS_SURPLUS_TOLD
                                                : MATCHING_PEERS_CUT;
            CU_ASSERT_EQUAL_FATAL(verdict, wanted);
            counts[who] += verdict != MATCHING_PEERS_CUT;
        } else if (counts[who] > 0) {
            matching_peers_leave(&peers, &key);
            counts[who]--;
        }
    }
    size_t connected = 0;
    for (int i = 0; i < ADDRESSES; i++)
        connected += counts[i] > 0;
    CU_ASSERT_EQUAL(peers.used, connected);
    matching_peers_fini(&peers);
}

static void test_without_a_limit_nothing_is_counted(void)
{
    matching_peers peers;
    matching_peer_key key = key_of("192.0.2.1");
    matching_peers_init(&peers, 0);
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(matching_peers_enter(&peers, &key), MATCHING_PEERS_WELCOME);
    matching_peers_leave(&peers, &key);
    CU_ASSERT_PTR_NULL(peers.entries);
    matching_peers_fini(&peers);
}

static void test_request_ids(void)
{
    static const struct {
        const char *id;
        bool good;
    } cases[] = {
        {"a", true},
        {"0af7651916cd43dd8448eb211c80319c", true},
        {"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", true},
        {"1234567890123456789012345678901234567890123456789012345678901234", true},
        {"12345678901234567890123456789012345678901234567890123456789012345", false},
        {"", false},
        {"a b", false},
        {"a\tb", false},
        {"a\r\nSet-Cookie: b", false},
        {"\x7f", false},
        {"\xc3\xa4", false},
        {NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(matching_request_id_is_good(cases[i].id), cases[i].good);
}

MATCHING_TESTS(MATCHING_TEST(test_an_address_is_a_key), MATCHING_TEST(test_the_hash_is_siphash),
               MATCHING_TEST(test_a_second_s_worth_may_come_at_once_and_no_more),
               MATCHING_TEST(test_the_rate_holds_over_time), MATCHING_TEST(test_no_rates_no_limit),
               MATCHING_TEST(test_a_trader_is_who_is_named),
               MATCHING_TEST(test_many_keys_do_not_free_a_busy_one),
               MATCHING_TEST(test_connections_of_an_address_are_counted),
               MATCHING_TEST(test_counts_survive_comings_and_goings),
               MATCHING_TEST(test_without_a_limit_nothing_is_counted),
               MATCHING_TEST(test_request_ids))
