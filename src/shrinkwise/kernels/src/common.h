/* What every kernel shares: export marks, copies of a function per instruction set (the loader picks by CPUID), no-alias loops. */
#ifndef SHRINKWISE_COMMON_H
#define SHRINKWISE_COMMON_H

#if defined(_MSC_VER)
#define SW_EXPORT __declspec(dllexport)
#define SW_INLINE static __forceinline
#else
#define SW_EXPORT __attribute__((visibility("default")))
#define SW_INLINE static inline __attribute__((always_inline))
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define SW_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SW_CLONES
#endif

#if defined(__GNUC__) && !defined(__clang__)
#define SW_IVDEP _Pragma("GCC ivdep")
#else
#define SW_IVDEP
#endif

#endif
