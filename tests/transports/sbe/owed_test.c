/* What is owed is kept by number, whatever order it is answered in. */
#include "owed.h"

#include "support/cunit_main.h"

static void store(sbe_owed *owed, uint64_t number)
{
    uint8_t message[SBE_MESSAGE_BYTES_MAX];
    size_t length = 16 + number % 70;
    memset(message, (int)number & 255, length);
    CU_ASSERT_TRUE(sbe_owed_store(owed, number, message, length));
}

static bool is_stored(const sbe_owed *owed, uint64_t number)
{
    const uint8_t *message;
    uint8_t length = sbe_owed_oldest(owed, &message);
    return length == 16 + number % 70 && message[0] == (number & 255) &&
           message[length - 1] == (number & 255);
}

static void test_answers_keep_their_numbers_while_it_grows(void)
{
    sbe_owed owed = {0};
    /* Numbers that do not begin at a multiple of the room, so that growing moves them apart. */
    for (unsigned i = 0; i < 37; i++) {
        CU_ASSERT_TRUE(sbe_owed_reserve(&owed));
        sbe_owed_add(&owed, SBE_OWED_NOTHING);
        owed.head++;
    }
    for (unsigned i = 0; i < 1000; i++) {
        CU_ASSERT_TRUE(sbe_owed_reserve(&owed));
        sbe_owed_add(&owed, SBE_OWED_NOTHING);
        if (i % 3 == 0) {
            store(&owed, owed.tail - 1);
        }
    }
    for (uint64_t number = owed.head; number < owed.tail; number++) {
        if ((number - 37) % 3 != 0) {
            store(&owed, number);
        }
    }
    CU_ASSERT_EQUAL(sbe_owed_count(&owed), 1000);
    for (; owed.head < owed.tail; owed.head++) {
        CU_ASSERT_TRUE(is_stored(&owed, owed.head));
    }
    sbe_owed_fini(&owed);
}

static void test_it_stops_at_its_most(void)
{
    sbe_owed owed = {0};
    size_t count = 0;
    for (; sbe_owed_reserve(&owed); count++) {
        sbe_owed_add(&owed, SBE_OWED_NOTHING);
    }
    CU_ASSERT_EQUAL(count, SBE_OWED_MAX);
    owed.head++;
    CU_ASSERT_TRUE(sbe_owed_reserve(&owed));
    sbe_owed_fini(&owed);
}

static void test_what_is_answered_in_order_is_never_stored(void)
{
    sbe_owed owed = {0};
    for (unsigned i = 0; i < 500; i++) {
        CU_ASSERT_TRUE(sbe_owed_reserve(&owed));
        sbe_owed_add(&owed, SBE_OWED_NOTHING);
        owed.head += i >= 100;
    }
    CU_ASSERT_PTR_NULL(owed.messages);
    sbe_owed_fini(&owed);
}

MATCHING_TESTS(MATCHING_TEST(test_answers_keep_their_numbers_while_it_grows),
               MATCHING_TEST(test_it_stops_at_its_most),
               MATCHING_TEST(test_what_is_answered_in_order_is_never_stored))
