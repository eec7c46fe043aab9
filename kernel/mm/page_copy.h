// Zeroing and copying whole pages, by the means that is fastest on this machine.
#pragma once

// Times the candidates on two pages of scratch memory and chooses, also for user copies
// (user_copy_rep). Boot CPU, once; before it the portable choice is in force.
void page_copy_init(void* scratch_a, void* scratch_b);

// `page`, `to` and `from` are page-aligned and do not overlap.
void page_clear(void* page);
void page_copy(void* to, const void* from);
