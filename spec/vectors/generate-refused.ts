/**
 * Writes spec/vectors/refused.json: bytes that must be refused, with the code and the offset that must be reported. All are
 * written by hand from spec/wire.md; a test asks this library. `npx tsx tools/vectors.ts`.
 */
import type { ErrorCode } from '../../packages/atomik/src/errors.ts'
import { vectorSchemas } from './generate-codec.ts'
import { formatLists } from './text.ts'

export interface RefusedCase {
  name: string
  /** What the bytes are taken for: a message of either direction, or the body of a delta. */
  read: 'up' | 'down' | 'delta'
  /** Deltas only: as in codec.json. */
  schema?: string
  stampBaseMs?: number
  naming?: 'key' | 'uplink' | 'downlink'
  known?: string[][]
  bytes: string
  code: ErrorCode
  offset: number
}

const cases: RefusedCase[] = []

function message(read: 'up' | 'down', name: string, bytes: string, code: ErrorCode, offset: number): void {
  cases.push({ name, read, bytes: bytes.replaceAll(' ', ''), code, offset })
}
const up = message.bind(undefined, 'up')
const down = message.bind(undefined, 'down')

type DeltaOptions = Pick<RefusedCase, 'schema' | 'stampBaseMs' | 'naming' | 'known'>
function delta(
  name: string,
  bytes: string,
  code: ErrorCode,
  offset: number,
  options: DeltaOptions = {},
): void {
  const { schema = vectorSchemas.counter, stampBaseMs = 0, naming = 'key', known = [] } = options
  cases.push({
    name,
    read: 'delta',
    schema,
    stampBaseMs,
    naming,
    known,
    bytes: bytes.replaceAll(' ', ''),
    code,
    offset,
  })
}
const kinds: DeltaOptions = { schema: vectorSchemas.kinds }

// ── deltas of c(n:counter): word 0 is life, word 1 a counter; "01 01 0101" is a run of life 1 ──────────────────────
delta('nothing at all', '', 'truncated', 0)
delta('varint cut', '80', 'truncated', 1)
delta('varint longer than it needs', '8100', 'malformed', 0)
delta('varint of nine bytes', 'ffffffffffffffffff', 'malformed', 0)
delta('more tables than there are', '02', 'oversized', 0)
delta('table index beyond the last', '0101', 'oversized', 1)
delta('table without rows', '010000', 'malformed', 3)
delta('literal rows announced, none there', '01000100', 'malformed', 4)
delta('more rows than a table may have', '0100 82808004', 'oversized', 2)
delta('more literal rows than a table may have', '010001 81808002', 'oversized', 3)
delta('empty key', '0100010100', 'malformed', 4)
delta('key of 256 bytes', '01000101 8002', 'oversized', 4)
delta('key cut', '01000101 0361', 'truncated', 5)
delta('key not UTF-8', '01000101 01ff 01010101', 'malformed', 4)
delta('key overlong', '01000101 02c181 01010101', 'malformed', 4)
delta('key with a surrogate', '01000101 03eda080 01010101', 'malformed', 4)
delta('key beyond U+10FFFF', '01000101 04f4908080 01010101', 'malformed', 4)
delta('keys out of order', '01000102 0162 01010101 0161 01010101', 'malformed', 10)
delta('one key twice', '01000102 0161 01010101 0161 01010101', 'malformed', 10)
delta('empty run', '01000101 0161 0100', 'malformed', 8)
delta('run longer than the widest row', '01000101 0161 01 8120', 'oversized', 7)
delta('run beyond the row', '01000101 0161 0501', 'range', 8)
delta('runs that touch', '01000101 0161 00010101 01010102', 'malformed', 11)
delta('zero word in a run', '01000101 0161 0101 00', 'malformed', 8)
delta('announced byte is zero', '01000101 0161 0101 0100', 'malformed', 8)
delta('word cut', '01000101 0161 0101 0301', 'truncated', 10)
delta('bytes after the end', '0000', 'malformed', 1)
delta('unknown row number', '010002 01 03010102', 'range', 3, { naming: 'uplink', known: [['a']] })
delta('a client introduces a number', '010002 01 0162 01010101', 'range', 3, {
  naming: 'uplink',
  known: [['a']],
})
delta('one row by number and by key', '010003 00 03010102 01 0161 01010101', 'malformed', 9, {
  naming: 'uplink',
  known: [['a']],
})
delta('numbers with a hole', '010002 02 0162 01010101', 'range', 3, { naming: 'downlink', known: [['a']] })
delta('one new key under two numbers', '010004 01 0162 01010101 00 0162 01010101', 'malformed', 10, {
  naming: 'downlink',
  known: [['a']],
})
delta('one new key by number and by key', '010003 01 0162 01010101 01 0162 01010101', 'malformed', 11, {
  naming: 'downlink',
  known: [['a']],
})

// ── deltas of the schema with all kinds: word 7 is the stamp of a u16, word 8 its value, words 9 and 10 are bits(70) ──
delta('value wider than its bits', '01000101 0161 0f02 0b00 0401', 'width', 10, kinds)
delta('bits beyond the last', '01000101 0161 1501 0140', 'width', 8, kinds)
delta('value without a stamp', '01000101 0161 1101 0101', 'malformed', 6, kinds)
delta('stamp of zero', '01000101 0161 0f01 00', 'malformed', 8, kinds)
delta('repeated stamp spelt out', '01000102 0161 0f01 0b00 0162 0f01 0100', 'malformed', 14, kinds)
delta('stamp before 1970', '01000101 0161 0f01 0200', 'range', 8, kinds)
delta('stamp beyond 48 bits', '01000101 0161 0f01 8180808080808001 00', 'range', 8, kinds)
delta('stamp distance beyond all', '01000101 0161 0f01 8280808080808001 00', 'oversized', 8, kinds)
delta('stamp count of 17 bits', '01000101 0161 0f01 0b808004', 'oversized', 9, kinds)
delta('stamp without a count', '01000101 0161 0f01 0b', 'truncated', 9, kinds)

// ── client to hub ───────────────────────────────────────────────────────────────────────────────────────────────────
up('nothing at all', '', 'truncated', 0)
up('frame type 0', '00', 'malformed', 0)
up('frame type 8', '08', 'malformed', 0)
up('rows of 4,097', '07 8120', 'oversized', 1)
up('row with an empty key', '07 01 00 00 00 00', 'malformed', 4)
up('row of 4,097 words', '07 01 00 00 01 41 8120', 'oversized', 6)
up('rows cut', '07 01 00 00 01 41 02 00', 'truncated', 8)
up('frame type 255', 'ff', 'malformed', 0)
up('a welcome from a client', '10', 'malformed', 0)
up('hello with another magic', '01 41544d4c 01', 'malformed', 0)
up('hello cut', '01 4154', 'truncated', 1)
up('hello of version 0', '01 41544d4b 00', 'version', 0)
up('hello of version 2', '01 41544d4b 02', 'version', 0)
up('hello of version 2, then what only it knows', '01 41544d4b 02 ffff', 'version', 0)
up('token of 4,097 bytes', '02 8120', 'oversized', 1)
up('token cut', '02 05 6162', 'truncated', 2)
up('token not UTF-8', '02 01 ff', 'malformed', 1)
up('subscribe to an empty name', '03 01 00', 'malformed', 0)
up('subscribe to a name with NUL', '03 01 03 610062', 'malformed', 0)
up('subscribe to a name of 121 bytes', '03 01 79', 'oversized', 2)
up('schema of 65,537 bytes', '03 01 0161 818004', 'oversized', 4)
up('subscribe cut in the epoch', '03 01 0161 00 00000000', 'truncated', 5)
up('65 incarnations', '03 01 0161 00 0000000000000000 00 41', 'oversized', 14)
up('incarnation cut', '03 01 0161 00 0000000000000000 00 01 00000000', 'truncated', 15)
up(
  'one incarnation twice',
  `03 01 0161 00 0000000000000000 00 02 ${'11'.repeat(16)} 00 ${'00'.repeat(8)} ${'11'.repeat(16)} 00 ${'00'.repeat(8)}`,
  'malformed',
  40,
)
up('batch of no changes', '04 00 00 00 00', 'malformed', 0)
up('batch under alias 64', '04 8001', 'oversized', 1)
up('batch that ends beyond 2^53', '04 00 ffffffffffffff0f 01 00', 'oversized', 10)
up('batch with half a salt', '04 01 00 01 11223344', 'truncated', 4)
up('batch whose body is cut', '04 00 00 01 0e 0100', 'truncated', 5)
up('batch of 1,048,577 bytes', '04 00 00 01 818040', 'oversized', 4)
up('65 confirmations', '05 00 41', 'oversized', 2)
up('confirmation under alias 64', '05 00 01 40 00', 'oversized', 3)
up('log number of 56 bits', '06 ffffffffffffff7f', 'oversized', 1)
up('log number in nine bytes', '06 8080808080808080 01', 'malformed', 1)
up('log number cut', '06 ff', 'truncated', 2)
up('a good frame, then a bad one', '06 01 08', 'malformed', 2)

// ── hub to client ───────────────────────────────────────────────────────────────────────────────────────────────────
down('nothing at all', '', 'truncated', 0)
down('frame type 15', '0f', 'malformed', 0)
down('frame type 25', '19', 'malformed', 0)
down('a hello from a hub', '01 41544d4b 01', 'malformed', 0)
down('welcome that ends beyond 2^53', '10 01 0000000000000000 ffffffffffffff0f 01', 'oversized', 18)
down('stamp base of 49 bits', '10 01 0000000000000000 00 00 80808080808040 01 00', 'oversized', 12)
down('writable is 2', '10 01 0000000000000000 00 00 00 02 00', 'malformed', 13)
down('65 heads', '10 01 0000000000000000 00 00 00 01 41', 'oversized', 14)
down('head under alias 64', '10 01 0000000000000000 00 00 00 01 01 40', 'oversized', 15)
down('1,025 refusals', '14 00 0000000000000000 01 00 00 0000000000000000 8108', 'oversized', 21)
down(
  'refusal with an unknown code',
  '14 00 0000000000000000 01 00 05 0000000000000000 01 03 ff',
  'malformed',
  23,
)
down('16,777,217 entries', '11 00 81808008', 'oversized', 2)
down('entries announced, none there', '11 00 01', 'truncated', 3)
down('entry of 64 MiB + 1', '11 00 01 81808020', 'oversized', 3)
down('delta cut', '11 00 01 05 00', 'truncated', 4)
down('own entry cut', '11 00 01 01 00', 'truncated', 5)
down('refused entry without a code', '11 00 01 02 00 05', 'truncated', 6)
down('refused entry with an unknown code', '11 00 01 02 00 05 ff', 'malformed', 6)
down('fold that ends beyond 2^53', '12 ffffffffffffff0f 01 00 00', 'oversized', 9)
down('fold of 64 MiB + 1', '12 00 01 00 81808020', 'oversized', 4)
down('snapshot cut', '13 00 01 00 04 0100', 'truncated', 5)
down('ack with half a digest', '14 00 00000000', 'truncated', 2)
down('lack of 4,097 rows', '18 01 8120', 'oversized', 2)
down('lack in table 64', '18 01 01 40 00', 'oversized', 3)
down('lack cut', '18 01 01 00', 'truncated', 4)
down('resend under alias 64', '15 40 00', 'oversized', 1)
down('fork without a sequence', '16 01 00', 'truncated', 3)
down('error with an unknown number', '17 ff 00 00', 'malformed', 1)
down('fatal is 2', '17 00 02 00', 'malformed', 2)
down('error text of 1,025 bytes', '17 00 00 8108', 'oversized', 3)
down('error text not UTF-8', '17 00 00 01 80', 'malformed', 3)

export const refusedCases: readonly RefusedCase[] = cases

export function formatRefused(): string {
  return formatLists({ cases })
}
