// Random instruction streams for lock step. No assembler: words are drawn from every format, most of them legal, on few
// registers so that results meet their uses at every distance; memory is a window that holds no code; traps skip the
// instruction. One seed gives one program, and `npm run hdl -- --random SEED` runs it alone.
import { Memory, RAM_BASE } from '../iss/memory.ts'
import { type CoreRun, runImage } from './lockstep.ts'

/** xorshift32; the same generator as in the benches. */
export class Draw {
  private state: number
  constructor(seed: number) {
    this.state = seed | 0 || 1
  }
  next(): number {
    let s = this.state
    s ^= s << 13
    s ^= s >>> 17
    s ^= s << 5
    this.state = s
    return s >>> 0
  }
  below(n: number): number {
    return this.next() % n
  }
}

const WINDOW = 0x8004_0000
const TOHOST = 0x8003_0000n
const CODE_WORDS = 3000

/** Code from RAM_BASE: set-up, random words, a store to tohost; a handler at 0x8002_0000. */
export function randomProgram(seed: number): Memory {
  const draw = new Draw(seed * 2654435761)
  const memory = new Memory(RAM_BASE)
  let at = RAM_BASE
  const emit = (word: number): void => {
    memory.write(at, 4, BigInt(word >>> 0))
    at += 4n
  }
  const r = (): number => [0, 1, 5, 6, 7, 10, 11, 12][draw.below(8)] ?? 0
  const i = (opcode: number, funct3: number, rd: number, rs1: number, imm: number): number =>
    (imm << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcode
  const upper = (opcode: number, rd: number, imm: number): number => (imm & ~0xfff) | (rd << 7) | opcode

  // x2 = handler, x8 = x9 = window; mtvec
  emit(upper(0x17, 2, 0x20000))
  emit(i(0x73, 1, 0, 2, 0x305))
  for (const base of [8, 9]) {
    emit(upper(0x17, base, 0x40000))
    emit(i(0x13, 0, base, base, 0x100))
  }
  for (let k = 0; k < 32; k++)
    memory.write(BigInt(WINDOW) + BigInt(8 * k), 8, (BigInt(draw.next()) << 32n) | BigInt(draw.next()))
  for (const reg of [1, 5, 6, 7, 10, 11, 12]) emit(i(0x03, 3, reg, 8, draw.below(64) * 8))
  emit(i(0x73, 6, 0, 8, 0x300)) // csrsi mstatus, 8: interrupts on, if the bench raises any
  emit(upper(0x37, 3, 0x1000))
  emit(i(0x1b, 0, 3, 3, 0x888 - 0x1000)) // addiw x3, x3, -1912: 0x888
  emit(i(0x73, 2, 0, 3, 0x304))

  const end = RAM_BASE + BigInt(4 * CODE_WORDS)
  while (at < end) {
    const kind = draw.below(100)
    if (kind < 22)
      emit(
        0x33 |
          (r() << 7) |
          (draw.below(8) << 12) |
          (r() << 15) |
          (r() << 20) |
          (draw.below(4) === 0 ? 0x40000000 : 0),
      )
    else if (kind < 30)
      emit(
        0x3b |
          (r() << 7) |
          (([0, 0, 1, 5, 5][draw.below(5)] ?? 0) << 12) |
          (r() << 15) |
          (r() << 20) |
          (draw.below(3) === 0 ? 0x40000000 : 0),
      )
    else if (kind < 42) emit(i(0x13, draw.below(8), r(), r(), draw.next() & 0xfff))
    else if (kind < 47)
      emit(
        i(0x1b, [0, 1, 5][draw.below(3)] ?? 0, r(), r(), draw.below(32) | (draw.below(4) === 0 ? 0x400 : 0)),
      )
    else if (kind < 57) emit(i(0x03, draw.below(8), r(), 8 + draw.below(2), draw.below(240)))
    else if (kind < 66) {
      const offset = draw.below(240)
      emit(
        0x23 |
          ((offset & 31) << 7) |
          (draw.below(4) << 12) |
          ((8 + draw.below(2)) << 15) |
          (r() << 20) |
          ((offset >> 5) << 25),
      )
    } else if (kind < 74) {
      const skip = 2 + draw.below(5) // forward, over a few words
      const offset = skip * 4 + (draw.below(20) === 0 ? 2 : 0)
      emit(
        0x63 |
          (((offset >> 1) & 15) << 8) |
          (draw.below(8) << 12) |
          (r() << 15) |
          (r() << 20) |
          ((offset >> 5) << 25),
      )
    } else if (kind < 77) {
      const offset = (1 + draw.below(4)) * 4
      emit(0x6f | (r() << 7) | ((offset >> 1) << 21))
    } else if (kind < 79) {
      // auipc x13, 0; jalr rd, 8(x13), sometimes misaligned; x13 is cleared so that a jump into the middle cannot loop
      emit(upper(0x17, 13, 0))
      emit(i(0x67, 0, r(), 13, 8 + (draw.below(8) === 0 ? draw.below(4) : 0)))
      emit(i(0x13, 0, 13, 0, 0))
    } else if (kind < 81) emit(upper(draw.below(2) ? 0x37 : 0x17, r(), draw.next()))
    else if (kind < 92) {
      // the four operations, often on one context
      const funct3 = draw.below(4)
      const keep = funct3 === 3 && draw.below(3) === 0 ? 1 << 25 : 0
      emit(0x0b | (r() << 7) | (funct3 << 12) | (r() << 15) | (r() << 20) | keep)
    } else if (kind < 97) {
      const csr =
        [0x340, 0x340, 0x341, 0x342, 0x343, 0xb00, 0xb02, 0xc00, 0xc02, 0x301, 0xf14, 0x7a0, 0x180][
          draw.below(13)
        ] ?? 0
      emit(i(0x73, [1, 2, 3, 5, 6, 7][draw.below(6)] ?? 1, csr === 0xb00 ? 0 : r(), r(), csr))
    } else if (kind < 98)
      emit([0x73, 0x100073, 0x0f, 0x100f, 0x10500073, 0x7c00d073, 0x7c005073][draw.below(7)] ?? 0x13)
    else emit(draw.next()) // anything: mostly illegal
    // an `anything` may be a wild jump or a store; the handler brings wild jumps back, see below
  }
  // the end: store 1 to tohost
  for (let k = 0; k < 8; k++) emit(0x13)
  const finish = at
  emit(upper(0x37, 31, 0x80030000 | 0))
  emit(i(0x13, 0, 31, 31, 0)) // lui sign-extends: clear the upper half
  emit(i(0x13, 1, 31, 31, 32))
  emit(i(0x13, 5, 31, 31, 32))
  emit(i(0x13, 0, 30, 0, 1))
  emit(0x23 | (3 << 12) | (31 << 15) | (30 << 20))
  emit(0x6f)

  // handler: x30, x31 are its own. An exception goes on at mepc + 4 if that lies in the code, else at the finish; an
  // interrupt at mepc.
  at = RAM_BASE + 0x20000n
  emit(i(0x73, 2, 31, 0, 0x342)) //  csrr x31, mcause
  emit(i(0x73, 2, 30, 0, 0x341)) //  csrr x30, mepc
  emit(0x63 | (((3 * 4) >> 1) << 8) | (4 << 12) | (31 << 15)) // blt x31, x0, .+12
  emit(i(0x13, 0, 30, 30, 4)) //     addi x30, x30, 4
  emit(i(0x73, 1, 0, 30, 0x341)) //  csrw mepc, x30
  emit(i(0x13, 5, 31, 30, 14)) //    srli x31, x30, 14: the code is the 16 KiB from RAM_BASE
  emit(upper(0x37, 4, 0x20000)) //   lui x4, 0x20
  emit(0x63 | ((8 >> 1) << 8) | (31 << 15) | (4 << 20)) // beq x31, x4, .+8
  emit(0x6f | ((8 >> 1) << 21)) //   j .+8
  emit(0x30200073) //                mret
  // lost: go to the finish, whose address lies behind the handler
  emit(upper(0x17, 30, 0)) //        auipc x30, 0
  emit(i(0x03, 3, 30, 30, 24)) //    ld x30, 24(x30)
  emit(i(0x73, 1, 0, 30, 0x341)) //  csrw mepc, x30
  emit(0x30200073)
  at += 8n
  memory.write(at, 8, finish)
  return memory
}

export async function runRandom(seed: number, program?: string): Promise<CoreRun> {
  const memory = randomProgram(seed)
  return runImage(memory, RAM_BASE, TOHOST, {
    maxCycles: 60_000,
    waitSeed: seed % 2 === 0 ? seed + 1 : 0,
    irqSeed: seed % 3 === 0 ? seed + 7 : 0,
    program,
    imageName: 'random',
  })
}
