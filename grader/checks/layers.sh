#!/bin/bash
# A kernel file includes only headers of its own and of lower layers, in DESIGN.md's order;
# units of a lab count with the layer that declares them, and nothing names labs/ or
# solutions/ in an include. User programs include kernel/abi alone.
set -eu
cd "$(dirname "$0")/../.."

{ grep -rnoE '^[[:space:]]*#[[:space:]]*include "[^"]+"' kernel labs solutions user \
    --include='*.cc' --include='*.h' --include='*.S' --include='*.def' || true; } | awk -F: '
    BEGIN {
        order = "abi base arch metrics sync sched mm fs drivers signal task tty prof syscall"
        count = split(order, names, " ")
        for (i = 1; i <= count; i++) rank[names[i]] = i
        # The highest layer whose headers the units of a lab may use: those of the layer
        # that their contracts are declared in.
        lab["1-boot"] = rank["drivers"]; lab["2-paging"] = rank["mm"]
        lab["3-syscall"] = rank["syscall"]; lab["4-sched"] = rank["mm"]
        lab["5-pty"] = rank["tty"]; lab["6-signals"] = rank["tty"]
        lab["7-profiling"] = rank["prof"]
    }
    {
        file = $1; header = $3
        sub(/^[^"]*"/, "", header); sub(/"$/, "", header)
        split(file, part, "/"); split(header, target, "/")
        bad = ""
        if (target[1] == "labs" || target[1] == "solutions")
            bad = "an include must not name " target[1] "/"
        else if (part[1] == "user" && target[1] == "kernel" && target[2] != "abi" && file !~ /^user\/tests\/[0-9]/)
            bad = "user programs include only kernel/abi"
        else if (target[1] == "kernel" && part[1] != "user") {
            own = part[1] == "kernel" ? rank[part[2]] : lab[part[2]]
            if (part[1] == "kernel" && part[2] ~ /\./) own = count + 1   # kernel/main.cc
            if (!(target[2] in rank)) bad = "no layer is called " target[2]
            else if (!own) bad = "the file is in no layer"
            else if (rank[target[2]] > own) bad = "a lower layer includes a higher one"
        }
        if (bad != "") { print file ":" $2 ": " header ": " bad; failed = 1 }
        includes++
    }
    END {
        printf "%d includes checked\n", includes
        exit failed
    }'
