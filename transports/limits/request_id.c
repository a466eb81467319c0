/* The check of X-Request-Id. */
#include "request_id.h"

#include <stddef.h>

bool matching_request_id_is_good(const char *id)
{
    size_t length = 0;
    if (id == NULL)
        return false;
    for (; id[length] != '\0'; length++)
        if (length == MATCHING_REQUEST_ID_MAX || id[length] <= ' ' || id[length] > '~')
            return false;
    return length > 0;
}
