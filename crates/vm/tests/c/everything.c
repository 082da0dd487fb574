/* What compilers make of ordinary C: each entry has its expected result in compilers.rs. */

typedef unsigned long long u64;
typedef long long s64;
typedef unsigned int u32;
typedef unsigned char u8;

#define ENTRY(name) __attribute__((section("zeroserve.request"), used)) u64 name
#define CALL(name) __attribute__((section("zeroserve.call." #name), used)) u64 name
#define NOINLINE __attribute__((noinline))

/* Older compilers know no trap; what newer ones make of it is a call of this. */
#if __clang_major__ >= 20
#define TRAP() __builtin_trap()
#else
extern void __bpf_trap(void) __attribute__((noreturn));
#define TRAP() __bpf_trap()
#endif

/* Helpers: the sum of five, and work that costs its argument. */
extern u64 sum(u64, u64, u64, u64, u64);
extern u64 work(u64);

/* .rodata, .data, .bss, and a string literal. */
static const u32 primes[] = {2, 3, 5, 7, 11, 13, 17, 19};
u64 counter = 41;
u64 zeros[600];
const char *greeting = "hello, world";

static NOINLINE u64 length(const char *text) {
    u64 n = 0;
    while (text[n]) {
        __asm__ volatile("");
        n++;
    }
    return n;
}

/* Functions of one type, called through a constant table of pointers (.data.rel.ro). */
static NOINLINE u64 twice(u64 x) { return 2 * x; }
static NOINLINE u64 square(u64 x) { return x * x; }
NOINLINE u64 negated(u64 x) { return -x; }

typedef u64 (*function)(u64);
static const function table[] = {twice, square, negated};
function chosen = square;

static const char *const names[] = {"zero", "one", "three", "seventeen"};

ENTRY(constants)(u64 index) { return primes[index & 7]; }

ENTRY(variables)(u64 by) {
    counter += by;
    zeros[by & 511] = counter;
    return zeros[by & 511] + zeros[599];
}

ENTRY(strings)(u64 index) { return length(names[index & 3]) * 100 + length(greeting); }

ENTRY(pointers)(u64 index, u64 x) { return table[index % 3](x) + chosen(x + 1); }

ENTRY(switches)(u64 x) {
    switch (x) {
    case 0: return 17;
    case 1: return sum(x, 1, 2, 3, 4);
    case 2: return counter;
    case 3: return 99 + work(5);
    case 4: return 3;
    case 5: return primes[x];
    case 6: return 1000;
    case 7: return twice(x);
    case 8: return 12;
    case 9: return square(x);
    default: return 7777;
    }
}

NOINLINE u64 fibonacci(u64 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

ENTRY(recursion)(u64 n) { return fibonacci(n); }

ENTRY(helpers)(u64 a, u64 b) { return sum(a, b, 3, 4, 5) + work(a); }

struct pair {
    u8 small;
    short middle;
    s64 large;
};

static NOINLINE void fill(struct pair *pair, s64 x) {
    pair->small = x;
    pair->middle = x;
    pair->large = -x;
}

ENTRY(frames)(s64 x) {
    volatile struct pair pairs[4];
    for (int i = 0; i < 4; i++)
        fill((struct pair *)&pairs[i], x + i);
    s64 total = 0;
    for (int i = 0; i < 4; i++)
        total += pairs[i].small + pairs[i].middle + pairs[i].large;
    return total;
}

ENTRY(unreachable)(u64 x) {
    if (x == 3)
        TRAP();
    return x;
}

/* Another section, and a call from it into .text. */
CALL(other)(u64 x) { return fibonacci(x) + negated(1); }

ENTRY(signs)(s64 a, s64 b) {
    volatile int narrow = (int)a;
    volatile signed char tiny = (signed char)b;
    return (u64)(narrow >> 3) + (u64)((s64)tiny * a) + ((u64)a >> 5) + (a < b);
}
