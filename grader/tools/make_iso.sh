#!/bin/bash
# make_iso.sh OUT.iso KERNEL.elf INITRAMFS.cpio [KERNEL ARGUMENTS]
# A GRUB image that boots from BIOS and UEFI, CD and disk (grub-mkrescue makes it hybrid).
# Only the modules that the menu needs are packed: about a second instead of four.
set -eu
out=$1 kernel=$2 initramfs=$3 arguments=${4:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
mkdir -p "$tree/boot/grub"
cp "$kernel" "$tree/boot/mello.elf"
cp "$initramfs" "$tree/boot/initramfs.cpio"
cat > "$tree/boot/grub/grub.cfg" <<MENU
set timeout=0
set default=0
# Where there is no VGA text mode, the screen is pixels.
if [ "\$grub_platform" = efi ]; then insmod all_video; fi
menuentry "MelloOS" {
    multiboot2 /boot/mello.elf $arguments
    module2 /boot/initramfs.cpio
}
MENU
if ! grub-mkrescue -o "$out" --locales= --themes= --fonts= \
    --install-modules="multiboot2 normal iso9660 part_msdos part_gpt fat search
        search_fs_file search_fs_uuid configfile test all_video" \
    "$tree" > "$work/log" 2>&1; then
    cat "$work/log" >&2
    exit 1
fi
