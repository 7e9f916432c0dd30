// Turns operations.json into lines for vectors.c: `case name lane width contexts`, then one line a step:
// `op address words-or-dash expect-or-dash`, a value as 64-bit words in hexadecimal, lowest first, with commas.
import { readFileSync } from 'node:fs'

const words = (hex, width) => {
  let value = BigInt(hex)
  const list = []
  for (let i = 0; i < Math.ceil(width / 64); i++) {
    list.push((value & 0xffffffffffffffffn).toString(16))
    value >>= 64n
  }
  return list.join(',')
}

for (const file of process.argv.slice(2)) {
  const { version, cases } = JSON.parse(readFileSync(file, 'utf8'))
  if (version !== 1) throw new Error(`${file}: version 1 is wanted, ${version} came`)
  for (const { name, lane, width, contexts, steps } of cases) {
    console.log(`case ${name.replace(/\s+/g, '-')} ${lane} ${width} ${contexts}`)
    for (const { op, address, value, expect } of steps)
      console.log(
        `${op} ${address} ${value == null ? '-' : words(value, width)} ${expect == null ? '-' : words(expect, width)}`,
      )
  }
}
