#include "model/growth.h"
#include <stdlib.h>
#include <string.h>

/* Ten points are the fewest for which the normal approximation of Mann-Kendall's S is used. */
#define POINTS_NEEDED 10
/* Neighbouring points depend on each other, which lifts S above what independent ones would give;
 * 3 sigma instead of the usual 2 makes room for that. */
#define SIGNIFICANT_SIGMA 3.0
#define FALL_SHARE_MAX 0.5
#define ABOVE_PEAK_SHARE 0.1
#define HORIZON_SECONDS (7 * 86400.0)
#define WINDOW_SECONDS ((double)GROWTH_POINTS * 60)

#define PAIRS_MAX (GROWTH_POINTS * (GROWTH_POINTS - 1) / 2)

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Median slope of all pairs; `*ret_sigma` is Mann-Kendall's S in standard deviations. Ties are not
 * taken out of the variance, which only makes the test stricter. */
static double median_slope(const struct growth *g, double *ret_sigma)
{
    double slopes[PAIRS_MAX] = {0}, n = (double)g->count, s = 0;
    size_t pairs = 0;

    for (size_t i = 0; i < g->count; i++) {
        for (size_t j = i + 1; j < g->count; j++) {
            double rise = g->points[j].level - g->points[i].level;

            s += (rise > 0) - (rise < 0);
            slopes[pairs++] = rise / (g->points[j].seconds - g->points[i].seconds);
        }
    }
    *ret_sigma = s / sqrt(n * (n - 1) * (2 * n + 5) / 18);
    qsort(slopes, pairs, sizeof(slopes[0]), compare);
    return (slopes[(pairs - 1) / 2] + slopes[pairs / 2]) / 2;
}

static double largest_fall(const struct growth *g)
{
    double peak = g->points[0].level, fall = 0;

    for (size_t i = 1; i < g->count; i++) {
        peak = fmax(peak, g->points[i].level);
        fall = fmax(fall, peak - g->points[i].level);
    }
    return fall;
}

static bool above_earlier_peaks(const struct growth *g, uint64_t hour, double gained)
{
    double level = g->points[g->count - 1].level - ABOVE_PEAK_SHARE * gained;

    for (size_t i = 0; i < GROWTH_PEAK_HOURS; i++)
        if (g->peaks[i].level >= level && hour - g->peaks[i].hour < GROWTH_PEAK_HOURS)
            return false;
    return true;
}

static struct reading slope_now(const struct growth *g, uint64_t hour)
{
    double last = g->points[g->count - 1].level, sigma, slope, gained;

    if (g->count < POINTS_NEEDED)
        return reading_missing("needs ten minutes");
    /* Most levels do not move: that is known without sorting anything. */
    if (last <= g->points[0].level || last <= g->points[g->count - 1 - g->count / 3].level)
        return reading_missing("not growing");
    slope = median_slope(g, &sigma);
    gained = slope * (g->points[g->count - 1].seconds - g->points[0].seconds);
    if (sigma < SIGNIFICANT_SIGMA || slope <= 0)
        return reading_missing("not growing");
    if (largest_fall(g) > FALL_SHARE_MAX * gained)
        return reading_missing("growing and falling by turns");
    if (!above_earlier_peaks(g, hour, gained))
        return reading_missing("growing, but not above what it was in the last two days");
    return reading_of(slope);
}

static void drop_oldest(struct growth *g)
{
    uint64_t hour = (uint64_t)(g->points[0].seconds / 3600);
    size_t i = hour % GROWTH_PEAK_HOURS;

    if (g->peaks[i].hour != hour || g->points[0].level > g->peaks[i].level)
        g->peaks[i].level = g->points[0].level;
    g->peaks[i].hour = hour;
    g->count--;
    memmove(&g->points[0], &g->points[1], g->count * sizeof(g->points[0]));
}

void growth_add(struct growth *g, uint64_t now_ns, double level)
{
    double seconds = (double)now_ns / 1e9;

    if (now_ns < g->next_ns)
        return;
    g->next_ns = now_ns + GROWTH_EVERY_NS;
    /* Points may be older than the window when the host slept. */
    while (g->count == GROWTH_POINTS ||
           (g->count > 0 && seconds - g->points[0].seconds > WINDOW_SECONDS))
        drop_oldest(g);
    g->points[g->count].seconds = seconds;
    g->points[g->count].level = level;
    g->count++;
    g->per_second = slope_now(g, (uint64_t)(seconds / 3600));
}

struct reading growth_seconds_until(const struct growth *g, double room)
{
    double seconds;

    if (g->count == 0)
        return reading_missing("needs ten minutes");
    if (!reading_known(g->per_second))
        return g->per_second;
    seconds = room > 0 ? room / g->per_second.value : 0;
    if (seconds > HORIZON_SECONDS)
        return reading_missing("at the pace of the last hour, not within a week");
    return reading_of(seconds);
}
