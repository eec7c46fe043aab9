# Sourced: kernels with a planted mistake, for the checks of the tools that find mistakes.
# planted_kernel NAME [make variables] builds one from planted/NAME.patch (against
# solutions/7-profiling) and says where it is.
planted_kernel() {
    local units=build/planted/$1
    rm -rf "$units" && mkdir -p "$units" && cp solutions/7-profiling/* "$units"
    patch -s -p3 -d "$units" < "grader/checks/planted/$1.patch"
    make -s -j2 kernel LAB_7="$units" "${@:2}" >&2
    cp -L build/mello.elf "build/planted/$1.elf"
    make -s -j2 kernel >&2  # build/mello.elf is the reference again, for whoever runs next
    echo "build/planted/$1.elf"
}
