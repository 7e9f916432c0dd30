// The golden model of the core: RV64I, Zicsr, Zifencei, machine mode and the four operations, one instruction a step.
//
// It is written from the specification, for reading: one case an instruction, BigInt words kept below 2^64, no pipeline,
// no clock. What only hardware knows (clocks, device words, when an interrupt came) is handed in through `Outside`: in
// lock step that is what the core saw, alone it is this file's own plain answer.
import { isDevice, isRam, isRom, type Memory, ROM_BASE } from './memory.ts'

const MASK = (1n << 64n) - 1n
const SIGN = 1n << 63n
const u64 = (x: bigint): bigint => x & MASK
const s64 = (x: bigint): bigint => BigInt.asIntN(64, x)
const sext32 = (x: bigint): bigint => u64(BigInt.asIntN(32, x))

export const CONTEXTS = 32

/** pc, mepc and mtvec hold addresses below 8 GiB; any other becomes one that is invalid too: bit 63 and bits 32 to 0. */
const narrow = (address: bigint): bigint =>
  address >> 33n === 0n ? address : SIGN | (address & 0x1_ffff_ffffn)

/** What one step did: the same facts that the core reports when it retires an instruction. */
export interface Retired {
  pc: bigint
  insn: number
  name: string
  trap: boolean
  cause: number
  rd: number
  rdWord: bigint
  memoryAddress: bigint
  readBytes: number
  writeBytes: number
  /** bytes read or written, from memoryAddress up */
  memoryWord: bigint
  pcNext: bigint
}

export interface Outside {
  /** mcycle, cycle, time */
  cycle(): bigint
  /** a write to mcycle */
  setCycle(word: bigint): void
  /** bits 3, 7, 11: the interrupt lines */
  pending(): bigint
  readDevice(address: bigint, bytes: number): bigint
  writeDevice(address: bigint, bytes: number, word: bigint): void
}

class Trap {
  constructor(
    readonly cause: number,
    readonly value: bigint,
  ) {}
}

const BRANCH = ['beq', 'bne', '', '', 'blt', 'bge', 'bltu', 'bgeu']
const LOAD = ['lb', 'lh', 'lw', 'ld', 'lbu', 'lhu', 'lwu', '']
const STORE = ['sb', 'sh', 'sw', 'sd']
const CSR_NAME = ['', 'csrrw', 'csrrs', 'csrrc', '', 'csrrwi', 'csrrsi', 'csrrci']
const DELTA = ['delta.load', 'delta.accum', 'delta.read', 'delta.swap']

export class Rv64 {
  pc = ROM_BASE
  readonly x: bigint[] = new Array(32).fill(0n)
  /** reference and accumulator of each context; state is their XOR */
  readonly reference: bigint[] = new Array(CONTEXTS).fill(0n)
  readonly accumulator: bigint[] = new Array(CONTEXTS).fill(0n)
  mstatus = 0n // MIE and MPIE only; MPP is always 3
  mie = 0n
  mtvec = 0n
  mscratch = 0n
  mepc = 0n
  mcause = 0n
  mtval = 0n
  minstret = 0n
  trapMisaligned = false
  private minstretWritten = false

  constructor(
    readonly memory: Memory,
    readonly outside: Outside,
  ) {}

  /** Takes the interrupt `cause` before the next instruction. */
  interrupt(cause: number): void {
    this.enter(SIGN | BigInt(cause), 0n)
  }

  /** True when an enabled interrupt waits. */
  interruptCause(): number | null {
    const ready = this.mie & this.outside.pending()
    if ((this.mstatus & 8n) === 0n || ready === 0n) return null
    return ready & 0x800n ? 11 : ready & 8n ? 3 : 7
  }

  /** Runs one instruction and tells what it did; a trap is also one step. */
  step(): Retired {
    const done: Retired = {
      pc: this.pc,
      insn: 0,
      name: '?',
      trap: false,
      cause: -1,
      rd: 0,
      rdWord: 0n,
      memoryAddress: 0n,
      readBytes: 0,
      writeBytes: 0,
      memoryWord: 0n,
      pcNext: narrow(u64(this.pc + 4n)),
    }
    this.minstretWritten = false
    try {
      const word = this.memory.fetch(this.pc)
      if (word === null) throw new Trap(1, this.pc)
      done.insn = word
      this.execute(word, done)
      if (done.pcNext & 2n) throw new Trap(0, done.pcNext)
      done.pcNext = narrow(done.pcNext)
      if (done.rd !== 0) this.x[done.rd] = done.rdWord
      if (!this.minstretWritten) this.minstret = u64(this.minstret + 1n)
      this.pc = done.pcNext
    } catch (error) {
      if (!(error instanceof Trap)) throw error
      this.enter(BigInt(error.cause), error.value)
      Object.assign(done, { trap: true, cause: error.cause, rd: 0, rdWord: 0n, memoryAddress: 0n })
      Object.assign(done, { readBytes: 0, writeBytes: 0, memoryWord: 0n, pcNext: this.pc })
    }
    if (done.rd === 0) done.rdWord = 0n
    return done
  }

  private enter(cause: bigint, value: bigint): void {
    this.mepc = this.pc
    this.mcause = cause
    this.mtval = value
    this.mstatus = this.mstatus & 8n ? 0x80n : 0n
    this.pc = this.mtvec
  }

  private execute(word: number, done: Retired): undefined {
    const illegal = (): never => {
      throw new Trap(2, BigInt(word >>> 0))
    }
    const opcode = word & 0x7f
    const rd = (word >>> 7) & 31
    const funct3 = (word >>> 12) & 7
    const rs1 = (word >>> 15) & 31
    const funct7 = word >>> 25
    const a = this.x[rs1] ?? 0n
    const b = this.x[(word >>> 20) & 31] ?? 0n
    const immI = u64(BigInt(word >> 20))
    const result = (name: string, value: bigint): undefined => {
      done.name = name
      done.rd = rd
      done.rdWord = u64(value)
    }

    switch (opcode) {
      case 0x37:
        return result('lui', BigInt(word & ~0xfff))
      case 0x17:
        return result('auipc', this.pc + BigInt(word & ~0xfff))
      case 0x6f: {
        const offset =
          ((word >> 31) << 20) | (word & 0xff000) | ((word >>> 9) & 0x800) | ((word >>> 20) & 0x7fe)
        result('jal', done.pcNext)
        done.pcNext = narrow(u64(this.pc + BigInt(offset)))
        return
      }
      case 0x67:
        if (funct3 !== 0) illegal()
        result('jalr', done.pcNext)
        done.pcNext = u64(a + immI) & ~1n
        return
      case 0x63: {
        done.name = BRANCH[funct3] || illegal()
        const less = funct3 & 2 ? a < b : s64(a) < s64(b)
        const taken = (funct3 & 4 ? less : a === b) !== ((funct3 & 1) === 1)
        const offset =
          ((word >> 31) << 12) | ((word << 4) & 0x800) | ((word >>> 20) & 0x7e0) | ((word >>> 7) & 0x1e)
        if (taken) done.pcNext = narrow(u64(this.pc + BigInt(offset)))
        return
      }
      case 0x03:
        return this.load(LOAD[funct3] || illegal(), funct3, u64(a + immI), rd, done)
      case 0x23: {
        const offset = BigInt(((word >> 25) << 5) | ((word >>> 7) & 31))
        return this.store(STORE[funct3] ?? illegal(), funct3, u64(a + offset), b, done)
      }
      case 0x13: {
        const shift = immI & 63n
        if (funct3 === 1) return funct7 >>> 1 === 0 ? result('slli', a << shift) : illegal()
        if (funct3 === 5) {
          if (funct7 >>> 1 === 0) return result('srli', a >> shift)
          return funct7 >>> 1 === 0x10 ? result('srai', s64(a) >> shift) : illegal()
        }
        return result(
          ['addi', '', 'slti', 'sltiu', 'xori', '', 'ori', 'andi'][funct3] ?? '',
          alu(funct3, a, immI),
        )
      }
      case 0x1b: {
        const shift = immI & 31n
        if (funct3 === 0) return result('addiw', sext32(a + immI))
        if (funct3 === 1 && funct7 === 0) return result('slliw', sext32(a << shift))
        if (funct3 === 5 && funct7 === 0) return result('srliw', sext32((a & 0xffffffffn) >> shift))
        if (funct3 === 5 && funct7 === 0x20) return result('sraiw', BigInt.asIntN(32, a) >> shift)
        return illegal()
      }
      case 0x33: {
        const shift = b & 63n
        if (funct7 === 0x20 && funct3 === 0) return result('sub', a - b)
        if (funct7 === 0x20 && funct3 === 5) return result('sra', s64(a) >> shift)
        if (funct7 !== 0) return illegal()
        if (funct3 === 1) return result('sll', a << shift)
        if (funct3 === 5) return result('srl', a >> shift)
        return result(['add', '', 'slt', 'sltu', 'xor', '', 'or', 'and'][funct3] ?? '', alu(funct3, a, b))
      }
      case 0x3b: {
        const shift = b & 31n
        if (funct7 === 0 && funct3 === 0) return result('addw', sext32(a + b))
        if (funct7 === 0 && funct3 === 1) return result('sllw', sext32(a << shift))
        if (funct7 === 0 && funct3 === 5) return result('srlw', sext32((a & 0xffffffffn) >> shift))
        if (funct7 === 0x20 && funct3 === 0) return result('subw', sext32(a - b))
        if (funct7 === 0x20 && funct3 === 5) return result('sraw', BigInt.asIntN(32, a) >> shift)
        return illegal()
      }
      case 0x0f:
        if (funct3 > 1) illegal()
        done.name = funct3 === 0 ? 'fence' : 'fence.i'
        return
      case 0x0b:
        return result(...this.delta(word, funct3, funct7, a, b, illegal))
      case 0x73:
        return this.system(word, funct3, rs1, a, done, result, illegal)
      default:
        return illegal()
    }
  }

  /** custom-0: rs1 names the context (modulo CONTEXTS), rs2 is the value or delta; rd is the state before. */
  private delta(
    word: number,
    funct3: number,
    funct7: number,
    a: bigint,
    b: bigint,
    illegal: () => never,
  ): [string, bigint] {
    const keep = funct7 === 1 && funct3 === 3
    if (funct3 > 3 || (funct7 !== 0 && !keep)) illegal()
    const context = Number(a & BigInt(CONTEXTS - 1))
    const state = (this.reference[context] ?? 0n) ^ (this.accumulator[context] ?? 0n)
    if (funct3 === 1) this.accumulator[context] = (this.accumulator[context] ?? 0n) ^ b
    else if (funct3 !== 2) {
      this.reference[context] = keep ? state : b
      this.accumulator[context] = 0n
    }
    void word
    return [keep ? 'delta.swap.keep' : (DELTA[funct3] ?? '?'), state]
  }

  private load(name: string, funct3: number, address: bigint, rd: number, done: Retired): undefined {
    const bytes = 1 << (funct3 & 3)
    this.check(address, bytes, 4)
    const device = isDevice(address)
    const word = device ? this.outside.readDevice(address, bytes) : this.memory.read(address, bytes)
    const value = funct3 & 4 ? word : u64(BigInt.asIntN(8 * bytes, word))
    Object.assign(done, {
      name,
      rd,
      rdWord: value,
      memoryAddress: address,
      readBytes: bytes,
      memoryWord: word,
    })
  }

  private store(name: string, funct3: number, address: bigint, value: bigint, done: Retired): undefined {
    const bytes = 1 << funct3
    const word = BigInt.asUintN(8 * bytes, value)
    this.check(address, bytes, 6, () => {
      // the first access of a crossing store is done before the second faults, as on the bus
      const firstBytes = 8 - Number(address & 7n)
      this.memory.write(address, firstBytes, BigInt.asUintN(8 * firstBytes, word))
    })
    if (isDevice(address)) this.outside.writeDevice(address, bytes, word)
    else this.memory.write(address, bytes, word)
    Object.assign(done, { name, memoryAddress: address, writeBytes: bytes, memoryWord: word })
  }

  /** Misaligned (when that is set to trap) and access faults; `cause` is 4 for loads and 6 for stores. */
  private check(address: bigint, bytes: number, cause: number, firstAccess: () => void = () => {}): void {
    if (this.trapMisaligned && address % BigInt(bytes) !== 0n) throw new Trap(cause, address)
    const reachable = (at: bigint): boolean => isRam(at) || isDevice(at) || isRom(at)
    if (!reachable(address)) throw new Trap(cause + 1, address)
    const crosses = (address & 7n) + BigInt(bytes) > 8n
    const second = u64(address + 8n) & ~7n
    if (crosses && !reachable(second)) {
      firstAccess()
      throw new Trap(cause + 1, u64(address + 8n))
    }
  }

  private system(
    word: number,
    funct3: number,
    rs1: number,
    a: bigint,
    done: Retired,
    result: (name: string, value: bigint) => undefined,
    illegal: () => never,
  ): undefined {
    if (funct3 === 0) {
      switch (word) {
        case 0x00000073:
          throw new Trap(11, 0n)
        case 0x00100073:
          throw new Trap(3, this.pc)
        case 0x30200073:
          done.name = 'mret'
          done.pcNext = this.mepc
          this.mstatus = this.mstatus & 0x80n ? 0x88n : 0x80n
          return
        case 0x10500073:
          done.name = 'wfi'
          return
        default:
          illegal()
      }
    }
    if (funct3 === 4) illegal()
    const number = word >>> 20
    const writes = (funct3 & 3) === 1 || rs1 !== 0
    const old = this.readCsr(number)
    if (old === null || (writes && number >>> 10 === 3)) return illegal()
    result(CSR_NAME[funct3] ?? '?', old)
    if (!writes) return
    const source = funct3 & 4 ? BigInt(rs1) : a
    const mode = funct3 & 3
    this.writeCsr(number, mode === 1 ? source : mode === 2 ? old | source : old & ~source)
  }

  /** null when there is no such CSR */
  private readCsr(number: number): bigint | null {
    if ((number >= 0xb03 && number <= 0xb1f) || (number >= 0x323 && number <= 0x33f)) return 0n
    switch (number) {
      case 0x300:
        return this.mstatus | 0x1800n
      case 0x301:
        return 0x8000_0000_0080_0100n
      case 0x304:
        return this.mie
      case 0x305:
        return this.mtvec
      case 0x340:
        return this.mscratch
      case 0x341:
        return this.mepc
      case 0x342:
        return this.mcause
      case 0x343:
        return this.mtval
      case 0x344:
        return this.outside.pending()
      case 0x3b0:
        return (1n << 54n) - 1n
      case 0x7c0:
        return this.trapMisaligned ? 1n : 0n
      case 0xb00:
      case 0xc00:
      case 0xc01:
        return this.outside.cycle()
      case 0xb02:
      case 0xc02:
        return this.minstret
      case 0x320:
      case 0x3a0:
      case 0x7a0:
      case 0x7a1:
      case 0x7a2:
      case 0x7a3:
      case 0xf11:
      case 0xf12:
      case 0xf13:
      case 0xf14:
      case 0xf15:
        return 0n
      default:
        return null
    }
  }

  private writeCsr(number: number, word: bigint): void {
    switch (number) {
      case 0x300:
        this.mstatus = word & 0x88n
        break
      case 0x304:
        this.mie = word & 0x888n
        break
      case 0x305:
        this.mtvec = narrow(word & MASK & ~3n)
        break
      case 0x340:
        this.mscratch = u64(word)
        break
      case 0x341:
        this.mepc = narrow(word & MASK & ~3n)
        break
      case 0x342:
        this.mcause = word & (SIGN | 15n)
        break
      case 0x343:
        this.mtval = u64(word)
        break
      case 0x7c0:
        this.trapMisaligned = (word & 1n) === 1n
        break
      case 0xb00:
        this.outside.setCycle(u64(word))
        break
      case 0xb02:
        this.minstret = u64(word)
        this.minstretWritten = true
        break
      default: // hardwired
        break
    }
  }
}

function alu(funct3: number, a: bigint, b: bigint): bigint {
  switch (funct3) {
    case 0:
      return a + b
    case 2:
      return s64(a) < s64(b) ? 1n : 0n
    case 3:
      return a < b ? 1n : 0n
    case 4:
      return a ^ b
    case 6:
      return a | b
    default:
      return a & b
  }
}
