# The units of lab 6, for labs/6-signals and solutions/6-signals alike.
LAB_6_UNITS := pending.cc deliver.cc sigreturn.cc job_control.cc
