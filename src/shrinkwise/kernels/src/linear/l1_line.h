/* The minimum of a quadratic + sum a |w| along a line: what the Newton steps of the path and of the model search. */
#ifndef SHRINKWISE_L1_LINE_H
#define SHRINKWISE_L1_LINE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    double at;     /* how far along the line a coordinate is zero */
    int64_t index; /* which one of d and support */
} crossing;

static int by_place(const void *x, const void *y)
{
    const double d = ((const crossing *)x)->at - ((const crossing *)y)->at;
    return d < 0.0 ? -1 : d > 0.0;
}

/* How far to go along d: the slope is `slope` < 0 at the start and grows by `curvature` a unit, and by 2 a |d| at each of the
 * `count` crossings, which are sorted here. Where the minimum is at a crossing, *stop is its index, else -1. INFINITY when
 * nothing ends a line without curvature. */
static double minimum_along(int64_t count, crossing *crossings, const int64_t *support, const double *a, const double *d,
                            double slope, double curvature, int64_t *stop)
{
    *stop = -1;
    qsort(crossings, count, sizeof(crossing), by_place);
    for (int64_t c = 0; c < count; c++) {
        const double at = crossings[c].at;
        const int64_t k = crossings[c].index;
        if (curvature > 0.0 && slope + at * curvature >= 0.0)
            break;
        slope += 2.0 * a[support[k]] * fabs(d[k]);
        if (slope + at * curvature >= 0.0) {
            *stop = k;
            return at;
        }
    }
    return curvature > 0.0 ? -slope / curvature : INFINITY;
}

#endif
