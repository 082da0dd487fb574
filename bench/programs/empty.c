/* The least that a script can be: what having one costs. */
#include <zeroserve.h>

ZS_ENTRY zs_u64 empty(void)
{
    return 0;
}
