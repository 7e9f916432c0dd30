// What can reach each board: the bytes a second of its fastest inputs, from the makers' data sheets (nominal rates, not
// measured here). A port that takes a 64-bit delta and its 16-bit address every clock needs 10 bytes a clock.

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
    memory: [332e6, 'PSRAM in package, 16 bit at 166 MT/s'],
    link: [0.3e6, 'USB serial, 3 Mbit/s'],
  },
  {
    name: 'ULX3S',
    part: 'ecp5',
    memory: [266e6, 'SDRAM, 16 bit at 133 MHz'],
    link: [0.3e6, 'USB serial, 3 Mbit/s'],
  },
  {
    name: 'HX8K board',
    part: 'ice40',
    memory: [0, 'none on the breakout board'],
    link: [1.2e6, 'USB serial, 12 Mbit/s'],
  },
]
export const DELTA_BYTES = 10
