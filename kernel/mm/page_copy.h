// Zeroing and copying whole pages, by the means that is fastest on this machine.
#pragma once

// Times the candidates and chooses, also for user copies (user_copy_rep). Boot CPU, once,
// after the TSC is calibrated; before it the portable choice is in force.
void page_copy_init();

// `page`, `to` and `from` are page-aligned and do not overlap.
void page_clear(void* page);
void page_copy(void* to, const void* from);
