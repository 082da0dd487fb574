"""The kernels of kernels.c as a person would write them in Python; they return the same numbers."""

M64 = 0xFFFF_FFFF_FFFF_FFFF


CRC_ROWS = (0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4)
CRC_ROWS_2 = (0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C)
CRC_HIGH = (*CRC_ROWS, *CRC_ROWS_2, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C)
CRC_LOW = tuple(
    (0x77073096 if n & 1 else 0)
    ^ (0xEE0E612C if n & 2 else 0)
    ^ (0x076DC419 if n & 4 else 0)
    ^ (0x0EDB8832 if n & 8 else 0)
    for n in range(16)
)
# The table is linear: an entry is the sum of those of its halves.
CRC_TABLE = tuple(CRC_LOW[n & 15] ^ CRC_HIGH[n >> 4] for n in range(256))


def crc32(data: bytes, rounds: int) -> int:
    """CRC-32, a byte at a time through a table."""
    crc = 0
    for _ in range(rounds):
        crc ^= 0xFFFFFFFF
        for byte in data:
            crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]
        crc ^= 0xFFFFFFFF
    return crc


def rotate(x: int, by: int) -> int:
    """Rotate 64 bits to the left."""
    return ((x << by) | (x >> (64 - by))) & M64


def sip_round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    """One round of SipHash."""
    v0 = (v0 + v1) & M64
    v1 = rotate(v1, 13) ^ v0
    v0 = rotate(v0, 32)
    v2 = (v2 + v3) & M64
    v3 = rotate(v3, 16) ^ v2
    v0 = (v0 + v3) & M64
    v3 = rotate(v3, 21) ^ v0
    v2 = (v2 + v1) & M64
    v1 = rotate(v1, 17) ^ v2
    v2 = rotate(v2, 32)
    return v0, v1, v2, v3


def siphash(data: bytes, rounds: int) -> int:
    """SipHash-2-4 of whole words."""
    digest = 0
    for _ in range(rounds):
        k0 = 0x0706050403020100 ^ digest
        k1 = 0x0F0E0D0C0B0A0908
        v0 = k0 ^ 0x736F6D6570736575
        v1 = k1 ^ 0x646F72616E646F6D
        v2 = k0 ^ 0x6C7967656E657261
        v3 = k1 ^ 0x7465646279746573
        for at in range(0, len(data), 8):
            word = int.from_bytes(data[at : at + 8], "little")
            v3 ^= word
            v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
            v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
            v0 ^= word
        last = (len(data) << 56) & M64
        v3 ^= last
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0 ^= last
        v2 ^= 0xFF
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        digest = v0 ^ v1 ^ v2 ^ v3
    return digest


NAMES = (
    b"accept accept-charset accept-encoding accept-language accept-ranges age allow authorization "
    b"cache-control connection content-disposition content-encoding content-language "
    b"content-length content-location content-range content-type cookie date dnt etag expect "
    b"expires forwarded from host if-match if-modified-since if-none-match if-range "
    b"if-unmodified-since keep-alive last-modified link location max-forwards origin pragma "
    b"prefer priority proxy-authenticate proxy-authorization range referer refresh retry-after "
    b"server set-cookie strict-transport-security te trailer transfer-encoding upgrade "
    b"upgrade-insecure-requests user-agent vary via warning www-authenticate x-forwarded-for "
    b"x-forwarded-host x-forwarded-proto x-real-ip x-request-id"
).split()
PLACES = {name: place for place, name in enumerate(NAMES)}


def match(data: bytes, rounds: int) -> int:
    """A name, looked for among 64."""
    total = 0
    for _ in range(rounds):
        place = PLACES.get(data)
        if place is not None:
            total += place
    return total


def number(n: int) -> int:
    """A Fibonacci number."""
    return n if n < 2 else number(n - 1) + number(n - 2)


def fibonacci(n: int, rounds: int) -> int:
    """Fibonacci numbers, by calls."""
    total = 0
    for _ in range(rounds):
        total += number(n)
    return total
