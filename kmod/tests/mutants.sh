# Sourced by run: plants known bugs, one a build, boots them together, and demands that each is caught.
# A mutant is: name, file, what stands there, what stands there instead, the program that must fail.
mutants=(
  'tautology|src/cow.c|page_compare(diff, slot->before, page_address|page_compare(diff, page_address(pfn_to_page(pte_pfn(pte))), page_address|/t/truth 1'
  'swapzero|src/device.c|ATOMIK_SWAP_REPLACE ? words : NULL|ATOMIK_SWAP_REPLACE \&\& words[0] ? words : NULL|/t/device'
  'eagain|src/net.c|if (sent <= 0)|if (sent == 0)|/t/truth 1'
  'onestripe|src/table.c|for (i = 0; i < table->stripe_count; i++)\(\n\t\tatomik_fold\)|for (i = 0; i < 1; i++)\1|/t/hammer 40'
  'leak|src/ring.c|vunmap(ring->head);|vunmap(ring->head); return;|/t/device'
  'believes|src/ring.c|->sq_tail) - ring->sq_head;|->sq_tail) - (ring->sq_head = ring->head->sq_head);|/t/device'
)
order=
for mutant in "${mutants[@]}"; do
  IFS='|' read -r name file from to program <<< "$mutant"
  rm -rf "$out/mutant"
  mkdir -p "$out/mutant"
  cp -r Kbuild Makefile include src "$out/mutant/"
  sed -i -z "s|$(printf '%s' "$from" | sed 's/[][*.]/\\&/g')|$to|" "$out/mutant/$file"
  if cmp -s "$file" "$out/mutant/$file"; then
    die "mutant $name changes nothing"
  fi
  source_root=$out/mutant build_module "$name" "/lib/modules/$release/build"
  order+="$name $program"$'\n'
done
say "mutants, in the booted machine (qemu, TCG)"
kept=$totals
totals=$out/mutant-totals
printf '%s' "$order" | boot "$out/$release/boot/vmlinuz-$release" 512 900 > /dev/null
totals=$kept
caught=0
for mutant in "${mutants[@]}"; do
  name=${mutant%%|*}
  # Between this mutant's heading and the next there must be a claim that failed.
  if awk -v name="($name)" '/^-- / { mine = index($0, name) } mine && /^  FAIL/ { found = 1 } END { exit !found }' "$out/console.log"; then
    caught=$((caught + 1))
    echo "  ok   caught: $name"
  else
    echo "  FAIL not caught: $name"
  fi
done
echo "mutants: $caught passed, $((${#mutants[@]} - caught)) failed" | tee -a "$totals"
