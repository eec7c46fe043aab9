# The units of lab 2, for labs/2-paging and solutions/2-paging alike.
LAB_2_UNITS := frames.cc page_map.cc fault.cc clone.cc
