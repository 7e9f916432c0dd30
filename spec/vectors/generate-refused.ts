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

// ── deltas of c(n:counter): word 0 is life, word 1 a counter. A row by key with life 1 is "02 0200 0161 01 01": the last
// block, one row; a shape of one run at group 0; the key; a control byte of span 1 and the byte ────────────────────────
delta('nothing at all', '', 'truncated', 0)
delta('varint cut', '80', 'truncated', 1)
delta('varint longer than it needs', '8100', 'malformed', 0)
delta('varint of nine bytes', 'ffffffffffffffffff', 'malformed', 0)
delta('more tables than there are', '00 02', 'oversized', 1)
delta('table beyond the last', '00 01 05', 'range', 2)
delta('sections that do not exist', '00 01 03', 'malformed', 2)
delta('table without rows', '00 01 01', 'truncated', 3)
delta('head of rows by key with an unknown bit', '00 01 01 04', 'oversized', 3)
delta('more rows than a table may have', '00 01 01 03 ffffff01 0200', 'oversized', 4)
delta('more rows than bytes', '00 01 01 03 fe07 0200 0161', 'truncated', 10)
delta('row without groups', '00 01 01 02 00 0161', 'malformed', 4)
delta('empty key', '00 01 01 02 0200 00', 'malformed', 6)
delta('key of 256 bytes', '00 01 01 02 0200 8002', 'oversized', 6)
delta('key cut', '00 01 01 02 0200 0361', 'truncated', 7)
delta('key not UTF-8', '00 01 01 02 0200 01ff 0101', 'malformed', 6)
delta('key overlong', '00 01 01 02 0200 02c181 0101', 'malformed', 6)
delta('key with a surrogate', '00 01 01 02 0200 03eda080 0101', 'malformed', 6)
delta('key beyond U+10FFFF', '00 01 01 02 0200 04f4908080 0101', 'malformed', 6)
delta('keys out of order', '00 01 01 03 00 0200 0162 0161 2601 01', 'malformed', 9)
delta('one key twice', '00 01 01 03 00 0200 0161 0161 2601 01', 'malformed', 9)
delta('run beyond the row', '00 01 01 02 0204 0161 0101', 'range', 5)
delta('run longer than the row', '00 01 01 02 020101 0161 4b010101', 'range', 5)
delta('run longer than the widest row', '00 01 01 02 0201 ff1f', 'oversized', 6)
delta('more runs than words', '00 01 01 02 8240', 'oversized', 4)
delta('runs that touch', '00 01 01 02 040000 0161 260101', 'malformed', 6)
delta('one shape in two blocks', '00 01 01 00 0200 0161 0101 02 0200 0162 0101', 'malformed', 10)
delta('zero word', '00 01 01 02 0200 0161 00', 'malformed', 8)
delta('span that begins with a zero byte', '00 01 01 02 0200 0161 02 0001', 'malformed', 9)
delta('span that ends with a zero byte', '00 01 01 02 0200 0161 02 0100', 'malformed', 9)
delta('control byte of no span', '00 01 01 02 0200 0161 de 01', 'malformed', 8)
delta('control byte for more words than there are', '00 01 01 02 0200 0161 26 0101', 'malformed', 10)
delta('one span under two control bytes', '00 01 01 02 020100 0161 0101 0102', 'malformed', 11)
delta('word cut', '00 01 01 02 0200 0161 04 0101', 'truncated', 9)
delta('bytes after the end', '0000 00', 'malformed', 2)
const up1: DeltaOptions = { naming: 'uplink', known: [['a']] }
const up4: DeltaOptions = { naming: 'uplink', known: [['a', 'b', 'c', 'd']] }
const down1: DeltaOptions = { naming: 'downlink', known: [['a']] }
delta('point in an unknown row', '09 0101', 'range', 0, up1)
delta('point in a table that is not there', '07 01 0101', 'range', 0, up1)
delta('point at a word that is not there', '03 0101', 'range', 0, up1)
delta('point at a near word, spelt out', '07 02 0101', 'malformed', 0, up1)
delta('point of words that fill their bytes, not said so', '01 1d 0101010101010101', 'malformed', 1, up1)
delta('point of words said to fill their bytes that do not', '02 0101010101010100', 'malformed', 1, up1)
delta('point cut', '02 01010101', 'truncated', 1, up1)
delta('point in the long form', '00 01 00 04 0202 0101', 'malformed', 0, up1)
delta('unknown row number', '00 01 00 0c 0202 0101', 'range', 3, up1)
delta('rows beyond the known', '00 01 00 05 00 0202 260101', 'range', 3, up1)
delta('shape as before, and none was', '00 01 00 06 0101', 'malformed', 3, up4)
delta('rows that belong to the block before', '00 01 00 00 0202 0101 06 0101', 'malformed', 8, up4)
delta('shape spelt out that is as before', '00 01 00 00 0202 0101 0c 0202 0101', 'malformed', 8, up4)
delta('one row by number and by key', '00 01 02 04 0202 0101 02 0200 0161 0101', 'malformed', 11, up1)
delta('a second number for one row', '00 01 01 02 0200 0161 0101', 'malformed', 6, down1)
delta('one new key twice, hub to client', '00 01 01 03 00 0200 0162 0162 260101', 'malformed', 9, down1)

// ── deltas of the schema with all kinds: words 1 flag, 2 counter, 3 a toggle; 4–6 a text, 7–8 a u16, 9–10 bits(70) ───
const known: DeltaOptions = { schema: vectorSchemas.kinds, naming: 'uplink', known: [['a']] }
delta('value wider than its bits', '00 01 01 02 020a 0161 05 04 010101', 'width', 9, kinds)
delta('bits beyond the last', '00 01 01 02 020e 0161 01 40', 'width', 8, kinds)
delta('point at a word inside a register', '07 14 0101', 'malformed', 0, known)
delta('stamp of zero', '00 01 01 02 020a 0161 00 0101', 'malformed', 8, kinds)
delta('stamp before 1970', '00 01 01 02 020a 0161 01 0101', 'range', 8, kinds)
delta('stamp beyond 48 bits', '00 01 01 02 020a 0161 fdffffffffffff03 0101', 'range', 8, kinds)
delta('stamp distance beyond all', '00 01 01 02 020a 0161 ffffffffffffff0f', 'oversized', 8, kinds)
delta('stamp count below zero', '00 01 01 02 020a 0161 02 0101', 'range', 8, kinds)
delta('stamp count of 17 bits', '00 01 01 02 020a 0161 07 ffff03', 'oversized', 9, kinds)
delta('stamp without a count', '00 01 01 02 020a 0161 07', 'truncated', 9, kinds)
delta('toggle in a sparse row’s shape', '00 01 01 02 0306', 'malformed', 5, kinds)
delta('listed bit that is no toggle', '00 01 01 02 01 0161 02 40 00', 'range', 8, kinds)
delta('listed bit beyond the last', '00 01 01 02 01 0161 02 c004 45', 'width', 10, kinds)
delta('listed bits in one word', '00 01 01 02 01 0161 02 c004 00', 'malformed', 7, kinds)
delta('few bits that are not listed', '00 01 01 02 020d00 0161 260101', 'malformed', 9, kinds)

// ── client to hub ───────────────────────────────────────────────────────────────────────────────────────────────────
up('nothing at all', '', 'truncated', 0)
up('frame type 0', '00', 'malformed', 0)
up('frame type 8', '08', 'malformed', 0)
up('rows of 4,097', '07 8120', 'oversized', 1)
up('row with an empty key', '07 01 00 00 00 00', 'malformed', 4)
up('row of 4,097 words', '07 01 00 00 01 41 8120', 'oversized', 6)
up('rows cut', '07 01 00 00 01 41 02 00', 'truncated', 8)
up('frame type 255', 'ff', 'malformed', 0)
up('a short entry from a client', 'c0 0000', 'malformed', 0)
up('change without a delta', '80', 'truncated', 1)
up('a welcome from a client', '10', 'malformed', 0)
up('hello with another magic', '01 41544d4c 01', 'malformed', 0)
up('hello cut', '01 4154', 'truncated', 1)
up('hello of version 0', '01 41544d4b 00', 'version', 0)
up('hello of version 2', '01 41544d4b 02', 'version', 0)
up('hello of version 4', '01 41544d4b 04', 'version', 0)
up('hello of version 4, then what only it knows', '01 41544d4b 04 ffff', 'version', 0)
up('token of 4,097 bytes', '02 8120', 'oversized', 1)
up('token cut', '02 05 6162', 'truncated', 2)
up('token not UTF-8', '02 01 ff', 'malformed', 1)
up('subscribe to an empty name', '03 01 00', 'malformed', 0)
up('subscribe to a name with NUL', '03 01 03 610062', 'malformed', 0)
up('subscribe to a name of 121 bytes', '03 01 79', 'oversized', 2)
up('schema of 65,537 bytes', '03 01 0161 818004', 'oversized', 4)
up('subscribe cut in the epoch', '03 01 0161 00 00000000', 'truncated', 5)
up('stamp base of 49 bits', '03 01 0161 00 0000000000000000 00 80808080808040 00 00', 'oversized', 14)
up('ordered is 2', '03 01 0161 00 0000000000000000 00 00 02 00', 'malformed', 15)
up('65 incarnations', '03 01 0161 00 0000000000000000 00 00 00 41', 'oversized', 16)
up('incarnation cut', '03 01 0161 00 0000000000000000 00 00 00 01 00000000', 'truncated', 17)
up(
  'one incarnation twice',
  `03 01 0161 00 0000000000000000 00 00 00 02 ${'11'.repeat(16)} 00 ${'00'.repeat(8)} ${'11'.repeat(16)} 00 ${'00'.repeat(8)}`,
  'malformed',
  42,
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
down('a short change from a hub', 'bf 0000', 'malformed', 0)
down('entry without a delta', 'ff', 'truncated', 1)
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
