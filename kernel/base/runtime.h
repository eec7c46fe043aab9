// What a C++ program expects of its environment, as far as the kernel has it.
#pragma once

// Runs the constructors of static objects, in link order. Once, first thing in kmain.
void run_constructors();
