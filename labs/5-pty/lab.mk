# The units of lab 5, for labs/5-pty and solutions/5-pty alike.
LAB_5_UNITS := ring.cc line_discipline.cc pty.cc
