# Lab 3 on the host: the user copies. Their fix-up table holds fixed addresses, so the test
# program is linked at fixed ones, too.
LAB_3_HOST_UNITS := user_copy.S
LAB_3_HOST_LINK := -no-pie
