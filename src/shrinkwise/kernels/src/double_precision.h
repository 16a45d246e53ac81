/* The parameters of softmax_rows.h for double precision, REAL to TAYLOR; include it just before that file. */
#define REAL double
#define BITS int64_t
#define UNSIGNED uint64_t
#define NAME(function) function##_double
#define LEAST (-708.0)
#define MAGIC 6755399441055744.0 /* 1.5 * 2^52 */
#define LOG2_HIGH 6.93147180369123816490e-01 /* its last 21 bits are zero: k times it is exact */
#define LOG2_LOW 1.90821492927058770002e-10
#define MANTISSA 52
#define ONE ((int64_t)1023 << 52)
#define TAYLOR(r)                                                                                                          \
    (1.0 + r * (1.0 + r * (1.0 / 2 + r * (1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120 + r * (1.0 / 720 + r * (1.0 / 5040     \
     + r * (1.0 / 40320 + r * (1.0 / 362880 + r * (1.0 / 3628800 + r * (1.0 / 39916800 + r * (1.0 / 479001600)))))))))))))
