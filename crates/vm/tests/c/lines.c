/* One trap for each line that is marked with its kind: compilers.rs reads the marks. */

typedef unsigned long long u64;
#define ENTRY(name) __attribute__((section("zeroserve.request"), used)) u64 name

/* Older compilers know no trap; what newer ones make of it is a call of this. */
#if __clang_major__ >= 20
#define TRAP() __builtin_trap()
#else
extern void __bpf_trap(void) __attribute__((noreturn));
#define TRAP() __bpf_trap()
#endif

extern u64 refuse(void);
extern u64 work(u64);

static const u64 constant[2] = {1, 2};
u64 variable = 3;

ENTRY(null_read)(void) {
    volatile u64 *p = 0;
    return *p; /* read */
}

ENTRY(wild_read)(u64 at) {
    return *(volatile u64 *)(at | 1ull << 40); /* read */
}

ENTRY(wild_write)(u64 at) {
    *(volatile char *)(at | 1ull << 63) = 1; /* write */
    return 0;
}

ENTRY(constant_write)(void) {
    *(volatile u64 *)&constant[1] = 5; /* write */
    return 0;
}

ENTRY(far_index)(u64 at) {
    volatile u64 *p = &variable;
    return p[at + 1000000]; /* read */
}

ENTRY(atomic)(u64 at) {
    __sync_fetch_and_add((u64 *)(at & 4095), 1); /* write */
    return 0;
}

static __attribute__((noinline)) u64 some_function(u64 x) {
    return x + 1;
}

ENTRY(code_read)(void) {
    u64 (*volatile function)(u64) = some_function;
    return *(volatile u64 *)function; /* read */
}

ENTRY(no_function)(u64 at) {
    u64 (*function)(void) = (u64 (*)(void))(at | 1ull << 50);
    return function() + 1; /* callee */
}

ENTRY(trap)(void) {
    TRAP(); /* abort */
}

ENTRY(refused)(void) {
    return refuse() + 1; /* helper */
}

ENTRY(forever)(void) {
    for (volatile u64 i = 0;; i++); /* fuel */
}

__attribute__((noinline)) u64 deeper(u64 n) { /* stack */
    return n == 0 ? 0 : deeper(n + 1) * n + 1;
}

ENTRY(deep)(void) {
    return deeper(1);
}
