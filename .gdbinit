# Helpers for `make debug`. If gdb refuses to load this file, start it as `gdb -x .gdbinit`.
set pagination off
set confirm off
set print pretty on
set disassemble-next-line auto

define cpus
  set $i = 0
  while $i < cpu_count
    printf "CPU %d  online %d  idling %d  current %p  page map %#lx  locks held %d\n", $i, \
        cpus[$i].online._M_base._M_i, cpus[$i].idling._M_base._M_i, cpus[$i].current, \
        cpus[$i].active_page_map, cpus[$i].held_locks
    set $i = $i + 1
  end
end
document cpus
What every CPU does: its thread, its page map, the spin locks it holds. `info threads` shows
where it stands (a gdb thread is a CPU).
end

define walk
  set $table = $cr3 & 0xffffffffff000
  set $shift = 39
  while $shift >= 12
    set $entry = *(unsigned long *)(0xffff800000000000 + $table + ((($arg0 >> $shift) & 511) * 8))
    printf "level %d: %#018lx ", ($shift - 12) / 9 + 1, $entry
    if $entry & 1
      printf "present"
    else
      printf "not present"
    end
    if $entry & 2
      printf " write"
    end
    if $entry & 4
      printf " user"
    end
    if ($entry >> 63) & 1
      printf " no-execute"
    end
    printf "\n"
    if !($entry & 1) || ($shift < 39 && ($entry & 128))
      set $shift = 0
    else
      set $table = $entry & 0xffffffffff000
      set $shift = $shift - 9
    end
  end
end
document walk
walk ADDRESS: the page-table entries that translate it, in the tables of the selected CPU.
end

define hardware
  monitor info registers
end
document hardware
QEMU's own view of the selected CPU: segments, descriptor tables, control registers.
end
