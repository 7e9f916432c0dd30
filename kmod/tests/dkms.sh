# dkms.sh RELEASE OUT: add, build and remove through DKMS, in trees of its own so that the host's are untouched.
set -euo pipefail
release=$1 out=$2
tree=$out/dkms
rm -rf "$tree"
mkdir -p "$tree/source/atomik-1.0.0" "$tree/state" "$tree/install"
cp -r Kbuild Makefile dkms.conf include src "$tree/source/atomik-1.0.0/"
step() {
  if dkms "$@" --sourcetree "$tree/source" --dkmstree "$tree/state" --installtree "$tree/install" > "$tree/log" 2>&1; then
    passed=$((passed + 1))
  else
    tail -5 "$tree/log"
    echo "  FAIL dkms $*"
    failed=$((failed + 1))
  fi
}
passed=0 failed=0
step add -m atomik -v 1.0.0
step build -m atomik -v 1.0.0 -k "$release"
[ -f "$tree/state/atomik/1.0.0/$release/x86_64/module/atomik.ko" ] || failed=$((failed + 1))
step remove -m atomik -v 1.0.0 --all
echo "dkms: $passed passed, $failed failed"
[ $failed = 0 ]
