// poll(2) events (Linux asm-generic/poll.h).
#pragma once
#include <poll.h>
