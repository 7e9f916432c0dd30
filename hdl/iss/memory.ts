// The machine around the core, as the benches build it: boot ROM, RAM, and a few device registers.
//
//   0x0000_1000  boot ROM, 32 bytes: loads the entry point into t0 and jumps there
//   0x0200_0000  msip (bit 0) · 0x0200_4000 mtimecmp · 0x0200_bff8 mtime
//   0x1000_0000  console: a byte stored here is printed
//   0x8000_0000  RAM, 16 MiB
//
// Anything else is an access fault. bench/core_bench.cpp is the same machine for the Verilog core.
import { type Elf, ElfError } from './elf.ts'

export const ROM_BASE = 0x1000n
export const RAM_BASE = 0x8000_0000n
export const RAM_BYTES = 16 << 20
const RAM_END = RAM_BASE + BigInt(RAM_BYTES)

export const isRam = (address: bigint): boolean => address >= RAM_BASE && address < RAM_END
export const isRom = (address: bigint): boolean => address >= ROM_BASE && address < ROM_BASE + 32n
export const isDevice = (address: bigint): boolean =>
  (address >= 0x0200_0000n && address < 0x0201_0000n) || (address >= 0x1000_0000n && address < 0x1000_0100n)

export class Memory {
  readonly bytes = new Uint8Array(RAM_BYTES)
  readonly rom = new Uint8Array(32)
  private readonly view = new DataView(this.bytes.buffer)
  private readonly romView = new DataView(this.rom.buffer)

  constructor(entry: bigint) {
    this.romView.setUint32(0, 0x0000_0297, true) // auipc t0, 0
    this.romView.setUint32(4, 0x0182_b283, true) // ld t0, 24(t0)
    this.romView.setUint32(8, 0x0002_8067, true) // jr t0
    this.romView.setUint32(12, 0x0000_0013, true)
    this.romView.setBigUint64(24, entry, true)
  }

  /** Little-endian word of 1, 2, 4 or 8 bytes in RAM or ROM; the caller has checked where it lies. */
  read(address: bigint, bytes: number): bigint {
    let word = 0n
    for (let i = bytes - 1; i >= 0; i--) word = (word << 8n) | BigInt(this.byte(address + BigInt(i)))
    return word
  }

  /** The instruction at a 4-aligned address, or null when nothing can be fetched there. */
  fetch(address: bigint): number | null {
    if (isRam(address)) return this.view.getUint32(Number(address - RAM_BASE), true)
    if (isRom(address)) return this.romView.getUint32(Number(address - ROM_BASE), true)
    return null
  }

  write(address: bigint, bytes: number, word: bigint): void {
    for (let i = 0; i < bytes; i++) {
      if (isRam(address + BigInt(i)))
        this.bytes[Number(address - RAM_BASE) + i] = Number((word >> BigInt(8 * i)) & 0xffn)
    }
  }

  private byte(address: bigint): number {
    if (isRam(address)) return this.bytes[Number(address - RAM_BASE)] ?? 0
    if (isRom(address)) return this.rom[Number(address - ROM_BASE)] ?? 0
    return 0
  }
}

/** Puts an executable's segments into a fresh memory. @throws ElfError when one lies outside the RAM */
export function loadElf(elf: Elf): Memory {
  const memory = new Memory(elf.entry)
  for (const { address, bytes, memoryBytes } of elf.segments) {
    if (address < RAM_BASE || address + memoryBytes > RAM_END)
      throw new ElfError(
        `segment at 0x${address.toString(16)} of ${memoryBytes} bytes is outside the RAM ` +
          `(0x${RAM_BASE.toString(16)} to 0x${RAM_END.toString(16)})`,
      )
    memory.bytes.set(bytes, Number(address - RAM_BASE))
  }
  if (!isRam(elf.entry)) throw new ElfError(`entry point 0x${elf.entry.toString(16)} is outside the RAM`)
  if (elf.entry & 3n) throw new ElfError(`entry point 0x${elf.entry.toString(16)} is not a multiple of 4`)
  return memory
}
