/** Goal: the bytes are those of kmod/include/atomik.h. Method: the compiler's own answer, where there is one. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import * as abi from './abi.ts'

const header = fileURLToPath(new URL('../../../kmod/include/atomik.h', import.meta.url))

function compilerSays(expressions: string[]): number[] | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'atomik-abi-'))
  try {
    const prints = expressions.map(text => `printf("%llu\\n", (unsigned long long)(${text}));`).join('\n')
    writeFileSync(
      join(directory, 'a.c'),
      `#include <stdio.h>\n#include <stddef.h>\n#include "${header}"\nint main(void) { ${prints} return 0; }`,
    )
    execFileSync('gcc', ['-o', join(directory, 'a'), join(directory, 'a.c')], { stdio: 'pipe' })
    return execFileSync(join(directory, 'a'), { encoding: 'utf8' }).trim().split('\n').map(Number)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  } finally {
    rmSync(directory, { recursive: true })
  }
}

describe('the device’s bytes', () => {
  it('agree with the C header in commands, sizes and offsets', context => {
    const said = compilerSays([
      'ATOMIK_IOC_INFO',
      'ATOMIK_IOC_TABLE',
      'ATOMIK_IOC_OP',
      'ATOMIK_IOC_RING',
      'ATOMIK_IOC_ENTER',
      'sizeof(struct atomik_table_args)',
      'offsetof(struct atomik_table_args, contexts)',
      'sizeof(struct atomik_op)',
      'offsetof(struct atomik_op, words)',
      'sizeof(struct atomik_ring)',
      'sizeof(struct atomik_enter)',
      'sizeof(struct atomik_sqe)',
      'sizeof(struct atomik_cqe)',
      'offsetof(struct atomik_ring_head, cq_tail)',
      'ATOMIK_SQE_SILENT',
    ])
    // The layout is the C compiler's to say; the library's users need none, so a machine without one only passes it over.
    if (!said) context.skip('no C compiler here; npm run kmod installs one')
    expect(said).toEqual([
      ...Object.values(abi.commands),
      abi.tableBytes,
      52,
      abi.opBytes,
      32,
      abi.ringBytes,
      abi.enterBytes,
      abi.sqeBytes,
      abi.cqeBytes,
      abi.ringHead.cqTail,
      abi.sqeSilent,
    ])
  })

  it('carry words of any width there and back, and refuse one bit more', () => {
    for (const width of [1, 32, 63, 64, 65, 130, 4096]) {
      const most = (1n << BigInt(width)) - 1n
      for (const value of [0n, 1n, most]) expect(abi.decodeWords(abi.encodeWords(value, width))).toBe(value)
      expect(() => abi.encodeWords(most + 1n, width)).toThrow(/wanted a value of/)
      expect(() => abi.encodeWords(-1n, width)).toThrow(/wanted a value of/)
    }
  })

  it('hold a name of 31 bytes and refuse 32', () => {
    const args = { flags: 1, mode: 0o600, lane: 1, width: 64, contexts: 7 }
    expect(abi.decodeTable(abi.encodeTable({ ...args, name: 'n'.repeat(31) }))).toEqual({
      lane: 1,
      width: 64,
      contexts: 7,
    })
    expect(() => abi.encodeTable({ ...args, name: 'n'.repeat(32) })).toThrow(/31 bytes/)
  })
})
