/* Enough cases for a jump table, where the instruction set has one. */

typedef unsigned long long u64;
extern u64 sum(u64, u64, u64, u64, u64);

__attribute__((section("zeroserve.request"), used)) u64 many(u64 a, u64 b) {
    u64 out = 0;
    switch (a) {
    case 0: out = a ^ 0; break;
    case 1: out = b * 1 + 3; break;
    case 2: out = b * 2 + 3; break;
    case 3: out = a ^ 231; break;
    case 4: out = b * 4 + 3; break;
    case 5: out = b * 5 + 3; break;
    case 6: out = a ^ 462; break;
    case 7: out = b * 7 + 3; break;
    case 8: out = b * 8 + 3; break;
    case 9: out = a ^ 693; break;
    case 10: out = b * 10 + 3; break;
    case 11: out = b * 11 + 3; break;
    case 12: out = a ^ 924; break;
    case 13: out = b * 13 + 3; break;
    case 14: out = b * 14 + 3; break;
    case 15: out = a ^ 1155; break;
    case 16: out = b * 16 + 3; break;
    case 17: out = a * b + 3; break;
    case 18: out = a ^ 1386; break;
    case 19: out = b * 19 + 3; break;
    case 20: out = b * 20 + 3; break;
    case 21: out = a ^ 1617; break;
    case 22: out = b * 22 + 3; break;
    case 23: out = b * 23 + 3; break;
    case 24: out = a ^ 1848; break;
    case 25: out = b * 25 + 3; break;
    case 26: out = b * 26 + 3; break;
    case 27: out = a ^ 2079; break;
    case 28: out = b * 28 + 3; break;
    case 29: out = b * 29 + 3; break;
    case 30: out = a ^ 2310; break;
    case 31: out = b * 31 + 3; break;
    case 32: out = b * 32 + 3; break;
    case 33: out = a ^ 2541; break;
    case 34: out = b * 34 + 3; break;
    case 35: out = b * 35 + 3; break;
    case 36: out = a ^ 2772; break;
    case 37: out = b * 37 + 3; break;
    case 38: out = b * 38 + 3; break;
    case 39: out = a ^ 3003; break;
    default: out = sum(a, b, 1, 2, 3);
    }
    return out;
}
