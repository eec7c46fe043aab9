// Structures of system calls about time, resources and the machine (Linux x86-64).
#pragma once
#include <cstdint>
#include <linux/reboot.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>
