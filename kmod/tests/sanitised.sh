# Sourced by run: builds Debian's 6.1 source with KASAN, lockdep, kmemleak and failslab, and repeats the tests there.
install_packages linux-source-6.1 flex bison bc libelf-dev libssl-dev xz-utils
source_tree=$out/sanitised/linux-source-6.1
if [ ! -f "$source_tree/arch/x86/boot/bzImage" ] || [ tests/sanitised.config -nt "$source_tree/.config" ]; then
  say "building the sanitised kernel (about five minutes)"
  mkdir -p "$out/sanitised"
  [ -d "$source_tree" ] || tar -C "$out/sanitised" -xf /usr/src/linux-source-6.1.tar.xz
  nice -n 10 make -s -C "$source_tree" tinyconfig > "$out/sanitised.log" 2>&1
  (cd "$source_tree" && scripts/kconfig/merge_config.sh -m .config "$OLDPWD/tests/sanitised.config" && make -s olddefconfig) \
    >> "$out/sanitised.log" 2>&1
  for option in KASAN PROVE_LOCKING DEBUG_KMEMLEAK FAILSLAB KPROBES MEMCG MODULE_UNLOAD; do
    grep -q "^CONFIG_$option=y" "$source_tree/.config" || die "the sanitised kernel would lack $option"
  done
  nice -n 10 make -s -j2 -C "$source_tree" bzImage modules >> "$out/sanitised.log" 2>&1 || die "the sanitised kernel does not build"
fi
say "building the module for it"
build_module atomik "$source_tree"
build_module faulty "$source_tree" ATOMIK_FAULTS=y
say "in the booted machine (qemu, TCG; KASAN, lockdep, kmemleak, failslab)"
programs="$programs storm"
build_programs
boot "$source_tree/arch/x86/boot/bzImage" 2048 2400 << ORDER
atomik /t/device
atomik /t/vectors /vectors.txt
atomik /t/hammer 60
faulty /t/faults
atomik /t/truth 1
atomik /t/storm
ORDER
