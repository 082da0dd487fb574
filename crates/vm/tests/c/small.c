/* A little of all that objects have: for the corpus of the fuzz target `objects`. */

typedef unsigned long long u64;

extern u64 sum(u64, u64, u64, u64, u64);

static const char *const names[] = {"one", "two"};
static u64 counter = 3;
u64 zeros[2];

static __attribute__((noinline)) u64 inner(u64 x) { return x + counter; }
u64 (*pointer)(u64) = inner;

__attribute__((section("zeroserve.request"), used)) u64 first(u64 x) {
    zeros[x & 1] += pointer(x);
    return sum(inner(x), names[x & 1][0], zeros[0], 4, 5);
}
