# The worked example of `make rewind` (handouts/debugging.md): from the panic to its cause.
# The kernel fell over a pointer that holds 0xdddddddddddddddd, the filling of freed memory.
bt 12
print 'dir_index.cc'::last_found->inode
# Who wrote that? The last write before the panic is the one.
watch -l 'dir_index.cc'::last_found->inode
reverse-continue
bt 12
