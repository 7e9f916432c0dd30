// Writes the assembly of the table-driven tests: every register and immediate instruction, every branch, load, store and
// context operation, over corner values. Expected values come from the one-line meanings below, not from the simulator.

const MASK = (1n << 64n) - 1n
const u = (x: bigint): bigint => x & MASK
const s = (x: bigint): bigint => BigInt.asIntN(64, x)
const w = (x: bigint): bigint => u(BigInt.asIntN(32, x))
const low = (x: bigint): bigint => x & 0xffffffffn
const hex = (x: bigint): string => `0x${u(x).toString(16)}`

const CORNERS = [
  0n,
  1n,
  2n,
  31n,
  32n,
  63n,
  64n,
  0x7ffn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0xffffffff80000000n,
  0x123456789abcdef0n,
  0xa5a5a5a55a5a5a5an,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xfffffffffffffffen,
  MASK,
]
const IMMEDIATES = [0, 1, 5, 31, 1024, 2047, -1, -2, -1365, -2048]

type Binary = (a: bigint, b: bigint) => bigint
const REGISTER: Record<string, Binary> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  sll: (a, b) => a << (b & 63n),
  slt: (a, b) => (s(a) < s(b) ? 1n : 0n),
  sltu: (a, b) => (a < b ? 1n : 0n),
  xor: (a, b) => a ^ b,
  srl: (a, b) => a >> (b & 63n),
  sra: (a, b) => s(a) >> (b & 63n),
  or: (a, b) => a | b,
  and: (a, b) => a & b,
  addw: (a, b) => w(a + b),
  subw: (a, b) => w(a - b),
  sllw: (a, b) => w(a << (b & 31n)),
  srlw: (a, b) => w(low(a) >> (b & 31n)),
  sraw: (a, b) => w(BigInt.asIntN(32, a) >> (b & 31n)),
}
const IMMEDIATE: Record<string, Binary> = {
  addi: (a, b) => a + b,
  slti: (a, b) => (s(a) < s(b) ? 1n : 0n),
  sltiu: (a, b) => (a < u(b) ? 1n : 0n),
  xori: (a, b) => a ^ u(b),
  ori: (a, b) => a | u(b),
  andi: (a, b) => a & u(b),
  addiw: (a, b) => w(a + b),
}
const SHIFT: Record<string, [Binary, number[]]> = {
  slli: [REGISTER.sll as Binary, [0, 1, 7, 31, 32, 33, 62, 63]],
  srli: [REGISTER.srl as Binary, [0, 1, 7, 31, 32, 33, 62, 63]],
  srai: [REGISTER.sra as Binary, [0, 1, 7, 31, 32, 33, 62, 63]],
  slliw: [REGISTER.sllw as Binary, [0, 1, 7, 16, 30, 31]],
  srliw: [REGISTER.srlw as Binary, [0, 1, 7, 16, 30, 31]],
  sraiw: [REGISTER.sraw as Binary, [0, 1, 7, 16, 30, 31]],
}
const BRANCH: Record<string, (a: bigint, b: bigint) => boolean> = {
  beq: (a, b) => a === b,
  bne: (a, b) => a !== b,
  blt: (a, b) => s(a) < s(b),
  bge: (a, b) => s(a) >= s(b),
  bltu: (a, b) => a < b,
  bgeu: (a, b) => a >= b,
}

const frame = (body: string, data: string): string =>
  `#include "check.h"\n  TEST_BEGIN\n${body}\n  TEST_END\n  .data\n  .align 3\n${data}\n`

/** Every pair of corners through each instruction: a loop over a table of (a, b, expected). Test n is row n. */
function registerTests(): [string, string][] {
  return Object.entries(REGISTER).map(([name, meaning]) => {
    const rows = CORNERS.flatMap(a =>
      CORNERS.map(b => `  .dword ${hex(a)}, ${hex(b)}, ${hex(meaning(a, b))}`),
    )
    const body = `  la s5, rows
  li gp, 2
1:
  ld a0, 0(s5)
  ld a1, 8(s5)
  ld a2, 16(s5)
  ${name} a3, a0, a1
  bne a3, a2, fail
  mv a4, a0
  ${name} a4, a4, a1
  bne a4, a2, fail
  mv a4, a1
  ${name} a4, a0, a4
  bne a4, a2, fail
  addi s5, s5, 24
  addi gp, gp, 1
  li t1, ${rows.length + 2}
  bne gp, t1, 1b`
    return [name, frame(body, `rows:\n${rows.join('\n')}`)]
  })
}

function immediateTests(): [string, string][] {
  const one = (name: string, meaning: Binary, immediates: number[]): [string, string] => {
    const blocks = immediates.map(immediate => {
      const label = `rows_${immediate < 0 ? 'm' : ''}${Math.abs(immediate)}`
      const rows = CORNERS.map(a => `  .dword ${hex(a)}, ${hex(meaning(a, BigInt(immediate)))}`)
      return {
        body: `  la s5, ${label}
  li s6, ${CORNERS.length}
1:
  ld a0, 0(s5)
  ld a2, 8(s5)
  addi gp, gp, 1
  ${name} a3, a0, ${immediate}
  bne a3, a2, fail
  ${name} a0, a0, ${immediate}
  bne a0, a2, fail
  addi s5, s5, 16
  addi s6, s6, -1
  bnez s6, 1b`,
        data: `${label}:\n${rows.join('\n')}`,
      }
    })
    return [
      name,
      frame(`  li gp, 1\n${blocks.map(b => b.body).join('\n')}`, blocks.map(b => b.data).join('\n')),
    ]
  }
  return [
    ...Object.entries(IMMEDIATE).map(([name, meaning]) => one(name, meaning, IMMEDIATES)),
    ...Object.entries(SHIFT).map(([name, [meaning, amounts]]) => one(name, meaning, amounts)),
  ]
}

function branchTests(): [string, string][] {
  return Object.entries(BRANCH).map(([name, meaning]) => {
    const rows = CORNERS.flatMap(a =>
      CORNERS.map(b => `  .dword ${hex(a)}, ${hex(b)}, ${meaning(a, b) ? 1 : 0}`),
    )
    const body = `  la s5, rows
  li gp, 2
1:
  ld a0, 0(s5)
  ld a1, 8(s5)
  ld a2, 16(s5)
  li a3, 1
  ${name} a0, a1, 2f
  li a3, 0
2:
  bne a3, a2, fail
  addi s5, s5, 24
  addi gp, gp, 1
  li t1, ${rows.length + 2}
  bne gp, t1, 1b`
    return [name, frame(body, `rows:\n${rows.join('\n')}`)]
  })
}

/** Each load at each offset of two words, aligned or not. */
function memoryTests(): [string, string][] {
  const bytes = Array.from({ length: 40 }, (_, i) => (i * 37 + 0x81) & 0xff)
  const at = (offset: number, count: number): bigint =>
    Array.from({ length: count }, (_, i) => BigInt(bytes[offset + i] ?? 0) << BigInt(8 * i)).reduce(
      (a, b) => a | b,
    )
  const data = `bytes:\n${bytes.map(b => `  .byte ${b}`).join('\n')}\n  .align 3\ncopy: .zero 64`
  const widths: [string, number, boolean][] = [
    ['lb', 1, true],
    ['lbu', 1, false],
    ['lh', 2, true],
    ['lhu', 2, false],
    ['lw', 4, true],
    ['lwu', 4, false],
    ['ld', 8, true],
  ]
  const loads = widths.map(([name, count, signed]): [string, string] => {
    const checks = Array.from({ length: 24 }, (_, offset) => {
      const raw = at(offset, count)
      const value = signed ? u(BigInt.asIntN(8 * count, raw)) : raw
      return `  ${name} a1, ${offset - 8}(a0)\n  CHECK(${offset + 2}, a1, ${hex(value)})`
    })
    return [name, frame(`  la a0, bytes + 8\n${checks.join('\n')}`, data)]
  })
  const stores = (
    [
      ['sb', 1],
      ['sh', 2],
      ['sw', 4],
      ['sd', 8],
    ] as [string, number][]
  ).map(([name, count]): [string, string] => {
    const word = 0x8877665544332211n
    const checks = Array.from({ length: 16 }, (_, offset) => {
      const after = (from: number): bigint =>
        Array.from({ length: 8 }, (_, i) => {
          const k = from + i - offset
          return (k >= 0 && k < count ? (word >> BigInt(8 * k)) & 0xffn : 0xeen) << BigInt(8 * i)
        }).reduce((a, b) => a | b)
      return `  li a2, 0xeeeeeeeeeeeeeeee
  sd a2, 0(a0)
  sd a2, 8(a0)
  sd a2, 16(a0)
  li a1, ${hex(word)}
  ${name} a1, ${offset}(a0)
  ld a3, 0(a0)
  CHECK(${offset * 3 + 2}, a3, ${hex(after(0))})
  ld a3, 8(a0)
  CHECK(${offset * 3 + 3}, a3, ${hex(after(8))})
  ld a3, 16(a0)
  CHECK(${offset * 3 + 4}, a3, ${hex(after(16))})`
    })
    return [name, frame(`  la a0, copy\n${checks.join('\n')}`, data)]
  })
  return [...loads, ...stores]
}

/** The four operations over corner values, on every context, each returning the state before it. */
function deltaTests(): [string, string] {
  const lines: string[] = []
  const state: bigint[] = new Array(32).fill(0n)
  let test = 2
  const operate = (funct3: number, funct7: number, context: bigint, word: bigint): void => {
    const index = Number(context & 31n)
    const before = state[index] ?? 0n
    lines.push(
      `  li a0, ${hex(context)}\n  li a1, ${hex(word)}\n  .insn r 0x0b, ${funct3}, ${funct7}, a2, a0, a1`,
      `  CHECK(${test++}, a2, ${hex(before)})`,
    )
    if (funct3 === 1) state[index] = before ^ word
    else if (funct3 !== 2 && funct7 === 0) state[index] = word
  }
  for (let context = 0n; context < 32n; context++) operate(0, 0, context, CORNERS[Number(context) % 23] ?? 0n)
  for (const word of CORNERS) {
    const context = BigInt(CORNERS.indexOf(word) % 4)
    operate(1, 0, context, word)
    operate(1, 0, context, word ^ 0xff00n)
    operate(2, 0, context, 0n)
    operate(3, 0, context, word)
    operate(1, 0, context, MASK)
    operate(3, 1, context, word)
    operate(2, 0, context + 32n, 0n)
  }
  // fold and undo without a gap
  lines.push(`  li a0, 9
  li a1, 0xcafebabe
  li a2, 0x0000ff00
  li a3, 0x00ff0000
  .insn r 0x0b, 0, 0, x0, a0, a1
  .insn r 0x0b, 1, 0, x0, a0, a2
  .insn r 0x0b, 1, 0, x0, a0, a3
  .insn r 0x0b, 1, 0, a4, a0, a2
  .insn r 0x0b, 3, 0, a5, a0, a3
  .insn r 0x0b, 2, 0, a6, a0, x0
  CHECK(${test++}, a4, 0xca0145be)
  CHECK(${test++}, a5, 0xca01babe)
  CHECK(${test++}, a6, 0x00ff0000)`)
  return ['delta', frame(lines.join('\n'), '')]
}

/** Test name and assembly of every generated test. */
export function generatedTests(): [string, string][] {
  return [...registerTests(), ...immediateTests(), ...branchTests(), ...memoryTests(), deltaTests()]
}
