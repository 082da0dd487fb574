/* ---- strings ------------------------------------------------------------------------------ */

/* They run in the script itself: each byte costs fuel. Texts end with a NUL. */
#define ZS_STRING static inline __attribute__((always_inline, unused))

/* Bytes before the NUL; free for a short literal, which the compiler counts. */
ZS_STRING size_t zs_strlen(const char *text)
{
    const char *end = text;
    while (*end)
        end++;
    return (size_t)(end - text);
}

/* 0 if both are the same up to n bytes, otherwise the difference of the first that are not. */
ZS_STRING int zs_strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++) {
        int difference = (unsigned char)*a - (unsigned char)*b;
        if (difference || !*a)
            return difference;
    }
    return 0;
}

/* As zs_strncmp, without a bound. */
ZS_STRING int zs_strcmp(const char *a, const char *b)
{
    return zs_strncmp(a, b, (size_t)-1);
}

/* Copy a text; to must have room for it and its NUL. Returns where the NUL is. */
ZS_STRING char *zs_stpcpy(char *to, const char *from)
{
    while ((*to = *from)) {
        to++;
        from++;
    }
    return to;
}

/* As zs_stpcpy, but returns to. */
ZS_STRING char *zs_strcpy(char *to, const char *from)
{
    zs_stpcpy(to, from);
    return to;
}

/* Copy up to n bytes and fill with NUL; there is none if the text has n bytes or more. */
ZS_STRING char *zs_strncpy(char *to, const char *from, size_t n)
{
    size_t at = 0;
    for (; at < n && from[at]; at++)
        to[at] = from[at];
    for (; at < n; at++)
        to[at] = 0;
    return to;
}

/* The last place of a byte, the NUL included, or a null pointer. */
ZS_STRING char *zs_strrchr(const char *text, int byte)
{
    const char *found = 0;
    for (;; text++) {
        if (*text == (char)byte)
            found = text;
        if (!*text)
            return (char *)found;
    }
}

/* A number in decimal digits with a NUL. Returns the count of digits, or -1 if there is no room,
 * and then writes nothing. */
ZS_STRING int zs_utoa10(unsigned int value, char *out, size_t out_size)
{
    unsigned int rest = value;
    int digits = 1;
    while (rest >= 10) {
        rest /= 10;
        digits++;
    }
    if (!out || out_size <= (size_t)digits)
        return -1;
    out[digits] = 0;
    for (int at = digits - 1; at >= 0; at--) {
        out[at] = (char)('0' + value % 10);
        value /= 10;
    }
    return digits;
}

#endif
