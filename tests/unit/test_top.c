#include "base/top.h"
#include "program.h"
#include <stdlib.h>
#include <string.h>

#define MANY 200
#define FEW 7

struct item {
    int rank, offered;
};

static bool before(const void *a, const void *b)
{
    return ((const struct item *)a)->rank > ((const struct item *)b)->rank;
}

static int by_rank(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return x->rank != y->rank ? y->rank - x->rank : x->offered - y->offered;
}

static void the_first_of_many_are_those_of_a_sort(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 50; seed++) {
        struct item all[MANY], top[FEW + 1] = {0};
        size_t count = 0;

        srand(seed);
        top[FEW].rank = -1;
        for (int i = 0; i < MANY; i++) {
            /* Many are equal. */
            all[i] = (struct item){.rank = rand() % 50, .offered = i};
            top_offer(top, &count, FEW, sizeof(top[0]), &all[i], before);
            assert_int_equal(count, i < FEW ? i + 1 : FEW);
        }
        qsort(all, MANY, sizeof(all[0]), by_rank);
        assert_memory_equal(top, all, FEW * sizeof(top[0]));
        assert_int_equal(top[FEW].rank, -1);
    }
}

static void where_there_is_no_room_nothing_is_kept(void **state)
{
    struct item item = {.rank = 1};
    size_t count = 0;

    (void)state;
    top_offer(NULL, &count, 0, sizeof(item), &item, before);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_many_are_those_of_a_sort),
        cmocka_unit_test(where_there_is_no_room_nothing_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
