// For assembler files. FUNCTION(name) begins a function that C++ calls.
#pragma once
#define FUNCTION(name) .globl name; .type name, @function; name:
