/** The C baseline: compiled from baseline.c when a compiler is there, and asked over a pipe, one line for a line. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface CRun {
  readonly seconds: number
  /** Kernel's own check value, in hexadecimal. */
  readonly check: string
}

export class CBaseline {
  readonly #process: ChildProcess
  readonly #waiting: ((line: string) => void)[] = []
  readonly #fail: Promise<never>

  private constructor(program: string) {
    this.#process = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
    const output = this.#process.stdout
    if (output === null) throw new Error('no pipe from the C baseline')
    createInterface({ input: output }).on('line', line => this.#waiting.shift()?.(line))
    this.#fail = new Promise((_, reject) => {
      this.#process.on('exit', code => reject(new Error(`the C baseline ended with ${code}`)))
      this.#process.on('error', reject)
    })
    this.#fail.catch(() => undefined)
  }

  /** Undefined where there is no gcc, or not for this processor. @param source baseline.c */
  static async start(source: string): Promise<CBaseline | undefined> {
    if (process.arch !== 'x64') return undefined
    const folder = mkdtempSync(join(tmpdir(), 'atomik-bench-'))
    try {
      const program = join(folder, 'baseline')
      execFileSync('gcc', ['-O3', '-pthread', '-o', program, source], { stdio: ['ignore', 'ignore', 'pipe'] })
      const baseline = new CBaseline(program)
      // It runs: its file is no longer needed.
      await baseline.ask('has avx2')
      return baseline
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  ask(command: string): Promise<string> {
    const answer = new Promise<string>(resolve => {
      this.#waiting.push(resolve)
      this.#process.stdin?.write(`${command}\n`)
    })
    return Promise.race([answer, this.#fail])
  }

  /** The program's process, to look at its memory. */
  get pid(): number | undefined {
    return this.#process.pid
  }

  async has(feature: 'avx2' | 'avx512'): Promise<boolean> {
    return (await this.ask(`has ${feature}`)) === '1'
  }

  async run(kernel: string, times: number): Promise<CRun> {
    const [nanoseconds, check] = (await this.ask(`run ${kernel} ${times}`)).split(' ')
    return { seconds: Number(nanoseconds) / 1e9, check }
  }

  stop(): void {
    this.#process.stdin?.end()
  }
}
