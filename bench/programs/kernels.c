/* Four things that programs spend their time on, each `rounds` times over.
 *
 * Compiled for this machine and for eBPF; what one call returns goes into the next, or is hidden
 * from the optimiser, so that no round is left out. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifdef __bpf__
#define ENTRY __attribute__((section("zeroserve.request"), used))
#else
#define ENTRY
#endif

/* The optimiser is not to know the value of `x` after this. */
#define HIDE(x) __asm__ volatile("" : "+r"(x))

/* ---- CRC-32, a byte at a time through a table ----------------------------------------------- */

/* The table is linear: an entry is the sum of those of its bits. */
#define BIT(n, bit, entry) ((n) & (bit) ? entry##u : 0u)
#define T1(n) \
    (BIT(n, 1, 0x77073096) ^ BIT(n, 2, 0xee0e612c) ^ BIT(n, 4, 0x076dc419) ^ \
     BIT(n, 8, 0x0edb8832) ^ BIT(n, 16, 0x1db71064) ^ BIT(n, 32, 0x3b6e20c8) ^ \
     BIT(n, 64, 0x76dc4190) ^ BIT(n, 128, 0xedb88320))
#define T4(n) T1(n), T1((n) + 1), T1((n) + 2), T1((n) + 3)
#define T16(n) T4(n), T4((n) + 4), T4((n) + 8), T4((n) + 12)
#define T64(n) T16(n), T16((n) + 16), T16((n) + 32), T16((n) + 48)

static const u32 crc_table[256] = {T64(0), T64(64), T64(128), T64(192)};

ENTRY u64 crc32(const u8 *data, u64 len, u64 rounds)
{
    u32 crc = 0;
    for (u64 round = 0; round < rounds; round++) {
        crc = ~crc;
        for (u64 i = 0; i < len; i++)
            crc = crc >> 8 ^ crc_table[(crc ^ data[i]) & 0xff];
        crc = ~crc;
    }
    return crc;
}

/* ---- SipHash-2-4 of whole words ------------------------------------------------------------- */

#define ROTATE(x, by) ((x) << (by) | (x) >> (64 - (by)))

#define SIP_ROUND() \
    do { \
        v0 += v1; v1 = ROTATE(v1, 13); v1 ^= v0; v0 = ROTATE(v0, 32); \
        v2 += v3; v3 = ROTATE(v3, 16); v3 ^= v2; \
        v0 += v3; v3 = ROTATE(v3, 21); v3 ^= v0; \
        v2 += v1; v1 = ROTATE(v1, 17); v1 ^= v2; v2 = ROTATE(v2, 32); \
    } while (0)

ENTRY u64 siphash(const u8 *data, u64 len, u64 rounds)
{
    u64 hash = 0;
    for (u64 round = 0; round < rounds; round++) {
        u64 k0 = 0x0706050403020100ULL ^ hash, k1 = 0x0f0e0d0c0b0a0908ULL;
        u64 v0 = k0 ^ 0x736f6d6570736575ULL, v1 = k1 ^ 0x646f72616e646f6dULL;
        u64 v2 = k0 ^ 0x6c7967656e657261ULL, v3 = k1 ^ 0x7465646279746573ULL;
        const u64 *words = (const u64 *)data;
        for (u64 i = 0; i < len / 8; i++) {
            v3 ^= words[i];
            SIP_ROUND();
            SIP_ROUND();
            v0 ^= words[i];
        }
        v3 ^= len << 56;
        SIP_ROUND();
        SIP_ROUND();
        v0 ^= len << 56;
        v2 ^= 0xff;
        SIP_ROUND();
        SIP_ROUND();
        SIP_ROUND();
        SIP_ROUND();
        hash = v0 ^ v1 ^ v2 ^ v3;
    }
    return hash;
}

/* ---- A name, looked for among 64 ------------------------------------------------------------ */

static const u8 names[64][32] = {
    "accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges", "age",
    "allow", "authorization", "cache-control", "connection", "content-disposition",
    "content-encoding", "content-language", "content-length", "content-location", "content-range",
    "content-type", "cookie", "date", "dnt", "etag", "expect", "expires", "forwarded", "from",
    "host", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since",
    "keep-alive", "last-modified", "link", "location", "max-forwards", "origin", "pragma",
    "prefer", "priority", "proxy-authenticate", "proxy-authorization", "range", "referer",
    "refresh", "retry-after", "server", "set-cookie", "strict-transport-security", "te", "trailer",
    "transfer-encoding", "upgrade", "upgrade-insecure-requests", "user-agent", "vary", "via",
    "warning", "www-authenticate", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
    "x-real-ip", "x-request-id",
};

ENTRY u64 match(const u8 *data, u64 len, u64 rounds)
{
    u64 sum = 0;
    for (u64 round = 0; round < rounds; round++) {
        for (u64 n = 0; n < 64; n++) {
            u64 i = 0;
            while (i < len && names[n][i] == data[i])
                i++;
            if (i == len && names[n][i] == 0) {
                sum += n;
                break;
            }
        }
        HIDE(data);
    }
    return sum;
}

/* ---- Fibonacci numbers, by calls ------------------------------------------------------------ */

static __attribute__((noinline)) u64 number(u64 n)
{
    return n < 2 ? n : number(n - 1) + number(n - 2);
}

ENTRY u64 fibonacci(const u8 *data, u64 n, u64 rounds)
{
    u64 sum = 0;
    (void)data;
    for (u64 round = 0; round < rounds; round++) {
        HIDE(n);
        sum += number(n);
    }
    return sum;
}
