// Memory for MAP_SHARED | MAP_ANONYMOUS: an unnamed object of zero pages that lives as long
// as regions (of this process and its forked children) refer to it.
#pragma once
#include "kernel/mm/address_space.h"

// An object of `pages` pages, none of them there yet, with one reference. ENOMEM.
Result<PageSource*> make_shared_memory(uint64_t pages);
