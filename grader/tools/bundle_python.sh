#!/bin/bash
# Copies Debian's python3 into a folder for EXTRA=, with its loader and libraries and those
# modules of its library that the ones named import:
#   grader/tools/bundle_python.sh build/extra json threading readline
# The guest's files bear no times, which Python compares with those in its compiled files; so
# the modules are compiled again, into files that are not compared.
set -eu
folder=$1
shift
python=/usr/bin/python3
modules=$(IFS=,; echo "$*")
"$python" -I -c "
import sys, encodings.ascii, encodings.latin_1, encodings.utf_8, site, runpy, $modules
for module in list(sys.modules.values()):
    print(getattr(module, '__file__', None) or '')" | sort -u > "$folder/modules"
grep '\.py$' "$folder/modules" | while read -r file; do
    mkdir -p "$folder$(dirname "$file")"
    cp -L "$file" "$folder$file"
done
"$(dirname "$0")/bundle.sh" "$folder" "$python" $(grep '\.so$' "$folder/modules")
rm "$folder/modules"
"$python" -I -m compileall -q --invalidation-mode unchecked-hash \
    -s "$folder" -p / "$folder"/usr/lib/python3*
