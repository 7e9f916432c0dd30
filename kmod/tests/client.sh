# Sourced by run: Node, koffi and the bundled client in $out/extra, for the booted machine.
say "bundling the TypeScript client"
[ -d ../node_modules/koffi ] && [ -d ../node_modules/esbuild ] || (cd .. && npm ci > "$out/npm.log" 2>&1) || die "npm ci failed: $out/npm.log"
extra=$out/extra
mkdir -p "$extra/node_modules/@koromix"
../node_modules/.bin/esbuild tests/vm/client.js --bundle --platform=node --format=esm --target=node20 --external:koffi \
  --log-level=warning --outfile="$extra/client.mjs"
cp -r ../node_modules/koffi "$extra/node_modules/"
cp -r ../node_modules/@koromix/koffi-linux-x64 "$extra/node_modules/@koromix/"
mkdir -p "$extra/vectors"
cp ../spec/vectors/operations*.json "$extra/vectors/"
node_binary=$(node -p process.execPath)
mkdir -p "$extra/bin"
cp "$node_binary" "$extra/bin/node"
# What it and koffi link to, at the paths they look.
for library in $(ldd "$node_binary" | grep -oE '/[^ ]+') $(ldconfig -p | grep -oE '/[^ ]*x86_64[^ ]*/lib(dl|stdc\+\+|gcc_s)\.so\.[0-9]+$'); do
  mkdir -p "$extra$(dirname "$library")"
  cp -L "$library" "$extra$library"
done
printf '#!/bin/busybox sh\nexec /bin/node /client.mjs\n' > "$extra/client.sh"
chmod +x "$extra/client.sh"
