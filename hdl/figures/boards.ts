// What can reach each board: the bytes a second of its fastest inputs, nominal rates from the makers' papers, not measured
// here and before any overhead. A port that takes a 64-bit delta and its 16-bit address every clock needs 10 bytes a clock.
//
//   Tang Nano 9K  64 Mbit PSRAM in the package, 16 data lines (litex-boards sipeed_tang_nano_9k.py, IO_psram_dq) at up to 333 Mbit/s
//                 each, of which Gowin's own controller reaches 74 % in bursts of 128 (Gowin PSRAM Memory Interface IP, data rate
//                 and efficiency); a USB bridge of 3 Mbit/s
//   ULX3S         32 MB SDRAM at 166 MHz (radiona.org/ulx3s), 16 data lines (ulx3s_v20.lpf, "SDRAM"); FT231X, 3 Mbit/s (its README)
//   HX8K board    no memory; FT2232H, 12 Mbit/s

export interface Board {
  name: string
  part: 'gowin' | 'ecp5' | 'ice40'
  /** bytes a second and what brings them */
  memory: [number, string]
  link: [number, string]
}
export const BOARDS: Board[] = [
  {
    name: 'Tang Nano 9K',
    part: 'gowin',
    memory: [666e6, 'PSRAM in package, 16 lines of 333 Mbit/s'],
    link: [0.3e6, 'USB serial, 3 Mbit/s'],
  },
  {
    name: 'ULX3S',
    part: 'ecp5',
    memory: [332e6, 'SDRAM, 16 lines at 166 MHz'],
    link: [0.3e6, 'USB serial, 3 Mbit/s'],
  },
  {
    name: 'HX8K board',
    part: 'ice40',
    memory: [0, 'none on the breakout board'],
    link: [1.2e6, 'USB serial, 12 Mbit/s'],
  },
]
/** A 64-bit delta and a 16-bit address; a word of a fold has no address. */
export const DELTA_BYTES = 10
export const WORD_BYTES = 8
